//! What happens on one connection? The page to read first.
//!
//! A connection is a loop: a head arrives, it is understood, a route answers, the answer is sent; then the next, until one side
//! has had enough. One thread runs it from accept to close, so the place in this file *is* the state of the protocol.

use std::io;
use std::time::{Instant, SystemTime};

use log::debug;

use crate::handlers::AppState;
use crate::handlers::message::Response;
use crate::handlers::outcome::DecisionTrace;
use crate::handlers::page;
use crate::http::date::HttpDate;
use crate::http::error::{LocatedError, ParseError};
use crate::http::forwarded::Client;
use crate::http::framing::{self, BodyLength, KeepAlive};
use crate::http::method::Method;
use crate::http::peer::PeerAddr;
use crate::http::request::{Progress, RequestParser, Version};
use crate::http::request_info::validate;
use crate::http::status::StatusCode;
use crate::net::deadline::DeadlineStream;
use crate::net::read_buffer::ReadBuffer;
use crate::net::transport::Transport;
use crate::server::close_reason::CloseReason;
use crate::server::conn_state::ConnState;
use crate::server::delivery::{Flushing, LogContext, ResponseWriter, SendResult};
use crate::server::exchange::{Asking, Exchange, Unanswered};
use crate::server::proxy_header;
use crate::server::response_framing::{self, ResponseFraming};
use crate::server::response_writer::WriteBuffer;
use crate::telemetry::metrics::{ConnectionMetrics, Metrics};

/// What comes after an exchange.
enum Next {
    /// Another request.
    Request,
    /// The end, and why.
    Close(CloseReason),
}

/// Why no request was received.
enum RequestError {
    /// The connection ended, or must.
    Ended(CloseReason),
    /// What came is no request.
    Fault(LocatedError),
    /// A head was begun and not finished in time.
    TimedOut,
}

struct Connection<'a, S> {
    app: &'a AppState,
    client: Client,
    slot: &'a ConnState,
    stream: DeadlineStream<S>,
    read_buffer: ReadBuffer,
    parser: RequestParser,
    write_buffer: WriteBuffer,
    outcome: Exchange,
    date: HttpDate,
    exchanges: u64,
    /// Where it is counted; `None` is nowhere.
    metrics: Option<ConnectionMetrics<'a>>,
}

/// Serves one connection to its end.
///
/// A stack never shrinks: what a waiting connection costs is how deep it once was, in whole pages. So what lives as long as the
/// connection is boxed, and the steps of an exchange are not inlined here, where the locals of all of them would lie side by side.
pub fn serve_connection<S: Transport>(stream: S, peer: PeerAddr, app: &AppState, slot: &ConnState) -> CloseReason {
    let mut connection = Connection::begin(stream, peer, app, slot);
    debug!("{peer} connected");
    let ended = connection.run();
    connection.close(&ended);
    if let Some(visit) = &mut connection.metrics {
        visit.moved(connection.stream.received(), connection.stream.written());
        visit.set_close_reason(&ended);
    }
    debug!("{peer} closed after {} requests: {ended}", connection.exchanges);
    ended
}

