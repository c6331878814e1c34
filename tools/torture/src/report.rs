//! The tally as text and as JSON.

use crate::tally::{Count, MARKS, Span, Tally};
use serde_json::{Value, json};
use std::fmt::Write;

/// Kills below which not every mark need have been reached.
pub const ENOUGH: u64 = 300;

/// Random kills inside an operation, in percent, below which a run proves too little.
pub const INSIDE: u64 = 30;

/// What a run came to.
#[derive(Debug)]
pub struct Report<'a> {
    /// Whose choices it followed.
    pub seed: u64,
    /// What was counted.
    pub tally: &'a Tally,
    /// Promises broken.
    pub violations: usize,
    /// How long it took.
    pub seconds: f64,
}

impl Report<'_> {
    /// Why the run does not count as passed; nothing if it does.
    #[must_use]
    pub fn shortcomings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.violations > 0 {
            found.push(format!("{} violations", self.violations));
        }
        let uncovered: Vec<_> = self.tally.uncovered().iter().map(|mark| mark.name()).collect();
        if self.tally.kills() >= ENOUGH {
            if !uncovered.is_empty() {
                found.push(format!("nobody was killed at: {}", uncovered.join(", ")));
            }
            if self.tally.percent_inside() < INSIDE {
                let percent = self.tally.percent_inside();
                found.push(format!("{percent} % of the random kills were inside an operation"));
            }
            if self.tally.get(Count::Asleep) == 0 {
                found.push("nobody was killed while asleep in the kernel".to_owned());
            }
        }
        found
    }

    /// The last line.
    #[must_use]
    pub fn verdict(&self) -> String {
        let all = MARKS.len();
        let covered = all - self.tally.uncovered().len();
        let (kills, violations) = (self.tally.kills(), self.violations);
        format!("kills {kills}, marks covered {covered}/{all}, violations {violations}")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes all text");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self { seed, tally, seconds, .. } = self;
        writeln!(out, "torture, seed {seed}: {} kills in {seconds:.1} s\n", tally.kills())?;
        for &(what, name) in Count::ALL {
            let count = tally.get(what);
            match what {
                Count::Inside => {
                    writeln!(out, "  {count:>9}  {name} ({} %)", tally.percent_inside())?;
                }
                _ => writeln!(out, "  {count:>9}  {name}")?,
            }
        }
        writeln!(out, "\nkills at each mark")?;
        for row in MARKS.chunks(3) {
            for mark in row {
                write!(out, "  {:>6}  {:<20}", tally.at(*mark), mark.name())?;
            }
            writeln!(out)?;
        }
        writeln!(out, "\nrecovery{:>51}{:>10}{:>10}{:>10}", "samples", "p50", "p99", "max")?;
        for &(what, name) in Span::ALL {
            let times = tally.span(what);
            write!(out, "  {name:<50}{:>7}", times.len())?;
            for quantile in [0.5, 0.99, 1.0] {
                let time = times.value_at_quantile(quantile);
                write!(out, "{:>10}", if times.is_empty() { "-".to_owned() } else { unit(time) })?;
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "  A waiting restart asks for the side every 200 µs; a standby waits in the kernel.\n  \
             Only releases that the supervisor saw, polling the lock, are measured from."
        )?;
        for (what, count) in &tally.skipped {
            writeln!(out, "\nskipped {count} times: {what}")?;
        }
        if tally.kills() < ENOUGH {
            writeln!(out, "\nFewer than {ENOUGH} kills: not every mark need have been reached.")?;
        }
        writeln!(out)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let tally = self.tally;
        let counts = Count::ALL.iter().map(|&(what, _)| (key(what), tally.get(what).into()));
        let marks = MARKS.iter().map(|&mark| (mark.name().to_owned(), tally.at(mark).into()));
        let spans = Span::ALL.iter().map(|&(what, _)| {
            let times = tally.span(what);
            let at = |quantile| times.value_at_quantile(quantile);
            let span = json!({
                "samples": times.len(), "p50_ns": at(0.5), "p99_ns": at(0.99), "max_ns": at(1.0),
            });
            (key(what), span)
        });
        json!({
            "seed": self.seed,
            "seconds": self.seconds,
            "kills": tally.kills(),
            "marks_covered": MARKS.len() - tally.uncovered().len(),
            "marks": MARKS.len(),
            "violations": self.violations,
            "percent_inside": tally.percent_inside(),
            "counts": Value::Object(counts.collect()),
            "kills_at_marks": Value::Object(marks.collect()),
            "recovery": Value::Object(spans.collect()),
            "skipped": tally.skipped,
        })
    }
}

