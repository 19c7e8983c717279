//! Faults that once lost data for ordinary clients: what was announced arrives whole, or the client can see that it did not.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::Path;

use process::{Process, served};

/// Adds so many empty files, whose names sort in the order of their numbers.
fn add_files(directory: &Path, count: usize) {
    for number in 0..count {
        fs::write(directory.join(format!("file-{number:06}")), "").unwrap();
    }
}

/// The bytes of a response after its head.
fn body(response: &[u8]) -> &[u8] {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    &response[end + 4..]
}

#[test]
fn the_end_of_a_response_is_sent_before_the_connection_closes() {
    let (scratch, process) = served(&[]);
    add_files(scratch.path(), 3000);
    let mut client = process.client();
    client.send(b"GET / HTTP/1.0\r\n\r\n");
    let whole = body(&client.rest()).to_vec();
    assert!(whole.len() > 64 * 1024, "{} bytes are sent in several pieces", whole.len());
    for (request, why) in [
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "nothing follows the head"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\n", "an empty line follows"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", "another request follows"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nx", "a byte follows"),
    ] {
        let mut client = process.client();
        client.send(request.as_bytes());
        assert_eq!(body(&client.rest()).len(), whole.len(), "{why}");
        let mut client = process.client();
        client.send(request.replacen("GET", "HEAD", 1).as_bytes());
        let response = String::from_utf8(client.rest()).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\n"), "HEAD, {why}: {response:?}");
    }
}

/// Opening a FIFO for reading lets its writer go on, and kills it with SIGPIPE when the reader closes.
#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_never_opened() {
    use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    for options in [&["--precompressed"][..], &["--precompressed", "--follow-symlinks"], &["--spa"]] {
        let (scratch, process) = served(options);
        let opens = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        fs::create_dir(scratch.path().join("dir")).unwrap();
        fs::write(scratch.path().join("coded.txt"), "not coded").unwrap();
        for name in ["pipe", "dir/index.html", "404.html", "coded.txt.gz", "dir/README", "index.html"] {
            mknodat(CWD, scratch.path().join(name), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
            add_watch(&opens, scratch.path().join(name), WatchFlags::OPEN).unwrap();
        }
        std::os::unix::fs::symlink("pipe", scratch.path().join("link")).unwrap();
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 1024];
        let mut events = Reader::new(&opens, &mut buffer);
        for (target, status) in
            [("/pipe", 404), ("/link", 404), ("/dir/", 200), ("/none", 404), ("/coded.txt", 200), ("/", 200), ("/dir/README", 404)]
        {
            assert_eq!(get_as_browser(&process, target), status, "{target} with {options:?}");
            assert_eq!(events.next().err(), Some(rustix::io::Errno::AGAIN), "{target} with {options:?} opened a FIFO");
        }
        fs::write(scratch.path().join("coded.txt"), "changed").unwrap();
        add_watch(&opens, scratch.path().join("coded.txt"), WatchFlags::OPEN).unwrap();
        assert_eq!(get_as_browser(&process, "/coded.txt"), 200);
        assert!(events.next().is_ok(), "an open is seen");
    }
}

/// The status of a request that takes every coding and HTML.
#[cfg(target_os = "linux")]
fn get_as_browser(process: &Process, target: &str) -> u16 {
    let mut client = process.client();
    let fields = "Host: localhost\r\nAccept: text/html\r\nAccept-Encoding: gzip, br\r\nConnection: close";
    client.send(format!("GET {target} HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes());
    let response = String::from_utf8_lossy(&client.rest()).into_owned();
    response.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {response:?}"))
}
