//! Content negotiation: Accept, Accept-Encoding and their weights (RFC 9110 §8.4.1, §12.4.2, §12.5.1, §12.5.3).

use crate::http::grammar::{split_once, split_unquoted};
use crate::http::headers::{Headers, name};
use crate::http::method::Method;

/// A media type in which the server can generate a listing or an error page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain`, for terminals.
    Text,
    /// `text/html`, for browsers.
    Html,
    /// `application/json`, for programs.
    Json,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain",
            Format::Html => "text/html",
            Format::Json => "application/json",
        }
    }
}

/// Selects one of the `offered` formats by Accept; the first of them if the field is absent or accepts none.
///
/// The highest weight wins. Among equal weights, a type that is listed exactly wins over one that a wildcard matches, then the earlier offer
/// wins. `text/plain` counts as matched by a wildcard even if it is listed, because clients that want JSON often list it as an alternative.
pub fn negotiate(headers: &Headers<'_>, offered: &[Format]) -> Format {
    let mut best = (0, false);
    let mut chosen = offered.first().copied().unwrap_or(Format::Text);
    for &format in offered {
        let Some((specificity, weight)) = preference(headers, format.media_type()) else { continue };
        let is_exact = specificity == Specificity::Exact && format != Format::Text;
        if weight > 0 && (weight, is_exact) > best {
            (best, chosen) = ((weight, is_exact), format);
        }
    }
    chosen
}

/// Selects the format of a listing by Accept. The default is HTML, because clients that read the links of a listing (wget, rclone, lftp,
/// `fetch`) send `*/*` or no Accept. Plain text and JSON must be listed exactly; a wildcard does not select them.
///
/// The highest weight wins; among equal weights, an exact type wins, and of several HTML before JSON before plain text. If HTML is rejected
/// and nothing else listed, the result is plain text.
pub fn choose_listing(headers: &Headers<'_>) -> Format {
    let html = preference(headers, Format::Html.media_type());
    let mut chosen = if html.is_some_and(|(_, weight)| weight == 0) { Format::Text } else { Format::Html };
    let mut best = html.map_or((0, false), |(specificity, weight)| (weight, specificity == Specificity::Exact));
    for format in [Format::Json, Format::Text] {
        let Some((Specificity::Exact, weight)) = preference(headers, format.media_type()) else { continue };
        if weight > 0 && (weight, true) > best {
            (best, chosen) = ((weight, true), format);
        }
    }
    chosen
}

/// Whether Accept permits a media type; always `true` without the field.
pub fn accepts(headers: &Headers<'_>, media_type: &str) -> bool {
    let is_absent = headers.list(name::ACCEPT).next().is_none();
    is_absent || preference(headers, media_type).is_some_and(|(_, weight)| weight > 0)
}

/// Whether a request looks like a navigation to a page (Fetch, "navigation request"): a GET or HEAD that lists `text/html`, as only browsers
/// do for pages, for a path whose last segment has no dot, unlike the names of files. Browsers say so themselves, whatever the path, by
/// Sec-Fetch-Dest, but only to localhost and over TLS.
///
/// A single-page application answers such paths itself. A missing script or image must remain a 404: as HTML it would fail in obscure ways.
pub fn is_navigation_request(method: Method, headers: &Headers<'_>, path: &[u8]) -> bool {
    let is_get_or_head = method == Method::Get || method == Method::Head;
    let has_extension = path.rsplit(|&b| b == b'/').next().is_some_and(|last| last.contains(&b'.'));
    let is_document = headers.get_unique(name::SEC_FETCH_DEST) == Some(b"document");
    let lists_html = || matches!(preference(headers, "text/html"), Some((Specificity::Exact, weight)) if weight > 0);
    is_get_or_head && (is_document || !has_extension && lists_html())
}

/// The precedence of a media range that matches a media type, in ascending order (RFC 9110 §12.5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    /// `*/*`
    Any,
    /// `text/*`
    Type,
    /// `text/html`
    Exact,
}

