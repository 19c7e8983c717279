//! What happens on one connection? The page to read first.
//!
//! A connection is a loop: a head arrives, it is understood, a route answers, the answer is sent; then the next, until one side
//! has had enough. One thread runs it from accept to close, so the place in this file *is* the state of the protocol.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use log::{debug, error, info, warn};

use crate::access_log::{Line, TARGET};
use crate::app::App;
use crate::config::Limits;
use crate::ended::Ended;
use crate::finish::{self, Delimiter, HttpDate, Plan};
use crate::live::Slot;
use crate::message::{Request, Response};
use crate::net::content::{Broken, Intake, Leftover};
use crate::net::deadline::Deadline;
use crate::net::inbox::Inbox;
use crate::net::send::{self, Outbox, Sent};
use crate::net::stream::Stream;
use crate::routes;
use crate::wire::framing::{self, Expectation, Framing, Persistence};
use crate::wire::malformed::Fault;
use crate::wire::method::Method;
use crate::wire::request::{HeadParser, Progress, RequestHead, Version};
use crate::wire::status::Status;
use crate::wire::target::Target;

/// What comes after an exchange.
enum Next {
    /// Another request.
    Request,
    /// The end, and why.
    Close(Ended),
}

/// Why no request was received.
enum NoRequest {
    /// The connection ended, or must.
    Ended(Ended),
    /// What came is no request.
    Fault(Fault),
    /// A head was begun and not finished in time.
    TimedOut,
}

/// What the head of a request says, taken together.
struct Understood<'a> {
    target: Target<'a>,
    framing: Framing,
    expectation: Expectation,
}

struct Connection<'a, S> {
    app: &'a App,
    peer: SocketAddr,
    slot: &'a Slot,
    stream: Deadline<S>,
    inbox: Inbox,
    parser: HeadParser,
    outbox: Outbox,
    date: HttpDate,
    exchanges: u64,
}

/// Serves one connection to its end.
pub fn serve<S: Stream>(stream: S, peer: SocketAddr, app: &App, slot: &Slot) -> Ended {
    let limits = &app.config.limits;
    let mut connection = Connection {
        app,
        peer,
        slot,
        stream: Deadline::new(stream, Instant::now(), limits.head_time_max, limits.progress_time_max),
        inbox: Inbox::new(limits.head.head_bytes_max + 4),
        parser: HeadParser::new(limits.head),
        outbox: Outbox::default(),
        date: HttpDate::at(SystemTime::now()),
        exchanges: 0,
    };
    debug!("{peer} connected");
    let ended = loop {
        if let Next::Close(ended) = connection.exchange() {
            break ended;
        }
    };
    connection.close(&ended);
    debug!("{peer} closed after {} requests: {ended}", connection.exchanges);
    ended
}

