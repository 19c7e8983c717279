//! How long caches may use a file without asking (RFC 9111 §5.2.2).
//!
//! By default a cache may keep a file and must revalidate it each time: the answer is mostly 304, and a page never comes with the style
//! sheet of yesterday. Files whose names change with their content can be marked immutable.

use std::borrow::Cow;

use crate::config::glob::Glob;

/// What Cache-Control says of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// The value for files that are not immutable.
    pub default: Cow<'static, str>,
    /// The files whose content never changes under their name.
    pub immutable: Vec<Glob>,
    /// Whether only the client's own cache may keep files, since they are protected by a password.
    pub private: bool,
}

impl CachePolicy {
    /// Allows reuse for some seconds; 0 means revalidate.
    pub fn for_seconds(seconds: u32, immutable: Vec<Glob>, private: bool) -> CachePolicy {
        let default = match (seconds, private) {
            (0, _) => Cow::Borrowed("no-cache"),
            (_, false) => format!("max-age={seconds}").into(),
            (_, true) => format!("private, max-age={seconds}").into(),
        };
        CachePolicy { default, immutable, private }
    }

    /// Returns the value of Cache-Control for a file, by its path beneath the root.
    pub fn header_for(&self, path: &[u8]) -> Cow<'static, str> {
        match (self.immutable.iter().any(|glob| glob.matches(path)), self.private) {
            (false, _) => self.default.clone(),
            // One year is the longest time that caches honour.
            (true, false) => "public, max-age=31536000, immutable".into(),
            (true, true) => "private, max-age=31536000, immutable".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_of_files() {
        for (seconds, private, path, want, why) in [
            (0, false, "index.html", "no-cache", "the default"),
            (0, true, "index.html", "no-cache", "always revalidated, so private need not be said"),
            (60, false, "index.html", "max-age=60", "a minute"),
            (60, true, "index.html", "private, max-age=60", "not in a shared cache"),
            (60, false, "a/app.1f.js", "public, max-age=31536000, immutable", "immutable"),
            (0, true, "a/app.1f.js", "private, max-age=31536000, immutable", "immutable, not in a shared cache"),
            (60, false, "app.1f.js", "max-age=60", "the pattern has a slash"),
            (60, false, "x/logo.svg", "public, max-age=31536000, immutable", "the second pattern"),
        ] {
            let globs = vec![Glob::parse("a/*.js").unwrap(), Glob::parse("*.svg").unwrap()];
            assert_eq!(CachePolicy::for_seconds(seconds, globs, private).header_for(path.as_bytes()), want, "{path}: {why}");
        }
    }
}
