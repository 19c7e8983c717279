//! Dates in header fields (RFC 9110 §5.6.7).

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Length of every date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
const DATE_BYTES: usize = 29;

/// The last second of the year 9999, in seconds since 1970: the format has four digits for the year.
const LAST_SECOND: u64 = 253_402_300_799;

/// A point in time in whole seconds, with its text. Re-used by a connection, so that the text is formatted once per second.
#[derive(Clone, Debug)]
pub struct HttpDate {
    second: u64,
    text: String,
}

impl HttpDate {
    /// Formats `time`. A time before 1970 or after 9999 is replaced by the first second of 1970.
    pub fn new(time: SystemTime) -> HttpDate {
        let mut date = HttpDate { second: second_of(time), text: String::with_capacity(DATE_BYTES) };
        date.write();
        date
    }

    /// Sets the date to `now`; the text is formatted only if the second has changed.
    pub fn update(&mut self, now: SystemTime) {
        let second = second_of(now);
        if second != self.second {
            self.second = second;
            self.write();
        }
    }

    /// Returns the field value, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the field value as a string.
    pub fn into_string(self) -> String {
        self.text
    }

    fn write(&mut self) {
        self.text.clear();
        let time = UNIX_EPOCH + Duration::from_secs(self.second);
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{}", httpdate::HttpDate::from(time));
    }
}

fn second_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).ok().filter(|&second| second <= LAST_SECOND).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_outside_1970_to_9999_become_1970() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (time, want, why) in [
            (at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT", "the example in the RFC"),
            (at(LAST_SECOND), "Fri, 31 Dec 9999 23:59:59 GMT", "the last possible date"),
            (at(LAST_SECOND + 1), "Thu, 01 Jan 1970 00:00:00 GMT", "the year 10000"),
            (UNIX_EPOCH - Duration::from_secs(1), "Thu, 01 Jan 1970 00:00:00 GMT", "before 1970"),
        ] {
            assert_eq!(HttpDate::new(time).as_str(), want, "{why}");
            assert_eq!(want.len(), DATE_BYTES);
        }
        let mut clock = HttpDate::new(at(0));
        clock.update(at(1));
        assert_eq!(clock.into_string(), "Thu, 01 Jan 1970 00:00:01 GMT");
    }
}
