//! Request heads: httparse agrees about every accepted head, and the result does not depend on how the input is split.

#![no_main]

use libfuzzer_sys::fuzz_target;
use threadbare::http::request::{HeadLimits, Progress, RequestParser, Version};
use threadbare_fuzz::{read_as_1_1, with_head};

fuzz_target!(|data: &[u8]| {
    let whole = with_head(data, |_, length| length);

    let mut stepwise = RequestParser::new(HeadLimits::default());
    let mut outcome = Ok(None);
    for end in 1..=data.len() {
        match stepwise.parse(&data[..end]) {
            Ok(Progress::Partial) => {}
            Ok(Progress::Complete(length)) => {
                assert_eq!(length, end, "complete exactly at its last byte");
                outcome = Ok(Some(length));
                break;
            }
            Err(located) => {
                assert!(located.offset <= end, "the position lies within the input");
                outcome = Err(located);
                break;
            }
        }
    }
    match (&whole, &outcome) {
        (Ok(whole), Ok(stepwise)) => assert_eq!(whole, stepwise),
        // The violated rule may differ, because it depends on how much of the head has arrived.
        (Err(_), Err(_)) => {}
        _ => panic!("whole: {whole:?}, byte by byte: {outcome:?}"),
    }

    let compared = with_head(data, |head, length| {
        let mut bytes = data[..length].to_vec();
        read_as_1_1(&mut bytes);
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut theirs = httparse::Request::new(&mut fields);
        let read = theirs.parse(&bytes).unwrap_or_else(|error| panic!("httparse rejects an accepted head: {error}"));
        assert_eq!(read, httparse::Status::Complete(length));
        assert_eq!(theirs.method, Some(head.method.as_str()));
        assert_eq!(theirs.path.map(str::as_bytes), Some(head.target));
        assert_eq!(theirs.version == Some(0), head.version == Version::Http10);
        let ours: Vec<_> = head.headers.iter().collect();
        let theirs: Vec<_> = theirs.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
        assert_eq!(ours, theirs);
    });
    let _ = compared;
});
