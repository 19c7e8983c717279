//! Step 14: each mistake, the input that shows it, and the correction.

use crate::example::{close_write, curl, response_to, start};
use crate::process::{Client, Process};

/// A request with a body.
fn post(path: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

fn sent(server: &Process, bytes: &[u8]) -> Client {
    let mut client = server.client();
    client.send(bytes);
    client
}

#[test]
fn step_14_one_read_is_not_a_request() {
    let server = start("14_errors", &[]);
    let (wrong, right) = (post("/wrong/one-read", b"hello"), post("/right/one-read", b"hello"));
    let (head, content) = wrong.split_at(wrong.len() - 5);
    let mut client = sent(&server, head);
    assert_eq!(client.answer().content, b"", "the response came before the body was sent");
    assert_eq!(sent(&server, &wrong).answer().content, b"hello", "in one piece it works, which hides the mistake");
    let (head, _) = right.split_at(right.len() - 5);
    let mut client = sent(&server, head);
    client.send(content);
    assert_eq!(client.answer().content, b"hello");
}

#[test]
fn step_14_a_full_buffer_does_not_mean_that_more_follows() {
    let server = start("14_errors", &[]);
    // A request of exactly this length.
    let of_length = |path: &str, length: usize| post(path, &vec![b'x'; length - post(path, b"").len() - 2]);
    let request = of_length("/wrong/full-buffer", 1024);
    assert_eq!(request.len(), 1024);
    let mut client = sent(&server, &request);
    // The server waits for more. One byte after the request makes it respond, and is part of the response.
    client.send(b"!");
    assert_eq!(client.answer().content, [request.as_slice(), b"!"].concat(), "a byte after the request was needed");
    let mut client = sent(&server, &request);
    close_write(&client);
    assert_eq!(client.answer().content, request, "or the end of the stream");
    for length in [1023, 1025] {
        let request = of_length("/wrong/full-buffer", length);
        assert_eq!(sent(&server, &request).answer().content, request, "{length} bytes work, which hides the mistake");
    }
    for length in [1023, 1024, 1025] {
        let request = of_length("/right/full-buffer", length);
        let content = request.split(|byte| *byte == b'\n').next_back().unwrap();
        assert_eq!(sent(&server, &request).answer().content, content, "{length} bytes, and nothing after them");
    }
}

#[test]
fn step_14_a_body_is_bytes() {
    let server = start("14_errors", &[]);
    for (content, decoded, why) in [
        (b"\xff".as_slice(), b"\xef\xbf\xbd".as_slice(), "a byte that is invalid in UTF-8"),
        (b"Gr\xfc\xdfe", b"Gr\xef\xbf\xbd\xef\xbf\xbde", "text in Latin-1"),
        (b"\x89PNG\r\n\x1a\n", b"\xef\xbf\xbdPNG\r\n\x1a\n", "an image"),
        ("Grüße".as_bytes(), "Grüße".as_bytes(), "UTF-8 works, which hides the mistake"),
    ] {
        assert_eq!(sent(&server, &post("/wrong/text", content)).answer().content, decoded, "{why}");
        assert_eq!(sent(&server, &post("/right/text", content)).answer().content, content, "{why}");
    }
}

#[test]
fn step_14_lines_end_with_cr_lf() {
    let server = start("14_errors", &[]);
    let get = |path: &str| response_to(&server, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
    let wrong = get("/wrong/newlines");
    assert_eq!(wrong, "HTTP/1.1 200 OK\nContent-Length: 8\n\nGrüße\n");
    assert_eq!(wrong.find("\r\n\r\n"), None, "a strict client finds no end of the head");
    assert_eq!(get("/right/newlines"), "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nGrüße\n");
    // curl accepts both, which hides the mistake.
    let urls = ["wrong", "right"].map(|way| format!("http://{}/{way}/newlines", server.address));
    for url in urls {
        let Some(output) = curl(&[&url]) else { return };
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), "Grüße\n".as_bytes()), "{url}");
    }
}

#[test]
fn step_14_a_length_is_in_bytes() {
    let server = start("14_errors", &[]);
    let get = |path: &str| sent(&server, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
    let mut client = get("/wrong/length");
    assert_eq!(client.answer().content, b"Gr\xc3\xbc\xc3\x9f", "the client reads as many bytes as the length says");
    assert_eq!(client.rest(), b"e\n", "the rest would be read as the next response");
    let mut client = get("/right/length");
    assert_eq!((client.answer().text(), client.rest()), ("Grüße\n", Vec::new()));
    let url = format!("http://{}/wrong/length", server.address);
    if let Some(output) = curl(&[&url]) {
        assert_eq!(output.stdout, b"Gr\xc3\xbc\xc3\x9f", "in curl too");
    }
}

#[test]
fn step_14_the_host_is_checked() {
    let server = start("14_errors", &[]);
    let get = |way: &str, fields: &str| sent(&server, format!("GET /{way}/host HTTP/1.1\r\n{fields}\r\n").as_bytes()).answer();
    for (fields, status, why) in [
        ("Host: localhost\r\n", 200, "the name of this machine"),
        ("host:127.0.0.1:8080\r\n", 200, "the address of this machine, with a port"),
        ("Host: evil.example\r\n", 421, "a foreign name that resolves to this machine"),
        ("Host: localhost.evil.example\r\n", 421, "a name with the same beginning"),
        ("Host: \r\n", 421, "an empty name"),
        ("", 400, "no Host"),
        ("Host: localhost\r\nHost: evil.example\r\n", 400, "two fields"),
    ] {
        let answer = get("wrong", fields);
        assert_eq!((answer.status, answer.text()), (200, "dear diary\n"), "{why}: the diary is disclosed");
        let content = if status == 200 { "dear diary\n" } else { "" };
        let answer = get("right", fields);
        assert_eq!((answer.status, answer.text()), (status, content), "{why}");
    }
    assert!(response_to(&server, b"GET /right/nothing HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
}
