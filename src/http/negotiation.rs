//! In which content coding will the client take it? (RFC 9110 §8.4.1, §12.5.3)
//!
//! A client lists the codings that it can undo, each with a weight. [`AcceptedCodings::accepted`] makes of that list an order in which to
//! look for what we have, and says whether the file as it is will do as well.

use crate::http::grammar::split_unquoted;
use crate::http::headers::{Headers, name};
use crate::http::method::Method;

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

/// What the client will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedCodings {
    /// Which codings, the best first. None of them if it prefers the file as it is.
    pub preferred: [Option<ContentCoding>; CODINGS.len()],
    /// Whether it will take the file as it is, should there be no other.
    pub identity_allowed: bool,
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
        AcceptedCodings { preferred: weighed.map(|(_, coding)| coding), identity_allowed: identity != Some(QValue::NONE) }
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

/// A weight in thousandths: three digits are all that the grammar allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QValue(u16);

impl QValue {
    /// Not acceptable.
    pub const NONE: QValue = QValue(0);
    /// What stands without a weight.
    pub const FULL: QValue = QValue(1000);

    /// Reads the value of `q`. `None` for what is no weight.
    // qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
    fn parse(value: &[u8]) -> Option<QValue> {
        let (whole, fraction) = match value {
            [whole] => (whole, &[][..]),
            [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
            _ => return None,
        };
        let digit = |b: u8| b.is_ascii_digit().then(|| u16::from(b - b'0'));
        let mut thousandths = 0;
        for place in 0..3 {
            thousandths = thousandths * 10 + fraction.get(place).map_or(Some(0), |&b| digit(b))?;
        }
        match (whole, thousandths) {
            (b'0', _) => Some(QValue(thousandths)),
            (b'1', 0) => Some(QValue::FULL),
            _ => None,
        }
    }
}

/// A member of a weighted list: its name, and how much it is wanted. `None` where the weight is none: then nobody knows what the member
/// says, and it says nothing. Parameters other than the weight are left out.
// weight = OWS ";" OWS "q=" qvalue
pub fn parse_weighted(member: &[u8]) -> Option<(&[u8], QValue)> {
    let mut pieces = split_unquoted(member, b';');
    let name = pieces.next()?;
    let weight = pieces.find_map(|piece| match piece {
        [b'q' | b'Q', b'=', value @ ..] => Some(QValue::parse(value)),
        _ => None,
    });
    Some((name, weight.unwrap_or(Some(QValue::FULL))?))
}

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A person at a terminal: `text/plain`.
    Text,
    /// A person at a browser: `text/html`.
    Html,
    /// A program: `application/json`.
    Json,
}

impl Format {
    /// The media type that such a reader names.
    fn media_type(self) -> &'static [u8] {
        match self {
            Format::Text => b"text/plain",
            Format::Html => b"text/html",
            Format::Json => b"application/json",
        }
    }
}

/// For whom to make it, of those that `offered` can be made for; the first of them where nothing is said, or nothing fits.
///
/// The highest weight wins. Among equals a type that is named in full wins over one that a wildcard covers, and then the earlier offer; but
/// `text/plain` counts as covered even if it is named, since those who want JSON often name it as their second choice.
pub fn negotiate(headers: &Headers<'_>, offered: &[Format]) -> Format {
    let mut best = (QValue::NONE, false);
    let mut chosen = offered.first().copied().unwrap_or(Format::Text);
    for &reader in offered {
        let Some((coverage, weight)) = preference(headers, reader.media_type()) else { continue };
        let is_named = coverage == Specificity::Exact && reader != Format::Text;
        if weight > QValue::NONE && (weight, is_named) > best {
            (best, chosen) = ((weight, is_named), reader);
        }
    }
    chosen
}

