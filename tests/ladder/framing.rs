//! Steps 06 and 08: the end of a request, and the beginning of the next one.

use std::fs;

use crate::example::{close_write, curl, curl_text, response_to, start};
use crate::process::{Process, Scratch};

#[test]
fn step_06_serves_several_requests_on_one_connection() {
    let server = start("06_keep_alive", &[]);
    let post = "POST /evil HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let requests = format!("GET /1 HTTP/1.1\r\n\r\n{post}GET /2 HTTP/1.1\r\n\r\n");
    let bodies =
        ["GET /1 HTTP/1.1\nbody of 0 bytes\n", "POST /evil HTTP/1.1\nbody of 18 bytes\n", "GET /2 HTTP/1.1\nbody of 0 bytes\n"];
    for piece in [1, 5, requests.len()] {
        let mut client = server.client();
        requests.as_bytes().chunks(piece).for_each(|bytes| client.send(bytes));
        for body in bodies {
            let answer = client.answer();
            assert_eq!((answer.text(), answer.field("Connection")), (body, Some("keep-alive")), "{piece} bytes at a time");
        }
        close_write(&client);
        assert_eq!(client.rest(), b"", "closing between two requests is not an error");
    }
}

#[test]
fn step_06_keeps_or_closes_the_connection_by_version_and_option() {
    let server = start("06_keep_alive", &[]);
    for (version, connection, persists, why) in [
        ("1.1", None, true, "HTTP/1.1 persists"),
        ("1.1", Some("close"), false, "unless the client sends close"),
        ("1.1", Some("Close"), false, "in any case"),
        ("1.1", Some("x, close"), false, "in a list"),
        ("1.1", Some("closed"), true, "another option with the same beginning"),
        ("1.0", None, false, "HTTP/1.0 closes"),
        ("1.0", Some("keep-alive"), true, "unless the client sends keep-alive"),
        ("1.0", Some("keep-alive, close"), false, "close wins"),
    ] {
        let field = connection.map(|value| format!("Connection: {value}\r\n")).unwrap_or_default();
        let mut client = server.client();
        client.send(format!("GET / HTTP/{version}\r\n{field}\r\n").as_bytes());
        let want = if persists { "keep-alive" } else { "close" };
        assert_eq!(client.answer().field("Connection"), Some(want), "{why}");
        if persists {
            client.send(b"GET / HTTP/1.1\r\n\r\n");
            assert_eq!(client.answer().status, 200, "{why}");
        } else {
            assert_eq!(client.rest(), b"", "{why}");
        }
    }
}

#[test]
fn step_06_closes_if_the_length_is_unknown() {
    let server = start("06_keep_alive", &[]);
    for (fields, status, why) in [
        ("Transfer-Encoding: chunked\r\n", "400 Bad Request", "chunks"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "400 Bad Request", "chunks and a length"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "400 Bad Request", "two lengths"),
        ("Content-Length: 5, 6\r\n", "400 Bad Request", "a list"),
        ("Content-Length: +5\r\n", "400 Bad Request", "a sign"),
        ("Content-Length: -5\r\n", "400 Bad Request", "a minus sign"),
        ("Content-Length: \r\n", "400 Bad Request", "nothing"),
        ("Content-Length: 65536\r\n", "400 Bad Request", "above the limit"),
        ("Content-Length: 99999999999999999999\r\n", "400 Bad Request", "above the largest integer"),
    ] {
        let responses = response_to(&server, format!("POST / HTTP/1.1\r\n{fields}\r\nhelloGET / HTTP/1.1\r\n\r\n").as_bytes());
        assert!(responses.starts_with(&format!("HTTP/1.1 {status}\r\nConnection: close\r\n")), "{why}: {responses}");
        assert_eq!(responses.matches("HTTP/1.1 ").count(), 1, "{why}: no request follows it: {responses}");
    }
    let mut client = server.client();
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 65535\r\n\r\n");
    client.send(&vec![b'x'; 65535]);
    assert!(client.answer().text().ends_with("\nbody of 65535 bytes\n"), "at the limit");
}

