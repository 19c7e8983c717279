//! Which code answers?
//!
//! **Your files win.** A path is looked up in the served directory first; a built-in route answers only where the directory has
//! nothing of that name. So no site is ever shadowed by `/hello`.

pub mod basics;
pub mod cross_origin;
pub mod echo;
pub mod files;
pub mod gate;
pub mod metrics;
pub mod refusal;
#[cfg(feature = "trapdoors")]
pub mod trapdoors;

use std::time::SystemTime;

use crate::app::App;
use crate::because::Because;
use crate::config::{Fallback, Routes};
use crate::files::lookup::{Found, lookup, start_page};
use crate::http::method::Method;
use crate::http::navigation::is_navigation;
use crate::http::status::Status;
use crate::http::target::Form;
use crate::message::{Request, Response};
use crate::site::listing;

/// A built-in route. Dispatch, 405 with `Allow`, OPTIONS and the list in `--help` all come from its row.
///
/// The one that CONTRIBUTING.md adds from beginning to end:
///
/// ```
/// # use threadbare::routes::{Answers, OpenTo, Route};
/// # use threadbare::http::method::Method;
/// # const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];
/// # const ROUTES: &[Route] = &[
/// Route {
///     path: "/time",
///     methods: READ,
///     open_to: OpenTo::Guests,
///     answers: Answers::Always,
///     handler: basics::time,
///     says: "how late it is here",
/// },
/// # ];
/// # assert_eq!(ROUTES.len(), 1);
/// # mod basics {
/// # use std::time::SystemTime;
/// # use threadbare::app::App;
/// # use threadbare::http::date::HttpDate;
/// # use threadbare::http::status::Status;
/// # use threadbare::message::{Request, Response};
///
/// /// The time of this server, as HTTP writes it.
/// pub fn time(_: &mut Request<'_>, _: &App) -> Response {
///     let now = format!("{}\n", HttpDate::at(SystemTime::now()).as_str());
///     Response::with_content(Status::OK, "text/plain; charset=utf-8", now.into_bytes()).with("Cache-Control", "no-store")
/// }
/// # }
/// ```
pub struct Route {
    /// The canonical path.
    pub path: &'static str,
    /// The methods it takes, HEAD and OPTIONS among them.
    pub methods: &'static [Method],
    /// Who may ask.
    pub open_to: OpenTo,
    /// What it takes that it answers at all.
    pub answers: Answers,
    /// What answers.
    pub handler: fn(&mut Request<'_>, &App) -> Response,
    /// What it is for.
    pub says: &'static str,
}

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenTo {
    /// Everybody, also those who did not say who they are: it reveals nothing.
    Everybody,
    /// Those who may see the site.
    Guests,
    /// The same, but not the pages of other sites in their browsers: it shows what only they should see.
    OwnPages,
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
        open_to: OpenTo::Guests,
        answers: Answers::Always,
        handler: basics::hello,
        says: "a page that greets; ?name= says whom",
    },
    Route {
        path: "/health",
        methods: READ,
        open_to: OpenTo::Everybody,
        answers: Answers::Always,
        handler: basics::health,
        says: "ok, as long as the server runs; 503 once it is asked to stop",
    },
    Route {
        path: "/echo",
        methods: ANY,
        open_to: OpenTo::OwnPages,
        answers: Answers::Always,
        handler: echo::echo,
        says: "your request as the server parsed it; JSON if you accept it",
    },
    Route {
        path: "/metrics",
        methods: READ,
        open_to: OpenTo::OwnPages,
        answers: Answers::WithMetrics,
        handler: metrics::metrics,
        says: "with --metrics: what has happened so far, in numbers for Prometheus",
    },
    Route {
        path: "/favicon.ico",
        methods: READ,
        open_to: OpenTo::Guests,
        answers: Answers::Always,
        handler: basics::favicon,
        says: "an icon for sites that have none",
    },
    Route {
        path: "/favicon.svg",
        methods: READ,
        open_to: OpenTo::Guests,
        answers: Answers::Always,
        handler: basics::favicon,
        says: "the same",
    },
    #[cfg(feature = "trapdoors")]
    Route {
        path: "/panic",
        methods: READ,
        open_to: OpenTo::Guests,
        answers: Answers::Always,
        handler: trapdoors::panic,
        says: "panics, for tests",
    },
    #[cfg(feature = "trapdoors")]
    Route {
        path: "/escape",
        methods: READ,
        open_to: OpenTo::Guests,
        answers: Answers::Always,
        handler: trapdoors::escape,
        says: "tries to get out, for tests",
    },
];

