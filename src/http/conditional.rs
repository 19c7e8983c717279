//! Does the client already have it, or mean another version? (RFC 9110 §8.8, §13)
//!
//! A client names the version that it knows, by entity-tag or by date; [`evaluate`] compares it with the one that there is, in
//! the order that §13.2.2 lays down, and says what becomes of the request.

use std::fmt;
use std::time::SystemTime;

use crate::http::grammar::trim_ows;
use crate::http::headers::{Headers, name};
use crate::http::method::Method;

/// What a validator promises (RFC 9110 §8.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It changes whenever a byte does.
    Strong,
    /// Two versions may share it.
    Weak,
}

/// An entity-tag of ours (RFC 9110 §8.8.3). Its `Display` is the field value: `"opaque"` or `W/"opaque"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag {
    /// What it promises.
    pub strength: Strength,
    /// What stands between the quotes: visible ASCII without a quote.
    pub opaque: String,
}

/// By what one version of a representation is told from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// Its entity-tag; `None` where the file system tells too little to make one.
    pub etag: Option<ETag>,
    /// When it last changed, in whole seconds; `None` if that is unknown or cannot be written.
    pub last_modified: Option<SystemTime>,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Answer as if there had been none.
    Passed,
    /// The client has it already: 304 (RFC 9110 §15.4.5).
    NotModified,
    /// The client means another version: 412 (RFC 9110 §15.5.13).
    Failed,
}

/// Evaluates all conditions but If-Range, in the order of RFC 9110 §13.2.2; also returns the name of the field that decided, if one did.
/// The selected representation must exist.
pub fn evaluate_preconditions(
    headers: &Headers<'_>,
    validators: &Validators,
    method: Method,
) -> (Precondition, Option<&'static str>) {
    let retrieves = method == Method::Get || method == Method::Head;
    // Steps 1 and 2: a tag says more than a date, so the date counts only without it.
    let (is_meant, first) = match matches_etag_list(headers, name::IF_MATCH, validators, Strength::Strong) {
        Some(is_named) => (is_named, Some("If-Match")),
        None => match changed_since(headers, name::IF_UNMODIFIED_SINCE, validators) {
            Some(has_changed) => (!has_changed, Some("If-Unmodified-Since")),
            None => (true, None),
        },
    };
    if !is_meant {
        return (Precondition::Failed, first);
    }
    // Step 3: a cache asks whether one of the versions it keeps will do; for that, nearly the same is good enough.
    if let Some(is_named) = matches_etag_list(headers, name::IF_NONE_MATCH, validators, Strength::Weak) {
        let precondition = match is_named {
            false => Precondition::Passed,
            true if retrieves => Precondition::NotModified,
            true => Precondition::Failed,
        };
        return (precondition, Some("If-None-Match"));
    }
    // Step 4, of which other methods know nothing (§13.1.3).
    match changed_since(headers, name::IF_MODIFIED_SINCE, validators).filter(|_| retrieves) {
        Some(false) => (Precondition::NotModified, Some("If-Modified-Since")),
        Some(true) => (Precondition::Passed, Some("If-Modified-Since")),
        None => (Precondition::Passed, first),
    }
}

/// Evaluates If-Range (RFC 9110 §13.1.5), which is step 5: are the ranges parts of the version that there is?
// If-Range = entity-tag / HTTP-date
pub fn if_range_matches(headers: &Headers<'_>, validators: &Validators) -> bool {
    let mut values = headers.get_all(name::IF_RANGE);
    let Some(value) = values.next() else { return true };
    // Two lines mean nothing; ignoring the ranges is always safe, ignoring the condition is not.
    if values.next().is_some() {
        return false;
    }
    match entity_tag(value) {
        Some((tag, rest)) => rest.is_empty() && tag.matches(validators, Strength::Strong),
        None => {
            // Parts of two versions must never be put together, so a date must be strong as well. It is when our tag is: the
            // second in which the file changed has passed (§8.8.2.2).
            let is_strong = validators.etag.as_ref().is_some_and(|etag| etag.strength == Strength::Strong);
            is_strong && validators.last_modified.is_some() && date(value) == validators.last_modified
        }
    }
}

/// An entity-tag of the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag<'a> {
    strength: Strength,
    opaque: &'a [u8],
}

impl Tag<'_> {
    /// Weak comparison looks at the text alone; strong comparison wants both tags strong too (RFC 9110 §8.8.3.2).
    fn matches(&self, validators: &Validators, comparison: Strength) -> bool {
        let Some(ours) = &validators.etag else { return false };
        let both_strong = ours.strength == Strength::Strong && self.strength == Strength::Strong;
        ours.opaque.as_bytes() == self.opaque && (both_strong || comparison == Strength::Weak)
    }
}