#[test]
fn step_06_ignores_a_length_with_a_space_before_the_colon() {
    let server = start("06_keep_alive", &[]);
    let response =
        response_to(&server, b"POST / HTTP/1.1\r\nContent-Length : 18\r\n\r\nGET /evil HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(response.ends_with("GET /evil HTTP/1.1\nbody of 0 bytes\n"), "the body was read as a request: {response}");
}

#[test]
fn step_06_sends_no_response_to_an_incomplete_body() {
    let server = start("06_keep_alive", &[]);
    let mut client = server.client();
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell");
    close_write(&client);
    assert_eq!(client.rest(), b"");
}

#[test]
fn step_06_with_two_requests_of_curl() {
    let server = start("06_keep_alive", &[]);
    let url = format!("http://{}/", server.address);
    let Some(printed) = curl_text(&["-w", "%{num_connects}\n", &url, &url]) else { return };
    let body = "GET / HTTP/1.1\nbody of 0 bytes\n";
    assert_eq!(printed, format!("{body}1\n{body}0\n"), "the second request uses the same connection");
}

/// Sends a request to step 08 in pieces; returns the status and the body of the response.
fn echoed(server: &Process, request: &[u8], piece: usize) -> (u16, Vec<u8>) {
    let mut client = server.client();
    request.chunks(piece).for_each(|bytes| client.send(bytes));
    let answer = client.answer();
    (answer.status, answer.content)
}

#[test]
fn step_08_reads_bodies_in_both_framings() {
    let server = start("08_post", &[]);
    for (request, content, why) in [
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".as_slice(), b"hello".as_slice(), "a length"),
        (b"PUT /a HTTP/1.1\r\ncontent-length:5\r\n\r\nhe\xff\0o", b"he\xff\0o", "bytes that are not text"),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"", "an empty body"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", "one chunk"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", "no chunk but the last"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n00A;a=b\r\nllo\r\nworld\r\n000\r\n\r\n",
            b"hello\r\nworld",
            "three chunks: one is a line end; a size with zeros, an extension",
        ),
    ] {
        for piece in [1, 3, request.len()] {
            assert_eq!(echoed(&server, request, piece), (200, content.to_vec()), "{why}, {piece} bytes at a time");
        }
    }
}

#[test]
fn step_08_refuses_ambiguous_framing() {
    let server = start("08_post", &[]);
    let mebibytes = 4 * 1024 * 1024;
    for (fields_and_content, status, why) in [
        ("\r\n", 200, "neither field: no body"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "both"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "twice"),
        ("Content-Length: +5\r\n\r\nhello", 400, "a sign"),
        ("Transfer-Encoding: gzip\r\n\r\n", 400, "another coding"),
        ("Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400, "a size with a sign"),
        ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400, "a size with a prefix"),
        ("Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400, "a bare newline"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", 400, "a chunk longer than its size"),
        ("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 400, "a size above all memory"),
        (&format!("Content-Length: {}\r\n\r\n", mebibytes + 1), 400, "above the limit"),
        (&format!("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n{mebibytes:x}\r\n"), 400, "above the limit in total"),
    ] {
        let request = format!("POST / HTTP/1.1\r\n{fields_and_content}");
        assert_eq!(echoed(&server, request.as_bytes(), request.len()).0, status, "{why}");
    }
}

#[test]
fn step_08_sends_100_continue_before_the_body() {
    let server = start("08_post", &[]);
    let mut client = server.client();
    client.send(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue", "before any byte of the body is sent");
    client.send(b"hello");
    assert_eq!(client.answer().content, b"hello");
    let mut client = server.client();
    client.send(b"PUT / HTTP/1.1\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 400, "a body that is too large is refused before it is sent");
}

#[test]
fn step_08_echoes_uploads_of_curl() {
    let server = start("08_post", &[]);
    let scratch = Scratch::new();
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251).try_into().unwrap()).collect();
    let path = scratch.path().join("upload");
    fs::write(&path, &content).unwrap();
    let (url, path) = (format!("http://{}/", server.address), path.to_str().unwrap());
    for framing in ["X: with a length", "Transfer-Encoding: chunked"] {
        let Some(output) = curl(&["-H", framing, "-T", path, &url]) else { return };
        assert!(output.status.success() && output.stdout == content, "{framing}: {:?}", output.stderr.escape_ascii().to_string());
    }
    assert_eq!(curl_text(&["-d", "a=b", &url]).as_deref(), Some("a=b"));
}
