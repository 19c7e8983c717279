//! What happened, and why? Each exchange in plain words, for whoever learns HTTP from it (`--explain`).
//!
//! Nothing is read a second time: what is told is what the server itself read, found and decided, handed over where it has it in its
//! hands. Without `--explain` there is nobody to hand it to, and nothing of this is touched.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use crate::handlers::decision_trace::{Decision, DecisionTrace};
use crate::handlers::message::Response;
use crate::handlers::outcome::Outcome;
use crate::http::conditional::{Precondition, RangeUse, Validators};
use crate::http::date::HttpDate;
use crate::http::error::LocatedError;
use crate::http::framing::{BodyLength, Expectation};
use crate::http::method::Method;
use crate::http::range::{ByteRange, RangeSet};
use crate::http::request::{RequestHead, Version};
use crate::http::target::{RequestTarget, TargetForm};
use crate::server::close_reason::CloseReason;
use crate::server::response_writer::{Delimiter, ResponseFraming};
use crate::telemetry::color::Color;
use crate::telemetry::log_queue::LogQueue;

/// Tells what happens on each connection.
#[derive(Clone, Debug)]
pub struct Explain {
    log: LogQueue,
    ink: Color,
}

impl Explain {
    /// Tells it through that queue, which never holds anybody up.
    pub fn new(log: LogQueue, ink: Color) -> Explain {
        Explain { log, ink }
    }

    /// A request was read and understood: its bytes, what was read in them, which resource is meant, how long the content is, and whether
    /// the client waits for leave to send it.
    pub fn request(
        &self,
        bytes: &[u8],
        head: &RequestHead<'_>,
        target: &RequestTarget<'_>,
        framing: BodyLength,
        expectation: Expectation,
    ) {
        let mut page = Page::titled(self.ink, "a request");
        page.lines('<', bytes);
        page.says("method", &format_args!("{}: {}", head.method.name(), of_method(head.method)));
        let path = target.path().escape_ascii();
        let form = match target.form {
            TargetForm::Origin => "a path of this server (origin-form, RFC 9112 §3.2.1)",
            TargetForm::Absolute => {
                "a whole URL, as proxies are asked; its host counts, not Host (absolute-form, RFC 9112 §3.2.2)"
            }
            TargetForm::Asterisk => "the server as a whole (asterisk-form, RFC 9112 §3.2.4)",
        };
        page.says("target", &format_args!("{form}; decoded once and resolved, the path is {path}"));
        target.query_pairs().for_each(|(name, value)| {
            page.says("query", &format_args!("{} is {}", name.escape_ascii(), value.escape_ascii()));
        });
        page.says(
            "version",
            &match head.version {
                Version::Http10 => "1.0: no chunks, and the connection ends unless the client asks otherwise",
                Version::Http11 => "1.1: the connection stays open unless somebody says close (RFC 9112 §9.3)",
            },
        );
        for (name, _) in head.headers.iter() {
            page.says("field", &format_args!("{}: {}", name.escape_ascii(), crate::server::explain_text::of_request(name)));
        }
        match framing {
            BodyLength::None => {
                page.says("content", &"none: there is no Content-Length and no Transfer-Encoding (RFC 9112 §6.3, rule 7)")
            }
            BodyLength::Length(length) => page.says("content", &format_args!("{length} bytes follow (RFC 9112 §6.3, rule 6)")),
            BodyLength::Chunked => page.says("content", &"chunks follow, until one of length 0 (RFC 9112 §7.1)"),
        }
        if expectation == Expectation::Continue {
            page.says("expects", &"leave to send it: 100 Continue, or a refusal at once (RFC 9110 §10.1.1)");
        }
        self.tell(page);
    }

    /// What came is no request.
    pub fn parse_error(&self, bytes: &[u8], fault: LocatedError) {
        let mut page = Page::titled(self.ink, "no request");
        let MarkedLines { lines, column } = broken(bytes, fault.offset);
        for line in lines {
            page.raw(&format_args!("< {line}"));
        }
        let caret = self.ink.style("1;31", "^");
        page.raw(&format_args!("  {:column$}{caret} byte {}", "", fault.offset));
        page.says("rule", &fault.error.message());
        self.tell(page);
    }

