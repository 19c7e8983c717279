//! Formats of the access log: common, combined (as Apache and nginx write it) and JSON.
//!
//! Whatever bytes a client sends, a record is one line of printable ASCII. It is written into the queue's buffer without allocation.

use std::io::Write;
use std::time::Duration;

use crate::http::forwarded::{PeerHost, Scheme};
use crate::http::response::push_number;
use crate::http::status::StatusCode;
use crate::telemetry::escape_ascii;

/// Bytes of a request line that are logged. The longest target has 8 KiB.
const REQUEST_BYTES_MAX: usize = 2048;
/// Bytes of a field value that are logged. Browsers send some 100 of `User-Agent`.
const FIELD_BYTES_MAX: usize = 1024;

/// The prefix of an escaped byte in the common and combined formats.
const HEX_ESCAPE: &str = "\\x";
/// The prefix of an escaped byte in JSON: each byte is one character, as in ISO 8859-1, so that a reader can restore the bytes.
const JSON_ESCAPE: &str = "\\u00";

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// The Common Log Format, followed by the duration in seconds.
    Common,
    /// The combined format of Apache and nginx, which log analysers read.
    Combined,
    /// One JSON object.
    Json,
}

/// One exchange.
pub struct AccessRecord<'a> {
    /// The client's address.
    pub client: PeerHost,
    /// The scheme that the client used, if a proxy reported it.
    pub scheme: Option<Scheme>,
    /// The time when the response began, as an HTTP date.
    pub date: &'a str,
    /// The request line as received, or the part of it that was.
    pub request: &'a [u8],
    /// The status of the response.
    pub status: StatusCode,
    /// Bytes of the response body that were sent.
    pub bytes: u64,
    /// Why the response is incomplete, if it is.
    pub incomplete: Option<&'a str>,
    /// The time from the last byte of the request head to the last byte of the response.
    pub duration: Duration,
    /// The value of Referer.
    pub referer: Option<&'a [u8]>,
    /// The value of User-Agent.
    pub user_agent: Option<&'a [u8]>,
}

impl AccessRecord<'_> {
    /// Appends the line, with its end of line.
    pub fn write(&self, format: LogFormat, out: &mut Vec<u8>) {
        match format {
            LogFormat::Common => {
                self.write_common(out);
                out.push(b' ');
                write_seconds(out, self.duration);
            }
            LogFormat::Combined => {
                self.write_common(out);
                for field in [self.referer, self.user_agent] {
                    out.extend_from_slice(b" \"");
                    escape_ascii(out, field.unwrap_or(b"-"), FIELD_BYTES_MAX, HEX_ESCAPE);
                    out.push(b'"');
                }
            }
            LogFormat::Json => self.write_json(out),
        }
        out.push(b'\n');
    }

    // %h %l %u %t "%r" %>s %b
    fn write_common(&self, out: &mut Vec<u8>) {
        let [day, month, year, time] = date_parts(self.date);
        // Writing to a Vec cannot fail, here and below.
        let _ = write!(out, "{}", self.client);
        // Formatting all of it by one `write!` takes four times as long, 0.6 µs.
        for part in [" - - [", day, "/", month, "/", year, ":", time, " +0000] \""] {
            out.extend_from_slice(part.as_bytes());
        }
        escape_ascii(out, self.request, REQUEST_BYTES_MAX, HEX_ESCAPE);
        out.extend_from_slice(b"\" ");
        push_number(out, u64::from(self.status.as_u16()));
        out.push(b' ');
        push_number(out, self.bytes);
    }

    /// Appends an object (RFC 8259 §4). Its members are always the same, except two. `request` is there only if the request line has
    /// not three words, and then `method`, `target` and `version` are null. `reason` is there only if the response is incomplete.
    fn write_json(&self, out: &mut Vec<u8>) {
        let [day, month, year, time] = date_parts(self.date);
        let month = month_number(month);
        let _ = write!(out, "{{\"time\":\"{year}-{month}-{day}T{time}Z\",\"client\":\"{}\"", self.client);
        write_member(out, "scheme", self.scheme.map(|scheme| scheme.name().as_bytes()), FIELD_BYTES_MAX);
        let words = request_line_words(self.request);
        let [method, target, version] = words.map_or([None; 3], |words| words.map(Some));
        write_member(out, "method", method, REQUEST_BYTES_MAX);
        write_member(out, "target", target, REQUEST_BYTES_MAX);
        write_member(out, "version", version, REQUEST_BYTES_MAX);
        if words.is_none() {
            write_member(out, "request", Some(self.request), REQUEST_BYTES_MAX);
        }
        let _ = write!(out, ",\"status\":{},\"bytes\":{},\"seconds\":", self.status.as_u16(), self.bytes);
        write_seconds(out, self.duration);
        match self.incomplete {
            None => out.extend_from_slice(b",\"complete\":true"),
            Some(reason) => {
                out.extend_from_slice(b",\"complete\":false");
                write_member(out, "reason", Some(reason.as_bytes()), FIELD_BYTES_MAX);
            }
        }
        write_member(out, "referer", self.referer, FIELD_BYTES_MAX);
        write_member(out, "user_agent", self.user_agent, FIELD_BYTES_MAX);
        out.push(b'}');
    }
}