/// What programs call it: `StandbyFromKill` is `standby_from_kill`.
fn key(what: impl std::fmt::Debug) -> String {
    let mut key = String::new();
    for letter in format!("{what:?}").chars() {
        if letter.is_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.extend(letter.to_lowercase());
    }
    key
}

/// "17.3 µs", "4.1 ms".
fn unit(nanoseconds: u64) -> String {
    let nanoseconds = nanoseconds as f64;
    if nanoseconds < 1e6 {
        format!("{:.1} µs", nanoseconds / 1e3)
    } else {
        format!("{:.1} ms", nanoseconds / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(random: u64, inside: u64) -> Tally {
        let mut tally = Tally::default();
        MARKS.iter().for_each(|&mark| tally.kill_at(mark));
        tally.add(Count::AtRandom, random);
        tally.add(Count::Inside, inside);
        tally.count(Count::Asleep);
        tally
    }

    fn report(tally: &Tally, violations: usize) -> Report<'_> {
        Report { seed: 7, tally, violations, seconds: 1.0 }
    }

    #[test]
    fn a_run_falls_short_by_violations_by_uncovered_marks_and_by_kills_outside() {
        let tally = full(400, 200);
        assert!(report(&tally, 0).shortcomings().is_empty());
        assert_eq!(report(&tally, 2).shortcomings(), ["2 violations"]);
        let outside = full(400, 119);
        assert_eq!(
            report(&outside, 0).shortcomings(),
            ["29 % of the random kills were inside an operation"]
        );
        let mut bare = Tally::default();
        bare.add(Count::AtRandom, ENOUGH);
        bare.add(Count::Inside, ENOUGH);
        let [uncovered, awake] = &report(&bare, 0).shortcomings()[..] else { panic!("two") };
        assert!(uncovered.contains("producer-claimed") && awake.contains("asleep"));
    }

    #[test]
    fn the_last_line_says_it_all() {
        let tally = full(9968, 9000);
        assert_eq!(report(&tally, 0).verdict(), "kills 10004, marks covered 36/36, violations 0");
        let json = report(&tally, 0).json();
        assert_eq!((&json["kills"], &json["counts"]["at_random"]), (&10_004.into(), &9968.into()));
    }

    #[test]
    fn sleepers_and_wakers_are_told_of_to_people_and_to_programs() {
        let mut tally = full(400, 200);
        for (what, count) in [
            (Count::RoundsWithoutSlices, 41),
            (Count::Asleep, 41),
            (Count::Wakers, 43),
            (Count::LeavingAsleep, 44),
        ] {
            tally.add(what, count);
        }
        let report = report(&tally, 0);
        let (text, json) = (report.text(), report.json());
        for (key, count, line) in [
            ("rounds_without_slices", 41, "41  of those, whose sides sleep without slices"),
            ("sleepers", 3, "3  killed falling asleep or waking up, at marks"),
            ("asleep", 42, "42  killed asleep in the kernel, at random"),
            ("wakers", 43, "43  killed before or in waking, at marks"),
            ("leaving_asleep", 44, "44  of those, while the other side slept"),
        ] {
            assert_eq!(json["counts"][key], count);
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn large_and_kept_messages_are_told_of_to_people_and_to_programs() {
        let mut tally = full(400, 200);
        for (what, count) in [
            (Count::WithArenas, 51),
            (Count::WithBlocks, 52),
            (Count::Keepers, 53),
            (Count::LeftKept, 54),
            (Count::GivenBack, 55),
            (Count::Audits, 56),
        ] {
            tally.add(what, count);
        }
        let report = report(&tally, 0);
        let (text, json) = (report.text(), report.json());
        for (key, count, line) in [
            ("with_arenas", 51, "51  killed on channels with an arena"),
            ("with_blocks", 52, "52  killed on channels with blocks"),
            ("keepers", 53, "53  of those, with messages kept"),
            ("left_kept", 54, "54  messages kept by the killed"),
            ("given_back", 55, "55  kept messages looked at again and given back"),
            ("audits", 56, "56  arenas and blocks found to be free in the end"),
        ] {
            assert_eq!(json["counts"][key], count);
            assert!(text.contains(line), "{line}");
        }
        assert_eq!(json["kills_at_marks"]["block-swept"], 1);
    }

    #[test]
    fn times_are_told_in_units_that_fit() {
        assert_eq!((unit(17_340).as_str(), unit(4_120_000).as_str()), ("17.3 µs", "4.1 ms"));
    }
}
