//! How does a folder become a site, and nothing else with it?
//!
//! New: files. A path in a target becomes a path on the disk, its ending a media type. `/../../etc/passwd` is a path too, and so is
//! `/%2e%2e/`: the target is decoded first, and then each segment must be a plain name. HEAD is GET without the content.
//! (From here on a connection carries one request again, so that the new idea fits on the page.)
//!
//! Try: `cargo run --example 07_files -- 127.0.0.1:8000 tests/site`, and `curl -i --path-as-is http://127.0.0.1:8000/../Cargo.toml`
//!
//! Still wrong: a symbolic link leads out all the same (`src/files/root.rs`). A file is in memory as a whole (`src/server/response_writer.rs`), and
//! sent again to who has it (`src/http/conditional.rs`). Nothing can be sent to us (step 08).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path};
use std::{env, fs, thread};

use percent_encoding::percent_decode_str;

const HEAD_BYTES_MAX: u64 = 8 * 1024;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    // What is served is the current folder, so that a path without a slash before it is a path beneath it.
    env::set_current_dir(env::args_os().nth(2).unwrap_or_else(|| ".".into()))?;
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = || stream.and_then(answer).unwrap_or_else(|error| eprintln!("{error}"));
        thread::Builder::new().spawn(serve).map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(&stream)).unwrap_or_default();
    let words: Vec<&str> = head.split("\r\n").next().unwrap_or_default().split(' ').collect();
    let found = match words[..] {
        ["GET" | "HEAD", target, _] => find(target).ok_or("404 Not Found"),
        [_, _, _] => Err("405 Method Not Allowed\r\nAllow: GET, HEAD"),
        _ => Err("400 Bad Request"),
    };
    let (status, media_type, content) = match found {
        Ok((media_type, content)) => ("200 OK", media_type, content),
        Err(status) => (status, "text/plain", Vec::new()),
    };
    let fields = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n", content.len());
    stream.write_all(format!("HTTP/1.1 {status}\r\n{fields}\r\n").as_bytes())?;
    stream.write_all(if words[0] == "HEAD" { b"" } else { &content })
}

/// The media type and the content of the file that a target names.
fn find(target: &str) -> Option<(&'static str, Vec<u8>)> {
    let mut path = percent_decode_str(target.split('?').next()?.strip_prefix('/')?).decode_utf8().ok()?.into_owned();
    path += if path.is_empty() || path.ends_with('/') { "index.html" } else { "" };
    // `..` is no plain name, nor is what `//etc/passwd` begins with. Names with a dot before them are private: think of `.git`.
    let is_plain = |part| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    // And it is looked at before it is opened: to open a pipe is to wait for a program that writes to it.
    let is_ours = Path::new(&path).components().all(is_plain) && Path::new(&path).is_file();
    let media_type = match path.rsplit_once('.').unwrap_or_default().1 {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    if is_ours { Some((media_type, fs::read(path).ok()?)) } else { None }
}

/// Reads up to the empty line. What is too long, cut short, or not UTF-8, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let mut head = String::new();
    let mut limited = reader.take(HEAD_BYTES_MAX);
    while limited.read_line(&mut head)? > 2 {}
    if head.ends_with("\r\n\r\n") { Ok(head) } else { Err(io::ErrorKind::InvalidData.into()) }
}
