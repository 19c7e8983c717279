//! `multipart/form-data` (RFC 7578, RFC 2046 §5.1): the parts of a form with files.
//!
//! [`MultipartParser`] accepts input in pieces of any size, and the result does not depend on how the input is split. Of a part it reports
//! the name of its file and its content.
#![allow(clippy::indexing_slicing, reason = "each index was found in its slice by the line above, and the parser is fuzzed")]

use crate::http::grammar::{find_control_byte, skip_token, split_once, split_unquoted};
use crate::http::headers::{HeaderSpan, Headers, name};

/// Parts of one form.
const PARTS_MAX: usize = 100;
/// Bytes from a boundary to the content of its part. Browsers send about 200.
const PART_HEAD_BYTES_MAX: usize = 8192;
/// Field lines of a part.
const PART_FIELDS_MAX: usize = 16;
/// Characters of a boundary (RFC 2046 §5.1.1).
const BOUNDARY_CHARS_MAX: usize = 70;

/// Bytes of input that hold any delimiter with the head of its part, so that a larger piece of input always makes progress.
pub const LOOKAHEAD_BYTES_MAX: usize = PART_HEAD_BYTES_MAX + BOUNDARY_CHARS_MAX + 8;

/// A reason to refuse a form: the text of the response.
pub type MultipartError = &'static str;

/// It has another status than the others, which are malformed forms.
pub const MEDIA_TYPE: MultipartError = "the form must be multipart/form-data (RFC 7578)";
const BOUNDARY: MultipartError = "the boundary parameter must have 1 to 70 characters (RFC 2046 §5.1.1)";
const DELIMITER: MultipartError =
    "the form does not begin with its boundary, or a boundary is not followed by a line end (RFC 2046 §5.1.1)";
const HEAD_TOO_LARGE: MultipartError = "a part has more than 16 header fields, or more than 8 KiB of them";
const FIELD: MultipartError = "a part has a malformed header field (RFC 7578 §4.8)";
const FILE_NAME: MultipartError = "a part has a malformed or repeated file name (RFC 7578 §4.2)";
const PART_ENCODING: MultipartError = "a part has a Content-Transfer-Encoding (RFC 7578 §4.7)";
const TOO_MANY_PARTS: MultipartError = "the form has more than 100 parts";

/// What comes next in a form.
#[derive(Debug, PartialEq, Eq)]
pub enum MultipartEvent<'a> {
    /// The input ends here: call again with what was not consumed, and more.
    Partial,
    /// A part begins, and the one before it ends. It is a file if it has a file name: what follows the last slash or backslash of the
    /// name that was sent.
    Part(Option<Vec<u8>>),
    /// Content of the part.
    Content(&'a [u8]),
    /// The final boundary. All that follows is consumed and ignored.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Content,
    Ended,
}

/// A parser of one form.
#[derive(Debug)]
pub struct MultipartParser {
    /// CRLF, two hyphens and the boundary.
    delimiter: Vec<u8>,
    state: State,
    parts: usize,
}

