//! Step 07: the files of a directory, and nothing outside of it.

use std::fs;
use std::path::Path;

use crate::example::{curl_text, response_to, start};
use crate::process::{Process, Scratch};

/// A directory `site`, which is served, and a file `secret` beside it.
fn served() -> (Scratch, Process) {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path().join("site/sub")).unwrap();
    for (name, content) in [
        ("secret", "secret"),
        ("site/index.html", "<p>hello"),
        ("site/sub/index.html", "<p>below"),
        ("site/a b.txt", "a b"),
        ("site/ü.css", "ü"),
        ("site/data", "data"),
        ("site/two..dots.js", "dots"),
        ("site/.hidden", "hidden"),
    ] {
        scratch.file(name, content);
    }
    let server = start("07_files", &[scratch.path().join("site").to_str().unwrap()]);
    (scratch, server)
}

#[test]
fn step_07_serves_a_directory() {
    let (_scratch, server) = served();
    for (target, media_type, content) in [
        ("/", "text/html; charset=utf-8", "<p>hello"),
        ("/index.html", "text/html; charset=utf-8", "<p>hello"),
        ("/index.html?a=/../b", "text/html; charset=utf-8", "<p>hello"),
        ("/sub/", "text/html; charset=utf-8", "<p>below"),
        ("/a%20b.txt", "text/plain; charset=utf-8", "a b"),
        ("/%C3%BC.css", "text/css; charset=utf-8", "ü"),
        ("/two..dots.js", "text/javascript; charset=utf-8", "dots"),
        ("/data", "application/octet-stream", "data"),
    ] {
        let response = server.get(target);
        assert_eq!(
            (response.status, response.field("Content-Type"), response.text()),
            (200, Some(media_type), content),
            "{target}"
        );
    }
    if let Some(page) = curl_text(&[&format!("http://{}/sub/", server.address)]) {
        assert_eq!(page, "<p>below");
    }
}

#[test]
fn step_07_responds_to_head_without_a_body() {
    let (_scratch, server) = served();
    let fields = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 8\r\nConnection: close\r\n\r\n";
    assert_eq!(response_to(&server, b"HEAD / HTTP/1.1\r\n\r\n"), format!("HTTP/1.1 200 OK\r\n{fields}"));
    let fields = "Content-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(response_to(&server, b"HEAD /none HTTP/1.1\r\n\r\n"), format!("HTTP/1.1 404 Not Found\r\n{fields}"));
    let not_allowed = format!("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n{fields}");
    assert_eq!(response_to(&server, b"DELETE / HTTP/1.1\r\n\r\n"), not_allowed);
    assert_eq!(response_to(&server, b"hello\r\n\r\n"), format!("HTTP/1.1 400 Bad Request\r\n{fields}"));
}

#[test]
fn step_07_does_not_leave_the_directory() {
    let (scratch, server) = served();
    let absolute = format!("/{}/secret", scratch.path().display());
    assert!(Path::new(&absolute).exists() && absolute.starts_with("//"), "the file exists");
    for target in [
        "/../secret",
        "/%2e%2e/secret",
        "/%2E%2e%2fsecret",
        "/..%2fsecret",
        "/sub/../../secret",
        "/sub/..",
        "/sub/../index.html",
        "/./../secret",
        "/..\\secret",
        "/.hidden",
        "/%2ehidden",
        "/index.html%00",
        "/%ff",
        "/sub",
        "/none",
        "secret",
        "../secret",
        "http://a/../secret",
        "*",
        &absolute,
        &absolute.replace('/', "%2f").replacen("%2f", "/", 1),
    ] {
        let response = server.get(target);
        assert_eq!((response.status, response.text()), (404, ""), "{target}");
    }
    let url = format!("http://{}/../secret", server.address);
    if let Some(status) = curl_text(&["--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", &url]) {
        assert_eq!(status, "404");
    }
}

#[test]
fn step_07_sends_a_large_file() {
    let (scratch, server) = served();
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251).try_into().unwrap()).collect();
    fs::write(scratch.path().join("site/large"), &content).unwrap();
    assert!(server.get("/large").content == content);
}

#[test]
#[cfg(unix)]
fn step_07_refuses_a_pipe_but_follows_a_symbolic_link() {
    let (scratch, server) = served();
    let pipe = scratch.path().join("site/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert_eq!(server.get("/pipe").status, 404);
    std::os::unix::fs::symlink(scratch.path().join("secret"), scratch.path().join("site/link")).unwrap();
    assert_eq!(server.get("/link").text(), "secret", "still wrong, as its head says");
}
