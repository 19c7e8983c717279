//! How does an answer leave, and what is noted of it?
//!
//! The last page of an exchange: the response is framed, its head and content are written, and a line of the log says so.

use std::io;
use std::time::{Instant, SystemTime};

use log::warn;

use crate::config::Config;
use crate::handlers::AppState;
use crate::handlers::message::Response;
use crate::http::date::HttpDate;
use crate::http::forwarded::{self, Client, TrustedProxies};
use crate::http::framing::KeepAlive;
use crate::http::headers::{Headers, name};
use crate::http::request::RequestHead;
use crate::http::status::StatusCode;
use crate::net::deadline::DeadlineStream;
use crate::net::transport::Transport;
use crate::server::close_reason::CloseReason;
use crate::server::explain::Explain;
use crate::server::response_framing::{self, Delimiter, ResponseFraming};
use crate::server::response_writer::{self, Sent, WriteBuffer};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::log_format::AccessRecord;

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
        response_framing::write_head(self.outbox.bytes_mut(), &response, plan, &self.config.common, self.date);
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
