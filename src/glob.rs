//! Does a path match a pattern?
//!
//! `*` is any number of bytes within a segment, `?` one character of it, `**` any number of bytes with slashes among them; `**/` is
//! any number of whole segments, also none, where a segment begins. A pattern with a slash in it means a path from the root, one without means a name
//! wherever it lies: as in `.gitignore`.
//!
//! The usual matcher goes back and tries again, and a path can be made for which it tries for ever. This one keeps all places in the
//! pattern at which it could be, and looks at each byte of the path once: its time is the length of the path times that of the
//! pattern, and only the owner of the server chooses the pattern.

/// A place for each of these is a bit of a [`Places`], and one more for the end.
const TOKENS_MAX: usize = 127;

/// The places in a pattern at which a match could be: bit *i* says that the first *i* tokens have been matched.
type Places = u128;

/// A pattern that paths are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
}

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// One character of a segment: `?`.
    Character,
    /// The other bytes of the character before, if it has any.
    RestOfCharacter,
    /// Any number of bytes of a segment: `*`.
    Within,
    /// Any number of bytes: `**`.
    Across,
    /// Any number of whole segments, each with its slash: `**/`.
    Segments,
    /// A segment of those has begun.
    InSegment,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and the way out.
    pub fn parse(pattern: &str) -> Result<Glob, &'static str> {
        if pattern.contains(['[', ']', '{', '}', '\\']) {
            // Other programs give them a meaning; a pattern that quietly never matches helps nobody.
            return Err("only *, ** and ? have a meaning here; give the flag once for each pattern, and ? for a bracket");
        }
        let rest = pattern.strip_prefix('/').unwrap_or(pattern);
        if rest.is_empty() || rest.ends_with('/') {
            return Err("that names no file; to mean all that is in a directory, write NAME/**");
        }
        let mut tokens = Vec::new();
        if !pattern.contains('/') {
            tokens.extend([Token::Segments, Token::InSegment]);
        }
        let mut rest = rest.as_bytes();
        while let [first, tail @ ..] = rest {
            rest = match rest {
                [b'*', b'*', b'/', tail @ ..] if matches!(tokens.last(), None | Some(Token::Byte(b'/') | Token::InSegment)) => {
                    tokens.extend([Token::Segments, Token::InSegment]);
                    tail
                }
                [b'*', b'*', tail @ ..] => {
                    tokens.push(Token::Across);
                    tail
                }
                [b'*', tail @ ..] => {
                    tokens.push(Token::Within);
                    tail
                }
                [b'?', tail @ ..] => {
                    tokens.extend([Token::Character, Token::RestOfCharacter]);
                    tail
                }
                _ => {
                    tokens.push(Token::Byte(*first));
                    tail
                }
            };
        }
        if tokens.len() > TOKENS_MAX {
            return Err("that pattern is too long; about a hundred bytes are allowed");
        }
        Ok(Glob { tokens })
    }

    /// Whether a path matches: segments with slashes between them, none before the first.
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut places = self.skipping(1);
        for &byte in path {
            let mut next = 0;
            for (at, token) in self.tokens.iter().enumerate() {
                let here = 1 << at;
                if places & here != 0 {
                    next |= token.after(byte, here);
                }
            }
            places = self.skipping(next);
        }
        places & (1 << self.tokens.len()) != 0
    }

    /// These places, and those that can be reached from them without a byte.
    fn skipping(&self, mut places: Places) -> Places {
        for (at, token) in self.tokens.iter().enumerate() {
            let here = 1 << at;
            if places & here != 0 {
                places |= match token {
                    Token::Within | Token::Across | Token::RestOfCharacter => here << 1,
                    Token::Segments => here << 2,
                    Token::Byte(_) | Token::Character | Token::InSegment => 0,
                };
            }
        }
        places
    }
}

