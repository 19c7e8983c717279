//! In which ways can a request be wrong? (RFC 9112 §2.2, §11)

use crate::wire::status::Status;

/// Every way in which we refuse a message before a route has seen it. After each of them we answer, close and read no further:
/// where the message ends can no longer be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each means")]
pub enum Malformed {
    BareCr,
    BareLf,
    Nul,
    ControlByte,
    EmptyLine,
    CutShort,
    RequestLineWords,
    MethodNotToken,
    UnknownMethod,
    Connect,
    Version,
    MajorVersion,
    TargetByte,
    TargetTooLong,
    TargetForm,
    Fragment,
    Scheme,
    Authority,
    Percent,
    EncodedNul,
    EncodedSlash,
    AboveRoot,
    HeadTooLarge,
    TooManyFields,
    LeadingWhitespace,
    ObsFold,
    NoColon,
    EmptyName,
    SpaceBeforeColon,
    NameNotToken,
    NoHost,
    TwoHosts,
    Host,
    ContentLength,
    TwoLengths,
    LengthAndCoding,
    CodingInOldVersion,
    UnknownCoding,
    Coding,
    Expectation,
    ChunkSize,
    ChunkExtension,
    ChunkEnd,
    ContentTooLong,
    TrailerTooLarge,
    ContentCutShort,
}

impl Malformed {
    /// All of them, in the order of the enum.
    pub const ALL: [Malformed; 46] = [
        Malformed::BareCr,
        Malformed::BareLf,
        Malformed::Nul,
        Malformed::ControlByte,
        Malformed::EmptyLine,
        Malformed::CutShort,
        Malformed::RequestLineWords,
        Malformed::MethodNotToken,
        Malformed::UnknownMethod,
        Malformed::Connect,
        Malformed::Version,
        Malformed::MajorVersion,
        Malformed::TargetByte,
        Malformed::TargetTooLong,
        Malformed::TargetForm,
        Malformed::Fragment,
        Malformed::Scheme,
        Malformed::Authority,
        Malformed::Percent,
        Malformed::EncodedNul,
        Malformed::EncodedSlash,
        Malformed::AboveRoot,
        Malformed::HeadTooLarge,
        Malformed::TooManyFields,
        Malformed::LeadingWhitespace,
        Malformed::ObsFold,
        Malformed::NoColon,
        Malformed::EmptyName,
        Malformed::SpaceBeforeColon,
        Malformed::NameNotToken,
        Malformed::NoHost,
        Malformed::TwoHosts,
        Malformed::Host,
        Malformed::ContentLength,
        Malformed::TwoLengths,
        Malformed::LengthAndCoding,
        Malformed::CodingInOldVersion,
        Malformed::UnknownCoding,
        Malformed::Coding,
        Malformed::Expectation,
        Malformed::ChunkSize,
        Malformed::ChunkExtension,
        Malformed::ChunkEnd,
        Malformed::ContentTooLong,
        Malformed::TrailerTooLarge,
        Malformed::ContentCutShort,
    ];

