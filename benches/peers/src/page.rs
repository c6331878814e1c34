//! What a run has shown, for people: Markdown.

use crate::case::{Case, Workload, bytes};
use crate::outcome::{About, CaseOutcome, ClassOutcome, Entry, Outcome, usual};
use crate::peer::{OPTIONAL, Peer};
use std::collections::BTreeSet;
use strait_tools::bench::measured::Figures;
use strait_tools::bench::outcome::Tail;
use strait_tools::bench::statistics::Interval;

/// Rounds in one class from which a figure is told: fewer are an anecdote.
fn enough(outcome: &Outcome) -> usize {
    (outcome.rounds / 5).max(2)
}

/// Who there is, and in which cases.
pub(crate) fn list() -> String {
    let mut text = "peers:\n".to_owned();
    for peer in Peer::all() {
        let About { name, version, between, .. } = About::new(peer);
        let version = version.map_or_else(String::new, |version| format!(", {version}"));
        text += &format!("  {name:<18}two {between}{version}\n");
    }
    text += "\nnot built by default (`--features`):\n";
    for (feature, needs) in OPTIONAL {
        text += &format!("  {feature:<18}needs {needs}\n");
    }
    text += "\ncases:\n";
    for case in Case::all() {
        let peers: Vec<&str> = case.peers().map(Peer::name).collect();
        text += &format!("  {:<18}{}\n", case.name(), peers.join(" "));
    }
    text
}

/// All of it.
pub(crate) fn page(outcome: &Outcome) -> String {
    let Outcome { rounds, round_ms, cores, seconds, .. } = outcome;
    let quick = if outcome.quick { ", quick" } else { "" };
    let mut page = format!(
        "# Strait beside others\n\n{rounds} rounds of {round_ms} ms for each, cores {} and {}, \
         {seconds:.0} s in all{quick}.\n\n{LEGEND}\n",
        cores.0, cores.1
    );
    for workload in Workload::ALL {
        let cases: Vec<&CaseOutcome> =
            outcome.cases.iter().filter(|found| found.case.workload == workload).collect();
        if !cases.is_empty() {
            page += &format!("\n## {}\n", workload.title());
            for class in classes(&cases, enough(outcome)) {
                page += &table(workload, &cases, class, enough(outcome));
            }
            page += &remarks(&cases);
        }
    }
    page += &who(&outcome.peers);
    page + "\n" + &outcome.environment.markdown()
}

const LEGEND: &str = "Times are medians over rounds of a round's median; rates are medians of messages per second. \
In brackets, how far Strait is ahead: how many times longer the other takes, or how many times more goes through \
Strait, in the same round, the median; below 1, in bold, Strait is behind. All of it with 95 % intervals: \
`peers.json`. Every word of a message is written and read, and checked. *Threads* stand for peers that exist \
within a process only: their two sides share a heap and die together. The placement is that of the two cores \
while it was measured, by the raw round trip of a cache line before and after each measurement.";

