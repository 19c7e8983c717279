//! How is a route asked, and what is left of the content then?
//!
//! Most requests have no content, and need nothing of what reads it: they take a way of their own, whose stack is shallow.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use log::{error, warn};

use crate::config::Config;
use crate::handlers::app::AppState;
use crate::handlers::decision_trace::DecisionTrace;
use crate::handlers::message::{EmptyBody, Request, RequestBody, Response};
use crate::handlers::outcome::Outcome;
use crate::handlers::{self, error_page};
use crate::http::date::HttpDate;
use crate::http::error::ParseError;
use crate::http::forwarded::{self, Client, TrustedProxies};
use crate::http::framing::KeepAlive;
use crate::http::headers::{Headers, name};
use crate::http::request::RequestHead;
use crate::http::request_info::RequestInfo;
use crate::http::status::StatusCode;
use crate::net::Transport;
use crate::net::deadline::DeadlineStream;
use crate::server::close_reason::CloseReason;
use crate::server::explain::Explain;
use crate::server::registry::{ConnState, Evicted};
use crate::server::request_body::{BodyError, BodyReader, Leftover};
use crate::server::response_writer::{self, Delimiter, ResponseFraming, Sent, WriteBuffer};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::log_format::AccessRecord;

/// A request that has been understood, and is about to be answered.
pub struct Asking<'a> {
    /// What it may look at.
    pub app: &'a AppState,
    /// Who asks.
    pub from: &'a Client,
    /// The head, as it came.
    pub head: &'a RequestHead<'a>,
    /// What it says.
    pub understood: &'a RequestInfo<'a>,
    /// Where decisions are noted, if anybody wants to know.
    pub notes: Option<&'a DecisionTrace>,
}

/// What came of it. It lives with the connection and is written to where it lies: handed from one function to the next, it would have a
/// place on the stack of each.
pub struct Exchange {
    /// The answer.
    pub response: Response,
    /// Why this is the last exchange, if it is.
    pub close_reason: Option<CloseReason>,
    /// How many of the bytes behind the head were content.
    pub body_bytes_used: usize,
    /// What was read beyond the content: the beginning of the next request.
    pub read_ahead: Vec<u8>,
}

impl Exchange {
    /// Nothing has come of anything yet.
    pub fn none() -> Exchange {
        Exchange {
            response: Response::new(StatusCode::NO_CONTENT),
            close_reason: None,
            body_bytes_used: 0,
            read_ahead: Vec::new(),
        }
    }
}

/// Why there is no answer.
pub enum Unanswered {
    /// The head says what it must not.
    Malformed(ParseError),
    /// The connection failed.
    Lost(io::Error),
    /// Someone else was given the seat before all of the request was here.
    Evicted,
}

impl Asking<'_> {
    /// Asks for a request that has no content.
    pub fn handle(&self, outcome: &mut Exchange) {
        self.route(&mut EmptyBody, outcome);
    }

    /// Asks for a request that has content, of which `early` came with the head; then takes in what the route has left of it, within
    /// limits, so that the connection can go on.
    ///
    /// # Errors
    /// The connection was evicted while content was awaited.
    pub fn handle_with_body<S: Transport>(
        &self,
        stream: &mut DeadlineStream<S>,
        slot: &ConnState,
        early: &[u8],
        outcome: &mut Exchange,
    ) -> Result<(), Unanswered> {
        let (RequestInfo { framing, expectation, .. }, limits) = (self.understood, &self.app.config.limits);
        let mut intake = BodyReader::new(stream, slot, early, *framing, *expectation, limits);
        self.route(&mut intake, outcome);
        let leftover = intake.drain(limits.drain_bytes_max);
        slot.set_active().map_err(|Evicted| Unanswered::Evicted)?;
        let broken = intake.broken().map(|broken| replace(&mut outcome.response, broken, &self.head.headers));
        (outcome.body_bytes_used, outcome.read_ahead) = intake.into_unread(early.len());
        let unread = (leftover == Leftover::Unread).then_some(CloseReason::UnreadBody);
        outcome.close_reason = outcome.close_reason.take().or(broken).or(unread);
        Ok(())
    }

    /// Lets a route answer. A handler that panics costs one 500 and one connection.
    fn route(&self, content: &mut dyn RequestBody, outcome: &mut Exchange) {
        let Asking { app, from, head, understood, notes } = *self;
        let mut request =
            Request { client: from, head, target: &understood.target, framing: understood.framing, content, decisions: notes };
        let answer = AssertUnwindSafe(|| outcome.response = handlers::dispatch(&mut request, app, SystemTime::now()));
        if catch_unwind(answer).is_err() {
            error!("a handler panicked; the answer is 500");
            let why = "a fault of this server, which has been logged";
            outcome.response = Response::text(StatusCode::INTERNAL_SERVER_ERROR, why).outcome(Outcome::Panicked);
            outcome.close_reason = Some(CloseReason::HandlerPanicked);
        }
    }
}

/// Puts what is answered in place of a response where the content of the request broke off, whatever the handler made of that; why the
/// connection ends.
fn replace(response: &mut Response, broken: BodyError, headers: &Headers<'_>) -> CloseReason {
    match broken {
        BodyError::Malformed(what) => {
            *response = error_page::malformed(what, headers).outcome(Outcome::BrokenContent(what));
            CloseReason::Malformed(what)
        }
        BodyError::TimedOut => {
            let why = "the content did not arrive in time (RFC 9110 §15.5.9)";
            *response = Response::text(StatusCode::REQUEST_TIMEOUT, why).outcome(Outcome::LateContent);
            CloseReason::ContentTimeout
        }
        BodyError::Lost(error) => CloseReason::Io(error),
    }
}

