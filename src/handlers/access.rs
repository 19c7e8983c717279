//! Access checks before any lookup: the host, credentials (RFC 7617), the origin, and CORS (Fetch §3.3).
//!
//! Credentials are kept as keyed hashes of `name:password`, which are compared in constant time and reveal no password. A bcrypt hash is
//! checked slowly, as intended; once a password was right, its keyed hash is kept as well.

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
use crate::handlers::outcome::Outcome;
use crate::http::grammar::trim_ows;
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::origin;
use crate::http::origin::{AllowOrigin, PREFLIGHT_AGE_SECS, Preflight};
use crate::http::status::StatusCode;

/// Longest `name:password` in bytes.
const PAIR_BYTES_MAX: usize = 1024;
/// Bcrypt checks at the same time. More would take the processors from clients with known credentials.
const SLOW_CHECKS_MAX: usize = 8;
/// Verified passwords that are remembered for each bcrypt hash. Different ones can match, since bcrypt ignores bytes after the 72nd.
const REMEMBERED_MAX: usize = 64;
/// The environment variable with credentials, one entry per line.
pub const VARIABLE: &str = "THREADBARE_AUTH";

/// The response to a request for a host that is not allowed (RFC 9110 §15.5.20); `None` if it is allowed.
pub fn check_host(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let AllowedHosts::Local { extra } = &app.config.hosts else { return None };
    // A request without Host is HTTP/1.0, and not from a browser.
    let host = request.target.authority?.host;
    let is_allowed = origin::is_local_host(host) || extra.iter().any(|name| origin::host_matches(host, name));
    (!is_allowed).then(|| {
        Response::text(StatusCode::MISDIRECTED_REQUEST, "unknown host; use --allow-host NAME to accept it")
            .outcome(Outcome::WrongHost)
    })
}

/// The response to a request without valid credentials (RFC 9110 §15.5.2); `None` if they are valid, or none are required.
pub fn authenticate(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let response = match app.auth.as_ref()?.verify(request.head.headers.get_unique(name::AUTHORIZATION)) {
        AuthResult::Ok => return None,
        AuthResult::Denied => Response::text(StatusCode::UNAUTHORIZED, "authentication required (RFC 7617)")
            .header("WWW-Authenticate", "Basic realm=\"threadbare\", charset=\"UTF-8\"")
            .header("Cache-Control", "no-store"),
        AuthResult::Busy => {
            Response::text(StatusCode::SERVICE_UNAVAILABLE, "too many passwords to check, try again").header("Retry-After", "1")
        }
    };
    Some(response.outcome(Outcome::Unauthorized))
}

/// The response to a request that a browser sends for a page of another site; `None` for all others.
pub fn check_same_origin(request: &Request<'_>) -> Option<Response> {
    let is_same_origin = origin::is_same_origin(&request.head.headers, request.target.authority);
    (!is_same_origin).then(|| Response::text(StatusCode::FORBIDDEN, "pages of other sites may not request this"))
}

/// The response to a CORS preflight from an allowed origin; `None` for other requests.
///
/// It comes before authentication, since browsers send preflights without credentials, and it reveals nothing about what exists.
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
    Some(response.header("Vary", "Access-Control-Request-Headers").outcome(Outcome::Preflight))
}

/// Adds the fields that let a page of the request's origin read the response; error responses have them too. The field for any origin is
/// one of the [default headers](crate::config::headers::DefaultHeaders).
pub fn add_cors_headers(mut response: Response, request: &Request<'_>, cors: &Cors) -> Response {
    match cors.origins.permission(&request.head.headers) {
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
    // Also without permission: a cache must not send this response to a page of another origin.
    response.header("Vary", "Origin")
}

/// The credentials that give access.
pub struct Auth {
    keys: [RandomState; 2],
    /// Keyed hashes of plaintext credentials, and of those that a bcrypt check has verified. Guarded for a comparison or an insertion.
    verified: RwLock<Vec<u128>>,
    hashed: Vec<HashedPassword>,
    slow_checks: AtomicUsize,
}

/// A name, and its password as a bcrypt hash.
struct HashedPassword {
    name: Vec<u8>,
    hash: String,
}

/// Result of a credential check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthResult {
    /// The credentials are valid.
    Ok,
    /// They are missing or wrong.
    Denied,
    /// Too many checks are running.
    Busy,
}

