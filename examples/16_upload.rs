//! Uploads: a file by PUT, or from a form in a browser.
//!
//! New: a client names a file. In a PUT its name is the path of the target, and the body is the file. A form with
//! `enctype=multipart/form-data` sends parts between lines with a boundary (RFC 7578). The head of a part has the name.
//!
//! Try: `curl -T Cargo.toml http://127.0.0.1:8080/`, and open <http://127.0.0.1:8080/>. Files go to `target/uploads`, or to a directory that you name
//!
//! Still wrong: the server trusts the name. `evil.html` is accepted, and an existing file is overwritten. If the connection breaks, a partial
//! file remains (`src/files/upload.rs`). A form is held in memory, and a page of any site may send one (`src/handlers/upload.rs`).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Take, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, fs, path::Path, thread};

use percent_encoding::percent_decode_str;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;
const FORM: &str = "<form method=post enctype=multipart/form-data><input type=file name=file><button>Upload</button></form>\n";

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).unwrap_or_else(|| "target/uploads".into());
    fs::create_dir_all(&directory).and_then(|()| env::set_current_dir(&directory))?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 16_upload");
        std::process::exit(1)
    });
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(respond).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn respond(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let (mut head, mut limited) = (String::new(), reader.by_ref().take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    let fields: Vec<(&str, &str)> = head.split("\r\n").filter_map(|line| line.split_once(':')).collect();
    let header = |name| fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim());
    let length = header("Content-Length").parse().unwrap_or(u64::MAX);
    let result = match head.split(' ').take(2).collect::<Vec<_>>()[..] {
        _ if !head.ends_with("\r\n\r\n") => Ok("400 Bad Request"),
        ["GET", "/"] => Ok("200 OK"),
        ["PUT" | "POST", _] if header("Content-Length").is_empty() => Ok("411 Length Required"),
        ["PUT" | "POST", _] if length > BODY_BYTES_MAX => Ok("413 Content Too Large"),
        ["PUT", target] => save(&percent_decode_str(&target.replacen('/', "", 1)).decode_utf8_lossy(), reader.take(length)),
        ["POST", "/"] => save_form(header("Content-Type"), reader.take(length)),
        _ => Ok("404 Not Found"),
    };
    let status = result.inspect_err(|error| eprintln!("{error}")).unwrap_or("400 Bad Request");
    let page = format!("<!doctype html><p>{status}</p>{FORM}");
    let headers = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n", page.len());
    (&stream).write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n{page}").as_bytes())
}

/// Creates or overwrites a file in the current directory. Returns the status of the response.
fn save(name: &str, mut content: Take<impl Read>) -> io::Result<&'static str> {
    // The last component of a path. It differs from a name with a slash, and `..` has none.
    let name = Path::new(name).file_name().filter(|last| *last == name).ok_or(ErrorKind::InvalidInput)?;
    let status = if Path::new(name).exists() { "200 OK" } else { "201 Created" };
    io::copy(&mut content, &mut fs::File::create(name)?)?;
    if content.limit() == 0 { Ok(status) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Saves the first part of a form. `FORM` has a single field, so that is the file.
fn save_form(content_type: &str, mut body: impl Read) -> io::Result<&'static str> {
    let mut form = Vec::new();
    body.read_to_end(&mut form)?;
    let find = |bytes: &[u8], what: &str| bytes.windows(what.len()).position(|window| window == what.as_bytes());
    let file = find(&form, "\r\n\r\n").map(|end| form.split_at(end + 4)).and_then(|(head, rest)| {
        let name = str::from_utf8(head).ok()?.split_once("filename=\"")?.1.split_once('"')?.0;
        let boundary = content_type.split_once("boundary=")?.1.trim_matches('"');
        Some((name, &rest[..find(rest, &format!("\r\n--{boundary}"))?]))
    });
    let (name, content) = file.ok_or(ErrorKind::InvalidData)?;
    save(name, content.take(content.len() as u64))
}
