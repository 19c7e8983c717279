//! What does the head of a request say, taken together?

use crate::http::error::{Fault, Malformed};
use crate::http::framing::{self, Expectation, Framing};
use crate::http::request::RequestHead;
use crate::http::target::Target;

/// All of a head that decides about the message as a whole.
#[derive(Debug)]
pub struct Understood<'a> {
    /// Which resource is meant.
    pub target: Target<'a>,
    /// How long the content is.
    pub framing: Framing,
    /// Whether the client waits for leave to send it.
    pub expectation: Expectation,
}

/// Reads it.
///
/// # Errors
/// The first rule that is broken, and where.
// Not inlined: see `conn::serve` on the depth of the stack.
#[inline(never)]
pub fn understand<'a>(head: &RequestHead<'a>) -> Result<Understood<'a>, Fault> {
    let target = Target::parse(head)?;
    let fault = |what: Malformed| what.at(framing::place(head, what));
    let framing = framing::of_request(head).map_err(fault)?;
    let expectation = framing::expectation(head).map_err(fault)?;
    Ok(Understood { target, framing, expectation })
}
