//! HTTP messages and their semantics (RFC 9110, 9111, 9112, Fetch), without I/O.
//!
//! Every function takes bytes or values and returns values: no socket, file, clock, log or lock. All parsers are fuzzed.
//!
//! From bytes to a request: [`grammar`] has the character classes and lists, [`request`] parses the head into a method, a target and
//! [`headers`], [`target`] decodes the path, and [`framing`] and [`chunked`] find the end of the body. A violated rule is an [`error`].
//!
//! From a request to a response: [`conditional`], [`range`] and [`negotiation`] select what to send, [`origin`] and [`forwarded`] tell where
//! a request comes from, and [`response`] encodes the head.
//!
//! ```
//! use threadbare::http::framing::BodyLength;
//! use threadbare::http::range::{ByteRange, RangeSet, parse_range};
//! use threadbare::http::request::{HeadLimits, Progress, RequestParser};
//!
//! let bytes = b"GET /a%20b/../c?x=1 HTTP/1.1\r\nHost: localhost\r\nRange: bytes=-5\r\n\r\n";
//! let mut parser = RequestParser::new(HeadLimits::default());
//! assert_eq!(parser.parse(bytes), Ok(Progress::Complete(bytes.len())));
//!
//! let head = parser.head(bytes).unwrap();
//! let info = head.validate().unwrap();
//! assert_eq!(info.target.path(), b"/c");
//! assert_eq!(info.body_length, BodyLength::None);
//! assert_eq!(parse_range(head.headers.get("range"), 100), RangeSet::Single(ByteRange { start: 95, length: 5 }));
//! ```

pub mod chunked;
pub mod conditional;
pub mod date;
pub mod error;
pub mod forwarded;
pub mod framing;
pub mod grammar;
pub mod headers;
pub mod method;
pub mod multipart;
pub mod negotiation;
pub mod origin;
pub mod range;
pub mod request;
pub mod response;
pub mod status;
pub mod target;
