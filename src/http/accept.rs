//! In which form does the client want it? (RFC 9110 §12.5.1)
//!
//! What we make ourselves, a listing or an error, we can make in three forms: HTML, JSON and plain text. A listing is HTML unless another
//! form is named. An error is plain text unless HTML is named, so that curl, whose `*/*` takes anything, shows its user lines and no markup.

use crate::http::headers::{Headers, name};
use crate::http::qvalue::{QValue, parse_weighted};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

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
}
