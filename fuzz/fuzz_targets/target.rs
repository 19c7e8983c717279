//! Request targets: no path leads above the root, and an encoded path decodes to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use threadbare::http::target::{RequestTarget, TargetForm, encode_path};
use threadbare_fuzz::with_head;

fuzz_target!(|data: &[u8]| {
    let request = |target: &[u8]| [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    let Ok(Some(Some(path))) = with_head(&request(data), |head, _| {
        let target = RequestTarget::parse(head).ok()?;
        let path = target.path().to_vec();
        if target.form == TargetForm::Asterisk {
            return None;
        }
        assert!(path.starts_with(b"/"));
        for segment in target.segments() {
            assert!(!segment.is_empty() && segment != b"." && segment != b"..");
            assert!(!segment.contains(&b'/') && !segment.contains(&0));
        }
        assert!(!path.windows(2).any(|two| two == b"//"), "no empty segment, which browsers could take for a host");
        let encoded = encode_path(&path).into_owned();
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>'&?#\\".contains(&byte)));
        target.query_pairs().for_each(drop);
        Some((path, encoded))
    }) else {
        return;
    };
    let (path, encoded) = path;
    let again =
        with_head(&request(encoded.as_bytes()), |head, _| RequestTarget::parse(head).map(|target| target.path().to_vec()));
    if encoded.len() <= 8192 {
        assert_eq!(again.unwrap().unwrap().unwrap(), path, "a Location names the same resource");
    }
});
