//! Handlers: from a request to a response, without a socket.

pub mod access;
pub mod archive;
pub mod builtin;
pub mod check_queue;
pub mod echo;
pub mod listing;
pub mod listing_html;
pub mod message;
pub mod outcome;
pub mod page;
pub mod pieces;
pub mod static_file;
#[cfg(feature = "test-routes")]
pub mod test_routes;
pub mod upload;
pub mod upload_page;

use std::borrow::Cow;
use std::time::SystemTime;

use crate::config::Config;
use crate::files::Site;
use crate::files::lookup::{Resource, fallback_index, lookup};
use crate::files::representation::FileSource;
use crate::handlers::Access::{Authenticated, Public, SameOrigin};
use crate::handlers::echo::echo;
use crate::handlers::message::{Body, Request, Response};
use crate::handlers::outcome::Outcome;
use crate::http::method::Method;
use crate::http::negotiation::{AcceptedCodings, is_navigation_request};
use crate::http::status::StatusCode;
use crate::http::target::{TargetForm, encode_path};
use crate::net::budget::MemoryBudget;
use crate::os::signals::ShutdownSignal;
use crate::os::systemd::SdNotify;
use crate::telemetry::Explain;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;

/// State that all connections share.
pub struct AppState {
    /// The options.
    pub config: Config,
    /// The served directory.
    pub site: Site,
    /// Memory for request bodies and generated content.
    pub memory: MemoryBudget,
    /// The accepted credentials; with `None` no authentication is required.
    pub auth: Option<access::Auth>,
    /// Whether the server is shutting down.
    pub stop: ShutdownSignal,
    /// The access log.
    pub access_log: Option<AccessLog>,
    /// The output of `--explain`.
    pub explain: Option<Explain>,
    /// The counters of `--metrics`.
    pub metrics: Option<Metrics>,
    /// Sends state changes to systemd (`sd_notify`).
    pub notify: SdNotify,
}

impl AppState {
    /// Creates a state without logs and metrics.
    pub fn new(config: Config, site: Site, auth: Option<access::Auth>) -> AppState {
        AppState {
            memory: MemoryBudget::new(config.limits.content_bytes_max),
            config,
            site,
            auth,
            stop: ShutdownSignal::default(),
            access_log: None,
            explain: None,
            metrics: None,
            notify: SdNotify::default(),
        }
    }
}

/// A built-in route. Dispatch, 405 with `Allow`, OPTIONS and the list in `--help` all come from its row.
///
/// The route that docs/CONTRIBUTING.md adds as an example:
///
/// ```
/// # use threadbare::handlers::{Access::Authenticated, Route};
/// # use threadbare::http::method::Method;
/// # const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];
/// # const ROUTES: &[Route] = &[
/// Route::new("/time", READ, Authenticated, builtin::time, "the current time"),
/// # ];
/// # assert_eq!(ROUTES.len(), 1);
/// # mod builtin {
/// # use std::time::SystemTime;
/// # use threadbare::handlers::AppState;
/// # use threadbare::http::date::HttpDate;
/// # use threadbare::http::status::StatusCode;
/// # use threadbare::handlers::message::{Request, Response};
///
/// /// The current time as an HTTP date.
/// pub fn time(_: &mut Request<'_>, _: &AppState) -> Response {
///     let now = format!("{}\n", HttpDate::new(SystemTime::now()).text);
///     Response::with_content(StatusCode::OK, "text/plain; charset=utf-8", now.into_bytes()).header("Cache-Control", "no-store")
/// }
/// # }
/// ```
pub struct Route {
    /// The canonical path.
    pub path: &'static str,
    /// The supported methods, including HEAD and OPTIONS.
    pub methods: &'static [Method],
    /// Which clients may request it.
    pub access: Access,
    /// The handler.
    pub handler: fn(&mut Request<'_>, &AppState) -> Response,
    /// Its line in `--help`.
    pub help: &'static str,
}

impl Route {
    /// A row of [`ROUTES`].
    pub const fn new(
        path: &'static str,
        methods: &'static [Method],
        access: Access,
        handler: fn(&mut Request<'_>, &AppState) -> Response,
        help: &'static str,
    ) -> Route {
        Route { path, methods, access, handler, help }
    }
}

/// Which clients may request a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every client, without credentials.
    Public,
    /// Clients that may request files.
    Authenticated,
    /// Clients that may request files, except browsers on behalf of pages of other sites.
    SameOrigin,
}

/// The methods of files, of listings and of most routes.
const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];

/// The methods of `/echo`.
const ANY: &[Method] = &[Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options];

