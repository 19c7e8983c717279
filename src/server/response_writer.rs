//! Framing and writing of responses (RFC 9110 §6.6, §7.6.1, §8.6; RFC 9112 §6, §7).
//!
//! No other file writes a response. A handler decides what is sent; this file adds the framing and the fields that all responses have. To
//! add a field to all responses, add a line to [`write_head`], or a field to `config::headers` if its value is known at start-up.
//!
//! The head and a small body are sent in one write: with TCP_NODELAY, each write would be a system call and a packet of its own. Large
//! files pass through one buffer.

use std::io::{self, Read};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::files::representation::{FileSource, OpenFile};
use crate::files::version::{FileVersion, read_range};
use crate::handlers::message::{Body, Response, length_of};
use crate::http::chunked::{CRLF, LAST_CHUNK, chunk_header};
use crate::http::date::HttpDate;
use crate::http::method::Method;
use crate::http::range::ByteRange;
use crate::http::request::Version;
use crate::http::response::{write_header, write_header_u64, write_status_line};
use crate::net::Transport;
use crate::net::deadline::DeadlineStream;

/// The write buffer is flushed when it holds this much.
const FLUSH_THRESHOLD: usize = 32 * 1024;
/// A cached file or generated content shorter than this is copied after the head; a longer one is sent with the head in one vectored write.
const COPIED_BYTES_MAX: usize = 4096;
/// The most bytes of a stream in one chunk.
const CHUNK_BYTES: usize = 16 * 1024;
/// The first allocation of the write buffer: enough for a head and a small body.
const INITIAL_CAPACITY: usize = 2048;
/// A write buffer above this is freed after the response.
const CAPACITY_MAX: usize = 64 * 1024;

/// How the client finds the end of the body (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// The status forbids a body: 204, 304.
    WithoutBody,
    /// Content-Length, in bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunks,
    /// The end of the connection: a stream for an HTTP/1.0 client.
    Close,
}

/// Everything about a response that is decided before its first byte is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFraming {
    /// How the client finds the end of the body.
    pub delimiter: Delimiter,
    /// Whether the body follows the head; not for HEAD.
    pub send_body: bool,
    /// Whether the connection persists.
    pub keep_alive: bool,
    /// The version of the request. An HTTP/1.0 client must be told that the connection persists, an HTTP/1.1 client that it does not.
    pub version: Version,
}

impl ResponseFraming {
    /// Chooses the framing of a response to a request with this method and version; `method` is `None` if the request could not be
    /// parsed. Whether the connection persists is decided later, by the caller.
    pub fn new(response: &Response, method: Option<Method>, version: Version) -> ResponseFraming {
        let delimiter = match response.body.length() {
            _ if response.status.forbids_body() => Delimiter::WithoutBody,
            Some(length) => Delimiter::Length(length),
            None if version == Version::Http10 => Delimiter::Close,
            None => Delimiter::Chunks,
        };
        let send_body = method != Some(Method::Head) && delimiter != Delimiter::WithoutBody;
        ResponseFraming { delimiter, send_body, keep_alive: true, version }
    }
}

/// Appends the head of a response to `out`. `common` holds further field lines of all responses.
pub fn write_head(out: &mut Vec<u8>, response: &Response, framing: ResponseFraming, common: &[u8], date: &HttpDate) {
    write_status_line(out, response.status);
    write_header(out, "Date", date.text.as_bytes());
    out.extend_from_slice(common);
    response.fields.write(out);
    if !response.status.forbids_body() {
        // A browser that guesses the type could run a file that is only meant to be read.
        out.extend_from_slice(b"X-Content-Type-Options: nosniff\r\n");
    }
    match framing.delimiter {
        Delimiter::Length(length) => write_header_u64(out, "Content-Length", length),
        Delimiter::Chunks => write_header(out, "Transfer-Encoding", b"chunked"),
        Delimiter::WithoutBody | Delimiter::Close => {}
    }
    match (framing.keep_alive, framing.version) {
        (false, _) => write_header(out, "Connection", b"close"),
        (true, Version::Http10) => write_header(out, "Connection", b"keep-alive"),
        (true, Version::Http11) => {}
    }
    out.extend_from_slice(CRLF);
}

