//! Step 13: does one thread serve all clients, and do they see the same as with step 02?

use crate::example::{curl_text, start};
use crate::process::Client;
use crate::sockets::hello;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn step_13_answers_like_step_02() {
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
fn step_13_does_not_wait_for_the_silent() {
    let server = start("13_select", &[]);
    let mut silent: Vec<Client> = (0..200).map(|_| server.client()).collect();
    silent.iter_mut().for_each(|client| client.send(&REQUEST[..10]));
    assert_eq!(server.get("/").status, 200, "while all others are within their head");
    #[cfg(target_os = "linux")]
    assert_eq!(server.status_number("Threads"), 1, "and no client has a thread of its own");
    for client in silent.iter_mut().rev() {
        client.send(&REQUEST[10..]);
        assert_eq!(client.rest(), hello().as_bytes(), "and they are served in whatever order they speak");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn step_05_has_a_thread_for_each() {
    let server = start("05_threads", &[]);
    let silent: Vec<Client> = (0..50).map(|_| server.client()).collect();
    // It is answered behind them, so their threads are there.
    assert_eq!(server.get("/").status, 200);
    assert!(server.status_number("Threads") > 50, "one, and one for each");
    drop(silent);
}

#[test]
fn step_13_survives_who_breaks_off_and_limits_the_head() {
    let server = start("13_select", &[]);
    drop(server.client());
    let mut half = server.client();
    half.send(b"GET / HT");
    drop(half);
    for (length, is_answered, why) in
        [(8191, true, "below the limit"), (8192, true, "at the limit"), (8193, false, "beyond the limit")]
    {
        let mut client = server.client();
        client.send(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length - 23)).as_bytes());
        assert_eq!(!client.rest().is_empty(), is_answered, "{why}");
    }
    assert_eq!(server.get("/").status, 200);
}
