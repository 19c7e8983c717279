//! Checks of the responses of a server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;

use crate::place::{ENTRIES, Place, byte_at, entry};
use crate::rows::{Kind, RANGE_LENGTH, RANGE_START, Row, UPLOAD_LENGTH};
use crate::servers::Purpose;

const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a body that are kept and compared; only the length of the rest is checked.
const KEPT_BYTES: usize = 4 << 20;

/// A response.
pub struct Answer {
    status: u16,
    head: String,
    content: Vec<u8>,
    /// The length of the body.
    pub length: u64,
}

/// A server that is asked.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS needs the certificate"))]
pub struct To<'a> {
    pub address: SocketAddr,
    pub place: &'a Place,
    pub purpose: Purpose,
}

/// The header fields of the requests of a workload.
pub fn fields(row: &Row, to: &To) -> Result<Vec<String>, String> {
    match row.kind {
        Kind::Close => Ok(vec!["Connection: close".into()]),
        Kind::Range => Ok(vec![format!("Range: bytes={RANGE_START}-{}", RANGE_START + RANGE_LENGTH - 1)]),
        Kind::NotModified => {
            let answer = ask(to, row.target, &[])?;
            let etag = answer.field("etag").ok_or("no ETag")?;
            Ok(vec![format!("If-None-Match: {etag}")])
        }
        Kind::File | Kind::Pipelined | Kind::Many | Kind::Missing | Kind::Listing | Kind::Put | Kind::Think | Kind::Busy => {
            Ok(Vec::new())
        }
    }
}

/// Sends one request of the workload, and returns what is wrong with the response.
pub fn check(row: &Row, to: &To, fields: &[String]) -> Result<Answer, String> {
    if row.kind == Kind::Put {
        return check_upload(row, to);
    }
    let answer = ask(to, row.target, fields)?;
    if answer.status != row.status() {
        return Err(format!("{} instead of {}", answer.status, row.status()));
    }
    match row.length {
        Some(length) if length != answer.length => return Err(format!("{} bytes instead of {length}", answer.length)),
        _ => {}
    }
    if let Some(offset) = row.offset() {
        let is_right = |(at, byte): (u64, &u8)| *byte == byte_at(offset + at);
        if !(0..).zip(&answer.content).all(is_right) {
            return Err("bytes differ from the file".into());
        }
    }
    if row.kind == Kind::Listing {
        let text = answer.text();
        let missing = (0..ENTRIES).filter(|number| !text.contains(&entry(*number))).count();
        if missing > 0 {
            return Err(format!("{missing} entries are not listed"));
        }
    }
    Ok(answer)
}

/// Uploads the file twice, so that every later upload replaces a file, and reads it.
fn check_upload(row: &Row, to: &To) -> Result<Answer, String> {
    let content: Vec<u8> = (0..UPLOAD_LENGTH).map(byte_at).collect();
    let put = || exchange(to, "PUT", row.target, &[format!("Content-Length: {UPLOAD_LENGTH}")], &content);
    put().map_err(|error| error.to_string())?;
    let answer = put().map_err(|error| error.to_string())?;
    let read = ask(to, row.target, &[])?;
    if answer.status != row.status() || read.content != content {
        return Err(format!("{}, and {} bytes arrived", answer.status, read.length));
    }
    Ok(answer)
}

fn ask(to: &To, target: &str, fields: &[String]) -> Result<Answer, String> {
    exchange(to, "GET", target, fields, &[]).map_err(|error| error.to_string())
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn connect(to: &To) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect_timeout(&to.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    #[cfg(feature = "tls")]
    if to.purpose == Purpose::Tls {
        return Ok(Box::new(crate::tls::over(stream, &to.place.tls.der)));
    }
    Ok(Box::new(stream))
}

fn exchange(to: &To, method: &str, target: &str, fields: &[String], content: &[u8]) -> io::Result<Answer> {
    let mut stream = connect(to)?;
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", to.address);
    for field in fields.iter().filter(|field| *field != "Connection: close") {
        request += &format!("{field}\r\n");
    }
    stream.write_all((request + "Connection: close\r\n\r\n").as_bytes())?;
    stream.write_all(content)?;
    let (mut kept, mut total, mut buffer) = (Vec::new(), 0, vec![0; 1 << 18]);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let room = KEPT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..count.min(room)]);
        total += count;
    }
    let end = kept.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| io::Error::other("no whole head"))? + 4;
    let head = String::from_utf8_lossy(&kept[..end]).into_owned();
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).ok_or_else(|| io::Error::other("no status"))?;
    let mut answer = Answer { status, head, content: kept.split_off(end), length: u64::try_from(total - end).unwrap() };
    if answer.field("transfer-encoding") == Some("chunked") {
        answer.content = without_chunks(&answer.content).ok_or_else(|| io::Error::other("broken chunks"))?;
        answer.length = u64::try_from(answer.content.len()).unwrap();
    }
    Ok(answer)
}

fn without_chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?.trim(), 16).ok()?;
        bytes = &bytes[end + 2..];
        if length == 0 {
            return Some(content);
        }
        content.extend_from_slice(bytes.get(..length)?);
        bytes = bytes.get(length + 2..)?;
    }
}

impl Answer {
    /// The body, and its base64 parts decoded: dufs sends listings in that form.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.content).into_owned();
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let longest = text.split(|c| !is_base64(c)).max_by_key(|run| run.len()).unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD.decode(longest).unwrap_or_default();
        format!("{text}\n{}", String::from_utf8_lossy(&decoded))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}