impl MultipartParser {
    /// Creates a parser for the form that a Content-Type describes.
    ///
    /// # Errors
    /// `MediaType` if it is no form with files, or `Boundary`.
    // boundary := 0*69<bchars> bcharsnospace (RFC 2046 §5.1.1)
    pub fn new(content_type: &[u8]) -> Result<MultipartParser, MultipartError> {
        if !split_unquoted(content_type, b';').next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/form-data")) {
            return Err(MEDIA_TYPE);
        }
        let boundary = parameter(content_type, b"boundary").ok().flatten().ok_or(BOUNDARY)?;
        let is_valid = |&b: &u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
        if !(1..=BOUNDARY_CHARS_MAX).contains(&boundary.len()) || boundary.ends_with(b" ") || !boundary.iter().all(is_valid) {
            return Err(BOUNDARY);
        }
        Ok(MultipartParser { delimiter: [b"\r\n--", &*boundary].concat(), state: State::Start, parts: 0 })
    }

    /// Returns what comes next in `input`, and how many of its bytes that takes.
    ///
    /// # Errors
    /// The violated rule.
    // multipart-body := dash-boundary transport-padding CRLF body-part *encapsulation close-delimiter transport-padding [CRLF epilogue]
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<(usize, MultipartEvent<'a>), MultipartError> {
        match self.state {
            State::Ended => Ok((input.len(), MultipartEvent::Partial)),
            // A CRLF before the first boundary is an empty preamble; no client sends another.
            State::Start => {
                let delimiter = if input.first() == Some(&b'\r') { &*self.delimiter } else { &self.delimiter[2..] };
                match input.strip_prefix(delimiter) {
                    Some(rest) => self.delimited(delimiter.len(), rest),
                    None if delimiter.starts_with(input) => Ok((0, MultipartEvent::Partial)),
                    None => Err(DELIMITER),
                }
            }
            State::Content => match (self.find_delimiter(input), input.strip_prefix(&*self.delimiter)) {
                (0, Some(rest)) => self.delimited(self.delimiter.len(), rest),
                (0, None) => Ok((0, MultipartEvent::Partial)),
                (end, _) => Ok((end, MultipartEvent::Content(&input[..end]))),
            },
        }
    }

    /// Returns the index at which the delimiter begins, or may begin if more input follows.
    fn find_delimiter(&self, input: &[u8]) -> usize {
        let may_begin = |rest: &[u8]| rest.starts_with(&self.delimiter) || self.delimiter.starts_with(rest);
        (0..input.len()).find(|&at| input[at] == b'\r' && may_begin(&input[at..])).unwrap_or(input.len())
    }

    /// Parses what follows a delimiter of `length` bytes: two hyphens, or the head of a part.
    fn delimited<'a>(&mut self, length: usize, rest: &[u8]) -> Result<(usize, MultipartEvent<'a>), MultipartError> {
        if rest.starts_with(b"--") {
            self.state = State::Ended;
            return Ok((length + 2, MultipartEvent::End));
        }
        let end = rest.windows(4).take(PART_HEAD_BYTES_MAX - 3).position(|four| four == b"\r\n\r\n");
        let head = match end {
            Some(end) => &rest[..end + 2],
            None if rest.len() >= PART_HEAD_BYTES_MAX => return Err(HEAD_TOO_LARGE),
            None => return Ok((0, MultipartEvent::Partial)),
        };
        let file_name = parse_head(head)?;
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(TOO_MANY_PARTS);
        }
        self.state = State::Content;
        Ok((length + head.len() + 2, MultipartEvent::Part(file_name)))
    }
}

/// Parses the rest of the line of a boundary and the field lines after it, each with its CRLF, and returns the file name.
fn parse_head(head: &[u8]) -> Result<Option<Vec<u8>>, MultipartError> {
    let (padding, _) = split_once(head, b"\r\n").ok_or(DELIMITER)?;
    // Some transports of mail once added spaces after a boundary.
    if !padding.iter().all(|b| matches!(b, b' ' | b'\t')) {
        return Err(DELIMITER);
    }
    let (mut spans, mut start) = (Vec::new(), padding.len() + 2);
    while let Some(length) = head[start..].windows(2).position(|two| two == b"\r\n") {
        let line = start..start + length;
        start = line.end + 2;
        if spans.len() == PART_FIELDS_MAX {
            return Err(HEAD_TOO_LARGE);
        }
        let is_text = find_control_byte(&head[line.clone()], 0).is_none();
        let span = HeaderSpan::parse(head, line.clone(), skip_token(head, line.start)).filter(|_| is_text);
        spans.push(span.ok_or(FIELD)?);
    }
    let headers = Headers { bytes: head, spans: &spans };
    let encoding = headers.get("content-transfer-encoding").unwrap_or(b"binary");
    if ![&b"binary"[..], b"8bit", b"7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain)) {
        return Err(PART_ENCODING);
    }
    if headers.get(name::CONTENT_DISPOSITION).is_none() {
        return Ok(None);
    }
    file_name(headers.get_unique(name::CONTENT_DISPOSITION).ok_or(FIELD)?)
}

