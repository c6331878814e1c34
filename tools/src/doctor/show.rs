//! What was found, for people.

use super::finding::{Finding, Verdict};
use super::measure::Measured;
use crate::environment::Environment;
use std::fmt::Write;

/// The group of what was measured, whose figures follow.
pub(super) const MEASURED: &str = "measured";

/// Columns of the page.
const WIDTH: usize = 96;

/// Columns before what is said of a finding.
const INDENT: usize = 28;

/// The page: groups of findings, what was measured, and the counts.
///
/// Problems and warnings are told in full, notes in a line, and what is in order is counted; with `all`,
/// notes are told in full as well, and what is in order in a line.
pub(super) fn page(
    findings: &[Finding],
    measured: Option<&Measured>,
    environment: &Environment,
    all: bool,
) -> String {
    let mut page = format!("{}\n", machine(environment));
    let (last_in_line, last_in_full) =
        if all { (Verdict::Ok, Verdict::Unknown) } else { (Verdict::Note, Verdict::Warning) };
    for group in findings.chunk_by(|one, other| one.group == other.group) {
        let mut shown: Vec<&Finding> = group.iter().collect();
        shown.retain(|finding| finding.verdict <= last_in_line);
        // Stable: of one verdict, as they were looked at.
        shown.sort_by_key(|finding| finding.verdict);
        let figures = measured.filter(|_| group[0].group == MEASURED);
        if shown.is_empty() && figures.is_none() {
            continue;
        }
        // A string takes all text, here and below.
        let _ = writeln!(page, "\n{}", group[0].group);
        for finding in shown {
            tell(&mut page, finding, finding.verdict <= last_in_full);
        }
        for line in figures.map(Measured::lines).unwrap_or_default() {
            let _ = writeln!(page, "  {line}");
        }
    }
    page.push('\n');
    page.push_str(&summary(findings, all));
    page
}

fn machine(environment: &Environment) -> String {
    let Environment { cpu_model, cpus, kernel, .. } = environment;
    format!("{cpu_model}, {} processors, Linux {kernel}", cpus.len())
}

fn tell(page: &mut String, finding: &Finding, in_full: bool) {
    let Finding { id, verdict, found, wanted, why, fix, .. } = finding;
    let found = found.as_deref().unwrap_or("cannot be read");
    let mut words = found.to_owned();
    if *verdict != Verdict::Ok {
        let _ = write!(words, " (wanted: {wanted})");
    }
    let head = format!("  {:<9}{id:<17}", verdict.word());
    for (index, line) in wrap(&words, WIDTH - INDENT).iter().enumerate() {
        let head = if index == 0 { head.as_str() } else { "" };
        let _ = writeln!(page, "{head:<INDENT$}{line}");
    }
    if !in_full {
        return;
    }
    for line in wrap(why, WIDTH - INDENT) {
        let _ = writeln!(page, "{:INDENT$}{line}", "");
    }
    if let Some(fix) = fix {
        // In a line of its own, to be copied.
        let _ = writeln!(page, "{:INDENT$}{}:", "", fix.place.words());
        let _ = writeln!(page, "{:>width$}{}", "", fix.command, width = INDENT + 2);
    }
}

fn summary(findings: &[Finding], all: bool) -> String {
    let of = |verdict| findings.iter().filter(move |finding| finding.verdict == verdict);
    let mut text = String::new();
    for verdict in Verdict::ALL {
        let ids: Vec<&str> = of(verdict).map(|finding| finding.id).collect();
        let Some((last, _)) = ids.split_last() else { continue };
        let count = ids.len();
        let named = if ids.len() == 1 { (*last).to_owned() } else { ids.join(", ") };
        let line = match verdict {
            Verdict::Ok => format!("{count} ok"),
            Verdict::Unknown => format!("{count} unknown, which cannot be read here: {named}"),
            _ if count == 1 => format!("1 {}: {named}", verdict.word()),
            _ => format!("{count} {}s: {named}", verdict.word()),
        };
        for (index, line) in wrap(&line, WIDTH - 2).iter().enumerate() {
            let _ = writeln!(text, "{}{line}", if index == 0 { "" } else { "  " });
        }
    }
    if !all && findings.iter().any(|finding| finding.verdict == Verdict::Note) {
        text.push_str("`strait doctor --all` says of each why it matters and what changes it\n");
    }
    text
}

/// Lines of at most `width` characters, unless a word is longer.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_no_longer_than_asked_for() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("longer-than-that one", 7), ["longer-than-that", "one"]);
        assert_eq!(wrap("", 7), [""]);
    }
}
