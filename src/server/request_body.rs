//! What does the client send after the head? (RFC 9112 §6, RFC 9110 §10.1.1)
//!
//! [`BodyReader`] is the content of one request as a plain [`Read`]: it counts, takes chunks apart, asks a client that waits for leave
//! on the first read, and knows afterwards whether the connection can be used again.

use std::io::{self, Read};
use std::time::Instant;

use crate::config::Limits;
use crate::handlers::message::RequestBody;
use crate::http::chunked::ChunkedDecoder;
use crate::http::error::ParseError;
use crate::http::framing::{BodyLength, Expectation};
use crate::http::response;
use crate::net::Transport;
use crate::net::deadline::DeadlineStream;
use crate::server::registry::{ConnState, Evicted};

/// What is read from the connection at once while chunks are taken apart.
const CHUNKED_PIECE_BYTES: usize = 16 * 1024;

/// How a content came to an end that was not its own.
#[derive(Debug)]
pub enum BodyError {
    /// It is malformed, or stops in the middle.
    Malformed(ParseError),
    /// It took too long.
    TimedOut,
    /// The connection failed.
    Lost(io::Error),
}

/// Whether what follows on the connection is the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// The content has been read to its end.
    Nothing,
    /// Bytes of it are still to come, or it is not known.
    Unread,
}

/// The content of one request.
pub struct BodyReader<'a, S> {
    stream: &'a mut DeadlineStream<S>,
    slot: &'a ConnState,
    /// What came together with the head.
    prefetched: &'a [u8],
    /// What was read since, of which some may not be content any more.
    buffer: Vec<u8>,
    late_used: usize,
    late_end: usize,
    remaining: Remaining,
    expectation: Expectation,
    begun: bool,
    limits: &'a Limits,
    received: u64,
    broken: Option<BodyError>,
}

enum Remaining {
    Length(u64),
    Chunked(Box<ChunkedDecoder>),
}

