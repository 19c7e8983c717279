//! One connection, from accept to close. Read this file first.
//!
//! 1. Each connection has its own thread. The protocol state is the position of the thread in this code, so no state machine is needed.
//! 2. If the server expects a PROXY header, it comes first and names the client. TLS follows it, within the stream.
//! 3. `receive_head` reads until the parser has a complete request head.
//! 4. `handle` checks the head, calls a handler and reads what the handler left of the body.
//! 5. `respond` decides with `close_reason` whether the connection persists, and writes the response.
//! 6. Then the loop starts again with the bytes that are left in the read buffer (pipelining).
//! 7. A request that cannot be parsed gets one error response, and the connection closes.
//! 8. Every end of a connection has a [`CloseReason`], which is logged and counted.
//! 9. Every read and write has a deadline ([`DeadlineStream`]).
//! 10. [`ConnState`] tells the registry when the connection may be evicted: only while it waits for the client.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use log::debug;

use crate::handlers::AppState;
use crate::handlers::message::Response;
use crate::handlers::page;
use crate::http::date::HttpDate;
use crate::http::error::{LocatedError, ParseError};
use crate::http::forwarded::{self, Client, PeerAddr, Scheme};
use crate::http::framing;
use crate::http::request::{Progress, RequestParser};
use crate::http::status::StatusCode;
use crate::net::budget::HeldMemory;
use crate::net::deadline::DeadlineStream;
use crate::net::read_buffer::ReadBuffer;
use crate::net::{TlsState, Transport};
use crate::server::close_reason::CloseReason;
use crate::server::exchange::Handled;
use crate::server::explain::Explanation;
use crate::server::registry::{ConnState, HEAD, IDLE};
use crate::server::response_writer::{Delimiter, ResponseFraming, WriteBuffer};
use crate::telemetry::metrics::ConnectionMetrics;

/// How long an idle connection keeps its buffers. A busy client sends its next request sooner, and the buffers are used again.
const KEEP_BUFFERS_TIME: Duration = Duration::from_secs(1);

/// A connection and all that it needs. The methods that handle one request are in `exchange.rs`.
pub(super) struct Connection<'a, S> {
    pub(super) app: &'a AppState,
    pub(super) stream: DeadlineStream<S>,
    /// Bytes received and not consumed. The current request begins at the first of them.
    pub(super) read_buffer: ReadBuffer,
    /// Response bytes that have not been written yet.
    pub(super) write_buffer: WriteBuffer,
    pub(super) parser: RequestParser,
    /// Memory for the current request body and for generated content.
    pub(super) memory: HeldMemory,
    /// Shared with the registry, which may evict the connection.
    pub(super) state: &'a ConnState,
    /// The peer, or the client that the PROXY header names.
    pub(super) client: Client,
    /// The client of the current request: `client`, or the one that a trusted proxy names in `Forwarded` or `X-Forwarded-For`.
    pub(super) request_client: Client,
    /// The value of the Date field, formatted at most once per second.
    pub(super) date: HttpDate,
    pub(super) metrics: Option<ConnectionMetrics<'a>>,
    /// The explanation of the current exchange, logged when the exchange is over; `None` without `--explain`.
    pub(super) explanation: Option<Explanation>,
    /// Number of responses sent.
    pub(super) exchanges: u64,
}

/// Why no request was received, or why it could not be handled.
pub(super) enum RequestError {
    /// The connection ended, failed or was evicted; there is nothing to respond to.
    Closed(CloseReason),
    /// The head cannot be parsed, so none of its fields can be relied on.
    Malformed(LocatedError),
    /// The head can be parsed, but a field or the target has an invalid value.
    Invalid(LocatedError),
    /// The head was begun and not completed in time.
    TimedOut,
}

impl From<io::Error> for RequestError {
    fn from(error: io::Error) -> RequestError {
        RequestError::Closed(CloseReason::Io(error))
    }
}

