//! Requests as handlers see them, and responses as they return them.
//!
//! A [`Response`] is data until `server::response_writer` writes it. A handler never sees the connection.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Read};

use crate::files::representation::FileSource;
use crate::handlers::outcome::{Decision, Outcome};
use crate::http::error::ParseError;
use crate::http::forwarded::{Client, PeerAddr};
use crate::http::framing::BodyLength;
use crate::http::range::ByteRange;
use crate::http::request::RequestHead;
use crate::http::response::ResponseHeaders;
use crate::http::status::StatusCode;
use crate::http::target::RequestTarget;
use crate::net::budget::HeldMemory;

/// Content-Security-Policy of generated content, in case a name in it is ever not escaped: no script, no frame, no form, nothing loaded.
const GENERATED_CONTENT_CSP: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Why the body of a request could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body is malformed or incomplete.
    Malformed(ParseError),
    /// The connection failed, or the body did not arrive in time.
    Io(io::ErrorKind),
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> BodyError {
        BodyError::Io(error.kind())
    }
}

/// The body of a request. A handler may read all of it, a part or nothing.
pub trait RequestBody {
    /// Reads some bytes into `buffer` and returns their number; 0 is the end. Once it has failed, it fails again.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError>;
    /// Calls `each` with the name and value of every trailer field, in order. They are complete once a read has returned 0.
    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8]));
}

/// The body of a request that has none.
impl RequestBody for io::Empty {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, BodyError> {
        Ok(0)
    }

    fn trailers(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
}

/// A request.
pub struct Request<'a> {
    /// The other end of the connection, or the client that the PROXY header names.
    pub peer: PeerAddr,
    /// The client of this request: `peer`, or what a trusted proxy says in `Forwarded` or `X-Forwarded-For`.
    pub client: &'a Client,
    /// The head as received.
    pub head: &'a RequestHead<'a>,
    /// The parsed target.
    pub target: &'a RequestTarget<'a>,
    /// How the body is delimited.
    pub body_length: BodyLength,
    /// The body. Reading it may send 100 Continue.
    pub content: &'a mut dyn RequestBody,
    /// Memory for the body and the response, which is released when the response has been sent.
    pub memory: &'a mut HeldMemory,
    /// Decisions about how much of a file is sent, in order; `None` without `--explain`.
    pub decisions: Option<&'a RefCell<Vec<Decision>>>,
}

impl Request<'_> {
    /// Records a decision, which is built only with `--explain`.
    pub fn record(&self, decision: impl FnOnce() -> Decision) {
        if let Some(decisions) = self.decisions {
            decisions.borrow_mut().push(decision());
        }
    }

    /// Reads the whole body through `buffer`, and calls `each` with each piece of it.
    ///
    /// # Errors
    /// The response to send: 413 with the reason `too_long` if it has more than `bytes_max` bytes, or that of `each`. If the body is
    /// incomplete or malformed, the connection sends its own response instead of the one returned here.
    pub fn read_body(
        &mut self,
        buffer: &mut [u8],
        bytes_max: u64,
        too_long: &'static str,
        mut each: impl FnMut(&[u8], &mut HeldMemory) -> Result<(), Response>,
    ) -> Result<(), Response> {
        let too_long = || Response::text(StatusCode::CONTENT_TOO_LARGE, too_long);
        // A body that is announced as too long is not read, and 100 Continue is not sent.
        if self.body_length.known().is_some_and(|length| length > bytes_max) {
            return Err(too_long());
        }
        let mut left = bytes_max;
        loop {
            let read = self.content.read(buffer);
            let count = read.map_err(|_| Response::text(StatusCode::BAD_REQUEST, "the content could not be read"))?;
            if count == 0 {
                return Ok(());
            }
            let piece = buffer.split_at(count).0;
            left = left.checked_sub(length_of(piece)).ok_or_else(too_long)?;
            each(piece, self.memory)?;
        }
    }
}

/// Bytes in memory, and then bytes of a file: one part of a multipart body (RFC 9110 §14.6), or its end.
#[derive(Debug)]
pub struct Part {
    /// The boundary and the fields of the part, with all line ends; or the closing boundary.
    pub head: Vec<u8>,
    /// The bytes of the file; none at the end.
    pub range: ByteRange,
}

