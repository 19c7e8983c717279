//! What happened, and why? Each exchange in plain words, for whoever learns HTTP from it (`--explain`).
//!
//! Nothing is read a second time: what is told is what the server itself read, found and decided, handed over where it has it in its
//! hands. Without `--explain` there is nobody to hand it to, and nothing of this is touched.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use crate::handlers::message::Response;
use crate::handlers::outcome::DecisionTrace;
use crate::handlers::outcome::Outcome;
use crate::http::error::LocatedError;
use crate::http::framing::{BodyLength, Expectation};
use crate::http::method::Method;
use crate::http::request::{RequestHead, Version};
use crate::http::target::{RequestTarget, TargetForm};
use crate::server::close_reason::CloseReason;
use crate::server::response_framing::ResponseFraming;
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
        let crate::server::explain_bytes::MarkedLines { lines, column } =
            crate::server::explain_bytes::broken(bytes, fault.offset);
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
            page.says("how", &crate::server::explain_decisions::sentence(note));
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
                crate::server::explain_statuses::of_status(response.status)
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
        page.says("then", &crate::server::explain_connection::sentence(plan, ended));
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
        for line in crate::server::explain_bytes::lines(head) {
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