/// Returns the most specific media range that matches a media type, and its weight; `None` if none does. Parameters of a range are ignored:
/// generated content has none but its charset.
// Accept = #( media-range [ weight ] ) ; media-range = ( "*/*" / ( type "/" "*" ) / ( type "/" subtype ) ) parameters
fn preference(headers: &Headers<'_>, media_type: &str) -> Option<(Specificity, u16)> {
    let media_type = media_type.as_bytes();
    let (own_type, _) = split_once(media_type, b"/")?;
    let members = headers.list(name::ACCEPT).filter_map(parse_weighted);
    let matching = members.filter_map(|(range, weight)| match range {
        _ if range.eq_ignore_ascii_case(media_type) => Some((Specificity::Exact, weight)),
        [range_type @ .., b'/', b'*'] if range_type.eq_ignore_ascii_case(own_type) => Some((Specificity::Type, weight)),
        b"*/*" => Some((Specificity::Any, weight)),
        _ => None,
    });
    matching.max()
}

/// A content coding for which precompressed files are supported (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentCoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstandard,
    /// Gzip (RFC 1952).
    Gzip,
}

impl ContentCoding {
    /// All codings in the order preferred among equal weights: the smallest files first.
    pub const ALL: [ContentCoding; 3] = [ContentCoding::Brotli, ContentCoding::Zstandard, ContentCoding::Gzip];

    /// Returns the value of Content-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            ContentCoding::Brotli => "br",
            ContentCoding::Zstandard => "zstd",
            ContentCoding::Gzip => "gzip",
        }
    }

    /// Splits a file name before the suffix of a coding; `None` if it has none, or nothing else.
    pub fn split_suffix(name: &[u8]) -> Option<(&[u8], ContentCoding)> {
        let split = Self::ALL.into_iter().find_map(|coding| Some((name.strip_suffix(coding.suffix().as_bytes())?, coding)));
        split.filter(|(inner, _)| !inner.is_empty())
    }

    /// Returns the suffix of the names of files with this coding.
    pub fn suffix(self) -> &'static str {
        match self {
            ContentCoding::Brotli => ".br",
            ContentCoding::Zstandard => ".zst",
            ContentCoding::Gzip => ".gz",
        }
    }
}

/// The content codings that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedCodings {
    /// Codings that are preferred to the file as it is, best first; `None` for the others.
    pub preferred: [Option<ContentCoding>; ContentCoding::ALL.len()],
    /// Whether the file as it is may be sent if no coding is available. `identity;q=0` forbids it.
    pub identity_allowed: bool,
}

impl AcceptedCodings {
    /// Evaluates Accept-Encoding (RFC 9110 §12.5.3). Without the field any coding is permitted, but none is used: clients that do not send
    /// it often cannot decode one.
    // Accept-Encoding = #( codings [ weight ] ) ; codings = content-coding / "identity" / "*"
    pub fn from_headers(headers: &Headers<'_>) -> AcceptedCodings {
        let weight_of = |coding: &str| lowest_weight(headers, |name| is_same_coding(name, coding));
        let any = lowest_weight(headers, |name| name == b"*");
        // An identity that is not listed is acceptable, and every listed coding is preferred to it.
        let identity = weight_of("identity").or(any);
        let is_preferred = |weight| weight > 0 && identity.is_none_or(|identity| identity <= weight);
        let mut weighted = ContentCoding::ALL.map(|coding| (weight_of(coding.name()).or(any).unwrap_or(0), coding));
        // The sort is stable, so it keeps the order of ContentCoding::ALL among equal weights.
        weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let preferred = weighted.map(|(weight, coding)| is_preferred(weight).then_some(coding));
        AcceptedCodings { preferred, identity_allowed: identity != Some(0) }
    }
}

