//! The body of one request, read from the connection (RFC 9112 §6, RFC 9110 §10.1.1).
//!
//! [`BodyReader`] decodes chunks, sends 100 Continue before it first waits for the client, and knows afterwards whether the connection
//! can be used again.

use std::io::Read;
use std::ops::Range;
use std::time::Instant;

use crate::config::Limits;
use crate::handlers::message::{BodyError, RequestBody, length_of};
use crate::http::chunked::ChunkedDecoder;
use crate::http::error::ParseError;
use crate::http::framing::BodyLength;
use crate::http::response;
use crate::net::Transport;
use crate::net::deadline::DeadlineStream;
use crate::server::registry::{BODY, ConnState};

/// Bytes read from the connection at once while chunks are decoded.
const CHUNKED_READ_BYTES: usize = 16 * 1024;

/// The body of one request.
pub(super) struct BodyReader<'a, S> {
    stream: &'a mut DeadlineStream<S>,
    state: &'a ConnState,
    /// Bytes of a body of known length, or of the next request, that arrived together with the head and are not used yet.
    prefetched: &'a [u8],
    /// Bytes of a chunked body, from its beginning; those beyond the last chunk belong to the next request.
    buffer: Vec<u8>,
    /// The range of `buffer` that is not used yet.
    unused: Range<usize>,
    remaining: Remaining,
    expects_continue: bool,
    /// Whether the reader has waited for the client.
    has_waited: bool,
    limits: &'a Limits,
    /// The error that ended the body early, which every further read returns.
    pub(super) error: Option<BodyError>,
}

enum Remaining {
    Length(u64),
    Chunked(Box<ChunkedDecoder>),
}

impl<'a, S: Transport> BodyReader<'a, S> {
    /// Creates a reader for the body that `length` describes; `prefetched` is what follows the head in the read buffer.
    ///
    /// While the reader waits for the client, the connection may be evicted.
    pub(super) fn new(
        stream: &'a mut DeadlineStream<S>,
        state: &'a ConnState,
        prefetched: &'a [u8],
        length: BodyLength,
        expects_continue: bool,
        limits: &'a Limits,
    ) -> BodyReader<'a, S> {
        let (remaining, prefetched, buffer) = match length {
            BodyLength::None => (Remaining::Length(0), prefetched, Vec::new()),
            BodyLength::Length(length) => (Remaining::Length(length), prefetched, Vec::new()),
            BodyLength::Chunked => (Remaining::Chunked(Box::default()), &[][..], prefetched.to_vec()),
        };
        BodyReader {
            stream,
            state,
            prefetched,
            unused: 0..buffer.len(),
            buffer,
            remaining,
            expects_continue,
            has_waited: false,
            limits,
            error: None,
        }
    }

    /// Reads and discards what the handler left, at most `bytes_max` of it, so that the connection can persist. Returns whether the whole
    /// body has been read. A client that still waits for 100 Continue has not sent the body; then nothing is read.
    pub(super) fn drain(&mut self, bytes_max: u64) -> bool {
        let awaits_continue = self.expects_continue && !self.has_waited;
        let is_long = matches!(self.remaining, Remaining::Length(left) if left > bytes_max);
        if self.is_done() {
            return true;
        }
        if awaits_continue || is_long {
            return false;
        }
        let mut scratch = vec![0; 4096];
        let mut total = 0;
        // Zero bytes are a success: the last chunk has none.
        while !self.is_done() && total <= bytes_max {
            let Ok(count) = self.read(&mut scratch) else { return false };
            total += length_of(scratch.split_at(count).0);
        }
        total <= bytes_max
    }

    /// Returns how many bytes at the end of the read buffer are unused, and what follows them: bytes read here that belong to the next
    /// request.
    pub(super) fn into_unread(mut self) -> (usize, Vec<u8>) {
        self.buffer.truncate(self.unused.end);
        self.buffer.drain(..self.unused.start);
        (self.prefetched.len(), self.buffer)
    }

    fn is_done(&self) -> bool {
        match &self.remaining {
            Remaining::Length(left) => *left == 0,
            Remaining::Chunked(decoder) => decoder.is_done(),
        }
    }

    /// Starts the time for the body, and asks the client to send it. Called before every read from the connection.
    fn begin_waiting(&mut self) -> Result<(), BodyError> {
        if self.has_waited {
            return Ok(());
        }
        self.has_waited = true;
        let now = Instant::now();
        let (limit, min_rate) = (self.limits.body_timeout, self.limits.min_rate_bytes_per_sec);
        self.state.wait_in(BODY, now)?;
        if self.expects_continue {
            self.stream.begin_writing_at_rate(now, limit, min_rate);
            self.stream.write_all(response::CONTINUE)?;
            // If the write had to wait, the connection is now active.
            self.state.wait_in(BODY, now)?;
        }
        self.stream.begin_reading_at_rate(now, limit, min_rate);
        Ok(())
    }

    fn read_length(&mut self, left: u64, buffer: &mut [u8]) -> Result<usize, BodyError> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let (buffer, _) = buffer.split_at_mut(most);
        let count = if self.prefetched.is_empty() {
            self.begin_waiting()?;
            self.stream.read(buffer)?
        } else {
            self.prefetched.read(buffer)?
        };
        if count == 0 {
            return Err(BodyError::Malformed(ParseError::IncompleteBody));
        }
        self.remaining = Remaining::Length(left - u64::try_from(count).unwrap_or(left));
        Ok(count)
    }

    /// Refills `buffer`.
    fn fill(&mut self) -> Result<(), BodyError> {
        self.begin_waiting()?;
        self.buffer.resize(CHUNKED_READ_BYTES, 0);
        let count = self.stream.read(&mut self.buffer)?;
        self.unused = 0..count;
        if count == 0 { Err(BodyError::Malformed(ParseError::IncompleteBody)) } else { Ok(()) }
    }

    fn read_chunked(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        loop {
            if self.unused.is_empty() {
                self.fill()?;
            }
            let Remaining::Chunked(decoder) = &mut self.remaining else { return Ok(0) };
            let input = self.buffer.split_at(self.unused.end).0.split_at(self.unused.start).1;
            let step = decoder.decode(input, buffer).map_err(BodyError::Malformed)?;
            self.unused.start += step.consumed;
            if step.produced > 0 || decoder.is_done() {
                return Ok(step.produced);
            }
        }
    }
}

impl<S: Transport> RequestBody for BodyReader<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if buffer.is_empty() || self.is_done() {
            return Ok(0);
        }
        let mut result = match self.remaining {
            Remaining::Length(left) => self.read_length(left, buffer),
            Remaining::Chunked(_) => self.read_chunked(buffer),
        };
        // The request is complete: from here on the connection is not evicted.
        if self.has_waited
            && self.is_done()
            && let Err(error) = self.state.set_active()
        {
            result = Err(error.into());
        }
        self.error = result.err();
        result
    }

    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        if let Remaining::Chunked(decoder) = &self.remaining {
            decoder.trailers().for_each(|(name, value)| each(name, value));
        }
    }
}
