//! Access checks before any lookup: the host, credentials (RFC 7617), the origin, and CORS (Fetch §3.3).
//!
//! Credentials are kept as keyed hashes of `name:password`, which are compared in constant time and reveal no password. A bcrypt hash is
//! checked slowly, as intended; once a password was right, its keyed hash is kept as well.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::config::AllowedHosts;
use crate::handlers::check_queue::CheckQueue;
use crate::handlers::message::{Request, Response};
use crate::handlers::outcome::Outcome;
use crate::handlers::{Access, AppState, READ, find_route, names};
use crate::http::forwarded::PeerHost;
use crate::http::grammar::{split_once, strip_prefix_ignore_case};
use crate::http::headers::name;
use crate::http::method::Method;
use crate::http::origin::{self, AllowedOrigins, PREFLIGHT_AGE_SECS};
use crate::http::request::RequestHead;
use crate::http::status::StatusCode;
use crate::http::target::TargetForm;
use crate::telemetry::printable_path;

/// Longest `name:password` in bytes.
const PAIR_BYTES_MAX: usize = 1024;
/// Verified passwords that are remembered for each bcrypt hash. Different ones can match, since bcrypt ignores bytes after the 72nd.
const REMEMBERED_MAX: usize = 64;
/// The environment variable with credentials, one entry per line.
pub const VARIABLE: &str = "THREADBARE_AUTH";

/// The response to a request that was sent without TLS to a server that has it: a redirect of GET and HEAD to the same URL with `https`.
pub fn redirect_to_https(head: &RequestHead<'_>, form: TargetForm) -> Response {
    let target = std::str::from_utf8(head.target).ok().filter(|_| matches!(head.method, Method::Get | Method::Head));
    let url = target.and_then(|target| match form {
        TargetForm::Origin => Some(format!("{}{target}", std::str::from_utf8(head.headers.get(name::HOST)?).ok()?)),
        TargetForm::Absolute => target.split_once("://").map(|(_, rest)| rest.to_owned()),
        TargetForm::Asterisk => None,
    });
    let response = match url.filter(|url| !url.starts_with('/')) {
        Some(url) => Response::text(StatusCode::PERMANENT_REDIRECT, "this server speaks HTTPS")
            .header("Location", format!("https://{url}"))
            .header("Cache-Control", "no-store"),
        None => Response::text(StatusCode::BAD_REQUEST, "this server speaks HTTPS; send the request to https://"),
    };
    response.outcome(Outcome::Cleartext)
}

/// The response to a request for a host that is not allowed (RFC 9110 §15.5.20); `None` if it is allowed.
pub fn check_host(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let AllowedHosts::Local { lan, extra } = &app.config.hosts else { return None };
    // A request without Host is HTTP/1.0, and not from a browser.
    let host = request.target.authority?.host;
    let is_local = origin::is_local_host(host) || *lan && origin::is_lan_host(host);
    let is_allowed = is_local || extra.iter().any(|name| origin::host_matches(host, name));
    (!is_allowed).then(|| {
        Response::text(StatusCode::MISDIRECTED_REQUEST, "unknown host; use --allow-host NAME to accept it")
            .outcome(Outcome::WrongHost)
    })
}

/// The response to a request without valid credentials (RFC 9110 §15.5.2); `None` if they are valid, or none are required.
pub fn authenticate(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let response =
        match app.auth.as_ref()?.verify(request.head.headers.get_unique(name::AUTHORIZATION), request.client.peer.address) {
            AuthResult::Ok => return None,
            AuthResult::Denied => Response::text(StatusCode::UNAUTHORIZED, "authentication required (RFC 7617)")
                .header("WWW-Authenticate", "Basic realm=\"threadbare\", charset=\"UTF-8\"")
                .header("Cache-Control", "no-store"),
            AuthResult::Busy => Response::unavailable("too many passwords to check, try again"),
        };
    Some(response.outcome(Outcome::Unauthorized))
}

/// The response to a request that a browser sends for a page of another site; `None` for all others.
pub fn check_same_origin(request: &Request<'_>) -> Option<Response> {
    let is_same_origin = origin::is_same_origin(&request.head.headers, request.target.authority);
    (!is_same_origin).then(|| Response::text(StatusCode::FORBIDDEN, "pages of other sites may not request this"))
}

