//! Who is turned away before anything is looked up?
//!
//! In this order: whoever asks for a name that is none of ours, whoever does not say who they are where that is asked for, and pages
//! of other sites that ask for what they should not see. None of the answers holds a byte of the site.

use crate::config::AllowedHosts;
use crate::handlers::app::AppState;
use crate::handlers::credentials::AuthResult;
use crate::handlers::message::{Request, Response};
use crate::http::headers::name;
use crate::http::origin;
use crate::http::status::StatusCode;

/// The answer to a request for a name that is none of ours (RFC 9110 §15.5.20); `None` if it is one.
pub fn check_host(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let AllowedHosts::Local { extra: also } = &app.config.hosts else { return None };
    // Without Host it is HTTP/1.0, and no browser.
    let host = request.target.authority?.host;
    let is_ours = origin::is_local_host(host) || also.iter().any(|name| origin::host_matches(host, name));
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
    let is_same_origin = origin::is_same_origin(&request.head.headers, request.target.authority);
    (!is_same_origin).then(|| Response::text(StatusCode::FORBIDDEN, "pages of other sites may not ask for this"))
}
