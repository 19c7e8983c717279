//! What does a first visitor see? `/hello`, and `/health` for those who only ask whether we are there.

use crate::app::App;
use crate::html;
use crate::message::{Request, Response};
use crate::wire::status::Status;

/// An HTML page that greets; `?name=` says whom.
pub fn hello(request: &mut Request<'_>, _: &App) -> Response {
    let name = request.target.query_pairs().find(|(name, _)| name == b"name").map(|(_, value)| value);
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| b"world".to_vec());
    let name = String::from_utf8_lossy(&name);
    let name = html::escape(&name);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Hello</title>\n\
         <h1>Hello, {name}!</h1>\n<p>This page was made by a route. Try <a href=\"/hello?name=you\">/hello?name=you</a>, or see your \
         own request at <a href=\"/echo\">/echo</a>.</p>\n</html>\n"
    );
    Response::with_content(Status::OK, "text/html; charset=utf-8", page.into_bytes()).with("Cache-Control", "no-cache")
}

/// `ok`, as long as there is someone to say it.
pub fn health(_: &mut Request<'_>, _: &App) -> Response {
    Response::with_content(Status::OK, "text/plain; charset=utf-8", &b"ok\n"[..]).with("Cache-Control", "no-store")
}
