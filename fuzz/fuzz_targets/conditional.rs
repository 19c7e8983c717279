//! Preconditions keep the order of RFC 9110 §13.2.2 for all field values.

#![no_main]

use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use threadbare::http::conditional::{ETag, Precondition, Strength, Validators, evaluate_preconditions, if_range_matches};
use threadbare::http::headers::name;
use threadbare::http::method::Method;
use threadbare_fuzz::{choice, with_head};

fuzz_target!(|data: &[u8]| {
    let (kind, lines) = choice(data);
    let method = if kind & 1 == 0 { Method::Get } else { Method::Put };
    let strength = if kind & 2 == 0 { Strength::Strong } else { Strength::Weak };
    let etag = (kind & 4 == 0).then(|| ETag { strength, opaque: "v1".to_owned() });
    let last_modified = (kind & 8 == 0).then(|| UNIX_EPOCH + Duration::from_secs(784_111_777));
    let validators = Validators { etag, last_modified };
    let mut message = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    for line in lines.split(|byte| *byte == b'\n') {
        message.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"\r\n");
    let _ = with_head(&message, |head, _| {
        let has = |name| head.headers.get(name).is_some();
        let (verdict, _) = evaluate_preconditions(&head.headers, &validators, method);
        if !has(name::IF_MATCH) && !has(name::IF_UNMODIFIED_SINCE) && method == Method::Get {
            assert_ne!(verdict, Precondition::Failed, "nothing that could fail a GET");
        }
        if !has(name::IF_NONE_MATCH) && !has(name::IF_MODIFIED_SINCE) {
            assert_ne!(verdict, Precondition::NotModified, "no condition asks for it");
        }
        if method != Method::Get {
            assert_ne!(verdict, Precondition::NotModified, "304 is for GET and HEAD");
        }
        if head.headers.get_unique(name::IF_NONE_MATCH) == Some(b"*") && !has(name::IF_MATCH) && !has(name::IF_UNMODIFIED_SINCE) {
            assert_ne!(verdict, Precondition::Passed, "* matches any existing version");
        }
        if head.headers.get_unique(name::IF_MATCH) == Some(b"*") && !has(name::IF_NONE_MATCH) && !has(name::IF_MODIFIED_SINCE) {
            assert_eq!(verdict, Precondition::Passed, "* matches any existing version");
        }
        let _ = if_range_matches(&head.headers, &validators);
    });
});
