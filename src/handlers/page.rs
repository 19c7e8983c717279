//! How do the pages that we make ourselves look?
//!
//! Listings, errors and `/hello` share one frame and one style sheet. All of it is in the page: nothing has to be loaded, and
//! the policy that goes with it (CSP Level 3) names the style sheet and the one script by their hashes, so that whatever else might get
//! into a page, by a name that was not escaped, stays without effect.

use crate::handlers::html;
use crate::handlers::message::{Body, Response};
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
    html::show(out, title);
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
}