/// The form of a listing. HTML is the default, since clients that read listings by their links (wget, rclone, lftp, a page's own `fetch`)
/// send `*/*` or no Accept at all. Plain text and JSON are sent only where they are named: a wildcard does not ask for them.
///
/// The highest weight wins; among equals a type that is named, and of two that are named HTML before JSON before plain text, which those
/// who want JSON often name as their second choice. Where HTML is refused and nothing else named, plain text is the nearest to it.
pub fn choose_listing(headers: &Headers<'_>) -> Format {
    let html = preference(headers, Format::Html.media_type());
    let mut chosen = if html.is_some_and(|(_, weight)| weight == QValue::NONE) { Format::Text } else { Format::Html };
    let mut best = html.map_or((QValue::NONE, false), |(coverage, weight)| (weight, coverage == Specificity::Exact));
    for reader in [Format::Json, Format::Text] {
        let Some((Specificity::Exact, weight)) = preference(headers, reader.media_type()) else { continue };
        if weight > QValue::NONE && (weight, true) > best {
            (best, chosen) = ((weight, true), reader);
        }
    }
    chosen
}

/// Whether content of that media type may be sent: always where nothing is said.
pub fn accepts(headers: &Headers<'_>, media_type: &str) -> bool {
    let says_nothing = headers.list(name::ACCEPT).next().is_none();
    says_nothing || preference(headers, media_type.as_bytes()).is_some_and(|(_, weight)| weight > QValue::NONE)
}

/// Whether a media type is asked for by its name, not only as one of many.
pub fn accepts_explicitly(headers: &Headers<'_>, media_type: &str) -> bool {
    let preference = preference(headers, media_type.as_bytes());
    preference.is_some_and(|(coverage, weight)| coverage == Specificity::Exact && weight > QValue::NONE)
}

/// By which kind of range a media type is covered, the most specific last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    /// `*/*`
    Any,
    /// `text/*`
    Type,
    /// `text/html`
    Exact,
}

/// What the most specific range that covers a media type says of it; `None` if none does. Parameters of a range are not compared: all that
/// we could say is a charset.
// Accept = #( media-range [ weight ] ) ; media-range = ( "*/*" / ( type "/" "*" ) / ( type "/" subtype ) ) parameters
fn preference(headers: &Headers<'_>, media_type: &[u8]) -> Option<(Specificity, QValue)> {
    let members = headers.list(name::ACCEPT).filter_map(parse_weighted);
    let covering = members.filter_map(|(range, weight)| match range {
        _ if range.eq_ignore_ascii_case(media_type) => Some((Specificity::Exact, weight)),
        [type_and_slash @ .., b'*'] if is_beginning(type_and_slash, media_type) => Some((Specificity::Type, weight)),
        b"*/*" => Some((Specificity::Any, weight)),
        _ => None,
    });
    covering.max()
}

/// Whether a range without its asterisk, `text/`, is how the media type begins.
fn is_beginning(type_and_slash: &[u8], media_type: &[u8]) -> bool {
    type_and_slash.ends_with(b"/")
        && media_type.get(..type_and_slash.len()).is_some_and(|start| start.eq_ignore_ascii_case(type_and_slash))
}

