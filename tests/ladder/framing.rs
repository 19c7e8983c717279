//! Steps 06 and 08: where does a request end, and is what lies behind it taken for the next one?

use std::fs;

use crate::example::{curl, curl_text, hang_up, said_to, start};
use crate::process::{Process, Scratch};

#[test]
fn step_06_answers_many_requests_on_one_connection() {
    let server = start("06_keep_alive", &[]);
    let post = "POST /evil HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let requests = format!("GET /1 HTTP/1.1\r\n\r\n{post}GET /2 HTTP/1.1\r\n\r\n");
    let contents = [
        "GET /1 HTTP/1.1\n0 bytes of content\n",
        "POST /evil HTTP/1.1\n18 bytes of content\n",
        "GET /2 HTTP/1.1\n0 bytes of content\n",
    ];
    for piece in [1, 5, requests.len()] {
        let mut client = server.client();
        requests.as_bytes().chunks(piece).for_each(|bytes| client.send(bytes));
        for content in contents {
            let answer = client.answer();
            assert_eq!((answer.text(), answer.field("Connection")), (content, Some("keep-alive")), "{piece} bytes at a time");
        }
        hang_up(&client);
        assert_eq!(client.rest(), b"", "to go between two requests is no error");
    }
}

#[test]
fn step_06_goes_on_or_ends_as_the_version_and_the_client_say() {
    let server = start("06_keep_alive", &[]);
    for (version, connection, goes_on, why) in [
        ("1.1", None, true, "HTTP/1.1 goes on"),
        ("1.1", Some("close"), false, "unless it is asked to end"),
        ("1.1", Some("Close"), false, "in whatever case"),
        ("1.1", Some("x, close"), false, "in a list"),
        ("1.1", Some("closed"), true, "a word that begins like it"),
        ("1.0", None, false, "HTTP/1.0 ends"),
        ("1.0", Some("keep-alive"), true, "unless it is asked to go on"),
        ("1.0", Some("keep-alive, close"), false, "or to do both"),
    ] {
        let field = connection.map(|value| format!("Connection: {value}\r\n")).unwrap_or_default();
        let mut client = server.client();
        client.send(format!("GET / HTTP/{version}\r\n{field}\r\n").as_bytes());
        let want = if goes_on { "keep-alive" } else { "close" };
        assert_eq!(client.answer().field("Connection"), Some(want), "{why}");
        if goes_on {
            client.send(b"GET / HTTP/1.1\r\n\r\n");
            assert_eq!(client.answer().status, 200, "{why}");
        } else {
            assert_eq!(client.rest(), b"", "{why}");
        }
    }
}

#[test]
fn step_06_ends_where_the_length_cannot_be_known() {
    let server = start("06_keep_alive", &[]);
    for (fields, status, why) in [
        ("Transfer-Encoding: chunked\r\n", "400 Bad Request", "chunks"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "400 Bad Request", "chunks and a length"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "400 Bad Request", "two lengths"),
        ("Content-Length: 5, 6\r\n", "400 Bad Request", "a list"),
        ("Content-Length: +5\r\n", "400 Bad Request", "a sign"),
        ("Content-Length: -5\r\n", "400 Bad Request", "the other sign"),
        ("Content-Length: \r\n", "400 Bad Request", "nothing"),
        ("Content-Length: 65536\r\n", "400 Bad Request", "beyond the limit"),
        ("Content-Length: 99999999999999999999\r\n", "400 Bad Request", "beyond every number"),
    ] {
        let said = said_to(&server, format!("POST / HTTP/1.1\r\n{fields}\r\nhelloGET / HTTP/1.1\r\n\r\n").as_bytes());
        assert!(said.starts_with(&format!("HTTP/1.1 {status}\r\nConnection: close\r\n")), "{why}: {said}");
        assert_eq!(said.matches("HTTP/1.1 2").count(), 0, "{why}: nothing behind it is a request: {said}");
    }
    let mut client = server.client();
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 65535\r\n\r\n");
    client.send(&vec![b'x'; 65535]);
    assert!(client.answer().text().ends_with("\n65535 bytes of content\n"), "at the limit");
}

