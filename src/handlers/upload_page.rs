//! The form of a listing to which files may be uploaded.
//!
//! The form works without scripts. The script adds a place to drop files and folders, progress, and a way to cancel.

use std::fmt::Write;

use crate::handlers::message::{Body, Response};
use crate::handlers::page;
use crate::http::status::StatusCode;

const STYLE: &str = include_str!("upload.css");
const SCRIPT: &str = include_str!("upload.js");
const STYLE_HASH: &str = "'sha256-mVvdTh7YVd9Xb5hQuZ7uKuVheCaz7eMOiz1bASaIS6o='";
const SCRIPT_HASH: &str = "'sha256-l2HbXMmt0DbLsEN4BsNu4uR1+U7j6B6W3swXkIrZADw='";

/// A response with a page that has the form: its policy also allows what the form needs. Without a referrer, browsers would not name the
/// origin of the form, and the upload would be refused like that of another site.
pub fn response(status: StatusCode, body: Body) -> Response {
    page::response_with(status, body, policy().into(), "same-origin")
}

fn policy() -> String {
    page::POLICY
        .replace("style-src", &format!("style-src {STYLE_HASH}"))
        .replace("script-src", &format!("script-src {SCRIPT_HASH}"))
        .replace("form-action 'none'", "form-action 'self'; connect-src 'self'")
}

/// Appends the form with its style sheet and script.
pub fn push_form(out: &mut String) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<style>{STYLE}</style>\n<form class=\"upload\" action=\"./\" method=\"post\" enctype=\"multipart/form-data\">\n\
         <label>Add files <input type=\"file\" name=\"file\" multiple required></label>\n<button>Upload</button>\n</form>\n\
         <script>{SCRIPT}</script>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::page::tests::hash;

    #[test]
    fn policy_allows_the_form_and_no_more() {
        for (name, got, text) in [("STYLE_HASH", STYLE_HASH, STYLE), ("SCRIPT_HASH", SCRIPT_HASH, SCRIPT)] {
            let Some(want) = hash(text) else {
                eprintln!("SKIPPED: sha256sum is missing, so the hashes of the policy are not compared");
                return;
            };
            assert_eq!(got, want, "{name}");
        }
        assert!(!STYLE.contains("</style") && !SCRIPT.contains("</script"), "each would end early");
        let (plain, policy) = (page::POLICY, policy());
        let lists = |policy: &str, name: &str| policy.split("; ").find_map(|part| part.strip_prefix(name).map(str::to_owned));
        for (name, added) in [("style-src ", STYLE_HASH), ("script-src ", SCRIPT_HASH)] {
            assert_eq!(lists(&policy, name).unwrap(), format!("{added} {}", lists(plain, name).unwrap()));
        }
        assert_eq!(lists(&policy, "form-action "), Some("'self'".to_owned()));
        assert_eq!(lists(&policy, "connect-src "), Some("'self'".to_owned()));
        assert_eq!(lists(&policy, "default-src "), Some("'none'".to_owned()));
    }
}
