//! Forms: the result does not depend on how the input is split, content is never lost, and no file name has a path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use threadbare::http::multipart::{LOOKAHEAD_BYTES_MAX, MultipartError, MultipartEvent, MultipartParser};
use threadbare_fuzz::choice;

type Parts = Vec<(Option<Vec<u8>>, Vec<u8>)>;

/// Parses a form in pieces of `step` bytes: the parts, and whether the final boundary came.
fn parse(data: &[u8], step: usize) -> (Parts, Result<bool, MultipartError>) {
    let mut parser = MultipartParser::new(b"multipart/form-data; boundary=B").expect("a boundary");
    let (mut parts, mut ended, mut buffer) = (Parts::new(), false, Vec::new());
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let (consumed, event) = match parser.next(&buffer[at..]) {
                Ok(step) => step,
                Err(error) => return (parts, Err(error)),
            };
            at += consumed;
            match event {
                MultipartEvent::Partial => break,
                MultipartEvent::Part(name) => {
                    assert!(name.iter().flatten().all(|byte| !b"/\\\r\n\0".contains(byte) || name.is_none()));
                    parts.push((name, Vec::new()));
                }
                MultipartEvent::Content(bytes) => {
                    assert!(!bytes.is_empty(), "no progress");
                    parts.last_mut().expect("a part").1.extend_from_slice(bytes);
                }
                MultipartEvent::End => ended = true,
            }
        }
        buffer.drain(..at);
        assert!(buffer.len() <= LOOKAHEAD_BYTES_MAX, "the parser asks for more than it promises");
    }
    (parts, Ok(ended))
}

fuzz_target!(|data: &[u8]| {
    let (steps, data) = choice(data);
    let (parts, end) = parse(data, data.len().max(1));
    for step in [1, 1 + usize::from(steps)] {
        let (other, other_end) = parse(data, step);
        assert_eq!(end, other_end, "in steps of {step}");
        if end.is_ok() {
            assert_eq!(parts, other, "in steps of {step}");
        }
    }
    // A form of these parts parses to the same parts, unless a name cannot be written in quotes.
    let plain = |name: &Option<Vec<u8>>| name.iter().flatten().all(|byte| byte.is_ascii_alphanumeric());
    if end == Ok(true) && parts.iter().all(|(name, _)| plain(name)) {
        let mut form = Vec::new();
        for (name, content) in &parts {
            form.extend_from_slice(b"--B\r\n");
            if let Some(name) = name {
                form.extend_from_slice(&[b"Content-Disposition: form-data; filename=\"", &**name, b"\"\r\n"].concat());
            }
            form.extend_from_slice(&[b"\r\n", &**content, b"\r\n"].concat());
        }
        form.extend_from_slice(b"--B--");
        assert_eq!(parse(&form, form.len()), (parts, Ok(true)));
    }
});
