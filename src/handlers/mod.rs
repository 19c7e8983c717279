//! Handlers: from a request to a response, without a socket.
//!
//! A handler returns a response as data. Its framing is decided, and its bytes are written, in `server`.

pub mod access;
pub mod builtin;
pub mod echo;
pub mod listing;
pub mod listing_html;
pub mod message;
pub mod outcome;
pub mod page;
pub mod static_file;
#[cfg(feature = "test-routes")]
pub mod test_routes;

use std::time::SystemTime;

use crate::config::{Config, Fallback, Routes};
use crate::files::Site;
use crate::files::lookup::{Resource, fallback_index, lookup};
use crate::handlers::message::{Request, Response};
use crate::handlers::outcome::Outcome;
use crate::http::method::Method;
use crate::http::navigation::is_navigation_request;
use crate::http::status::StatusCode;
use crate::http::target::TargetForm;
use crate::os::signals::ShutdownSignal;
use crate::os::systemd::SdNotify;
use crate::server::explain::Explain;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metrics::Metrics;

/// What all connections share, by reference.
pub struct AppState {
    /// What the program was told to do.
    pub config: Config,
    /// The directory that is served.
    pub site: Site,
    /// Who may see it; `None` is everybody.
    pub auth: Option<access::Auth>,
    /// Whether we are asked to stop.
    pub stop: ShutdownSignal,
    /// Where exchanges are noted; `None` is nowhere.
    pub access_log: Option<AccessLog>,
    /// To whom each exchange is explained; `None` is nobody.
    pub explain: Option<Explain>,
    /// Where what happens is counted; `None` is nowhere.
    pub metrics: Option<Metrics>,
    /// Who is told how we are.
    pub notify: SdNotify,
}

impl AppState {
    /// What a request may always look at. The rest is as if nobody had asked for it: no access log, and no end.
    pub fn new(config: Config, site: Site, auth: Option<access::Auth>) -> AppState {
        let notify = SdNotify::default();
        AppState { config, site, auth, stop: ShutdownSignal::default(), access_log: None, explain: None, metrics: None, notify }
    }
}

/// A built-in route. Dispatch, 405 with `Allow`, OPTIONS and the list in `--help` all come from its row.
///
/// The one that CONTRIBUTING.md adds from beginning to end:
///
/// ```
/// # use threadbare::handlers::{Answers, Access, Route};
/// # use threadbare::http::method::Method;
/// # const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];
/// # const ROUTES: &[Route] = &[
/// Route {
///     path: "/time",
///     methods: READ,
///     access: Access::Authenticated,
///     answers: Answers::Always,
///     handler: builtin::time,
///     help: "how late it is here",
/// },
/// # ];
/// # assert_eq!(ROUTES.len(), 1);
/// # mod builtin {
/// # use std::time::SystemTime;
/// # use threadbare::handlers::AppState;
/// # use threadbare::http::date::HttpDate;
/// # use threadbare::http::status::StatusCode;
/// # use threadbare::handlers::message::{Request, Response};
///
/// /// The time of this server, as HTTP writes it.
/// pub fn time(_: &mut Request<'_>, _: &AppState) -> Response {
///     let now = format!("{}\n", HttpDate::new(SystemTime::now()).as_str());
///     Response::with_content(StatusCode::OK, "text/plain; charset=utf-8", now.into_bytes()).header("Cache-Control", "no-store")
/// }
/// # }
/// ```
pub struct Route {
    /// The canonical path.
    pub path: &'static str,
    /// The methods it takes, HEAD and OPTIONS among them.
    pub methods: &'static [Method],
    /// Who may ask.
    pub access: Access,
    /// What it takes that it answers at all.
    pub answers: Answers,
    /// What answers.
    pub handler: fn(&mut Request<'_>, &AppState) -> Response,
    /// What it is for.
    pub help: &'static str,
}

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, also those who did not say who they are: it reveals nothing.
    Public,
    /// Those who may see the site.
    Authenticated,
    /// The same, but not the pages of other sites in their browsers: it shows what only they should see.
    SameOrigin,
}

/// When a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Unless the built-in routes are switched off.
    Always,
    /// If what happens is counted: whoever asked for that has asked for this route.
    WithMetrics,
}

/// What may be done with a file or a listing.
const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];

/// What may be done with a mirror.
const ANY: &[Method] = &[Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options];