/// Returns the whole response to a connection that cannot be served.
pub(super) fn service_unavailable(common: &[u8], now: SystemTime) -> Vec<u8> {
    let response = Response::unavailable("too many connections, try again in a second");
    let framing = ResponseFraming { keep_alive: false, ..ResponseFraming::new(&response, None, Version::Http11) };
    let mut out = Vec::new();
    write_head(&mut out, &response, framing, common, &HttpDate::new(now));
    if let Body::Bytes(bytes) = &response.body {
        out.extend_from_slice(bytes);
    }
    out
}

/// Why a response could not be written.
#[derive(Debug)]
pub(super) enum SendError {
    /// The file could not be read, or has changed.
    File(io::Error),
    /// The connection failed.
    Connection(io::Error),
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> SendError {
        SendError::Connection(error)
    }
}

/// Bytes to be written next. Responses to pipelined requests are collected here and written together.
#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    bytes: Vec<u8>,
}

impl WriteBuffer {
    /// Returns the bytes, so that a head can be appended. Allocates the buffer if it has no memory yet.
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(INITIAL_CAPACITY);
        }
        &mut self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes all bytes.
    pub(super) fn flush<S: Transport>(&mut self, stream: &mut DeadlineStream<S>) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let result = stream.write_all(&self.bytes);
        self.bytes.clear();
        if self.bytes.capacity() > CAPACITY_MAX {
            self.bytes = Vec::new();
        }
        result
    }

    fn flush_if_over<S: Transport>(&mut self, limit: usize, stream: &mut DeadlineStream<S>) -> io::Result<()> {
        if self.bytes.len() >= limit { self.flush(stream) } else { Ok(()) }
    }
}

/// Writes the body of one response, whose head is in the write buffer.
pub(super) struct BodyWriter<'a, S> {
    pub(super) stream: &'a mut DeadlineStream<S>,
    pub(super) write_buffer: &'a mut WriteBuffer,
    pub(super) file_buffer: FileBuffer,
}