/// Serves one connection until it ends. `memory` is empty; it grows for request bodies and generated content.
pub fn serve_connection(stream: impl Transport, peer: PeerAddr, app: &AppState, state: &ConnState, memory: HeldMemory) {
    let limits = &app.config.limits;
    let client = Client::from_peer(peer);
    let mut connection = Connection {
        app,
        stream: DeadlineStream::new(stream, Instant::now(), limits.header_timeout, limits.send_timeout),
        read_buffer: ReadBuffer::new(limits.head.head_bytes_max + 4),
        write_buffer: WriteBuffer::default(),
        parser: RequestParser::new(limits.head),
        memory,
        state,
        client,
        request_client: client,
        date: HttpDate::new(SystemTime::now()),
        metrics: app.metrics.as_ref().map(|metrics| metrics.connection(CloseReason::HandlerPanicked.label())),
        explanation: app.explain.as_ref().map(|explain| Explanation { color: explain.color, text: String::new() }),
        exchanges: 0,
    };
    debug!("{peer} connected");
    let reason = match connection.run() {
        Err(CloseReason::Io(error)) => connection.io_failure(error),
        Err(reason) => reason,
    };
    connection.close(&reason);
    // Shutdown evicts waiting connections too, but not to make room for new ones.
    let is_shutdown = matches!(reason, CloseReason::Evicted) && app.stop.is_requested();
    let reason = if is_shutdown { CloseReason::ShuttingDown } else { reason };
    if let Some(metrics) = &mut connection.metrics {
        metrics.count_bytes(connection.stream.received, connection.stream.written);
        metrics.close_reason = reason.label();
    }
    debug!("{peer} closed, requests served: {}; {reason}", connection.exchanges);
}