/// The built-in routes.
pub const ROUTES: &[Route] = &[
    Route {
        path: "/hello",
        methods: READ,
        access: Access::Authenticated,
        answers: Answers::Always,
        handler: builtin::hello,
        help: "a page that greets; ?name= says whom",
    },
    Route {
        path: "/health",
        methods: READ,
        access: Access::Public,
        answers: Answers::Always,
        handler: builtin::health,
        help: "ok, as long as the server runs; 503 once it is asked to stop",
    },
    Route {
        path: "/echo",
        methods: ANY,
        access: Access::SameOrigin,
        answers: Answers::Always,
        handler: echo::echo,
        help: "your request as the server parsed it; JSON if you accept it",
    },
    Route {
        path: "/metrics",
        methods: READ,
        access: Access::SameOrigin,
        answers: Answers::WithMetrics,
        handler: builtin::metrics,
        help: "with --metrics: what has happened so far, in numbers for Prometheus",
    },
    Route {
        path: "/favicon.ico",
        methods: READ,
        access: Access::Authenticated,
        answers: Answers::Always,
        handler: builtin::favicon,
        help: "an icon for sites that have none",
    },
    Route {
        path: "/favicon.svg",
        methods: READ,
        access: Access::Authenticated,
        answers: Answers::Always,
        handler: builtin::favicon,
        help: "the same",
    },
    #[cfg(feature = "test-routes")]
    Route {
        path: "/panic",
        methods: READ,
        access: Access::Authenticated,
        answers: Answers::Always,
        handler: test_routes::panic,
        help: "panics, for tests",
    },
    #[cfg(feature = "test-routes")]
    Route {
        path: "/escape",
        methods: READ,
        access: Access::Authenticated,
        answers: Answers::Always,
        handler: test_routes::sandbox_probe,
        help: "tries to get out, for tests",
    },
];

