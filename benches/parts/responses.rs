//! Cost of encoding a response head.

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use divan::Bencher;
use threadbare::config::headers::encode_default_headers;
use threadbare::handlers::message::Response;
use threadbare::http::date::HttpDate;
use threadbare::http::method::Method;
use threadbare::http::request::Version;
use threadbare::http::status::StatusCode;
use threadbare::server::response_writer::{self, ResponseFraming};

/// Spells the head that a file has, each time that it is called.
pub fn encode() -> impl FnMut() {
    let date = HttpDate::new(UNIX_EPOCH + Duration::from_secs(784_111_777));
    let response = Response::with_content(StatusCode::OK, "text/plain; charset=utf-8", vec![b'x'; 1024])
        .header("ETag", "\"400-ae1b981bc490a00\"")
        .header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("Accept-Ranges", "bytes")
        .header("Cache-Control", "no-cache");
    let (mut out, common) = (Vec::new(), encode_default_headers(&[], &[]));
    move || {
        out.clear();
        let response = black_box(&response);
        let framing = ResponseFraming::new(response, Some(Method::Get), Version::Http11);
        response_writer::write_head(&mut out, response, framing, &common, black_box(&date));
        black_box(&out);
    }
}

#[divan::bench(sample_size = 1000)]
fn response_head(bencher: Bencher) {
    bencher.bench_local(encode());
}
