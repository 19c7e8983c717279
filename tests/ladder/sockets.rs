//! Steps 01 to 05: from a socket to routes and threads.

use crate::example::{close_write, curl, curl_text, response_to, start};
use crate::process::Client;

/// A response of steps 04 and 05.
fn plain(status: &str, content: &str) -> String {
    let length = content.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{content}")
}

#[test]
fn step_01_sends_ok_to_every_client() {
    let server = start("01_socket", &[]);
    assert_eq!(server.client().rest(), b"OK\n", "a silent client");
    for bytes in [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice(), b"\xff", b"hello\n"] {
        assert_eq!(response_to(&server, bytes), "OK\n", "{}", bytes.escape_ascii());
    }
    assert!(server.stdout_line().unwrap().starts_with("sent OK to 127.0.0.1:"));
}

#[test]
fn step_01_is_not_http() {
    let server = start("01_socket", &[]);
    let Some(output) = curl(&[&format!("http://{}/", server.address)]) else { return };
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("HTTP/0.9"), "{output:?}");
}

const PAGE: &str = "<!doctype html><title>Hello</title><h1>Hello</h1><p>Grüße from twenty lines of Rust.\n";

/// The response of step 02.
pub fn hello() -> String {
    let fields = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 87\r\nConnection: close\r\n";
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{PAGE}")
}

#[test]
fn step_02_sends_a_valid_response() {
    let server = start("02_hello", &[]);
    assert_eq!(response_to(&server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), hello());
    assert_eq!((PAGE.len(), PAGE.chars().count()), (87, 85), "bytes, not characters");
    assert_eq!(server.get("/").text(), PAGE, "read by Content-Length");
    if let Some(page) = curl_text(&[&format!("http://{}/", server.address)]) {
        assert_eq!(page, PAGE);
    }
}

#[test]
fn step_02_takes_any_bytes_for_a_request() {
    let server = start("02_hello", &[]);
    for (bytes, why) in [
        (b"G".as_slice(), "a part of a request"),
        (b"\x16\x03\x01", "a client that speaks TLS"),
        (b"GET /nothing/here HTTP/1.1\r\n\r\n", "another page"),
    ] {
        assert_eq!(response_to(&server, bytes), hello(), "{why}");
    }
    let mut silent = server.client();
    close_write(&silent);
    assert_eq!(silent.rest(), hello().as_bytes(), "no bytes");
}

#[test]
fn step_03_reads_a_complete_head() {
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
fn step_03_escapes_control_characters_on_the_terminal() {
    let server = start("03_request", &[]);
    response_to(&server, b"GET /\x1b[31m HTTP/1.1\r\n\r\n");
    assert_eq!(server.stdout_line().as_deref(), Some("GET /\\u{1b}[31m"));
}

#[test]
fn step_03_limits_the_head_and_sends_no_response_to_invalid_requests() {
    let server = start("03_request", &[]);
    let of_length = |length: usize| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length - 23)).into_bytes();
    assert_eq!(of_length(8192).len(), 8192);
    for (bytes, has_response, why) in [
        (of_length(8191), true, "below the limit"),
        (of_length(8192), true, "at the limit"),
        (of_length(8193), false, "above the limit"),
        (b"hello\r\n\r\n".to_vec(), false, "one word"),
        (b"GET  / HTTP/1.1\r\n\r\n".to_vec(), false, "two spaces"),
        (b"GET / HTTP/1.1\n\n".to_vec(), false, "bare newlines"),
        (b"GET /\xff HTTP/1.1\r\n\r\n".to_vec(), false, "a byte that is not UTF-8"),
    ] {
        assert_eq!(!response_to(&server, &bytes).is_empty(), has_response, "{why}");
    }
}

#[test]
fn step_03_makes_the_second_client_wait_for_the_first() {
    let server = start("03_request", &[]);
    let (mut first, mut second) = (server.client(), server.client());
    second.send(b"GET /second HTTP/1.1\r\n\r\n");
    first.send(b"GET /first HTTP/1.1\r\n\r\n");
    assert_eq!(server.stdout_line().as_deref(), Some("GET /first"), "although the second sent its request first");
    assert_eq!(server.stdout_line().as_deref(), Some("GET /second"));
    assert_eq!((first.answer().status, second.answer().status), (200, 200));
}

