//! Times of day for people.

use crate::system::process;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// "09:12:31 UTC" if that is today, "2026-01-31 09:12:31 UTC" otherwise.
pub fn utc(unix_ns: u64) -> String {
    utc_at(unix_ns, process::unix_nanoseconds())
}

/// As [`utc`] says it at the moment `now_unix_ns`.
fn utc_at(unix_ns: u64, now_unix_ns: u64) -> String {
    let seconds = unix_ns / 1_000_000_000;
    let (day, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let today = now_unix_ns / 1_000_000_000 / SECONDS_PER_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let time = format!("{hour:02}:{minute:02}:{second:02} UTC");
    if day == today {
        return time;
    }
    let (year, month, day) = date(day);
    format!("{year}-{month:02}-{day:02} {time}")
}

/// Year, month and day from days since 1970-01-01.
///
/// Years are counted from March, so that the leap day is a year's last.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const DAYS_FROM_0000_03_01_TO_1970: u64 = 719_468;
    let days = days_since_1970 + DAYS_FROM_0000_03_01_TO_1970;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(59), (1970, 3, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(11_017), (2000, 3, 1));
        assert_eq!(date(19_782), (2024, 2, 29));
        assert_eq!(date(20_088), (2024, 12, 31));
        assert_eq!(date(47_541), (2100, 3, 1));
        assert_eq!(date(47_540), (2100, 2, 28));
    }

    #[test]
    fn the_date_is_left_out_today() {
        let nine = (20_000 * SECONDS_PER_DAY + 9 * 3600 + 12 * 60 + 31) * 1_000_000_000;
        assert_eq!(utc_at(nine, nine + 5), "09:12:31 UTC");
        assert_eq!(utc_at(nine, nine + 86_400_000_000_000), "2024-10-04 09:12:31 UTC");
    }
}
