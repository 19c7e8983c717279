//! Explanation of each exchange on standard error (`--explain`).
//!
//! It shows what the server itself read, found and decided; nothing is parsed a second time.

use std::fmt::{Display, Write as _};

use crate::handlers::message::Response;
use crate::handlers::outcome::{Decision, Outcome};
use crate::http::conditional::{Precondition, Validators};
use crate::http::date::HttpDate;
use crate::http::error::LocatedError;
use crate::http::forwarded::Scheme;
use crate::http::framing::BodyLength;
use crate::http::grammar::{is_token, split_once};
use crate::http::headers::{contains_sensitive_word, is_sensitive};
use crate::http::range::{ByteRange, RangeSet};
use crate::http::request::{RequestHead, RequestInfo, Version};
use crate::http::target::TargetForm;
use crate::server::close_reason::CloseReason;
use crate::server::explain_text::{REQUEST_HEADERS, RESPONSE_HEADERS, meaning};
use crate::server::response_writer::{Delimiter, ResponseFraming};
use crate::telemetry::{Color, counted};

/// Shown in place of the value of a sensitive field.
const HIDDEN: &str = "(not shown)\\r\\n";
/// Bytes shown of one line.
const LINE_BYTES_MAX: usize = 512;
/// Bytes shown of a line before the byte that is wrong.
const BEFORE_ERROR_BYTES: usize = 60;

/// The explanation of the current exchange, to which each step appends.
#[derive(Debug)]
pub(super) struct Explanation {
    pub(super) color: Color,
    pub(super) text: String,
}

impl Explanation {
    /// Explains a valid request; `bytes` is its head.
    pub(super) fn request(&mut self, bytes: &[u8], head: &RequestHead<'_>, info: &RequestInfo<'_>, scheme: Option<Scheme>) {
        let RequestInfo { target, body_length, expects_continue } = info;
        self.section("request");
        self.message('<', bytes);
        self.item("method", format_args!("{}: {}", head.method.as_str(), head.method.meaning()));
        let form = match target.form {
            TargetForm::Origin => "a path on this server (origin-form, RFC 9112 §3.2.1)",
            TargetForm::Absolute => {
                "a whole URL, as sent to proxies; its host counts instead of Host (absolute-form, RFC 9112 §3.2.2)"
            }
            TargetForm::Asterisk => "the server as a whole (asterisk-form, RFC 9112 §3.2.4)",
        };
        let path = target.path().escape_ascii();
        self.item("target", format_args!("{form}; after decoding and normalizing, the path is {path}"));
        target.query_pairs().for_each(|(name, value)| {
            self.item("query", format_args!("{} is {}", name.escape_ascii(), value.escape_ascii()));
        });
        if scheme == Some(Scheme::Https) {
            self.item("scheme", "https: the client uses TLS, to this server or to a proxy that it trusts");
        }
        let version = match head.version {
            Version::Http10 => "1.0: no chunks, and the connection closes unless the client sends keep-alive",
            Version::Http11 => "1.1: the connection persists unless one side sends close (RFC 9112 §9.3)",
        };
        self.item("version", version);
        for (name, _) in head.headers.iter() {
            self.item("field", format_args!("{}: {}", name.escape_ascii(), meaning(REQUEST_HEADERS, name, "not used")));
        }
        match body_length {
            BodyLength::None => {
                self.item("body", "none, since there is no Content-Length and no Transfer-Encoding (RFC 9112 §6.3)")
            }
            BodyLength::Length(length) => self.item("body", format_args!("{} (RFC 9112 §6.3)", counted(*length, "byte"))),
            BodyLength::Chunked => self.item("body", "chunks, up to one of length 0 (RFC 9112 §7.1)"),
        }
        if *expects_continue {
            self.item(
                "expect",
                "the client waits for 100 Continue or a final status before it sends the body (RFC 9110 §10.1.1)",
            );
        }
    }

    /// Explains what is wrong with a request, and shows the byte that is wrong.
    pub(super) fn parse_error(&mut self, bytes: &[u8], error: LocatedError) {
        self.section("malformed request");
        let (lines, column) = lines_up_to(bytes, error.offset);
        for line in lines {
            self.line(format_args!("< {line}"));
        }
        self.line(format_args!("  {:column$}{} byte {}", "", self.color.style("1;31", "^"), error.offset));
        self.item("rule", error.error.message());
    }

