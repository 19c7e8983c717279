//! Cost of decoding chunked bodies.

use std::fmt::{self, Display};
use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use threadbare::http::chunked::{CRLF, ChunkedDecoder, LAST_CHUNK, chunk_header};

/// How much content there is.
const CONTENT_BYTES: usize = 64 * 1024;

/// Content in chunks of one size.
pub struct Chunks {
    /// That size.
    pub bytes: usize,
}

/// What a browser's upload looks like, and what a program sends that writes small lines.
pub const SIZES: [&Chunks; 2] = [&Chunks { bytes: 16 * 1024 }, &Chunks { bytes: 64 }];

impl Display for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB in chunks of {}", CONTENT_BYTES / 1024, self.bytes)
    }
}

/// Decodes all of it, each time that it is called.
pub fn decode(chunks: &Chunks) -> impl FnMut() + use<> {
    let mut message = Vec::new();
    for piece in vec![b'x'; CONTENT_BYTES].chunks(chunks.bytes) {
        message.extend_from_slice(chunk_header(piece.len()).as_bytes());
        message.extend_from_slice(piece);
        message.extend_from_slice(CRLF);
    }
    message.extend_from_slice(LAST_CHUNK);
    let mut content = vec![0; CONTENT_BYTES];
    move || {
        let mut decoder = ChunkedDecoder::default();
        let step = decoder.decode(black_box(&message), &mut content).expect("it is well-formed");
        assert!(decoder.is_done() && step.produced == CONTENT_BYTES);
        black_box(&content);
    }
}

#[divan::bench(args = SIZES)]
fn chunk_decode(bencher: Bencher, chunks: &Chunks) {
    bencher.counter(BytesCount::new(CONTENT_BYTES)).bench_local(decode(chunks));
}
