//! How does a response become bytes on the connection? (RFC 9112 §6, §7)
//!
//! The only file that writes a response. Head and small content leave in one write, since two small writes meet the client's delayed
//! acknowledgement and cost 40 ms; large files pass through one buffer, piece by piece.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::config::Limits;
use crate::config::headers::DefaultHeaders;
use crate::files::read_at::read_at;
use crate::files::version::{FileVersion, Freshness};
use crate::handlers::message::{Body, FileSource, OpenFile, Response, Slice};
use crate::http::chunked::{CRLF, LAST_CHUNK, chunk_header};
use crate::http::date::HttpDate;
use crate::http::framing::KeepAlive;
use crate::http::method::Method;
use crate::http::request::Version;
use crate::http::response::{write_crlf, write_header, write_header_u64, write_status_line};
use crate::http::status::StatusCode;
use crate::net::Transport;
use crate::net::deadline::DeadlineStream;

/// What is gathered before it is written, but for files: those say themselves how much they hold.
const FLUSH_THRESHOLD: usize = 32 * 1024;
/// What is in memory is copied behind its head if it is shorter than this; else the system takes both from where they are.
const COPIED_BYTES_MAX: usize = 4096;
/// What is gathered of a stream before it is sent as a chunk.
const CHUNK_BYTES: usize = 16 * 1024;
/// What is asked for at once: a head and a small content. Growing to it step by step would leave a piece of each size behind, which the
/// allocator keeps for this thread alone.
const FIRST_BYTES: usize = 2048;
/// Above this the buffer is given back after the response.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// What is to be written next. Answers to pipelined requests gather here and leave together.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    bytes: Vec<u8>,
}

impl WriteBuffer {
    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes that wait; a head is appended here.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(FIRST_BYTES);
        }
        &mut self.bytes
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// Whatever the connection fails with.
    pub fn flush<S: Transport>(&mut self, to: &mut DeadlineStream<S>) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let result = to.write_all(&self.bytes);
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
        result
    }

    /// Gives the memory back: a waiting connection should hold next to nothing.
    pub fn shrink(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }

    fn flush_if_over<S: Transport>(&mut self, limit: usize, to: &mut DeadlineStream<S>) -> io::Result<()> {
        if self.bytes.len() >= limit { self.flush(to) } else { Ok(()) }
    }
}

/// How a content ended.
#[derive(Debug)]
pub enum Sent {
    /// With its last byte; so many in all. Some may still wait in the outbox.
    Whole(u64),
    /// Too early: the file was cut or changed, or could not be read. The connection must break, so that the client can see it.
    Broken {
        /// How many bytes had been sent.
        bytes: u64,
        /// Why.
        error: io::Error,
    },
}

/// Sends the content of a response whose head stands in the outbox. A short content stays in the outbox, to leave with the head.
///
/// # Errors
/// Whatever the connection fails with.
pub fn content<S: Transport>(
    outbox: &mut WriteBuffer,
    to: &mut DeadlineStream<S>,
    response: &mut Response,
    plan: ResponseFraming,
    limits: &Limits,
) -> io::Result<Sent> {
    if plan.sending == Sending::HeadOnly {
        return Ok(Sent::Whole(0));
    }
    match std::mem::replace(&mut response.body, Body::Empty) {
        Body::Empty => Ok(Sent::Whole(0)),
        Body::Bytes(bytes) => {
            outbox.bytes.extend_from_slice(&bytes);
            outbox.flush_if_over(FLUSH_THRESHOLD, to)?;
            Ok(Sent::Whole(length_of(&bytes)))
        }
        Body::Slice(source, slice) => source_slice(outbox, to, &source, slice),
        Body::Parts(parts) => {
            let mut total = 0;
            for part in &parts.parts {
                outbox.bytes.extend_from_slice(&part.head);
                match source_slice(outbox, to, &parts.source, part.slice)? {
                    Sent::Whole(bytes) => total += bytes + length_of(&part.head),
                    Sent::Broken { bytes, error } => return Ok(Sent::Broken { bytes: total + bytes, error }),
                }
            }
            outbox.bytes.extend_from_slice(&parts.end);
            Ok(Sent::Whole(total + length_of(&parts.end)))
        }
        Body::Stream(source) => stream(outbox, to, source, plan.delimiter, limits),
    }
}