impl Token {
    /// Where a match can be after this byte, if it was `here`, at this token.
    fn after(self, byte: u8, here: Places) -> Places {
        match self {
            Token::Byte(wanted) => {
                if byte == wanted {
                    here << 1
                } else {
                    0
                }
            }
            Token::Character => {
                if byte == b'/' {
                    0
                } else {
                    here << 1
                }
            }
            // A byte 10xxxxxx continues a character of UTF-8.
            Token::RestOfCharacter => {
                if byte & 0xc0 == 0x80 {
                    here
                } else {
                    0
                }
            }
            Token::Within => {
                if byte == b'/' {
                    0
                } else {
                    here
                }
            }
            Token::Across => here,
            Token::Segments => {
                if byte == b'/' {
                    0
                } else {
                    here << 1
                }
            }
            Token::InSegment => {
                if byte == b'/' {
                    here >> 1
                } else {
                    here
                }
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
            ("**/**/a", "a", true, "twice in a row"),
            ("a**z", "a/b/z", true, "two stars anywhere"),
            ("a**/z", "ab/c/z", true, "with a slash behind them"),
            ("a**/z", "a", false, "which is needed where no segment begins"),
            ("**.js", "a.js", true, "two stars without a slash"),
            ("a*b*c", "a1b2b3c", true, "two stars apart"),
            ("a*b*c", "a1b2b3", false, "and the end is missing"),
            ("a*bc", "abcbc", true, "the first way is not the right one"),
            ("?", "a", true, "one character"),
            ("?", "\u{fc}", true, "of two bytes"),
            ("?", "\u{1f600}", true, "of four"),
            ("?", "ab", false, "two characters"),
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
    fn what_is_no_pattern() {
        for (pattern, says) in [
            ("", "names no file"),
            ("/", "names no file"),
            ("assets/", "NAME/**"),
            ("*.{js,css}", "once for each"),
            ("[ab].js", "only *"),
            ("a\\*b", "only *"),
        ] {
            assert!(Glob::parse(pattern).unwrap_err().contains(says), "{pattern}");
        }
        // A pattern without a slash has two tokens before it.
        assert!(Glob::parse(&"a".repeat(TOKENS_MAX - 2)).unwrap().matches("a".repeat(TOKENS_MAX - 2).as_bytes()));
        assert!(Glob::parse(&"a".repeat(TOKENS_MAX - 1)).is_err());
    }

    /// What the documentation says, word for word and with no thought of time. Whether a segment of the pattern begins here is `begins`.
    fn slowly(begins: bool, pattern: &[u8], path: &[u8]) -> bool {
        match (pattern, path) {
            ([b'*', b'*', b'/', rest @ ..], _) if begins => {
                let mut starts = (0..path.len()).filter(|&at| at > 0 && path[at - 1] == b'/');
                slowly(true, rest, path) || starts.any(|at| slowly(true, rest, &path[at..]))
            }
            ([b'*', b'*', rest @ ..], _) => (0..=path.len()).any(|at| slowly(false, rest, &path[at..])),
            ([b'*', rest @ ..], _) => {
                let end = path.iter().position(|&b| b == b'/').unwrap_or(path.len());
                (0..=end).any(|at| slowly(false, rest, &path[at..]))
            }
            ([b'?', rest @ ..], [first, tail @ ..]) => *first != b'/' && slowly(false, rest, tail),
            ([wanted, rest @ ..], [first, tail @ ..]) => wanted == first && slowly(*wanted == b'/', rest, tail),
            ([], path) => path.is_empty(),
            ([_, ..], []) => false,
        }
    }

    #[test]
    fn it_agrees_with_the_slow_way_on_all_short_patterns_and_paths() {
        let words = |letters: &[u8], length: usize| {
            let mut all: Vec<Vec<u8>> = vec![Vec::new()];
            for _ in 0..length {
                let longer: Vec<Vec<u8>> =
                    all.iter().flat_map(|word| letters.iter().map(|b| [word, &[*b][..]].concat())).collect();
                all = longer;
            }
            all
        };
        let paths: Vec<Vec<u8>> = (1..=6).flat_map(|length| words(b"ab/", length)).collect();
        let is_path =
            |path: &&Vec<u8>| !path.starts_with(b"/") && !path.ends_with(b"/") && !path.windows(2).any(|pair| pair == b"//");
        let paths: Vec<&Vec<u8>> = paths.iter().filter(is_path).collect();
        let mut matched = 0_u32;
        for pattern in (1..=5).flat_map(|length| words(b"a*?/", length)) {
            let Ok(glob) = Glob::parse(std::str::from_utf8(&pattern).unwrap()) else { continue };
            let whole = match &*pattern {
                [b'/', rest @ ..] => rest.to_vec(),
                pattern if pattern.contains(&b'/') => pattern.to_vec(),
                pattern => [b"**/", pattern].concat(),
            };
            for path in &paths {
                let want = slowly(true, &whole, path);
                matched += u32::from(want);
                assert_eq!(glob.matches(path), want, "{} against {}", pattern.escape_ascii(), path.escape_ascii());
            }
        }
        assert!(matched > 10_000, "{matched} matches prove little");
    }

    #[test]
    fn no_path_makes_it_slow() {
        let pattern = format!("{}b", "*a".repeat(40));
        let glob = Glob::parse(&pattern).unwrap();
        // The usual matcher would need more steps for this than there are atoms.
        assert!(!glob.matches("a".repeat(8192).as_bytes()));
    }
}
