//! One request and its response: the second half of [`Connection`].

use std::cell::RefCell;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use log::{error, warn};

use crate::handlers::AppState;
use crate::handlers::message::{BodyError, Request, Response, length_of};
use crate::handlers::outcome::Outcome;
use crate::handlers::{self, access, page};
use crate::http::error::ParseError;
use crate::http::framing::BodyLength;
use crate::http::headers::{Headers, name};
use crate::http::request::Version;
use crate::http::status::StatusCode;
use crate::net::{TlsState, Transport};
use crate::server::close_reason::CloseReason;
use crate::server::connection::{Connection, RequestError};
use crate::server::request_body::BodyReader;
use crate::server::response_writer::{self, BodyWriter, Delimiter, FileBuffer, ResponseFraming, SendError};
use crate::telemetry::log_format::AccessRecord;

/// A request that has been handled.
pub(super) struct Handled {
    pub(super) response: Response,
    /// How many bytes of the read buffer belong to the request: its head, and its body as far as that is in the buffer.
    pub(super) request_bytes: usize,
    /// Why the connection cannot persist, if the handler or the request body gave a reason.
    pub(super) close_reason: Option<CloseReason>,
}

/// What was sent in response to a request.
struct Sent {
    status: StatusCode,
    /// Bytes of content, including those that are still in the write buffer.
    bytes: u64,
    is_complete: bool,
    /// Why the connection must close, if sending failed.
    failure: Option<CloseReason>,
}

