//! Who asked for what, and what came of it? One line an exchange, in one of three spellings.
//!
//! Whatever bytes a client sends, its request is one line of printable ASCII: a log is read in a terminal, and a terminal obeys
//! control bytes. A line is appended where it will be written from: nothing is allocated for it, and no formatter is asked, which would
//! deepen the stack that a waiting connection keeps.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use crate::http::forwarded::{PeerHost, Scheme};
use crate::http::response::push_number;
use crate::http::status::StatusCode;

/// What of a request line is shown, in bytes. A line is for people; the longest target has 8 KiB.
const REQUEST_BYTES_MAX: usize = 2048;
/// What of a field is shown, in bytes. Browsers send some 100 of `User-Agent`.
const FIELD_BYTES_MAX: usize = 1024;

/// How a byte that cannot be shown begins, where people read it; its two hexadecimal digits follow.
const HEX_ESCAPE: &[u8] = b"\\x";
/// The same in JSON. Every byte is one character, as in ISO 8859-1: whoever reads the line back gets the bytes that came.
const JSON_ESCAPE: &[u8] = b"\\u00";

/// How lines are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// The Common Log Format, and the seconds that the exchange took.
    Common,
    /// What Apache and nginx call combined, to the byte: programs that read logs know it.
    Combined,
    /// One JSON object.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        match text {
            "common" => Ok(LogFormat::Common),
            "combined" => Ok(LogFormat::Combined),
            "json" => Ok(LogFormat::Json),
            _ => Err("expected common, combined or json".to_owned()),
        }
    }
}

/// One exchange.
pub struct AccessRecord<'a> {
    /// Who asked.
    pub client: PeerHost,
    /// By which protocol, if that is known: a proxy may have been asked by another than we are.
    pub scheme: Option<Scheme>,
    /// When the answer began: an HTTP date, of which the formats use the parts.
    pub date: &'a str,
    /// The request line as it came, or as much as came of it.
    pub request: &'a [u8],
    /// The status of the answer.
    pub status: StatusCode,
    /// Bytes of content sent.
    pub bytes: u64,
    /// From the last byte of the request's head to the last byte of the answer.
    pub duration: Duration,
    /// From which page the client came, if it said so.
    pub referer: Option<&'a [u8]>,
    /// Which program it is, if it said so.
    pub user_agent: Option<&'a [u8]>,
}

impl AccessRecord<'_> {
    /// Appends the line, with its end of line.
    pub fn write(&self, format: LogFormat, out: &mut Vec<u8>) {
        match format {
            LogFormat::Common => {
                self.common(out);
                out.push(b' ');
                seconds(out, self.duration);
            }
            LogFormat::Combined => {
                self.common(out);
                for field in [self.referer, self.user_agent] {
                    out.extend_from_slice(b" \"");
                    escape(out, field.unwrap_or(b"-"), FIELD_BYTES_MAX, HEX_ESCAPE);
                    out.push(b'"');
                }
            }
            LogFormat::Json => self.json(out),
        }
        out.push(b'\n');
    }

    // %h %l %u %t "%r" %>s %b
    fn common(&self, out: &mut Vec<u8>) {
        address(out, self.client);
        out.extend_from_slice(b" - - [");
        let [day, month, year, time] = date_parts(self.date);
        for part in [day, "/", month, "/", year, ":", time, " +0000] \""] {
            out.extend_from_slice(part.as_bytes());
        }
        escape(out, self.request, REQUEST_BYTES_MAX, HEX_ESCAPE);
        out.extend_from_slice(b"\" ");
        push_number(out, u64::from(self.status.as_u16()));
        out.push(b' ');
        push_number(out, self.bytes);
    }

    /// An object (RFC 8259 §4) whose members are always the same, but for `request`, which is there only where what came is no
    /// request line: then `method`, `target` and `version` are null.
    fn json(&self, out: &mut Vec<u8>) {
        let [day, month, year, time] = date_parts(self.date);
        for part in ["{\"time\":\"", year, "-", number_of_month(month), "-", day, "T", time, "Z\",\"client\":\""] {
            out.extend_from_slice(part.as_bytes());
        }
        address(out, self.client);
        out.push(b'"');
        member(out, "scheme", self.scheme.map(|scheme| scheme.name().as_bytes()), FIELD_BYTES_MAX);
        let words = words(self.request);
        let [method, target, version] = words.map_or([None; 3], |words| words.map(Some));
        member(out, "method", method, REQUEST_BYTES_MAX);
        member(out, "target", target, REQUEST_BYTES_MAX);
        member(out, "version", version, REQUEST_BYTES_MAX);
        if words.is_none() {
            member(out, "request", Some(self.request), REQUEST_BYTES_MAX);
        }
        out.extend_from_slice(b",\"status\":");
        push_number(out, u64::from(self.status.as_u16()));
        out.extend_from_slice(b",\"bytes\":");
        push_number(out, self.bytes);
        out.extend_from_slice(b",\"seconds\":");
        seconds(out, self.duration);
        member(out, "referer", self.referer, FIELD_BYTES_MAX);
        member(out, "user_agent", self.user_agent, FIELD_BYTES_MAX);
        out.push(b'}');
    }
}

