//! What do several targets need?

use threadbare::http::error::LocatedError;
use threadbare::http::request::{HeadLimits, RequestParser, Progress, RequestHead};

/// Parses a whole head and hands it over, with its length. `None` while it is incomplete.
///
/// # Errors
/// What is wrong with it.
pub fn with_head<T>(bytes: &[u8], then: impl FnOnce(&RequestHead<'_>, usize) -> T) -> Result<Option<T>, LocatedError> {
    let mut parser = RequestParser::new(HeadLimits::default());
    match parser.parse(bytes)? {
        Progress::Partial => Ok(None),
        Progress::Complete(length) => {
            let head = parser.head(bytes).expect("a complete head can be had");
            Ok(Some(then(&head, length)))
        }
    }
}

/// Cuts the first byte off, as a number that decides something.
pub fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// Makes HTTP/1.1 of HTTP/1.2 to 1.9, as RFC 9110 §2.5 has us read them; httparse knows 1.0 and 1.1 only.
pub fn read_as_1_1(message: &mut [u8]) {
    let line = message.iter().position(|byte| byte.is_ascii_graphic()).unwrap_or(0);
    let Some(end) = message[line..].windows(2).position(|two| two == b"\r\n") else { return };
    if let Some((version @ b'2'..=b'9', name)) = message[line..line + end].split_last_mut()
        && name.ends_with(b" HTTP/1.")
    {
        *version = b'1';
    }
}