/// Sends a part of a representation through the outbox.
fn source_slice<S: Transport>(
    outbox: &mut WriteBuffer,
    to: &mut DeadlineStream<S>,
    source: &FileSource,
    slice: Slice,
) -> io::Result<Sent> {
    match source {
        FileSource::Memory(kept) => {
            let bytes = kept.part(slice.start, slice.length);
            if bytes.len() < COPIED_BYTES_MAX {
                outbox.bytes.extend_from_slice(bytes);
                outbox.flush_if_over(FLUSH_THRESHOLD, to)?;
            } else {
                to.write_all_vectored(&outbox.bytes, bytes)?;
                outbox.bytes.clear();
            }
            Ok(Sent::Whole(slice.length))
        }
        FileSource::Disk(open) => file_slice(outbox, to, open, slice),
    }
}

/// Sends a part of a file.
fn file_slice<S: Transport>(
    outbox: &mut WriteBuffer,
    to: &mut DeadlineStream<S>,
    open: &OpenFile,
    slice: Slice,
) -> io::Result<Sent> {
    let mut piece = FileBuffer::of(slice.length);
    if let Some(bytes) = piece.send_queue_bytes_max() {
        to.set_send_buffer_size(bytes);
    }
    let mut reading = FileReader { open, at: slice.start, left: slice.length };
    let result = match piece.large() {
        Some(buffer) => in_large_pieces(outbox, to, &mut reading, buffer),
        None => in_small_pieces(outbox, to, &mut reading),
    };
    match result {
        Ok(()) => Ok(Sent::Whole(slice.length)),
        Err(SendError::File(error)) => Ok(Sent::Broken { bytes: slice.length - reading.left, error }),
        Err(SendError::Connection(error)) => Err(error),
    }
}

/// What can go wrong while a file is sent.
enum SendError {
    /// It cannot be read, or is not what it was.
    File(io::Error),
    /// The connection failed.
    Connection(io::Error),
}

/// Reads pieces into the outbox, behind what waits there, and sends it whenever it is full.
fn in_small_pieces<S: Transport>(
    outbox: &mut WriteBuffer,
    to: &mut DeadlineStream<S>,
    reading: &mut FileReader<'_>,
) -> Result<(), SendError> {
    while reading.left > 0 {
        // The answers before this one, or its head, may have filled it.
        outbox.flush_if_over(SMALL_BYTES, to).map_err(SendError::Connection)?;
        let start = outbox.bytes.len();
        let wanted = usize::try_from(reading.left).unwrap_or(usize::MAX).min(SMALL_BYTES - start);
        outbox.bytes.resize(start + wanted, 0);
        let result = reading.read(outbox.bytes.get_mut(start..).unwrap_or_default());
        outbox.bytes.truncate(start + *result.as_ref().unwrap_or(&0));
        result.map_err(SendError::File)?;
        outbox.flush_if_over(SMALL_BYTES, to).map_err(SendError::Connection)?;
    }
    Ok(())
}

/// Reads pieces into a large buffer, the first behind what waits in the outbox, and sends each.
fn in_large_pieces<S: Transport>(
    outbox: &mut WriteBuffer,
    to: &mut DeadlineStream<S>,
    reading: &mut FileReader<'_>,
    buffer: &mut [u8],
) -> Result<(), SendError> {
    outbox.flush_if_over(buffer.len() / 2, to).map_err(SendError::Connection)?;
    let mut filled = outbox.bytes.len();
    buffer.get_mut(..filled).unwrap_or_default().copy_from_slice(&outbox.bytes);
    while reading.left > 0 {
        filled += reading.read(buffer.get_mut(filled..).unwrap_or_default()).map_err(SendError::File)?;
        // Not before something has been read: what waits would be lost if the file could not be read at all.
        outbox.bytes.clear();
        to.write_all(buffer.get(..filled).unwrap_or_default()).map_err(SendError::Connection)?;
        filled = 0;
    }
    Ok(())
}

/// How far a part of a file has been read.
struct FileReader<'a> {
    open: &'a OpenFile,
    at: u64,
    left: u64,
}

impl FileReader<'_> {
    /// Reads the next bytes: one system call in the common case. Before the last of them leave, the file must still be the one it was:
    /// what has been read cannot change any more, what was overwritten before that can.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let count = loop {
            match read_at(&self.open.file, buffer, self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::Error::other("the file is shorter than it was")),
                result => break result?,
            }
        };
        let bytes = u64::try_from(count).map_err(io::Error::other)?;
        if bytes >= self.left && changed(self.open) == Freshness::Changed {
            return Err(io::Error::other("the file changed while it was sent"));
        }
        self.at += bytes;
        self.left = self.left.saturating_sub(bytes);
        Ok(count)
    }
}

