//! How are a size and a time written?

use std::fmt::{self, Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// A length with at most one decimal, cut and not rounded: `1.5 KiB`.
#[derive(Clone, Copy, Debug)]
pub struct HumanSize(pub u64);

impl Display for HumanSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let HumanSize(bytes) = *self;
        let mut shift = 10_u32;
        for unit in UNITS {
            let whole = bytes >> shift;
            if (1..1024).contains(&whole) {
                // The ten bits below the point are enough for one decimal, and times ten they cannot overflow.
                let tenth = (((bytes >> (shift - 10)) & 0x3ff) * 10) >> 10;
                return if whole < 10 { write!(f, "{whole}.{tenth} {unit}") } else { write!(f, "{whole} {unit}") };
            }
            shift += 10;
        }
        write!(f, "{bytes} B")
    }
}

/// A number whose digits stand in groups of three: `1,536`.
#[derive(Clone, Copy, Debug)]
pub struct ThousandsSeparated(pub u64);

impl Display for ThousandsSeparated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A point in time by the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
}

impl CivilTime {
    /// What the calendar says; `None` outside the years that have four digits.
    pub fn of(at: SystemTime) -> Option<CivilTime> {
        let seconds = match at.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).ok()?,
            // Rounded down, like all others.
            Err(before) => -i64::try_from(before.duration().as_nanos().div_ceil(1_000_000_000)).ok()?,
        };
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        (1..=9999).contains(&year).then_some(CivilTime { year, month, day, second_of_day: seconds.rem_euclid(86_400) })
    }

    /// `1994-11-06`
    pub fn date(&self) -> String {
        let CivilTime { year, month, day, .. } = *self;
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `08:49`
    pub fn clock(&self) -> String {
        let minute = self.second_of_day / 60;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    }

    /// `08:49:37`
    pub fn clock_with_seconds(&self) -> String {
        format!("{}:{:02}", self.clock(), self.second_of_day % 60)
    }
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10_240, "10 KiB"),
            (1_048_575, "1023 KiB"),
            (1_048_576, "1.0 MiB"),
            (5_000_000_000, "4.6 GiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(HumanSize(bytes).to_string(), want);
        }
    }

    #[test]
    fn groups() {
        for (number, want) in [
            (0, "0"),
            (12, "12"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(ThousandsSeparated(number).to_string(), want);
        }
    }

    #[test]
    #[cfg_attr(windows, ignore = "its clock begins in 1601")]
    fn times() {
        let shown = |at: SystemTime| CivilTime::of(at).map(|moment| format!("{} {}", moment.date(), moment.clock_with_seconds()));
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
