//! What is a handler given, and what does it give back?
//!
//! A [`Request`] is what the client asked; a [`Response`] is plain data until `net::send` writes it. A handler never sees the
//! connection: it cannot write a byte, and so it cannot write a wrong one.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use crate::stamp::Stamp;
use crate::wire::framing::Framing;
use crate::wire::malformed::Malformed;
use crate::wire::request::RequestHead;
use crate::wire::status::Status;
use crate::wire::target::Target;

/// The content of a request: read it, or leave it. Its trailers are complete once a read has given 0.
pub trait Content: Read {
    /// Calls `each` with the name and value of every trailer field, in order.
    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8]));
}

/// A request, as a handler sees it.
pub struct Request<'a> {
    /// Who asks.
    pub peer: SocketAddr,
    /// The head, as it came.
    pub head: &'a RequestHead<'a>,
    /// The target, understood.
    pub target: &'a Target<'a>,
    /// How the content is delimited.
    pub framing: Framing,
    /// The content. Reading it may ask the client to send it (100 Continue).
    pub content: &'a mut dyn Content,
}

impl Request<'_> {
    /// Reads the whole content, at most `bytes_max` of it.
    ///
    /// # Errors
    /// The response to give instead: 413 where it is too long; where the content breaks off or is malformed, any will do, since
    /// the connection answers for itself then.
    pub fn read_content(&mut self, bytes_max: usize) -> Result<Vec<u8>, Response> {
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let too_large =
            || Response::text(Status::CONTENT_TOO_LARGE, "content longer than this resource takes (RFC 9110 §15.5.14)");
        if matches!(self.framing, Framing::Length(length) if length > limit) {
            return Err(too_large());
        }
        let mut content = Vec::new();
        match self.content.take(limit.saturating_add(1)).read_to_end(&mut content) {
            Ok(_) if content.len() > bytes_max => Err(too_large()),
            Ok(_) => Ok(content),
            Err(_) => Err(Response::text(Status::BAD_REQUEST, "the content could not be read")),
        }
    }
}

/// What a page of ours may do, should a name or a path in it ever not be escaped: no script, no frame, no form, nothing loaded.
const OWN_PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As many fields as a handler usually sets: room for them is made once.
const FIELDS_USUAL: usize = 8;

/// The fields of a response, in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Fields {
    lines: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl Fields {
    /// Appends a field.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        self.lines.push((name.into(), value.into()));
    }

    /// The value of the first field of that name, ASCII case ignored.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Name and value of each field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Takes all fields of that name out.
    pub fn remove(&mut self, name: &str) {
        self.lines.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

/// A part of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Index of the first byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

/// One part of a multipart content: what stands before it, and which bytes of the file it is.
#[derive(Debug)]
pub struct Part {
    /// The boundary and the fields of the part, with all its line ends.
    pub head: Vec<u8>,
    /// The bytes of the file.
    pub slice: Slice,
}

/// The content of a response.
pub enum Body {
    /// None at all.
    Empty,
    /// Bytes at hand.
    Bytes(Cow<'static, [u8]>),
    /// A part of a file, or all of it. It is sent only as long as the file is the one that the stamp was taken of.
    File {
        /// The open file.
        file: File,
        /// Which file it was when its length was looked up.
        stamp: Stamp,
        /// Which part of it.
        slice: Slice,
    },
    /// Several parts of one file (RFC 9110 §14.6).
    Parts {
        /// The open file.
        file: File,
        /// Which file it was.
        stamp: Stamp,
        /// The parts, in the order in which they are sent.
        parts: Vec<Part>,
        /// The closing boundary.
        end: Vec<u8>,
    },
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
            Body::File { slice, .. } => Some(slice.length),
            Body::Parts { parts, end, .. } => {
                Some(parts.iter().map(|part| of(&part.head) + part.slice.length).sum::<u64>() + of(end))
            }
            Body::Stream(_) => None,
        }
    }
}

/// An answer. Boxed, since it passes through many hands, and each would keep room for all of it on its stack.
pub struct Response(Box<ResponseParts>);

/// What an answer consists of.
pub struct ResponseParts {
    /// How it went.
    pub status: Status,
    /// The fields that the handler has something to say about. `finish` adds what all responses carry.
    pub fields: Fields,
    /// The content.
    pub body: Body,
}

impl Deref for Response {
    type Target = ResponseParts;

    fn deref(&self) -> &ResponseParts {
        &self.0
    }
}

impl DerefMut for Response {
    fn deref_mut(&mut self) -> &mut ResponseParts {
        &mut self.0
    }
}

impl Response {
    /// An answer without content.
    pub fn new(status: Status) -> Response {
        Response(Box::new(ResponseParts {
            status,
            fields: Fields { lines: Vec::with_capacity(FIELDS_USUAL) },
            body: Body::Empty,
        }))
    }

    /// The same answer with another content.
    pub fn with_body(mut self, body: Body) -> Response {
        self.body = body;
        self
    }

    /// An answer with bytes of some media type that are ours, not a file of the site: a page of it may style itself, and do nothing else.
    pub fn with_content(
        status: Status,
        media_type: impl Into<Cow<'static, str>>,
        content: impl Into<Cow<'static, [u8]>>,
    ) -> Response {
        let mut response = Response::new(status);
        response.fields.push("Content-Type", media_type);
        response.fields.push("Content-Security-Policy", OWN_PAGE_POLICY);
        response.fields.push("Referrer-Policy", "no-referrer");
        response.body = Body::Bytes(content.into());
        response
    }

    /// A short plain text: the status, and why. `why` is ours, never the peer's.
    pub fn text(status: Status, why: &str) -> Response {
        let text = format!("{} {}: {why}\n", status.code(), status.phrase());
        Response::with_content(status, "text/plain; charset=utf-8", text.into_bytes())
    }

    /// The answer to a malformed request.
    pub fn malformed(what: Malformed) -> Response {
        Response::text(what.status(), what.text())
    }

    /// The answer to a failure to open or read something of ours. It says nothing about where or what.
    pub fn failed(error: &io::Error) -> Response {
        use io::ErrorKind as K;
        match error.kind() {
            K::NotFound | K::NotADirectory | K::InvalidFilename | K::IsADirectory => {
                Response::text(Status::NOT_FOUND, "nothing here has that name")
            }
            K::PermissionDenied => Response::text(Status::FORBIDDEN, "this server may not read that"),
            K::QuotaExceeded | K::OutOfMemory | K::ResourceBusy => {
                Response::text(Status::SERVICE_UNAVAILABLE, "too busy, try again")
            }
            _ => Response::text(Status::INTERNAL_SERVER_ERROR, "this could not be read"),
        }
    }

    /// The same answer with one more field.
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Response {
        self.fields.push(name, value);
        self
    }
}
