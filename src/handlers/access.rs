//! Who is turned away before anything is looked up?
//!
//! In this order: whoever asks for a name that is none of ours, whoever does not say who they are where that is asked for, and pages
//! of other sites that ask for what they should not see. None of the answers holds a byte of the site.

use std::ffi::OsString;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::config::{AllowedHosts, Cors};
use crate::handlers::AppState;
use crate::handlers::message::{Request, Response};
use crate::http::grammar::trim_ows;
use crate::http::headers::name;
use crate::http::host;
use crate::http::method::Method;
use crate::http::origin::{AllowOrigin, PREFLIGHT_AGE_SECS, Preflight};
use crate::http::same_origin::{AskingSite, asking_site};
use crate::http::status::StatusCode;

/// The answer to a request for a name that is none of ours (RFC 9110 §15.5.20); `None` if it is one.
pub fn check_host(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let AllowedHosts::Local { extra: also } = &app.config.hosts else { return None };
    // Without Host it is HTTP/1.0, and no browser.
    let host = request.target.authority?.host;
    let is_ours = host::is_local_host(host) || also.iter().any(|name| host::host_matches(host, name));
    (!is_ours).then(|| {
        Response::text(StatusCode::MISDIRECTED_REQUEST, "this server does not go by that name; --allow-host NAME adds one")
    })
}

/// The answer to a stranger (RFC 9110 §15.5.2); `None` if everybody may come in, or this one.
pub fn authenticate(request: &Request<'_>, app: &AppState) -> Option<Response> {
    match app.auth.as_ref()?.verify(request.head.headers.get_unique(name::AUTHORIZATION)) {
        AuthResult::Ok => None,
        AuthResult::Denied => Some(
            Response::text(StatusCode::UNAUTHORIZED, "a name and a password, please (RFC 7617)")
                .header("WWW-Authenticate", "Basic realm=\"threadbare\", charset=\"UTF-8\"")
                .header("Cache-Control", "no-store"),
        ),
        AuthResult::Busy => Some(
            Response::text(StatusCode::SERVICE_UNAVAILABLE, "too many passwords to check, try again").header("Retry-After", "1"),
        ),
    }
}

/// The answer to a page of another site; `None` if it is one of our own, or no page.
pub fn check_same_origin(request: &Request<'_>) -> Option<Response> {
    let other = asking_site(&request.head.headers, request.target.authority) == AskingSite::Other;
    other.then(|| Response::text(StatusCode::FORBIDDEN, "pages of other sites may not ask for this"))
}

/// The answer to a browser that asks on behalf of a page, before that page may send what no form could; `None` if that is not what is
/// asked, or the page is nobody's whom we know: then it is told nothing that would let it.
///
/// It comes before passwords are asked for, since browsers ask without any. It says nothing that depends on what there is: whether the
/// real request finds something, that one is told.
pub fn preflight(request: &Request<'_>, cors: &Cors, methods: &str) -> Option<Response> {
    let headers = &request.head.headers;
    let preflight = Preflight::from_request(request.head.method, headers)?;
    if cors.origins.permission(headers) == AllowOrigin::None {
        return None;
    }
    let mut response = Response::new(StatusCode::NO_CONTENT)
        .header("Access-Control-Allow-Methods", methods.to_owned())
        .header("Access-Control-Max-Age", PREFLIGHT_AGE_SECS);
    if let Some(fields) = preflight.requested_headers() {
        response.fields.push("Access-Control-Allow-Headers", fields);
    }
    Some(response.header("Vary", "Access-Control-Request-Headers"))
}

/// The same answer, which says whether the page that asks may read it.
pub fn add_cors_headers(mut response: Response, request: &Request<'_>, cors: &Cors) -> Response {
    match cors.origins.permission(&request.head.headers) {
        // Every answer says so.
        AllowOrigin::Any => return response,
        AllowOrigin::Origin(origin) => {
            response.fields.push("Access-Control-Allow-Origin", origin.to_owned());
            response.fields.push("Access-Control-Allow-Credentials", "true");
            if request.head.method != Method::Options {
                response.fields.push("Access-Control-Expose-Headers", cors.exposed.clone());
            }
        }
        AllowOrigin::None => {}
    }
    // Also where nothing is said: a cache must not give this answer to another page.
    response.header("Vary", "Origin")
}

/// A longer pair is not looked at: 8 KiB of base64 is no password.
const PAIR_BYTES_MAX: usize = 1024;
/// Slow checks at the same time. More would only keep the processors from serving those who are known.
const SLOW_CHECKS_MAX: usize = 8;
/// Right passwords that are remembered for each hash: one, but for several spellings of none.
const REMEMBERED_MAX: usize = 64;

/// The names and passwords that open the door.
pub struct Auth {
    keys: [RandomState; 2],
    /// Of those that were given as they are, and of those whose slow check succeeded once.
    verified: RwLock<Vec<u128>>,
    hashed: Vec<Hashed>,
    slow_checks: AtomicUsize,
}

/// A name, and its password as a bcrypt hash.
struct Hashed {
    name: Vec<u8>,
    hash: String,
}