impl<'a, S: Transport> BodyReader<'a, S> {
    /// The content that `framing` delimits; `prefetched` is what follows the head in the inbox. While more of it is awaited the connection
    /// may be evicted, as while a head is: a request begins to count when all of it is here.
    pub fn new(
        stream: &'a mut DeadlineStream<S>,
        slot: &'a ConnState,
        early: &'a [u8],
        framing: BodyLength,
        expectation: Expectation,
        limits: &'a Limits,
    ) -> BodyReader<'a, S> {
        let rest = match framing {
            BodyLength::None => Remaining::Length(0),
            BodyLength::Length(length) => Remaining::Length(length),
            BodyLength::Chunked => Remaining::Chunked(Box::default()),
        };
        BodyReader {
            stream,
            slot,
            prefetched: early,
            buffer: Vec::new(),
            late_used: 0,
            late_end: 0,
            remaining: rest,
            expectation,
            begun: false,
            limits,
            received: 0,
            broken: None,
        }
    }

    /// Reads and forgets what the handler left, at most `bytes_max` of it, unless the client still waits for leave to send it.
    pub fn drain(&mut self, bytes_max: u64) -> Leftover {
        let waits = self.expectation == Expectation::Continue && !self.begun;
        let is_long = matches!(self.remaining, Remaining::Length(left) if left > bytes_max);
        if self.is_done() {
            return Leftover::Nothing;
        }
        if waits || is_long || self.broken.is_some() {
            return Leftover::Unread;
        }
        let mut scrap = vec![0; 4096];
        let mut left = bytes_max;
        while !self.is_done() {
            // One byte more than allowed: the end of chunks takes a read of its own, and a byte too many must be seen.
            let most = usize::try_from(left.saturating_add(1)).unwrap_or(usize::MAX).min(scrap.len());
            match self.read(scrap.get_mut(..most).unwrap_or_default()) {
                Err(_) => break,
                Ok(0) => {}
                Ok(count) => match left.checked_sub(u64::try_from(count).unwrap_or(u64::MAX)) {
                    Some(rest) => left = rest,
                    None => return Leftover::Unread,
                },
            }
        }
        if self.is_done() { Leftover::Nothing } else { Leftover::Unread }
    }

    /// What went wrong, if anything did.
    pub fn broken(&mut self) -> Option<BodyError> {
        self.broken.take()
    }

    /// How many of the early bytes were used, and which later ones were read but belong to the next request.
    pub fn into_unread(mut self, early_before: usize) -> (usize, Vec<u8>) {
        let used = early_before - self.prefetched.len();
        self.buffer.truncate(self.late_end);
        self.buffer.drain(..self.late_used);
        (used, self.buffer)
    }

    fn is_done(&self) -> bool {
        match &self.remaining {
            Remaining::Length(left) => *left == 0,
            Remaining::Chunked(decoder) => decoder.is_done(),
        }
    }

    /// Called before bytes are awaited from the connection, not for those at hand.
    fn begin(&mut self) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        let now = Instant::now();
        self.slot.set_reading_body(now).map_err(|Evicted| io::ErrorKind::ConnectionAborted)?;
        let length = if let Remaining::Length(left) = self.remaining { left } else { 0 };
        let time_max = self.limits.timeout_for(self.limits.content_time_base, length);
        self.stream.begin_reading(now, time_max);
        if self.expectation == Expectation::Continue {
            self.stream.begin_writing(now, time_max);
            self.stream.write_all(response::CONTINUE)?;
        }
        Ok(())
    }

    fn read_length(&mut self, left: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let count = if self.prefetched.is_empty() {
            self.begin()?;
            self.stream.read(buffer)?
        } else {
            self.prefetched.read(buffer)?
        };
        if count == 0 {
            return Err(io::Error::other(Cut));
        }
        self.remaining = Remaining::Length(left - u64::try_from(count).unwrap_or(left));
        Ok(count)
    }

    /// Reads more bytes of chunks. Their length is not known before they end, so their time grows with what has come.
    fn read_late(&mut self) -> io::Result<()> {
        self.begin()?;
        self.buffer.resize(CHUNKED_PIECE_BYTES, 0);
        self.stream.extend_reading(self.limits.timeout_for(self.limits.content_time_base, self.received));
        let count = self.stream.read(&mut self.buffer)?;
        self.late_used = 0;
        self.late_end = count;
        self.received += u64::try_from(count).unwrap_or(0);
        if count == 0 { Err(io::Error::other(Cut)) } else { Ok(()) }
    }

    fn read_chunked(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.prefetched.is_empty() && self.late_used == self.late_end {
                self.read_late()?;
            }
            let Remaining::Chunked(decoder) = &mut self.remaining else { return Ok(0) };
            let is_early = !self.prefetched.is_empty();
            let input =
                if is_early { self.prefetched } else { self.buffer.get(self.late_used..self.late_end).unwrap_or_default() };
            let step = decoder.decode(input, buffer).map_err(|what| io::Error::other(Wrong(what)))?;
            if is_early {
                self.prefetched = self.prefetched.get(step.consumed..).unwrap_or_default();
            } else {
                self.late_used += step.consumed;
            }
            if step.produced > 0 || decoder.is_done() {
                return Ok(step.produced);
            }
        }
    }
}

impl<S: Transport> Read for BodyReader<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.broken.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if buffer.is_empty() || self.is_done() {
            return Ok(0);
        }
        let result = match self.remaining {
            Remaining::Length(left) => self.read_length(left, buffer),
            Remaining::Chunked(_) => self.read_chunked(buffer),
        };
        let result = match result {
            // Complete: from here on nobody takes the seat away.
            Ok(count) if self.begun && self.is_done() => {
                self.slot.set_active().map(|()| count).map_err(|Evicted| io::ErrorKind::ConnectionAborted.into())
            }
            other => other,
        };
        result.map_err(|error| {
            let inner = error.get_ref();
            self.broken = Some(if let Some(Wrong(what)) = inner.and_then(|inner| inner.downcast_ref()) {
                BodyError::Malformed(*what)
            } else if inner.is_some_and(|inner| inner.is::<Cut>()) {
                BodyError::Malformed(ParseError::ContentCutShort)
            } else if error.kind() == io::ErrorKind::TimedOut {
                BodyError::TimedOut
            } else {
                BodyError::Lost(error)
            });
            io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl<S: Transport> RequestBody for BodyReader<'_, S> {
    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        if let Remaining::Chunked(decoder) = &self.remaining {
            decoder.trailers().for_each(|(name, value)| each(name, value));
        }
    }
}

/// The connection ended before the content did.
#[derive(Debug, Clone, Copy)]
struct Cut;

/// The content is malformed.
#[derive(Debug, Clone, Copy)]
struct Wrong(ParseError);

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(ParseError::ContentCutShort.message())
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.message())
    }
}

impl std::error::Error for Cut {}

impl std::error::Error for Wrong {}
