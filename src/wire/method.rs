//! What does the client want done? (RFC 9110 §9)

/// A request method. Methods are case-sensitive tokens: `get` is not `GET` (RFC 9110 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Transfer a representation of the resource (§9.3.1).
    Get,
    /// The same as GET, but no content comes back (§9.3.2).
    Head,
    /// Process the content as the resource sees fit (§9.3.3).
    Post,
    /// Replace the resource by the content (§9.3.4).
    Put,
    /// Remove the resource (§9.3.5).
    Delete,
    /// Change the resource in part (RFC 5789).
    Patch,
    /// Ask what may be done (§9.3.7).
    Options,
    /// Loop the message back (§9.3.8). No resource of ours does: it shows credentials to scripts.
    Trace,
    /// Open a tunnel (§9.3.6). We are no proxy.
    Connect,
}

/// Every method and its name on the wire.
pub const METHODS: [(Method, &str); 9] = [
    (Method::Get, "GET"),
    (Method::Head, "HEAD"),
    (Method::Post, "POST"),
    (Method::Put, "PUT"),
    (Method::Delete, "DELETE"),
    (Method::Patch, "PATCH"),
    (Method::Options, "OPTIONS"),
    (Method::Trace, "TRACE"),
    (Method::Connect, "CONNECT"),
];

impl Method {
    /// The method of that name; `None` for a name we do not know.
    #[inline]
    pub fn of_name(name: &[u8]) -> Option<Method> {
        METHODS.iter().find(|(_, known)| known.as_bytes() == name).map(|&(method, _)| method)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Patch => "PATCH",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Connect => "CONNECT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (method, name) in METHODS {
            assert_eq!(method.name(), name);
            assert_eq!(Method::of_name(name.as_bytes()), Some(method));
            assert_eq!(Method::of_name(name.to_ascii_lowercase().as_bytes()), None, "methods are case-sensitive");
        }
    }
}
