//! Dates in header fields (RFC 9110 §5.6.7).

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Length of every date, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
const DATE_BYTES: usize = 29;

/// The last second of the year 9999, in seconds since 1970: the format has four digits for the year.
pub const LAST_SECOND: u64 = 253_402_300_799;

/// A point in time in whole seconds, with its text. Re-used by a connection, so that the text is formatted once per second.
#[derive(Clone, Debug)]
pub struct HttpDate {
    second: u64,
    /// The field value, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub text: String,
}

impl HttpDate {
    /// Formats `time`. A time before 1970 or after 9999 is replaced by the first second of 1970.
    pub fn new(time: SystemTime) -> HttpDate {
        // No date has this second, so the text is formatted.
        let mut date = HttpDate { second: u64::MAX, text: String::with_capacity(DATE_BYTES) };
        date.update(time);
        date
    }

    /// Sets the date to `now`; the text is formatted only if the second has changed.
    pub fn update(&mut self, now: SystemTime) {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let second = if second <= LAST_SECOND { second } else { 0 };
        if second != self.second {
            self.second = second;
            self.text.clear();
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{}", httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(second)));
        }
    }
}

/// A point in time by the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// The year, from 1 to 9999.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
    /// The second of the day, from 0 to 86,399.
    pub second_of_day: i64,
}

/// Seconds since 1970, rounded down; negative before.
pub fn unix_seconds(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos().div_ceil(1_000_000_000)).map_or(i64::MIN, |seconds| -seconds),
    }
}

impl CivilTime {
    /// What the calendar says; `None` outside the years that have four digits.
    pub fn of(at: SystemTime) -> Option<CivilTime> {
        let seconds = unix_seconds(at);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        (1..=9999).contains(&year).then_some(CivilTime { year, month, day, second_of_day: seconds.rem_euclid(86_400) })
    }

    /// `1994-11-06`
    pub fn date(&self) -> String {
        let CivilTime { year, month, day, .. } = *self;
        join_padded(&[(4, year), (2, month), (2, day)], '-')
    }

    /// `08:49`
    pub fn clock(&self) -> String {
        let minute = self.second_of_day / 60;
        join_padded(&[(2, minute / 60), (2, minute % 60)], ':')
    }
}

/// Joins numbers with a separator; each is padded with zeros to the count of digits before it. `format!` takes three times the
/// instructions, and a listing has five numbers for each entry.
fn join_padded(numbers: &[(u32, i64)], separator: char) -> String {
    let mut text = String::with_capacity("1994-11-06".len());
    for &(digits, number) in numbers {
        if !text.is_empty() {
            text.push(separator);
        }
        let digit = |place| char::from_digit(u32::try_from(number / 10_i64.pow(place) % 10).ok()?, 10);
        text.extend((0..digits).rev().filter_map(digit));
    }
    text
}

/// Year, month and day of a number of days since 1970-01-01. Years are counted from March, so that the leap day is their last;
/// months then have 30.6 days, rounded (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // From 0000-03-01 on.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
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
            assert_eq!(HttpDate::new(time).text, want, "{why}");
            assert_eq!(want.len(), DATE_BYTES);
        }
        let mut clock = HttpDate::new(at(0));
        clock.update(at(1));
        assert_eq!(clock.text, "Thu, 01 Jan 1970 00:00:01 GMT");
    }

    #[test]
    #[cfg_attr(windows, ignore = "its clock begins in 1601")]
    fn times() {
        let shown = |at: SystemTime| {
            CivilTime::of(at).map(|time| format!("{} {}:{:02}", time.date(), time.clock(), time.second_of_day % 60))
        };
        let day = |days: i64| {
            let by = Duration::from_secs(days.unsigned_abs() * 86_400);
            shown(if days < 0 { UNIX_EPOCH - by } else { UNIX_EPOCH + by })
        };
        let example = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(shown(example).unwrap(), "1994-11-06 08:49:37");
        assert_eq!(CivilTime::of(example).unwrap().clock().to_string(), "08:49");
        assert_eq!(shown(UNIX_EPOCH - Duration::from_micros(1)).unwrap(), "1969-12-31 23:59:59");
        for (days, want) in [
            (0, "1970-01-01"),
            (-25_202, "1901-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (2_932_896, "9999-12-31"),
            (-719_162, "0001-01-01"),
        ] {
            assert_eq!(day(days).unwrap(), format!("{want} 00:00:00"));
        }
        for days in [2_932_897, -719_163, 100_000_000_000] {
            assert_eq!(day(days), None, "{days}");
        }
    }
}