/// The response to a CORS preflight from an allowed origin; `None` for other requests. A route that pages of
/// other sites may not request is treated as if it did not exist.
///
/// It comes before authentication, since browsers send preflights without credentials, and it reveals nothing about what exists.
pub fn preflight(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let cors = app.config.cors.as_ref()?;
    let headers = &request.head.headers;
    if !origin::is_preflight(request.head.method, headers) || cors.origins.permission(headers).is_none() {
        return None;
    }
    let route = find_route(request, app).filter(|route| route.access != Access::SameOrigin);
    let mut response = Response::new(StatusCode::NO_CONTENT)
        .header("Access-Control-Allow-Methods", names(route.map_or(READ, |route| route.methods)))
        .header("Access-Control-Max-Age", PREFLIGHT_AGE_SECS);
    if let Some(fields) = origin::requested_headers(headers) {
        response.fields.push("Access-Control-Allow-Headers", fields);
    }
    Some(response.header("Vary", "Access-Control-Request-Headers").outcome(Outcome::Preflight))
}

/// Adds the fields that let a page of the request's origin read the response; error responses have them too. The field for any origin is
/// one of the [default headers](crate::config::headers).
pub fn add_cors_headers(mut response: Response, request: &Request<'_>, app: &AppState) -> Response {
    let Some(cors) = &app.config.cors else { return response };
    if cors.origins == AllowedOrigins::Any {
        return response;
    }
    if let Some(origin) = cors.origins.permission(&request.head.headers) {
        response.fields.push("Access-Control-Allow-Origin", origin.to_owned());
        response.fields.push("Access-Control-Allow-Credentials", "true");
        if request.head.method != Method::Options {
            response.fields.push("Access-Control-Expose-Headers", cors.exposed.clone());
        }
    }
    // Also without permission: a cache must not send this response to a page of another origin.
    response.header("Vary", "Origin")
}

/// The credentials that give access.
#[derive(Default)]
pub struct Auth {
    keys: [RandomState; 2],
    /// Keyed hashes of plaintext credentials, and of those that a bcrypt check has verified. Guarded for a comparison or an insertion.
    verified: RwLock<Vec<u128>>,
    /// Names, each with its password as a bcrypt hash.
    hashed: Vec<(Vec<u8>, String)>,
    queue: CheckQueue,
}

/// Result of a credential check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthResult {
    /// The credentials are valid.
    Ok,
    /// They are missing or wrong.
    Denied,
    /// Too many checks are waiting.
    Busy,
}

impl Auth {
    /// Reads the values of `--auth`, and the lines of the file of `--auth-file` and of the value of [`VARIABLE`]. `None` if there are no
    /// entries, and no authentication is required.
    ///
    /// # Errors
    /// The file cannot be read, or an entry is malformed; in one line, without the entry.
    pub fn read(given: &[String], file: Option<&Path>, environment: Option<OsString>) -> Result<Option<Auth>, String> {
        let mut auth = Auth::default();
        for entry in given {
            auth.add(entry).map_err(|reason| format!("--auth: {reason}"))?;
        }
        if let Some(path) = file {
            let shown = printable_path(path);
            let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read --auth-file '{shown}': {error}"))?;
            auth.add_lines(&text, &format!("--auth-file '{shown}'"))?;
        }
        if let Some(value) = environment {
            auth.add_lines(value.to_str().ok_or(format!("{VARIABLE} is not UTF-8"))?, VARIABLE)?;
        }
        match file {
            _ if auth.has_plaintext() || !auth.hashed.is_empty() => Ok(Some(auth)),
            // An empty file was meant to restrict access, not to give it to everyone.
            Some(_) => Err("--auth-file has no entry; write USER:HASH (htpasswd -B)".into()),
            None => Ok(None),
        }
    }

