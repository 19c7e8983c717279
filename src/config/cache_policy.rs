//! How long may a cache use a file without asking? (RFC 9111 §5.2.2)
//!
//! By default it may keep it and must ask each time: the answer is mostly 304, and a page never comes with the style sheet of
//! yesterday. Who gives files a name of their own for each version may say so, and then nobody asks at all.

use std::borrow::Cow;

use crate::config::glob::Glob;

/// Who may keep what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every cache.
    Public,
    /// The browser of who asked for it, since there is a password before it.
    Private,
}

/// What Cache-Control says of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Of most of them.
    pub default: Cow<'static, str>,
    /// Of those whose content never changes under their name: these.
    pub immutable: Vec<Glob>,
    /// Who may keep them.
    pub sharing: Sharing,
}

impl CachePolicy {
    /// A cache must ask each time, whatever it is.
    pub const ALWAYS_ASK: CachePolicy =
        CachePolicy { default: Cow::Borrowed("no-cache"), immutable: Vec::new(), sharing: Sharing::Public };

    /// So many seconds for most files, and for ever for those.
    pub fn for_seconds(seconds: u32, immutable: Vec<Glob>, sharing: Sharing) -> CachePolicy {
        let otherwise = match (seconds, sharing) {
            (0, _) => Cow::Borrowed("no-cache"),
            (_, Sharing::Public) => format!("max-age={seconds}").into(),
            (_, Sharing::Private) => format!("private, max-age={seconds}").into(),
        };
        CachePolicy { default: otherwise, immutable, sharing }
    }

    /// The value of Cache-Control for the file of that path, beneath the root.
    pub fn header_for(&self, path: &[u8]) -> Cow<'static, str> {
        let is_immutable = self.immutable.iter().any(|glob| glob.matches(path));
        match (is_immutable, self.sharing) {
            (false, _) => self.default.clone(),
            // A year is how "for ever" is written.
            (true, Sharing::Public) => "public, max-age=31536000, immutable".into(),
            (true, Sharing::Private) => "private, max-age=31536000, immutable".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        use Sharing::{Private, Public};
        for (seconds, sharing, path, want, why) in [
            (0, Public, "index.html", "no-cache", "as by default"),
            (0, Private, "index.html", "no-cache", "nothing is used unasked, so nobody else's eyes see it"),
            (60, Public, "index.html", "max-age=60", "a minute"),
            (60, Private, "index.html", "private, max-age=60", "not in a cache that others use"),
            (60, Public, "a/app.1f.js", "public, max-age=31536000, immutable", "for ever"),
            (0, Private, "a/app.1f.js", "private, max-age=31536000, immutable", "for ever, for one person"),
            (60, Public, "app.1f.js", "max-age=60", "the pattern has a slash"),
            (60, Public, "x/logo.svg", "public, max-age=31536000, immutable", "the second pattern"),
        ] {
            let globs = vec![Glob::parse("a/*.js").unwrap(), Glob::parse("*.svg").unwrap()];
            let caching = CachePolicy::for_seconds(seconds, globs, sharing);
            assert_eq!(caching.header_for(path.as_bytes()), want, "{path}: {why}");
        }
        assert_eq!(CachePolicy::ALWAYS_ASK, CachePolicy::for_seconds(0, Vec::new(), Public));
    }
}
