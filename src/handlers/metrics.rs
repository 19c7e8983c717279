//! What does Prometheus get to read? `/metrics`, if somebody asked for it (`--metrics`).

use crate::handlers::app::AppState;
use crate::handlers::message::{Request, Response};
use crate::http::status::StatusCode;
use crate::telemetry::prometheus::MEDIA_TYPE;

/// All numbers, as they are now.
pub fn metrics(_: &mut Request<'_>, app: &AppState) -> Response {
    // Nobody comes here where nothing is counted.
    let Some(metrics) = &app.metrics else { return Response::text(StatusCode::NOT_FOUND, "nothing is counted here") };
    let access_lines_lost = app.access_log.as_ref().map_or(0, |log| log.lost_lines());
    Response::with_content(StatusCode::OK, MEDIA_TYPE, metrics.write(access_lines_lost).into_bytes())
        .header("Cache-Control", "no-store")
}