/// Whether it looks like that: HTML is asked for by name, as browsers do for pages and for nothing else, and the last segment of the path
/// has no dot, as names of files have.
pub fn is_navigation_request(method: Method, headers: &Headers<'_>, path: &[u8]) -> bool {
    let last = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let reads = method == Method::Get || method == Method::Head;
    reads && !last.contains(&b'.') && accepts_explicitly(headers, "text/html")
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
        if codings.identity_allowed {
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

    #[test]
    fn members_and_their_weights() {
        for (member, want, why) in [
            ("br", Some(("br", 1000)), "no weight"),
            ("br;q=1", Some(("br", 1000)), "the most"),
            ("br;q=1.", Some(("br", 1000)), "a point alone"),
            ("br;q=1.000", Some(("br", 1000)), "three zeros"),
            ("br;q=0.5", Some(("br", 500)), "one digit"),
            ("br;q=0.05", Some(("br", 50)), "two digits"),
            ("br;q=0.001", Some(("br", 1)), "the least that is wanted"),
            ("br;q=0", Some(("br", 0)), "unwanted"),
            ("br;q=0.000", Some(("br", 0)), "unwanted, at length"),
            ("br ;\tQ=0.25", Some(("br", 250)), "white space, and the other case"),
            ("text/html;level=1;q=0.4", Some(("text/html", 400)), "a parameter before it"),
            ("text/html;q=0.4;x=1", Some(("text/html", 400)), "and behind it"),
            ("text/html;x=\"a;q=0\"", Some(("text/html", 1000)), "quoted, it is no weight"),
            ("text/html;qq=0", Some(("text/html", 1000)), "another name"),
            ("", Some(("", 1000)), "nothing at all"),
            ("br;q=", None, "no digit"),
            ("br;q=.5", None, "no digit before the point"),
            ("br;q=2", None, "more than all"),
            ("br;q=1.001", None, "a little more than all"),
            ("br;q=0.0001", None, "four digits"),
            ("br;q=-1", None, "a sign"),
            ("br;q=0,5", None, "a comma"),
            ("br;q=x", None, "a letter"),
            ("br;q=0.5;q=0.1", Some(("br", 500)), "the first of two"),
        ] {
            let want = want.map(|(name, thousandths)| (name.as_bytes(), QValue(thousandths)));
            assert_eq!(parse_weighted(member.as_bytes()), want, "{member:?}: {why}");
        }
        assert!(QValue::NONE < QValue(1) && QValue(999) < QValue::FULL);
    }

    fn with<T>(lines: &str, then: impl Fn(&Headers<'_>) -> T) -> T {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(&bytes).unwrap();
        then(&parser.head(&bytes).unwrap().headers)
    }

    #[test]
    fn readers() {
        use Format::{Html, Json, Text};
        for (accept, want, why) in [
            ("", Text, "no field"),
            ("Accept:", Text, "an empty one"),
            ("Accept: */*", Text, "curl"),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Html, "a browser"),
            ("Accept: text/html;q=0.5, */*;q=0.1", Html, "wanted a little, the rest less"),
            ("Accept: TEXT/HTML", Html, "types compare without case"),
            ("Accept: text/html;charset=utf-8", Html, "a parameter changes nothing"),
            ("Accept: application/json", Json, "JSON"),
            ("Accept: application/json, text/plain, */*", Json, "axios, where nobody chose"),
            ("Accept: application/json, */*;q=0.5", Json, "JSON, or else anything"),
            ("Accept: text/html, application/json;q=0.5", Html, "JSON is the second choice"),
            ("Accept: text/html;q=0.5, application/json", Json, "HTML is"),
            ("Accept: application/json, text/html", Html, "both alike: the earlier offer"),
            ("Accept: application/json\r\nAccept: text/html;q=0.1", Json, "on two lines"),
            ("Accept: text/plain", Text, "plain text"),
            ("Accept: text/plain, text/html;q=0.9", Text, "plain text before HTML"),
            ("Accept: text/plain, text/html", Html, "and no less than it"),
            ("Accept: text/*", Text, "any text is plain text"),
            ("Accept: text/*;q=0.5, text/html", Html, "any text, but rather HTML"),
            ("Accept: text/html;q=0.1, text/*", Text, "the more specific range says how much"),
            ("Accept: application/*", Json, "the only one that fits"),
            ("Accept: */*, text/plain;q=0", Html, "anything but what it would get"),
            ("Accept: text/html;q=0", Text, "HTML is refused, and nothing else is said"),
            ("Accept: text/html;q=0, */*", Text, "anything but HTML"),
            ("Accept: application/json;q=0.000, */*", Text, "anything but JSON"),
            ("Accept: text/html;q=x", Text, "a weight that is none spoils the member"),
            ("Accept: text/html;q=0.0001", Text, "as do four digits"),
            ("Accept: image/avif,image/webp", Text, "nothing fits, so it is as if nothing were said"),
            ("Accept: text/htmlx, application/jsonp, text", Text, "other names"),
            ("Accept: *", Text, "an asterisk alone is no range"),
            ("Accept: \"text/html\"", Text, "nor is a quoted string"),
        ] {
            let lines = if accept.is_empty() { String::new() } else { format!("{accept}\r\n") };
            let got = with(&lines, |headers| negotiate(headers, &[Text, Html, Json]));
            assert_eq!(got, want, "{accept:?}: {why}");
        }
    }

    #[test]
    fn listings() {
        use Format::{Html, Json, Text};
        for (accept, want, why) in [
            ("", Html, "no field: fsspec"),
            ("Accept:", Html, "an empty one"),
            ("Accept: */*", Html, "wget, rclone, lftp, curl, fetch"),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Html, "a browser"),
            ("Accept: text/*", Html, "plain text is not named"),
            ("Accept: application/*", Html, "JSON is not named"),
            ("Accept: image/avif,image/webp", Html, "nothing fits, so it is as if nothing were said"),
            ("Accept: text/plain", Text, "plain text"),
            ("Accept: text/plain;q=0.1", Text, "plain text, and nothing else"),
            ("Accept: text/plain, */*", Text, "plain text is named, HTML is not"),
            ("Accept: text/plain;q=0.9, */*", Html, "anything is wanted more"),
            ("Accept: text/plain;q=0.9, text/html", Html, "HTML is wanted more"),
            ("Accept: text/plain, text/html;q=0.9", Text, "plain text is wanted more"),
            ("Accept: text/plain, text/html", Html, "both alike"),
            ("Accept: application/json", Json, "JSON"),
            ("Accept: application/json, */*;q=0.5", Json, "JSON, or else anything"),
            ("Accept: application/json, text/plain, */*", Json, "axios by default"),
            ("Accept: application/json;q=0.5, text/plain", Text, "plain text is wanted more"),
            ("Accept: application/json, text/html", Html, "both alike"),
            ("Accept: application/json;q=0, */*", Html, "anything but JSON"),
            ("Accept: text/html;q=0, */*", Text, "anything but HTML"),
            ("Accept: text/html;q=0, application/json;q=0.1", Json, "JSON, and no HTML"),
            ("Accept: text/plain;q=x", Html, "an invalid weight spoils the member"),
        ] {
            let lines = if accept.is_empty() { String::new() } else { format!("{accept}\r\n") };
            assert_eq!(with(&lines, choose_listing), want, "{accept:?}: {why}");
        }
    }

    #[test]
    fn of_two_offers() {
        use Format::{Html, Json, Text};
        for (accept, offered, want) in [
            ("text/html, application/json;q=0.5", [Text, Json], Json),
            ("application/json", [Text, Html], Text),
            ("application/json, */*;q=0.1", [Text, Html], Text),
        ] {
            assert_eq!(with(&format!("Accept: {accept}\r\n"), |headers| negotiate(headers, &offered)), want, "{accept}");
        }
    }

    #[test]
    fn what_may_be_sent() {
        for (lines, want) in [
            ("", true),
            ("Accept:\r\n", true),
            ("Accept: */*\r\n", true),
            ("Accept: text/*\r\n", true),
            ("Accept: text/html;q=0.001\r\n", true),
            ("Accept: application/json\r\n", false),
            ("Accept: */*, text/html;q=0\r\n", false),
            ("Accept: text/html, text/*;q=0\r\n", true),
        ] {
            assert_eq!(with(lines, |headers| accepts(headers, "text/html")), want, "{lines:?}");
        }
    }

    #[test]
    fn navigations() {
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (method, path, accept, want, why) in [
            (Method::Get, "/user/7", BROWSER, true, "an address of the application"),
            (Method::Head, "/user/7", BROWSER, true, "without its content"),
            (Method::Get, "/user/", BROWSER, true, "with a slash"),
            (Method::Get, "/v1.2/user", BROWSER, true, "a dot further up"),
            (Method::Get, "/user/7", "text/html", true, "only that"),
            (Method::Get, "/user/7", "TEXT/HTML;q=0.1", true, "in any case, and with little weight"),
            (Method::Post, "/user/7", BROWSER, false, "something is to be done"),
            (Method::Get, "/app.js", BROWSER, false, "a file"),
            (Method::Get, "/assets/logo.svg", BROWSER, false, "a file below"),
            (Method::Get, "/user/7", "*/*", false, "a script, a font, curl"),
            (Method::Get, "/user/7", "text/*", false, "no browser asks for a page like that"),
            (Method::Get, "/user/7", "application/json", false, "data"),
            (Method::Get, "/user/7", "text/html;q=0, */*", false, "anything else"),
            (Method::Get, "/user/7", "", false, "nothing said"),
        ] {
            let head = format!("GET / HTTP/1.0\r\nAccept: {accept}\r\n\r\n").into_bytes();
            let mut parser = RequestParser::new(HeadLimits::default());
            parser.parse(&head).unwrap();
            let headers = parser.head(&head).unwrap().headers;
            assert_eq!(is_navigation_request(method, &headers, path.as_bytes()), want, "{path} {accept:?}: {why}");
        }
    }
}
