//! Step 16: uploads by PUT and by form, and their faults.

use std::fs;

use crate::example::{close_write, curl, curl_text, response_to, start};
use crate::process::{Process, Scratch};
use crate::webdriver::Browser;

/// Step 16, and the directory that it writes to, with a file `secret` beside it.
fn server() -> (Scratch, Process) {
    let scratch = Scratch::new();
    scratch.file("secret", "secret");
    let server = start("16_upload", &[scratch.path().join("uploads").to_str().unwrap()]);
    (scratch, server)
}

/// A file that was uploaded, or `None`.
fn saved(scratch: &Scratch, name: &str) -> Option<Vec<u8>> {
    fs::read(scratch.path().join("uploads").join(name)).ok()
}

fn status(server: &Process, request: &[u8]) -> u16 {
    let mut client = server.client();
    client.send(request);
    client.answer().status
}

fn put(target: &str, body: &[u8]) -> Vec<u8> {
    [format!("PUT {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// The request that a browser sends for a form with one file.
fn form(content_type: &str, name: &str, content: &[u8]) -> Vec<u8> {
    let part =
        format!("--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: a/b\r\n\r\n");
    let body = [part.as_bytes(), content, b"\r\n--xyz--\r\n"].concat();
    let head = format!("POST / HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

const MULTIPART: &str = "multipart/form-data; boundary=xyz";

#[test]
fn step_16_saves_a_put() {
    let (scratch, server) = server();
    for (target, name, body) in [
        ("/a.txt", "a.txt", b"hello".as_slice()),
        ("/a%20b.txt", "a b.txt", b"\xff\0\r\n"),
        ("/%C3%BC", "ü", b""),
        ("/large", "large", &[b'x'; 100_000]),
    ] {
        assert_eq!(status(&server, &put(target, body)), 201, "{target}");
        assert!(saved(&scratch, name).as_deref() == Some(body), "{target}");
    }
    assert_eq!(status(&server, &put("/a.txt", b"bye")), 200, "replaced, not created");
    assert_eq!(saved(&scratch, "a.txt").as_deref(), Some(b"bye".as_slice()));
}

#[test]
fn step_16_saves_the_file_of_a_form() {
    let (scratch, server) = server();
    for (content_type, name, content, why) in [
        (MULTIPART, "a.txt", b"hello".as_slice(), "text"),
        (MULTIPART, "b.bin", b"\xff\0\r\n--xy\r\n\r\n--\r\n", "bytes like a boundary"),
        (MULTIPART, "empty", b"", "an empty file"),
        ("multipart/form-data; boundary=\"xyz\"", "quoted", b"hello", "a boundary in quotes"),
    ] {
        assert_eq!(status(&server, &form(content_type, name, content)), 201, "{why}");
        assert!(saved(&scratch, name).as_deref() == Some(content), "{why}");
    }
}

#[test]
fn step_16_does_not_leave_the_directory() {
    let (scratch, server) = server();
    for name in ["../secret", "..", ".", "sub/a", "/tmp/a", "a/", ""] {
        assert_eq!(status(&server, &form(MULTIPART, name, b"evil")), 400, "form: {name}");
        assert_eq!(status(&server, &put(&format!("/{name}"), b"evil")), 400, "PUT: {name}");
        let encoded = name.replace('.', "%2e").replace('/', "%2F");
        assert_eq!(status(&server, &put(&format!("/{encoded}"), b"evil")), 400, "PUT: {encoded}");
    }
    assert_eq!(fs::read(scratch.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(scratch.path().join("uploads")).unwrap().count(), 0);
}

#[test]
fn step_16_refuses_other_requests() {
    let (scratch, server) = server();
    let above = 16 * 1024 * 1024 + 1;
    for (request, status, why) in [
        ("PUT /a HTTP/1.1\r\n\r\n".to_owned(), 411, "no length"),
        ("PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 411, "chunks"),
        (format!("PUT /a HTTP/1.1\r\nContent-Length: {above}\r\n\r\n"), 413, "a file above the limit"),
        (format!("POST / HTTP/1.1\r\nContent-Length: {above}\r\n\r\n"), 413, "a form above the limit"),
        ("PUT /a HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(), 413, "a length that is not a number"),
        ("POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(), 404, "a form at another path"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 400, "a body without parts"),
        ("GET /a HTTP/1.1\r\n\r\n".to_owned(), 404, "another page"),
        ("hello\n\n".to_owned(), 400, "not HTTP"),
    ] {
        let response = response_to(&server, request.as_bytes());
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{why}: {response}");
    }
    let without_end = form(MULTIPART, "a", b"hello");
    let without_end = String::from_utf8(without_end).unwrap().replace("--xyz--", "--xy---");
    assert_eq!(self::status(&server, without_end.as_bytes()), 400, "a part without an end");
    assert_eq!(saved(&scratch, "a"), None);
}

#[test]
fn step_16_is_still_wrong_as_its_head_says() {
    let (scratch, server) = server();
    assert_eq!(status(&server, &put("/evil.html", b"<script>")), 201, "any type of file");
    assert_eq!(status(&server, &form(MULTIPART, "evil.html", b"")), 200, "an existing file is overwritten");
    assert_eq!(saved(&scratch, "evil.html").as_deref(), Some(b"".as_slice()));
    let mut client = server.client();
    client.send(b"PUT /partial HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello");
    close_write(&client);
    assert_eq!(client.answer().status, 400);
    assert_eq!(saved(&scratch, "partial").as_deref(), Some(b"hello".as_slice()), "half of the file remains");
    let mut client = server.client();
    let cross_site = String::from_utf8(form(MULTIPART, "a", b"a")).unwrap();
    client.send(cross_site.replacen("\r\n", "\r\nOrigin: http://evil.example\r\n", 1).as_bytes());
    assert_eq!(client.answer().status, 201, "a form of any site");
}

#[test]
fn step_16_with_curl() {
    let (scratch, server) = server();
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251).try_into().unwrap()).collect();
    let path = scratch.path().join("a b.bin");
    fs::write(&path, &content).unwrap();
    let (path, url) = (path.to_str().unwrap(), format!("http://{}/", server.address));
    for (arguments, status) in [(["-T", path], "201 Created"), (["-F", &format!("file=@{path}")], "200 OK")] {
        let Some(output) = curl(&[arguments.as_slice(), &[&url]].concat()) else { return };
        let page = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && page.starts_with(&format!("<!doctype html><p>{status}</p><form ")), "{output:?}");
        assert!(saved(&scratch, "a b.bin").as_deref() == Some(&content), "{arguments:?}");
    }
    let page = curl_text(&[&url]).unwrap();
    assert!(page.contains("<form method=post enctype=multipart/form-data>"), "{page}");
}

#[test]
fn step_16_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let (scratch, server) = server();
    browser.go(&format!("http://{}/", server.address));
    // A script may not name a file of the disk, so it makes one.
    browser.run(
        "const files = new DataTransfer(); files.items.add(new File(['Grüße'], 'ä \"b\".txt'));
        document.querySelector('input').files = files.files",
    );
    browser.click("button");
    browser.wait_until("document.querySelector('p')?.textContent === '201 Created'");
    assert_eq!(saved(&scratch, "ä %22b%22.txt").as_deref(), Some("Grüße".as_bytes()), "with the name as the browser sends it");
}
