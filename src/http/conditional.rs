//! Conditional requests and validators (RFC 9110 §8.8, §13).
//!
//! A client names the version that it has by entity tag or date. [`evaluate_preconditions`] compares it with the current version in the order
//! of §13.2.2.

use std::fmt;
use std::time::SystemTime;

use crate::http::headers::{Headers, name};
use crate::http::method::Method;

/// The strength of a validator (RFC 9110 §8.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It changes whenever the content changes.
    Strong,
    /// Several versions may share it.
    Weak,
}

/// An entity tag (RFC 9110 §8.8.3): that of a representation, or one in a request, whose text borrows the bytes of the field. It is displayed
/// as a field value: `"opaque"` or `W/"opaque"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag<T = String> {
    /// The strength.
    pub strength: Strength,
    /// The text between the quotes: visible ASCII without quotes.
    pub opaque: T,
}

/// The validators of the current version of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// The entity tag; `None` if the metadata of the file is insufficient for one.
    pub etag: Option<ETag>,
    /// The time of the last modification in whole seconds; `None` if it is unknown or has no [`HttpDate`](crate::http::date::HttpDate).
    pub last_modified: Option<SystemTime>,
}

/// The result of all preconditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The request is performed.
    Passed,
    /// The client has the current version: status 304 (RFC 9110 §15.4.5).
    NotModified,
    /// The client requires another version: status 412 (RFC 9110 §15.5.13).
    Failed,
}

/// Evaluates all preconditions except If-Range in the order of RFC 9110 §13.2.2. Also returns the name of the field that decided, if any.
/// The selected representation must exist.
pub fn evaluate_preconditions(
    headers: &Headers<'_>,
    validators: &Validators,
    method: Method,
) -> (Precondition, Option<&'static str>) {
    let is_get_or_head = method == Method::Get || method == Method::Head;
    // Steps 1 and 2: an entity tag is more precise than a date, so the date is evaluated only without one.
    let (is_passed, decided_by) = match matches_etag_list(headers, name::IF_MATCH, validators, Strength::Strong) {
        Some(matches) => (matches, Some("If-Match")),
        None => match changed_since(headers, name::IF_UNMODIFIED_SINCE, validators) {
            Some(has_changed) => (!has_changed, Some("If-Unmodified-Since")),
            None => (true, None),
        },
    };
    if !is_passed {
        return (Precondition::Failed, decided_by);
    }
    // Step 3: a cache validates its stored versions, for which weak comparison suffices.
    if let Some(matches) = matches_etag_list(headers, name::IF_NONE_MATCH, validators, Strength::Weak) {
        let precondition = match matches {
            false => Precondition::Passed,
            true if is_get_or_head => Precondition::NotModified,
            true => Precondition::Failed,
        };
        return (precondition, Some("If-None-Match"));
    }
    // Step 4 applies only to GET and HEAD (§13.1.3).
    match changed_since(headers, name::IF_MODIFIED_SINCE, validators).filter(|_| is_get_or_head) {
        Some(false) => (Precondition::NotModified, Some("If-Modified-Since")),
        Some(true) => (Precondition::Passed, Some("If-Modified-Since")),
        None => (Precondition::Passed, decided_by),
    }
}

/// Evaluates If-Range (RFC 9110 §13.1.5), step 5: whether a requested range belongs to the current version. `true` without the field.
// If-Range = entity-tag / HTTP-date
pub fn if_range_matches(headers: &Headers<'_>, validators: &Validators) -> bool {
    if headers.get(name::IF_RANGE).is_none() {
        return true;
    }
    // Several field lines are invalid. Sending the full representation is always safe.
    let Some(value) = headers.get_unique(name::IF_RANGE) else { return false };
    match entity_tag(value) {
        Some((tag, rest)) => rest.is_empty() && tag.matches(validators, Strength::Strong),
        None => {
            // Parts of two versions must never be combined, so the date must be a strong validator (§8.8.2.2). It is if the entity tag is
            // strong: the tag is weak until the second of the modification has passed.
            let is_strong = validators.etag.as_ref().is_some_and(|etag| etag.strength == Strength::Strong);
            is_strong && validators.last_modified.is_some() && date(value) == validators.last_modified
        }
    }
}

impl ETag<&[u8]> {
    /// Compares two tags: weak comparison ignores the strength, strong comparison requires both to be strong (RFC 9110 §8.8.3.2).
    fn matches(&self, validators: &Validators, comparison: Strength) -> bool {
        let Some(current) = &validators.etag else { return false };
        let both_strong = current.strength == Strength::Strong && self.strength == Strength::Strong;
        current.opaque.as_bytes() == self.opaque && (both_strong || comparison == Strength::Weak)
    }
}

/// Whether a list of entity tags over all field lines (RFC 9110 §5.3) contains the current one; `*` matches any. `None` without such a field.
/// A malformed list matches nothing, so that If-Match fails and no 304 is sent by mistake.
// If-Match = "*" / #entity-tag
fn matches_etag_list(headers: &Headers<'_>, name: &str, validators: &Validators, comparison: Strength) -> Option<bool> {
    let mut values = headers.get_all(name);
    let first = values.next()?;
    if first == b"*" {
        return Some(values.next().is_none());
    }
    let mut lines = headers.get_all(name).map(|value| line_matches(value, validators, comparison));
    Some(lines.try_fold(false, |matches, line_matches| Some(matches | line_matches?)).unwrap_or(false))
}

