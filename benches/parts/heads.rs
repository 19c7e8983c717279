//! Cost of parsing a request head, compared with `httparse`.
//!
//! Both are asked for the same: method, target and version, and each field as two slices, all of which are looked at. `httparse` is
//! given its cheapest form: an array that need not be filled with empty fields first. Ours keeps its memory from one head to the next, as it
//! does on a connection.

use std::fmt;
use std::hint::black_box;
use std::mem::MaybeUninit;

use divan::Bencher;
use divan::counter::BytesCount;
use threadbare::http::request::{HeadLimits, Progress, RequestParser};

/// Heads that are read between two looks at the clock, which is no finer than a tenth of one.
const ROUNDS: u32 = 1000;

/// A request head as clients send it.
pub struct Head {
    /// Who does.
    pub name: &'static str,
    /// What it is.
    pub bytes: &'static [u8],
}

/// The heads that both parsers read.
pub const HEADS: [&Head; 4] = [&MINIMAL, &WRK, &CURL, &BROWSER];

/// The shortest that is allowed.
const MINIMAL: Head = Head { name: "minimal", bytes: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" };

/// What the load generator `wrk` sends.
pub const WRK: Head = Head { name: "wrk", bytes: b"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n" };

/// What `curl` sends.
const CURL: Head = Head {
    name: "curl",
    bytes: b"GET /docs/guide.txt HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
};

/// What a browser sends, with its cookies.
pub const BROWSER: Head = Head {
    name: "browser",
    bytes: b"GET /1k.bin HTTP/1.1\r\n\
        Host: localhost:8000\r\n\
        Connection: keep-alive\r\n\
        sec-ch-ua: \"Chromium\";v=\"141\", \"Not?A_Brand\";v=\"8\"\r\n\
        sec-ch-ua-mobile: ?0\r\n\
        sec-ch-ua-platform: \"Linux\"\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n\
        Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n\
        Sec-Fetch-Site: same-origin\r\n\
        Sec-Fetch-Mode: no-cors\r\n\
        Sec-Fetch-Dest: image\r\n\
        Referer: http://localhost:8000/docs/\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\n\
        Accept-Language: en-GB,en;q=0.9\r\n\
        Cookie: theme=dark; _ga=GA1.1.1207421536.1763900112; session=5f1c2a9be07d4d3f8c6e; consent=necessary.statistics; seen=2026-11-25T09:30:00Z\r\n\r\n",
};

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes.len())
    }
}

/// Reads that head with our parser, each time that it is called.
pub fn ours(head: &Head) -> impl FnMut() {
    let mut parser = RequestParser::new(HeadLimits::default());
    move || {
        let bytes = black_box(head.bytes);
        parser.reset();
        assert_eq!(parser.parse(bytes), Ok(Progress::Complete(bytes.len())));
        let head = parser.head(bytes).expect("it is complete");
        black_box((head.method, head.target, head.version));
        for (name, value) in head.headers.iter() {
            black_box((name, value));
        }
    }
}

/// Reads that head with `httparse`, each time that it is called.
pub fn httparse(head: &Head) -> impl FnMut() {
    || {
        let bytes = black_box(head.bytes);
        let mut fields = [const { MaybeUninit::uninit() }; 100];
        let mut request = httparse::Request::new(&mut []);
        let progress = request.parse_with_uninit_headers(bytes, &mut fields);
        assert_eq!(progress, Ok(httparse::Status::Complete(bytes.len())));
        black_box((request.method, request.path, request.version));
        for field in request.headers.iter() {
            black_box((field.name.as_bytes(), field.value));
        }
    }
}

#[divan::bench(name = "ours", args = HEADS, sample_size = ROUNDS)]
fn head_ours(bencher: Bencher, head: &Head) {
    bencher.counter(BytesCount::of_slice(head.bytes)).bench_local(ours(head));
}

#[divan::bench(name = "httparse", args = HEADS, sample_size = ROUNDS)]
fn head_httparse(bencher: Bencher, head: &Head) {
    bencher.counter(BytesCount::of_slice(head.bytes)).bench_local(httparse(head));
}