    /// Adds the entries of a text. Empty lines and those that begin with `#` are skipped.
    fn add_lines(&mut self, text: &str, origin: &str) -> Result<(), String> {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            self.add(line).map_err(|reason| format!("{origin}, line {}: {reason}", index + 1))?;
        }
        Ok(())
    }

    /// Adds an entry `NAME:PASSWORD` or `NAME:HASH`, with a bcrypt hash as `htpasswd -B` writes it.
    ///
    /// # Errors
    /// Why it is malformed, without the entry itself.
    pub fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        let (name, secret) = entry.split_once(':').ok_or("it has no colon; write NAME:PASSWORD")?;
        if entry.len() > PAIR_BYTES_MAX {
            return Err("it is longer than 1,024 bytes");
        }
        if entry.chars().any(char::is_control) {
            return Err("it contains a control character");
        }
        if is_bcrypt(secret) {
            secret.parse::<bcrypt::HashParts>().map_err(|_| "its hash is damaged; create it again with htpasswd -B")?;
            self.hashed.push((name.as_bytes().to_vec(), secret.to_owned()));
        } else if secret.is_empty() {
            return Err("its password is empty");
        } else if is_other_hash(secret) {
            return Err("its hash is of an unsupported kind; create one with htpasswd -B");
        } else {
            let digest = self.digest(entry.as_bytes());
            self.verified.get_mut().unwrap_or_else(PoisonError::into_inner).push(digest);
        }
        Ok(())
    }

    /// Whether any password was given in plaintext.
    pub fn has_plaintext(&self) -> bool {
        !self.verified.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Verifies the value of an Authorization field that this client has sent. It may wait for checks of other requests.
    pub fn verify(&self, value: Option<&[u8]>, client: PeerHost) -> AuthResult {
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
            self.verify_bcrypt(&pair, digest, client)
        }
    }

    fn verify_bcrypt(&self, pair: &[u8], digest: u128, client: PeerHost) -> AuthResult {
        // An empty password matches no hash, not even its own.
        let Some((name, password @ [_, ..])) = split_once(pair, b":") else { return AuthResult::Denied };
        let Some(_permit) = self.queue.enter(client) else { return AuthResult::Busy };
        let is_right = |hash: &String| bcrypt::verify(password, hash).unwrap_or(false);
        let mut hashes = self.hashed.iter().filter(|(known, _)| known == name).map(|(_, hash)| hash);
        if !hashes.clone().any(is_right) {
            // The result does not matter: this is not a hash of the name, or it has been checked.
            if let Some(costliest) = self.costliest().filter(|costliest| !hashes.any(|hash| cost(hash) == cost(costliest))) {
                black_box(is_right(costliest));
            }
            return AuthResult::Denied;
        }
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        if verified.len() < REMEMBERED_MAX * (1 + self.hashed.len()) && !verified.contains(&digest) {
            verified.push(digest);
        }
        AuthResult::Ok
    }

    /// The hash that takes longest to check. A wrong password costs this check, so that its time does not show whether the name exists.
    fn costliest(&self) -> Option<&String> {
        self.hashed.iter().map(|(_, hash)| hash).max_by_key(|&hash| cost(hash))
    }

    /// A keyed hash of 128 bits.
    fn digest(&self, pair: &[u8]) -> u128 {
        let [high, low] = &self.keys;
        u128::from(high.hash_one(pair)) << 64 | u128::from(low.hash_one(pair))
    }
}

fn is_bcrypt(secret: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| secret.starts_with(prefix))
}

/// The two digits after `$2y$` of a bcrypt hash: each step doubles the time to check it.
fn cost(hash: &str) -> Option<&str> {
    hash.get(4..6)
}

/// Whether a text looks like a hash that is not supported: `$id$…` as in crypt(5), or `{scheme}…` (RFC 2307 §5.3). Taken for a password,
/// such an entry would admit those who know the hash, and not the user. A hash of DES looks like any other password.
fn is_other_hash(secret: &str) -> bool {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=,".contains(&byte));
    let crypt = secret.strip_prefix('$').and_then(|rest| rest.split_once('$'));
    let scheme = secret.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    crypt.or(scheme).is_some_and(|(id, _)| is_id(id))
}