/// Returns the lowest weight of all members with a matching name; `None` if there is none. If a client gives two weights for one coding, the
/// lower one is safe: sending less compression than accepted is always valid.
fn lowest_weight(headers: &Headers<'_>, is_match: impl Fn(&[u8]) -> bool) -> Option<u16> {
    let members = headers.list(name::ACCEPT_ENCODING).filter_map(parse_weighted);
    members.filter(|(name, _)| is_match(name)).map(|(_, weight)| weight).min()
}

/// Compares names of codings: they are case-insensitive, and `x-gzip` is an alias of gzip (RFC 9110 §8.4.1.3).
fn is_same_coding(name: &[u8], coding: &str) -> bool {
    let name = if name.eq_ignore_ascii_case(b"x-gzip") { b"gzip" } else { name };
    name.eq_ignore_ascii_case(coding.as_bytes())
}

/// The weight of a member without one, and the highest: weights are in thousandths, since the grammar permits three digits (RFC 9110
/// §12.4.2). 0 means not acceptable.
const WEIGHT_MAX: u16 = 1000;

/// Parses the value of `q`; `None` if it is invalid.
// qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
fn parse_weight(value: &[u8]) -> Option<u16> {
    let (whole, fraction) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let digit = |&b: &u8| b.is_ascii_digit().then(|| u16::from(b - b'0'));
    let thousandths = fraction.iter().chain(b"000").take(3).try_fold(0, |sum, b| Some(sum * 10 + digit(b)?))?;
    match (whole, thousandths) {
        (b'0', _) => Some(thousandths),
        (b'1', 0) => Some(WEIGHT_MAX),
        _ => None,
    }
}