impl<S: Transport> BodyWriter<'_, S> {
    /// Writes the body and returns its length in bytes. A short body stays in the write buffer, so that it is sent with the head.
    pub(super) fn write_body(&mut self, body: Body, framing: ResponseFraming) -> Result<u64, SendError> {
        if !framing.send_body {
            return Ok(0);
        }
        match body {
            Body::Bytes(bytes) => self.write_bytes(&bytes),
            Body::Slice(source, slice) => self.write_slice(&source, slice),
            Body::Parts(body) => {
                let mut total = 0;
                for part in &body.parts {
                    self.write_buffer.bytes.extend_from_slice(&part.head);
                    total += length_of(&part.head) + self.write_slice(&body.source, part.range)?;
                }
                Ok(total)
            }
            Body::Sized(source, length) => match self.write_stream(Box::new(source.take(length)), framing.delimiter)? {
                sent if sent == length => Ok(sent),
                _ => Err(SendError::File(io::Error::other("the content is shorter than announced"))),
            },
            Body::Stream(source) => self.write_stream(source, framing.delimiter),
        }
    }

    fn write_slice(&mut self, source: &FileSource, slice: ByteRange) -> Result<u64, SendError> {
        match source {
            FileSource::Disk(file) => self.write_file(file, slice),
            FileSource::Memory(file) => self.write_bytes(file.part(slice).map_err(SendError::File)?),
        }
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<u64, SendError> {
        if bytes.len() < COPIED_BYTES_MAX {
            self.write_buffer.bytes.extend_from_slice(bytes);
            self.write_buffer.flush_if_over(FLUSH_THRESHOLD, self.stream)?;
        } else {
            self.stream.write_all_vectored(&self.write_buffer.bytes, bytes)?;
            self.write_buffer.bytes.clear();
        }
        Ok(length_of(bytes))
    }

    fn write_file(&mut self, file: &OpenFile, slice: ByteRange) -> Result<u64, SendError> {
        if slice.length == 0 {
            return Ok(0);
        }
        if self.file_buffer.is_throttled {
            self.stream.transport.set_send_buffer_size(THROTTLED_SEND_BUFFER_BYTES);
        }
        let buffer = &mut *self.file_buffer.bytes;
        // What is in the write buffer, such as the head, is sent in one write with the first bytes of the file.
        self.write_buffer.flush_if_over(buffer.len(), self.stream)?;
        let mut filled = self.write_buffer.bytes.len();
        buffer.split_at_mut(filled).0.copy_from_slice(&self.write_buffer.bytes);
        let mut rest = slice;
        while rest.length > 0 {
            let count = read_part(file, rest, buffer.split_at_mut(filled).1).map_err(SendError::File)?;
            rest = ByteRange { start: rest.start + count, length: rest.length - count };
            filled += usize::try_from(count).unwrap_or(0);
            // Cleared only after the first read: if that fails, earlier responses must still be in the write buffer.
            self.write_buffer.bytes.clear();
            let bytes = buffer.split_at(filled).0;
            if rest.length == 0 && filled < SMALL_BUFFER_BYTES {
                self.write_buffer.bytes.extend_from_slice(bytes);
            } else {
                self.stream.write_all(bytes)?;
            }
            filled = 0;
        }
        Ok(slice.length)
    }

    /// Writes a stream: in chunks, or as it is if a length or the close delimits it.
    fn write_stream(&mut self, mut source: Box<dyn Read + Send>, delimiter: Delimiter) -> Result<u64, SendError> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut total = 0;
        loop {
            let bytes = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => buffer.split_at(count).0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SendError::File(error)),
            };
            if delimiter == Delimiter::Chunks {
                self.write_buffer.bytes.extend_from_slice(chunk_header(bytes.len()).as_bytes());
                self.write_buffer.bytes.extend_from_slice(bytes);
                self.write_buffer.bytes.extend_from_slice(CRLF);
            } else {
                self.write_buffer.bytes.extend_from_slice(bytes);
            }
            total += length_of(bytes);
            self.write_buffer.flush_if_over(FLUSH_THRESHOLD, self.stream)?;
        }
        if delimiter == Delimiter::Chunks {
            self.write_buffer.bytes.extend_from_slice(LAST_CHUNK);
        }
        Ok(total)
    }
}

/// Reads bytes from the start of a part of a file, usually with one system call, and returns their number. Before the last bytes are sent,
/// checks that the file is still the version that was opened; otherwise the client could get a mixture of two versions.
fn read_part(file: &OpenFile, part: ByteRange, buffer: &mut [u8]) -> io::Result<u64> {
    let count = match read_range(&file.file, part, buffer)? {
        0 => return Err(io::Error::other("the file became shorter while it was sent")),
        count => u64::try_from(count).map_err(io::Error::other)?,
    };
    if count == part.length && !file.version.is_same(&FileVersion::from_file(&file.file)?) {
        return Err(io::Error::other("the file changed while it was sent"));
    }
    Ok(count)
}

/// The size of a large file buffer. Over loopback this was faster than any other size, and twice as fast as `sendfile`.
const LARGE_BUFFER_BYTES: usize = 256 * 1024;
/// The size of a small buffer, for all other transfers. With a short send queue, 256 downloads at once were as fast with this size as with
/// twice as much.
const SMALL_BUFFER_BYTES: usize = 16 * 1024;
/// The most large buffers in use at the same time, 8 MiB in all. A client that stops reading holds its buffer until it times out.
const LARGE_BUFFERS_MAX: usize = 32;
/// Send buffer (SO_SNDBUF) of a throttled transfer: enough for 10 MB/s at a round trip of 25 ms. The kernel would let it grow to 4 MiB.
/// Small buffers stay in the CPU cache: 256 downloads over loopback reached 2.7 GB/s, and 1.6 GB/s with buffers sized by the kernel.
const THROTTLED_SEND_BUFFER_BYTES: usize = 256 * 1024;

