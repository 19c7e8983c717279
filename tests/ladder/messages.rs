//! Steps 11 and 12: long polling, server-sent events and WebSocket.

use std::io::BufRead;

use crate::example::{curl_text, response_to, start};
use crate::process::{Client, Process};
use crate::webdriver::Browser;

fn say(server: &Process, message: &str) -> u16 {
    let mut client = server.client();
    client.send(format!("POST /say?{message} HTTP/1.1\r\n\r\n").as_bytes());
    client.answer().status
}

/// A client that reads the events of step 11, from the first.
fn subscriber(server: &Process) -> Client {
    let mut client = server.client();
    client.send(b"GET /events?0 HTTP/1.1\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close");
    client
}

/// The next event, up to its empty line.
fn event(client: &mut Client) -> String {
    let mut event = String::new();
    while !event.ends_with("\n\n") {
        assert!(client.stream.read_line(&mut event).unwrap() > 0, "the stream ended: {event:?}");
    }
    event
}

#[test]
fn step_11_responds_when_a_message_arrives() {
    let server = start("11_long_polling", &[]);
    let mut waiting: Vec<Client> = (0..3).map(|_| server.client()).collect();
    waiting.iter_mut().for_each(|client| client.send(b"GET /wait?0 HTTP/1.1\r\n\r\n"));
    assert_eq!(say(&server, "hello"), 200);
    for client in &mut waiting {
        assert_eq!(client.answer().text(), "hello", "every waiting client gets it");
    }
    assert_eq!(say(&server, "again"), 200);
    assert_eq!(server.get("/wait?0").text(), "hello\nagain", "a late client gets all messages");
    assert_eq!(server.get("/wait?1").text(), "again", "a client that has the first gets the second");
}

#[test]
fn step_11_sends_events_as_messages_arrive() {
    let server = start("11_long_polling", &[]);
    assert_eq!(say(&server, "early"), 200);
    let mut subscribers = [subscriber(&server), subscriber(&server)];
    for client in &mut subscribers {
        assert_eq!(event(client), "data: early\n\n", "earlier messages");
    }
    for message in ["one", "two", "%F0%9F%8C%8D"] {
        assert_eq!(say(&server, message), 200);
        for client in &mut subscribers {
            assert_eq!(event(client), format!("data: {message}\n\n"));
        }
    }
}

#[test]
fn step_11_prevents_forged_events() {
    let server = start("11_long_polling", &[]);
    let mut client = subscriber(&server);
    for forged in ["a\rdata:forged", "a\ndata:forged"] {
        assert_eq!(say(&server, forged), 404, "{forged:?}");
    }
    assert_eq!(say(&server, "true"), 200);
    assert_eq!(event(&mut client), "data: true\n\n");
}

#[test]
fn step_11_limits_the_number_of_messages() {
    let server = start("11_long_polling", &[]);
    for number in 1..=1001 {
        assert_eq!(say(&server, "x"), if number <= 1000 { 200 } else { 404 }, "message {number}");
    }
    assert_eq!(server.get("/wait?998").text(), "x\nx");
    for request_line in ["GET /nothing HTTP/1.1", "GET /wait HTTP/1.1", "GET /say?x HTTP/1.1", "hello"] {
        let response = response_to(&server, format!("{request_line}\r\n\r\n").as_bytes());
        assert!(response.starts_with("HTTP/1.1 404 "), "{request_line}: {response}");
    }
}

#[test]
fn step_11_in_curl_and_in_a_browser() {
    let server = start("11_long_polling", &[]);
    let url = format!("http://{}", server.address);
    let Some(sent) = curl_text(&["-X", "POST", &format!("{url}/say?hello")]) else { return };
    assert_eq!((sent, curl_text(&[&format!("{url}/wait?0")])), ("sent\n".to_owned(), Some("hello".to_owned())));
    let Some(browser) = Browser::start() else { return };
    browser.go(&url);
    browser.run("fetch('/say?news', { method: 'POST' })");
    browser.wait_until("document.querySelector('pre').textContent == 'hello\\nnews\\n'");
}

