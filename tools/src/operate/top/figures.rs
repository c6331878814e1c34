//! Numbers and times in few characters.

use std::time::Duration;

/// "7", "12.3k", "141M": three digits and a factor of a thousand.
pub(super) fn short(number: f64) -> String {
    let (mut number, mut unit) = (number, "");
    for larger in ["k", "M", "G", "T", "P", "E"] {
        if number < 999.5 {
            break;
        }
        (number, unit) = (number / 1000.0, larger);
    }
    let digits = match number {
        ..9.995 if !unit.is_empty() => 2,
        ..99.95 if !unit.is_empty() => 1,
        ..9.95 if number.fract() != 0.0 => 1,
        _ => 0,
    };
    format!("{number:.digits$}{unit}")
}

/// "12 s", "3 min", "2 h": how long ago.
pub(super) fn ago(then_unix_ns: u64, now_unix_ns: u64) -> String {
    let seconds = Duration::from_nanos(now_unix_ns.saturating_sub(then_unix_ns)).as_secs();
    match seconds {
        ..100 => format!("{seconds} s"),
        100..6_000 => format!("{} min", seconds / 60),
        6_000..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let of = [0.0, 0.5, 7.0, 42.4, 999.0, 999.6, 1234.0, 45_678.0, 141e6, 9.996e3, 2e20];
        let shown =
            ["0", "0.5", "7", "42", "999", "1.00k", "1.23k", "45.7k", "141M", "10.0k", "200E"];
        assert_eq!(of.map(short), shown);
    }

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let ago = |seconds: u64| ago(5, 5 + seconds * 1_000_000_000);
        assert_eq!(
            [0, 99, 100, 7_200, 200_000].map(ago),
            ["0 s", "99 s", "1 min", "2 h", "2 days"]
        );
        assert_eq!(super::ago(10, 5), "0 s", "clocks differ");
    }
}