/// Several parts of one file.
#[derive(Debug)]
pub struct Parts {
    /// The file.
    pub source: FileSource,
    /// The parts, in the order in which they are sent, and the end.
    pub parts: Vec<Part>,
}

/// The body of a response.
pub enum Body {
    /// Bytes in memory.
    Bytes(Cow<'static, [u8]>),
    /// A range of a file.
    Slice(FileSource, ByteRange),
    /// Several ranges of a file.
    Parts(Box<Parts>),
    /// So many bytes.
    Sized(Box<dyn Read + Send>, u64),
    /// Bytes of unknown number: sent in chunks, or until the connection closes in HTTP/1.0.
    Stream(Box<dyn Read + Send>),
}

impl Body {
    /// Its length in bytes; `None` for a stream.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Bytes(bytes) => Some(length_of(bytes)),
            Body::Slice(_, range) => Some(range.length),
            Body::Parts(body) => Some(body.parts.iter().map(|part| length_of(&part.head) + part.range.length).sum()),
            Body::Sized(_, length) => Some(*length),
            Body::Stream(_) => None,
        }
    }
}

/// The number of bytes. It is exact, since no system has a `usize` of more than 64 bits.
pub fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A response.
pub struct Response {
    /// Its status code.
    pub status: StatusCode,
    /// The header fields of the handler; the response writer adds those of every response.
    pub fields: ResponseHeaders,
    /// Its body.
    pub body: Body,
    /// Why the handler produced it.
    pub outcome: Outcome,
    /// The text of [`Response::text`], for other forms of the same response.
    pub reason: Option<Box<str>>,
}

impl Response {
    /// A response without header fields and body.
    pub fn new(status: StatusCode) -> Response {
        let body = Body::Bytes(Cow::Borrowed(b""));
        Response { status, fields: ResponseHeaders::default(), body, outcome: Outcome::NoRequest, reason: None }
    }

    /// A response with generated content, which cannot load or run anything.
    pub fn with_content(status: StatusCode, media_type: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Response {
        Response::new(status)
            .header("Content-Type", media_type)
            .header("Content-Security-Policy", GENERATED_CONTENT_CSP)
            .header("Referrer-Policy", "no-referrer")
            .with_body(Body::Bytes(content.into()))
    }

    /// A line of plain text: the status and the reason.
    pub fn text(status: StatusCode, reason: impl Into<Box<str>>) -> Response {
        let reason = reason.into();
        let text = [&*status.as_u16().to_string(), " ", status.canonical_reason(), ": ", &*reason, "\n"].concat();
        let response = Response::with_content(status, "text/plain; charset=utf-8", text.into_bytes());
        Response { reason: Some(reason), ..response }
    }

    /// 503, after which the client may try again in a second.
    pub fn unavailable(reason: &'static str) -> Response {
        Response::text(StatusCode::SERVICE_UNAVAILABLE, reason).header("Retry-After", "1")
    }

    /// The response to a malformed request.
    pub fn malformed(error: ParseError) -> Response {
        Response::text(error.status(), error.message())
    }

    /// The response to a request with a precondition that is false.
    pub fn precondition_failed() -> Response {
        Response::text(StatusCode::PRECONDITION_FAILED, "a precondition of the request is false (RFC 9110 §15.5.13)")
    }

    /// The response to a failure to open or read a file or directory. It reveals neither its path nor the cause.
    pub fn from_io_error(error: &io::Error) -> Response {
        use io::ErrorKind as K;
        match error.kind() {
            K::NotFound => Response::text(StatusCode::NOT_FOUND, NOT_FOUND),
            K::PermissionDenied => Response::text(StatusCode::FORBIDDEN, "this server has no permission to read it"),
            K::QuotaExceeded | K::OutOfMemory | K::ResourceBusy => Response::unavailable("too busy, try again"),
            _ => Response::text(StatusCode::INTERNAL_SERVER_ERROR, "this could not be read"),
        }
    }

    /// Sets the outcome.
    pub fn outcome(mut self, outcome: Outcome) -> Response {
        self.outcome = outcome;
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: Body) -> Response {
        self.body = body;
        self
    }

    /// Appends a header field.
    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Response {
        self.fields.push(name, value);
        self
    }
}

/// The reason of every 404 response.
pub const NOT_FOUND: &str = "there is nothing at this address";