/// Answers a request.
pub fn answer(request: &mut Request<'_>, app: &App, now: SystemTime) -> Response {
    let response = answer_undressed(request, app, now);
    if response.status.code() < 400 && app.config.cors.is_none() { response } else { finished(response, request, app) }
}

/// The same answer, as it is for who asks.
// Not inlined: see `conn::serve` on the depth of the stack.
#[inline(never)]
fn finished(response: Response, request: &Request<'_>, app: &App) -> Response {
    let response = refusal::dressed(response, &request.head.headers);
    match &app.config.cors {
        None => response,
        Some(cors) => cross_origin::permitted(response, request, cors),
    }
}

#[inline]
fn answer_undressed(request: &mut Request<'_>, app: &App, now: SystemTime) -> Response {
    if let Some(answer) = answer_at_the_door(request, app, now) {
        return answer;
    }
    let codings = app.config.precompressed.codings(&request.head.headers);
    let reads = matches!(request.head.method, Method::Get | Method::Head);
    match lookup(&app.site, request.target, codings.as_ref(), now) {
        // What is asked for most often is answered on a shallow stack.
        Found::Kept(kept) if reads => files::answer_kept(kept, request).because(Because::Kept),
        found => answer_found(found, request, app, now),
    }
}

/// The answer to a request for which nothing is looked up; `None` to all others.
// Not inlined: see `conn::serve` on the depth of the stack.
#[inline(never)]
fn answer_at_the_door(request: &mut Request<'_>, app: &App, now: SystemTime) -> Option<Response> {
    if let Some(refusal) = gate::wrong_name(request, app) {
        return Some(refusal.because(Because::OtherName));
    }
    if let Some(leave) = leave(request, app) {
        return Some(leave.because(Because::Preflight));
    }
    if let Some(refusal) = gate::stranger(request, app) {
        return Some(answer_stranger(refusal, request, app, now));
    }
    (request.target.form == Form::Asterisk).then(|| allowing(Status::NO_CONTENT, READ).because(Because::Server))
}

/// The answer to a preflight of a page that may read the site; `None` if it is none.
#[inline(never)]
fn leave(request: &Request<'_>, app: &App) -> Option<Response> {
    let cors = app.config.cors.as_ref().filter(|_| request.head.method == Method::Options)?;
    // What shows only what our own pages should see answers no page of another site: then it is as if there were no route.
    let route = route(request, app).filter(|route| route.open_to != OpenTo::OwnPages);
    cross_origin::preflight(request, cors, &names(route.map_or(READ, |route| route.methods)))
}

/// Answers a request for what its path means.
// Not inlined: see `conn::serve` on the depth of the stack.
#[inline(never)]
fn answer_found(found: Found, request: &mut Request<'_>, app: &App, now: SystemTime) -> Response {
    match found {
        Found::Kept(kept) => unless_refused(request, READ, |request| files::answer_kept(kept, request)).because(Because::Kept),
        Found::File(file) => unless_refused(request, READ, |request| files::answer(*file, request)).because(Because::Opened),
        Found::Unacceptable => unless_refused(request, READ, |_| files::answer_unacceptable()).because(Because::Unacceptable),
        Found::Directory(directory) => {
            unless_refused(request, READ, |request| listing::answer(directory, request)).because(Because::Directory)
        }
        Found::Redirect(location) => unless_refused(request, READ, |_| {
            Response::text(Status::MOVED_PERMANENTLY, "a directory's path ends in a slash").with("Location", location)
        })
        .because(Because::NoSlash),
        Found::Failed(error) => Response::failed(&error).because(Because::Failed),
        // No file has that name now, but one may have it soon: only the routes about the server itself answer.
        Found::Unavailable(why) => match route(request, app).filter(|route| route.open_to != OpenTo::Guests) {
            Some(route) => answer_route(route, request, app),
            None => Response::text(Status::SERVICE_UNAVAILABLE, why.message()).with("Retry-After", "1").because(Because::Failed),
        },
        Found::Missing => match route(request, app) {
            Some(route) => answer_route(route, request, app),
            None => match application(request, app, now) {
                Some(response) => response.because(Because::Application),
                None => refusal::missing(request, app, now).because(Because::Nothing),
            },
        },
    }
}