/// Where credentials are read from.
#[derive(Debug)]
pub struct CredentialSources<'a> {
    /// The values of `--auth`.
    pub given: &'a [String],
    /// The file of `--auth-file`, with one entry per line.
    pub file: Option<&'a Path>,
    /// The value of [`VARIABLE`].
    pub environment: Option<OsString>,
}

impl CredentialSources<'_> {
    /// Reads all entries; `None` if there are none, and no authentication is required.
    ///
    /// # Errors
    /// The file cannot be read, or an entry is malformed; in one line, without the entry.
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
            // An empty file was meant to restrict access, not to give it to everyone.
            return if self.file.is_some() {
                Err("--auth-file has no entry; write USER:HASH (htpasswd -B)".into())
            } else {
                Ok(None)
            };
        }
        let auth = Auth::new(entries.iter().map(|(_, entry)| &**entry));
        auth.map(Some).map_err(|(number, reason)| {
            let origin = entries.get(number - 1).map_or("an entry", |(origin, _)| &**origin);
            format!("{origin}: {reason}")
        })
    }
}

/// The entries of a text, each with its origin. Empty lines and those that begin with `#` are skipped.
fn lines(text: &str, origin: &str) -> Vec<(String, String)> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    numbered.map(|(index, line)| (format!("{origin}, line {}", index + 1), line.to_owned())).collect()
}

impl Auth {
    /// Parses entries `NAME:PASSWORD` or `NAME:HASH`, with a bcrypt hash as `htpasswd -B` writes it.
    ///
    /// # Errors
    /// The number of the malformed entry, from 1, and the reason, without the entry itself.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Auth, (usize, &'static str)> {
        let mut auth = Auth {
            keys: [RandomState::new(), RandomState::new()],
            verified: RwLock::new(Vec::new()),
            hashed: Vec::new(),
            slow_checks: AtomicUsize::new(0),
        };
        let mut verified = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let wrong = |reason| (index + 1, reason);
            let (name, secret) = entry.split_once(':').ok_or(wrong("it has no colon; write NAME:PASSWORD"))?;
            if entry.len() > PAIR_BYTES_MAX {
                return Err(wrong("it is longer than 1,024 bytes"));
            }
            if entry.chars().any(char::is_control) {
                return Err(wrong("it contains a control character"));
            }
            if is_bcrypt(secret) {
                secret
                    .parse::<bcrypt::HashParts>()
                    .map_err(|_| wrong("its hash is damaged; create it again with htpasswd -B"))?;
                auth.hashed.push(HashedPassword { name: name.as_bytes().to_vec(), hash: secret.to_owned() });
            } else if secret.is_empty() {
                return Err(wrong("its password is empty"));
            } else {
                verified.push(auth.digest(entry.as_bytes()));
            }
        }
        auth.verified = RwLock::new(verified);
        Ok(auth)
    }

    /// Whether any password was given in plaintext.
    pub fn has_plaintext(&self) -> bool {
        !self.verified.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Verifies the value of an Authorization field.
    pub fn verify(&self, value: Option<&[u8]>) -> AuthResult {
        let Some(pair) = value.and_then(parse_basic) else { return AuthResult::Denied };
        let digest = self.digest(&pair);
        let verified = self.verified.read().unwrap_or_else(PoisonError::into_inner);
        // Compares with all of them, so that the time does not show which one matched.
        let is_verified = verified.iter().fold(false, |found, one| found | (black_box(*one) == digest));
        drop(verified);
        if is_verified {
            AuthResult::Ok
        } else if self.hashed.is_empty() {
            AuthResult::Denied
        } else {
            self.verify_slowly(&pair, digest)
        }
    }

    fn verify_slowly(&self, pair: &[u8], digest: u128) -> AuthResult {
        let result = if self.slow_checks.fetch_add(1, Ordering::AcqRel) < SLOW_CHECKS_MAX {
            self.verify_bcrypt(pair, digest)
        } else {
            AuthResult::Busy
        };
        self.slow_checks.fetch_sub(1, Ordering::AcqRel);
        result
    }

    fn verify_bcrypt(&self, pair: &[u8], digest: u128) -> AuthResult {
        let mut parts = pair.splitn(2, |&b| b == b':');
        let (Some(name), Some(password)) = (parts.next(), parts.next()) else { return AuthResult::Denied };
        let known = self.hashed.iter().find(|hashed| hashed.name == name);
        // An unknown name costs as much time as a wrong password: it is checked against the first hash.
        let Some(hashed) = known.or(self.hashed.first()) else { return AuthResult::Denied };
        let is_right = bcrypt::verify(password, &hashed.hash).unwrap_or(false);
        if !(is_right && known.is_some()) {
            return AuthResult::Denied;
        }
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        if verified.len() < REMEMBERED_MAX * (1 + self.hashed.len()) && !verified.contains(&digest) {
            verified.push(digest);
        }
        AuthResult::Ok
    }

    /// A keyed hash of 128 bits.
    fn digest(&self, pair: &[u8]) -> u128 {
        let [high, low] = &self.keys;
        u128::from(high.hash_one(pair)) << 64 | u128::from(low.hash_one(pair))
    }
}