/// Whether one line of a list contains the current entity tag; `None` if the line is malformed. An entity tag is no quoted string: it may
/// contain commas, and a backslash does not escape.
// #entity-tag => [ entity-tag ] *( OWS "," OWS [ entity-tag ] )
fn line_matches(value: &[u8], validators: &Validators, comparison: Strength) -> Option<bool> {
    let (mut matches, mut rest) = (false, value);
    loop {
        if !rest.is_empty() && !rest.starts_with(b",") {
            let (tag, after) = entity_tag(rest)?;
            matches |= tag.matches(validators, comparison);
            rest = after.trim_ascii_start();
        }
        match rest {
            [] => return Some(matches),
            [b',', after @ ..] => rest = after.trim_ascii_start(),
            _ => return None,
        }
    }
}

/// Parses the entity tag at the start of `bytes`, and returns the bytes after it.
// entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE
fn entity_tag(bytes: &[u8]) -> Option<(ETag<&[u8]>, &[u8])> {
    let (strength, quoted) = bytes.strip_prefix(b"W/").map_or((Strength::Strong, bytes), |quoted| (Strength::Weak, quoted));
    let text = quoted.strip_prefix(b"\"")?;
    let (opaque, after) = text.split_at(text.iter().position(|&b| b == b'"')?);
    // etagc = %x21 / %x23-7E / obs-text
    let is_valid = opaque.iter().all(|&b| b > b' ' && b != 0x7f);
    is_valid.then_some((ETag { strength, opaque }, after.strip_prefix(b"\"")?))
}

/// Whether the representation was modified after the date in this field. `None` if the condition must be ignored: the field is absent,
/// repeated or invalid, or the time of the last modification is unknown (RFC 9110 §13.1.3, §13.1.4).
fn changed_since(headers: &Headers<'_>, name: &str, validators: &Validators) -> Option<bool> {
    let since = date(headers.get_unique(name)?)?;
    Some(validators.last_modified? > since)
}

