//! Helpers of several fuzz targets.

use threadbare::http::error::LocatedError;
use threadbare::http::request::{HeadLimits, Progress, RequestHead, RequestParser};

/// Parses a head and passes it to `then` with its length. `None` if it is incomplete.
///
/// # Errors
/// The violated rule and its position.
pub fn with_head<T>(bytes: &[u8], then: impl FnOnce(&RequestHead<'_>, usize) -> T) -> Result<Option<T>, LocatedError> {
    let mut parser = RequestParser::new(HeadLimits::default());
    match parser.parse(bytes)? {
        Progress::Partial => Ok(None),
        Progress::Complete(length) => {
            let head = parser.head(bytes).expect("a complete head");
            Ok(Some(then(&head, length)))
        }
    }
}

/// Splits off the first byte, which selects a variant of the test.
pub fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// Replaces the versions HTTP/1.2 to 1.9 by 1.1, as RFC 9110 §2.5 demands, because httparse supports only 1.0 and 1.1.
pub fn read_as_1_1(message: &mut [u8]) {
    let line = message.iter().position(|byte| byte.is_ascii_graphic()).unwrap_or(0);
    let Some(end) = message[line..].windows(2).position(|two| two == b"\r\n") else { return };
    if let Some((version @ b'2'..=b'9', name)) = message[line..line + end].split_last_mut()
        && name.ends_with(b" HTTP/1.")
    {
        *version = b'1';
    }
}