    /// The status that answers it, and a text for people: which rule, and where it stands. It never holds the peer's bytes.
    pub fn row(self) -> (Status, &'static str) {
        use Malformed as M;
        const BAD: Status = Status::BAD_REQUEST;
        match self {
            M::BareCr => (BAD, "a CR that no LF follows (RFC 9112 §2.2)"),
            M::BareLf => (BAD, "a line that ends in LF without CR (RFC 9112 §2.2)"),
            M::Nul => (BAD, "a NUL byte in the head (RFC 9110 §5.5)"),
            M::ControlByte => (BAD, "a control byte in the head (RFC 9110 §5.5)"),
            M::EmptyLine => (BAD, "more than one empty line before the request line (RFC 9112 §2.2)"),
            M::CutShort => (BAD, "the connection ended inside the head (RFC 9112 §8)"),
            M::RequestLineWords => (BAD, "a request line is method SP target SP version (RFC 9112 §3)"),
            M::MethodNotToken => (BAD, "the method is not a token (RFC 9110 §9.1)"),
            M::UnknownMethod => (Status::NOT_IMPLEMENTED, "a method that this server does not know (RFC 9110 §15.6.2)"),
            M::Connect => (Status::NOT_IMPLEMENTED, "CONNECT is for proxies, which this server is not (RFC 9110 §9.3.6)"),
            M::Version => (BAD, "the version is not HTTP/DIGIT.DIGIT (RFC 9112 §2.3)"),
            M::MajorVersion => (Status::VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 §15.6.6)"),
            M::TargetByte => (BAD, "a byte in the target that must be percent-encoded (RFC 3986 §2)"),
            M::TargetTooLong => (Status::URI_TOO_LONG, "a target longer than this server reads (RFC 9110 §15.5.15)"),
            M::TargetForm => (BAD, "the target has none of the four forms for this method (RFC 9112 §3.2)"),
            M::Fragment => (BAD, "a fragment in the target (RFC 9112 §3.2)"),
            M::Scheme => (BAD, "the scheme of the target is not http or https (RFC 9112 §3.2.2)"),
            M::Authority => (BAD, "the authority of the target is not host or host:port (RFC 9110 §4.2.4)"),
            M::Percent => (BAD, "a percent sign without two hexadecimal digits (RFC 3986 §2.1)"),
            M::EncodedNul => (BAD, "an encoded NUL in the path (RFC 3986 §7.3)"),
            M::EncodedSlash => (BAD, "an encoded slash in the path, which can be read two ways (RFC 3986 §2.2)"),
            M::AboveRoot => (BAD, "a path that climbs above the root (RFC 3986 §5.2.4)"),
            M::HeadTooLarge => (Status::FIELDS_TOO_LARGE, "a head larger than this server reads (RFC 6585 §5)"),
            M::TooManyFields => (Status::FIELDS_TOO_LARGE, "more field lines than this server reads (RFC 6585 §5)"),
            M::LeadingWhitespace => (BAD, "white space before the first field (RFC 9112 §2.2)"),
            M::ObsFold => (BAD, "a field value folded over two lines (RFC 9112 §5.2)"),
            M::NoColon => (BAD, "a field line without a colon (RFC 9112 §5)"),
            M::EmptyName => (BAD, "a field line without a name (RFC 9112 §5)"),
            M::SpaceBeforeColon => (BAD, "white space between field name and colon (RFC 9112 §5.1)"),
            M::NameNotToken => (BAD, "a field name that is not a token (RFC 9110 §5.1)"),
            M::NoHost => (BAD, "no Host in an HTTP/1.1 request (RFC 9112 §3.2)"),
            M::TwoHosts => (BAD, "more than one Host (RFC 9112 §3.2)"),
            M::Host => (BAD, "a Host that is not host or host:port (RFC 9110 §7.2)"),
            M::ContentLength => (BAD, "a Content-Length that is not a number of digits (RFC 9110 §8.6)"),
            M::TwoLengths => (BAD, "more than one Content-Length (RFC 9112 §6.3)"),
            M::LengthAndCoding => (BAD, "both Content-Length and Transfer-Encoding (RFC 9112 §6.3)"),
            M::CodingInOldVersion => (BAD, "a Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)"),
            M::UnknownCoding => (Status::NOT_IMPLEMENTED, "a transfer coding other than chunked (RFC 9112 §6.1)"),
            M::Coding => (BAD, "a Transfer-Encoding that is not exactly chunked (RFC 9112 §6.3)"),
            M::Expectation => (Status::EXPECTATION_FAILED, "an expectation other than 100-continue (RFC 9110 §10.1.1)"),
            M::ChunkSize => (BAD, "a chunk size that is not 1 to 16 hexadecimal digits (RFC 9112 §7.1)"),
            M::ChunkExtension => (BAD, "a chunk extension that is malformed or too long (RFC 9112 §7.1.1)"),
            M::ChunkEnd => (BAD, "no CRLF where a chunk must end (RFC 9112 §7.1)"),
            M::ContentTooLong => (BAD, "chunks whose lengths add up to more than 2^64 - 1 (RFC 9112 §7.1)"),
            M::TrailerTooLarge => (Status::FIELDS_TOO_LARGE, "a trailer section larger than this server reads (RFC 9112 §7.1.2)"),
            M::ContentCutShort => (BAD, "the connection ended inside the content (RFC 9112 §8)"),
        }
    }

    /// The status of the answer.
    pub fn status(self) -> Status {
        self.row().0
    }

    /// The text of the answer.
    pub fn text(self) -> &'static str {
        self.row().1
    }
}

/// What is wrong, and at which byte of the head it was seen: a caret can be drawn under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule that is broken.
    pub what: Malformed,
    /// The index of the offending byte, counted from the first byte of the message.
    pub at: usize,
}

impl Malformed {
    /// This fault, seen at that byte.
    pub fn at(self, at: usize) -> Fault {
        Fault { what: self, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all() {
        let source = include_str!("malformed.rs");
        let variants = source.split_once("pub enum Malformed {").unwrap().1.split_once('}').unwrap().0;
        let variants: Vec<_> = variants.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        assert_eq!(variants, Malformed::ALL.map(|what| format!("{what:?}")));
    }
}
