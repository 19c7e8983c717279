//! Faults that once lost data for ordinary clients: what was announced arrives whole, or the client can see that it did not.
#![cfg(unix)]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::Path;

use process::served;

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
