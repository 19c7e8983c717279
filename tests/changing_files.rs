//! What if a file is not what it was a moment ago?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use process::{GET, served};

const MIB: u64 = 1024 * 1024;

#[test]
fn a_file_larger_than_memory_streams() {
    const LENGTH: u64 = 3 * 1024 * MIB;
    let (scratch, process) = served(&[]);
    let mut file = File::create(scratch.path().join("big")).unwrap();
    if let Err(error) = file.set_len(LENGTH) {
        eprintln!("SKIPPED: no sparse file of 3 GiB here: {error}");
        return;
    }
    file.seek(SeekFrom::End(-5)).unwrap();
    file.write_all(b"tail!").unwrap();

    let mut client = process.client();
    client.send(b"HEAD /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(client.head().ends_with("\r\nContent-Length: 3221225472"));
    for (range, content_range) in [
        ("-5", "bytes 3221225467-3221225471/3221225472"),
        ("3221225467-", "bytes 3221225467-3221225471/3221225472"),
        ("3221225467-18446744073709551615", "bytes 3221225467-3221225471/3221225472"),
    ] {
        client.send(format!("GET /big HTTP/1.1\r\nHost: localhost\r\nRange: bytes={range}\r\n\r\n").as_bytes());
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (206, "tail!"), "{range}");
        assert_eq!(answer.field("Content-Range"), Some(content_range), "{range}");
    }
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(client.head().ends_with("\r\nContent-Length: 3221225472"));
    assert!(client.read_up_to(64 * MIB) >= 64 * MIB);
    #[cfg(target_os = "linux")]
    {
        let kib = process.status_number("VmRSS");
        assert!(kib < 32 * 1024, "{kib} KiB in memory");
    }
    drop(client);
    assert_eq!(process.get("/ten.txt").status, 200);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    for rest in [0, 1000, 8 * MIB] {
        let (scratch, process) = served(&[]);
        let file = scratch.sparse("big", 64 * MIB);
        let mut client = process.client();
        client.send(&[b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n", GET].concat());
        assert!(client.head().ends_with("\r\nContent-Length: 67108864"));
        file.set_len(rest).unwrap();
        let received = client.read_up_to(u64::MAX);
        assert!(received < 64 * MIB, "{received} bytes, of a file cut to {rest}");
        process.wait_for_log("GET /big");
        assert_eq!(process.get("/ten.txt").status, 200);
    }
}

#[test]
fn a_file_that_is_written_to_while_it_is_sent_ends_the_connection() {
    // Else the client would take a mixture of two files for one, under one entity tag.
    let many: Vec<String> = (0..100).map(|n| format!("{}-{}", n * 600_000, n * 600_000 + 599_998)).collect();
    let many = format!("Range: bytes={}\r\n", many.join(","));
    for (offset, field, length, why) in [
        (0, "", 64 * MIB, "overwritten"),
        (63 * MIB, "", 64 * MIB, "overwritten further on"),
        (64 * MIB - 3, "", 64 * MIB, "overwritten at its end"),
        (0, &*many, 100 * 599_999, "overwritten in the first of many ranges"),
        (59 * MIB, &many, 100 * 599_999, "overwritten behind all ranges"),
    ] {
        let (scratch, process) = served(&[]);
        let mut file = scratch.sparse("big", 64 * MIB);
        let mut client = process.client();
        client.send(&[format!("GET /big HTTP/1.1\r\nHost: localhost\r\n{field}\r\n").as_bytes(), GET].concat());
        client.head();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(b"new").unwrap();
        let received = client.read_up_to(u64::MAX);
        assert!(received < length, "{received} bytes, of a file {why}");
    }
}

#[test]
fn a_file_that_grows_or_whose_status_changes_is_sent_as_announced() {
    use std::os::unix::fs::PermissionsExt;
    type Change = fn(&std::path::Path);
    let append = |path: &std::path::Path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let cases: [(&str, Change); 7] = [
        ("appended to, as a log is", append),
        ("appended to a lot, as a recording is", |path| {
            File::options().write(true).open(path).unwrap().set_len(99 * MIB).unwrap()
        }),
        ("chmod", |path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap()),
        ("another hard link", |path| std::fs::hard_link(path, path.with_file_name("link")).unwrap()),
        ("mv", |path| std::fs::rename(path, path.with_file_name("moved")).unwrap()),
        ("replaced, with a second link left", |path| {
            std::fs::hard_link(path, path.with_file_name("kept")).unwrap();
            std::fs::write(path.with_file_name("new"), "new").unwrap();
            std::fs::rename(path.with_file_name("new"), path).unwrap();
        }),
        ("an extended attribute", |path| {
            let flags = rustix::fs::XattrFlags::empty();
            if let Err(error) = rustix::fs::setxattr(path, "user.threadbare", b"x", flags) {
                eprintln!("SKIPPED: no extended attributes here: {error}");
            }
        }),
    ];
    for (why, change) in cases {
        for (range, length) in [("0-67108863", 64 * MIB), ("1000000-60999999", 60_000_000)] {
            let (scratch, process) = served(&[]);
            scratch.sparse("big", 64 * MIB);
            let mut client = process.client();
            client.send(
                format!("GET /big HTTP/1.1\r\nHost: localhost\r\nRange: bytes={range}\r\nConnection: close\r\n\r\n").as_bytes(),
            );
            client.head();
            change(&scratch.path().join("big"));
            assert_eq!(client.read_up_to(u64::MAX), length, "{why}, {range}");
        }
    }
}

#[test]
fn a_file_that_is_replaced_by_another_is_sent_to_its_end() {
    // What rsync, package managers and careful editors do: the old file is whole, and open.
    let (scratch, process) = served(&[]);
    scratch.sparse("big", 64 * MIB);
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    client.head();
    scratch.sparse("next", 3);
    std::fs::rename(scratch.path().join("next"), scratch.path().join("big")).unwrap();
    assert_eq!(client.read_up_to(u64::MAX), 64 * MIB);
    assert_eq!(process.get("/big").content, [0; 3]);
}

#[test]
fn a_file_that_is_deleted_is_sent_to_its_end_and_then_gone() {
    let (scratch, process) = served(&[]);
    scratch.sparse("big", 64 * MIB);
    let mut client = process.client();
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.head();
    std::fs::remove_file(scratch.path().join("big")).unwrap();
    assert_eq!(client.read_up_to(64 * MIB), 64 * MIB, "it is open");
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.answer().status, 404, "and the connection persists");
}

#[test]
fn a_file_that_may_not_be_read_is_403_until_it_may() {
    use std::os::unix::fs::PermissionsExt;
    let (scratch, process) = served(&[]);
    let path = scratch.file("secret", "not yet");
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0);
    if File::open(&path).is_ok() {
        // The superuser may read everything.
        assert_eq!(process.get("/secret").status, 200);
        return;
    }
    assert_eq!(process.get("/secret").status, 403);
    mode(0o600);
    assert_eq!(process.get("/secret").text(), "not yet");
}

