//! What does the client want done? (RFC 9110 §9)

/// Defines [`Method`] by a table: what it is for, a variant, and its name on the wire.
macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident, $name:literal;)*) => {
        /// A request method. Methods are case-sensitive tokens: `get` is not `GET` (RFC 9110 §9.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
        }

        impl Method {
            /// All of them, in the order of the enum.
            pub const ALL: &[Method] = &[$(Method::$variant,)*];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Method::$variant => $name,)*
                }
            }
        }
    };
}

methods! {
    /// Transfer a representation of the resource (§9.3.1).
    Get, "GET";
    /// The same as GET, but no content comes back (§9.3.2).
    Head, "HEAD";
    /// Process the content as the resource sees fit (§9.3.3).
    Post, "POST";
    /// Replace the resource by the content (§9.3.4).
    Put, "PUT";
    /// Remove the resource (§9.3.5).
    Delete, "DELETE";
    /// Change the resource in part (RFC 5789).
    Patch, "PATCH";
    /// Ask what may be done (§9.3.7).
    Options, "OPTIONS";
    /// Loop the message back (§9.3.8). No resource of ours does: it shows credentials to scripts.
    Trace, "TRACE";
    /// Open a tunnel (§9.3.6). We are no proxy.
    Connect, "CONNECT";
}

impl Method {
    /// The method of that name; `None` for a name we do not know.
    #[inline]
    pub fn from_bytes(name: &[u8]) -> Option<Method> {
        Method::ALL.iter().copied().find(|method| method.as_str().as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for method in Method::ALL {
            let name = method.as_str();
            assert_eq!(Method::from_bytes(name.as_bytes()), Some(*method));
            assert_eq!(Method::from_bytes(name.to_ascii_lowercase().as_bytes()), None, "methods are case-sensitive");
            assert_eq!(Method::from_bytes(format!("{name}S").as_bytes()), None, "one byte more");
        }
        assert_eq!(Method::from_bytes(b""), None);
    }
}