/// Parses a date in any of the three formats (RFC 9110 §5.6.7).
fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.strength == Strength::Weak { "W/" } else { "" };
        write!(f, "{prefix}\"{}\"", self.opaque)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::http::request::{HeadLimits, RequestParser};

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn validators(strength: Strength) -> Validators {
        let etag = Some(ETag { strength, opaque: "a-1".to_owned() });
        Validators { etag, last_modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)) }
    }

    /// Calls `with` with the headers made of these lines.
    fn headers<T>(lines: &[&str], with: impl Fn(&Headers<'_>) -> T) -> T {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let mut parser = RequestParser::new(HeadLimits::default());
        parser.parse(head.as_bytes()).unwrap();
        with(&parser.head(head.as_bytes()).unwrap().headers)
    }

    #[test]
    fn entity_tags_are_compared_by_the_strength_of_the_field() {
        use Precondition::{Failed, NotModified, Passed};
        use Strength::{Strong, Weak};
        for (lines, strength, get, put, why) in [
            (&[][..], Strong, Passed, Passed, "no condition"),
            (&["If-Match: \"a-1\""], Strong, Passed, Passed, "the same tag"),
            (&["If-Match: \"a-1\""], Weak, Failed, Failed, "the current tag is weak"),
            (&["If-Match: W/\"a-1\""], Strong, Failed, Failed, "the tag of the client is weak"),
            (&["If-Match: \"A-1\""], Strong, Failed, Failed, "tags are case-sensitive"),
            (&["If-Match: \"x\"", "If-Match: ,, \"a-1\" ,"], Strong, Passed, Passed, "two lines, empty members"),
            (&["If-Match: *"], Weak, Passed, Passed, "any version"),
            (&["If-Match: *, \"a-1\""], Strong, Failed, Failed, "* is no member of a list"),
            (&["If-Match: *", "If-Match: \"a-1\""], Strong, Failed, Failed, "* and a list"),
            (&["If-Match: \"a-1\"", "If-Match: a-1"], Strong, Failed, Failed, "a malformed line invalidates the list"),
            (&["If-Match:"], Strong, Failed, Failed, "an empty list"),
            (&["If-None-Match: \"a-1\""], Strong, NotModified, Failed, "the same tag"),
            (&["If-None-Match: W/\"a-1\""], Strong, NotModified, Failed, "weak comparison"),
            (&["If-None-Match: \"a-1\""], Weak, NotModified, Failed, "weak comparison"),
            (&["If-None-Match: \"x,\\\", \"a-1\""], Strong, NotModified, Failed, "a comma and a backslash in a tag"),
            (&["If-None-Match: \"x\""], Strong, Passed, Passed, "another tag"),
            (&["If-None-Match: *"], Strong, NotModified, Failed, "any version"),
            (&["If-None-Match: a-1"], Strong, Passed, Passed, "no quotes"),
            (&["If-None-Match: \"a-1\" \"x\""], Strong, Passed, Passed, "no comma"),
            (&["If-None-Match: w/\"a-1\""], Strong, Passed, Passed, "the prefix W/ is case-sensitive"),
            (&["If-None-Match: \"a-1"], Strong, Passed, Passed, "no closing quote"),
            (&["If-None-Match: \"a -1\", \"a-1\""], Strong, Passed, Passed, "a space in a tag"),
        ] {
            let validators = validators(strength);
            assert_eq!(headers(lines, |h| evaluate_preconditions(h, &validators, Method::Get).0), get, "GET {lines:?}: {why}");
            assert_eq!(headers(lines, |h| evaluate_preconditions(h, &validators, Method::Head).0), get, "HEAD {lines:?}: {why}");
            assert_eq!(headers(lines, |h| evaluate_preconditions(h, &validators, Method::Put).0), put, "PUT {lines:?}: {why}");
        }
    }

    #[test]
    fn dates_are_ignored_beside_entity_tags() {
        use Precondition::{Failed, NotModified, Passed};
        let (ims, ius) = (|date: &str| format!("If-Modified-Since: {date}"), |date: &str| format!("If-Unmodified-Since: {date}"));
        let tag = |name: &str, tag: &str| format!("{name}: \"{tag}\"");
        for (lines, get, put, why) in [
            (vec![ims(BEFORE)], Passed, Passed, "modified later"),
            (vec![ims(SAME)], NotModified, Passed, "not modified; ignored for PUT"),
            (vec![ims(AFTER)], NotModified, Passed, "a date in the future"),
            (vec![ims("Sunday, 06-Nov-94 08:49:37 GMT")], NotModified, Passed, "RFC 850"),
            (vec![ims("Sun Nov  6 08:49:37 1994")], NotModified, Passed, "asctime"),
            (vec![ims("Mon, 06 Nov 1994 08:49:37 GMT")], Passed, Passed, "the wrong day of the week"),
            (vec![ims("yesterday")], Passed, Passed, "no date"),
            (vec![ims("\u{fc}")], Passed, Passed, "not ASCII"),
            (vec![ims(SAME), ims(SAME)], Passed, Passed, "two lines"),
            (vec![ius(BEFORE)], Failed, Failed, "modified later"),
            (vec![ius(SAME)], Passed, Passed, "not modified later"),
            (vec![ius("yesterday")], Passed, Passed, "no date"),
            (vec![tag("If-Match", "a-1"), ius(BEFORE)], Passed, Passed, "If-Match matches, the date is ignored"),
            (vec![tag("If-Match", "x"), ius(SAME)], Failed, Failed, "If-Match does not match, the date is ignored"),
            (vec![tag("If-None-Match", "x"), ims(SAME)], Passed, Passed, "If-None-Match does not match, the date is ignored"),
            (vec![tag("If-None-Match", "a-1"), ims(BEFORE)], NotModified, Failed, "If-None-Match matches, the date is ignored"),
            (vec![tag("If-Match", "x"), tag("If-None-Match", "a-1")], Failed, Failed, "If-Match comes first"),
            (vec![ius(SAME), ims(SAME)], NotModified, Passed, "both dates"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let current = validators(Strength::Strong);
            assert_eq!(headers(&lines, |h| evaluate_preconditions(h, &current, Method::Get).0), get, "GET {lines:?}: {why}");
            assert_eq!(headers(&lines, |h| evaluate_preconditions(h, &current, Method::Put).0), put, "PUT {lines:?}: {why}");
            let none = Validators { etag: None, last_modified: None };
            if !lines.iter().any(|line| line.contains("Match")) {
                assert_eq!(
                    headers(&lines, |h| evaluate_preconditions(h, &none, Method::Get).0),
                    Passed,
                    "{lines:?}: no current date"
                );
            }
        }
    }

    #[test]
    fn if_range_requires_a_strong_match() {
        for (lines, strong, weak, why) in [
            (vec![], true, true, "no condition"),
            (vec!["If-Range: \"a-1\"".to_owned()], true, false, "the same tag"),
            (vec!["If-Range: W/\"a-1\"".to_owned()], false, false, "a weak tag"),
            (vec!["If-Range: \"x\"".to_owned()], false, false, "another tag"),
            (vec!["If-Range: \"a-1\", \"x\"".to_owned()], false, false, "a list"),
            (vec!["If-Range: \"a-1\"".to_owned(); 2], false, false, "two lines"),
            (vec![format!("If-Range: {SAME}")], true, false, "the same date"),
            (vec![format!("If-Range: {AFTER}")], false, false, "a later date"),
            (vec!["If-Range: a-1".to_owned()], false, false, "neither a tag nor a date"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let evaluate = |current: Validators| headers(&lines, |h| if_range_matches(h, &current));
            assert_eq!(evaluate(validators(Strength::Strong)), strong, "{lines:?}: {why}");
            assert_eq!(evaluate(validators(Strength::Weak)), weak, "{lines:?}: {why}, the current tag is weak");
        }
    }
}