/// The built-in routes.
pub const ROUTES: &[Route] = &[
    Route::new("/hello", READ, Authenticated, builtin::hello, "an example page; /hello?name=Ada greets Ada; not with --spa"),
    Route::new("/health", READ, Public, builtin::health, "ok while the server runs; 503 while it shuts down"),
    Route::new("/echo", ANY, SameOrigin, echo, "your request as the server parsed it, JSON if you accept it; not with --spa"),
    Route::new("/metrics", READ, SameOrigin, builtin::metrics, "with --metrics: counters in the text format of Prometheus"),
    Route::new("/favicon.ico", READ, Authenticated, builtin::favicon, "an icon for sites that have none"),
    Route::new("/favicon.svg", READ, Authenticated, builtin::favicon, "the same icon"),
    #[cfg(feature = "test-routes")]
    Route::new("/panic", READ, Authenticated, test_routes::panic, "panics, for tests"),
    #[cfg(feature = "test-routes")]
    Route::new("/escape", READ, Authenticated, test_routes::sandbox_probe, "tries to get out, for tests"),
];

/// Responds to a request: checks whether the client may send it, looks up the path, and calls the handler for what is found there. Then
/// error responses get the format that the client accepts, and all responses get the CORS fields.
pub fn dispatch(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Response {
    let response = respond_early(request, app, now).unwrap_or_else(|| route(request, app, now));
    let response = count_body(response, request);
    let response = page::render_error(response, &request.head.headers, Some(request.target));
    access::add_cors_headers(response, request, app)
}

/// The response to a request that is refused, or that does not ask for what is at its path: a preflight, `OPTIONS *`, an upload or an
/// archive. `None` for all others.
#[inline(never)] // its frame is not part of the caller's: with three others, 4 KiB less for each idle connection
fn respond_early(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Option<Response> {
    access::check_host(request, app)
        .or_else(|| access::preflight(request, app))
        .or_else(|| check_credentials(request, app, now))
        .or_else(|| server_options(request))
        .or_else(|| upload::respond(request, app))
        .or_else(|| archive::respond(request, app, now))
}

/// Counts the memory of a body longer than 32 KiB, which every connection may hold uncounted. A body that is made while it is sent has
/// already been counted.
fn count_body(response: Response, request: &mut Request<'_>) -> Response {
    match &response.body {
        Body::Bytes(Cow::Owned(bytes)) if bytes.len() > pieces::WHOLE_BYTES_MAX => match request.memory.grow(bytes.len()) {
            Ok(()) => response,
            Err(error) => Response::from_io_error(&error).outcome(response.outcome),
        },
        _ => response,
    }
}

/// The response to a request without valid credentials; `None` if they are valid or not required. A public route needs none, unless a file
/// has its path.
fn check_credentials(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Option<Response> {
    let unauthorized = access::authenticate(request, app)?;
    let route = find_route(request, app).filter(|route| {
        route.access == Public
            && matches!(lookup(&app.site, request.target, None, now), Resource::NotFound | Resource::Unavailable(_))
    });
    Some(route.map_or(unauthorized, |route| call_route(route, request, app)))
}

/// The response to `OPTIONS *`; `None` for other requests.
fn server_options(request: &Request<'_>) -> Option<Response> {
    let methods = (request.target.form == TargetForm::Asterisk).then_some(READ)?;
    Some(check_method(request, methods)?.outcome(Outcome::ServerOptions))
}

/// Responds with the file or directory at the path, or else with the built-in route for that path.
fn route(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Response {
    let codings = app.config.precompressed.then(|| AcceptedCodings::from_headers(&request.head.headers));
    let methods = upload::methods(request, app);
    // 405, or the response to OPTIONS, for a file or directory that is found. A route has methods of its own.
    let refusal = check_method(request, methods);
    match lookup(&app.site, request.target, codings.as_ref(), now) {
        Resource::File(file) => {
            let outcome = match file.source {
                FileSource::Memory(_) => Outcome::FileCached,
                FileSource::Disk(_) => Outcome::FileOpened,
            };
            refusal.unwrap_or_else(|| static_file::serve(file, request)).outcome(outcome)
        }
        Resource::NotAcceptable => refusal.unwrap_or_else(static_file::not_acceptable).outcome(Outcome::NotAcceptable),
        Resource::Directory(directory) => refusal
            .unwrap_or_else(|| listing::serve(directory, request, methods.contains(&Method::Post)))
            .outcome(Outcome::Directory),
        Resource::MovedPermanently(location) => {
            let moved = Response::text(StatusCode::MOVED_PERMANENTLY, "a directory's path ends in a slash");
            refusal
                .unwrap_or_else(|| moved.header("Location", location).header("Cache-Control", "no-cache"))
                .outcome(Outcome::MissingSlash)
        }
        Resource::Error(error) => refusal.unwrap_or_else(|| Response::from_io_error(&error)).outcome(Outcome::Failed),
        // When ROOT can be opened again, it may have a file with this path, which takes precedence over the route. So only /health, /echo and
        // /metrics respond, whose access is not `Authenticated`.
        Resource::Unavailable(error) => match find_route(request, app).filter(|route| route.access != Authenticated) {
            Some(route) => call_route(route, request, app),
            None => refusal.unwrap_or_else(|| Response::unavailable(error)).outcome(Outcome::Failed),
        },
        Resource::NotFound => match find_route(request, app) {
            Some(route) => call_route(route, request, app),
            None => clean_url(request, app, codings.as_ref(), now)
                .or_else(|| spa_fallback(request, app, codings.as_ref(), now))
                .unwrap_or_else(|| page::not_found(request, app, now)),
        },
    }
}

/// With `--clean-urls`, responds with the file at the requested path with `.html` appended; `None` if there is none.
fn clean_url(request: &Request<'_>, app: &AppState, codings: Option<&AcceptedCodings>, now: SystemTime) -> Option<Response> {
    let target = request.target.with_suffix(b".html").filter(|_| app.config.clean_urls)?;
    let response = file_response(lookup(&app.site, &target, codings, now), request, app)?.outcome(Outcome::CleanUrl);
    Some(match response.status {
        // Relative, since a proxy may serve this below a prefix.
        StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => {
            response.header("Content-Location", encode_path(target.segments().last()?).into_owned())
        }
        _ => response,
    })
}

/// With `--spa`, responds to a navigation with the first page of the application; `None` for other requests.
fn spa_fallback(request: &Request<'_>, app: &AppState, codings: Option<&AcceptedCodings>, now: SystemTime) -> Option<Response> {
    if !app.config.spa || !is_navigation_request(request.head.method, &request.head.headers, request.target.path()) {
        return None;
    }
    let response = file_response(fallback_index(&app.site, codings, now), request, app)?;
    // Other requests for the same path get 404.
    Some(response.header("Vary", "Accept, Sec-Fetch-Dest").outcome(Outcome::SpaFallback))
}

/// Responds with a file that was found in place of the requested path; `None` if none was found.
fn file_response(found: Resource, request: &Request<'_>, app: &AppState) -> Option<Response> {
    let refusal = || check_method(request, upload::methods(request, app));
    match found {
        Resource::File(file) => Some(refusal().unwrap_or_else(|| static_file::serve(file, request))),
        Resource::NotAcceptable => Some(static_file::not_acceptable()),
        Resource::Error(error) => Some(Response::from_io_error(&error)),
        Resource::Directory(_) | Resource::MovedPermanently(_) | Resource::NotFound | Resource::Unavailable(_) => None,
    }
}

fn find_route(request: &Request<'_>, app: &AppState) -> Option<&'static Route> {
    let route = ROUTES.iter().find(|route| route.path.as_bytes() == request.target.path())?;
    let is_enabled = match route.path {
        // `--metrics` enables its route, also with `--no-routes`.
        "/metrics" => app.metrics.is_some(),
        // A single-page application may have pages at these paths.
        "/hello" | "/echo" => app.config.builtin_routes && !app.config.spa,
        _ => app.config.builtin_routes,
    };
    is_enabled.then_some(route)
}

fn call_route(route: &Route, request: &mut Request<'_>, app: &AppState) -> Response {
    if route.access == SameOrigin
        && let Some(refusal) = access::check_same_origin(request)
    {
        return refusal.outcome(Outcome::OtherSite(route.path));
    }
    let refusal = check_method(request, route.methods);
    refusal.unwrap_or_else(|| (route.handler)(request, app)).outcome(Outcome::Route(route.path))
}

/// The response to OPTIONS, and to methods that a resource does not support (RFC 9110 §9.3.7, §15.5.6); `None` for the others.
fn check_method(request: &Request<'_>, methods: &'static [Method]) -> Option<Response> {
    let response = match request.head.method {
        Method::Options => Response::new(StatusCode::NO_CONTENT),
        method if methods.contains(&method) => return None,
        _ => Response::text(StatusCode::METHOD_NOT_ALLOWED, "this resource does not support that method (RFC 9110 §15.5.6)"),
    };
    Some(response.header("Allow", names(methods)))
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ")
}
