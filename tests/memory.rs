//! Memory for request bodies and generated content: clients that stop reading cannot keep it from others.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use process::{PATIENCE, Scratch};
use threadbare::cli::Cli;
use threadbare::config::Bind;
use threadbare::files::Site;
use threadbare::handlers::AppState;
use threadbare::server::{self, listener::Listeners};

/// A server in this process, on a Unix socket, for which the kernel buffers some 200 KiB and not megabytes.
struct Server {
    app: &'static AppState,
    socket: PathBuf,
}

impl Server {
    fn new(scratch: &Scratch, content_bytes_max: usize) -> Server {
        let root = scratch.path().join("root");
        let socket = scratch.path().join("socket");
        let mut config = Cli::try_parse_from(["threadbare", root.to_str().unwrap()]).unwrap().config();
        config.limits.content_bytes_max = content_bytes_max;
        let listeners = Listeners::open(&Bind::Addresses(Vec::new()), 0, std::slice::from_ref(&socket)).unwrap();
        let site = Site::open(&config).unwrap();
        let app: &AppState = Box::leak(Box::new(AppState::new(config, site, None)));
        thread::spawn(move || server::run(listeners, app, None, 64, &|_| {}));
        Server { app, socket }
    }

    fn send(&self, request: &[u8]) -> UnixStream {
        let mut client = UnixStream::connect(&self.socket).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(request).unwrap();
        client
    }

    /// A client that reads the first byte of the response and no more.
    fn stall(&self, request: &[u8]) -> UnixStream {
        let mut client = self.send(request);
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"H");
        client
    }
}

/// Everything that still arrives.
fn rest(mut client: &UnixStream) -> String {
    let mut bytes = Vec::new();
    // A connection that was cut may be reset.
    let _ = client.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Many clients stop reading; one that reads gets the whole response, the first of the others was cut, and in the end all memory is free.
fn latest_is_cut_for_others(server: &Server, request: &[u8]) {
    let stalled: Vec<_> = (0..12).map(|_| server.stall(request)).collect();
    let response = rest(&server.send(request));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n0\r\n\r\n"), "{:.300}", response);
    let first = rest(&stalled[0]);
    assert!(!first.ends_with("\r\n0\r\n\r\n") && first.len() < response.len(), "{} bytes of {}", first.len(), response.len());
    drop(stalled);
    while server.app.memory.try_hold(server.app.config.limits.content_bytes_max).is_none() {
        thread::yield_now();
    }
}

#[test]
fn listings_that_are_not_read_are_cut_for_others() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("root")).unwrap();
    for number in 0..2000 {
        std::fs::write(scratch.path().join(format!("root/{number:0200}")), "").unwrap();
    }
    let server = Server::new(&scratch, 4 * 1024 * 1024);
    latest_is_cut_for_others(&server, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

#[test]
fn echoed_content_that_is_not_read_is_cut_for_others() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("root")).unwrap();
    let server = Server::new(&scratch, 1024 * 1024);
    let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\nContent-Length: 65536\r\n\r\n";
    // Each byte becomes six, which the kernel does not take at once.
    latest_is_cut_for_others(&server, &[head.as_bytes(), &[1; 65536]].concat());
}

#[test]
fn content_that_does_not_arrive_is_cut_for_others() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("root")).unwrap();
    let server = Server::new(&scratch, 512 * 1024);
    let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 65536\r\n\r\n";
    let stalled: Vec<_> = (0..12).map(|_| server.send(&[head.as_bytes(), &[b'x'; 65535]].concat())).collect();
    let response = rest(&server.send(&[head.as_bytes(), &[b'x'; 65536]].concat()));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n0\r\n\r\n"), "{response:.300}");
    drop(stalled);
}
