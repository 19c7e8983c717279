//! How do the pages that we make ourselves look?
//!
//! Listings, errors and `/hello` share one frame and one style sheet. All of it is in the page: nothing has to be loaded, and
//! the policy that goes with it (CSP Level 3) names the style sheet and the one script by their hashes, so that whatever else might get
//! into a page, by a name that was not escaped, stays without effect.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};
use std::time::SystemTime;

use crate::files::lookup::{Resource, error_document_404};
use crate::files::representation::Representation;
use crate::handlers::AppState;
use crate::handlers::message::{Body, FileSource, Request, Response, Slice};
use crate::http::accept::{self, Format};
use crate::http::error::ParseError;
use crate::http::headers::Headers;
use crate::http::status::StatusCode;

/// The style sheet of all pages: light and dark, wide and narrow.
const STYLE: &str = include_str!("style.css");

/// The script of a listing.
const FILTER: &str = include_str!("filter.js");

/// What a page may do: apply that style sheet, run that script, and show an icon.
const POLICY: &str = "default-src 'none'; style-src 'sha256-rJeHxeScJuiywuuITn4FnVDR3cMOiNk7K+43EHzrhtQ='; \
    script-src 'sha256-8q3OdknYRqCBwXGbjUfF1obD73xlRh9mslTaJhEbYDY='; img-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The answer that such a page is.
pub fn response(status: StatusCode, page: Body) -> Response {
    Response::new(status)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", POLICY)
        .header("Referrer-Policy", "no-referrer")
        .with_body(page)
}

/// Begins a page, up to its content. The title is any text.
pub fn begin(out: &mut String, title: &[u8]) {
    out.push_str(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
    );
    show(out, title);
    out.push_str("</title>\n<style>");
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n");
}

/// Lets the names of a listing be filtered, where there are scripts.
pub fn filter(out: &mut String) {
    out.push_str("<script>");
    out.push_str(FILTER);
    out.push_str("</script>\n");
}

/// Ends a page.
pub fn end(out: &mut String) {
    out.push_str("</body>\n</html>\n");
}

/// The answer where nothing has that name: `404.html` of the root, as it is now, for all who take HTML. It has no validators and no ranges:
/// it is not what was asked for.
pub fn missing(request: &Request<'_>, app: &AppState, now: SystemTime) -> Response {
    if accept::accepts(&request.head.headers, "text/html") {
        match error_document_404(&app.site, now) {
            Resource::File(found) => return custom_404(&found.representation, FileSource::Disk(Box::new(found.open))),
            Resource::Kept(kept) => return custom_404(&kept.representation.clone(), FileSource::Memory(kept)),
            Resource::Unacceptable
            | Resource::Directory(_)
            | Resource::MovedPermanently(_)
            | Resource::NotFound
            | Resource::Error(_)
            | Resource::Unavailable(_) => {}
        }
    }
    Response::text(StatusCode::NOT_FOUND, "nothing here has that name")
}

fn custom_404(representation: &Representation, source: FileSource) -> Response {
    Response::new(StatusCode::NOT_FOUND)
        .header("Content-Type", representation.media_type.clone())
        .header("Cache-Control", "no-cache")
        .header("Vary", "Accept")
        .with_body(Body::Slice(source, Slice { start: 0, length: representation.length }))
}

/// The answer to a head that could be read and says what it must not: a person may have typed it. It is kept by no cache, so it need not
/// say what it depends on.
pub fn malformed(what: ParseError, headers: &Headers<'_>) -> Response {
    let response = Response::malformed(what);
    match accept::negotiate(headers, &[Format::Text, Format::Html]) {
        Format::Html => dress(response, headers),
        Format::Text | Format::Json => response,
    }
}

/// The same answer in the form that the client reads.
pub fn render_error(response: Response, headers: &Headers<'_>) -> Response {
    if response.status.as_u16() < 400 { response } else { dress(response, headers) }
}

fn dress(response: Response, headers: &Headers<'_>) -> Response {
    let Some(why) = response.reason else { return response };
    match accept::negotiate(headers, &[Format::Text, Format::Html]) {
        Format::Text | Format::Json => response.header("Vary", "Accept"),
        Format::Html => {
            let body = Body::Bytes(error_page(response.status, why).into_bytes().into());
            let mut page = self::response(response.status, body);
            for (name, value) in response.fields.iter() {
                // What only this refusal says: Allow, WWW-Authenticate, Retry-After and the like.
                if page.fields.first(name).is_none() {
                    page.fields.push(name.to_owned(), value.to_owned());
                }
            }
            page.header("Vary", "Accept").outcome(response.outcome)
        }
    }
}