#[test]
fn odd_times_are_times() {
    const YEAR: u64 = 31_556_952;
    let (scratch, process) = served(&[]);
    let times = [
        ("1901", UNIX_EPOCH.checked_sub(Duration::from_secs(69 * YEAR))),
        ("1600", UNIX_EPOCH.checked_sub(Duration::from_secs(370 * YEAR))),
        ("just before 1970", UNIX_EPOCH.checked_sub(Duration::from_nanos(1))),
        ("1970", Some(UNIX_EPOCH)),
        ("2039", UNIX_EPOCH.checked_add(Duration::from_secs(69 * YEAR))),
        ("2107", UNIX_EPOCH.checked_add(Duration::from_secs(137 * YEAR))),
        ("tomorrow", SystemTime::now().checked_add(Duration::from_secs(86_400))),
        ("10001", UNIX_EPOCH.checked_add(Duration::from_secs(8031 * YEAR))),
        ("300000", UNIX_EPOCH.checked_add(Duration::from_secs(298_030 * YEAR))),
    ];
    for (number, (year, time)) in times.into_iter().enumerate() {
        let name = format!("odd{number}.txt");
        let path = scratch.file(&name, "odd");
        let file = File::options().write(true).open(&path).unwrap();
        let Some(time) = time.filter(|time| file.set_modified(*time).is_ok()) else {
            eprintln!("SKIPPED: no file of the year {year} here");
            continue;
        };
        if file.metadata().unwrap().modified().unwrap() != time {
            eprintln!("the file system keeps another time for the year {year}");
        }
        let fields = [
            "",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-None-Match: \"other\"\r\n",
            "Range: bytes=0-9\r\n",
            "If-None-Match: \"other\"\r\n",
        ];
        for fields in fields {
            let mut client = process.client();
            client.send(format!("GET /{name} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
            let answer = client.answer();
            assert!(matches!(answer.status, 200 | 206) && answer.text() == "odd", "{year}, {fields:?}: {answer:?}");
            let modified = answer.field("Last-Modified");
            assert!(modified.is_none_or(|date| date.len() == 29), "{year}: {modified:?} is no HTTP date");
        }
        let listing = process.get("/");
        assert!(listing.status == 200 && listing.text().contains(&name), "{year}: {listing:?}");
    }
}