/// What becomes of someone at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthResult {
    /// They may come in.
    Ok,
    /// They did not say who they are, or it was wrong.
    Denied,
    /// Too many are being checked: they may try again.
    Busy,
}

/// The environment variable that may hold entries, one a line.
pub const VARIABLE: &str = "THREADBARE_AUTH";

/// Where names and passwords come from.
#[derive(Debug)]
pub struct CredentialSources<'a> {
    /// From the command line.
    pub given: &'a [String],
    /// A file with one a line.
    pub file: Option<&'a Path>,
    /// What [`VARIABLE`] holds.
    pub environment: Option<OsString>,
}

impl CredentialSources<'_> {
    /// Reads them; `None` if there is no entry anywhere, and nobody is asked.
    ///
    /// # Errors
    /// The file cannot be read, or an entry is none; in one line, without the entry.
    pub fn read(&self) -> Result<Option<Auth>, String> {
        let mut entries: Vec<(String, String)> = self.given.iter().map(|entry| ("--auth".to_owned(), entry.clone())).collect();
        if let Some(path) = self.file {
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read --auth-file '{shown}': {error}"))?;
            entries.extend(lines(&text, &format!("--auth-file '{shown}'")));
        }
        if let Some(value) = &self.environment {
            let text = value.to_str().ok_or(format!("{VARIABLE} is not UTF-8"))?;
            entries.extend(lines(text, VARIABLE));
        }
        if entries.is_empty() {
            // A file without an entry was meant to keep people out, not to let everybody in.
            return if self.file.is_some() {
                Err("--auth-file has no entry; write USER:HASH (htpasswd -B)".into())
            } else {
                Ok(None)
            };
        }
        let auth = Auth::new(entries.iter().map(|(_, entry)| &**entry));
        auth.map(Some).map_err(|(place, why)| {
            let origin = entries.get(place - 1).map_or("an entry", |(origin, _)| &**origin);
            format!("{origin}: {why}")
        })
    }
}

/// The entries of a text, each with where it stands. Empty lines and those that begin with `#` are none.
fn lines(text: &str, origin: &str) -> Vec<(String, String)> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    numbered.map(|(index, line)| (format!("{origin}, line {}", index + 1), line.to_owned())).collect()
}

impl Auth {
    /// Takes entries `NAME:PASSWORD` or `NAME:HASH`, where a hash is what `htpasswd -B` writes.
    ///
    /// # Errors
    /// Which entry (counted from 1) is none, and why. The entry itself is a secret and not repeated.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Auth, (usize, &'static str)> {
        let mut auth = Auth {
            keys: [RandomState::new(), RandomState::new()],
            verified: RwLock::new(Vec::new()),
            hashed: Vec::new(),
            slow_checks: AtomicUsize::new(0),
        };
        let mut known = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let wrong = |why| (index + 1, why);
            let (name, secret) = entry.split_once(':').ok_or(wrong("it has no colon; write NAME:PASSWORD"))?;
            if entry.len() > PAIR_BYTES_MAX {
                return Err(wrong("it is longer than 1,024 bytes"));
            }
            if entry.chars().any(char::is_control) {
                return Err(wrong("it has a control character in it"));
            }
            if is_bcrypt(secret) {
                secret.parse::<bcrypt::HashParts>().map_err(|_| wrong("its hash is damaged; make it anew with htpasswd -B"))?;
                auth.hashed.push(Hashed { name: name.as_bytes().to_vec(), hash: secret.to_owned() });
            } else if secret.is_empty() {
                return Err(wrong("its password is empty"));
            } else {
                known.push(auth.digest(entry.as_bytes()));
            }
        }
        auth.verified = RwLock::new(known);
        Ok(auth)
    }

    /// Whether some of the passwords were given as they are.
    pub fn has_plaintext(&self) -> bool {
        !self.verified.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Judges the value of an Authorization field, or that there is none.
    pub fn verify(&self, value: Option<&[u8]>) -> AuthResult {
        let Some(parse_basic) = value.and_then(parse_basic) else { return AuthResult::Denied };
        let digest = self.digest(&parse_basic);
        let known = self.verified.read().unwrap_or_else(PoisonError::into_inner);
        // All of them, in any case: which one it was shows in no time.
        let is_known = known.iter().fold(false, |found, one| found | (black_box(*one) == digest));
        drop(known);
        if is_known {
            AuthResult::Ok
        } else if self.hashed.is_empty() {
            AuthResult::Denied
        } else {
            self.verify_slowly(&parse_basic, digest)
        }
    }

    fn verify_slowly(&self, pair: &[u8], digest: u128) -> AuthResult {
        let verdict = if self.slow_checks.fetch_add(1, Ordering::AcqRel) < SLOW_CHECKS_MAX {
            self.check(pair, digest)
        } else {
            AuthResult::Busy
        };
        self.slow_checks.fetch_sub(1, Ordering::AcqRel);
        verdict
    }

    fn check(&self, pair: &[u8], digest: u128) -> AuthResult {
        let at = pair.iter().position(|&b| b == b':').unwrap_or(pair.len());
        let (name, password) = (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default());
        let theirs = self.hashed.iter().find(|hashed| hashed.name == name);
        // Somebody unknown takes as long as somebody known with a wrong password: against the hash of whoever comes first.
        let Some(hashed) = theirs.or(self.hashed.first()) else { return AuthResult::Denied };
        let is_right = bcrypt::verify(password, &hashed.hash).unwrap_or(false);
        if !(is_right && theirs.is_some()) {
            return AuthResult::Denied;
        }
        let mut known = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < REMEMBERED_MAX * (1 + self.hashed.len()) && !known.contains(&digest) {
            known.push(digest);
        }
        AuthResult::Ok
    }

    /// 128 bits that nobody can foresee who does not know our keys, and that differ for different pairs.
    fn digest(&self, pair: &[u8]) -> u128 {
        let [high, low] = &self.keys;
        u128::from(high.hash_one(pair)) << 64 | u128::from(low.hash_one(pair))
    }
}

