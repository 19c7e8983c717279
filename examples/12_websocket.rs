//! How do both sides speak whenever they like?
//!
//! New: another protocol on the same connection. The client asks for it, 101 agrees, and HTTP is over. What we make of its key proves
//! that we know WebSocket. Messages travel in frames: flags, length, a mask (so that no proxy takes them for requests), content.
//!
//! Try: open <http://127.0.0.1:8000/> and type something
//!
//! Still wrong: a page of any site may connect, since Origin is not checked (step 14 tells it of Host). A frame of more than 125 bytes is
//! refused, and so is a pong without a ping; whether a text is UTF-8 is not checked. Each client costs a thread (step 13).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3 made it up, once and for all.
const CLOSE: u8 = 0x88;
const PROTOCOL_ERROR: [u8; 4] = [CLOSE, 2, 0x03, 0xea]; // 1002, in two bytes.
const PAGE: &str = "<!doctype html><input id=say><pre id=said></pre><script>socket = new WebSocket('ws://' + location.host)
socket.onmessage = (event) => said.append(event.data, '\\n'); say.onchange = () => socket.send(say.value)</script>";

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(answer).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let head = read_head(&mut reader)?;
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let Some((_, key)) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key")) else {
        return write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{PAGE}");
    };
    let proof = BASE64_STANDARD.encode(Sha1::digest(key.trim().to_owned() + GUID));
    let fields = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {proof}\r\n");
    stream.write_all(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n").as_bytes())?;
    while echo(&mut reader, &mut stream)? {}
    Ok(())
}

/// Answers one frame with another; whether there may be more.
fn echo(reader: &mut impl Read, stream: &mut impl Write) -> io::Result<bool> {
    let mut head = [0; 6];
    reader.read_exact(&mut head)?;
    // The first bit of the length says that there is a mask. 126 and 127 would mean that the length follows, in two bytes or in eight.
    let [flags, length @ 0x80..=0xfd, mask @ ..] = head else {
        return stream.write_all(&PROTOCOL_ERROR).map(|()| false);
    };
    let mut content = vec![0; usize::from(length & 0x7f)];
    reader.read_exact(&mut content)?;
    content.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    let answer = match flags {
        // Text, bytes, the next piece of either, or the end: it goes back as it came.
        0x00..=0x02 | 0x80..=0x82 | CLOSE => [&[flags, length & 0x7f], &*content].concat(),
        // A ping is answered with a pong.
        0x89 => [&[0x8a, length & 0x7f], &*content].concat(),
        _ => PROTOCOL_ERROR.to_vec(),
    };
    stream.write_all(&answer).map(|()| answer[0] != CLOSE)
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