    /// How much is sent was decided, by the conditions and ranges of the request if it has any.
    pub fn decisions(&self, notes: DecisionTrace) {
        let notes = notes.into_list();
        if notes.is_empty() {
            return;
        }
        let mut page = Page::titled(self.ink, "the decision");
        for note in &notes {
            page.says("how", &decision_text(note));
        }
        self.tell(page);
    }

    /// An answer was made, and this is the head that is sent before its content.
    pub fn response(&self, response: &Response, head: &[u8]) {
        let mut page = Page::titled(self.ink, "the answer");
        match response.outcome {
            Outcome::Route(path) | Outcome::OtherSite(path) => {
                page.says("why", &format_args!("{} ({path})", response.outcome.text()))
            }
            Outcome::BrokenContent(what) => {
                page.says("why", &response.outcome.text());
                page.says("rule", &what.message());
            }
            because => page.says("why", &because.text()),
        }
        page.says(
            "status",
            &format_args!(
                "{} {}: {}",
                response.status.as_u16(),
                response.status.phrase(),
                crate::server::explain_text::of_status(response.status)
            ),
        );
        page.lines('>', head);
        let lines = head.split(|byte| *byte == b'\n').skip(1);
        for name in lines.filter_map(|line| line.split(|byte| *byte == b':').next()).filter(|name| name.len() > 1) {
            let name = String::from_utf8_lossy(name);
            page.says("field", &format_args!("{name}: {}", crate::server::explain_text::of_response(&name)));
        }
        self.tell(page);
    }

    /// What comes after the answer; `None` is another request.
    pub fn connection(&self, plan: ResponseFraming, ended: Option<&CloseReason>) {
        let mut page = Page { ink: self.ink, text: String::new() };
        page.says("then", &persistence_text(plan, ended));
        page.text.push('\n');
        self.tell(page);
    }

    fn tell(&self, page: Page) {
        // It takes what fits, and counts what does not.
        let _ = self.log.clone().write_all(page.text.as_bytes());
    }
}

/// What is told at once.
struct Page {
    ink: Color,
    text: String,
}

impl Page {
    fn titled(ink: Color, title: &str) -> Page {
        Page { ink, text: format!("{}\n", ink.style("1", &format!("-- {title} --"))) }
    }

    fn raw(&mut self, line: &dyn fmt::Display) {
        // A String takes whatever it is given.
        let _ = writeln!(self.text, "{line}");
    }

    fn says(&mut self, word: &str, what: &dyn fmt::Display) {
        let word = self.ink.style("36", &format!("{word:<8}"));
        let _ = writeln!(self.text, "  {word} {what}");
    }

    /// The lines of a head as they are on the wire, each with its end.
    fn lines(&mut self, mark: char, head: &[u8]) {
        for line in lines(head) {
            self.raw(&format_args!("{mark} {line}"));
        }
    }
}

fn of_method(method: Method) -> &'static str {
    match method {
        Method::Get => "send me the resource (RFC 9110 §9.3.1)",
        Method::Head => "the same as GET, but only the head of the answer (RFC 9110 §9.3.2)",
        Method::Post => "do with my content what you do with such content (RFC 9110 §9.3.3)",
        Method::Put => "let my content be the resource",
        Method::Delete => "remove the resource",
        Method::Patch => "change the resource in part",
        Method::Options => "say what may be done (RFC 9110 §9.3.7)",
        Method::Trace => "send my request back; nobody here does",
        Method::Connect => "open a tunnel; we are no proxy",
    }
}

/// Fields that hold secrets: they are named, and not shown.
const SENSITIVE_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
/// What is shown of one line, in bytes.
const LINE_BYTES_MAX: usize = 512;
/// What is shown of a line before the byte that broke the message.
const BEFORE_FAULT_BYTES: usize = 60;

/// A message down to the byte that broke it.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkedLines {
    /// Its lines, the last one that which holds the byte.
    pub lines: Vec<String>,
    /// In which column of the last line the byte is.
    pub column: usize,
}

/// Bytes as they are, control bytes and those above ASCII escaped.
pub fn visible(bytes: &[u8]) -> String {
    let shown = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
    let rest = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{rest}", shown.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'"))
}

