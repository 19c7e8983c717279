//! HTTP messages and their meaning (RFC 9110, 9111, 9112, Fetch), without I/O.
//!
//! Every function here takes bytes or values and returns values: no socket, file, clock, log or lock. The parsers are fuzzed.

pub mod accept;
pub mod chunked;
pub mod conditional;
pub mod date;
pub mod error;
pub mod field_line;
pub mod forwarded;
pub mod framing;
pub mod grammar;
pub mod headers;
pub mod host;
pub mod method;
pub mod navigation;
pub mod negotiation;
pub mod origin;
pub mod peer;
pub mod qvalue;
pub mod range;
pub mod request;
pub mod request_info;
pub mod response;
pub mod same_origin;
pub mod scan;
pub mod status;
pub mod target;
