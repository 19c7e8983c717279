//! Request methods (RFC 9110 §9).

/// Defines [`Method`] from a table: variant, name on the wire, meaning.
macro_rules! methods {
    ($($variant:ident, $name:literal, $meaning:literal;)*) => {
        /// A request method. Methods are case-sensitive tokens: `get` is not `GET` (RFC 9110 §9.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $meaning] $variant,)*
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

            /// Returns what the method asks for, for `--explain`.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Method::$variant => $meaning,)*
                }
            }
        }
    };
}

methods! {
    Get, "GET", "send the resource (RFC 9110 §9.3.1)";
    Head, "HEAD", "send only the head of the response to GET (RFC 9110 §9.3.2)";
    Post, "POST", "process the body of the request (RFC 9110 §9.3.3)";
    Put, "PUT", "replace the resource by the body of the request";
    Delete, "DELETE", "delete the resource";
    Patch, "PATCH", "change a part of the resource (RFC 5789)";
    Options, "OPTIONS", "send the supported methods (RFC 9110 §9.3.7)";
    Trace, "TRACE", "send the request back (RFC 9110 §9.3.8); not supported";
    Connect, "CONNECT", "open a tunnel through a proxy (RFC 9110 §9.3.6); not supported";
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
