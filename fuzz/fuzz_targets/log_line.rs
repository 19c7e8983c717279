//! Is every exchange one line of printable ASCII, whatever was asked?

#![no_main]

use std::net::IpAddr;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use threadbare::access_log::Line;
use threadbare::wire::status::Status;

fuzz_target!(|request: &[u8]| {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let peer = IpAddr::from([127, 0, 0, 1]);
    let line = Line { peer, date, request, status: Status::OK, bytes: 7, duration: Duration::from_micros(3) }.to_string();
    assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    assert!(line.len() < 4 * 2048 + 128);
    // A quote that is not ours never stands alone: the request ends where we end it.
    let (_, after) = line.split_once('"').expect("the quote that opens it");
    let mut bytes = after.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => break,
            _ => {}
        }
    }
    assert_eq!(bytes.collect::<Vec<_>>(), b" 200 7 0.000003");
});