/// The `name:password` of an Authorization field.
// credentials = auth-scheme 1*SP token68; user-pass = user-id ":" password (RFC 7617 §2)
fn parse_basic(value: &[u8]) -> Option<Vec<u8>> {
    let token = strip_prefix_ignore_case(value, b"Basic ")?.trim_ascii();
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

    const CLIENT: PeerHost = PeerHost::Unix;

    fn auth<'a>(entries: impl IntoIterator<Item = &'a str>) -> Auth {
        let mut auth = Auth::default();
        entries.into_iter().for_each(|entry| auth.add(entry).unwrap());
        auth
    }

    fn basic(pair: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(pair)).into_bytes()
    }

    #[test]
    fn entries_are_parsed_or_refused() {
        for (entry, is_valid, why) in [
            ("a:b", true, "a name and a password"),
            ("a:b:c", true, "a password may hold colons"),
            (":b", true, "RFC 7617 allows an empty name"),
            ("a", false, "no colon"),
            ("c:", false, "an empty password"),
            ("a:b\u{7}", false, "a control character"),
            (HASH, false, "a hash without a name"),
            ("a:$2y$04$short", false, "a damaged hash"),
            ("a:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00", false, "MD5 of Apache, which htpasswd writes without -B"),
            ("a:$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", false, "MD5"),
            ("a:$5$rounds=1000$salt$hash", false, "SHA-256"),
            ("a:$6$salt$hash", false, "SHA-512"),
            ("a:$y$j9T$salt$hash", false, "yescrypt"),
            ("a:$argon2id$v=19$m=65536,t=2,p=1$c2FsdA$aGFzaA", false, "Argon2"),
            ("a:$2$05$abcdefghijklmnopqrstuu", false, "the oldest bcrypt"),
            ("a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", false, "SHA-1"),
            ("a:{SSHA}c2FsdA", false, "SHA-1 with salt"),
            ("a:{BLF-CRYPT}$2y$05$abc", false, "bcrypt as Dovecot writes it"),
            ("a:$ecret", true, "a password with such characters"),
            ("a:pa$$word", true, "a password with such characters"),
            ("a:{brace", true, "a password with such characters"),
            ("a:$$", true, "a password with such characters"),
            ("a:{}", true, "a password with such characters"),
            ("a:$ a$b", true, "a password with such characters"),
        ] {
            assert_eq!(Auth::default().add(entry).is_ok(), is_valid, "{entry:?}: {why}");
        }
    }

    #[test]
    fn plaintext_passwords_are_verified() {
        let auth = auth(["ada:love:lace", "grüße:паро́ль"]);
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
            assert_eq!(auth.verify(Some(&value), CLIENT), want, "{why}");
        }
        assert_eq!(auth.verify(None, CLIENT), AuthResult::Denied);
    }

    #[test]
    fn bcrypt_hashes_are_verified_and_remembered() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let entry = format!("ada:{hash}");
        let auth = auth([entry.as_str(), "bob:plain"]);
        for round in 0..3 {
            assert_eq!(auth.verify(Some(&basic("ada:secret")), CLIENT), AuthResult::Ok, "round {round}");
            assert_eq!(auth.verify(Some(&basic("ada:Secret")), CLIENT), AuthResult::Denied);
            assert_eq!(auth.verify(Some(&basic(&entry)), CLIENT), AuthResult::Denied, "the hash is not the password");
            assert_eq!(auth.verify(Some(&basic("eve:secret")), CLIENT), AuthResult::Denied, "the password of another name");
            assert_eq!(auth.verify(Some(&basic("bob:plain")), CLIENT), AuthResult::Ok);
        }
        assert_eq!(auth.verified.read().unwrap().len(), 2, "remembered once");
    }

    #[test]
    fn all_lines_of_a_name_count_and_an_empty_password_never() {
        let hash = |password: &str, cost| bcrypt::hash(password, cost).unwrap();
        let lines = [("ada", "first", 4), ("ada", "second", 5), ("eve", "", 4)];
        let entries: Vec<String> =
            lines.iter().map(|(name, password, cost)| format!("{name}:{}", hash(password, *cost))).collect();
        let auth = auth(entries.iter().map(String::as_str));
        assert!(auth.costliest().is_some_and(|hash| entries[1].ends_with(hash)), "the one of cost 5");
        for (pair, want, why) in [
            ("ada:first", AuthResult::Ok, "the first line"),
            ("ada:second", AuthResult::Ok, "the second line"),
            ("ada:third", AuthResult::Denied, "none"),
            ("eve:", AuthResult::Denied, "the password is empty, and so is that of the hash"),
            ("bob:second", AuthResult::Denied, "the costliest hash is checked for an unknown name"),
            ("eve:second", AuthResult::Denied, "and for a name whose hash costs less"),
        ] {
            assert_eq!(auth.verify(Some(&basic(pair)), CLIENT), want, "{pair}: {why}");
        }
    }
}
