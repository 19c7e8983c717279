//! WebSocket.
//!
//! New: another protocol on the same connection, in which both sides may send at any time. The client asks for it, a 101 accepts, and no more
//! HTTP follows. `Sec-WebSocket-Accept` proves that the server knows the protocol. Messages travel in frames: flags, length, mask, content.
//!
//! Try: open <http://127.0.0.1:8080/> and type something
//!
//! Still wrong: a page of any site may connect, since Origin is not checked (step 14 checks Host). Frames of more than 125 bytes and
//! unsolicited pongs are refused, and text is not checked for UTF-8. Each client costs a thread (step 13).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // A constant of RFC 6455 §1.3.
const CLOSE: u8 = 0x88;
const PROTOCOL_ERROR: [u8; 4] = [CLOSE, 2, 0x03, 0xea]; // Close code 1002.
const PAGE: &str = "<!doctype html><input id=say><pre id=said></pre><script>socket = new WebSocket('ws://' + location.host)
socket.onmessage = (event) => said.append(event.data, '\\n'); say.onchange = () => socket.send(say.value)</script>";

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 12_websocket");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(respond).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn respond(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let head = read_head(&mut reader)?;
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let Some((_, key)) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key")) else {
        return write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{PAGE}");
    };
    let accept = BASE64_STANDARD.encode(Sha1::digest(key.trim().to_owned() + GUID));
    let headers = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n");
    stream.write_all(format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n").as_bytes())?;
    while echo(&mut reader, &mut stream)? {}
    Ok(())
}

/// Reads a frame and sends one back. Returns whether the connection stays open.
fn echo(reader: &mut impl Read, stream: &mut impl Write) -> io::Result<bool> {
    let mut head = [0; 6];
    reader.read_exact(&mut head)?;
    // The first bit of the length must be set: frames of clients are masked. The lengths 126 and 127 mean that 2 or 8 bytes of length follow.
    let [flags, length @ 0x80..=0xfd, mask @ ..] = head else {
        return stream.write_all(&PROTOCOL_ERROR).map(|()| false);
    };
    let mut content = vec![0; usize::from(length & 0x7f)];
    reader.read_exact(&mut content)?;
    content.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    let frame = match flags {
        // Text, binary, a continuation of either, or close: sent back with the same flags.
        0x00..=0x02 | 0x80..=0x82 | CLOSE => [&[flags, length & 0x7f], &*content].concat(),
        // The response to a ping is a pong.
        0x89 => [&[0x8a, length & 0x7f], &*content].concat(),
        _ => PROTOCOL_ERROR.to_vec(),
    };
    stream.write_all(&frame).map(|()| frame[0] != CLOSE)
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
