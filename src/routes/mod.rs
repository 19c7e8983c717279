//! Which code answers?
//!
//! **Your files win.** A path is looked up in the served directory first; a built-in route answers only where the directory has
//! nothing of that name. So no site is ever shadowed by `/hello`.

pub mod basics;

pub mod echo;

pub mod files;

use std::time::SystemTime;

use crate::app::App;
use crate::config::Routes;
use crate::message::{Request, Response};
use crate::site::listing;
use crate::site::lookup::{Found, lookup};
use crate::wire::method::Method;
use crate::wire::status::Status;
use crate::wire::target::Form;

/// A built-in route. Dispatch, 405 with `Allow`, OPTIONS and the list in `--help` all come from its row.
pub struct Route {
    /// The canonical path.
    pub path: &'static str,
    /// The methods it takes, HEAD and OPTIONS among them.
    pub methods: &'static [Method],
    /// What answers.
    pub handler: fn(&mut Request<'_>, &App) -> Response,
    /// What it is for.
    pub says: &'static str,
}

/// What may be done with a file or a listing.
const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];

/// What may be done with a mirror.
const ANY: &[Method] = &[Method::Get, Method::Head, Method::Post, Method::Put, Method::Delete, Method::Patch, Method::Options];

/// The built-in routes.
pub const ROUTES: &[Route] = &[
    Route { path: "/hello", methods: READ, handler: basics::hello, says: "a page that greets; ?name= says whom" },
    Route { path: "/health", methods: READ, handler: basics::health, says: "ok, as long as the server runs" },
    Route {
        path: "/echo",
        methods: ANY,
        handler: echo::echo,
        says: "your request as the server parsed it; JSON if you accept it",
    },
    #[cfg(feature = "trapdoors")]
    Route { path: "/panic", methods: READ, handler: |_, _| panic!("as asked"), says: "panics, for tests" },
];

/// Answers a request.
pub fn answer(request: &mut Request<'_>, app: &App, now: SystemTime) -> Response {
    if request.target.form == Form::Asterisk {
        return allowing(Status::NO_CONTENT, READ);
    }
    match lookup(&app.site, request.target) {
        Found::File(file) => unless_refused(request, READ, |request| files::answer(file, request, now)),
        Found::Directory(directory) => unless_refused(request, READ, |request| listing::answer(directory, request.target)),
        Found::Redirect(location) => unless_refused(request, READ, |_| {
            Response::text(Status::MOVED_PERMANENTLY, "a directory's path ends in a slash").with("Location", location)
        }),
        Found::Failed(error) => Response::failed(&error),
        Found::Missing => match route(request, app) {
            Some(route) => unless_refused(request, route.methods, |request| (route.handler)(request, app)),
            None => Response::text(Status::NOT_FOUND, "nothing here has that name"),
        },
    }
}

fn route(request: &Request<'_>, app: &App) -> Option<&'static Route> {
    match app.config.routes {
        Routes::On => ROUTES.iter().find(|route| route.path.as_bytes() == request.target.path()),
        Routes::Off => None,
    }
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
    let allow = methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
    let response = if status.never_has_content() {
        Response::new(status)
    } else {
        Response::text(status, "this resource does not take that method (RFC 9110 §15.5.6)")
    };
    response.with("Allow", allow)
}