/// Splits a member of a weighted list into its name and weight. `None` if the weight is invalid: such a member is ignored. Other parameters
/// are ignored too.
// weight = OWS ";" OWS "q=" qvalue
fn parse_weighted(member: &[u8]) -> Option<(&[u8], u16)> {
    let mut parts = split_unquoted(member, b';');
    let name = parts.next()?;
    let weight = parts.find_map(|part| match part {
        [b'q' | b'Q', b'=', value @ ..] => Some(parse_weight(value)),
        _ => None,
    });
    Some((name, weight.unwrap_or(Some(WEIGHT_MAX))?))
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
        AcceptedCodings::from_headers(&parser.head(&head).unwrap().headers)
    }

    /// The codings in order of preference, and `identity` if it is allowed.
    fn format_codings(codings: AcceptedCodings) -> String {
        let mut words: Vec<&str> = codings.preferred.into_iter().flatten().map(ContentCoding::name).collect();
        if codings.identity_allowed {
            words.push("identity");
        }
        words.join(" ")
    }

    #[test]
    fn codings_are_ordered_by_weight_and_then_by_size() {
        for (value, want, why) in [
            ("(none)", "identity", "no field"),
            ("", "identity", "an empty field"),
            ("identity", "identity", "only identity"),
            ("gzip, deflate, br, zstd", "br zstd gzip identity", "a browser: the order of the server among equal weights"),
            ("gzip, deflate", "gzip identity", "an old browser"),
            ("deflate, compress", "identity", "unsupported codings"),
            ("GZip", "gzip identity", "names ignore case"),
            ("x-gzip", "gzip identity", "an alias"),
            ("gzip;q=1.0, br;q=0.5", "gzip br identity", "the order of the weights"),
            ("br;q=0.5,zstd;q=0.501", "zstd br identity", "weights differ by a thousandth"),
            ("gzip;q=0", "identity", "rejected"),
            ("gzip;q=0.000, br", "br identity", "rejected with three digits"),
            ("gzip ; Q=0.3", "gzip identity", "whitespace, and q ignores case"),
            ("gzip;q=0.5, identity;q=0.8", "identity", "identity is preferred"),
            ("gzip;q=0.8, identity;q=0.5", "gzip identity", "gzip is preferred"),
            ("gzip, identity", "gzip identity", "equal weights: the smaller file"),
            ("*", "br zstd gzip identity", "any coding"),
            ("*;q=0.1, gzip", "gzip br zstd identity", "the wildcard applies to codings that are not listed"),
            ("br;q=0, *", "zstd gzip identity", "any coding but Brotli"),
            ("*;q=0", "", "nothing is acceptable"),
            ("gzip, *;q=0", "gzip", "only gzip"),
            ("identity;q=0", "", "only unsupported codings"),
            ("gzip, identity;q=0", "gzip", "gzip, not identity"),
            ("identity, *;q=0", "identity", "identity, no coding"),
            ("*;q=0, identity;q=0.1", "identity", "an exact name takes precedence over the wildcard"),
            ("gzip;q=0.5, gzip", "gzip identity", "listed twice"),
            ("gzip, gzip;q=0", "identity", "listed twice, rejected once"),
            ("br, gzip\r\nAccept-Encoding: zstd", "br zstd gzip identity", "two field lines"),
            ("gzip;q=1.001", "identity", "a weight above one"),
            ("gzip;q=0.1234", "identity", "four digits"),
            ("gzip;q=.5", "identity", "no digit before the point"),
            ("gzip;q=1.", "gzip identity", "a point without digits is valid"),
            ("gzip;q=+1", "identity", "a sign"),
            ("gzip;q=", "identity", "no weight after q="),
            ("gzip;q=0.5;q=0, br;q=0.1", "gzip br identity", "two weights: the first counts"),
            ("gzip;level=9", "gzip identity", "another parameter"),
            ("gzip;", "gzip identity", "nothing after the semicolon"),
            ("gzip br", "identity", "no comma"),
            ("gzipped", "identity", "a longer name"),
            (";q=1", "identity", "no name"),
        ] {
            assert_eq!(format_codings(accepted(value)), want, "{value:?}: {why}");
        }
    }

    #[test]
    fn weights_are_parsed_in_thousandths() {
        for (member, want, why) in [
            ("br", Some(("br", 1000)), "no weight"),
            ("br;q=1", Some(("br", 1000)), "the highest weight"),
            ("br;q=1.", Some(("br", 1000)), "a point alone"),
            ("br;q=1.000", Some(("br", 1000)), "three zeros"),
            ("br;q=0.5", Some(("br", 500)), "one digit"),
            ("br;q=0.05", Some(("br", 50)), "two digits"),
            ("br;q=0.001", Some(("br", 1)), "the lowest weight above zero"),
            ("br;q=0", Some(("br", 0)), "zero"),
            ("br;q=0.000", Some(("br", 0)), "zero with three digits"),
            ("br ;\tQ=0.25", Some(("br", 250)), "whitespace and upper case"),
            ("text/html;level=1;q=0.4", Some(("text/html", 400)), "a parameter before it"),
            ("text/html;q=0.4;x=1", Some(("text/html", 400)), "a parameter after it"),
            ("text/html;x=\"a;q=0\"", Some(("text/html", 1000)), "a weight inside a quoted string"),
            ("text/html;qq=0", Some(("text/html", 1000)), "another parameter"),
            ("", Some(("", 1000)), "an empty member"),
            ("br;q=", None, "no digit"),
            ("br;q=.5", None, "no digit before the point"),
            ("br;q=2", None, "above one"),
            ("br;q=1.001", None, "slightly above one"),
            ("br;q=0.0001", None, "four digits"),
            ("br;q=-1", None, "a sign"),
            ("br;q=0,5", None, "a comma"),
            ("br;q=x", None, "a letter"),
            ("br;q=0.5;q=0.1", Some(("br", 500)), "the first of two counts"),
        ] {
            let want = want.map(|(name, thousandths)| (name.as_bytes(), thousandths));
            assert_eq!(parse_weighted(member.as_bytes()), want, "{member:?}: {why}");
        }
    }

    fn with<T>(lines: &str, then: impl Fn(&Headers<'_>) -> T) -> T {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(&bytes).unwrap();
        then(&parser.head(&bytes).unwrap().headers)
    }

    #[test]
    fn format_of_generated_content() {
        use Format::{Html, Json, Text};
        for (accept, want, why) in [
            ("", Text, "no field"),
            ("Accept:", Text, "an empty field"),
            ("Accept: */*", Text, "curl"),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Html, "a browser"),
            ("Accept: text/html;q=0.5, */*;q=0.1", Html, "a low weight, but the highest"),
            ("Accept: TEXT/HTML", Html, "types ignore case"),
            ("Accept: text/html;charset=utf-8", Html, "a parameter is ignored"),
            ("Accept: application/json", Json, "JSON"),
            ("Accept: application/json, text/plain, */*", Json, "the default of axios"),
            ("Accept: application/json, */*;q=0.5", Json, "JSON is preferred"),
            ("Accept: text/html, application/json;q=0.5", Html, "HTML is preferred"),
            ("Accept: text/html;q=0.5, application/json", Json, "JSON has the higher weight"),
            ("Accept: application/json, text/html", Html, "equal weights: the earlier offer"),
            ("Accept: application/json\r\nAccept: text/html;q=0.1", Json, "two field lines"),
            ("Accept: text/plain", Text, "plain text"),
            ("Accept: text/plain, text/html;q=0.9", Text, "plain text is preferred"),
            ("Accept: text/plain, text/html", Html, "equal weights: HTML is listed exactly"),
            ("Accept: text/*", Text, "any text: the earlier offer"),
            ("Accept: text/*;q=0.5, text/html", Html, "HTML has the higher weight"),
            ("Accept: text/html;q=0.1, text/*", Text, "the more specific range determines the weight"),
            ("Accept: application/*", Json, "the only offer that matches"),
            ("Accept: */*, text/plain;q=0", Html, "plain text is rejected"),
            ("Accept: text/html;q=0", Text, "HTML is rejected, nothing else is listed"),
            ("Accept: text/html;q=0, */*", Text, "HTML is rejected"),
            ("Accept: application/json;q=0.000, */*", Text, "JSON is rejected"),
            ("Accept: text/html;q=x", Text, "an invalid weight: the member is ignored"),
            ("Accept: text/html;q=0.0001", Text, "four digits are invalid"),
            ("Accept: image/avif,image/webp", Text, "nothing matches: as without the field"),
            ("Accept: text/htmlx, application/jsonp, text", Text, "other types"),
            ("Accept: *", Text, "an asterisk is no media range"),
            ("Accept: \"text/html\"", Text, "a quoted string is no media range"),
        ] {
            let lines = if accept.is_empty() { String::new() } else { format!("{accept}\r\n") };
            let got = with(&lines, |headers| negotiate(headers, &[Text, Html, Json]));
            assert_eq!(got, want, "{accept:?}: {why}");
        }
    }

    #[test]
    fn format_of_a_listing() {
        use Format::{Html, Json, Text};
        for (accept, want, why) in [
            ("", Html, "no field: fsspec"),
            ("Accept:", Html, "an empty field"),
            ("Accept: */*", Html, "wget, rclone, lftp, curl, fetch"),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Html, "a browser"),
            ("Accept: text/*", Html, "plain text is not listed"),
            ("Accept: application/*", Html, "JSON is not listed"),
            ("Accept: image/avif,image/webp", Html, "nothing matches: as without the field"),
            ("Accept: text/plain", Text, "plain text"),
            ("Accept: text/plain;q=0.1", Text, "only plain text"),
            ("Accept: text/plain, */*", Text, "plain text is listed, HTML is not"),
            ("Accept: text/plain;q=0.9, */*", Html, "the wildcard has the higher weight"),
            ("Accept: text/plain;q=0.9, text/html", Html, "HTML has the higher weight"),
            ("Accept: text/plain, text/html;q=0.9", Text, "plain text has the higher weight"),
            ("Accept: text/plain, text/html", Html, "equal weights"),
            ("Accept: application/json", Json, "JSON"),
            ("Accept: application/json, */*;q=0.5", Json, "JSON is preferred"),
            ("Accept: application/json, text/plain, */*", Json, "the default of axios"),
            ("Accept: application/json;q=0.5, text/plain", Text, "plain text has the higher weight"),
            ("Accept: application/json, text/html", Html, "equal weights"),
            ("Accept: application/json;q=0, */*", Html, "JSON is rejected"),
            ("Accept: text/html;q=0, */*", Text, "HTML is rejected"),
            ("Accept: text/html;q=0, application/json;q=0.1", Json, "JSON is listed, HTML is rejected"),
            ("Accept: text/plain;q=x", Html, "an invalid weight: the member is ignored"),
        ] {
            let lines = if accept.is_empty() { String::new() } else { format!("{accept}\r\n") };
            assert_eq!(with(&lines, choose_listing), want, "{accept:?}: {why}");
        }
    }

    #[test]
    fn only_offered_formats_are_chosen() {
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
    fn accept_permits_media_types() {
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
    fn navigation_lists_html_and_has_no_extension() {
        const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (method, path, lines, want, why) in [
            (Method::Get, "/user/7", BROWSER, true, "a path of the application"),
            (Method::Head, "/user/7", BROWSER, true, "HEAD"),
            (Method::Get, "/user/", BROWSER, true, "a trailing slash"),
            (Method::Get, "/v1.2/user", BROWSER, true, "a dot in an earlier segment"),
            (Method::Get, "/user/7", "Accept: text/html", true, "only HTML"),
            (Method::Get, "/user/7", "Accept: TEXT/HTML;q=0.1", true, "upper case and a low weight"),
            (Method::Post, "/user/7", BROWSER, false, "another method"),
            (Method::Get, "/app.js", BROWSER, false, "a file"),
            (Method::Get, "/assets/logo.svg", BROWSER, false, "a file in a directory"),
            (Method::Get, "/user/7", "Accept: */*", false, "a script, a font, curl"),
            (Method::Get, "/user/7", "Accept: text/*", false, "no browser requests a page like that"),
            (Method::Get, "/user/7", "Accept: application/json", false, "data"),
            (Method::Get, "/user/7", "Accept: text/html;q=0, */*", false, "HTML is rejected"),
            (Method::Get, "/user/7", "Accept:", false, "an empty field"),
            (Method::Get, "/user/a.b", "Sec-Fetch-Dest: document", true, "the browser says that it navigates"),
            (Method::Head, "/user/a.b", "Sec-Fetch-Dest: document", true, "HEAD"),
            (Method::Post, "/user/a.b", "Sec-Fetch-Dest: document", false, "a form"),
            (Method::Get, "/user/a.b", "Sec-Fetch-Dest: script\r\nAccept: text/html", false, "a script"),
            (Method::Get, "/user/a.b", "Sec-Fetch-Dest: empty\r\nAccept: text/html", false, "data"),
            (Method::Get, "/user/a.b", "Sec-Fetch-Dest: Document", false, "browsers send lower case"),
            (Method::Get, "/user/a.b", "Sec-Fetch-Dest: document\r\nSec-Fetch-Dest: document", false, "two field lines"),
            (Method::Get, "/user/7", "Sec-Fetch-Dest: iframe\r\nAccept: text/html", true, "without dots the old rule holds"),
            (Method::Get, "/user/7", "Sec-Fetch-Dest: empty\r\nAccept: */*", false, "data"),
        ] {
            let head = format!("GET / HTTP/1.0\r\n{lines}\r\n\r\n").into_bytes();
            let mut parser = RequestParser::new(HeadLimits::default());
            parser.parse(&head).unwrap();
            let headers = parser.head(&head).unwrap().headers;
            assert_eq!(is_navigation_request(method, &headers, path.as_bytes()), want, "{path} {lines:?}: {why}");
        }
    }
}
