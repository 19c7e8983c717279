//! Which mistakes does nearly every first server make?
//!
//! New: six of them, `/wrong/NAME`, each with what breaks it, and beside them the right way, `/right/NAME`.
//!
//! Try: `printf '\377' | curl -s --data-binary @- http://127.0.0.1:8000/wrong/text | od -tx1`, and the same at `/right/text`
//!
//! Still wrong: all that is under `/wrong/`. A right way is a line here; what it takes in full begins in `src/server/connection.rs`.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

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
    let mut piece = [0; 1024];
    let length = stream.read(&mut piece)?;
    let first = piece[..length].to_vec();
    let answer = match first.split(|byte| *byte == b' ').nth(1).unwrap_or_default() {
        // Content that comes a moment after the head: one read brings what is here, not what is on its way.
        b"/wrong/one-read" => say("200 OK", content(&first).unwrap_or_default()),
        // A request of exactly 1,024 bytes: the buffer is full, but there is no more, and this waits for it.
        b"/wrong/full-buffer" if length == piece.len() => {
            let length = stream.read(&mut piece)?;
            say("200 OK", &[&first, &piece[..length]].concat())
        }
        b"/wrong/full-buffer" => say("200 OK", &first),
        // Bytes that are not UTF-8: what they are replaced with is not what was sent.
        b"/wrong/text" => say("200 OK", String::from_utf8_lossy(&whole(&stream, first.clone())?).as_bytes()),
        b"/right/one-read" | b"/right/full-buffer" | b"/right/text" => say("200 OK", &whole(&stream, first.clone())?),
        // A strict client waits for the CR LF of each line. A letter like ü is one character, and two bytes to be counted.
        b"/wrong/newlines" => "HTTP/1.1 200 OK\nContent-Length: 8\n\nGrüße\n".into(),
        b"/wrong/length" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nGrüße\n", "Grüße\n".chars().count()).into(),
        b"/right/newlines" | b"/right/length" => say("200 OK", "Grüße\n".as_bytes()),
        // `Host: evil.example`: a name that was made to lead here, so that a browser lets the page of that name read the answer.
        b"/wrong/host" => say("200 OK", b"dear diary\n"),
        b"/right/host" => match fields(&first, "Host")[..] {
            [host] if matches!(host.split(':').next(), Some("localhost" | "127.0.0.1")) => say("200 OK", b"dear diary\n"),
            [_] => say("421 Misdirected Request", b""),
            _ => say("400 Bad Request", b""),
        },
        _ => say("404 Not Found", b""),
    };
    stream.write_all(&answer)
}

fn say(status: &str, content: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len()).as_bytes(), content].concat()
}

/// Reads on until the content is whole, up to a limit.
fn whole(stream: &TcpStream, mut request: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut rest = BufReader::new(stream).take(16 * 1024).bytes();
    while content(&request).is_none() {
        request.push(rest.next().ok_or(io::ErrorKind::InvalidData)??);
    }
    Ok(content(&request).unwrap_or_default().to_vec())
}

/// The content of a request, if the head and as much as it announces are here.
fn content(request: &[u8]) -> Option<&[u8]> {
    let begin = request.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let length = fields(request, "Content-Length").first().map_or(Ok(0), |length| length.parse::<u16>()).ok()?;
    request.get(begin..begin + usize::from(length))
}

fn fields<'a>(request: &'a [u8], name: &str) -> Vec<&'a str> {
    let lines = request.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r");
    let fields = lines.filter_map(|line| str::from_utf8(line).ok()?.split_once(':'));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}