/// The large buffers that are not in use; an empty one has not been allocated yet. They are kept, since a new one costs more than reading
/// into it: the kernel clears each page. The lock is held for a push or a pop.
static LARGE_BUFFERS: LazyLock<Mutex<Vec<Box<[u8]>>>> = LazyLock::new(|| vec![Box::default(); LARGE_BUFFERS_MAX].into());

/// The buffer that a file is read into: a large one for a large file while there are few such transfers, else a small one.
pub(super) struct FileBuffer {
    bytes: Box<[u8]>,
    /// Whether a large file gets a small buffer because too many large ones are in use. The send buffer is limited then, which cannot be
    /// undone, so the connection must close.
    pub(super) is_throttled: bool,
}

impl FileBuffer {
    /// Returns a buffer for a response.
    pub(super) fn for_response(body: &Body, framing: &ResponseFraming) -> FileBuffer {
        FileBuffer::new(match body {
            Body::Slice(FileSource::Disk(_), slice) if framing.send_body => slice.length,
            Body::Parts(body) if framing.send_body && matches!(body.source, FileSource::Disk(_)) => {
                body.parts.iter().map(|part| part.range.length).max().unwrap_or(0)
            }
            _ => 0,
        })
    }

    /// Returns a buffer for a file, or a part, of `length` bytes.
    pub(super) fn new(length: u64) -> FileBuffer {
        let is_large = usize::try_from(length).map_or(true, |length| length > SMALL_BUFFER_BYTES);
        let large = if is_large { large_buffers().pop() } else { None };
        let (bytes, is_throttled) = match large {
            Some(bytes) if bytes.is_empty() => (vec![0; LARGE_BUFFER_BYTES].into(), false),
            Some(bytes) => (bytes, false),
            None if length == 0 => (Box::default(), false),
            None => (vec![0; SMALL_BUFFER_BYTES].into(), is_large),
        };
        FileBuffer { bytes, is_throttled }
    }
}

impl Drop for FileBuffer {
    fn drop(&mut self) {
        if self.bytes.len() == LARGE_BUFFER_BYTES {
            large_buffers().push(std::mem::take(&mut self.bytes));
        }
    }
}

