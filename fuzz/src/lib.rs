//! Functions that several fuzz targets share.

use threadbare::http::error::LocatedError;
use threadbare::http::request::{HeadLimits, Progress, RequestHead, RequestParser};

/// Parses a head and calls `then` with it and its length; `None` if it is incomplete.
///
/// # Errors
/// The first rule that the head breaks.
pub fn with_head<T>(bytes: &[u8], then: impl FnOnce(&RequestHead<'_>, usize) -> T) -> Result<Option<T>, LocatedError> {
    let mut parser = RequestParser::new(HeadLimits::default());
    match parser.parse(bytes)? {
        Progress::Partial => Ok(None),
        Progress::Complete(length) => {
            let head = parser.head(bytes).expect("the head is complete");
            Ok(Some(then(&head, length)))
        }
    }
}

/// Splits off the first byte, by which a target chooses parameters.
pub fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// Replaces HTTP/1.2 to 1.9 by HTTP/1.1, which is how RFC 9110 §2.5 reads them; httparse accepts only 1.0 and 1.1.
pub fn read_as_1_1(message: &mut [u8]) {
    let line = message.iter().position(|byte| byte.is_ascii_graphic()).unwrap_or(0);
    let Some(end) = message[line..].windows(2).position(|two| two == b"\r\n") else { return };
    if let Some((version @ b'2'..=b'9', name)) = message[line..line + end].split_last_mut()
        && name.ends_with(b" HTTP/1.")
    {
        *version = b'1';
    }
}