    /// Explains how the conditions and ranges of a request were evaluated, if it has any.
    pub(super) fn decisions(&mut self, decisions: &[Decision]) {
        if !decisions.is_empty() {
            self.section("conditions and ranges");
        }
        for decision in decisions {
            self.item("result", decision_text(decision));
        }
    }

    /// Explains a response; `head` is its head.
    pub(super) fn response(&mut self, response: &Response, head: &[u8]) {
        self.section("response");
        let (status, reason) = (response.status, response.outcome.text());
        match response.outcome {
            Outcome::Route(path) | Outcome::OtherSite(path) => self.item("reason", format_args!("{reason} ({path})")),
            Outcome::BrokenContent(error) => {
                self.item("reason", reason);
                self.item("rule", error.message());
            }
            _ => self.item("reason", reason),
        }
        self.item("status", format_args!("{} {}: {}", status.as_u16(), status.canonical_reason(), status.meaning()));
        self.message('>', head);
        for name in head.split(|byte| *byte == b'\n').skip(1).map(field_name).filter(|name| name.len() > 1) {
            let meaning = meaning(RESPONSE_HEADERS, name, "set on the command line");
            self.item("field", format_args!("{}: {meaning}", name.escape_ascii()));
        }
    }

    /// Explains whether the connection persists after a response, and why (RFC 9112 §9.3, §9.6).
    pub(super) fn connection(&mut self, framing: ResponseFraming, reason: Option<&CloseReason>) {
        self.item("then", connection_text(framing, reason));
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        let title = self.color.style("1", &format!("-- {title} --"));
        self.line(title);
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn item(&mut self, label: &str, text: impl Display) {
        let label = self.color.style("36", &format!("{label:<8}"));
        self.line(format_args!("  {label} {text}"));
    }

    /// Adds the lines of a head, with their line ends visible.
    fn message(&mut self, mark: char, head: &[u8]) {
        for (_, line, hidden) in lines(head) {
            self.line(format_args!("{mark} {}", hidden.unwrap_or_else(|| visible(line))));
        }
    }
}

/// Returns the text for a response after which the connection closes for `reason`, or persists.
fn connection_text(framing: ResponseFraming, reason: Option<&CloseReason>) -> String {
    let text = match (reason, framing.delimiter, framing.version) {
        (None, _, Version::Http11) => "the connection persists, which is the default in HTTP/1.1 (RFC 9112 §9.3)",
        (None, _, Version::Http10) => "the connection persists: the client sent Connection: keep-alive (RFC 9112 §9.3)",
        (Some(CloseReason::ConnectionClose), Delimiter::Close, _) => {
            "the connection closes: an HTTP/1.0 client knows no chunks, so closing marks the end of the body (RFC 9112 §6.3)"
        }
        (Some(CloseReason::ConnectionClose), _, Version::Http10) => {
            "the connection closes, which is the default in HTTP/1.0 (RFC 9112 §9.3)"
        }
        (Some(reason), ..) => return format!("the connection closes: {}", reason.sentence()),
    };
    text.to_owned()
}

/// Returns the text for one decision about conditions and ranges.
fn decision_text(decision: &Decision) -> String {
    let text = match decision {
        Decision::Condition { field, precondition, validators } => return condition_text(field, *precondition, validators),
        Decision::RangeIgnored => {
            "Range is ignored, since it is only defined for GET, and only once in a request (RFC 9110 §14.2)"
        }
        Decision::IfRange(true) => "If-Range matches the current version, so Range applies (RFC 9110 §13.1.5)",
        Decision::IfRange(false) => "If-Range does not match the current version, so the whole file is sent (RFC 9110 §13.1.5)",
        Decision::Ranges { ranges, length } => return ranges_text(ranges, *length),
    };
    text.to_owned()
}

fn condition_text(field: &str, precondition: Precondition, validators: &Validators) -> String {
    let etag = validators.etag.as_ref().map_or_else(|| "no ETag".to_owned(), |etag| format!("ETag {etag}"));
    let modified = validators.last_modified.map_or_else(|| "unknown".to_owned(), |time| HttpDate::new(time).text);
    let result = match precondition {
        Precondition::Passed => "the condition holds, so the request is handled as without it",
        Precondition::NotModified => "the client has this version, so no body is sent",
        Precondition::Failed => "the condition fails, so nothing is done",
    };
    format!("{field} is compared with {etag}, Last-Modified {modified}: {result} (RFC 9110 §13.2.2)")
}

fn ranges_text(ranges: &RangeSet, length: u64) -> String {
    let bytes = |range: &ByteRange| format!("{} to {}", range.start, range.last());
    match ranges {
        RangeSet::Full => {
            "Range is malformed, has an unknown unit, overlaps, has too many parts or the file is empty: the whole file is sent (RFC 9110 §14.2)"
                .to_owned()
        }
        RangeSet::Single(range) => format!("Range selects bytes {} of {length}, counted from 0 (RFC 9110 §14.1)", bytes(range)),
        RangeSet::Multiple(ranges) => {
            let parts: Vec<String> = ranges.iter().map(bytes).collect();
            format!("Range selects bytes {} of {length}, sent as parts of one body (RFC 9110 §14.6)", parts.join(" and "))
        }
        RangeSet::Unsatisfiable => format!("Range selects none of {} (RFC 9110 §15.5.17)", counted(length, "byte")),
    }
}

/// Returns bytes with control bytes and those above ASCII escaped, at most [`LINE_BYTES_MAX`] of them.
fn visible(bytes: &[u8]) -> String {
    let (shown, rest) = bytes.split_at_checked(LINE_BYTES_MAX).map_or((bytes, ""), |(shown, _)| (shown, "..."));
    format!("{}{rest}", shown.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'"))
}

/// Returns what is shown instead of a line with a secret; `None` if it has none. A malformed line may be malformed in its field name, or
/// have a bare CR in it, so only letters count, and a line that is no proper field is not shown at all. The start line of a valid message
/// has no field name, but may have such words in its path.
fn hidden(line: &[u8], is_start_line: bool) -> Option<String> {
    let name = field_name(line);
    if is_token(name.trim_ascii()) && is_sensitive(name.trim_ascii()) {
        return Some(format!("{}: {HIDDEN}", name.escape_ascii()));
    }
    let may_be_sensitive = |part: &[u8]| {
        let name = field_name(part).trim_ascii();
        let letters: Vec<u8> = name.iter().copied().filter(u8::is_ascii_alphabetic).take(64).collect();
        let starts = |word: &str| letters.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
        match is_token(name) {
            true => is_sensitive(name),
            false if is_start_line => ["auth", "cookie", "proxyauth"].into_iter().any(starts),
            false => contains_sensitive_word(&letters),
        }
    };
    let is_sensitive = has_userinfo(line) || line.split(|byte| *byte == b'\r').any(may_be_sensitive);
    is_sensitive.then(|| HIDDEN.to_owned())
}

/// Returns what precedes the first colon of a line, or all of it.
fn field_name(line: &[u8]) -> &[u8] {
    split_once(line, b":").map_or(line, |(name, _)| name)
}

/// Whether a line contains a URL with a user name and password (RFC 3986 §3.2.1).
fn has_userinfo(line: &[u8]) -> bool {
    let Some((_, rest)) = split_once(line, b"://") else { return false };
    rest.iter().take_while(|byte| !b"/?# ".contains(byte)).any(|byte| *byte == b'@')
}

/// Returns the lines of a head, each with its offset, and with what is shown instead of it.
fn lines(head: &[u8]) -> impl Iterator<Item = (usize, &[u8], Option<String>)> {
    let (mut next, mut was_hidden) = (0, false);
    head.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let offset = next;
        next += line.len();
        // A line that starts with white space continues the value before it.
        let continues = was_hidden && matches!(line.first(), Some(b' ' | b'\t'));
        let hidden = if continues { Some(HIDDEN.to_owned()) } else { hidden(line, offset == 0) };
        was_hidden = hidden.is_some();
        (offset, line, hidden)
    })
}

