//! What is a handler given, and what does it give back?
//!
//! A [`Request`] is what the client asked; a [`Response`] is plain data until `server::response_writer` writes it. A handler never sees the
//! connection: it cannot write a byte, and so it cannot write a wrong one.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::files::representation::CachedFile;
use crate::files::version::FileVersion;
use crate::handlers::outcome::Outcome;
use crate::handlers::outcome::{Decision, DecisionTrace};
use crate::http::error::ParseError;
use crate::http::forwarded::Client;
use crate::http::framing::BodyLength;
use crate::http::request::RequestHead;
use crate::http::response::ResponseHeaders;
use crate::http::status::StatusCode;
use crate::http::target::RequestTarget;

/// The content of a request: read it, or leave it. Its trailers are complete once a read has given 0.
pub trait RequestBody: Read {
    /// Calls `each` with the name and value of every trailer field, in order.
    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8]));
}

/// The content of a request that has none.
#[derive(Debug)]
pub struct EmptyBody;

impl Read for EmptyBody {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl RequestBody for EmptyBody {
    fn trailers(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
}

/// A request, as a handler sees it.
pub struct Request<'a> {
    /// Who has connected to us, or to the balancer in front of us.
    pub client: &'a Client,
    /// The head, as it came.
    pub head: &'a RequestHead<'a>,
    /// The target, understood.
    pub target: &'a RequestTarget<'a>,
    /// How the content is delimited.
    pub framing: BodyLength,
    /// The content. Reading it may ask the client to send it (100 Continue).
    pub content: &'a mut dyn RequestBody,
    /// Where decisions are noted; `None` is nowhere.
    pub decisions: Option<&'a DecisionTrace>,
}

impl Request<'_> {
    /// Notes a decision, which is put into words only if somebody wants them.
    pub fn record(&self, note: impl FnOnce() -> Decision) {
        if let Some(notes) = self.decisions {
            notes.add(note());
        }
    }

    /// Reads the whole content, at most `bytes_max` of it.
    ///
    /// # Errors
    /// The response to give instead: 413 where it is too long; where the content breaks off or is malformed, any will do, since
    /// the connection answers for itself then.
    pub fn read_content(&mut self, bytes_max: usize) -> Result<Vec<u8>, Response> {
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let too_large =
            || Response::text(StatusCode::CONTENT_TOO_LARGE, "content longer than this resource takes (RFC 9110 §15.5.14)");
        if matches!(self.framing, BodyLength::Length(length) if length > limit) {
            return Err(too_large());
        }
        let mut content = Vec::new();
        match self.content.take(limit.saturating_add(1)).read_to_end(&mut content) {
            Ok(_) if content.len() > bytes_max => Err(too_large()),
            Ok(_) => Ok(content),
            Err(_) => Err(Response::text(StatusCode::BAD_REQUEST, "the content could not be read")),
        }
    }
}

/// What a page of ours may do, should a name or a path in it ever not be escaped: no script, no frame, no form, nothing loaded.
const GENERATED_CONTENT_CSP: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A part of a representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Index of the first byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

/// Where the bytes of a representation come from.
#[derive(Debug)]
pub enum FileSource {
    /// An open file. It is sent only as long as it is the one that the stamp was taken of.
    Disk(Box<OpenFile>),
    /// Memory.
    Memory(Arc<CachedFile>),
}

/// A file that was found and is open.
#[derive(Debug)]
pub struct OpenFile {
    /// The open file.
    pub file: File,
    /// Which version of it, when its length was looked up.
    pub stamp: FileVersion,
}

/// One part of a multipart content: what stands before it, and which bytes of the representation it is.
#[derive(Debug)]
pub struct Part {
    /// The boundary and the fields of the part, with all its line ends.
    pub head: Vec<u8>,
    /// The bytes of the representation.
    pub slice: Slice,
}

/// Several parts of one representation (RFC 9110 §14.6).
#[derive(Debug)]
pub struct Parts {
    /// Whose parts they are.
    pub source: FileSource,
    /// The parts, in the order in which they are sent.
    pub parts: Vec<Part>,
    /// The closing boundary.
    pub end: Vec<u8>,
}