/// How a line that holds a secret is shown; `None` if it holds none. What is broken may be broken in the name of a field as well, or go on
/// behind a CR that ends no line: only the letters count, and what is no proper field is not shown at all.
fn masked(line: &[u8]) -> Option<String> {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    if SENSITIVE_HEADERS.iter().any(|masked| masked.as_bytes().eq_ignore_ascii_case(name.trim_ascii())) {
        return Some(format!("{}: (not shown)\\r\\n", name.escape_ascii()));
    }
    let begins_secretly = |part: &[u8]| {
        let letters: Vec<u8> =
            part.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).take(32).collect();
        SENSITIVE_HEADERS.iter().any(|masked| letters.starts_with(masked.replace('-', "").as_bytes()))
    };
    let is_secret = has_userinfo(line) || line.split(|byte| *byte == b'\r').any(begins_secretly);
    is_secret.then(|| "(not shown)\\r\\n".to_owned())
}

/// Whether a line holds a URL with a name and a password before its host (RFC 3986 §3.2.1).
fn has_userinfo(line: &[u8]) -> bool {
    let after_scheme = line.windows(3).position(|three| three == b"://").and_then(|at| line.get(at + 3..)).unwrap_or_default();
    after_scheme.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b' ')).next().is_some_and(|host| host.contains(&b'@'))
}

/// The lines of a head as they are on the wire, each with where it begins, and as what it is shown if it must not be as it is.
fn lines_from(head: &[u8]) -> impl Iterator<Item = (usize, &[u8], Option<String>)> {
    let (mut next, mut was_secret) = (0, false);
    head.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = next;
        next += line.len();
        // A line that begins with white space goes on with the value before it.
        let goes_on = was_secret && matches!(line.first(), Some(b' ' | b'\t'));
        let masked = if goes_on { Some("(not shown)\\r\\n".to_owned()) } else { masked(line) };
        was_secret = masked.is_some();
        (start, line, masked)
    })
}

/// The lines of a head, each as it may be shown.
pub fn lines(head: &[u8]) -> impl Iterator<Item = String> {
    lines_from(head).map(|(_, line, masked)| masked.unwrap_or_else(|| visible(line)))
}

/// The lines of what is no message, down to the byte that broke it.
pub fn broken(bytes: &[u8], at: usize) -> MarkedLines {
    let mut before: Vec<_> = lines_from(bytes).take_while(|(start, _, _)| *start <= at).collect();
    let (start, line, masked) = before.pop().unwrap_or((0, bytes, None));
    let mut lines: Vec<String> = before.into_iter().map(|(_, line, masked)| masked.unwrap_or_else(|| visible(line))).collect();
    if let Some(masked) = masked {
        let column = masked.find("(not").unwrap_or_default();
        lines.push(masked);
        return MarkedLines { lines, column };
    }
    let within = at.saturating_sub(start).min(line.len());
    let from = within.saturating_sub(BEFORE_FAULT_BYTES);
    let dots = if from == 0 { "" } else { "..." };
    let shown = format!("{dots}{}", visible(line.get(from..within).unwrap_or_default()));
    let column = shown.len();
    lines.push(format!("{shown}{}", visible(line.get(within..).unwrap_or_default())));
    MarkedLines { lines, column }
}

/// After an exchange; `None` is that it stays.
fn persistence_text(plan: ResponseFraming, ended: Option<&CloseReason>) -> String {
    let words = match (ended, plan.delimiter, plan.version) {
        (None, _, Version::Http11) => {
            "the connection stays open: that is the rule in HTTP/1.1, and nobody said close (RFC 9112 §9.3)"
        }
        (None, _, Version::Http10) => {
            "the connection stays open: the client asked for it with Connection: keep-alive (RFC 9112 §9.3)"
        }
        (Some(CloseReason::ConnectionClose), Delimiter::Close, _) => {
            "the connection closes: that is the only way to say that the content is over (RFC 9112 §6.3)"
        }
        (Some(CloseReason::ConnectionClose), _, Version::Http11) => {
            "the connection closes: the client asked for it with Connection: close (RFC 9112 §9.6)"
        }
        (Some(CloseReason::ConnectionClose), _, Version::Http10) => {
            "the connection closes: that is the rule in HTTP/1.0 without keep-alive (RFC 9112 §9.3)"
        }
        (Some(other), _, _) => return close_text(other),
    };
    words.to_owned()
}