/// The placement classes that have a table: those in which ours was measured often enough.
fn classes<'a>(cases: &[&'a CaseOutcome], enough: usize) -> Vec<&'a str> {
    let mut found = Vec::new();
    for case in cases {
        for class in &case.classes {
            let rounds = class.entry(case.case.workload.ours()).map_or(0, |entry| entry.rounds);
            let name = class.class.as_str();
            if rounds >= enough && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

fn table(workload: Workload, cases: &[&CaseOutcome], class: &str, enough: usize) -> String {
    let of = |case: &&CaseOutcome| case.class(class).map(|found| found.raw_rtt_ns);
    let raw: Vec<f64> = cases.iter().filter_map(of).collect();
    let span = |raw: &[f64]| {
        let (least, most) = raw
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(least, most), &raw| (least.min(raw), most.max(raw)));
        format!("{least:.0} to {most:.0} ns")
    };
    let sizes: Vec<String> = cases.iter().map(|case| bytes(case.case.size)).collect();
    let mut text = format!(
        "\nPlacement `{class}`, raw round trip {}:\n\n| | between | {} |\n|---|---|{}\n",
        span(&raw),
        sizes.join(" | "),
        "---:|".repeat(sizes.len())
    );
    let there: BTreeSet<Peer> =
        cases.iter().flat_map(|case| case.class(class)).flat_map(peers_of).collect();
    for peer in there {
        let cells = cases.iter().map(|case| {
            let entry = case.class(class).and_then(|class| class.entry(peer));
            let entry = entry.filter(|entry| entry.rounds >= enough);
            entry.map_or_else(|| "–".to_owned(), cell)
        });
        let cells: Vec<String> = cells.collect();
        if cells.iter().all(|cell| cell == "–") {
            continue;
        }
        text += &format!("| {} | {} | {} |\n", peer.name(), peer.between(), cells.join(" | "));
    }
    if workload.is_latency() {
        text += &tails(cases, class);
    }
    text
}

fn peers_of(class: &ClassOutcome) -> impl Iterator<Item = Peer> {
    class.peers.iter().map(|entry| entry.peer)
}

fn cell(entry: &Entry) -> String {
    let figure = figure(entry.figures);
    match entry.ours_ahead {
        Some(Interval { median, .. }) if median < 1.0 => {
            format!("{figure} (**{}**)", factor(median))
        }
        Some(Interval { median, .. }) => format!("{figure} ({})", factor(median)),
        None => figure,
    }
}

/// The distributions of the usual messages.
fn tails(cases: &[&CaseOutcome], class: &str) -> String {
    let Some((case, found)) = usual(cases).and_then(|case| Some((case, case.class(class)?))) else {
        return String::new();
    };
    let mut text = format!(
        "\nThe distribution at {}, every sample of that placement, clock readings included:\n\n\
         | | p50 | p90 | p99 | p99.9 | p99.99 | max | samples |\n|---|{}\n",
        bytes(case.case.size),
        "---:|".repeat(7)
    );
    for entry in &found.peers {
        let Some(Tail { samples, p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns, .. }) =
            entry.tail
        else {
            continue;
        };
        let times = [p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns].map(time).join(" | ");
        text += &format!("| {} | {times} | {samples} |\n", entry.peer.name());
    }
    text
}

/// What is missing, and why.
fn remarks(cases: &[&CaseOutcome]) -> String {
    let failed = cases.iter().flat_map(|case| {
        case.failed.iter().map(|(peer, why)| format!("- {peer} failed in {}: {why}\n", case.name))
    });
    let failed: String = failed.collect();
    let discarded: usize = cases.iter().map(|case| case.discarded).sum();
    let discarded = if discarded == 0 {
        String::new()
    } else {
        format!("- {discarded} measurements left out, in whose middle the cores were moved\n")
    };
    let all = failed + &discarded;
    if all.is_empty() { all } else { format!("\n{all}") }
}

fn who(peers: &[About]) -> String {
    let mut text = "\n## Who, and how\n\n| | version | between | |\n|---|---|---|---|\n".to_owned();
    for About { name, version, between, about } in peers {
        let version = version.as_deref().unwrap_or("");
        text += &format!("| {name} | {version} | {between} | {about} |\n");
    }
    text
}

/// The central figure.
pub(crate) fn figure(figures: Figures) -> String {
    match figures {
        Figures::Latency { p50_ns, .. } => time(p50_ns),
        Figures::Rate { msgs_per_s, .. } => rate(msgs_per_s),
    }
}

/// Three digits, and the unit that suits.
fn time(ns: f64) -> String {
    match ns {
        1e6.. => format!("{} ms", digits(ns / 1e6)),
        1e4.. => format!("{} µs", digits(ns / 1e3)),
        _ => format!("{} ns", digits(ns)),
    }
}

fn rate(per_s: f64) -> String {
    match per_s {
        1e6.. => format!("{} M/s", digits(per_s / 1e6)),
        _ => format!("{} k/s", digits(per_s / 1e3)),
    }
}

fn factor(ratio: f64) -> String {
    format!("{}×", if ratio < 10.0 { format!("{ratio:.2}") } else { digits(ratio) })
}

fn digits(value: f64) -> String {
    match value {
        99.5.. => format!("{value:.0}"),
        9.95.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::example;

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.5, 128.4, 9999.0].map(time), ["0.50 ns", "128 ns", "9999 ns"]);
        assert_eq!([53_300.0, 2.5e6].map(time), ["53.3 µs", "2.50 ms"]);
        assert_eq!([75_000.0, 12.34e6].map(rate), ["75.0 k/s", "12.3 M/s"]);
        assert_eq!([0.954, 4.2, 412.3].map(factor), ["0.95×", "4.20×", "412×"]);
    }

    #[test]
    fn the_page_tells_who_is_how_far_behind_and_who_failed() {
        let page = page(&example());
        assert!(page.contains("| strait | processes | 100 ns |\n"), "{page}");
        assert!(page.contains("| iceoryx2 | processes | 400 ns (4.00×) |\n"), "{page}");
        assert!(page.contains("| strait | 120 ns |"), "{page}");
        assert!(page.contains("- kanal failed in round-trip/64: it is closed\n"), "{page}");
        assert!(page.contains("- 1 measurements left out"), "{page}");
        assert!(page.contains("| iceoryx2 | 0."), "the version: {page}");
    }

    #[test]
    fn the_list_names_everything_that_can_be_asked_for() {
        let list = list();
        for name in Peer::all().map(Peer::name).chain(OPTIONAL.map(|(feature, _)| feature)) {
            assert!(list.contains(&format!("  {name} ")), "{name}: {list}");
        }
        assert!(list.contains("  round-trip/64     strait raw rtrb"), "{list}");
    }
}
