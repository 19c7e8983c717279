//! Faults that once lost data for ordinary clients: what was announced arrives whole, or the client can see that it did not.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::Path;

use process::{Process, Scratch, served};

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
        for (target, status) in [
            ("/pipe", 404),
            ("/link", 404),
            ("/dir/", 200),
            ("/none", 404),
            ("/coded.txt", 200),
            ("/", 200),
            ("/dir/README", 404),
        ] {
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

/// What is sent for `/` in a form, decoded.
fn listing(process: &Process, media_type: &str) -> String {
    let mut client = process.client();
    client.send(format!("GET / HTTP/1.0\r\nAccept: {media_type}\r\n\r\n").as_bytes());
    let response = client.rest();
    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&response));
    String::from_utf8(body(&response).to_vec()).unwrap()
}

#[test]
fn a_listing_names_all_entries_in_each_form() {
    const COUNT: usize = 12_000;
    let (scratch, process) = served(&[]);
    add_files(scratch.path(), COUNT);
    for (media_type, mark, end) in [
        ("text/html", ">file-", "12,001 files, "),
        ("application/json", "\"name\":\"file-", "\"complete\":true}\n"),
        ("text/plain", "  file-", "ten.txt\n"),
    ] {
        let page = listing(&process, media_type);
        assert_eq!(page.matches(mark).count(), COUNT, "{media_type}");
        assert!(page.contains(end), "{media_type}: no {end:?} in {:?}", &page[page.len() - 300..]);
        let names: Vec<&str> = page.split(mark).skip(1).map(|name| &name[..6]).collect();
        assert!(names.is_sorted(), "{media_type}: in order");
    }
    let mut client = process.client();
    client.send(b"GET /?sort=time&order=desc HTTP/1.0\r\n\r\n");
    let page = String::from_utf8(client.rest()).unwrap();
    assert_eq!(page.matches(">file-").count(), COUNT, "by time");
}

#[test]
fn a_directory_too_long_to_list_is_refused_and_never_cut() {
    const COUNT: usize = 200_000;
    let (scratch, process) = served(&[]);
    // One of them is ten.txt.
    add_files(scratch.path(), COUNT - 1);
    assert_eq!(listing(&process, "application/json").matches("\"name\":").count(), COUNT, "as many as are listed");
    fs::write(scratch.path().join("one more"), "").unwrap();
    let answer = process.get("/");
    assert_eq!((answer.status, answer.text()), (403, "403 Forbidden: this directory has too many entries to list\n"));
    assert_eq!(process.get("/file-000000").status, 200, "its files are served");
}

#[test]
fn a_directory_that_is_removed_while_it_is_listed_does_not_look_whole() {
    let (scratch, process) = served(&[]);
    let directory = scratch.path().join("long");
    fs::create_dir(&directory).unwrap();
    add_files(&directory, 100_000);
    let mut client = process.client();
    client.send(b"GET /long/ HTTP/1.0\r\nAccept: application/json\r\n\r\n");
    client.head();
    fs::remove_dir_all(&directory).unwrap();
    let page = client.rest();
    assert!(!page.ends_with(b"\"complete\":true}\n"), "{} bytes of a listing", page.len());
    process.wait_for_log("removed while it was listed");
}

/// A directory that is served, in one of its own that holds nothing else.
fn served_beneath(options: &[&str]) -> (Scratch, Process) {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("root")).unwrap();
    scratch.file("root/which.txt", "old");
    let process = Process::start(&[options, &[scratch.path().join("root").to_str().unwrap()]].concat());
    (scratch, process)
}

/// Waits until a target is answered so.
fn wait_for(process: &Process, target: &str, status: u16, text: &str) {
    process.wait_until(&format!("{target}: {status} {text:?}"), |process| {
        let answer = process.get(target);
        answer.status == status && answer.text().contains(text)
    });
}

#[test]
fn a_served_directory_that_is_made_again_is_served() {
    for options in [&[][..], &["--sandbox", "off"], &["--follow-symlinks"]] {
        let (scratch, process) = served_beneath(options);
        let root = scratch.path().join("root");
        assert_eq!(process.get("/which.txt").text(), "old");
        fs::remove_dir_all(&root).unwrap();
        for target in ["/", "/which.txt", "/hello"] {
            assert_eq!(process.get(target).status, 503, "{target}: never empty, never missing");
        }
        assert_eq!(process.get("/health").status, 503);
        process.wait_for_log("does not exist at present");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("which.txt"), "new").unwrap();
        wait_for(&process, "/which.txt", 200, "new");
        assert_eq!(process.get("/health").status, 200);
        process.wait_for_log("can be served again");
        fs::rename(&root, scratch.path().join("aside")).unwrap();
        fs::create_dir(&root).unwrap();
        fs::write(root.join("other.txt"), "").unwrap();
        let answer = process.get("/");
        assert!(answer.text().contains("other.txt") && !answer.text().contains("which.txt"), "listed at once: {answer:?}");
        wait_for(&process, "/which.txt", 404, "");
        fs::remove_file(root.join("other.txt")).unwrap();
        fs::remove_dir(&root).unwrap();
        fs::rename(scratch.path().join("aside"), &root).unwrap();
        wait_for(&process, "/which.txt", 200, "new");
    }
}

#[test]
fn a_link_that_is_swapped_leads_to_the_new_release() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new();
    for release in ["releases/1", "releases/2"] {
        fs::create_dir_all(scratch.path().join(release)).unwrap();
        scratch.file(&format!("{release}/which.txt"), release);
    }
    let current = scratch.path().join("current");
    symlink("releases/1", &current).unwrap();
    for root in ["current", "current/", "current/which.txt"] {
        let process = Process::start(&[scratch.path().join(root)]);
        assert_eq!(process.get("/which.txt").text(), "releases/1");
        let swap = |to: &str| {
            symlink(to, scratch.path().join("next")).unwrap();
            fs::rename(scratch.path().join("next"), &current).unwrap();
        };
        swap("releases/2");
        if root == "current/which.txt" {
            // The sandbox covers the directory that the file lay in.
            #[cfg(target_os = "linux")]
            wait_for(&process, "/which.txt", 503, "restart the server");
        } else {
            wait_for(&process, "/which.txt", 200, "releases/2");
        }
        swap("releases/1");
        wait_for(&process, "/which.txt", 200, "releases/1");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_replaced_directory_that_the_sandbox_forbids_asks_for_a_restart() {
    let (scratch, process) = served_beneath(&["--sandbox", "require"]);
    let root = scratch.path().join("root");
    fs::rename(&root, scratch.path().join("aside")).unwrap();
    fs::create_dir(&root).unwrap();
    wait_for(&process, "/", 503, "restart the server");
    let health = process.get("/health");
    assert_eq!((health.status, health.text().contains("restart the server")), (503, true), "{health:?}");
    process.wait_for_log("error: cannot serve");
    process.end();
    let errors = process.log_lines().iter().filter(|line| line.starts_with("error:")).count();
    assert_eq!(errors, 0, "it is logged once");
}

#[test]
fn a_working_directory_that_is_removed_is_not_empty() {
    let scratch = Scratch::new();
    let root = scratch.path().join("root");
    fs::create_dir(&root).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_threadbare"));
    command.args(["--port", "0", "--bind", "127.0.0.1"]).current_dir(&root);
    let process = Process::of(command, process::Log::Read);
    assert_eq!(process.get("/").status, 200);
    fs::remove_dir(&root).unwrap();
    wait_for(&process, "/", 503, "does not exist at present");
}