impl<S: Transport> Connection<'_, S> {
    /// Handles the request whose head is the first `head_bytes` of the read buffer. Then reads the rest of its body, if the handler left any.
    #[inline(never)] // its frame is not part of the caller's: with three others, 4 KiB less for each idle connection
    pub(super) fn handle(&mut self, head_bytes: usize) -> Result<Handled, RequestError> {
        let (app, limits) = (self.app, &self.app.config.limits);
        let bytes = self.read_buffer.bytes();
        let incomplete = RequestError::Malformed(ParseError::IncompleteHead.with_offset(bytes.len()));
        let head = self.parser.head(bytes).ok_or(incomplete)?;
        let (head_text, prefetched) = bytes.split_at(head_bytes);
        let info = head.validate().map_err(RequestError::Invalid)?;
        if let Some(explanation) = &mut self.explanation {
            explanation.request(head_text, &head, &info, self.request_client.scheme);
        }
        if self.stream.transport.tls_state() == TlsState::Cleartext {
            let response = access::redirect_to_https(&head, info.target.form);
            return Ok(Handled { response, request_bytes: head_bytes, close_reason: Some(CloseReason::Cleartext) });
        }
        let decisions = app.explain.as_ref().map(|_| RefCell::default());
        if !self.write_buffer.is_empty() && (info.body_length != BodyLength::None || !app.site.is_cached(&info.target)) {
            // Send earlier responses now: the client may wait for them before it sends this body, and a lookup that opens a file may block.
            self.write_buffer.flush(&mut self.stream)?;
        }
        let mut body = BodyReader::new(&mut self.stream, self.state, prefetched, info.body_length, info.expects_continue, limits);
        let mut request = Request {
            peer: self.client.peer,
            client: &self.request_client,
            head: &head,
            target: &info.target,
            body_length: info.body_length,
            content: &mut body,
            memory: &mut self.memory,
            decisions: decisions.as_ref(),
        };
        let (mut response, mut close_reason) = dispatch(&mut request, app);
        let is_complete = body.drain(limits.drain_bytes_max);
        self.state.set_active()?;
        let error = body.error;
        let (unused, read_ahead) = body.into_unread();
        let request_bytes = bytes.len() - unused;
        if let Some(error) = error {
            let (replacement, reason) = replace_response(error, &head.headers)?;
            (response, close_reason) = (replacement, close_reason.or(Some(reason)));
        } else if !is_complete {
            close_reason = close_reason.or(Some(CloseReason::UnreadBody));
        }
        if let (Some(explanation), Some(decisions)) = (&mut self.explanation, decisions) {
            explanation.decisions(&decisions.into_inner());
        }
        self.read_buffer.unread(&read_ahead);
        Ok(Handled { response, request_bytes, close_reason })
    }

    /// Sends the response to the request at the start of the read buffer, and removes that request from the buffer. Fails if the connection
    /// ends after it.
    pub(super) fn respond(&mut self, handled: Handled, began: Instant) -> Result<(), CloseReason> {
        let Handled { response, request_bytes, close_reason } = handled;
        let head = self.parser.head(self.read_buffer.bytes());
        let (method, version) = head.map(|head| (head.method, head.version)).unzip();
        let mut framing = ResponseFraming::new(&response, method, version.unwrap_or(Version::Http11));
        let file_buffer = FileBuffer::for_response(&response.body, &framing);
        let throttled = file_buffer.is_throttled.then_some(CloseReason::Throttled);
        let close_reason = self.close_reason(close_reason.or(throttled), &framing);
        framing.keep_alive = close_reason.is_none();
        // Responses to pipelined requests are collected in the write buffer and written together.
        let flush = close_reason.is_some() || request_bytes == self.read_buffer.bytes().len();
        let sent = self.send(response, framing, flush, file_buffer);
        if let Some(explanation) = &mut self.explanation {
            explanation.connection(framing, sent.failure.as_ref().or(close_reason.as_ref()));
        }
        self.record(&sent, began, close_reason.as_ref());
        self.exchanges += 1;
        self.memory.shrink_to(0);
        self.read_buffer.consume(request_bytes);
        sent.failure.or(close_reason).map_or(Ok(()), Err)
    }

    /// Records a request whose body could not be received, so that there is no response, and returns why the connection closes.
    pub(super) fn abandon(&mut self, reason: CloseReason, began: Instant) -> CloseReason {
        let (status, reason) = match reason {
            CloseReason::Io(error) if !self.state.is_evicted() => (StatusCode::BAD_REQUEST, CloseReason::Io(error)),
            _ => (StatusCode::SERVICE_UNAVAILABLE, CloseReason::Evicted),
        };
        self.date.update(SystemTime::now());
        let sent = Sent { status, bytes: 0, is_complete: false, failure: Some(reason) };
        self.record(&sent, began, None);
        sent.failure.unwrap_or(CloseReason::Evicted)
    }

    /// Writes a response. If its file cannot be read, a 500 is sent instead, unless some of the response has already been sent. In both cases
    /// the connection closes; in the second, this shows the client that the response is incomplete (RFC 9112 §8).
    fn send(&mut self, response: Response, framing: ResponseFraming, flush: bool, file_buffer: FileBuffer) -> Sent {
        let status = response.status;
        let (buffered, written) = (self.write_buffer.bytes_mut().len(), self.stream.written);
        self.write_head(&response, framing);
        let head_end = self.stream.written + length_of(self.write_buffer.bytes_mut());
        let mut writer = BodyWriter { stream: &mut self.stream, write_buffer: &mut self.write_buffer, file_buffer };
        let mut result = writer.write_body(response.body, framing);
        if flush && result.is_ok() {
            result = self.write_buffer.flush(&mut self.stream).map_err(SendError::Connection).and(result);
        }
        let failure = match result {
            Ok(bytes) => return Sent { status, bytes, is_complete: true, failure: None },
            Err(SendError::Connection(error)) => self.io_failure(error),
            Err(SendError::File(error)) => {
                warn!("response aborted: {error}");
                if self.stream.written == written {
                    self.write_buffer.bytes_mut().truncate(buffered);
                    let response = Response::text(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be read");
                    let other = ResponseFraming::new(&response, None, framing.version);
                    let framing = ResponseFraming { keep_alive: false, send_body: framing.send_body, ..other };
                    let sent = self.send(response, framing, true, FileBuffer::new(0));
                    return Sent { failure: sent.failure.or(Some(CloseReason::BodyAborted)), ..sent };
                }
                if framing.delimiter == Delimiter::Close {
                    self.stream.transport.reset_on_close();
                }
                CloseReason::BodyAborted
            }
        };
        let bytes = self.stream.written.saturating_sub(head_end);
        Sent { status, bytes, is_complete: false, failure: Some(failure) }
    }

    /// Appends the head of a response to the write buffer, and starts the time within which the response must be written.
    fn write_head(&mut self, response: &Response, framing: ResponseFraming) {
        let config = &self.app.config;
        self.date.update(SystemTime::now());
        let out = self.write_buffer.bytes_mut();
        let start = out.len();
        response_writer::write_head(out, response, framing, &config.default_headers, &self.date);
        if let (Some(explanation), Some(head)) = (&mut self.explanation, out.get(start..)) {
            explanation.response(response, head);
        }
        self.stream.begin_writing_at_rate(Instant::now(), config.limits.send_timeout, config.limits.min_rate_bytes_per_sec);
    }

    /// Counts and logs an exchange, and logs its explanation. Its request must still be in the read buffer.
    fn record(&mut self, sent: &Sent, began: Instant, close_reason: Option<&CloseReason>) {
        if let Some(metrics) = &mut self.metrics {
            metrics.count_bytes(self.stream.received, self.stream.written);
            let is_malformed = matches!(close_reason, Some(CloseReason::Malformed(_)));
            metrics.exchange(sent.status, is_malformed, self.request_client.scheme, began.elapsed());
        }
        let mut explanation = self.explanation.as_mut().map_or_else(String::new, |explanation| mem::take(&mut explanation.text));
        // If both logs are one queue, `note` appends the explanation with the line of the access log.
        if let Some(explain) = &self.app.explain
            && self.app.access_log.as_ref().is_none_or(|log| !log.queue.is_same(&explain.log))
        {
            explain.log.append(|bytes| bytes.extend(mem::take(&mut explanation).bytes()));
        }
        let Some(log) = &self.app.access_log else { return };
        let bytes = self.read_buffer.bytes();
        let headers = self.parser.head(bytes).map_or_else(Headers::default, |head| head.headers);
        let record = AccessRecord {
            client: self.request_client.peer.address,
            scheme: self.request_client.scheme,
            date: &self.date.text,
            request: request_line(bytes),
            status: sent.status,
            bytes: sent.bytes,
            incomplete: sent.failure.as_ref().filter(|_| !sent.is_complete).map(CloseReason::label),
            duration: began.elapsed(),
            referer: headers.get(name::REFERER),
            user_agent: headers.get(name::USER_AGENT),
        };
        log.note(&record, &explanation);
    }
}

