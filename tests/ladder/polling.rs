//! Step 13: one thread for all clients, with the response of step 02.

use crate::example::{curl_text, start};
use crate::process::Client;
use crate::sockets::hello;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn step_13_sends_the_response_of_step_02() {
    let server = start("13_select", &[]);
    let before = start("02_hello", &[]);
    for piece in [1, 7, REQUEST.len()] {
        let mut client = server.client();
        REQUEST.chunks(piece).for_each(|bytes| client.send(bytes));
        assert_eq!(client.rest(), hello().as_bytes(), "{piece} bytes at a time");
    }
    let mut client = before.client();
    client.send(REQUEST);
    assert_eq!(client.rest(), hello().as_bytes());
    let pages = [&server, &before].map(|server| curl_text(&[&format!("http://{}/", server.address)]));
    assert_eq!(pages[0], pages[1]);
}

#[test]
fn step_13_does_not_wait_for_silent_clients() {
    let server = start("13_select", &[]);
    let mut silent: Vec<Client> = (0..200).map(|_| server.client()).collect();
    silent.iter_mut().for_each(|client| client.send(&REQUEST[..10]));
    assert_eq!(server.get("/").status, 200, "while the heads of all others are incomplete");
    #[cfg(target_os = "linux")]
    assert_eq!(server.status_number("Threads"), 1, "one thread for all");
    for client in silent.iter_mut().rev() {
        client.send(&REQUEST[10..]);
        assert_eq!(client.rest(), hello().as_bytes(), "then they are served in the order of their requests");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn step_05_has_a_thread_per_connection() {
    let server = start("05_threads", &[]);
    let silent: Vec<Client> = (0..50).map(|_| server.client()).collect();
    // This connection is accepted after the others, so their threads exist.
    assert_eq!(server.get("/").status, 200);
    assert!(server.status_number("Threads") > 50, "the main thread, and one per connection");
    drop(silent);
}

#[test]
fn step_13_survives_closed_connections_and_limits_the_head() {
    let server = start("13_select", &[]);
    drop(server.client());
    let mut half = server.client();
    half.send(b"GET / HT");
    drop(half);
    for (length, has_response, why) in
        [(8191, true, "below the limit"), (8192, true, "at the limit"), (8193, false, "above the limit")]
    {
        let mut client = server.client();
        client.send(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length - 23)).as_bytes());
        assert_eq!(!client.rest().is_empty(), has_response, "{why}");
    }
    assert_eq!(server.get("/").status, 200);
}
