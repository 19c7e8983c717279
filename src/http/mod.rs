//! HTTP messages and their meaning (RFC 9110, 9111, 9112, Fetch), without I/O.
//!
//! Every function here takes bytes or values and returns values: no socket, file, clock, log or lock. The parsers are fuzzed.

pub mod chunked;
pub mod conditional;
pub mod date;
pub mod error;
pub mod forwarded;
pub mod framing;
pub mod grammar;
pub mod headers;
pub mod method;
pub mod negotiation;
pub mod origin;
pub mod range;
pub mod request;
pub mod response;
pub mod status;
pub mod target;