/// Omits secrets.
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

    /// A hash with the lowest cost.
    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu";

    fn basic(pair: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(pair)).into_bytes()
    }

    #[test]
    fn entries_are_parsed_or_refused() {
        for (entries, error, why) in [
            (vec!["a:b"], None, "a name and a password"),
            (vec!["a:b:c"], None, "a password may hold colons"),
            (vec![":b"], None, "RFC 7617 allows an empty name"),
            (vec!["a"], Some(1), "no colon"),
            (vec!["a:b", "c:"], Some(2), "an empty password"),
            (vec!["a:b\u{7}"], Some(1), "a control character"),
            (vec![HASH], Some(1), "a hash without a name"),
            (vec!["a:$2y$04$short"], Some(1), "a damaged hash"),
        ] {
            assert_eq!(Auth::new(entries.clone()).err().map(|(place, _)| place), error, "{entries:?}: {why}");
        }
    }

    #[test]
    fn plaintext_passwords_are_verified() {
        let auth = Auth::new(["ada:love:lace", "grüße:паро́ль"]).unwrap();
        for (value, want, why) in [
            (basic("ada:love:lace"), AuthResult::Ok, "the credentials"),
            (basic("grüße:паро́ль"), AuthResult::Ok, "in UTF-8"),
            ([b"bAsIc ", &basic("ada:love:lace")[6..]].concat(), AuthResult::Ok, "the scheme is case-insensitive"),
            ([b"Basic   ", &basic("ada:love:lace")[6..]].concat(), AuthResult::Ok, "more than one space"),
            (basic("ada:love"), AuthResult::Denied, "a part of the password"),
            (basic("ada:love:lacey"), AuthResult::Denied, "a longer password"),
            (basic("Ada:love:lace"), AuthResult::Denied, "another name"),
            (basic("ada"), AuthResult::Denied, "no colon"),
            (basic(":"), AuthResult::Denied, "an empty name and password"),
            (b"Basic".to_vec(), AuthResult::Denied, "no credentials"),
            (b"Basic !!!!".to_vec(), AuthResult::Denied, "not base64"),
            (b"Bearer YWRhOmxvdmU6bGFjZQ==".to_vec(), AuthResult::Denied, "another scheme"),
            (b"Basic YWRhOmxvdmU6bGFjZQ== x".to_vec(), AuthResult::Denied, "trailing data"),
            (basic(&format!("ada:{}", "x".repeat(9000))), AuthResult::Denied, "far too long"),
        ] {
            assert_eq!(auth.verify(Some(&value)), want, "{why}");
        }
        assert_eq!(auth.verify(None), AuthResult::Denied);
    }

    #[test]
    fn bcrypt_hashes_are_verified_and_remembered() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let entry = format!("ada:{hash}");
        let auth = Auth::new([entry.as_str(), "bob:plain"]).unwrap();
        for round in 0..3 {
            assert_eq!(auth.verify(Some(&basic("ada:secret"))), AuthResult::Ok, "round {round}");
            assert_eq!(auth.verify(Some(&basic("ada:Secret"))), AuthResult::Denied);
            assert_eq!(auth.verify(Some(&basic(&entry))), AuthResult::Denied, "the hash is not the password");
            assert_eq!(auth.verify(Some(&basic("eve:secret"))), AuthResult::Denied, "the password of another name");
            assert_eq!(auth.verify(Some(&basic("bob:plain"))), AuthResult::Ok);
        }
        assert_eq!(auth.verified.read().unwrap().len(), 2, "remembered once");
        assert_eq!(auth.slow_checks.load(Ordering::Relaxed), 0);
    }
}
