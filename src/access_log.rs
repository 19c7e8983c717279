//! Who asked for what, and what came of it? One line an exchange, in the Common Log Format, with the duration.
//!
//! Whatever bytes a client sends, its request is one line of printable ASCII: a log is read in a terminal, and a terminal obeys
//! control bytes.

use std::fmt::{self, Display, Write};
use std::net::IpAddr;
use std::time::Duration;

use crate::wire::status::Status;

/// The log target of these lines: `RUST_LOG=access=off` is silence.
pub const TARGET: &str = "access";

/// What of a request line is shown, in bytes. A line is for people; the longest target has 8 KiB.
const SHOWN_BYTES_MAX: usize = 2048;

/// One exchange, to be displayed as a line.
pub struct Line<'a> {
    /// Who asked.
    pub peer: IpAddr,
    /// When the answer began: an HTTP date, of which the format uses the parts.
    pub date: &'a str,
    /// The request line as it came, or as much as came of it.
    pub request: &'a [u8],
    /// The status of the answer.
    pub status: Status,
    /// Bytes of content sent.
    pub bytes: u64,
    /// From the last byte of the request's head to the last byte of the answer.
    pub duration: Duration,
}

/// Room for a usual line.
const USUAL_BYTES: usize = 192;

impl Line<'_> {
    /// The line, without an end of line.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(USUAL_BYTES);
        // A String takes whatever it is given.
        let _ = write!(text, "{self}");
        text
    }
}

impl Display for Line<'_> {
    // %h %l %u %t "%r" %>s %b, and the seconds
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} - - [", self.peer)?;
        date(f, self.date)?;
        f.write_str("] \"")?;
        escape(f, self.request)?;
        let (secs, micros) = (self.duration.as_secs(), self.duration.subsec_micros());
        // Not as a float: writing one takes 2 KiB of the stack, which a waiting connection would keep.
        write!(f, "\" {} {} {secs}.{micros:06}", self.status.code(), self.bytes)
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` → `06/Nov/1994:08:49:37 +0000`.
fn date(f: &mut fmt::Formatter<'_>, http_date: &str) -> fmt::Result {
    let part = |range| http_date.get(range).unwrap_or("-");
    write!(f, "{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

/// Writes bytes so that nothing but printable ASCII is left: quotes and backslashes get a backslash, others become `\xNN`.
fn escape(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for &byte in bytes.iter().take(SHOWN_BYTES_MAX) {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            0x20..=0x7e => f.write_char(char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    if bytes.len() > SHOWN_BYTES_MAX { f.write_str("...") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line() {
        let line = Line {
            peer: IpAddr::from([127, 0, 0, 1]),
            date: "Sun, 06 Nov 1994 08:49:37 GMT",
            request: b"GET /\x1b]0;\"\\\r\n\xff HTTP/1.1",
            status: Status::OK,
            bytes: 12,
            duration: Duration::from_micros(1500),
        };
        let want = "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /\\x1b]0;\\\"\\\\\\x0d\\x0a\\xff HTTP/1.1\" 200 12 0.001500";
        assert_eq!(line.to_string(), want);
    }

    #[test]
    fn any_byte_is_one_printable_line() {
        let all: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let line =
            Line { peer: IpAddr::from([0; 16]), date: "", request: &all, status: Status::OK, bytes: 0, duration: Duration::ZERO };
        assert!(line.to_string().bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        assert!(line.to_string().len() < 4 * SHOWN_BYTES_MAX + 100, "and it has an end");
    }
}