fn large_buffers() -> MutexGuard<'static, Vec<Box<[u8]>>> {
    LARGE_BUFFERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::{Duration, Instant, UNIX_EPOCH};

    use super::*;
    use crate::http::status::StatusCode;
    use crate::net::memory::MemoryTransport;

    #[test]
    fn a_stream_is_chunked_or_ends_with_the_connection() {
        let long = [vec![b'x'; CHUNK_BYTES], b"yz".to_vec()].concat();
        let chunked = [b"4000\r\n", &long[..CHUNK_BYTES], b"\r\n2\r\nyz\r\n0\r\n\r\n"].concat();
        for (source, version, want, why) in [
            (&b""[..], Version::Http11, &b"0\r\n\r\n"[..], "an empty stream is the last chunk alone"),
            (b"abc", Version::Http11, b"3\r\nabc\r\n0\r\n\r\n", "one chunk"),
            (&long, Version::Http11, &chunked, "two chunks"),
            (b"abc", Version::Http10, b"abc", "HTTP/1.0 has no chunks"),
        ] {
            let mut response = Response::new(StatusCode::OK);
            response.body = Body::Stream(Box::new(io::Cursor::new(source.to_vec())));
            let framing = ResponseFraming::new(&response, Some(Method::Get), version);
            let mut client = MemoryTransport::default();
            let mut stream = DeadlineStream::new(&mut client, Instant::now(), Duration::from_secs(9), Duration::from_secs(9));
            let mut buffer = WriteBuffer::default();
            let mut writer = BodyWriter { stream: &mut stream, write_buffer: &mut buffer, file_buffer: FileBuffer::new(0) };
            writer.write_body(response.body, framing).unwrap();
            buffer.flush(&mut stream).unwrap();
            assert_eq!(client.received, want, "{why}");
        }
    }

    #[test]
    fn a_file_follows_what_is_in_the_write_buffer() {
        let path = std::env::temp_dir().join(format!("threadbare-send-{}", std::process::id()));
        File::create(&path).unwrap().write_all(&[b'x'; 1000]).unwrap();
        let full = SMALL_BUFFER_BYTES;
        for waiting in [0, 1, full - 1001, full - 1000, full - 1, full, full + 1] {
            let mut client = MemoryTransport::default();
            let mut stream = DeadlineStream::new(&mut client, Instant::now(), Duration::from_secs(9), Duration::from_secs(9));
            let mut buffer = WriteBuffer { bytes: vec![b'-'; waiting] };
            let file = File::open(&path).unwrap();
            let version = FileVersion::from_file(&file).unwrap();
            let slice = ByteRange { start: 1, length: 999 };
            let mut writer = BodyWriter { stream: &mut stream, write_buffer: &mut buffer, file_buffer: FileBuffer::new(999) };
            writer.write_file(&OpenFile { file, version }, slice).unwrap();
            buffer.flush(&mut stream).unwrap();
            assert_eq!(client.received.len(), waiting + 999);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn framing_of_responses() {
        let stream = || Response::new(StatusCode::OK).with_body(Body::Stream(Box::new(std::io::empty())));
        let text = || Response::text(StatusCode::OK, "x");
        let length = Delimiter::Length(text().body.length().unwrap());
        let (http10, http11) = (Version::Http10, Version::Http11);
        for (response, method, version, want, why) in [
            (text(), Method::Get, http11, (length, true), "a text"),
            (text(), Method::Head, http11, (length, false), "HEAD"),
            (Response::new(StatusCode::OK), Method::Get, http11, (Delimiter::Length(0), true), "an empty body"),
            (Response::new(StatusCode::NO_CONTENT), Method::Options, http11, (Delimiter::WithoutBody, false), "204"),
            (Response::new(StatusCode::NOT_MODIFIED), Method::Get, http11, (Delimiter::WithoutBody, false), "304"),
            (stream(), Method::Get, http11, (Delimiter::Chunks, true), "a stream"),
            (stream(), Method::Get, http10, (Delimiter::Close, true), "a stream in HTTP/1.0"),
        ] {
            let framing = ResponseFraming::new(&response, Some(method), version);
            assert_eq!((framing.delimiter, framing.send_body), want, "{why}");
        }
    }

    #[test]
    fn head_of_a_response() {
        let body = Body::Bytes(b"404 Not Found: x\n".into());
        let response = Response::new(StatusCode::NOT_FOUND)
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("X-A", "b")
            .with_body(body);
        let date = HttpDate::new(UNIX_EPOCH + Duration::from_secs(784_111_777));
        let mut out = Vec::new();
        let framing = ResponseFraming::new(&response, Some(Method::Get), Version::Http10);
        write_head(&mut out, &response, framing, b"Server: threadbare\r\n", &date);
        let want = "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: threadbare\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nX-A: b\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 17\r\n\
                    Connection: keep-alive\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn large_buffers_are_limited_and_returned() {
        let large = |buffers: &[FileBuffer]| buffers.iter().filter(|buffer| buffer.bytes.len() == LARGE_BUFFER_BYTES).count();
        let small_length = u64::try_from(SMALL_BUFFER_BYTES).unwrap();
        for round in 0..2 {
            let small: Vec<FileBuffer> = (0..200).map(|_| FileBuffer::new(small_length)).collect();
            assert_eq!(large(&small), 0, "a small file needs no large buffer");
            let buffers: Vec<FileBuffer> = (0..200).map(|_| FileBuffer::new(small_length + 1)).collect();
            // Other tests of this process may hold some.
            assert!((LARGE_BUFFERS_MAX / 2..=LARGE_BUFFERS_MAX).contains(&large(&buffers)), "round {round}: {}", large(&buffers));
        }
    }
}