#[test]
fn step_06_overlooks_what_its_head_says_it_does() {
    let server = start("06_keep_alive", &[]);
    let said = said_to(&server, b"POST / HTTP/1.1\r\nContent-Length : 18\r\n\r\nGET /evil HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(said.ends_with("GET /evil HTTP/1.1\n0 bytes of content\n"), "the content was taken for a request: {said}");
}

#[test]
fn step_06_says_nothing_to_half_a_content() {
    let server = start("06_keep_alive", &[]);
    let mut client = server.client();
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell");
    hang_up(&client);
    assert_eq!(client.rest(), b"");
}

#[test]
fn step_06_is_used_twice_by_curl() {
    let server = start("06_keep_alive", &[]);
    let url = format!("http://{}/", server.address);
    let Some(printed) = curl_text(&["-w", "%{num_connects}\n", &url, &url]) else { return };
    let once = "GET / HTTP/1.1\n0 bytes of content\n";
    assert_eq!(printed, format!("{once}1\n{once}0\n"), "the second request needs no new connection");
}

/// What step 08 says to these bytes: the status, and the content.
fn echoed(server: &Process, request: &[u8], piece: usize) -> (u16, Vec<u8>) {
    let mut client = server.client();
    request.chunks(piece).for_each(|bytes| client.send(bytes));
    let answer = client.answer();
    (answer.status, answer.content)
}

#[test]
fn step_08_takes_content_in_both_framings() {
    let server = start("08_post", &[]);
    for (request, content, why) in [
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".as_slice(), b"hello".as_slice(), "a length"),
        (b"PUT /a HTTP/1.1\r\ncontent-length:5\r\n\r\nhe\xff\0o", b"he\xff\0o", "bytes that are no text"),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"", "nothing"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", "a chunk"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", "none"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n00A;a=b\r\nllo\r\nworld\r\n000\r\n\r\n",
            b"hello\r\nworld",
            "two, with a line end inside, zeros before the size and an extension behind it",
        ),
    ] {
        for piece in [1, 3, request.len()] {
            assert_eq!(echoed(&server, request, piece), (200, content.to_vec()), "{why}, {piece} bytes at a time");
        }
    }
}

#[test]
fn step_08_refuses_what_can_be_read_in_two_ways() {
    let server = start("08_post", &[]);
    let mebibytes = 4 * 1024 * 1024;
    for (fields_and_content, status, why) in [
        ("\r\n", 200, "neither is none"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "both"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "twice"),
        ("Content-Length: +5\r\n\r\nhello", 400, "a sign"),
        ("Transfer-Encoding: gzip\r\n\r\n", 400, "another coding"),
        ("Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", 400, "a size with a sign"),
        ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400, "a size with a prefix"),
        ("Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400, "a bare newline"),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", 400, "a chunk that is longer than its size"),
        ("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 400, "a size that no memory has"),
        (&format!("Content-Length: {}\r\n\r\n", mebibytes + 1), 400, "beyond the limit"),
        (&format!("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n{mebibytes:x}\r\n"), 400, "together beyond the limit"),
    ] {
        let request = format!("POST / HTTP/1.1\r\n{fields_and_content}");
        assert_eq!(echoed(&server, request.as_bytes(), request.len()).0, status, "{why}");
    }
}

#[test]
fn step_08_invites_a_large_upload_before_it_comes() {
    let server = start("08_post", &[]);
    let mut client = server.client();
    client.send(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue", "while nothing of the content is on its way");
    client.send(b"hello");
    assert_eq!(client.answer().content, b"hello");
    let mut client = server.client();
    client.send(b"PUT / HTTP/1.1\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 400, "and refuses what is too large, at once");
}

#[test]
fn step_08_takes_uploads_of_curl() {
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