/// The page that an application begins with, for whoever goes to an address of it; `None` if nobody does, or there is no such page.
#[inline(never)]
fn application(request: &Request<'_>, app: &App, now: SystemTime) -> Option<Response> {
    let headers = &request.head.headers;
    if app.config.fallback == Fallback::None || !is_navigation(request.head.method, headers, request.target.path()) {
        return None;
    }
    let codings = app.config.precompressed.codings(headers);
    let response = match start_page(&app.site, codings.as_ref(), now) {
        Found::Kept(kept) => files::answer_kept(kept, request),
        Found::File(file) => files::answer(*file, request),
        Found::Unacceptable => files::answer_unacceptable(),
        Found::Failed(error) => Response::failed(&error),
        Found::Directory(_) | Found::Redirect(_) | Found::Missing | Found::Unavailable(_) => return None,
    };
    // Whoever names no HTML is told that there is nothing.
    Some(response.with("Vary", "Accept"))
}

/// A stranger gets what is open to everybody, unless a file of the site has that name, and else the refusal.
#[inline(never)]
fn answer_stranger(refusal: Response, request: &mut Request<'_>, app: &App, now: SystemTime) -> Response {
    match route(request, app) {
        Some(route)
            if route.open_to == OpenTo::Everybody
                && matches!(lookup(&app.site, request.target, None, now), Found::Missing | Found::Unavailable(_)) =>
        {
            answer_route(route, request, app)
        }
        _ => refusal.because(Because::Stranger),
    }
}

#[inline(never)]
fn answer_route(route: &Route, request: &mut Request<'_>, app: &App) -> Response {
    if route.open_to == OpenTo::OwnPages
        && let Some(refusal) = gate::other_site(request)
    {
        return refusal.because(Because::OtherSite(route.path));
    }
    unless_refused(request, route.methods, |request| (route.handler)(request, app)).because(Because::Route(route.path))
}

fn route(request: &Request<'_>, app: &App) -> Option<&'static Route> {
    let route = ROUTES.iter().find(|route| route.path.as_bytes() == request.target.path())?;
    let answers = match route.answers {
        Answers::Always => app.config.routes == Routes::On,
        Answers::WithMetrics => app.metrics.is_some(),
    };
    answers.then_some(route)
}

/// Answers OPTIONS, and every method that the resource does not take (RFC 9110 §9.3.7, §15.5.6); leaves the others to `answer`.
fn unless_refused(
    request: &mut Request<'_>,
    methods: &'static [Method],
    answer: impl FnOnce(&mut Request<'_>) -> Response,
) -> Response {
    let method = request.head.method;
    if method == Method::Options {
        allowing(Status::NO_CONTENT, methods)
    } else if methods.contains(&method) {
        answer(request)
    } else {
        allowing(Status::METHOD_NOT_ALLOWED, methods)
    }
}

/// A response that says which methods are allowed.
fn allowing(status: Status, methods: &[Method]) -> Response {
    let response = if status.never_has_content() {
        Response::new(status)
    } else {
        Response::text(status, "this resource does not take that method (RFC 9110 §15.5.6)")
    };
    response.with("Allow", names(methods))
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ")
}
