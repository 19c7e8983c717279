//! Generated pages: the HTML frame, escaping, and error pages.
//!
//! Listings, error pages and `/hello` share one style sheet, which is in the page. Their Content-Security-Policy (CSP Level 3) allows it and
//! the one script by their hashes, so that markup from a name that was not escaped could do nothing.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::SystemTime;

use crate::files::lookup::error_document_404;
use crate::handlers::AppState;
use crate::handlers::message::{Body, NOT_FOUND, Request, Response};
use crate::handlers::outcome::Outcome;
use crate::http::error::ParseError;
use crate::http::headers::Headers;
use crate::http::negotiation::{self, Format};
use crate::http::range::ByteRange;
use crate::http::status::StatusCode;
use crate::http::target::RequestTarget;

/// The style sheet of all pages.
const STYLE: &str = include_str!("style.css");

/// The script of a listing: local times, and a filter of its names.
const SCRIPT: &str = include_str!("listing.js");

/// The Content-Security-Policy of all pages: that style sheet, that script, and an icon.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-zHfws/CB1olSmbJ8sJl34hPTSP7S8vtBhXeAS/yhCRc='; \
    script-src 'sha256-WQl6n6EmVryYVhNq7/fWDaZYBcyuyQFPBNonHVJ2hxo='; img-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// A response with a page.
pub fn response(status: StatusCode, page: Body) -> Response {
    response_with(status, page, POLICY.into(), "no-referrer")
}

/// A response with a page that has a policy of its own.
pub fn response_with(status: StatusCode, page: Body, policy: Cow<'static, str>, referrer_policy: &'static str) -> Response {
    Response::new(status)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", policy)
        .header("Referrer-Policy", referrer_policy)
        .with_body(page)
}

/// Begins a page, up to its content. `title` is any printable text.
pub fn begin(out: &mut String, title: &str) {
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>",
        escape_html(title)
    );
}

/// Appends the script of a listing.
pub fn push_script(out: &mut String) {
    let _ = writeln!(out, "<script>{SCRIPT}</script>");
}

/// Ends a page.
pub fn end(out: &mut String) {
    out.push_str("</body>\n</html>\n");
}

/// The response for a missing file: the site's own `404.html` for clients that accept HTML, without validators and ranges, since it is
/// not the requested file.
pub fn not_found(request: &Request<'_>, app: &AppState, now: SystemTime) -> Response {
    let response = if negotiation::accepts(&request.head.headers, "text/html")
        && let Some(file) = error_document_404(&app.site, now)
    {
        let range = ByteRange { start: 0, length: file.representation.version.length };
        Response::new(StatusCode::NOT_FOUND)
            .header("Content-Type", file.representation.media_type.clone())
            .header("Cache-Control", "no-cache")
            .header("Vary", "Accept")
            .with_body(Body::Slice(file.source, range))
    } else {
        Response::text(StatusCode::NOT_FOUND, NOT_FOUND)
    };
    // With `--spa` a browser that navigates here gets the application.
    let response = if app.config.spa { response.header("Vary", "Sec-Fetch-Dest") } else { response };
    response.outcome(Outcome::NotFound)
}

/// The response to a malformed head, as a page for browsers. No cache stores it, so it needs no `Vary`.
pub fn malformed(error: ParseError, headers: &Headers<'_>) -> Response {
    let response = Response::malformed(error);
    if prefers_page(headers) { render_error(response, headers, None) } else { response }
}

/// Turns a line of text with an error status into a page for clients that accept HTML; other responses are unchanged. `target` is that of a
/// request that could be parsed.
pub fn render_error(response: Response, headers: &Headers<'_>, target: Option<&RequestTarget<'_>>) -> Response {
    let Some(reason) = response.reason.as_deref().filter(|_| response.status.as_u16() >= 400) else { return response };
    if !prefers_page(headers) {
        return response.header("Vary", "Accept");
    }
    let body = Body::Bytes(error_page(response.status, reason, target).into_bytes().into());
    let mut page = self::response(response.status, body);
    for (name, value) in response.fields.iter() {
        // Fields of this error alone, such as Allow, WWW-Authenticate and Retry-After.
        if page.fields.first(name).is_none() {
            page.fields.push(name.to_owned(), value.to_owned());
        }
    }
    page.header("Vary", "Accept").outcome(response.outcome)
}

