//! Request methods (RFC 9110 §9).

/// Defines [`Method`] from a table: documentation, variant, name on the wire.
macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident, $name:literal;)*) => {
        /// A request method. Methods are case-sensitive tokens: `get` is not `GET` (RFC 9110 §9.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
        }

        impl Method {
            /// All methods, in the order of the enum.
            pub const ALL: &[Method] = &[$(Method::$variant,)*];

            /// Returns the name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Method::$variant => $name,)*
                }
            }
        }
    };
}

methods! {
    /// Transfers a representation of the resource (§9.3.1).
    Get, "GET";
    /// Like GET, but the response has no body (§9.3.2).
    Head, "HEAD";
    /// Lets the resource process the request body (§9.3.3).
    Post, "POST";
    /// Replaces the resource by the request body (§9.3.4).
    Put, "PUT";
    /// Removes the resource (§9.3.5).
    Delete, "DELETE";
    /// Modifies the resource (RFC 5789).
    Patch, "PATCH";
    /// Asks for the allowed methods (§9.3.7).
    Options, "OPTIONS";
    /// Echoes the request (§9.3.8). Never allowed here, because it shows credentials to scripts.
    Trace, "TRACE";
    /// Opens a tunnel through a proxy (§9.3.6). Never allowed here.
    Connect, "CONNECT";
}

impl Method {
    /// Returns the method with this name; `None` for an unknown one.
    pub fn from_bytes(name: &[u8]) -> Option<Method> {
        Method::ALL.iter().copied().find(|method| method.as_str().as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_sensitive_and_round_trip() {
        for method in Method::ALL {
            let name = method.as_str();
            assert_eq!(Method::from_bytes(name.as_bytes()), Some(*method));
            assert_eq!(Method::from_bytes(name.to_ascii_lowercase().as_bytes()), None, "{name} in lower case");
            assert_eq!(Method::from_bytes(format!("{name}S").as_bytes()), None, "{name} with one more byte");
        }
        assert_eq!(Method::from_bytes(b""), None);
    }
}