/// Returns the file name of a Content-Disposition, without the directories before it.
fn file_name(value: &[u8]) -> Result<Option<Vec<u8>>, MultipartError> {
    if !split_unquoted(value, b';').next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"form-data")) {
        return Ok(None);
    }
    let plain = parameter(value, b"filename")?;
    let name = match parameter(value, b"filename*")? {
        Some(extended) => Some(decode_extended(&extended).ok_or(FILE_NAME)?),
        None => plain.map(|plain| decode_quotes(&plain)),
    };
    Ok(name.and_then(|name| name.rsplit(|b| matches!(b, b'/' | b'\\')).next().map(<[u8]>::to_vec)))
}

/// Returns the value of a parameter of a field, without its quotes; `None` if it is not there.
// parameter = token "=" ( token / quoted-string ) (RFC 9110 §5.6.6)
fn parameter(value: &[u8], wanted: &[u8]) -> Result<Option<Vec<u8>>, MultipartError> {
    let mut found = None;
    for parameter in split_unquoted(value, b';').skip(1) {
        let Some((name, value)) = split_once(parameter, b"=") else { continue };
        if !name.trim_ascii().eq_ignore_ascii_case(wanted) {
            continue;
        }
        let value = unquote(value.trim_ascii()).ok_or(FILE_NAME)?;
        if found.replace(value).is_some() {
            return Err(FILE_NAME);
        }
    }
    Ok(found)
}

/// Returns the text of a quoted string, or a text without quotes as it is. A backslash escapes only quotes and backslashes, since some
/// clients send the path of a file on Windows.
fn unquote(value: &[u8]) -> Option<Vec<u8>> {
    let Some(rest) = value.strip_prefix(b"\"") else { return (!value.contains(&b'"')).then(|| value.to_vec()) };
    let mut out = Vec::new();
    let mut bytes = rest.strip_suffix(b"\"")?.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => out.push(bytes.next_if(|next| matches!(next, b'"' | b'\\')).unwrap_or(b'\\')),
            _ => out.push(byte),
        }
    }
    Some(out)
}

