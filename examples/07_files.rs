//! How does a folder become a site, and nothing else with it?
//!
//! New: files. A path in a target becomes a path on the disk, its ending a media type. `/../../etc/passwd` is a path too, and so is
//! `/%2e%2e/`: the target is decoded first, and then each segment must be a plain name. HEAD is GET without the content.
//! (From here on a connection carries one request again, so that the new idea fits on the page.)
//!
//! Try: `cargo run --example 07_files -- 127.0.0.1:8000 tests/site`, and `curl -i --path-as-is http://127.0.0.1:8000/../Cargo.toml`
//!
//! Still wrong: a symbolic link leads out all the same (`src/site/root.rs`). A browser fetches a file again that it has
//! (`src/semantics/conditional.rs`), and nobody can ask for a part of one (`src/semantics/range.rs`). Nothing can be sent to us (step 08).

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::thread;

use percent_encoding::percent_decode_str;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("png", "image/png"),
];

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let root = PathBuf::from(std::env::args_os().nth(2).unwrap_or_else(|| ".".into()));
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}/", listener.local_addr()?);
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let serve = || stream.and_then(|stream| answer(&stream, &root)).unwrap_or_else(|error| eprintln!("{error}"));
            thread::Builder::new().spawn_scoped(scope, serve).map_or_else(|error| eprintln!("{error}"), drop);
        }
    });
    Ok(())
}

fn answer(mut stream: &TcpStream, root: &Path) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(stream)).unwrap_or_default();
    let words: Vec<&str> = head.lines().next().unwrap_or_default().split(' ').collect();
    let found = match words[..] {
        ["GET" | "HEAD", target, _] => find(root, target).ok_or("404 Not Found\r\n"),
        [_, _, _] => Err("405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"),
        _ => Err("400 Bad Request\r\n"),
    };
    let (status, length, media_type) = match &found {
        Ok((_, length, media_type)) => ("200 OK\r\n", *length, *media_type),
        Err(status) => (*status, 0, "text/plain"),
    };
    let fields = format!("Content-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    stream.write_all(format!("HTTP/1.1 {status}{fields}\r\n").as_bytes())?;
    if let (Ok((file, ..)), Some(&"GET")) = (found, words.first()) {
        // In pieces, however large it is; and no more than was announced, if it grows meanwhile.
        io::copy(&mut file.take(length), &mut stream)?;
    }
    Ok(())
}

/// The file that a target names beneath the root, its length and its media type.
fn find(root: &Path, target: &str) -> Option<(File, u64, &'static str)> {
    let mut path = percent_decode_str(target.split('?').next()?.strip_prefix('/')?).decode_utf8().ok()?.into_owned();
    path += if path.is_empty() || path.ends_with('/') { "index.html" } else { "" };
    // `..` is no plain name, nor is what `//etc/passwd` begins with. Names with a dot before them are private: think of `.git`.
    let is_plain = |part: Component| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    let path = Path::new(&path).components().all(is_plain).then(|| root.join(&path))?;
    // Asked before it is opened: to open a pipe is to wait for somebody who writes to it.
    let length = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.len();
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let media_type = MEDIA_TYPES.iter().find(|row| row.0 == extension).map_or("application/octet-stream", |row| row.1);
    Some((File::open(path).ok()?, length, media_type))
}

/// Reads up to the empty line. What is too long, cut short, not UTF-8, or has other line ends than CR LF, is no head.
fn read_head(reader: &mut impl BufRead) -> io::Result<String> {
    let (mut head, mut limited) = (String::new(), reader.take(HEAD_BYTES_MAX));
    while limited.read_line(&mut head)? > 0 && head.ends_with("\r\n") {
        if head.ends_with("\r\n\r\n") {
            return Ok(head);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