/// Whether the file is still the one it was.
fn changed(open: &OpenFile) -> Freshness {
    open.file.metadata().map_or(Freshness::Changed, |now| open.stamp.compare(&FileVersion::of(&now)))
}

/// Sends a stream, in chunks or up to the close.
fn stream<S: Transport>(
    outbox: &mut WriteBuffer,
    to: &mut DeadlineStream<S>,
    mut source: Box<dyn Read + Send>,
    how: Delimiter,
    limits: &Limits,
) -> io::Result<Sent> {
    let mut piece = vec![0; CHUNK_BYTES];
    let mut total = 0;
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Sent::Broken { bytes: total, error }),
        };
        let bytes = piece.get(..count).unwrap_or_default();
        if how == Delimiter::Chunks {
            outbox.bytes.extend_from_slice(chunk_header(count).as_bytes());
            outbox.bytes.extend_from_slice(bytes);
            outbox.bytes.extend_from_slice(CRLF);
        } else {
            outbox.bytes.extend_from_slice(bytes);
        }
        total += length_of(bytes);
        // Nobody knew its length: the time for it grows with what there turns out to be.
        to.extend_writing(limits.timeout_for(limits.response_time_base, total));
        outbox.flush_if_over(FLUSH_THRESHOLD, to)?;
    }
    if how == Delimiter::Chunks {
        outbox.bytes.extend_from_slice(LAST_CHUNK);
    }
    Ok(Sent::Whole(total))
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// How the recipient will know where the content ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// There cannot be any: 204, 304.
    NoContent,
    /// It is so many bytes long.
    Length(u64),
    /// It comes in chunks.
    Chunks,
    /// It ends with the connection: a stream for a client that does not know chunks.
    Close,
}

/// Whether the content itself follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It does.
    Content,
    /// Only the head is sent: the answer to HEAD.
    HeadOnly,
}

/// What has been decided about a response before its first byte is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFraming {
    /// How the content is delimited.
    pub delimiter: Delimiter,
    /// Whether it is sent.
    pub sending: Sending,
    /// What becomes of the connection.
    pub persistence: KeepAlive,
    /// The version of the request: 1.0 must be told that the connection persists, 1.1 that it does not.
    pub version: Version,
}

/// Decides how a response is framed. `method` is `None` where the request could not be understood. Whether the connection persists is
/// not decided here: [`ResponseFraming::needs_close`] says whether the framing allows it.
pub fn plan(response: &Response, method: Option<Method>, version: Version, persistence: KeepAlive) -> ResponseFraming {
    let delimiter = match response.body.length() {
        _ if response.status.forbids_body() => Delimiter::NoContent,
        Some(length) => Delimiter::Length(length),
        None if version == Version::Http10 => Delimiter::Close,
        None => Delimiter::Chunks,
    };
    let sending = if method == Some(Method::Head) || delimiter == Delimiter::NoContent || matches!(response.body, Body::Empty) {
        Sending::HeadOnly
    } else {
        Sending::Content
    };
    ResponseFraming { delimiter, sending, persistence, version }
}

impl ResponseFraming {
    /// Whether only the end of the connection tells the client where the content ends.
    pub fn needs_close(&self) -> bool {
        self.delimiter == Delimiter::Close
    }
}

/// Appends the whole head of a response to `out`.
pub fn write_head(out: &mut Vec<u8>, response: &Response, plan: ResponseFraming, common: &DefaultHeaders, date: &HttpDate) {
    write_status_line(out, response.status);
    write_header(out, "Date", date.as_str().as_bytes());
    out.extend_from_slice(common.lines());
    response.fields.write(out);
    if !response.status.forbids_body() {
        // A browser that guesses types can be made to run what was meant to be looked at.
        write_header(out, "X-Content-Type-Options", b"nosniff");
    }
    match plan.delimiter {
        Delimiter::Length(length) => write_header_u64(out, "Content-Length", length),
        Delimiter::Chunks => write_header(out, "Transfer-Encoding", b"chunked"),
        Delimiter::NoContent | Delimiter::Close => {}
    }
    match (plan.persistence, plan.version) {
        (KeepAlive::No, _) => write_header(out, "Connection", b"close"),
        (KeepAlive::Yes, Version::Http10) => write_header(out, "Connection", b"keep-alive"),
        (KeepAlive::Yes, Version::Http11) => {}
    }
    write_crlf(out);
}