/// Replaces `%22`: browsers write a quote in a name like this, and leave percent signs as they are (HTML, multipart/form-data encoding).
fn decode_quotes(name: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(name.len()), name);
    while let Some((before, after)) = split_once(rest, b"%22") {
        out.extend_from_slice(before);
        out.push(b'"');
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// Decodes a name in UTF-8 with its charset.
// ext-value = charset "'" [ language ] "'" value-chars (RFC 8187 §3.2)
fn decode_extended(value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = value.splitn(3, |&b| b == b'\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let name: Vec<u8> = percent_encoding::percent_decode(text).collect();
    (charset.eq_ignore_ascii_case(b"utf-8") && std::str::from_utf8(&name).is_ok()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Files = Vec<(Option<String>, String)>;

    /// Parses a form in pieces of `step` bytes: the parts, and whether the final boundary came.
    fn parse(input: &[u8], step: usize) -> Result<(Files, bool), MultipartError> {
        let mut parser = MultipartParser::new(b"multipart/form-data; boundary=B")?;
        let (mut files, mut ended, mut buffer) = (Files::new(), false, Vec::new());
        for piece in input.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                let (consumed, event) = parser.next(&buffer)?;
                match event {
                    MultipartEvent::Partial => {
                        buffer.drain(..consumed);
                        break;
                    }
                    MultipartEvent::Part(name) => {
                        files.push((name.map(|name| String::from_utf8(name).unwrap()), String::new()));
                    }
                    MultipartEvent::Content(bytes) => files.last_mut().unwrap().1.push_str(std::str::from_utf8(bytes).unwrap()),
                    MultipartEvent::End => ended = true,
                }
                buffer.drain(..consumed);
            }
        }
        Ok((files, ended))
    }

    /// A form with one part, whose head is this.
    fn one(head: &str) -> Vec<u8> {
        format!("--B\r\n{head}\r\n\r\nx\r\n--B--\r\n").into_bytes()
    }

    #[test]
    fn result_does_not_depend_on_the_pieces() {
        let file = |name: &str, content: &str| (Some(name.to_owned()), content.to_owned());
        let a = "Content-Disposition: form-data; name=f; filename=a";
        let part = |head: &str, content: &str| format!("--B\r\n{head}\r\n\r\n{content}\r\n");
        let fields = |n: usize| "A: b\r\n".repeat(n - 1) + a;
        // The padding, a field and the empty line: so many bytes from the boundary to the content.
        let long = |n: usize| format!("{a}\r\nX: {}", "x".repeat(n - a.len() - 11));
        for (input, want, why) in [
            (part(a, "x") + "--B--", Ok((vec![file("a", "x")], true)), "one file"),
            (part(a, "x") + "--B--\r\nepilogue", Ok((vec![file("a", "x")], true)), "an epilogue is ignored"),
            ("\r\n".to_owned() + &part(a, "x") + "--B--\r\n", Ok((vec![file("a", "x")], true)), "an empty preamble"),
            (part(a, "") + "--B--", Ok((vec![file("a", "")], true)), "an empty file"),
            (part(a, "\r\n\r\n--") + "--B--", Ok((vec![file("a", "\r\n\r\n--")], true)), "line ends and hyphens"),
            (part(a, "\r\r\n-\r\n--b\r") + "--B--", Ok((vec![file("a", "\r\r\n-\r\n--b\r")], true)), "almost a boundary"),
            (
                part("Content-Disposition: form-data; name=f", "1") + &part(a, "x") + "--B--",
                Ok((vec![(None, "1".to_owned()), file("a", "x")], true)),
                "a field and a file",
            ),
            ("--B\r\n\r\nx\r\n--B--".to_owned(), Ok((vec![(None, "x".to_owned())], true)), "a part without fields"),
            ("--B \t\r\n\r\nx\r\n--B--".to_owned(), Ok((vec![(None, "x".to_owned())], true)), "padding"),
            ("--B--".to_owned(), Ok((vec![], true)), "no part"),
            (part(a, "x"), Ok((vec![file("a", "x")], false)), "no final boundary"),
            (part(a, "x") + "--B-", Ok((vec![file("a", "x")], false)), "half of it"),
            (part(a, "x") + "--B", Ok((vec![file("a", "x")], false)), "and less"),
            (String::new(), Ok((vec![], false)), "nothing"),
            (part(&fields(16), "x") + "--B--", Ok((vec![file("a", "x")], true)), "16 fields"),
            (part(&fields(17), "x") + "--B--", Err(HEAD_TOO_LARGE), "17 fields"),
            (part(&long(8192), "x") + "--B--", Ok((vec![file("a", "x")], true)), "8,192 bytes of fields"),
            (part(&long(8193), "x") + "--B--", Err(HEAD_TOO_LARGE), "one byte more"),
            ("--B\r\n\r\n\r\n".repeat(100) + "--B--", Ok((vec![(None, String::new()); 100], true)), "100 parts"),
            ("--B\r\n\r\n\r\n".repeat(101) + "--B--", Err(TOO_MANY_PARTS), "101 parts"),
            ("preamble\r\n--B--".to_owned(), Err(DELIMITER), "a preamble"),
            ("--C\r\n\r\n".to_owned(), Err(DELIMITER), "another boundary"),
            ("--Bx\r\n\r\n".to_owned(), Err(DELIMITER), "a longer boundary: RFC 2046 compares only its beginning"),
            (part(a, "x\r\n--Bx\r\n\r\n"), Err(DELIMITER), "the same later"),
            (part("no colon", "x"), Err(FIELD), "no field"),
            (part(&format!("{a}\n"), "x"), Err(FIELD), "a bare line feed"),
            (part(&format!("{a}\r\n folded"), "x"), Err(FIELD), "a folded field"),
            (part(&format!("{a}\r\n{a}"), "x"), Err(FIELD), "two of them"),
        ] {
            // Long ones arrive in larger pieces, to save time.
            for step in [1, 2, 3, 7, 997].iter().map(|step| step * input.len().div_ceil(2000).max(1)) {
                assert_eq!(parse(input.as_bytes(), step), want, "{why}, {step} bytes at a time: {input:?}");
            }
        }
    }

    #[test]
    fn file_names() {
        for (parameters, want, why) in [
            ("", Ok(None), "no name"),
            ("; filename=a.txt", Ok(Some("a.txt")), "a token"),
            ("; filename=\"a b;c.txt\"", Ok(Some("a b;c.txt")), "a quoted string"),
            ("; FileName=\"a\"", Ok(Some("a")), "names of parameters have no case"),
            ("; filename=\"\"", Ok(Some("")), "a form without a chosen file"),
            ("; filename=\"ü\"", Ok(Some("ü")), "UTF-8 as browsers send it"),
            ("; filename=\"a%22b%20c%.txt\"", Ok(Some("a\"b%20c%.txt")), "only the quote is encoded"),
            (r#"; filename="a\"b""#, Ok(Some("a\"b")), "a quote of other clients"),
            (r#"; filename="C:\dir\a.txt""#, Ok(Some("a.txt")), "a path on Windows"),
            (r#"; filename="C:\\dir\\a.txt""#, Ok(Some("a.txt")), "the same, escaped"),
            ("; filename=\"../../etc/passwd\"", Ok(Some("passwd")), "never a path"),
            ("; filename=\"..\"", Ok(Some("..")), "refused as a name"),
            ("; filename=\"a/\"", Ok(Some("")), "refused as a name"),
            ("; filename*=UTF-8''%C3%BC%2fx%20y", Ok(Some("x y")), "an extended name is decoded before it is split"),
            ("; filename=a; filename*=utf-8'en'b", Ok(Some("b")), "the extended name takes precedence (RFC 6266 §4.3)"),
            ("; filename*=latin1''a", Err(FILE_NAME), "another charset"),
            ("; filename*=UTF-8''%ff", Err(FILE_NAME), "not UTF-8"),
            ("; filename*=a", Err(FILE_NAME), "no charset"),
            ("; filename=a; filename=b", Err(FILE_NAME), "two names"),
            ("; filename=\"a", Err(FILE_NAME), "no end"),
            ("; filename=a\"b", Err(FILE_NAME), "a quote in a token"),
            ("; filename=\"a\"b\"", Err(FILE_NAME), "a quote in the middle"),
            ("; filename=\"a\0\"", Err(FIELD), "NUL"),
            ("; filename=a\r\nContent-Transfer-Encoding: 8BIT", Ok(Some("a")), "no encoding"),
            ("; filename=a\r\nContent-Transfer-Encoding: base64", Err(PART_ENCODING), "deprecated, and never sent"),
        ] {
            let got = parse(&one(&format!("Content-Disposition: form-data; name=f{parameters}")), 7).map(|(files, _)| files);
            let want = want.map(|name| vec![(name.map(str::to_owned), "x".to_owned())]);
            assert_eq!(got, want, "{parameters}: {why}");
        }
        let other = parse(&one("Content-Disposition: attachment; filename=a"), 7).unwrap().0;
        assert_eq!(other, [(None, "x".to_owned())], "another disposition is no file of a form");
    }

    #[test]
    fn content_types() {
        let long = |n: usize| format!("multipart/form-data; boundary={}", "b".repeat(n));
        for (content_type, want, why) in [
            ("multipart/form-data; boundary=x", Ok("x"), "a token"),
            ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b\"", Ok("a b"), "a quoted string, other parameters, upper case"),
            (&long(70), Ok(&*"b".repeat(70)), "70 characters"),
            (&long(71), Err(BOUNDARY), "71 characters"),
            ("multipart/form-data", Err(BOUNDARY), "none"),
            ("multipart/form-data; boundary=", Err(BOUNDARY), "an empty one"),
            ("multipart/form-data; boundary=a; boundary=b", Err(BOUNDARY), "two"),
            ("multipart/form-data; boundary=\"a \"", Err(BOUNDARY), "a space at its end"),
            ("multipart/form-data; boundary=\"a\u{fc}\"", Err(BOUNDARY), "beyond ASCII"),
            ("multipart/form-data; boundary=a\"", Err(BOUNDARY), "a quote"),
            ("multipart/mixed; boundary=x", Err(MEDIA_TYPE), "another type"),
            ("application/x-www-form-urlencoded", Err(MEDIA_TYPE), "a form without files"),
            ("", Err(MEDIA_TYPE), "no type"),
        ] {
            let got = MultipartParser::new(content_type.as_bytes()).map(|parser| parser.delimiter);
            assert_eq!(got, want.map(|boundary| format!("\r\n--{boundary}").into_bytes()), "{content_type}: {why}");
        }
    }
}
