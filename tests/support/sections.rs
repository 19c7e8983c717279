//! The sections of RFC 9110 and RFC 9112 that a text cites.

use std::collections::BTreeSet;

/// An RFC and a section, as in `RFC 9112 §2.2`.
pub type Section = (String, String);

/// The sections of the two RFCs that a text cites; `RFC 9110 §9.3.7, §15.5.6` are two.
pub fn sections(text: &str) -> BTreeSet<Section> {
    let mut found = BTreeSet::new();
    for rfc in ["9110", "9112"] {
        for (at, mark) in text.match_indices(&format!("RFC {rfc} §")) {
            let mut rest = &text[at + mark.len()..];
            loop {
                let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                found.insert((rfc.to_owned(), rest[..end].trim_end_matches('.').to_owned()));
                rest = &rest[end..];
                let next = [", §", " and §", "; §"].into_iter().find_map(|between| rest.strip_prefix(between));
                let Some(next) = next else { break };
                rest = next;
            }
        }
    }
    found
}

#[test]
fn citations() {
    let text = "(RFC 9110 §9.3.7, §15.5.6), RFC 9112 §2.2. RFC 3986 §3; RFC 9112 §6.3, rule 5";
    let want = [("9110", "15.5.6"), ("9110", "9.3.7"), ("9112", "2.2"), ("9112", "6.3")];
    assert_eq!(sections(text), want.map(|(rfc, section)| (rfc.to_owned(), section.to_owned())).into());
}
