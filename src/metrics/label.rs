//! Under which names is it counted?
//!
//! Every label has a small set of values that are all known before the first request: what a client makes up is never one of them, or
//! it could fill the memory of this server, and of whoever collects these numbers.

use crate::because::Because;
use crate::ended::Ended;
use crate::wire::malformed::Malformed;
use crate::wire::method::{METHODS, Method};
use crate::wire::status::Status;

/// What stands for a method that could not be read, or that we do not know.
const NO_METHOD: &str = "unknown";

/// The classes of status codes that an answer can have.
pub const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// What answers but for the built-in routes, whose paths come behind these.
pub const PLACES: [&str; 7] = ["file", "listing", "redirect", "application", "missing", "failed", "none"];

/// Why connections end.
pub const ENDS: [&str; 13] = [
    "by_client",
    "as_asked",
    "idle",
    "head_timeout",
    "content_timeout",
    "malformed",
    "no_proxy_header",
    "unread",
    "panicked",
    "broke_off",
    "evicted",
    "stopping",
    "lost",
];

/// The methods, and one more name for what is none of them.
pub fn methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(_, name)| *name).chain([NO_METHOD])
}

/// The place of a method among [`methods`].
pub fn of_method(method: Option<Method>) -> usize {
    METHODS.iter().position(|(known, _)| Some(*known) == method).unwrap_or(METHODS.len())
}

/// The place of a status among [`CLASSES`].
pub fn of_status(status: Status) -> usize {
    usize::from(status.code() / 100).saturating_sub(2)
}

/// The place of what answered among [`PLACES`] and the paths of the routes behind them.
pub fn of_place(because: Because, routes: &[&str]) -> usize {
    let place = |name| PLACES.iter().position(|known| *known == name).unwrap_or(0);
    match because {
        Because::Kept | Because::Opened | Because::Unacceptable => place("file"),
        Because::Directory => place("listing"),
        Because::NoSlash => place("redirect"),
        Because::Application => place("application"),
        Because::Nothing => place("missing"),
        Because::Failed => place("failed"),
        Because::NoRequest
        | Because::OtherName
        | Because::Stranger
        | Because::Preflight
        | Because::Server
        | Because::BrokenContent(_)
        | Because::LateContent
        | Because::Panicked => place("none"),
        Because::Route(path) | Because::OtherSite(path) => {
            routes.iter().position(|known| *known == path).map_or(place("none"), |route| PLACES.len() + route)
        }
    }
}

/// Why a connection ended, as one of [`ENDS`].
pub fn of_end(ended: &Ended) -> &'static str {
    match ended {
        Ended::ByClient => "by_client",
        Ended::AsAsked => "as_asked",
        Ended::Idle => "idle",
        Ended::HeadTimeout => "head_timeout",
        Ended::ContentTimeout => "content_timeout",
        Ended::Malformed(_) => "malformed",
        Ended::NoProxyHeader(_) => "no_proxy_header",
        Ended::Unread => "unread",
        Ended::Panicked => "panicked",
        Ended::BrokeOff => "broke_off",
        Ended::Evicted => "evicted",
        Ended::Stopping => "stopping",
        Ended::Lost(_) => "lost",
    }
}

/// The name of a rule that a message breaks: `BareCr` is `bare_cr`.
pub fn of_malformed(what: Malformed) -> String {
    let mut name = String::new();
    for letter in format!("{what:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn each_has_a_place() {
        let routes = ["/hello", "/health"];
        for (because, want) in [
            (Because::Kept, 0),
            (Because::Nothing, 4),
            (Because::NoRequest, 6),
            (Because::Route("/hello"), 7),
            (Because::OtherSite("/health"), 8),
            (Because::Route("/unheard-of"), 6),
        ] {
            assert_eq!(of_place(because, &routes), want, "{because:?}");
        }
        let names: Vec<_> = methods().collect();
        for (method, want) in [(Some(Method::Get), "GET"), (Some(Method::Connect), "CONNECT"), (None, "unknown")] {
            assert_eq!(names[of_method(method)], want);
        }
        for (status, want) in [(Status::OK, "2xx"), (Status::NOT_MODIFIED, "3xx"), (Status::VERSION_NOT_SUPPORTED, "5xx")] {
            assert_eq!(CLASSES[of_status(status)], want);
        }
        for ended in [Ended::ByClient, Ended::Malformed(Malformed::Nul), Ended::Lost(ErrorKind::BrokenPipe.into())] {
            assert!(ENDS.contains(&of_end(&ended)), "{ended:?}");
        }
    }

    #[test]
    fn rules_have_names_of_their_own() {
        assert_eq!(of_malformed(Malformed::SpaceBeforeColon), "space_before_colon");
        let mut names: Vec<_> = Malformed::ALL.iter().copied().map(of_malformed).collect();
        names.sort();
        assert!(names.windows(2).all(|two| two[0] != two[1]));
    }
}