fn prefers_page(headers: &Headers<'_>) -> bool {
    negotiation::negotiate(headers, &[Format::Text, Format::Html]) == Format::Html
}

fn error_page(status: StatusCode, reason: &str, target: Option<&RequestTarget<'_>>) -> String {
    let (code, phrase) = (status.as_u16(), status.canonical_reason());
    let mut out = String::new();
    begin(&mut out, &format!("{code} {phrase}"));
    let reason = escape_html(reason);
    out.push_str(&format!("<main>\n<p class=\"status\">{code}</p>\n<h1>{phrase}</h1>\n<p class=\"why\">{reason}</p>\n"));
    if status == StatusCode::NOT_FOUND {
        // Relative, since a proxy may serve this below a prefix.
        let up = target.and_then(|target| target.levels_up().first().copied()).unwrap_or(0);
        out.push_str(&format!("<p><a href=\"./{}\">Home</a></p>\n", "../".repeat(up)));
    }
    out.push_str("</main>\n");
    end(&mut out);
    out
}

/// Escapes text for HTML, both between tags and in a quoted attribute.
///
/// ```
/// assert_eq!(threadbare::handlers::page::escape_html("<a href='x'>"), "&lt;a href=&#39;x&#39;&gt;");
/// ```
pub fn escape_html(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// Text as a JSON string, with its quotes (RFC 8259 §7).
///
/// ```
/// assert_eq!(threadbare::handlers::page::escape_json("a \"b\""), r#""a \"b\"""#);
/// ```
pub fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    push_json(&mut out, text);
    out.push('"');
    out
}

/// Appends text of a JSON string, without its quotes.
pub fn push_json(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// The hash of a text as a policy has it; `None` where there is no `sha256sum`.
    pub(crate) fn hash(text: &str) -> Option<String> {
        let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        sum.stdin.take()?.write_all(text.as_bytes()).ok()?;
        let said = String::from_utf8(sum.wait_with_output().ok()?.stdout).ok()?;
        let digits = said.get(..64)?.as_bytes();
        let bytes: Vec<u8> =
            digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect();
        Some(format!("'sha256-{}'", BASE64_STANDARD.encode(bytes)))
    }

    #[test]
    fn the_policy_names_what_is_in_the_page() {
        for (directive, text) in [("style-src", STYLE), ("script-src", SCRIPT)] {
            let Some(hash) = hash(text) else {
                eprintln!("SKIPPED: sha256sum is missing, so the hashes of the policy are not compared");
                return;
            };
            assert!(POLICY.contains(&format!("{directive} {hash};")), "the policy should say {directive} {hash}");
        }
        assert!(!STYLE.contains("</style") && !SCRIPT.contains("</script"), "each would end early");
    }

    /// The share of light of a colour, `#rrggbb` (WCAG 2.2, relative luminance).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(channel(1)) + 0.7152 * linear(channel(3)) + 0.0722 * linear(channel(5))
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn contrast_suffices_in_both_themes() {
        let mut themes = 0;
        for line in STYLE.lines().filter(|line| line.contains("--ground: ")) {
            themes += 1;
            let colour = |name: &str| {
                let (_, after) = line.split_once(&format!("--{name}: ")).unwrap();
                after.split(';').next().unwrap()
            };
            for (front, least, why) in [
                ("ink", 7.0, "text (WCAG 2.2, 1.4.6)"),
                ("quiet", 4.5, "secondary text (1.4.3)"),
                ("link", 4.5, "links (1.4.3)"),
                ("edge", 3.0, "the edge of a box (1.4.11)"),
            ] {
                for back in ["ground", "raised"] {
                    let got = contrast(colour(front), colour(back));
                    assert!(got >= least, "{front} on {back} has {got:.2}, {why}: {line}");
                }
            }
        }
        assert_eq!(themes, 2, "light and dark");
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.001, "the measure itself is right");
    }

    #[test]
    fn strings_are_escaped_for_json() {
        for (input, want) in [("a", "\"a\""), ("\"\\", "\"\\\"\\\\\""), ("\n\u{1}\u{fc}", "\"\\n\\u0001\u{fc}\"")] {
            assert_eq!(escape_json(input), want);
        }
    }
}