/// Returns the lines of a malformed message up to the one with the byte at `offset`, and the column of that byte in the last line.
fn lines_up_to(bytes: &[u8], offset: usize) -> (Vec<String>, usize) {
    let mut before: Vec<_> = lines(bytes).take_while(|(start, ..)| *start <= offset).collect();
    let (start, line, hidden) = before.pop().unwrap_or((0, bytes, None));
    let mut shown: Vec<String> = before.into_iter().map(|(_, line, hidden)| hidden.unwrap_or_else(|| visible(line))).collect();
    if let Some(hidden) = hidden {
        let column = hidden.len() - HIDDEN.len();
        shown.push(hidden);
        return (shown, column);
    }
    let (left, right) = line.split_at(offset.saturating_sub(start).min(line.len()));
    let near = left.last_chunk::<BEFORE_ERROR_BYTES>().map_or_else(|| visible(left), |near| format!("...{}", visible(near)));
    shown.push(format!("{near}{}", visible(right)));
    (shown, near.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_of_the_wrong_byte() {
        for (bytes, at, want, column, why) in [
            (&b"G@T / b\r\nx"[..], 1, &["G@T / b\\r\\n"][..], 1, "no line after it"),
            (b"a\r\nb\n", 4, &["a\\r\\n", "b\\n"], 1, "a line end"),
            (b"\x00\x01", 1, &["\\x00\\x01"], 4, "after an escaped byte"),
            (b"ab", 2, &["ab"], 2, "after the last byte"),
            (b"", 0, &[""], 0, "no bytes"),
            (b"ab", 99, &["ab"], 2, "beyond the end"),
            (b"Cookie: a=\x00", 10, &["Cookie: (not shown)\\r\\n"], 8, "within a secret"),
            (b"Authorization\x00: x\r\n", 13, &["(not shown)\\r\\n"], 0, "a secret with a malformed name"),
            (b"Authorization Basic x\r\n", 13, &["(not shown)\\r\\n"], 0, "a secret without a colon"),
            (b"a\r\nX-Api Key: b\r\n", 8, &["a\\r\\n", "(not shown)\\r\\n"], 0, "a word of a secret in a malformed name"),
            (b"a\r\nSec-WebSocket-Key: b\x00\r\n", 23, &["a\\r\\n", "Sec-WebSocket-Key: b\\x00\\r\\n"], 20, "no secret"),
            (b"GET /monkey\x00 HTTP/1.1\r\n", 11, &["GET /monkey\\x00 HTTP/1.1\\r\\n"], 11, "a path"),
            (b"A: b\rX-Api-Key: c\r\n", 4, &["(not shown)\\r\\n"], 0, "a secret with a word after a bare CR"),
            (b"A: b\rCookie: c\r\n", 4, &["(not shown)\\r\\n"], 0, "a secret after a bare CR"),
            (b"GET http://u:p@h/ HTTP/1.1\r\nA b", 29, &["(not shown)\\r\\n", "A b"], 1, "a password in a URL"),
            (
                b"a\r\nCOOKIE : b\r\n c\r\n",
                15,
                &["a\\r\\n", "COOKIE : (not shown)\\r\\n", "(not shown)\\r\\n"],
                0,
                "a folded line",
            ),
        ] {
            let lines = want.iter().map(ToString::to_string).collect();
            assert_eq!(lines_up_to(bytes, at), (lines, column), "{why}");
        }
        let long = [b"x".repeat(100), b"!".to_vec(), b"y".repeat(300)].concat();
        let (lines, column) = lines_up_to(&long, 100);
        assert_eq!(lines[0].find('!'), Some(column), "a long line is shown around the byte");
        assert_eq!(column, 63);
    }

    #[test]
    fn text_for_connections_that_persist_or_close() {
        let framing = |delimiter, version| ResponseFraming { delimiter, send_body: true, keep_alive: false, version };
        let (length, close) = (Delimiter::Length(1), Some(&CloseReason::ConnectionClose));
        for (framing, reason, want) in [
            (framing(Delimiter::Close, Version::Http10), close, "closing marks the end of the body"),
            (framing(length, Version::Http11), close, "Connection: close"),
            (framing(length, Version::Http10), close, "the default in HTTP/1.0"),
            (framing(length, Version::Http11), None, "the default in HTTP/1.1"),
            (framing(length, Version::Http10), None, "keep-alive"),
            (framing(length, Version::Http11), Some(&CloseReason::HandlerPanicked), "the connection closes: "),
        ] {
            let text = connection_text(framing, reason);
            assert!(text.contains(want), "{reason:?}: {text}");
        }
    }
}
