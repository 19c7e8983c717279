//! The notation of bytes in a case, and the comparison with a response.

/// One token of an expected response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// These bytes.
    Literal(Vec<u8>),
    /// At least one byte, none of them CR or LF: `<any>`.
    Any,
    /// Any bytes at all: `…`.
    Dots,
}

/// Reads a `send` block: real newlines are dropped, `\r`, `\n`, `\t`, `\\`, `\xNN` and `<N*text>` are expanded.
pub fn literal(block: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = block;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '\n' => {}
            '\\' => rest = escape(rest, &mut out)?,
            '<' => match repeated(rest) {
                Some((count, text, after)) => {
                    out.extend(literal(text)?.repeat(count));
                    rest = after;
                }
                None => out.push(b'<'),
            },
            _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(out)
}

/// Reads a `receive` block, which may also contain `<any>` and `…`.
pub fn pattern(block: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = block;
    while !rest.is_empty() {
        let next = [("<any>", Token::Any), ("…", Token::Dots)]
            .into_iter()
            .filter_map(|(mark, token)| rest.find(mark).map(|at| (at, mark, token)))
            .min_by_key(|(at, _, _)| *at);
        let (at, mark, token) = next.unwrap_or((rest.len(), "", Token::Dots));
        let bytes = literal(&rest[..at])?;
        if !bytes.is_empty() {
            tokens.push(Token::Literal(bytes));
        }
        if !mark.is_empty() {
            tokens.push(token);
        }
        rest = &rest[at + mark.len()..];
    }
    Ok(tokens)
}

fn escape<'a>(rest: &'a str, out: &mut Vec<u8>) -> Result<&'a str, String> {
    let known = [('r', b'\r'), ('n', b'\n'), ('t', b'\t'), ('\\', b'\\')];
    let char = rest.chars().next().ok_or("a backslash at the end")?;
    if let Some((_, byte)) = known.iter().find(|(name, _)| *name == char) {
        out.push(*byte);
        return Ok(&rest[1..]);
    }
    let digits = rest.strip_prefix('x').and_then(|rest| rest.get(..2)).ok_or(format!("unknown escape \\{char}"))?;
    out.push(u8::from_str_radix(digits, 16).map_err(|_| format!("bad escape \\x{digits}"))?);
    Ok(&rest[3..])
}

/// Parses `N*text>` into the count, the text and the rest.
fn repeated(rest: &str) -> Option<(usize, &str, &str)> {
    let (count, after) = rest.split_once('*')?;
    let count = count.parse().ok()?;
    let (text, after) = after.split_once('>')?;
    Some((count, text, after))
}

/// Whether all of `text` matches.
pub fn matches(tokens: &[Token], text: &[u8]) -> bool {
    let mut segments = tokens.split(|token| *token == Token::Dots);
    let first = segments.next().unwrap_or_default();
    let rest: Vec<&[Token]> = segments.collect();
    let Some((last, middle)) = rest.split_last() else { return end(first, text, true).is_some() };
    let Some(mut at) = end(first, text, false) else { return false };
    for segment in middle {
        // The earliest match is as good as any later one.
        let Some(length) = (at..=text.len()).find_map(|from| end(segment, &text[from..], false).map(|length| from + length))
        else {
            return false;
        };
        at = length;
    }
    (at..=text.len()).any(|from| end(last, &text[from..], true).is_some())
}

/// Matches tokens without `Dots` at the start of `text`, and returns the end of the match.
fn end(tokens: &[Token], text: &[u8], to_the_end: bool) -> Option<usize> {
    let Some((token, rest)) = tokens.split_first() else {
        return (!to_the_end || text.is_empty()).then_some(0);
    };
    match token {
        Token::Literal(bytes) => Some(bytes.len() + end(rest, text.strip_prefix(&bytes[..])?, to_the_end)?),
        Token::Any | Token::Dots => {
            let line = text.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(text.len());
            (1..=line).find_map(|length| end(rest, &text[length..], to_the_end).map(|after| length + after))
        }
    }
}

#[test]
fn matching() {
    for (want, text, yes) in [
        (r"a\r\n", "a\r\n", true),
        (r"a\r\n", "a\r\nb", false),
        ("a…z", "az", true),
        ("a…z", "a\r\nbz", true),
        ("a…z", "azb", false),
        ("A: <any>\\r\\nB", "A: x\r\nB", true),
        ("A: <any>\\r\\nB", "A: \r\nB", false),
        ("…A: <any>;<3*x>…", "q\r\nA: 1;2;xxx\r\n", true),
        ("<2*ab>c", "ababc", true),
        ("a<b>", "a<b>", true),
    ] {
        assert_eq!(matches(&pattern(want).unwrap(), text.as_bytes()), yes, "{want} against {text:?}");
    }
}