/// The answer to a connection that cannot be served: whole, ready to be written. Even this one is made by [`write_head`].
pub fn service_unavailable(common: &DefaultHeaders, now: SystemTime) -> Vec<u8> {
    let mut response = Response::text(StatusCode::SERVICE_UNAVAILABLE, "all connections are busy, try again in a second")
        .header("Retry-After", "1");
    let plan = plan(&response, None, Version::Http11, KeepAlive::No);
    let mut out = Vec::new();
    write_head(&mut out, &response, plan, common, &HttpDate::new(now));
    if let Body::Bytes(bytes) = std::mem::replace(&mut response.body, Body::Empty) {
        out.extend_from_slice(&bytes);
    }
    out
}

/// Measured over loopback, this moved more than any other size, and twice as much as `sendfile`.
pub const LARGE_BYTES: usize = 256 * 1024;
/// What the others get. With a short queue behind it, 256 downloads at once moved as much with this as with twice as much.
pub const SMALL_BYTES: usize = 16 * 1024;
/// Large pieces at the same time, 8 MiB of them: more downloads than that have no core of their own anyway.
const LARGE_MAX: usize = 32;

/// What the system holds for each of the others; it would grow to 4 MiB. Enough for 10 MB/s at 25 ms. What is short stays in the
/// processor's cache: 256 downloads over loopback moved 2.7 GB/s, and 1.6 with the system's own queues.
const SEND_QUEUE_BYTES: usize = 256 * 1024;

static LARGE_TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Large buffers that are not in use, at most [`LARGE_MAX`]. A new one costs more than the reading: the system hands its pages out one by
/// one, and each is cleared twice. Guards the list, for a push or a pop.
static FREE_BUFFERS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// The right to hold a piece of a certain size, given back when it is dropped.
#[derive(Debug)]
pub struct FileBuffer {
    /// Room for a large piece.
    buffer: Option<Box<[u8]>>,
    /// It would have been large if there were not so many.
    throttled: bool,
}

impl FileBuffer {
    /// A piece for a content of that length in bytes.
    pub fn of(length: u64) -> FileBuffer {
        if usize::try_from(length).is_ok_and(|length| length <= SMALL_BYTES) {
            return FileBuffer { buffer: None, throttled: false };
        }
        let one_more = |taken| (taken < LARGE_MAX).then_some(taken + 1);
        if LARGE_TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return FileBuffer { buffer: None, throttled: true };
        }
        let spare = spare().pop();
        FileBuffer { buffer: Some(spare.unwrap_or_else(|| vec![0; LARGE_BYTES].into())), throttled: false }
    }

    /// How much the system may hold of what has been written and not been taken, where that should be limited.
    pub fn send_queue_bytes_max(&self) -> Option<usize> {
        self.throttled.then_some(SEND_QUEUE_BYTES)
    }

    /// Room for a large piece; `None` where it is to be small, and the outbox is room enough.
    pub fn large(&mut self) -> Option<&mut [u8]> {
        self.buffer.as_deref_mut()
    }
}

