//! How does a response become bytes on the connection? (RFC 9112 §6, §7)
//!
//! The only file that writes a response. Head and small content leave in one write, since two small writes meet the client's delayed
//! acknowledgement and cost 40 ms; large files pass through one buffer, piece by piece.

use std::io::{self, Read};

use crate::config::Limits;
use crate::files::representation::{FileSource, OpenFile};
use crate::files::version::FileVersion;
use crate::files::version::read_at;
use crate::handlers::message::{Body, Response};
use crate::http::chunked::{CRLF, LAST_CHUNK, chunk_header};
use crate::http::range::ByteRange;
use crate::net::deadline::DeadlineStream;
use crate::net::transport::Transport;
use crate::server::file_buffer::{FileBuffer, SMALL_BYTES};
use crate::server::response_framing::{Delimiter, ResponseFraming, Sending};

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
                match source_slice(outbox, to, &parts.source, part.range)? {
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
    slice: ByteRange,
) -> io::Result<Sent> {
    match source {
        FileSource::Memory(cached) => {
            let bytes = cached.part(slice);
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
    slice: ByteRange,
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
        if bytes >= self.left && has_changed(self.open) {
            return Err(io::Error::other("the file changed while it was sent"));
        }
        self.at += bytes;
        self.left = self.left.saturating_sub(bytes);
        Ok(count)
    }
}

/// Whether the file is still the one it was.
fn has_changed(open: &OpenFile) -> bool {
    !open.file.metadata().is_ok_and(|now| open.version.is_same(&FileVersion::new(&now)))
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::http::framing::KeepAlive;
    use crate::http::method::Method;
    use crate::http::request::Version;
    use crate::http::status::StatusCode;
    use crate::net::memory::MemoryTransport;
    use crate::server::response_framing;

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
            let plan = response_framing::plan(&response, Some(Method::Get), version, KeepAlive::Yes);
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
            let version = FileVersion::new(&file.metadata().unwrap());
            let slice = ByteRange { start: 1, length: 999 };
            let sent = file_slice(&mut outbox, &mut to, &OpenFile { file, version }, slice).unwrap();
            assert!(matches!(sent, Sent::Whole(999)), "behind {waiting} bytes: {sent:?}");
            outbox.flush(&mut to).unwrap();
            assert_eq!(client.received.len(), waiting + 999);
        }
        std::fs::remove_file(path).unwrap();
    }
}
