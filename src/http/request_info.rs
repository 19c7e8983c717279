//! What does the head of a request say, taken together?

use crate::http::error::{LocatedError, ParseError};
use crate::http::framing::{self, BodyLength, Expectation};
use crate::http::request::RequestHead;
use crate::http::target::RequestTarget;

/// All of a head that decides about the message as a whole.
#[derive(Debug)]
pub struct RequestInfo<'a> {
    /// Which resource is meant.
    pub target: RequestTarget<'a>,
    /// How long the content is.
    pub framing: BodyLength,
    /// Whether the client waits for leave to send it.
    pub expectation: Expectation,
}

/// Reads it.
///
/// # Errors
/// The first rule that is broken, and where.
pub fn validate<'a>(head: &RequestHead<'a>) -> Result<RequestInfo<'a>, LocatedError> {
    let target = RequestTarget::parse(head)?;
    let fault = |what: ParseError| what.with_offset(framing::error_offset(head, what));
    let framing = framing::request_body_length(head).map_err(fault)?;
    let expectation = framing::expectation(head).map_err(fault)?;
    Ok(RequestInfo { target, framing, expectation })
}