/// Why it ends.
fn close_text(ended: &CloseReason) -> String {
    let words = match ended {
        CloseReason::ClientClosed => {
            "the connection closes: the client has closed its side between two requests, and that is how it should be (RFC 9112 §9.5)"
        }
        CloseReason::ConnectionClose => "the connection closes: the client asked for it (RFC 9112 §9.6)",
        CloseReason::IdleTimeout => {
            "the connection closes: no further request came in time; --idle-timeout says how long that is (RFC 9112 §9.5)"
        }
        CloseReason::HeadTimeout => {
            "the connection closes: a head was begun and not finished in time; --head-timeout says how long that is (RFC 9112 §9.5)"
        }
        CloseReason::ContentTimeout => "the connection closes: content was announced and did not come in time (RFC 9112 §9.5)",
        CloseReason::Malformed(_) => "the connection closes: where the next request would begin cannot be known (RFC 9112 §2.2)",
        CloseReason::UnreadBody => {
            "the connection closes: more content was announced than is worth reading for nothing (RFC 9112 §9.3)"
        }
        CloseReason::HandlerPanicked => "the connection closes: the handler failed, which is a fault of this server",
        CloseReason::BodyAborted => {
            "the connection closes in the middle: the file changed or could not be read, and a broken connection says so (RFC 9112 §8)"
        }
        CloseReason::Evicted => {
            "the connection closes: all seats were taken, and a newcomer got this one; --max-connections says how many there are"
        }
        CloseReason::ShuttingDown => "the connection closes: the server is asked to stop (RFC 9112 §9.6)",
        CloseReason::ProxyHeader(_) => {
            "the connection closes: it did not begin with a header of the PROXY protocol, as --proxy-protocol has it"
        }
        CloseReason::Io(error) => return format!("the connection is gone: {error}"),
    };
    words.to_owned()
}

/// A decision in words.
fn decision_text(note: &Decision) -> String {
    match note {
        Decision::Condition { field, precondition, validators } => condition(field, *precondition, validators),
        Decision::RangeIgnored => {
            "Range is ignored: it counts for GET, and only if there is one of it (RFC 9110 §14.2)".to_owned()
        }
        Decision::IfRange(RangeUse::Honoured) => {
            "If-Range names the version that there is: Range counts (RFC 9110 §13.1.5)".to_owned()
        }
        Decision::IfRange(RangeUse::Ignored) => {
            "If-Range names another version: a part of this one would not fit to it, so all is sent (RFC 9110 §13.1.5)".to_owned()
        }
        Decision::Ranges { ranges, length } => resolved(ranges, *length),
    }
}

fn condition(field: &str, precondition: Precondition, validators: &Validators) -> String {
    let tag = validators.etag.as_ref().map_or_else(|| "has no tag".to_owned(), |etag| format!("is {etag}"));
    let date = validators.last_modified.map_or_else(|| "at a time unknown".to_owned(), |time| HttpDate::new(time).into_text());
    let outcome = match precondition {
        Precondition::Passed => "so the answer is what it would be without it",
        Precondition::NotModified => "so the client has it already, and no content is sent",
        Precondition::Failed => "so nothing is done",
    };
    format!("{field} decides (RFC 9110 §13.2.2): this version {tag}, changed {date}; {outcome}")
}