impl Drop for FileBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            spare().push(buffer);
            LARGE_TAKEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn spare() -> MutexGuard<'static, Vec<Box<[u8]>>> {
    FREE_BUFFERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::UNIX_EPOCH;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::http::framing::KeepAlive;
    use crate::http::method::Method;
    use crate::http::request::Version;
    use crate::http::status::StatusCode;
    use crate::net::memory::MemoryTransport;

    #[test]
    fn a_stream_is_chunked_or_ends_with_the_connection() {
        let long = [vec![b'x'; CHUNK_BYTES], b"yz".to_vec()].concat();
        let chunked = [b"4000\r\n", &long[..CHUNK_BYTES], b"\r\n2\r\nyz\r\n0\r\n\r\n"].concat();
        for (source, version, want, why) in [
            (&b""[..], Version::Http11, &b"0\r\n\r\n"[..], "nothing is the last chunk alone"),
            (b"abc", Version::Http11, b"3\r\nabc\r\n0\r\n\r\n", "one chunk"),
            (&long, Version::Http11, &chunked, "two chunks"),
            (b"abc", Version::Http10, b"abc", "1.0 knows no chunks"),
        ] {
            let mut response = Response::new(StatusCode::OK);
            response.body = Body::Stream(Box::new(io::Cursor::new(source.to_vec())));
            let plan = plan(&response, Some(Method::Get), version, KeepAlive::Yes);
            let mut client = MemoryTransport::default();
            let mut to = DeadlineStream::new(&mut client, Instant::now(), Duration::from_secs(9), Duration::from_secs(9));
            let mut outbox = WriteBuffer::default();
            content(&mut outbox, &mut to, &mut response, plan, &Limits::default()).unwrap();
            outbox.flush(&mut to).unwrap();
            assert_eq!(client.received, want, "{why}");
        }
    }

    #[test]
    fn a_file_follows_whatever_is_in_the_outbox() {
        let path = std::env::temp_dir().join(format!("threadbare-send-{}", std::process::id()));
        File::create(&path).unwrap().write_all(&[b'x'; 1000]).unwrap();
        let full = SMALL_BYTES;
        for waiting in [0, 1, full - 1001, full - 1000, full - 1, full, full + 1] {
            let mut client = MemoryTransport::default();
            let mut to = DeadlineStream::new(&mut client, Instant::now(), Duration::from_secs(9), Duration::from_secs(9));
            let mut outbox = WriteBuffer { bytes: vec![b'-'; waiting] };
            let file = File::open(&path).unwrap();
            let stamp = FileVersion::of(&file.metadata().unwrap());
            let slice = Slice { start: 1, length: 999 };
            let sent = file_slice(&mut outbox, &mut to, &OpenFile { file, stamp }, slice).unwrap();
            assert!(matches!(sent, Sent::Whole(999)), "behind {waiting} bytes: {sent:?}");
            outbox.flush(&mut to).unwrap();
            assert_eq!(client.received.len(), waiting + 999);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn framing_of_responses() {
        use KeepAlive::Yes;
        let stream = || Response::new(StatusCode::OK).with_body(Body::Stream(Box::new(std::io::empty())));
        let text = || Response::text(StatusCode::OK, "x");
        let length = text().body.length().unwrap();
        for (response, method, version, want, why) in [
            (text(), Method::Get, Version::Http11, (Delimiter::Length(length), Sending::Content, Yes), "a text"),
            (text(), Method::Head, Version::Http11, (Delimiter::Length(length), Sending::HeadOnly, Yes), "HEAD"),
            (
                Response::new(StatusCode::OK),
                Method::Get,
                Version::Http11,
                (Delimiter::Length(0), Sending::HeadOnly, Yes),
                "empty",
            ),
            (
                Response::new(StatusCode::NO_CONTENT),
                Method::Options,
                Version::Http11,
                (Delimiter::NoContent, Sending::HeadOnly, Yes),
                "204",
            ),
            (
                Response::new(StatusCode::NOT_MODIFIED),
                Method::Get,
                Version::Http11,
                (Delimiter::NoContent, Sending::HeadOnly, Yes),
                "304",
            ),
            (stream(), Method::Get, Version::Http11, (Delimiter::Chunks, Sending::Content, Yes), "a stream"),
            (stream(), Method::Get, Version::Http10, (Delimiter::Close, Sending::Content, Yes), "a stream in 1.0"),
        ] {
            let plan = plan(&response, Some(method), version, Yes);
            assert_eq!((plan.delimiter, plan.sending, plan.persistence), want, "{why}");
            assert_eq!(plan.needs_close(), plan.delimiter == Delimiter::Close, "{why}");
        }
    }

    #[test]
    fn a_head_is_these_bytes() {
        let body = Body::Bytes(b"404 Not Found: x\n".into());
        let response = Response::new(StatusCode::NOT_FOUND)
            .header("Content-Type", "text/plain; charset=utf-8")
            .header("X-A", "b")
            .with_body(body);
        let date = HttpDate::new(UNIX_EPOCH + Duration::from_secs(784_111_777));
        let mut out = Vec::new();
        let plan = plan(&response, Some(Method::Get), Version::Http10, KeepAlive::Yes);
        write_head(&mut out, &response, plan, &DefaultHeaders::default(), &date);
        let want = "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: threadbare\r\n\
                    Content-Type: text/plain; charset=utf-8\r\nX-A: b\r\nX-Content-Type-Options: nosniff\r\nContent-Length: 17\r\n\
                    Connection: keep-alive\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn large_pieces_are_few_and_come_back() {
        let large = |pieces: &[FileBuffer]| pieces.iter().filter(|piece| piece.buffer.is_some()).count();
        let small_length = u64::try_from(SMALL_BYTES).unwrap();
        for round in 0..2 {
            let small: Vec<FileBuffer> = (0..200).map(|_| FileBuffer::of(small_length)).collect();
            assert_eq!(large(&small), 0, "a short content needs no large piece");
            let pieces: Vec<FileBuffer> = (0..200).map(|_| FileBuffer::of(small_length + 1)).collect();
            // Other tests of this process may hold some.
            assert!((LARGE_MAX / 2..=LARGE_MAX).contains(&large(&pieces)), "round {round}: {}", large(&pieces));
        }
    }
}
