//! In which content coding will the client take it? (RFC 9110 §8.4.1, §12.5.3)
//!
//! A client lists the codings that it can undo, each with a weight. [`AcceptedCodings::accepted`] makes of that list an order in which to
//! look for what we have, and says whether the file as it is will do as well.

use crate::http::headers::{Headers, name};
use crate::http::qvalue::{QValue, parse_weighted};

/// A content coding in which a file may be kept ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstandard,
    /// Gzip (RFC 1952).
    Gzip,
}

/// Every coding. Where a client takes several alike, the first is best: it makes the smallest files.
const CODINGS: [ContentCoding; 3] = [ContentCoding::Brotli, ContentCoding::Zstandard, ContentCoding::Gzip];

impl ContentCoding {
    /// The value of Content-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            ContentCoding::Brotli => "br",
            ContentCoding::Zstandard => "zstd",
            ContentCoding::Gzip => "gzip",
        }
    }

    /// What stands behind the name of a file that is kept in this coding.
    pub fn suffix(self) -> &'static str {
        match self {
            ContentCoding::Brotli => ".br",
            ContentCoding::Zstandard => ".zst",
            ContentCoding::Gzip => ".gz",
        }
    }
}

/// Whether a file may come as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// It may.
    Accepted,
    /// The client says that it can do nothing with it: `identity;q=0`.
    Refused,
}

/// What the client will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedCodings {
    /// Which codings, the best first. None of them if it prefers the file as it is.
    pub preferred: [Option<ContentCoding>; CODINGS.len()],
    /// Whether it will take the file as it is, should there be no other.
    pub identity: Identity,
}

impl AcceptedCodings {
    /// Reads Accept-Encoding. Without it a client may be sent anything; we send the file as it is, since whoever does not ask for a
    /// coding seldom knows how to undo it.
    // Accept-Encoding = #( codings [ weight ] ) ; codings = content-coding / "identity" / "*"
    pub fn accepted(headers: &Headers<'_>) -> AcceptedCodings {
        let weight_of = |coding: &str| lowest(headers, |named| is_same_coding(named, coding));
        let any = lowest(headers, |named| named == b"*");
        // Without a word of it, it is acceptable, and everything that is named is better.
        let identity = weight_of("identity").or(any);
        let mut weighed = CODINGS.map(|coding| (weight_of(coding.name()).or(any).unwrap_or(QValue::NONE), Some(coding)));
        for (weight, coding) in &mut weighed {
            if *weight == QValue::NONE || identity.is_some_and(|identity| identity > *weight) {
                (*weight, *coding) = (QValue::NONE, None);
            }
        }
        // The sort keeps our own order among equals.
        weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let identity = if identity == Some(QValue::NONE) { Identity::Refused } else { Identity::Accepted };
        AcceptedCodings { preferred: weighed.map(|(_, coding)| coding), identity }
    }
}

/// The lowest weight of all members that name a coding; `None` if none does. A client that gives two weights to one coding means one
/// of them, and too little compression is never wrong.
fn lowest(headers: &Headers<'_>, is_named: impl Fn(&[u8]) -> bool) -> Option<QValue> {
    let members = headers.list(name::ACCEPT_ENCODING).filter_map(parse_weighted);
    members.filter(|(named, _)| is_named(named)).map(|(_, weight)| weight).min()
}

/// Names of codings compare without case, and `x-gzip` is an old name of gzip (RFC 9110 §8.4.1.3).
fn is_same_coding(named: &[u8], coding: &str) -> bool {
    let named = if named.eq_ignore_ascii_case(b"x-gzip") { b"gzip" } else { named };
    named.eq_ignore_ascii_case(coding.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    fn accepted(value: &str) -> AcceptedCodings {
        let line = if value == "(none)" { String::new() } else { format!("Accept-Encoding: {value}\r\n") };
        let head = format!("GET / HTTP/1.0\r\n{line}\r\n").into_bytes();
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(&head).unwrap();
        AcceptedCodings::accepted(&parser.head(&head).unwrap().headers)
    }

    /// In a word: the codings in order, and `identity` where that will do.
    fn told(codings: AcceptedCodings) -> String {
        let mut words: Vec<&str> = codings.preferred.into_iter().flatten().map(ContentCoding::name).collect();
        if codings.identity == Identity::Accepted {
            words.push("identity");
        }
        words.join(" ")
    }

    #[test]
    fn what_a_client_will_take() {
        for (value, want, why) in [
            ("(none)", "identity", "it does not say"),
            ("", "identity", "it says: none"),
            ("identity", "identity", "nothing else"),
            ("gzip, deflate, br, zstd", "br zstd gzip identity", "a browser: our order among equals"),
            ("gzip, deflate", "gzip identity", "an old browser"),
            ("deflate, compress", "identity", "codings that we do not keep"),
            ("GZip", "gzip identity", "names have no case"),
            ("x-gzip", "gzip identity", "an old name"),
            ("gzip;q=1.0, br;q=0.5", "gzip br identity", "the client's order"),
            ("br;q=0.5,zstd;q=0.501", "zstd br identity", "a thousandth is enough"),
            ("gzip;q=0", "identity", "refused"),
            ("gzip;q=0.000, br", "br identity", "refused in another spelling"),
            ("gzip ; Q=0.3", "gzip identity", "white space, and q has no case either"),
            ("gzip;q=0.5, identity;q=0.8", "identity", "it would rather have the file as it is"),
            ("gzip;q=0.8, identity;q=0.5", "gzip identity", "the other way round"),
            ("gzip, identity", "gzip identity", "alike: the smaller one"),
            ("*", "br zstd gzip identity", "anything"),
            ("*;q=0.1, gzip", "gzip br zstd identity", "the star is for those that are not named"),
            ("br;q=0, *", "zstd gzip identity", "anything but"),
            ("*;q=0", "", "nothing at all, not even the file"),
            ("gzip, *;q=0", "gzip", "this or nothing"),
            ("identity;q=0", "", "coded, but in nothing that we know"),
            ("gzip, identity;q=0", "gzip", "coded"),
            ("identity, *;q=0", "identity", "uncoded"),
            ("*;q=0, identity;q=0.1", "identity", "named is stronger than the star"),
            ("gzip;q=0.5, gzip", "gzip identity", "twice"),
            ("gzip, gzip;q=0", "identity", "twice, and once refused"),
            ("br, gzip\r\nAccept-Encoding: zstd", "br zstd gzip identity", "over two lines"),
            ("gzip;q=1.001", "identity", "more than one"),
            ("gzip;q=0.1234", "identity", "a digit too many"),
            ("gzip;q=.5", "identity", "a digit too few"),
            ("gzip;q=1.", "gzip identity", "a point without digits is in the grammar"),
            ("gzip;q=+1", "identity", "a sign"),
            ("gzip;q=", "identity", "no value"),
            ("gzip;q=0.5;q=0, br;q=0.1", "gzip br identity", "two weights: the first"),
            ("gzip;level=9", "gzip identity", "a parameter that is no weight"),
            ("gzip;", "gzip identity", "nothing behind the semicolon"),
            ("gzip br", "identity", "no comma"),
            ("gzipped", "identity", "a longer word"),
            (";q=1", "identity", "no coding"),
        ] {
            assert_eq!(told(accepted(value)), want, "{value:?}: {why}");
        }
    }
}
