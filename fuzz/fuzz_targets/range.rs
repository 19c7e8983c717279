//! Byte ranges: each part lies inside the representation, and no byte is selected twice.

#![no_main]

use libfuzzer_sys::fuzz_target;
use threadbare::http::range::{ByteRange, RANGES_MAX, RangeSet, parse_range};
use threadbare_fuzz::choice;

fn inside(part: &ByteRange, length: u64) {
    assert!(part.length >= 1);
    assert!(part.start.checked_add(part.length).is_some_and(|end| end <= length), "{part:?} of {length}");
    assert_eq!(part.last(), part.start + part.length - 1);
}

fuzz_target!(|data: &[u8]| {
    let (size, value) = choice(data);
    // Both small and huge representations.
    let length = if size < 200 { u64::from(size) } else { u64::MAX - u64::from(size) };
    match parse_range(Some(value), length) {
        RangeSet::Full | RangeSet::Unsatisfiable => {}
        RangeSet::Single(part) => inside(&part, length),
        RangeSet::Multiple(parts) => {
            assert!((2..=RANGES_MAX).contains(&parts.len()));
            parts.iter().for_each(|part| inside(part, length));
            let total: u128 = parts.iter().map(|part| u128::from(part.length)).sum();
            assert!(total <= u128::from(length), "no byte is selected twice");
        }
    }
});
