//! Static files.
//!
//! New: a path in a target becomes a path on the disk, and its extension a media type. `/../../etc/passwd` is a path too, and so is
//! `/%2e%2e/`. So the server decodes the target first, and then checks that each segment is a plain name. HEAD is GET without the body.
//! (From here on a connection carries one request again, to keep the programs short.)
//!
//! Try: `cargo run --example 07_files -- tests/site`, and `curl -i --path-as-is http://127.0.0.1:8080/../Cargo.toml`
//!
//! Still wrong: a symbolic link leads out of the directory (`src/files/root.rs`). A whole file is read into memory
//! (`src/server/response_writer.rs`), and is sent again to a client that has it (`src/http/conditional.rs`). Uploads follow in step 16.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path};
use std::{env, fs, thread};

use percent_encoding::percent_decode_str;

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    // The served directory becomes the current one, so that relative paths are paths below it.
    env::set_current_dir(env::args_os().nth(1).unwrap_or_else(|| ".".into()))?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; choose another: PORT=9000 cargo run --example 07_files");
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
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    let found = match words[..] {
        ["GET" | "HEAD", target, _] => find(target).ok_or("404 Not Found"),
        [_, _, _] => Err("405 Method Not Allowed\r\nAllow: GET, HEAD"),
        _ => Err("400 Bad Request"),
    };
    let (status, media_type, body) = match found {
        Ok((media_type, body)) => ("200 OK", media_type, body),
        Err(status) => (status, "text/plain", Vec::new()),
    };
    let headers = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    stream.write_all(format!("HTTP/1.1 {status}\r\n{headers}\r\n").as_bytes())?;
    stream.write_all(if words[0] == "HEAD" { b"" } else { &body })
}

/// The media type and the bytes of the file that a target names.
fn find(target: &str) -> Option<(&'static str, Vec<u8>)> {
    let mut path = percent_decode_str(target.split('?').next()?.strip_prefix('/')?).decode_utf8().ok()?.into_owned();
    path += if path.is_empty() || path.ends_with('/') { "index.html" } else { "" };
    // `..` is not a plain name, nor is the first component of `//etc/passwd`. Hidden files, such as those in `.git`, are private.
    let is_plain = |part| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    // Checked before it is opened: opening a pipe blocks until another program opens it to write.
    let is_served = Path::new(&path).components().all(is_plain) && Path::new(&path).is_file();
    let media_type = match path.rsplit_once('.').unwrap_or_default().1 {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    if is_served { Some((media_type, fs::read(path).ok()?)) } else { None }
}

/// Reads a request head, up to the empty line. It is an error if the head is too long, incomplete or not UTF-8.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