impl<S: Stream> Connection<'_, S> {
    /// One request and its answer.
    fn exchange(&mut self) -> Next {
        match self.receive_head() {
            Ok(head_bytes) => self.answer(head_bytes),
            Err(NoRequest::Ended(ended)) => Next::Close(ended),
            Err(NoRequest::Fault(fault)) => {
                self.refuse(Response::malformed(fault.what), self.parser.method(), Ended::Malformed(fault.what))
            }
            Err(NoRequest::TimedOut) => {
                let response = Response::text(Status::REQUEST_TIMEOUT, "the head did not arrive in time (RFC 9110 §15.5.9)");
                self.refuse(response, self.parser.method(), Ended::HeadTimeout)
            }
        }
    }

    /// Waits for a complete head; its length in bytes.
    fn receive_head(&mut self) -> Result<usize, NoRequest> {
        let limits = &self.app.config.limits;
        let evicted = |_| NoRequest::Ended(Ended::Evicted);
        self.parser.reset();
        // The first head is due from accept on; the time for a later one begins with its first byte.
        let mut is_due = self.exchanges == 0;
        let mut is_waiting = false;
        loop {
            match self.parser.advance(self.inbox.bytes()) {
                Ok(Progress::Complete(length)) => return self.slot.active().map(|()| length).map_err(evicted),
                Ok(Progress::Partial) => {}
                Err(fault) => {
                    self.slot.active().map_err(evicted)?;
                    return Err(NoRequest::Fault(fault));
                }
            }
            self.outbox.flush(&mut self.stream).map_err(|error| NoRequest::Ended(Ended::Lost(error)))?;
            if !is_due {
                let now = Instant::now();
                if is_waiting || !self.inbox.is_empty() {
                    is_due = true;
                    self.slot.head(now).map_err(evicted)?;
                    self.stream.begin_reading(now, limits.head_time_max);
                } else {
                    is_waiting = true;
                    self.inbox.rest();
                    self.outbox.rest();
                    self.slot.idle(now).map_err(evicted)?;
                    self.stream.begin_reading(now, limits.idle_time_max);
                }
            }
            match self.inbox.fill(&mut self.stream) {
                Ok(0) => return Err(self.end_of_input()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(self.time_is_over()),
                Err(_) if self.slot.is_evicted() => return Err(NoRequest::Ended(Ended::Evicted)),
                Err(error) => return Err(NoRequest::Ended(Ended::Lost(error))),
            }
        }
    }

    /// The client has closed its side, or we have been evicted, which looks the same.
    fn end_of_input(&self) -> NoRequest {
        if self.slot.active().is_err() {
            NoRequest::Ended(Ended::Evicted)
        } else if self.parser.is_before_request(self.inbox.bytes()) {
            NoRequest::Ended(Ended::ByClient)
        } else {
            NoRequest::Fault(crate::wire::malformed::Malformed::CutShort.at(self.inbox.bytes().len()))
        }
    }

    /// Time is over: for a head that was begun, or for one that never came.
    fn time_is_over(&self) -> NoRequest {
        if self.slot.active().is_err() {
            NoRequest::Ended(Ended::Evicted)
        } else if self.parser.is_before_request(self.inbox.bytes()) {
            NoRequest::Ended(Ended::Idle)
        } else {
            NoRequest::TimedOut
        }
    }

    /// Answers the request whose head is at the beginning of the inbox.
    fn answer(&mut self, head_bytes: usize) -> Next {
        let began = Instant::now();
        let limits = &self.app.config.limits;
        let bytes = self.inbox.bytes();
        let Some(head) = self.parser.head(bytes) else { return Next::Close(Ended::ByClient) };
        let understood = match understand(&head) {
            Ok(understood) => understood,
            Err(fault) => {
                let method = Some(head.method);
                return self.refuse(Response::malformed(fault.what), method, Ended::Malformed(fault.what));
            }
        };
        if understood.framing != Framing::None {
            // The client may wait for our earlier answers before it sends this content.
            if let Err(error) = self.outbox.flush(&mut self.stream) {
                return Next::Close(Ended::Lost(error));
            }
        }
        let early = bytes.get(head_bytes..).unwrap_or_default();
        let mut intake = Intake::new(&mut self.stream, early, understood.framing, understood.expectation, limits);
        let mut request = Request {
            peer: self.peer,
            head: &head,
            target: &understood.target,
            framing: understood.framing,
            content: &mut intake,
        };
        let (response, mut fate) = route(&mut request, self.app);
        let leftover = intake.drain(limits.drain_bytes_max);
        let (response, broken) = instead_of(response, intake.broken());
        let (used, surplus) = intake.into_surplus(early.len());

        let consumed = head_bytes + used;
        let is_last = surplus.is_empty() && consumed == bytes.len();
        fate = fate.or(broken).or((leftover == Leftover::Unread).then_some(Ended::Unread));
        fate = fate.or_else(|| (framing::persistence(&head) == Persistence::Close).then_some(Ended::AsAsked));
        fate = fate.or_else(|| self.app.stop.is_asked().then_some(Ended::Stopping));
        if let Some(Ended::Lost(error)) = fate {
            return Next::Close(Ended::Lost(error));
        }
        let persistence = if fate.is_some() { Persistence::Close } else { Persistence::Persist };
        let plan = finish::plan(&response, Some(head.method), head.version, persistence);
        let delivery = Delivery { stream: &mut self.stream, outbox: &mut self.outbox, date: &mut self.date, limits };
        let flushing = if is_last || fate.is_some() { Flushing::Now } else { Flushing::WithTheNext };
        let sent = delivery.send(response, plan, flushing);
        sent.log(self.peer, request_line(bytes), began, &self.date);
        self.exchanges += 1;
        self.inbox.consume(consumed);
        self.inbox.put_back(&surplus);
        match sent.failed.or(fate) {
            Some(ended) => Next::Close(ended),
            None if plan.persistence == Persistence::Close => Next::Close(Ended::AsAsked),
            None => Next::Request,
        }
    }

    /// Answers what is no proper request, and ends the connection: where the next message begins cannot be known. The method
    /// matters even then, if it could be read: what answers HEAD has no content.
    fn refuse(&mut self, response: Response, method: Option<Method>, ended: Ended) -> Next {
        let began = Instant::now();
        let limits = &self.app.config.limits;
        let plan = finish::plan(&response, method, Version::Http11, Persistence::Close);
        let delivery = Delivery { stream: &mut self.stream, outbox: &mut self.outbox, date: &mut self.date, limits };
        let sent = delivery.send(response, plan, Flushing::Now);
        sent.log(self.peer, request_line(self.inbox.bytes()), began, &self.date);
        self.exchanges += 1;
        Next::Close(sent.failed.unwrap_or(ended))
    }

    /// Ends the connection so that the client gets to read our last answer.
    fn close(&mut self, ended: &Ended) {
        let limits = &self.app.config.limits;
        let now = Instant::now();
        if (ended.client_may_still_send() || !self.inbox.is_empty()) && !ended.is_lost() && self.slot.idle(now).is_ok() {
            self.stream.linger(now, limits.linger_time_max, limits.linger_bytes_max);
        }
    }
}

