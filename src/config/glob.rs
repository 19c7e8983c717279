//! Patterns for the paths of files.
//!
//! A pattern has `*` for any bytes within a segment, `?` for one character, and `**` for any number of segments: also none, but at least
//! one at the end. A pattern with a slash means a path from the root, one without means a name in any directory, as in `.gitignore`.

/// A pattern for paths.
///
/// A mismatch is retried only from the last `*` of the segment, or else from the last `**`: an earlier one could not match more. So the
/// time is at most the length of the path times that of the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    segments: Vec<String>,
}

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(pattern: &str) -> Result<Glob, &'static str> {
        if pattern.contains(['[', ']', '{', '}', '\\']) {
            // Other programs give them a meaning: such a pattern would silently never match.
            return Err("only *, ** and ? are supported; repeat the option for each pattern, and use ? for a bracket");
        }
        let rest = pattern.strip_prefix('/').unwrap_or(pattern);
        if rest.is_empty() || rest.ends_with('/') {
            return Err("no file has this name; for all files in a directory, use NAME/**");
        }
        let anywhere = if pattern.contains('/') { None } else { Some("**") };
        let mut segments: Vec<String> = anywhere.into_iter().chain(rest.split('/')).map(str::to_owned).collect();
        if segments.iter().any(|segment| segment != "**" && segment.contains("**")) {
            return Err("** matches whole segments; for names in any directory, use **/*.js");
        }
        if rest.ends_with("**") {
            segments.push("*".to_owned());
        }
        Ok(Glob { segments })
    }

    /// Returns whether a path matches. It has no slash at its beginning.
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut pattern = &*self.segments;
        let mut path = path.split(|&byte| byte == b'/');
        let mut retry = None;
        loop {
            let mut rest = path.clone();
            match (pattern, rest.next()) {
                ([], None) => return true,
                ([stars, after @ ..], _) if stars == "**" => {
                    retry = Some((after, path.clone()));
                    pattern = after;
                }
                ([wanted, after @ ..], Some(segment)) if matches_segment(wanted.as_bytes(), segment) => {
                    (pattern, path) = (after, rest);
                }
                _ => {
                    // The last ** takes one more segment.
                    let Some((after, retried)) = &mut retry else { return false };
                    let Some(_) = retried.next() else { return false };
                    (pattern, path) = (*after, retried.clone());
                }
            }
        }
    }
}

