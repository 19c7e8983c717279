//! What is said to pages of other sites? (Fetch §3.3)
//!
//! With `--cors` each answer says who may read it, also those that refuse: a script should get to see its 404. Where everybody may, that
//! is the same in all answers and one of [`DefaultHeaders`](crate::config::headers::DefaultHeaders); here is what depends on who asks.

use crate::config::Cors;
use crate::handlers::message::{Request, Response};
use crate::http::method::Method;
use crate::http::origin::{AllowOrigin, PREFLIGHT_AGE_SECS, Preflight};
use crate::http::status::StatusCode;

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