/// Reads all of a head that decides about the message as a whole.
fn understand<'a>(head: &RequestHead<'a>) -> Result<Understood<'a>, Fault> {
    let target = Target::parse(head)?;
    let framing = framing::of_request(head).map_err(|what| what.at(head.target_at))?;
    let expectation = framing::expectation(head).map_err(|what| what.at(head.target_at))?;
    Ok(Understood { target, framing, expectation })
}

/// Lets a route answer. A handler that panics costs one 500 and one connection.
fn route(request: &mut Request<'_>, app: &App) -> (Response, Option<Ended>) {
    let answered = catch_unwind(AssertUnwindSafe(|| routes::answer(request, app, SystemTime::now())));
    answered.map(|response| (response, None)).unwrap_or_else(|_| {
        error!("a handler panicked; the answer is 500");
        let response = Response::text(Status::INTERNAL_SERVER_ERROR, "a fault of this server, which has been logged");
        (response, Some(Ended::Panicked))
    })
}

/// What is answered if the content of the request broke off, whatever the handler made of that.
fn instead_of(response: Response, broken: Option<Broken>) -> (Response, Option<Ended>) {
    match broken {
        None => (response, None),
        Some(Broken::Malformed(what)) => (Response::malformed(what), Some(Ended::Malformed(what))),
        Some(Broken::TimedOut) => {
            let why = "the content did not arrive in time (RFC 9110 §15.5.9)";
            (Response::text(Status::REQUEST_TIMEOUT, why), Some(Ended::ContentTimeout))
        }
        Some(Broken::Lost(error)) => (response, Some(Ended::Lost(error))),
    }
}

/// Everything up to the end of the first line that is not empty: for the log.
fn request_line(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    bytes.split(|&b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default()
}

/// When the bytes of an answer leave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flushing {
    /// At once.
    Now,
    /// Together with the answer to a request that is here already.
    WithTheNext,
}

/// What sending an answer needs.
struct Delivery<'a, S> {
    stream: &'a mut Deadline<S>,
    outbox: &'a mut Outbox,
    date: &'a mut HttpDate,
    limits: &'a Limits,
}

/// What came of it.
struct Delivered {
    status: Status,
    bytes: u64,
    failed: Option<Ended>,
}

impl<S: Stream> Delivery<'_, S> {
    fn send(self, mut response: Response, plan: Plan, flushing: Flushing) -> Delivered {
        self.date.advance(SystemTime::now());
        finish::head(self.outbox.bytes_mut(), &response, plan, self.date);
        let before_content = self.stream.written() + u64::try_from(self.outbox.bytes_mut().len()).unwrap_or(0);
        let length = response.body.length().unwrap_or(0);
        self.stream.begin_writing(Instant::now(), self.limits.time_for(self.limits.response_time_base, length));
        let status = response.status;
        let mut sent = send::content(self.outbox, self.stream, &mut response, plan);
        if let (Ok(Sent::Whole(_)), Flushing::Now) = (&sent, flushing) {
            sent = self.outbox.flush(self.stream).and(sent);
        }
        match sent {
            Ok(Sent::Whole(bytes)) => Delivered { status, bytes, failed: None },
            Ok(Sent::Broken { bytes, error }) => {
                warn!("an answer broke off: {error}");
                if plan.delimiter == Delimiter::Close {
                    self.stream.reset_on_close();
                }
                Delivered { status, bytes, failed: Some(Ended::BrokeOff) }
            }
            Err(error) => {
                let bytes = self.stream.written().saturating_sub(before_content);
                Delivered { status, bytes, failed: Some(Ended::Lost(error)) }
            }
        }
    }
}

impl Delivered {
    fn log(&self, peer: SocketAddr, request: &[u8], began: Instant, date: &HttpDate) {
        let Delivered { status, bytes, .. } = *self;
        let line = Line { peer: peer.ip(), date: date.as_str(), request, status, bytes, duration: began.elapsed() };
        info!(target: TARGET, "{line}");
    }
}