impl<'a, S: Transport> Connection<'a, S> {
    fn begin(stream: S, peer: PeerAddr, app: &'a AppState, slot: &'a ConnState) -> Box<Connection<'a, S>> {
        let limits = &app.config.limits;
        let visit = app.metrics.as_ref().map(Metrics::connection);
        Box::new(Connection {
            app,
            client: Client::from_peer(peer),
            slot,
            stream: DeadlineStream::new(stream, Instant::now(), limits.header_timeout, limits.stall_timeout),
            read_buffer: ReadBuffer::new(limits.head.head_bytes_max + 4),
            parser: RequestParser::new(limits.head),
            write_buffer: WriteBuffer::default(),
            outcome: Exchange::none(),
            date: HttpDate::new(SystemTime::now()),
            exchanges: 0,
            metrics: visit,
        })
    }

    /// All of it, to its end, and why it ended.
    fn run(&mut self) -> CloseReason {
        let Connection { stream, read_buffer: inbox, slot, client: from, app, .. } = self;
        match proxy_header::read_proxy_header(stream, inbox, slot, from.peer, &app.config.proxies) {
            Ok(client) => self.client = client,
            Err(ended) => return ended,
        }
        loop {
            if let Next::Close(ended) = self.serve_request() {
                return ended;
            }
        }
    }

    /// One request and its answer.
    fn serve_request(&mut self) -> Next {
        match self.receive_head() {
            Ok(head_bytes) => self.dispatch(head_bytes),
            Err(RequestError::Ended(ended)) => Next::Close(ended),
            Err(RequestError::Fault(fault)) => self.reject_malformed(fault),
            Err(RequestError::TimedOut) => self.reject_timeout(),
        }
    }

    /// Waits for a complete head; its length in bytes.
    fn receive_head(&mut self) -> Result<usize, RequestError> {
        let limits = &self.app.config.limits;
        let evicted = |_| RequestError::Ended(CloseReason::Evicted);
        self.parser.reset();
        // The first head is due from accept on; the time for a later one begins with its first byte.
        let mut is_due = self.exchanges == 0;
        let mut is_waiting = false;
        loop {
            match self.parser.parse(self.read_buffer.bytes()) {
                Ok(Progress::Complete(length)) => return self.slot.set_active().map(|()| length).map_err(evicted),
                Ok(Progress::Partial) => {}
                Err(fault) => {
                    self.slot.set_active().map_err(evicted)?;
                    return Err(RequestError::Fault(fault));
                }
            }
            self.write_buffer.flush(&mut self.stream).map_err(|error| RequestError::Ended(CloseReason::Io(error)))?;
            if !is_due {
                let now = Instant::now();
                if is_waiting || !self.read_buffer.is_empty() {
                    is_due = true;
                    self.slot.set_reading_head(now).map_err(evicted)?;
                    self.stream.begin_reading(now, limits.header_timeout);
                } else if let Some(count) = self.try_fill()? {
                    match count {
                        0 => return Err(self.on_eof()),
                        _ => continue,
                    }
                } else {
                    is_waiting = true;
                    self.read_buffer.shrink();
                    self.write_buffer.shrink();
                    self.slot.set_idle(now).map_err(evicted)?;
                    self.stream.begin_reading(now, limits.keep_alive_timeout);
                }
            }
            match self.read_buffer.fill(&mut self.stream) {
                Ok(0) => return Err(self.on_eof()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.on_timeout()),
                Err(_) if self.slot.is_evicted() => return Err(RequestError::Ended(CloseReason::Evicted)),
                Err(error) => return Err(RequestError::Ended(CloseReason::Io(error))),
            }
        }
    }

    /// The next request of a busy client may be here before we could go to sleep.
    fn try_fill(&mut self) -> Result<Option<usize>, RequestError> {
        self.read_buffer.try_fill(&mut self.stream).map_err(|error| RequestError::Ended(CloseReason::Io(error)))
    }

    /// The client has closed its side, or we have been evicted, which looks the same.
    fn on_eof(&self) -> RequestError {
        if self.slot.set_active().is_err() {
            RequestError::Ended(CloseReason::Evicted)
        } else if self.parser.is_at_message_start(self.read_buffer.bytes()) {
            RequestError::Ended(CloseReason::ClientClosed)
        } else {
            RequestError::Fault(ParseError::CutShort.with_offset(self.read_buffer.bytes().len()))
        }
    }

    /// Time is over: for a head that was begun, or for one that never came.
    fn on_timeout(&self) -> RequestError {
        if self.slot.set_active().is_err() {
            RequestError::Ended(CloseReason::Evicted)
        } else if self.parser.is_at_message_start(self.read_buffer.bytes()) {
            RequestError::Ended(CloseReason::IdleTimeout)
        } else {
            RequestError::TimedOut
        }
    }

    /// Answers the request whose head is at the beginning of the inbox.
    fn dispatch(&mut self, head_bytes: usize) -> Next {
        let began = Instant::now();
        match self.handle_request(head_bytes) {
            Ok(()) => self.send_response(head_bytes, began),
            Err(Unanswered::Malformed(what)) => self.reject_invalid(what),
            Err(Unanswered::Lost(error)) => Next::Close(CloseReason::Io(error)),
            Err(Unanswered::Evicted) => Next::Close(CloseReason::Evicted),
        }
    }

    /// Lets a route answer the request, and leaves the connection where the next one begins, if there can be one.
    fn handle_request(&mut self, head_bytes: usize) -> Result<(), Unanswered> {
        let bytes = self.read_buffer.bytes();
        let head = self.parser.head(bytes).ok_or(Unanswered::Malformed(ParseError::CutShort))?;
        let understood = validate(&head).map_err(|fault| {
            self.explain_fault(fault);
            Unanswered::Malformed(fault.error)
        })?;
        if let Some(explain) = &self.app.explain {
            let bytes = bytes.get(..head_bytes).unwrap_or_default();
            explain.request(bytes, &head, &understood.target, understood.framing, understood.expectation);
        }
        let notes = self.app.explain.as_ref().map(|_| Box::<DecisionTrace>::default());
        let (app, from) = (self.app, &self.client);
        let asking = Asking { app, from, head: &head, understood: &understood, notes: notes.as_deref() };
        let outcome = &mut self.outcome;
        if understood.framing == BodyLength::None {
            asking.handle(outcome);
        } else {
            // The client may wait for our earlier answers before it sends this content.
            self.write_buffer.flush(&mut self.stream).map_err(Unanswered::Lost)?;
            let early = bytes.get(head_bytes..).unwrap_or_default();
            asking.handle_with_body(&mut self.stream, self.slot, early, outcome)?;
        }
        if let (Some(explain), Some(notes)) = (&self.app.explain, notes) {
            explain.decisions(*notes);
        }
        Ok(())
    }

    /// Sends an answer, and makes the inbox ready for the next request.
    fn send_response(&mut self, head_bytes: usize, began: Instant) -> Next {
        let Exchange { response, close_reason: fate, body_bytes_used: used, read_ahead: surplus } =
            std::mem::replace(&mut self.outcome, Exchange::none());
        if let Some(CloseReason::Io(error)) = fate {
            return Next::Close(CloseReason::Io(error));
        }
        let bytes = self.read_buffer.bytes();
        let (method, version) = self.parser.method_and_version().unzip();
        let consumed = head_bytes + used;
        let nothing_follows = surplus.is_empty() && consumed == bytes.len();
        let mut plan = response_framing::plan(&response, method, version.unwrap_or(Version::Http11), KeepAlive::Yes);
        let closing = self.close_reason(fate, &plan);
        if closing.is_some() {
            plan.persistence = KeepAlive::No;
        }
        let flushing = if nothing_follows || closing.is_some() { Flushing::Now } else { Flushing::WithTheNext };
        let sent = self.delivery().send(response, plan, flushing);
        self.note(&sent, began, closing.as_ref());
        self.exchanges += 1;
        self.read_buffer.consume(consumed);
        self.read_buffer.unread(&surplus);
        let next = sent.failed.or(closing).map_or(Next::Request, Next::Close);
        if let Some(explain) = &self.app.explain {
            explain.connection(plan, if let Next::Close(ended) = &next { Some(ended) } else { None });
        }
        next
    }

    /// Decides whether the connection ends with this exchange, and why (RFC 9112 §9.3, §9.6). This is the only place that decides it:
    /// the response's Connection field, the flush and the close all follow from what this returns.
    fn close_reason(&self, fate: Option<CloseReason>, plan: &ResponseFraming) -> Option<CloseReason> {
        let head = self.parser.head(self.read_buffer.bytes());
        let is_asked = head.is_none_or(|head| framing::keep_alive(&head) == KeepAlive::No);
        let asked = (is_asked || plan.needs_close()).then_some(CloseReason::ConnectionClose);
        fate.or(asked).or_else(|| self.app.stop.is_requested().then_some(CloseReason::ShuttingDown))
    }

    /// Shows the byte that broke the message.
    fn explain_fault(&self, fault: LocatedError) {
        if let Some(explain) = &self.app.explain {
            explain.parse_error(self.read_buffer.bytes(), fault);
        }
    }

    /// Answers a head that was begun and not finished in time.
    fn reject_timeout(&mut self) -> Next {
        let response = Response::text(StatusCode::REQUEST_TIMEOUT, "the head did not arrive in time (RFC 9110 §15.5.9)");
        self.reject(response, self.parser.method(), CloseReason::HeadTimeout)
    }

    /// Answers what is no head, in a line: what its fields say cannot be relied on.
    fn reject_malformed(&mut self, fault: LocatedError) -> Next {
        self.explain_fault(fault);
        self.reject(Response::malformed(fault.error), self.parser.method(), CloseReason::Malformed(fault.error))
    }

    /// Answers a head that could be read and says what it must not, as its client reads answers.
    fn reject_invalid(&mut self, what: ParseError) -> Next {
        let head = self.parser.head(self.read_buffer.bytes());
        let response = head.map_or_else(|| Response::malformed(what), |head| page::malformed(what, &head.headers));
        self.reject(response, self.parser.method(), CloseReason::Malformed(what))
    }

    /// Answers what is no proper request, and ends the connection: where the next message begins cannot be known. The method
    /// matters even then, if it could be read: what answers HEAD has no content.
    fn reject(&mut self, response: Response, method: Option<Method>, ended: CloseReason) -> Next {
        let began = Instant::now();
        let plan = response_framing::plan(&response, method, Version::Http11, KeepAlive::No);
        let sent = self.delivery().send(response, plan, Flushing::Now);
        self.note(&sent, began, Some(&ended));
        let ended = sent.failed.unwrap_or(ended);
        if let Some(explain) = &self.app.explain {
            explain.connection(plan, Some(&ended));
        }
        self.exchanges += 1;
        Next::Close(ended)
    }

    /// What sending an answer needs.
    fn delivery(&mut self) -> ResponseWriter<'_, S> {
        let (config, explain) = (&self.app.config, self.app.explain.as_ref());
        ResponseWriter { stream: &mut self.stream, outbox: &mut self.write_buffer, date: &mut self.date, config, explain }
    }

    /// Notes an exchange while its request still stands in the inbox.
    fn note(&mut self, sent: &SendResult, began: Instant, fate: Option<&CloseReason>) {
        if let Some(visit) = &mut self.metrics {
            visit.moved(self.stream.received(), self.stream.written());
            visit.exchange(sent.status, fate, began.elapsed());
        }
        let message = self.read_buffer.bytes();
        sent.note(self.app, LogContext { from: self.client, message, head: self.parser.head(message), began }, &self.date);
    }

    /// Ends the connection so that the client gets to read our last answer: whatever is still buffered is written first.
    fn close(&mut self, ended: &CloseReason) {
        let limits = &self.app.config.limits;
        if !ended.is_lost() && self.write_buffer.flush(&mut self.stream).is_err() {
            return;
        }
        let now = Instant::now();
        if (ended.needs_lingering_close() || !self.read_buffer.is_empty()) && !ended.is_lost() && self.slot.set_idle(now).is_ok()
        {
            self.stream.linger(now, limits.linger_timeout, limits.linger_bytes_max);
        }
    }
}