fn error_page(status: StatusCode, why: &str) -> String {
    let (code, phrase) = (status.as_u16(), status.phrase());
    let mut out = String::new();
    begin(&mut out, format!("{code} {phrase}").as_bytes());
    let why = escape_html(why);
    out.push_str(&format!("<main>\n<p class=\"status\">{code}</p>\n<h1>{phrase}</h1>\n<p class=\"why\">{why}</p>\n"));
    if status == StatusCode::NOT_FOUND {
        out.push_str("<p><a href=\"/\">To the start page</a></p>\n");
    }
    out.push_str("</main>\n");
    end(&mut out);
    out
}

/// Text that stands for itself in HTML, between tags and inside a quoted attribute alike.
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
        match reference(char) {
            Some(reference) => out.push_str(reference),
            None => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// How a character that means something in HTML is written where it should mean nothing.
fn reference(char: char) -> Option<&'static str> {
    match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

/// Appends bytes that nobody vouches for, such as a name, as they can be shown: escaped; what is not UTF-8, and what would control the
/// page and not be seen, becomes U+FFFD.
pub fn show(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        // Most names need nothing, and are copied at once.
        while let Some(at) = rest.find(|char: char| char.is_control() || reference(char).is_some()) {
            let (plain, marked) = rest.split_at_checked(at).unwrap_or_default();
            let mut chars = marked.chars();
            out.push_str(plain);
            out.push_str(chars.next().and_then(reference).unwrap_or("\u{fffd}"));
            rest = chars.as_str();
        }
        out.push_str(rest);
        if !chunk.invalid().is_empty() {
            out.push('\u{fffd}');
        }
    }
}

/// A text whose `Display` is a JSON string.
///
/// ```
/// assert_eq!(threadbare::handlers::page::Json("a \"b\"").to_string(), r#""a \"b\"""#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(pub &'a str);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(char))?,
                _ => f.write_char(char)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    /// The hash of a text as a policy has it; `None` where there is no `sha256sum`.
    fn hash(text: &str) -> Option<String> {
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
        for (directive, text) in [("style-src", STYLE), ("script-src", FILTER)] {
            let Some(hash) = hash(text) else {
                eprintln!("SKIPPED: no sha256sum here, so nobody compares the hashes of the policy");
                return;
            };
            assert!(POLICY.contains(&format!("{directive} {hash};")), "the policy should say {directive} {hash}");
        }
        assert!(!STYLE.contains("</style") && !FILTER.contains("</script"), "each would end too early");
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
                ("quiet", 4.5, "what matters less is still read (1.4.3)"),
                ("link", 4.5, "so are links"),
                ("edge", 3.0, "the edge of a box is no text (1.4.11)"),
            ] {
                for back in ["ground", "raised"] {
                    let got = contrast(colour(front), colour(back));
                    assert!(got >= least, "{front} on {back} has {got:.2}, {why}: {line}");
                }
            }
        }
        assert_eq!(themes, 2, "light and dark");
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.001, "the measure itself");
    }

    #[test]
    fn bytes_that_nobody_vouches_for() {
        for (bytes, want, why) in [
            (&b"plain"[..], "plain", "most names"),
            (b"", "", "nothing"),
            (b"<a href='x'>&\"", "&lt;a href=&#39;x&#39;&gt;&amp;&quot;", "markup"),
            (b"a\nb\x1b[0m\x7f", "a\u{fffd}b\u{fffd}[0m\u{fffd}", "controls"),
            (b"a\xc2\x85b", "a\u{fffd}b", "a control beyond ASCII"),
            (b"\xffa\xe2\x82", "\u{fffd}a\u{fffd}", "no UTF-8, and cut short"),
            ("\u{fc}\u{1f9f5}".as_bytes(), "\u{fc}\u{1f9f5}", "beyond ASCII"),
        ] {
            let mut out = String::new();
            show(&mut out, bytes);
            assert_eq!(out, want, "{why}");
        }
    }

    #[test]
    fn strings() {
        for (input, want) in [("a", "\"a\""), ("\"\\", "\"\\\"\\\\\""), ("\n\u{1}\u{fc}", "\"\\n\\u0001\u{fc}\"")] {
            assert_eq!(Json(input).to_string(), want);
        }
    }
}