#[test]
fn step_04_selects_the_route_by_method_and_path() {
    let server = start("04_routes", &[]);
    for (request_line, status, content) in [
        ("GET / HTTP/1.1", "200 OK", "try /user and /dashboard\n"),
        ("GET /?a=b HTTP/1.1", "200 OK", "try /user and /dashboard\n"),
        ("GET /user HTTP/1.1", "200 OK", "this is Ada\n"),
        ("GET /user HTTP/1.0", "200 OK", "this is Ada\n"),
        ("POST /user HTTP/1.1", "201 Created", "user created\n"),
        ("GET /dashboard HTTP/1.1", "200 OK", "all systems up\n"),
        ("GET /dashboard/ HTTP/1.1", "404 Not Found", "not found\n"),
        ("POST /nothing HTTP/1.1", "404 Not Found", "not found\n"),
        ("GET user HTTP/1.1", "404 Not Found", "not found\n"),
        ("GET /user HTTP/2.0", "400 Bad Request", "not an HTTP/1 request\n"),
        ("GET /user", "400 Bad Request", "not an HTTP/1 request\n"),
        ("GET /us er HTTP/1.1", "400 Bad Request", "not an HTTP/1 request\n"),
        ("", "400 Bad Request", "not an HTTP/1 request\n"),
        ("GET / HTTP/1.1\nHost: a", "400 Bad Request", "not an HTTP/1 request\n"),
    ] {
        let response = response_to(&server, format!("{request_line}\r\n\r\n").as_bytes());
        assert_eq!(response, plain(status, content), "{request_line:?}");
    }
}

#[test]
fn step_04_lists_the_methods_of_a_path() {
    let server = start("04_routes", &[]);
    for (request_line, allow) in [
        ("DELETE /user HTTP/1.1", "GET, POST"),
        ("POST / HTTP/1.1", "GET"),
        ("get / HTTP/1.1", "GET"),
        ("HEAD / HTTP/1.1", "GET"),
    ] {
        let response = response_to(&server, format!("{request_line}\r\n\r\n").as_bytes());
        let start = format!("HTTP/1.1 405 Method Not Allowed\r\nAllow: {allow}\r\n");
        assert!(response.starts_with(&start), "{request_line}: {response:?}");
    }
    let format = ["-o", "/dev/null", "-w", "%{http_code}"];
    for (method, path, status) in [("POST", "user", "201"), ("DELETE", "user", "405"), ("GET", "nothing", "404")] {
        let url = format!("http://{}/{path}", server.address);
        let Some(printed) = curl_text(&[format.as_slice(), &["-X", method, &url]].concat()) else { return };
        assert_eq!(printed, status, "{method} {path}");
    }
}

#[test]
fn step_05_does_not_wait_for_silent_clients() {
    let server = start("05_threads", &[]);
    let mut silent: Vec<Client> = (0..20).map(|_| server.client()).collect();
    silent[0].send(b"GET / HT");
    let answer = server.get("/");
    assert_eq!((answer.status, answer.text().starts_with("served by ThreadId(")), (200, true), "{answer:?}");
    // The silent clients are served too, in the order of their requests.
    silent[0].send(b"TP/1.1\r\n\r\n");
    let mut threads = vec![silent[0].answer().text().to_owned(), answer.text().to_owned()];
    for client in silent[1..].iter_mut().rev() {
        client.send(b"GET / HTTP/1.1\r\n\r\n");
        threads.push(client.answer().text().to_owned());
    }
    threads.sort();
    threads.dedup();
    assert_eq!(threads.len(), 21, "one thread per connection: {threads:?}");
}

#[test]
fn step_05_sends_404_to_other_requests() {
    let server = start("05_threads", &[]);
    for request in ["GET /x HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "hello\n\n"] {
        assert_eq!(response_to(&server, request.as_bytes()), plain("404 Not Found", "only GET / exists\n"), "{request:?}");
    }
}
