//! Steps 01 to 05: does a socket become a server that tells one request from another, and serves two clients at once?

use crate::example::{curl, curl_text, hang_up, said_to, start};
use crate::process::Client;

/// What a page of steps 04 and 05 looks like.
fn plain(status: &str, content: &str) -> String {
    let length = content.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{content}")
}

#[test]
fn step_01_says_ok_to_anyone() {
    let server = start("01_socket", &[]);
    assert_eq!(server.client().rest(), b"OK\n", "who says nothing");
    for bytes in [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(), b"\xff", b"hello\n"] {
        assert_eq!(said_to(&server, bytes), "OK\n", "{}", bytes.escape_ascii());
    }
    assert!(server.stdout_line().unwrap().starts_with("said OK to 127.0.0.1:"));
}

#[test]
fn step_01_is_not_http() {
    let server = start("01_socket", &[]);
    let Some(output) = curl(&[&format!("http://{}/", server.address)]) else { return };
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("HTTP/0.9"), "{output:?}");
}

const PAGE: &str = "<!doctype html><title>Hello</title><h1>Hello</h1><p>Grüße from twenty lines of Rust.\n";

/// What step 02 answers, byte for byte.
pub fn hello() -> String {
    let fields = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 87\r\nConnection: close\r\n";
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{PAGE}")
}

#[test]
fn step_02_answers_in_http() {
    let server = start("02_hello", &[]);
    assert_eq!(said_to(&server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), hello());
    assert_eq!((PAGE.len(), PAGE.chars().count()), (87, 85), "bytes are counted, not characters");
    assert_eq!(server.get("/").text(), PAGE, "as a client reads it that goes by Content-Length");
    if let Some(page) = curl_text(&[&format!("http://{}/", server.address)]) {
        assert_eq!(page, PAGE);
    }
}

#[test]
fn step_02_takes_anything_for_a_request() {
    let server = start("02_hello", &[]);
    for (bytes, why) in [
        (b"G".as_slice(), "a piece of a request"),
        (b"\x16\x03\x01", "a client that speaks TLS"),
        (b"GET /nothing/here HTTP/1.1\r\n\r\n", "another page"),
    ] {
        assert_eq!(said_to(&server, bytes), hello(), "{why}");
    }
    let mut silent = server.client();
    hang_up(&silent);
    assert_eq!(silent.rest(), hello().as_bytes(), "nothing at all");
}

#[test]
fn step_03_reads_a_head_whole() {
    let server = start("03_request", &[]);
    let content = "method:  GET\ntarget:  /any/where?you=like\nversion: HTTP/1.1\nfields:  2\n";
    let request = b"GET /any/where?you=like HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    for piece in [1, 2, 7, request.len()] {
        let mut client = server.client();
        request.chunks(piece).for_each(|bytes| client.send(bytes));
        assert_eq!(client.answer().text(), content, "{piece} bytes at a time");
        assert_eq!(server.stdout_line().as_deref(), Some("GET /any/where?you=like"));
    }
    if let Some(page) = curl_text(&["-A", "x", &format!("http://{}/a", server.address)]) {
        assert_eq!(page, "method:  GET\ntarget:  /a\nversion: HTTP/1.1\nfields:  3\n", "Host, User-Agent, Accept");
    }
}

#[test]
fn step_03_does_not_let_a_client_write_to_the_terminal() {
    let server = start("03_request", &[]);
    said_to(&server, b"GET /\x1b[31m HTTP/1.1\r\n\r\n");
    assert_eq!(server.stdout_line().as_deref(), Some("GET /\\u{1b}[31m"));
}

#[test]
fn step_03_limits_the_head_and_says_nothing_to_nonsense() {
    let server = start("03_request", &[]);
    let of_length = |length: usize| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length - 23)).into_bytes();
    assert_eq!(of_length(8192).len(), 8192);
    for (bytes, is_answered, why) in [
        (of_length(8191), true, "below the limit"),
        (of_length(8192), true, "at the limit"),
        (of_length(8193), false, "beyond the limit"),
        (b"hello\r\n\r\n".to_vec(), false, "one word"),
        (b"GET  / HTTP/1.1\r\n\r\n".to_vec(), false, "two spaces"),
        (b"GET / HTTP/1.1\n\n".to_vec(), false, "bare newlines"),
        (b"GET /\xff HTTP/1.1\r\n\r\n".to_vec(), false, "a byte that is not UTF-8"),
    ] {
        assert_eq!(!said_to(&server, &bytes).is_empty(), is_answered, "{why}");
    }
}