/// Whether ours is among the tags of all lines of that name together (RFC 9110 §5.3), or `*` is, which is any version at all; `None` if
/// there is no such line. A malformed list matches nothing, so nothing is overwritten and nobody is told "not modified" by mistake.
// If-Match = "*" / #entity-tag
fn matches_etag_list(headers: &Headers<'_>, name: &str, validators: &Validators, comparison: Strength) -> Option<bool> {
    let mut values = headers.get_all(name);
    let first = values.next()?;
    if first == b"*" {
        return Some(values.next().is_none());
    }
    let mut is_named = false;
    for value in headers.get_all(name) {
        match line_matches(value, validators, comparison) {
            Some(is_listed) => is_named |= is_listed,
            None => return Some(false),
        }
    }
    Some(is_named)
}

/// Whether ours is among the tags of one line; `None` if that is malformed. A comma between quotes belongs to the tag, and a backslash is
/// only a backslash: a tag is not a quoted-string.
// #entity-tag => [ entity-tag ] *( OWS "," OWS [ entity-tag ] )
fn line_matches(value: &[u8], validators: &Validators, comparison: Strength) -> Option<bool> {
    let (mut is_listed, mut rest) = (false, trim_ows(value));
    loop {
        if !rest.is_empty() && !rest.starts_with(b",") {
            let (tag, after) = entity_tag(rest)?;
            is_listed |= tag.matches(validators, comparison);
            rest = trim_ows(after);
        }
        match rest {
            [] => return Some(is_listed),
            [b',', after @ ..] => rest = trim_ows(after),
            _ => return None,
        }
    }
}

/// One tag at the start of `bytes`, and what follows it.
// entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE
fn entity_tag(bytes: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (strength, quoted) = match bytes.strip_prefix(b"W/") {
        Some(quoted) => (Strength::Weak, quoted),
        None => (Strength::Strong, bytes),
    };
    let text = quoted.strip_prefix(b"\"")?;
    let end = text.iter().position(|&b| b == b'"')?;
    let (opaque, after) = text.split_at_checked(end)?;
    // etagc = %x21 / %x23-7E / obs-text
    let is_valid = opaque.iter().all(|&b| b > b' ' && b != 0x7f);
    is_valid.then_some((Tag { strength, opaque }, after.strip_prefix(b"\"")?))
}

/// Whether the representation has changed since the date of that field; `None` if that cannot be said, and the condition does not
/// count: no field or several, no valid date, or no date of ours (RFC 9110 §13.1.3, §13.1.4).
fn changed_since(headers: &Headers<'_>, name: &str, validators: &Validators) -> Option<bool> {
    let since = date(headers.get_unique(name)?)?;
    Some(validators.last_modified? > since)
}

