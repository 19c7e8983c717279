//! Mistakes that are common in first servers.
//!
//! New: six of them at `/wrong/NAME`, each with the input that shows it, and corrected at `/right/NAME`.
//!
//! Try: `printf '\377' | curl -s --data-binary @- http://127.0.0.1:8080/wrong/text | od -tx1`, and the same at `/right/text`
//!
//! Still wrong: everything under `/wrong/`. The corrections are minimal; a complete server begins in `src/server/connection.rs`.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 14_errors");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(respond).unwrap_or_else(|error| eprintln!("{error}"));
        std::thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn respond(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer)?;
    let first = buffer[..length].to_vec();
    let response = match first.split(|byte| *byte == b' ').nth(1).unwrap_or_default() {
        // The body may arrive after the head. One read returns only the bytes that have arrived.
        b"/wrong/one-read" => response("200 OK", body(&first).unwrap_or_default()),
        // A request of exactly 1,024 bytes fills the buffer, and this waits for more although there is none.
        b"/wrong/full-buffer" => {
            let more = if length == buffer.len() { stream.read(&mut buffer)? } else { 0 };
            response("200 OK", &[&first, &buffer[..more]].concat())
        }
        // Bytes that are not UTF-8 are replaced, so the body changes.
        b"/wrong/text" => response("200 OK", String::from_utf8_lossy(&read_body(&stream, first.clone())?).as_bytes()),
        b"/right/one-read" | b"/right/full-buffer" | b"/right/text" => response("200 OK", &read_body(&stream, first.clone())?),
        // A strict client waits for CR LF. `ü` is one character, but two bytes.
        b"/wrong/newlines" => "HTTP/1.1 200 OK\nContent-Length: 8\n\nGrüße\n".into(),
        b"/wrong/length" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nGrüße\n", "Grüße\n".chars().count()).into(),
        b"/right/newlines" | b"/right/length" => response("200 OK", "Grüße\n".as_bytes()),
        // The owner of evil.example can let that name resolve to 127.0.0.1. Then its pages may read this response (DNS rebinding).
        b"/wrong/host" => response("200 OK", b"dear diary\n"),
        b"/right/host" => match headers(&first, "Host")[..] {
            [host] if matches!(host.split(':').next(), Some("localhost" | "127.0.0.1")) => response("200 OK", b"dear diary\n"),
            ref hosts => response(if hosts.len() == 1 { "421 Misdirected Request" } else { "400 Bad Request" }, b""),
        },
        _ => response("404 Not Found", b""),
    };
    stream.write_all(&response)
}

fn response(status: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// Reads the rest of a request, up to a limit, and returns its body.
fn read_body(stream: &TcpStream, mut request: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut rest = BufReader::new(stream).take(16 * 1024).bytes();
    while body(&request).is_none() {
        request.push(rest.next().ok_or(io::ErrorKind::InvalidData)??);
    }
    Ok(body(&request).unwrap_or_default().to_vec())
}

/// The body of a request, or `None` if the request is incomplete.
fn body(request: &[u8]) -> Option<&[u8]> {
    let start = request.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let length = headers(request, "Content-Length").first().map_or(Ok(0), |length| length.parse::<u16>()).ok()?;
    request.get(start..start + usize::from(length))
}

fn headers<'a>(request: &'a [u8], name: &str) -> Vec<&'a str> {
    let lines = request.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r");
    let fields = lines.filter_map(|line| str::from_utf8(line).ok()?.split_once(':'));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}