/// `,"name":"value"`, or null.
fn member(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>, bytes_max: usize) {
    for part in [",\"", name, "\":"] {
        out.extend_from_slice(part.as_bytes());
    }
    match value {
        Some(value) => {
            out.push(b'"');
            escape(out, value, bytes_max, JSON_ESCAPE);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// The three words of a request line; `None` where it has another number of them.
fn words(request: &[u8]) -> Option<[&[u8]; 3]> {
    let mut words = request.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let three = [words.next()?, words.next()?, words.next()?];
    words.next().is_none().then_some(three)
}

fn address(out: &mut Vec<u8>, address: PeerHost) {
    match address {
        PeerHost::Ip(IpAddr::V4(address)) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                push_number(out, u64::from(octet));
            }
        }
        // Its shortest spelling is a science of its own (RFC 5952). A Vec takes whatever it is given.
        PeerHost::Ip(IpAddr::V6(_)) | PeerHost::Unix => drop(write!(out, "{address}")),
    }
}

/// `0.001500`. Not as a float: writing one takes 2 KiB of the stack.
fn seconds(out: &mut Vec<u8>, duration: Duration) {
    push_number(out, duration.as_secs());
    out.push(b'.');
    let micros = duration.subsec_micros();
    for unit in [100_000, 10_000, 1_000, 100, 10, 1] {
        out.push(b'0' + u8::try_from(micros / unit % 10).unwrap_or(0));
    }
}

/// Day, month, year and time of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_parts(http_date: &str) -> [&str; 4] {
    [5..7, 8..11, 12..16, 17..25].map(|range| http_date.get(range).unwrap_or("-"))
}

fn number_of_month(name: &str) -> &'static str {
    const MONTHS: [(&str, &str); 12] = [
        ("Jan", "01"),
        ("Feb", "02"),
        ("Mar", "03"),
        ("Apr", "04"),
        ("May", "05"),
        ("Jun", "06"),
        ("Jul", "07"),
        ("Aug", "08"),
        ("Sep", "09"),
        ("Oct", "10"),
        ("Nov", "11"),
        ("Dec", "12"),
    ];
    MONTHS.iter().find(|(known, _)| *known == name).map_or("-", |(_, number)| number)
}

/// Writes bytes so that nothing but printable ASCII is left: quotes and backslashes get a backslash, for others `spelled` puts before
/// the two hexadecimal digits what makes them a byte.
fn escape(out: &mut Vec<u8>, bytes: &[u8], bytes_max: usize, spelled: &[u8]) {
    let shown = bytes.get(..bytes_max).unwrap_or(bytes);
    let mut rest = shown;
    while let Some(at) = rest.iter().position(|&b| !matches!(b, 0x20..=0x7e) || b == b'"' || b == b'\\') {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = from.split_first() else { break };
        if matches!(byte, b'"' | b'\\') {
            out.extend_from_slice(&[b'\\', byte]);
        } else {
            out.extend_from_slice(spelled);
            out.extend_from_slice(&[hex(byte >> 4), hex(byte & 0xf)]);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    if shown.len() < bytes.len() {
        out.extend_from_slice(b"...");
    }
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: AccessRecord<'_> = AccessRecord {
        client: PeerHost::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        scheme: None,
        date: "Sun, 06 Nov 1994 08:49:37 GMT",
        request: b"GET /a HTTP/1.1",
        status: StatusCode::OK,
        bytes: 12,
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
    fn lines() {
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
                "who said neither",
            ),
            (
                LogFormat::Combined,
                named,
                r#"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a HTTP/1.1" 200 12 "http://a/\"b" "c\xc3\xbc/1""#,
                "who said both",
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
                    r#""status":200,"bytes":12,"seconds":0.001500,"referer":null,"user_agent":"c\u00c3\u00bc/1\u0009\u007f"}"#
                ),
                "an object",
            ),
            (
                LogFormat::Json,
                no_request,
                concat!(
                    r#"{"time":"1994-11-06T08:49:37Z","client":"127.0.0.1","scheme":null,"method":null,"target":null,"version":null,"#,
                    r#""request":"\u0016\u0003\u0001 \"","status":200,"bytes":12,"seconds":0.001500,"referer":null,"user_agent":null}"#
                ),
                "what is no request line",
            ),
        ] {
            assert_eq!(written(&line, format), format!("{want}\n"), "{why}");
        }
    }

    #[test]
    fn any_byte_is_one_printable_line_with_an_end() {
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
            assert_eq!(number_of_month(name), format!("{:02}", number + 1));
        }
        for (nanos, want) in [(0, "0.000000"), (999, "0.000000"), (1_000, "0.000001"), (61_234_567_890, "61.234567")] {
            let mut out = Vec::new();
            seconds(&mut out, Duration::from_nanos(nanos));
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
