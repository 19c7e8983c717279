//! How is a route asked, and what is left of the content then?
//!
//! Most requests have no content, and need nothing of what reads it: they take a way of their own, whose stack is shallow.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use log::error;

use crate::handlers::AppState;
use crate::handlers::message::{EmptyBody, Request, RequestBody, Response};
use crate::handlers::outcome::DecisionTrace;
use crate::handlers::outcome::Outcome;
use crate::handlers::{self, page};
use crate::http::error::ParseError;
use crate::http::forwarded::Client;
use crate::http::headers::Headers;
use crate::http::request::RequestHead;
use crate::http::request_info::RequestInfo;
use crate::http::status::StatusCode;
use crate::net::deadline::DeadlineStream;
use crate::net::transport::Transport;
use crate::server::close_reason::CloseReason;
use crate::server::conn_state::{ConnState, Evicted};
use crate::server::request_body::{BodyError, BodyReader, Leftover};

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
            *response = page::malformed(what, headers).outcome(Outcome::BrokenContent(what));
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