/// The request of RFC 6455 §1.3 and its response.
const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn socket(server: &Process) -> Client {
    let mut client = server.client();
    client.send(HANDSHAKE.as_bytes());
    assert_eq!(client.head(), ACCEPTED);
    client
}

/// A frame as a client sends it: masked.
fn frame(flags: u8, content: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let length = match content.len() {
        short @ 0..=125 => vec![0x80 | u8::try_from(short).unwrap()],
        long @ 126..=65535 => [&[0xfe], u16::try_from(long).unwrap().to_be_bytes().as_slice()].concat(),
        longer => [&[0xff], u64::try_from(longer).unwrap().to_be_bytes().as_slice()].concat(),
    };
    let masked = content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect::<Vec<u8>>();
    [&[flags], length.as_slice(), &mask, &masked].concat()
}

/// The close frame after a protocol error.
const REFUSAL: &[u8] = &[0x88, 2, 0x03, 0xea];

#[test]
fn step_12_echoes_messages() {
    let server = start("12_websocket", &[]);
    // The frames of RFC 6455 §5.7.
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(frame(0x81, b"Hello"), hello);
    for piece in [1, hello.len()] {
        let mut client = socket(&server);
        hello.chunks(piece).for_each(|bytes| client.send(bytes));
        assert_eq!(client.exactly(7), b"\x81\x05Hello", "{piece} bytes at a time");
    }
    let mut client = socket(&server);
    for (length, head) in [(0, b"\x82\x00".as_slice()), (1, b"\x82\x01"), (125, b"\x82\x7d")] {
        let content: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        client.send(&frame(0x82, &content));
        assert_eq!(client.exactly(head.len()), head, "{length} bytes");
        assert!(client.exactly(length) == content, "{length} bytes");
    }
}

#[test]
fn step_12_handles_fragments_pings_and_close() {
    let server = start("12_websocket", &[]);
    let mut client = socket(&server);
    // In one write: the first fragment of a text, a ping, the last fragment, and close with its code and reason.
    client.send(&[frame(0x01, b"Hel"), frame(0x89, b"there?"), frame(0x80, b"lo"), frame(0x88, b"\x03\xe8bye")].concat());
    assert_eq!(client.rest(), b"\x01\x03Hel\x8a\x06there?\x80\x02lo\x88\x05\x03\xe8bye");
}

#[test]
fn step_12_closes_after_a_protocol_error() {
    let server = start("12_websocket", &[]);
    for (bytes, why) in [
        (b"\x81\x05Hello".to_vec(), "no mask"),
        (frame(0x82, &[0; 126]), "a length of two bytes"),
        (frame(0x82, &vec![0; 65536]), "a length of eight bytes"),
        (frame(0x83, b""), "an undefined opcode"),
        (frame(0xc1, b""), "a flag of an extension that was not negotiated"),
        (frame(0x8a, b""), "an unsolicited pong: still wrong, as its head says"),
    ] {
        let mut client = socket(&server);
        client.send(&bytes);
        assert_eq!(client.rest(), REFUSAL, "{why}");
    }
}

#[test]
fn step_12_sends_a_page_to_other_requests() {
    let server = start("12_websocket", &[]);
    let response = response_to(&server, b"GET / HTTP/1.1\r\n\r\n");
    let (head, page) = response.split_once("\r\n\r\n").unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</script>"), "{page}");
    if let Some(same) = curl_text(&[&format!("http://{}/", server.address)]) {
        assert_eq!(same, page);
    }
}

#[test]
fn step_12_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let server = start("12_websocket", &[]);
    browser.go(&format!("http://{}/", server.address));
    browser.wait_until("socket.readyState === WebSocket.OPEN");
    browser.run("document.querySelector('input').focus()");
    browser.press("Grüße\u{e007}");
    browser.wait_until("document.querySelector('pre').textContent === 'Grüße\\n'");
    let closed =
        browser.run("return new Promise((done) => { socket.onclose = (event) => done(event.wasClean); socket.close(1000) })");
    assert_eq!(closed, true, "it is closed in both directions");
}