/// The content of a response. What is large is boxed: a response passes through many hands.
pub enum Body {
    /// None at all.
    Empty,
    /// Bytes at hand.
    Bytes(Cow<'static, [u8]>),
    /// A part of a representation, or all of it.
    Slice(FileSource, Slice),
    /// Several parts of one.
    Parts(Box<Parts>),
    /// Bytes whose number is not known before they end: sent in chunks, or until the connection closes in HTTP/1.0.
    Stream(Box<dyn Read + Send>),
}

impl Body {
    /// How many bytes it has; `None` for a stream.
    pub fn length(&self) -> Option<u64> {
        let of = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match self {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(of(bytes)),
            Body::Slice(_, slice) => Some(slice.length),
            Body::Parts(parts) => {
                Some(parts.parts.iter().map(|part| of(&part.head) + part.slice.length).sum::<u64>() + of(&parts.end))
            }
            Body::Stream(_) => None,
        }
    }
}

/// An answer.
pub struct Response {
    /// How it went.
    pub status: StatusCode,
    /// The fields that the handler has something to say about. `finish` adds what all responses carry.
    pub fields: ResponseHeaders,
    /// The content.
    pub body: Body,
    /// What was found.
    pub outcome: Outcome,
    /// What [`Response::text`] says beside the status, for those who show it in another form.
    pub reason: Option<&'static str>,
}

impl Response {
    /// An answer without content.
    pub fn new(status: StatusCode) -> Response {
        Response { status, fields: ResponseHeaders::default(), body: Body::Empty, outcome: Outcome::default(), reason: None }
    }

    /// The same answer, and why.
    pub fn outcome(mut self, because: Outcome) -> Response {
        self.outcome = because;
        self
    }

    /// The same answer with another content.
    pub fn with_body(mut self, body: Body) -> Response {
        self.body = body;
        self
    }

    /// An answer with bytes of some media type that are ours, not a file of the site: a page of it may style itself, and do nothing else.
    pub fn with_content(
        status: StatusCode,
        media_type: impl Into<Cow<'static, str>>,
        content: impl Into<Cow<'static, [u8]>>,
    ) -> Response {
        let mut response = Response::new(status);
        response.fields.push("Content-Type", media_type);
        response.fields.push("Content-Security-Policy", GENERATED_CONTENT_CSP);
        response.fields.push("Referrer-Policy", "no-referrer");
        response.body = Body::Bytes(content.into());
        response
    }

    /// A short plain text: the status, and why.
    pub fn text(status: StatusCode, why: &'static str) -> Response {
        let text = format!("{} {}: {why}\n", status.as_u16(), status.phrase());
        let response = Response::with_content(status, "text/plain; charset=utf-8", text.into_bytes());
        Response { reason: Some(why), ..response }
    }

    /// The answer to a malformed request.
    pub fn malformed(what: ParseError) -> Response {
        Response::text(what.status(), what.message())
    }

    /// The answer to a failure to open or read something of ours. It says nothing about where or what.
    pub fn from_io_error(error: &io::Error) -> Response {
        use io::ErrorKind as K;
        match error.kind() {
            K::NotFound | K::NotADirectory | K::InvalidFilename | K::IsADirectory => {
                Response::text(StatusCode::NOT_FOUND, "nothing here has that name")
            }
            K::PermissionDenied => Response::text(StatusCode::FORBIDDEN, "this server may not read that"),
            K::QuotaExceeded | K::OutOfMemory | K::ResourceBusy => {
                Response::text(StatusCode::SERVICE_UNAVAILABLE, "too busy, try again").header("Retry-After", "1")
            }
            _ => Response::text(StatusCode::INTERNAL_SERVER_ERROR, "this could not be read"),
        }
    }

    /// The same answer with one more field.
    pub fn header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Response {
        self.fields.push(name, value);
        self
    }
}