#[test]
fn step_03_makes_the_second_client_wait_for_the_first() {
    let server = start("03_request", &[]);
    let (mut first, mut second) = (server.client(), server.client());
    second.send(b"GET /second HTTP/1.1\r\n\r\n");
    first.send(b"GET /first HTTP/1.1\r\n\r\n");
    assert_eq!(server.stdout_line().as_deref(), Some("GET /first"), "although the second has asked first");
    assert_eq!(server.stdout_line().as_deref(), Some("GET /second"));
    assert_eq!((first.answer().status, second.answer().status), (200, 200));
}

#[test]
fn step_04_answers_by_method_and_path() {
    let server = start("04_routes", &[]);
    for (request_line, status, content) in [
        ("GET / HTTP/1.1", "200 OK", "try /user and /dashboard\n"),
        ("GET /?a=b HTTP/1.1", "200 OK", "try /user and /dashboard\n"),
        ("GET /user HTTP/1.1", "200 OK", "this is Ada\n"),
        ("GET /user HTTP/1.0", "200 OK", "this is Ada\n"),
        ("POST /user HTTP/1.1", "201 Created", "welcome\n"),
        ("GET /dashboard HTTP/1.1", "200 OK", "all is well\n"),
        ("GET /dashboard/ HTTP/1.1", "404 Not Found", "nothing here\n"),
        ("POST /nothing HTTP/1.1", "404 Not Found", "nothing here\n"),
        ("GET user HTTP/1.1", "404 Not Found", "nothing here\n"),
        ("GET /user HTTP/2.0", "400 Bad Request", "that is not HTTP/1.1\n"),
        ("GET /user", "400 Bad Request", "that is not HTTP/1.1\n"),
        ("GET /us er HTTP/1.1", "400 Bad Request", "that is not HTTP/1.1\n"),
        ("", "400 Bad Request", "that is not HTTP/1.1\n"),
        ("GET / HTTP/1.1\nHost: a", "400 Bad Request", "that is not HTTP/1.1\n"),
    ] {
        let said = said_to(&server, format!("{request_line}\r\n\r\n").as_bytes());
        assert_eq!(said, plain(status, content), "{request_line:?}");
    }
}

#[test]
fn step_04_says_which_methods_a_path_has() {
    let server = start("04_routes", &[]);
    for (request_line, allow) in [
        ("DELETE /user HTTP/1.1", "GET, POST"),
        ("POST / HTTP/1.1", "GET"),
        ("get / HTTP/1.1", "GET"),
        ("HEAD / HTTP/1.1", "GET"),
    ] {
        let said = said_to(&server, format!("{request_line}\r\n\r\n").as_bytes());
        let start = format!("HTTP/1.1 405 Method Not Allowed\r\nAllow: {allow}\r\n");
        assert!(said.starts_with(&start), "{request_line}: {said:?}");
    }
    let format = ["-o", "/dev/null", "-w", "%{http_code}"];
    for (method, path, status) in [("POST", "user", "201"), ("DELETE", "user", "405"), ("GET", "nothing", "404")] {
        let url = format!("http://{}/{path}", server.address);
        let Some(printed) = curl_text(&[format.as_slice(), &["-X", method, &url]].concat()) else { return };
        assert_eq!(printed, status, "{method} {path}");
    }
}

#[test]
fn step_05_does_not_wait_for_the_silent() {
    let server = start("05_threads", &[]);
    let mut silent: Vec<Client> = (0..20).map(|_| server.client()).collect();
    silent[0].send(b"GET / HT");
    let answer = server.get("/");
    assert_eq!((answer.status, answer.text().starts_with("served by ThreadId(")), (200, true), "{answer:?}");
    // And they are served as well, in whatever order they speak.
    silent[0].send(b"TP/1.1\r\n\r\n");
    let mut threads = vec![silent[0].answer().text().to_owned(), answer.text().to_owned()];
    for client in silent[1..].iter_mut().rev() {
        client.send(b"GET / HTTP/1.1\r\n\r\n");
        threads.push(client.answer().text().to_owned());
    }
    threads.sort();
    threads.dedup();
    assert_eq!(threads.len(), 21, "each by a thread of its own: {threads:?}");
}

#[test]
fn step_05_is_still_a_server() {
    let server = start("05_threads", &[]);
    for request in ["GET /x HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "hello\n\n"] {
        assert_eq!(said_to(&server, request.as_bytes()), plain("404 Not Found", "only / is here, and only GET\n"), "{request:?}");
    }
}
