//! What does a first visitor see? `/hello`, the icon in the tab, and `/health` for those who only ask whether we are there.

use crate::handlers::AppState;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::page;
use crate::http::status::StatusCode;
use crate::telemetry::prometheus::MEDIA_TYPE;

/// An HTML page that greets; `?name=` says whom.
pub fn hello(request: &mut Request<'_>, _: &AppState) -> Response {
    let name = request.target.query_pairs().find(|(name, _)| name == b"name").map(|(_, value)| value);
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| b"world".to_vec());
    let mut out = String::new();
    page::begin(&mut out, b"Hello");
    out.push_str("<main>\n<h1>Hello, ");
    page::show(&mut out, &name);
    out.push_str(
        "!</h1>\n<p>No file has this name: a route made the page, a function of the server. What stands behind the question mark of the \
         address says whom it greets.</p>\n",
    );
    out.push_str("</main>\n");
    page::end(&mut out);
    page::response(StatusCode::OK, Body::Bytes(out.into_bytes().into())).header("Cache-Control", "no-cache")
}

/// A picture for the tab of the browser: it asks for one by itself, and a 404 would stand in every log.
pub fn favicon(_: &mut Request<'_>, _: &AppState) -> Response {
    // An hour, so that a site that gets an icon of its own shows it soon.
    Response::with_content(StatusCode::OK, "image/svg+xml", include_bytes!("favicon.svg").as_slice())
        .header("Cache-Control", "max-age=3600")
}

/// `ok`, unless the server is shutting down or has nothing to serve: then a load balancer should send its clients elsewhere.
pub fn health(_: &mut Request<'_>, app: &AppState) -> Response {
    let (status, text) = match app.site.check() {
        _ if app.stop.is_requested() => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", why.message())),
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
    };
    Response::with_content(status, "text/plain; charset=utf-8", text.into_bytes()).header("Cache-Control", "no-store")
}

/// All numbers, as they are now.
pub fn metrics(_: &mut Request<'_>, app: &AppState) -> Response {
    // Nobody comes here where nothing is counted.
    let Some(metrics) = &app.metrics else { return Response::text(StatusCode::NOT_FOUND, "nothing is counted here") };
    let access_lines_lost = app.access_log.as_ref().and_then(|log| log.lost_beside(metrics.program_log())).unwrap_or(0);
    Response::with_content(StatusCode::OK, MEDIA_TYPE, metrics.write(access_lines_lost).into_bytes())
        .header("Cache-Control", "no-store")
}