impl<S: Transport> Connection<'_, S> {
    /// Serves requests. It only returns when the connection ends, and never without a reason.
    fn run(&mut self) -> Result<Infallible, CloseReason> {
        self.read_proxy_header()?;
        if self.stream.transport.start_tls(self.read_buffer.bytes()).map_err(CloseReason::Io)? {
            self.read_buffer.consume(self.read_buffer.bytes().len());
        }
        loop {
            self.serve_request()?;
        }
    }

    /// Receives one request and responds to it. Fails if the connection ends after it.
    fn serve_request(&mut self) -> Result<(), CloseReason> {
        let received = self.receive_head();
        if self.stream.transport.tls_state() == TlsState::Established {
            self.client.scheme = Some(Scheme::Https);
        }
        let began = Instant::now();
        self.request_client = match self.parser.head(self.read_buffer.bytes()) {
            Some(head) => forwarded::resolve_client(self.client, &head.headers, &self.app.config.proxies.trusted),
            None => self.client,
        };
        let has_request = received.is_ok();
        match received.and_then(|head_bytes| self.handle(head_bytes)) {
            Ok(handled) => self.respond(handled, began),
            Err(RequestError::Closed(reason)) if has_request => Err(self.abandon(reason, began)),
            Err(error) => self.reject(error, began),
        }
    }

    /// Reads until the buffer starts with a complete request head, and returns its length in bytes.
    fn receive_head(&mut self) -> Result<usize, RequestError> {
        self.parser.reset();
        // For the first head the timeout counts from accept, for a later one from its first byte.
        let mut deadline_is_set = self.exchanges == 0;
        if self.exchanges > 0 && self.read_buffer.is_empty() {
            self.wait_for_request()?;
        }
        loop {
            match self.parser.parse(self.read_buffer.bytes()) {
                Ok(Progress::Partial) => {}
                Ok(Progress::Complete(head_bytes)) => {
                    self.state.set_active()?;
                    return Ok(head_bytes);
                }
                Err(error) => {
                    self.state.set_active()?;
                    return Err(RequestError::Malformed(error));
                }
            }
            self.write_buffer.flush(&mut self.stream)?;
            if !deadline_is_set {
                deadline_is_set = true;
                let now = Instant::now();
                self.state.wait_in(HEAD, now)?;
                self.stream.begin_reading(now, self.app.config.limits.header_timeout);
            }
            let read = self.read_buffer.fill(&mut self.stream);
            self.check_read(read)?;
        }
    }

    /// Waits until the first bytes of the next request have arrived.
    fn wait_for_request(&mut self) -> Result<(), RequestError> {
        self.write_buffer.flush(&mut self.stream)?;
        let (now, timeout) = (Instant::now(), self.app.config.limits.keep_alive_timeout);
        self.state.wait_in(IDLE, now)?;
        self.stream.begin_reading(now, timeout.min(KEEP_BUFFERS_TIME));
        let mut read = self.read_buffer.fill(&mut self.stream);
        if timeout > KEEP_BUFFERS_TIME && read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            // An idle connection should hold as little memory as possible. The write buffer has been flushed.
            self.read_buffer.shrink();
            self.write_buffer = WriteBuffer::default();
            self.stream.begin_reading(Instant::now(), timeout.saturating_sub(KEEP_BUFFERS_TIME));
            read = self.read_buffer.fill(&mut self.stream);
        }
        self.check_read(read)
    }

    /// Converts the result of a read that waited for a head: the end of the stream and a timeout mean different things before and within
    /// a head.
    fn check_read(&self, read: io::Result<usize>) -> Result<(), RequestError> {
        let bytes = self.read_buffer.bytes();
        // At most the empty line that may precede a request has arrived, or a part of it, so the client may close cleanly.
        let between_requests = matches!(bytes, b"" | b"\r" | b"\r\n");
        let error = match read {
            Ok(1..) => return Ok(()),
            result if self.stream.transport.tls_state() == TlsState::Handshake => {
                let error = result.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                RequestError::Closed(CloseReason::Handshake(error))
            }
            Ok(0) if between_requests => RequestError::Closed(CloseReason::ClientClosed),
            Ok(0) => RequestError::Malformed(ParseError::IncompleteHead.with_offset(bytes.len())),
            Err(error) if error.kind() != io::ErrorKind::TimedOut => error.into(),
            Err(_) if between_requests => RequestError::Closed(CloseReason::IdleTimeout),
            Err(_) => RequestError::TimedOut,
        };
        // Eviction shuts the socket down, which looks like any other end of the stream. `set_active` fails after an eviction.
        self.state.set_active()?;
        Err(error)
    }

    /// Returns why the connection failed: eviction shuts the socket down, and looks like any other failure.
    pub(super) fn io_failure(&self, error: io::Error) -> CloseReason {
        if self.state.is_evicted() { CloseReason::Evicted } else { CloseReason::Io(error) }
    }

    /// Sends an error response, unless there is no request to respond to, and ends the connection: it may be unknown where the next request
    /// begins (RFC 9112 §2.2).
    #[inline(never)] // its frame is not part of the caller's: with three others, 4 KiB less for each idle connection
    fn reject(&mut self, error: RequestError, began: Instant) -> Result<(), CloseReason> {
        let bytes = self.read_buffer.bytes();
        let explanation = self.explanation.as_mut();
        if let (Some(explanation), RequestError::Malformed(fault) | RequestError::Invalid(fault)) = (explanation, &error) {
            explanation.parse_error(bytes, *fault);
        }
        let (response, reason) = match error {
            RequestError::Closed(reason) => return Err(reason),
            RequestError::Malformed(LocatedError { error, .. }) => (Response::malformed(error), CloseReason::Malformed(error)),
            RequestError::Invalid(LocatedError { error, .. }) => {
                let head = self.parser.head(bytes);
                let response = head.map_or_else(|| Response::malformed(error), |head| page::malformed(error, &head.headers));
                (response, CloseReason::Malformed(error))
            }
            RequestError::TimedOut => {
                let why = "the request head did not arrive in time (RFC 9110 §15.5.9)";
                (Response::text(StatusCode::REQUEST_TIMEOUT, why), CloseReason::HeadTimeout)
            }
        };
        self.respond(Handled { response, request_bytes: 0, close_reason: Some(reason) }, began)
    }

    /// Decides whether the connection closes after this response, and why (RFC 9112 §9.3, §9.6); `None` means that it persists.
    ///
    /// This is the only place that decides it: the Connection field, the flush and the close follow from what it returns.
    /// `earlier` is a reason that is already known, such as a request body that was not read to its end.
    pub(super) fn close_reason(&self, earlier: Option<CloseReason>, framing: &ResponseFraming) -> Option<CloseReason> {
        let head = self.parser.head(self.read_buffer.bytes());
        let client_closes = head.is_none_or(|head| !framing::keep_alive(&head));
        if earlier.is_some() {
            earlier
        } else if client_closes || framing.delimiter == Delimiter::Close {
            Some(CloseReason::ConnectionClose)
        } else {
            self.app.stop.is_requested().then_some(CloseReason::ShuttingDown)
        }
    }

    /// Writes what is still buffered, and closes the connection so that the client can read the last response (RFC 9112 §9.6).
    fn close(&mut self, reason: &CloseReason) {
        let limits = &self.app.config.limits;
        if matches!(reason, CloseReason::ClientClosed) {
            self.stream.transport.end_tls();
        }
        if reason.is_abrupt() || self.write_buffer.flush(&mut self.stream).is_err() {
            return;
        }
        let now = Instant::now();
        let has_unread = !self.read_buffer.is_empty() || self.stream.transport.has_unread();
        self.stream.transport.end_tls();
        if (reason.needs_lingering_close() || has_unread) && self.state.wait_in(IDLE, now).is_ok() {
            self.stream.linger(now, limits.linger_timeout, limits.linger_bytes_max);
        }
    }
}