/// Matches one segment.
fn matches_segment(mut pattern: &[u8], mut segment: &[u8]) -> bool {
    let mut retry = None;
    loop {
        match (pattern, segment) {
            ([], []) => return true,
            ([b'*', after @ ..], _) => {
                retry = Some((after, segment));
                pattern = after;
            }
            ([b'?', after @ ..], [_, rest @ ..]) => {
                // A byte 10xxxxxx continues a character of UTF-8.
                let continued = rest.iter().take_while(|&byte| byte & 0xc0 == 0x80).count();
                (pattern, segment) = (after, rest.split_at(continued).1);
            }
            ([wanted, after @ ..], [byte, rest @ ..]) if wanted == byte => (pattern, segment) = (after, rest),
            _ => {
                // The last * takes one more byte.
                let Some((after, [_, rest @ ..])) = retry else { return false };
                (pattern, segment) = (after, rest);
                retry = Some((pattern, segment));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_paths() {
        for (pattern, path, want, why) in [
            ("app.js", "app.js", true, "a name"),
            ("app.js", "assets/app.js", true, "a name, wherever"),
            ("app.js", "assets/deep/app.js", true, "however deep"),
            ("app.js", "app.jsx", false, "a longer one"),
            ("app.js", "xapp.js", false, "a longer one at its beginning"),
            ("app.js", "app.js/x", false, "the name of a directory"),
            ("/app.js", "app.js", true, "at the root"),
            ("/app.js", "assets/app.js", false, "only there"),
            ("*.js", "a.js", true, "an ending"),
            ("*.js", ".js", true, "a star may be nothing"),
            ("*.js", "d/e/a.min.js", true, "wherever"),
            ("*.js", "a.css", false, "another one"),
            ("*", "a", true, "any name"),
            ("*", "a/b/c", true, "wherever"),
            ("assets/*", "assets/a", true, "in a directory"),
            ("assets/*", "assets/d/a", false, "a star does not cross slashes"),
            ("assets/*", "x/assets/a", false, "a pattern with a slash begins at the root"),
            ("assets/**", "assets/a", true, "two stars"),
            ("assets/**", "assets/d/e/a", true, "cross slashes"),
            ("assets/**", "assets", false, "not the directory itself"),
            ("assets/**", "assets2/a", false, "nor one that begins like it"),
            ("**/a", "a", true, "no segment is a number of segments"),
            ("**/a", "b/a", true, "one"),
            ("**/a", "b/c/a", true, "two"),
            ("**/a", "ba", false, "a part of a segment is not whole"),
            ("d/**/a", "d/a", true, "none in the middle"),
            ("d/**/a", "d/x/y/a", true, "some in the middle"),
            ("d/**/a", "d/xa", false, "a part in the middle"),
            ("d/**/e/**/a", "d/e/e/x/a", true, "twice"),
            ("d/**/e/**/a", "d/x/y/a", false, "and what stands between is missing"),
            ("d/**/a/b", "d/a/x/a/b", true, "the first way is not the right one"),
            ("d/**/a/b", "d/a/x/a/c", false, "and none is"),
            ("**/**/a", "a", true, "twice in a row"),
            ("**", "a", true, "all names"),
            ("**", "a/b", true, "wherever"),
            ("d/**/*.js", "d/a.js", true, "two kinds of stars"),
            ("d/**/*.js", "d/e/a.js", true, "each in its place"),
            ("d/**/*.js", "d/e/a.css", false, "the end is another"),
            ("a*b*c", "a1b2b3c", true, "two stars apart"),
            ("a*b*c", "a1b2b3", false, "and the end is missing"),
            ("a*bc", "abcbc", true, "the first way is not the right one"),
            ("?", "a", true, "one character"),
            ("?", "\u{fc}", true, "of two bytes"),
            ("?", "\u{1f600}", true, "of four"),
            ("?", "ab", false, "two characters"),
            ("??", "\u{fc}", false, "one character of two bytes"),
            ("*?", "\u{fc}", true, "a star and one character"),
            ("?", "", false, "none"),
            ("??", "\u{fc}a", true, "two characters"),
            ("a?c", "a/c", false, "a slash is none"),
            ("app.????????.js", "app.3f2a91bc.js", true, "a hash in a name"),
            ("app.????????.js", "app.3f2a91b.js", false, "a shorter one"),
            ("\u{fc}*", "\u{fc}ml", true, "bytes beyond ASCII"),
            ("*.js", "A.JS", false, "case matters, as it does in names"),
            ("a.b", "axb", false, "a dot is a dot"),
            ("a+(b)", "a+(b)", true, "and so are others"),
        ] {
            let glob = Glob::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(glob.matches(path.as_bytes()), want, "{pattern} against {path}: {why}");
        }
    }

    #[test]
    fn invalid_patterns_are_refused() {
        for (pattern, says) in [
            ("", "no file has this name"),
            ("/", "no file has this name"),
            ("assets/", "NAME/**"),
            ("*.{js,css}", "repeat the option"),
            ("[ab].js", "only *"),
            ("a\\*b", "only *"),
            ("**.js", "whole segments"),
            ("assets/a**", "whole segments"),
            ("***", "whole segments"),
        ] {
            assert!(Glob::parse(pattern).unwrap_err().contains(says), "{pattern}");
        }
    }

    #[test]
    fn matching_takes_bounded_time() {
        let stars = format!("{}b", "*a".repeat(40));
        let segments = format!("{}b", "**/a/".repeat(40));
        for (pattern, piece) in [("*a*a*a*a*b", "a"), (&*stars, "a"), ("**/a/**/a/**/a/**/b", "a/"), (&*segments, "a/")] {
            let glob = Glob::parse(pattern).unwrap();
            let path = piece.repeat(4096);
            // Trying every way would take at least 4096^4 steps.
            assert!(!glob.matches(format!("{path}a").as_bytes()), "{pattern}");
            assert!(glob.matches(format!("{path}b").as_bytes()), "{pattern}");
        }
    }
}