/// Appends `,"name":"value"`, or `null` for the value.
fn write_member(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>, bytes_max: usize) {
    let _ = write!(out, ",\"{name}\":");
    match value {
        Some(value) => {
            out.push(b'"');
            escape_ascii(out, value, bytes_max, JSON_ESCAPE);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// Returns the three words of a request line; `None` if it has another number of them.
fn request_line_words(request: &[u8]) -> Option<[&[u8]; 3]> {
    let mut words = request.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let three = [words.next()?, words.next()?, words.next()?];
    words.next().is_none().then_some(three)
}

/// Appends seconds and microseconds: `0.001500`.
fn write_seconds(out: &mut Vec<u8>, duration: Duration) {
    let _ = write!(out, "{}.{:06}", duration.as_secs(), duration.subsec_micros());
}

/// Returns day, month, year and time of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_parts(http_date: &str) -> [&str; 4] {
    [5..7, 8..11, 12..16, 17..25].map(|range| http_date.get(range).unwrap_or("-"))
}

/// Returns `11` for `Nov`.
fn month_number(name: &str) -> &'static str {
    const MONTHS: &str = "Jan01Feb02Mar03Apr04May05Jun06Jul07Aug08Sep09Oct10Nov11Dec12";
    MONTHS.find(name).and_then(|at| MONTHS.get(at + 3..at + 5)).unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const LINE: AccessRecord<'_> = AccessRecord {
        client: PeerHost::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        scheme: None,
        date: "Sun, 06 Nov 1994 08:49:37 GMT",
        request: b"GET /a HTTP/1.1",
        status: StatusCode::OK,
        bytes: 12,
        incomplete: None,
        duration: Duration::from_micros(1500),
        referer: None,
        user_agent: None,
    };

    fn written(line: &AccessRecord<'_>, format: LogFormat) -> String {
        let mut out = Vec::new();
        line.write(format, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn record_formats() {
        let odd = b"GET /\x1b]0;\"\\\r\n\xff HTTP/1.1";
        let named = AccessRecord { referer: Some(b"http://a/\"b"), user_agent: Some(b"c\xc3\xbc/1"), ..LINE };
        let no_request = AccessRecord { request: b"\x16\x03\x01 \"", ..LINE };
        for (format, line, want, why) in [
            (
                LogFormat::Common,
                LINE,
                r#"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12 0.001500"#,
                "with its duration",
            ),
            (
                LogFormat::Common,
                AccessRecord { request: odd, ..LINE },
                r#"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /\x1b]0;\"\\\x0d\x0a\xff HTTP/1.1" 200 12 0.001500"#,
                "any bytes",
            ),
            (
                LogFormat::Combined,
                LINE,
                r#"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12 "-" "-""#,
                "without fields",
            ),
            (
                LogFormat::Combined,
                named,
                r#"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12 "http://a/\"b" "c\xc3\xbc/1""#,
                "with both fields",
            ),
            (
                LogFormat::Json,
                AccessRecord {
                    client: PeerHost::Ip("2001:db8::1".parse().unwrap()),
                    scheme: Some(Scheme::Https),
                    user_agent: Some(b"c\xc3\xbc/1\t\x7f"),
                    ..LINE
                },
                concat!(
                    r#"{"time":"1994-11-06T08:49:37Z","client":"2001:db8::1","scheme":"https","method":"GET","target":"/a","version":"HTTP/1.1","#,
                    r#""status":200,"bytes":12,"seconds":0.001500,"complete":true,"referer":null,"user_agent":"c\u00c3\u00bc/1\u0009\u007f"}"#
                ),
                "an object",
            ),
            (
                LogFormat::Json,
                AccessRecord { incomplete: Some("lost"), ..no_request },
                concat!(
                    r#"{"time":"1994-11-06T08:49:37Z","client":"127.0.0.1","scheme":null,"method":null,"target":null,"version":null,"#,
                    r#""request":"\u0016\u0003\u0001 \"","status":200,"bytes":12,"seconds":0.001500,"complete":false,"reason":"lost","referer":null,"user_agent":null}"#
                ),
                "not a request line",
            ),
        ] {
            assert_eq!(written(&line, format), format!("{want}\n"), "{why}");
        }
    }

    #[test]
    fn any_bytes_are_one_printable_line_of_bounded_length() {
        let all: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let line = AccessRecord { date: "", request: &all, referer: Some(&all), user_agent: Some(&all), ..LINE };
        for format in [LogFormat::Common, LogFormat::Combined, LogFormat::Json] {
            let text = written(&line, format);
            let text = text.strip_suffix('\n').unwrap();
            assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text}");
            assert!(text.len() < 6 * (REQUEST_BYTES_MAX + 2 * FIELD_BYTES_MAX) + 300, "{}", text.len());
        }
    }

    #[test]
    fn dates_and_durations() {
        for (number, name) in
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"].iter().enumerate()
        {
            assert_eq!(month_number(name), format!("{:02}", number + 1));
        }
        for (nanos, want) in [(0, "0.000000"), (999, "0.000000"), (1_000, "0.000001"), (61_234_567_890, "61.234567")] {
            let mut out = Vec::new();
            write_seconds(&mut out, Duration::from_nanos(nanos));
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
