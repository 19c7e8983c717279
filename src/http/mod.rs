//! HTTP messages and their semantics (RFC 9110, 9111, 9112, Fetch), without I/O.
//!
//! Every function takes bytes or values and returns values: no socket, file, clock, log or lock. All parsers are fuzzed.
//!
//! From bytes to a request: [`grammar`] has the character classes and lists, [`request`] parses the head into a method, a target and
//! [`headers`], [`target`] decodes the path, and [`framing`] and [`chunked`] find the end of the body. A violated rule is an [`error`].
//!
//! From a request to a response: [`conditional`], [`range`] and [`negotiation`] select what to send, [`origin`] and [`forwarded`] tell where
//! a request comes from, and [`response`] encodes the head.

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