/// Secrets are not shown.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({} hashed)", self.hashed.len())
    }
}

fn is_bcrypt(secret: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| secret.starts_with(prefix))
}

/// The `name:password` of an Authorization field.
// credentials = auth-scheme 1*SP token68; user-pass = user-id ":" password (RFC 7617 §2)
fn parse_basic(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let token = scheme.eq_ignore_ascii_case(b"Basic ").then(|| trim_ows(rest))?;
    if token.len() > PAIR_BYTES_MAX / 3 * 4 + 4 {
        return None;
    }
    BASE64_STANDARD.decode(token).ok().filter(|pair| pair.contains(&b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `secret`, with the least cost that there is.
    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu";

    fn basic(pair: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(pair)).into_bytes()
    }

    #[test]
    fn entries() {
        for (entries, error, why) in [
            (vec!["a:b"], None, "a name and a password"),
            (vec!["a:b:c"], None, "a password may hold colons"),
            (vec![":b"], None, "RFC 7617 allows an empty name"),
            (vec!["a"], Some(1), "no colon"),
            (vec!["a:b", "c:"], Some(2), "an empty password would let anybody in"),
            (vec!["a:b\u{7}"], Some(1), "nobody can type that"),
            (vec![HASH], Some(1), "a hash without a name"),
            (vec!["a:$2y$04$short"], Some(1), "a damaged hash"),
        ] {
            assert_eq!(Auth::new(entries.clone()).err().map(|(place, _)| place), error, "{entries:?}: {why}");
        }
    }

    #[test]
    fn plain_passwords() {
        let auth = Auth::new(["ada:love:lace", "grüße:паро́ль"]).unwrap();
        for (value, want, why) in [
            (basic("ada:love:lace"), AuthResult::Ok, "the pair"),
            (basic("grüße:паро́ль"), AuthResult::Ok, "in UTF-8"),
            ([b"bAsIc ", &basic("ada:love:lace")[6..]].concat(), AuthResult::Ok, "the scheme in any case"),
            ([b"Basic   ", &basic("ada:love:lace")[6..]].concat(), AuthResult::Ok, "more than one space"),
            (basic("ada:love"), AuthResult::Denied, "a part of it"),
            (basic("ada:love:lacey"), AuthResult::Denied, "more than it"),
            (basic("Ada:love:lace"), AuthResult::Denied, "another name"),
            (basic("ada"), AuthResult::Denied, "no colon"),
            (basic(":"), AuthResult::Denied, "nothing"),
            (b"Basic".to_vec(), AuthResult::Denied, "no credentials"),
            (b"Basic !!!!".to_vec(), AuthResult::Denied, "no base64"),
            (b"Bearer YWRhOmxvdmU6bGFjZQ==".to_vec(), AuthResult::Denied, "another scheme"),
            (b"Basic YWRhOmxvdmU6bGFjZQ== x".to_vec(), AuthResult::Denied, "something behind it"),
            (basic(&format!("ada:{}", "x".repeat(9000))), AuthResult::Denied, "far too long"),
        ] {
            assert_eq!(auth.verify(Some(&value)), want, "{why}");
        }
        assert_eq!(auth.verify(None), AuthResult::Denied);
    }

    #[test]
    fn hashed_passwords() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let entry = format!("ada:{hash}");
        let auth = Auth::new([entry.as_str(), "bob:plain"]).unwrap();
        for round in 0..3 {
            assert_eq!(auth.verify(Some(&basic("ada:secret"))), AuthResult::Ok, "round {round}");
            assert_eq!(auth.verify(Some(&basic("ada:Secret"))), AuthResult::Denied);
            assert_eq!(auth.verify(Some(&basic(&entry))), AuthResult::Denied, "the hash is not the password");
            assert_eq!(auth.verify(Some(&basic("eve:secret"))), AuthResult::Denied, "somebody else's password");
            assert_eq!(auth.verify(Some(&basic("bob:plain"))), AuthResult::Ok);
        }
        assert_eq!(auth.verified.read().unwrap().len(), 2, "remembered once");
        assert_eq!(auth.slow_checks.load(Ordering::Relaxed), 0);
    }
}
