//! Built-in routes: `/hello`, the icon, `/health` and `/metrics`.

use crate::handlers::AppState;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::page::{self, escape_html};
use crate::http::status::StatusCode;
use crate::telemetry::printable;
use crate::telemetry::prometheus::MEDIA_TYPE;

/// An HTML page that greets the name in the query, or the world.
pub fn hello(request: &mut Request<'_>, _: &AppState) -> Response {
    let name = request.target.query_pairs().find(|(name, _)| name == b"name").map(|(_, value)| value);
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| b"world".to_vec());
    let mut out = String::new();
    page::begin(&mut out, "Hello");
    out.push_str(&format!("<main>\n<h1>Hello, {}!</h1>\n", escape_html(&printable(&name))));
    out.push_str(
        "<p>No file has this path: a route, which is a function of the server, made this page. The query parameter <code>name</code> \
         sets the name: <a href=\"?name=Ada\">?name=Ada</a></p>\n</main>\n",
    );
    page::end(&mut out);
    page::response(StatusCode::OK, Body::Bytes(out.into_bytes().into())).header("Cache-Control", "no-cache")
}

/// An icon for browser tabs: browsers request one without being asked, and would fill the log with 404.
pub fn favicon(_: &mut Request<'_>, _: &AppState) -> Response {
    // One hour, so that an icon that is added to the site is soon shown.
    Response::with_content(StatusCode::OK, "image/svg+xml", include_bytes!("favicon.svg").as_slice())
        .header("Cache-Control", "max-age=3600")
}

/// `ok`; 503 if the server is shutting down or has nothing to serve, so that a load balancer chooses another one.
pub fn health(_: &mut Request<'_>, app: &AppState) -> Response {
    let (status, text) = match app.site.root() {
        _ if app.stop.is_requested() => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
    };
    Response::with_content(status, "text/plain; charset=utf-8", text.into_bytes()).header("Cache-Control", "no-store")
}

/// All counters in the text format of Prometheus.
pub fn metrics(_: &mut Request<'_>, app: &AppState) -> Response {
    // The route is enabled only with metrics.
    let Some(metrics) = &app.metrics else { return Response::text(StatusCode::NOT_FOUND, "metrics are disabled") };
    let access_lines_lost = app.access_log.as_ref().map_or(0, |log| log.queue.lost_lines());
    Response::with_content(StatusCode::OK, MEDIA_TYPE, metrics.write(access_lines_lost).into_bytes())
        .header("Cache-Control", "no-store")
}