fn resolved(ranges: &RangeSet, length: u64) -> String {
    let bytes = |range: &ByteRange| format!("{} to {}", range.start, range.last());
    match ranges {
        RangeSet::Full => {
            "Range is malformed, of another unit, or asks for a byte twice: such a Range is ignored and all is sent (RFC 9110 §14.2)"
                .to_owned()
        }
        RangeSet::Single(range) => format!("Range means bytes {}, of {length}, counted from 0 (RFC 9110 §14.1)", bytes(range)),
        RangeSet::Multiple(ranges) => {
            let parts: Vec<String> = ranges.iter().map(bytes).collect();
            format!("Range means bytes {}, of {length}: several parts in one content (RFC 9110 §14.6)", parts.join(" and "))
        }
        RangeSet::Unsatisfiable => format!("Range lies outside: there are {length} bytes, counted from 0 (RFC 9110 §15.5.17)"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::http::error::ParseError;
    use crate::server::proxy_protocol::ProxyHeaderError;

    #[test]
    fn the_column_is_that_of_the_byte() {
        for (bytes, at, want, column, why) in [
            (&b"G@T / b\r\nx"[..], 1, &["G@T / b\\r\\n"][..], 1, "no line after it"),
            (b"a\r\nb\n", 4, &["a\\r\\n", "b\\n"], 1, "a line end"),
            (b"\x00\x01", 1, &["\\x00\\x01"], 4, "behind a byte that is escaped"),
            (b"ab", 2, &["ab"], 2, "behind the last one"),
            (b"", 0, &[""], 0, "nothing"),
            (b"ab", 99, &["ab"], 2, "beyond all"),
            (b"Cookie: a=\x00", 10, &["Cookie: (not shown)\\r\\n"], 8, "within a secret"),
            (b"Authorization\x00: x\r\n", 13, &["(not shown)\\r\\n"], 0, "a secret under a broken name"),
            (b"Authorization Basic x\r\n", 13, &["(not shown)\\r\\n"], 0, "a secret without a colon"),
            (b"A: b\rCookie: c\r\n", 4, &["(not shown)\\r\\n"], 0, "a secret behind a CR that ends no line"),
            (b"GET http://u:p@h/ HTTP/1.1\r\nA b", 29, &["(not shown)\\r\\n", "A b"], 1, "a password in a URL"),
            (b"a\r\nCOOKIE : b\r\n c\r\n", 15, &["a\\r\\n", "COOKIE : (not shown)\\r\\n", "(not shown)\\r\\n"], 0, "folded"),
        ] {
            let lines = want.iter().map(ToString::to_string).collect();
            assert_eq!(broken(bytes, at), MarkedLines { lines, column }, "{why}");
        }
        let long = [b"x".repeat(100), b"!".to_vec(), b"y".repeat(300)].concat();
        let MarkedLines { lines, column } = broken(&long, 100);
        assert_eq!(lines[0].find('!'), Some(column), "of a long line what is near");
        assert_eq!(column, 63);
    }

    #[test]
    fn every_end_has_its_words() {
        let plan = |delimiter, version| ResponseFraming { delimiter, send_body: true, keep_alive: false, version };
        let usual = plan(Delimiter::Length(1), Version::Http11);
        for (plan, ended, want) in [
            (
                plan(Delimiter::Close, Version::Http10),
                Some(CloseReason::ConnectionClose),
                "the only way to say that the content is over",
            ),
            (usual, Some(CloseReason::ConnectionClose), "Connection: close"),
            (plan(Delimiter::Length(1), Version::Http10), Some(CloseReason::ConnectionClose), "the rule in HTTP/1.0"),
            (usual, None, "the rule in HTTP/1.1"),
            (plan(Delimiter::Length(1), Version::Http10), None, "keep-alive"),
            (usual, Some(CloseReason::ClientClosed), "the client has closed"),
            (usual, Some(CloseReason::IdleTimeout), "--idle-timeout"),
            (usual, Some(CloseReason::HeadTimeout), "--head-timeout"),
            (usual, Some(CloseReason::ContentTimeout), "content was announced"),
            (usual, Some(CloseReason::Malformed(ParseError::Nul)), "where the next request would begin"),
            (usual, Some(CloseReason::UnreadBody), "more content"),
            (usual, Some(CloseReason::HandlerPanicked), "a fault of this server"),
            (usual, Some(CloseReason::BodyAborted), "in the middle"),
            (usual, Some(CloseReason::Evicted), "--max-connections"),
            (usual, Some(CloseReason::ShuttingDown), "asked to stop"),
            (usual, Some(CloseReason::ProxyHeader(ProxyHeaderError("why"))), "--proxy-protocol"),
            (usual, Some(CloseReason::Io(io::ErrorKind::TimedOut.into())), "is gone: timed out"),
        ] {
            let said = persistence_text(plan, ended.as_ref());
            assert!(said.contains(want), "{ended:?}: {said}");
        }
    }
}