/// Answers a request.
pub fn dispatch(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Response {
    let response = route(request, app, now);
    if response.status.as_u16() < 400 && app.config.cors.is_none() { response } else { finalize(response, request, app) }
}

/// The same answer, as it is for who asks.
fn finalize(response: Response, request: &Request<'_>, app: &AppState) -> Response {
    let response = page::render_error(response, &request.head.headers);
    match &app.config.cors {
        None => response,
        Some(cors) => access::add_cors_headers(response, request, cors),
    }
}

#[inline]
fn route(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Response {
    if let Some(answer) = early_response(request, app, now) {
        return answer;
    }
    let codings = app.config.precompressed.codings(&request.head.headers);
    let reads = matches!(request.head.method, Method::Get | Method::Head);
    match lookup(&app.site, request.target, codings.as_ref(), now) {
        Resource::Kept(kept) if reads => static_file::answer_kept(kept, request).outcome(Outcome::FileCached),
        found => answer_found(found, request, app, now),
    }
}

/// The answer to a request for which nothing is looked up; `None` to all others.
fn early_response(request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Option<Response> {
    if let Some(refusal) = access::check_host(request, app) {
        return Some(refusal.outcome(Outcome::WrongHost));
    }
    if let Some(leave) = preflight(request, app) {
        return Some(leave.outcome(Outcome::Preflight));
    }
    if let Some(refusal) = access::authenticate(request, app) {
        return Some(unauthorized_or_public(refusal, request, app, now));
    }
    (request.target.form == TargetForm::Asterisk)
        .then(|| allow_response(StatusCode::NO_CONTENT, READ).outcome(Outcome::ServerOptions))
}

/// The answer to a preflight of a page that may read the site; `None` if it is none.
fn preflight(request: &Request<'_>, app: &AppState) -> Option<Response> {
    let cors = app.config.cors.as_ref().filter(|_| request.head.method == Method::Options)?;
    // What shows only what our own pages should see answers no page of another site: then it is as if there were no route.
    let route = find_route(request, app).filter(|route| route.access != Access::SameOrigin);
    access::preflight(request, cors, &names(route.map_or(READ, |route| route.methods)))
}

/// Answers a request for what its path means.
fn answer_found(found: Resource, request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Response {
    match found {
        Resource::Kept(kept) => {
            check_method(request, READ, |request| static_file::answer_kept(kept, request)).outcome(Outcome::FileCached)
        }
        Resource::File(file) => {
            check_method(request, READ, |request| static_file::answer(*file, request)).outcome(Outcome::Opened)
        }
        Resource::Unacceptable => {
            check_method(request, READ, |_| static_file::answer_unacceptable()).outcome(Outcome::Unacceptable)
        }
        Resource::Directory(directory) => {
            check_method(request, READ, |request| listing::answer(directory, request)).outcome(Outcome::Directory)
        }
        Resource::MovedPermanently(location) => check_method(request, READ, |_| {
            Response::text(StatusCode::MOVED_PERMANENTLY, "a directory's path ends in a slash").header("Location", location)
        })
        .outcome(Outcome::MissingSlash),
        Resource::Error(error) => Response::from_io_error(&error).outcome(Outcome::Failed),
        // No file has that name now, but one may have it soon: only the routes about the server itself answer.
        Resource::Unavailable(why) => match find_route(request, app).filter(|route| route.access != Access::Authenticated) {
            Some(route) => answer_route(route, request, app),
            None => {
                Response::text(StatusCode::SERVICE_UNAVAILABLE, why.message()).header("Retry-After", "1").outcome(Outcome::Failed)
            }
        },
        Resource::NotFound => match find_route(request, app) {
            Some(route) => answer_route(route, request, app),
            None => match spa_fallback(request, app, now) {
                Some(response) => response.outcome(Outcome::SpaFallback),
                None => page::missing(request, app, now).outcome(Outcome::NotFound),
            },
        },
    }
}

/// The page that an application begins with, for whoever goes to an address of it; `None` if nobody does, or there is no such page.
fn spa_fallback(request: &Request<'_>, app: &AppState, now: SystemTime) -> Option<Response> {
    let headers = &request.head.headers;
    if app.config.fallback == Fallback::None || !is_navigation_request(request.head.method, headers, request.target.path()) {
        return None;
    }
    let codings = app.config.precompressed.codings(headers);
    let response = match fallback_index(&app.site, codings.as_ref(), now) {
        Resource::Kept(kept) => static_file::answer_kept(kept, request),
        Resource::File(file) => static_file::answer(*file, request),
        Resource::Unacceptable => static_file::answer_unacceptable(),
        Resource::Error(error) => Response::from_io_error(&error),
        Resource::Directory(_) | Resource::MovedPermanently(_) | Resource::NotFound | Resource::Unavailable(_) => return None,
    };
    // Whoever names no HTML is told that there is nothing.
    Some(response.header("Vary", "Accept"))
}

/// A stranger gets what is open to everybody, unless a file of the site has that name, and else the refusal.
fn unauthorized_or_public(refusal: Response, request: &mut Request<'_>, app: &AppState, now: SystemTime) -> Response {
    match find_route(request, app) {
        Some(route)
            if route.access == Access::Public
                && matches!(lookup(&app.site, request.target, None, now), Resource::NotFound | Resource::Unavailable(_)) =>
        {
            answer_route(route, request, app)
        }
        _ => refusal.outcome(Outcome::Unauthorized),
    }
}

fn answer_route(route: &Route, request: &mut Request<'_>, app: &AppState) -> Response {
    if route.access == Access::SameOrigin
        && let Some(refusal) = access::check_same_origin(request)
    {
        return refusal.outcome(Outcome::OtherSite(route.path));
    }
    check_method(request, route.methods, |request| (route.handler)(request, app)).outcome(Outcome::Route(route.path))
}

fn find_route(request: &Request<'_>, app: &AppState) -> Option<&'static Route> {
    let route = ROUTES.iter().find(|route| route.path.as_bytes() == request.target.path())?;
    let answers = match route.answers {
        Answers::Always => app.config.routes == Routes::On,
        Answers::WithMetrics => app.metrics.is_some(),
    };
    answers.then_some(route)
}

/// Answers OPTIONS, and every method that the resource does not take (RFC 9110 §9.3.7, §15.5.6); leaves the others to `dispatch`.
fn check_method(
    request: &mut Request<'_>,
    methods: &'static [Method],
    answer: impl FnOnce(&mut Request<'_>) -> Response,
) -> Response {
    let method = request.head.method;
    if method == Method::Options {
        allow_response(StatusCode::NO_CONTENT, methods)
    } else if methods.contains(&method) {
        answer(request)
    } else {
        allow_response(StatusCode::METHOD_NOT_ALLOWED, methods)
    }
}

/// A response that says which methods are allowed.
fn allow_response(status: StatusCode, methods: &[Method]) -> Response {
    let response = if status.forbids_body() {
        Response::new(status)
    } else {
        Response::text(status, "this resource does not take that method (RFC 9110 §15.5.6)")
    };
    response.header("Allow", names(methods))
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ")
}
