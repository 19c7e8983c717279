//! Can it be reached by a socket in the file system, and does that come and go as it should?
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use process::{PATIENCE, Scratch, run};
use rustix::process::{Pid, Signal, kill_process};

/// A server that need not have an address, ended with the test.
struct Local {
    child: Child,
    ready: Vec<String>,
}

impl Local {
    /// Starts it and reads so many ready lines.
    fn start(words: &[&str], root: &Path, lines: usize) -> Local {
        let mut command = Command::new(env!("CARGO_BIN_EXE_threadbare"));
        command.args(words);
        Local::of(command, root, lines)
    }

    fn of(mut command: Command, root: &Path, lines: usize) -> Local {
        command.arg(root).env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let ready = BufReader::new(child.stdout.take().unwrap()).lines().take(lines).map(Result::unwrap).collect();
        Local { child, ready }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its log and its exit code, after its end.
    fn left(mut self) -> (String, Option<i32>) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (log, self.child.wait().unwrap().code())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is answered to one request, whole.
fn ask(path: &Path, target: &str, host: &str) -> String {
    let mut client = UnixStream::connect(path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn site() -> (Scratch, PathBuf, String) {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("site")).unwrap();
    fs::write(scratch.path().join("site/ten.txt"), "0123456789").unwrap();
    let path = scratch.path().join("socket");
    let bind = format!("unix:{}", path.display());
    (scratch, path, bind)
}

#[test]
fn it_is_made_as_the_umask_says_and_removed_at_the_end() {
    let (scratch, path, bind) = site();
    let root = scratch.path().join("site");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 171; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_threadbare")]);
    command.args(["--bind", &bind, "--sandbox", "auto"]);
    let server = Local::of(command, &root, 1);
    assert!(server.ready[0].starts_with("serving ") && server.ready[0].ends_with(&format!(" at {bind}")), "{:?}", server.ready);
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o606);
    assert!(ask(&path, "/ten.txt", "localhost").ends_with("\r\n\r\n0123456789"));
    assert!(ask(&path, "/echo", "localhost").contains("\npeer: unix:\nmethod: GET\n"), "it has no address, and is not believed");
    assert!(ask(&path, "/ten.txt", "www.example").starts_with("HTTP/1.1 200 "), "only a proxy connects, whose names are unknown");
    // The server does not listen on the port.
    let checked = run(&["--check-health", "--bind", &bind]);
    assert_eq!((checked.code, checked.stdout), (Some(0), format!("healthy: HTTP/1.1 200 OK ({bind})\n")), "{}", checked.stderr);
    server.signal(Signal::TERM);
    let (log, code) = server.left();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("\nunix: - - ["), "{log}");
    assert!(!path.exists(), "it is gone: {log}");
}

/// A request whose content never comes is in flight until the grace time is over, or a second signal ends the process.
#[test]
fn it_is_removed_also_where_the_process_is_cut_short() {
    for (grace, signals, code) in [("0", 1, 0), ("60", 2, 143)] {
        let (scratch, path, bind) = site();
        let words = ["--bind", &bind, "--shutdown-timeout", grace, "--sandbox", "auto"];
        let mut server = Local::start(&words, &scratch.path().join("site"), 1);
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").unwrap();
        let mut interim = [0; 25];
        client.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        server.signal(Signal::TERM);
        if signals == 2 {
            let mut log = BufReader::new(server.child.stderr.as_mut().unwrap()).lines();
            log.find(|line| line.as_ref().unwrap().contains("send the signal again")).unwrap().unwrap();
            server.signal(Signal::TERM);
        }
        let (log, left) = server.left();
        assert_eq!(left, Some(code), "{log}");
        assert!(!path.exists(), "{signals} signals: {log}");
    }
}

#[test]
fn a_proxy_there_can_be_trusted() {
    let (scratch, path, bind) = site();
    let _server = Local::start(&["--bind", &bind, "--trust-proxy", "unix"], &scratch.path().join("site"), 1);
    assert!(ask(&path, "/echo", "localhost").contains("\npeer: unix:\nclient: 192.0.2.7\nmethod: GET\n"));
}

#[test]
fn it_is_one_of_several_places() {
    let (scratch, path, bind) = site();
    let other = scratch.path().join("other");
    let words = ["--bind", &bind, "--bind", "127.0.0.1", "--port", "0", "--bind", &format!("unix:{}", other.display())];
    let server = Local::start(&words, &scratch.path().join("site"), 3);
    for path in [&path, &other] {
        assert!(ask(path, "/ten.txt", "127.0.0.1").ends_with("0123456789"));
    }
    let mut client = process::Client::connect(process::address(&server.ready[0]));
    client.send(process::GET);
    assert_eq!(client.answer().text(), "0123456789");
}

#[test]
fn what_a_killed_server_leaves_behind_is_replaced() {
    let (scratch, path, bind) = site();
    let root = scratch.path().join("site");
    let killed = Local::start(&["--bind", &bind], &root, 1);
    killed.signal(Signal::KILL);
    killed.left();
    assert!(path.exists());
    let _server = Local::start(&["--bind", &bind], &root, 1);
    assert!(ask(&path, "/ten.txt", "localhost").ends_with("0123456789"));
}

#[test]
fn whatever_else_is_there_stays() {
    let (scratch, path, bind) = site();
    let root = scratch.path().join("site");
    let root = root.to_str().unwrap();
    let other = UnixListener::bind(&path).unwrap();
    let missing = format!("unix:{}/missing/socket", scratch.path().display());
    let long = format!("unix:/{}", "x".repeat(200));
    for (bind, says) in [
        (&bind, "another server listens there"),
        (&missing, "check the path"),
        (&long, "check the path"),
        (&format!("unix:{root}/ten.txt"), "not a socket"),
    ] {
        let left = run(&["--bind", bind, root]);
        assert_eq!((left.code, left.stdout.as_str(), left.stderr.lines().count()), (Some(1), "", 1), "{left:?}");
        assert!(left.stderr.contains(says) && left.stderr.contains(bind.as_str()), "{left:?}");
    }
    UnixStream::connect(&path).unwrap();
    other.accept().unwrap();
    // The second cannot be had: then the first is not left behind.
    let first = scratch.path().join("first");
    let left = run(&["--bind", &format!("unix:{}", first.display()), "--bind", &bind, root]);
    assert_eq!(left.code, Some(1), "{left:?}");
    assert!(!first.exists());
}

#[test]
fn a_successor_keeps_its_own() {
    let (scratch, path, bind) = site();
    let root = scratch.path().join("site");
    let server = Local::start(&["--bind", &bind], &root, 1);
    fs::rename(&path, path.with_extension("old")).unwrap();
    let successor = Local::start(&["--bind", &bind], &root, 1);
    server.signal(Signal::TERM);
    server.left();
    assert!(ask(&path, "/ten.txt", "localhost").ends_with("0123456789"), "what lies there is not ours any more");
    drop(successor);
}

#[test]
fn a_health_check_ends_in_time_and_knows_the_server() {
    let (_scratch, path, bind) = site();
    let full = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = rustix::net::SocketAddrUnix::new(&path).unwrap();
    let fill = || {
        let kind = (rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM);
        let client = rustix::net::socket(kind.0, kind.1, None).unwrap();
        rustix::io::ioctl_fionbio(&client, true).unwrap();
        rustix::net::connect(&client, &address).map(|()| client)
    };
    let waiting: Vec<_> = std::iter::from_fn(|| fill().ok()).take(100).collect();
    assert!(waiting.len() < 100, "the queue is full");
    let checked = run(&["--check-health", "--bind", &bind]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.stderr.starts_with("threadbare: unhealthy: no response from unix:"), "{checked:?}");
    drop(full);
    fs::remove_file(&path).unwrap();

    for (fields, code, why) in [
        ("Server: nginx\r\n", 1, "another server"),
        ("", 1, "a server without a name"),
        ("Date: now\r\nserver:threadbare2\r\n", 1, "a longer name"),
        ("Date: now\r\nServer: threadbare\r\n", 0, "this one"),
    ] {
        let listener = UnixListener::bind(&path).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 60]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let checked = run(&["--check-health", "--bind", &bind]);
        assert_eq!(checked.code, Some(code), "{why}: {checked:?}");
        assert!(code == 0 || checked.stderr.contains("another program responds there"), "{why}: {checked:?}");
        server.join().unwrap();
        fs::remove_file(&path).unwrap();
    }
}
