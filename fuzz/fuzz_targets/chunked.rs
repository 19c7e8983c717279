//! Chunked decoding: the result does not depend on how the input is split, and encoded chunks decode.

#![no_main]

use libfuzzer_sys::fuzz_target;
use threadbare::http::chunked::{CRLF, ChunkedDecoder, LAST_CHUNK, chunk_header};
use threadbare::http::error::ParseError;
use threadbare_fuzz::choice;

/// Decodes with inputs of at most `step` bytes and an output of `room`: returns the body, the number of bytes consumed, and the result.
fn decode(data: &[u8], step: usize, room: usize) -> (Vec<u8>, usize, Result<bool, ParseError>) {
    let mut decoder = ChunkedDecoder::default();
    let (mut content, mut at) = (Vec::new(), 0);
    let mut output = vec![0; room];
    while at < data.len() && !decoder.is_done() {
        let input = &data[at..data.len().min(at + step)];
        match decoder.decode(input, &mut output) {
            Ok(done) => {
                assert!(done.consumed > 0 || decoder.is_done(), "no progress in spite of input and room");
                assert!(done.consumed <= input.len() && done.produced <= room);
                content.extend_from_slice(&output[..done.produced]);
                at += done.consumed;
            }
            Err(what) => return (content, at, Err(what)),
        }
    }
    assert!(decoder.trailers().count() <= 32);
    (content, at, Ok(decoder.is_done()))
}

fuzz_target!(|data: &[u8]| {
    let (steps, data) = choice(data);
    let (content, consumed, end) = decode(data, data.len().max(1), data.len().max(1));
    for (step, room) in [(1, 1), (1, 64), (1 + usize::from(steps), 1 + usize::from(steps >> 3))] {
        let (other, other_consumed, other_end) = decode(data, step, room);
        assert_eq!(end, other_end, "in steps of {step}");
        if end.is_ok() {
            assert_eq!((&content, consumed), (&other, other_consumed), "in steps of {step}");
        }
    }
    if end == Ok(true) {
        let mut encoded = Vec::new();
        for piece in content.chunks(1 + usize::from(steps)) {
            encoded.extend_from_slice(chunk_header(piece.len()).as_bytes());
            encoded.extend_from_slice(piece);
            encoded.extend_from_slice(CRLF);
        }
        encoded.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&encoded, encoded.len(), encoded.len()), (content, encoded.len(), Ok(true)));
    }
});
