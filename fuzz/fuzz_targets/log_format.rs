//! Every exchange is logged as one line of printable ASCII, in each format.

#![no_main]

use std::net::IpAddr;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use threadbare::http::forwarded::PeerHost;
use threadbare::http::status::StatusCode;
use threadbare::telemetry::log_format::{AccessRecord, LogFormat};

fuzz_target!(|request: &[u8]| {
    let line = AccessRecord {
        client: PeerHost::Ip(IpAddr::from([127, 0, 0, 1])),
        scheme: None,
        date: "Sun, 06 Nov 1994 08:49:37 GMT",
        request,
        status: StatusCode::OK,
        bytes: 7,
        incomplete: None,
        duration: Duration::from_micros(3),
        referer: Some(request),
        user_agent: Some(request),
    };
    for format in [LogFormat::Common, LogFormat::Combined, LogFormat::Json] {
        let mut written = Vec::new();
        line.write(format, &mut written);
        let text = written.strip_suffix(b"\n").expect("the end of the line");
        assert!(text.iter().all(|byte| (0x20..0x7f).contains(byte)));
        assert!(text.len() < 6 * 4096 + 300);
        let (want, strings) = match format {
            LogFormat::Common => (&b"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"\" 200 7 0.000003"[..], 1),
            LogFormat::Combined => (&b"127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"\" 200 7 \"\" \"\""[..], 3),
            // How many there are depends on the words of the request line.
            LogFormat::Json => continue,
        };
        let (outside, found) = without_strings(text);
        assert_eq!((outside.as_slice(), found), (want, strings), "an unescaped quote in a value");
    }
});

/// Returns the line without its quoted strings, and the number of these.
fn without_strings(line: &[u8]) -> (Vec<u8>, usize) {
    let (mut outside, mut quotes, mut bytes) = (Vec::new(), 0, line.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => {
                quotes += 1;
                outside.push(byte);
            }
            _ if quotes % 2 == 0 => outside.push(byte),
            _ => {}
        }
    }
    (outside, quotes / 2)
}