/// Calls the handler for a request. If it panics, the response is a 500 and the connection closes.
fn dispatch(request: &mut Request<'_>, app: &AppState) -> (Response, Option<CloseReason>) {
    match catch_unwind(AssertUnwindSafe(|| handlers::dispatch(request, app, SystemTime::now()))) {
        Ok(response) => (response, None),
        Err(_) => {
            error!("a handler panicked; responding 500");
            let response = Response::text(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
            (response.outcome(Outcome::Panicked), Some(CloseReason::HandlerPanicked))
        }
    }
}

/// Returns the response to a request whose body could not be read, which replaces the handler's, and why the connection closes.
fn replace_response(error: BodyError, headers: &Headers<'_>) -> Result<(Response, CloseReason), RequestError> {
    match error {
        BodyError::Malformed(what) => {
            let response = page::malformed(what, headers).outcome(Outcome::BrokenContent(what));
            Ok((response, CloseReason::Malformed(what)))
        }
        BodyError::Io(io::ErrorKind::TimedOut) => {
            let why = "the request body did not arrive in time (RFC 9110 §15.5.9)";
            let response = Response::text(StatusCode::REQUEST_TIMEOUT, why).outcome(Outcome::LateContent);
            Ok((response, CloseReason::ContentTimeout))
        }
        BodyError::Io(kind) => Err(io::Error::from(kind).into()),
    }
}

/// Returns the request line, without the empty line that may precede it (RFC 9112 §2.2), as far as it has been received.
fn request_line(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    bytes.split_at(end).0
}