/// Everything up to the end of the first line that is not empty: for the log.
fn request_line(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    bytes.split(|&b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default()
}

/// When the bytes of an answer leave.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flushing {
    /// At once.
    Now,
    /// Together with the answer to a request that is here already.
    WithTheNext,
}

/// What sending an answer needs.
pub struct ResponseWriter<'a, S> {
    /// Where to.
    pub stream: &'a mut DeadlineStream<S>,
    /// By which way.
    pub outbox: &'a mut WriteBuffer,
    /// The clock that is put into it.
    pub date: &'a mut HttpDate,
    /// How long it may take, and what all answers carry.
    pub config: &'a Config,
    /// To whom it is told; `None` is nobody.
    pub explain: Option<&'a Explain>,
}

/// What came of it.
pub struct SendResult {
    /// The status of what was sent.
    pub status: StatusCode,
    /// Bytes of content that were sent, or gathered to be.
    bytes: u64,
    /// Why the connection is of no further use, if it is not.
    pub failed: Option<CloseReason>,
}

impl<S: Transport> ResponseWriter<'_, S> {
    /// Sends a response as planned. One that turns out to be impossible is replaced by a 500 as long as no byte of it has left;
    /// after that, only breaking the connection tells the client.
    pub fn send(mut self, response: Response, plan: ResponseFraming, flushing: Flushing) -> SendResult {
        let (gathered, written) = (self.outbox.bytes_mut().len(), self.stream.written());
        let status = response.status;
        let (content_from, mut sent) = self.attempt(response, plan);
        if let (Ok(Sent::Whole(_)), Flushing::Now) = (&sent, flushing) {
            sent = self.outbox.flush(self.stream).and(sent);
        }
        match sent {
            Ok(Sent::Whole(bytes)) => SendResult { status, bytes, failed: None },
            Ok(Sent::Broken { bytes, error }) => {
                warn!("an answer broke off: {error}");
                if self.stream.written() == written {
                    self.outbox.bytes_mut().truncate(gathered);
                    return self.send_error_instead(plan);
                }
                if plan.delimiter == Delimiter::Close {
                    self.stream.reset_on_close();
                }
                SendResult { status, bytes, failed: Some(CloseReason::BodyAborted) }
            }
            Err(error) => {
                let bytes = self.stream.written().saturating_sub(content_from);
                SendResult { status, bytes, failed: Some(CloseReason::Io(error)) }
            }
        }
    }

    /// Writes the head and what follows it, or gathers them; and says how many bytes stand before the content, from the beginning of
    /// the connection.
    fn attempt(&mut self, mut response: Response, plan: ResponseFraming) -> (u64, io::Result<Sent>) {
        self.date.update(SystemTime::now());
        let head_from = self.outbox.bytes_mut().len();
        response_writer::write_head(self.outbox.bytes_mut(), &response, plan, &self.config.common, self.date);
        if let Some(explain) = self.explain {
            explain.response(&response, self.outbox.bytes_mut().get(head_from..).unwrap_or_default());
        }
        let content_from = self.stream.written() + u64::try_from(self.outbox.bytes_mut().len()).unwrap_or(0);
        let length = response.body.length().unwrap_or(0);
        self.stream.begin_writing(Instant::now(), self.config.limits.timeout_for(self.config.limits.response_time_base, length));
        (content_from, response_writer::content(self.outbox, self.stream, &mut response, plan, &self.config.limits))
    }

    /// Says that the answer failed.
    fn send_error_instead(&mut self, plan: ResponseFraming) -> SendResult {
        let response = Response::text(StatusCode::INTERNAL_SERVER_ERROR, "this could not be read to its end");
        let (status, length) = (response.status, response.body.length().unwrap_or(0));
        let plan = ResponseFraming { delimiter: Delimiter::Length(length), persistence: KeepAlive::No, ..plan };
        let sent = self.attempt(response, plan).1.and_then(|_| self.outbox.flush(self.stream));
        SendResult { status, bytes: length, failed: Some(sent.err().map_or(CloseReason::BodyAborted, CloseReason::Io)) }
    }
}

/// Who asked, and for what.
pub struct LogContext<'a> {
    /// Who has connected.
    pub from: Client,
    /// What was sent, from the first byte of the message.
    pub message: &'a [u8],
    /// Its head, or as much as could be read of it.
    pub head: Option<RequestHead<'a>>,
    /// When all of it was here.
    pub began: Instant,
}

impl SendResult {
    /// Notes the exchange, if anybody wants to know.
    pub fn note(&self, app: &AppState, asked: LogContext<'_>, date: &HttpDate) {
        if let Some(log) = &app.access_log {
            self.log(log, &asked, &app.config.proxies.trusted, date);
        }
    }

    fn log(&self, log: &AccessLog, asked: &LogContext<'_>, trusted: &TrustedProxies, date: &HttpDate) {
        let SendResult { status, bytes, .. } = *self;
        let headers = asked.head.map_or_else(|| Headers::new(&[], &[]), |head| head.headers);
        let client = forwarded::resolve_client(asked.from, &headers, trusted);
        log.note(&AccessRecord {
            client: client.peer.address,
            scheme: client.scheme,
            date: date.as_str(),
            request: request_line(asked.message),
            status,
            bytes,
            duration: asked.began.elapsed(),
            referer: headers.get(name::REFERER),
            user_agent: headers.get(name::USER_AGENT),
        });
    }
}