/// A date in any of its three formats (RFC 9110 §5.6.7).
fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.strength {
            Strength::Strong => "",
            Strength::Weak => "W/",
        };
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
    fn preconditions() {
        use Precondition::{Failed, NotModified, Passed};
        use Strength::{Strong, Weak};
        for (lines, strength, get, put, why) in [
            (&[][..], Strong, Passed, Passed, "no condition"),
            (&["If-Match: \"a-1\""], Strong, Passed, Passed, "the same tag"),
            (&["If-Match: \"a-1\""], Weak, Failed, Failed, "ours is weak"),
            (&["If-Match: W/\"a-1\""], Strong, Failed, Failed, "theirs is weak"),
            (&["If-Match: \"A-1\""], Strong, Failed, Failed, "case counts"),
            (&["If-Match: \"x\"", "If-Match: ,, \"a-1\" ,"], Strong, Passed, Passed, "two lines, empty members"),
            (&["If-Match: *"], Weak, Passed, Passed, "any"),
            (&["If-Match: *, \"a-1\""], Strong, Failed, Failed, "any is no member of a list"),
            (&["If-Match: *", "If-Match: \"a-1\""], Strong, Failed, Failed, "nor on two lines"),
            (&["If-Match: \"a-1\"", "If-Match: a-1"], Strong, Failed, Failed, "a malformed line spoils the list"),
            (&["If-Match:"], Strong, Failed, Failed, "an empty list"),
            (&["If-None-Match: \"a-1\""], Strong, NotModified, Failed, "the same tag"),
            (&["If-None-Match: W/\"a-1\""], Strong, NotModified, Failed, "weak comparison"),
            (&["If-None-Match: \"a-1\""], Weak, NotModified, Failed, "weak comparison"),
            (&["If-None-Match: \"x,\\\", \"a-1\""], Strong, NotModified, Failed, "a comma and a backslash in a tag"),
            (&["If-None-Match: \"x\""], Strong, Passed, Passed, "another tag"),
            (&["If-None-Match: *"], Strong, NotModified, Failed, "any"),
            (&["If-None-Match: a-1"], Strong, Passed, Passed, "no quotes"),
            (&["If-None-Match: \"a-1\" \"x\""], Strong, Passed, Passed, "no comma"),
            (&["If-None-Match: w/\"a-1\""], Strong, Passed, Passed, "W is a capital"),
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
    fn dates_and_their_order() {
        use Precondition::{Failed, NotModified, Passed};
        let (ims, ius) = (|date: &str| format!("If-Modified-Since: {date}"), |date: &str| format!("If-Unmodified-Since: {date}"));
        let tag = |name: &str, tag: &str| format!("{name}: \"{tag}\"");
        for (lines, get, put, why) in [
            (vec![ims(BEFORE)], Passed, Passed, "changed since"),
            (vec![ims(SAME)], NotModified, Passed, "not changed since, which only GET and HEAD may ask"),
            (vec![ims(AFTER)], NotModified, Passed, "a later date than ours"),
            (vec![ims("Sunday, 06-Nov-94 08:49:37 GMT")], NotModified, Passed, "RFC 850"),
            (vec![ims("Sun Nov  6 08:49:37 1994")], NotModified, Passed, "asctime"),
            (vec![ims("Mon, 06 Nov 1994 08:49:37 GMT")], Passed, Passed, "not a Monday"),
            (vec![ims("yesterday")], Passed, Passed, "no date"),
            (vec![ims("\u{fc}")], Passed, Passed, "not ASCII"),
            (vec![ims(SAME), ims(SAME)], Passed, Passed, "two lines"),
            (vec![ius(BEFORE)], Failed, Failed, "changed since"),
            (vec![ius(SAME)], Passed, Passed, "not changed since"),
            (vec![ius("yesterday")], Passed, Passed, "no date"),
            (vec![tag("If-Match", "a-1"), ius(BEFORE)], Passed, Passed, "If-Match is enough"),
            (vec![tag("If-Match", "x"), ius(SAME)], Failed, Failed, "in either sense"),
            (vec![tag("If-None-Match", "x"), ims(SAME)], Passed, Passed, "If-None-Match is enough"),
            (vec![tag("If-None-Match", "a-1"), ims(BEFORE)], NotModified, Failed, "in either sense"),
            (vec![tag("If-Match", "x"), tag("If-None-Match", "a-1")], Failed, Failed, "If-Match comes first"),
            (vec![ius(SAME), ims(SAME)], NotModified, Passed, "both dates"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let ours = validators(Strength::Strong);
            assert_eq!(headers(&lines, |h| evaluate_preconditions(h, &ours, Method::Get).0), get, "GET {lines:?}: {why}");
            assert_eq!(headers(&lines, |h| evaluate_preconditions(h, &ours, Method::Put).0), put, "PUT {lines:?}: {why}");
            let none = Validators { etag: None, last_modified: None };
            if !lines.iter().any(|line| line.contains("Match")) {
                assert_eq!(
                    headers(&lines, |h| evaluate_preconditions(h, &none, Method::Get).0),
                    Passed,
                    "{lines:?}: no date of ours"
                );
            }
        }
    }

    #[test]
    fn ranges_of_the_same_version() {
        for (lines, strong, weak, why) in [
            (vec![], true, true, "no condition"),
            (vec!["If-Range: \"a-1\"".to_owned()], true, false, "the same tag"),
            (vec!["If-Range: W/\"a-1\"".to_owned()], false, false, "a weak tag"),
            (vec!["If-Range: \"x\"".to_owned()], false, false, "another tag"),
            (vec!["If-Range: \"a-1\", \"x\"".to_owned()], false, false, "a list"),
            (vec!["If-Range: \"a-1\"".to_owned(); 2], false, false, "two lines"),
            (vec![format!("If-Range: {SAME}")], true, false, "the same date"),
            (vec![format!("If-Range: {AFTER}")], false, false, "a later date is another date"),
            (vec!["If-Range: a-1".to_owned()], false, false, "neither tag nor date"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let of = |ours: Validators| headers(&lines, |h| if_range_matches(h, &ours));
            assert_eq!(of(validators(Strength::Strong)), strong, "{lines:?}: {why}");
            assert_eq!(of(validators(Strength::Weak)), weak, "{lines:?}: {why}, ours is weak");
        }
    }
}
