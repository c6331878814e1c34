//! The result as tables: for the terminal, and for a report.

use super::classes::SAME_CORE;
use super::measured::Figures;
use super::outcome::{ClassSummary, Outcome, Summary};
use super::statistics::Interval;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write as _;

/// How tables are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With lines.
    Terminal,
    /// As Markdown.
    Markdown,
}

/// One table per class, and what must be known to read them.
#[must_use]
pub fn render(outcome: &Outcome, style: Style) -> String {
    let mut text = String::new();
    let (kept, discarded) = (outcome.rounds.len(), outcome.discarded_rounds);
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{kept} rounds on cores {} and {}, {discarded} more discarded because the placement changed",
        outcome.cores[0], outcome.cores[1]
    );
    for (class, summary) in &outcome.by_class {
        let (rounds, raw) = (summary.rounds, summary.raw_rtt_ns);
        let two_cores = outcome.bench == "wake" && class != SAME_CORE;
        let on = if two_cores { "cross-core, " } else { "" };
        let _ = writeln!(text, "\n{on}{class}: {rounds} rounds, raw round trip {raw:.1} ns\n");
        let _ = writeln!(text, "{}", table(summary, style));
    }
    text.push('\n');
    for note in &outcome.notes {
        let _ = writeln!(text, "- {note}");
    }
    text
}

fn table(class: &ClassSummary, style: Style) -> Table {
    let mut table = Table::new();
    table.load_style(match style {
        Style::Terminal => presets::UTF8_FULL_CONDENSED,
        Style::Markdown => presets::ASCII_MARKDOWN,
    });
    let header: &[&str] = match class.ours.figures {
        Figures::Latency { .. } => &[
            "ns",
            "p50",
            "p99",
            "p99.9",
            "p99.99",
            "max",
            "p50 / raw",
            "p99 / raw",
            "strait / it",
            "> 3 p50",
            "with no gap",
        ],
        Figures::Rate { .. } => &["", "M msg/s", "GB/s", "per raw round trip", "strait / it"],
    };
    table.set_header(header);
    table.add_row(row("strait", &class.ours, None));
    for (name, peer) in &class.peers {
        table.add_row(row(name, &peer.own, Some(peer.ours_to_peer)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(name: &str, summary: &Summary, ours_to_it: Option<Interval>) -> Vec<String> {
    let to_raw =
        Interval { median: summary.ratio_to_raw, low: summary.ratio_low, high: summary.ratio_high };
    let mut row = vec![name.to_owned()];
    match summary.figures {
        Figures::Latency { p50_ns, p99_ns, p999_ns } => {
            row.extend([p50_ns, p99_ns, p999_ns].map(|ns| format!("{ns:.1}")));
            let tail = summary.tail.map(|tail| [tail.p9999_ns, tail.max_ns]);
            row.extend(
                tail.map_or([String::new(), String::new()], |all| all.map(|ns| format!("{ns:.0}"))),
            );
            row.extend([interval(Some(to_raw)), interval(summary.p99_ratio_to_raw)]);
        }
        Figures::Rate { msgs_per_s, bytes_per_s } => {
            row.extend([format!("{:.2}", msgs_per_s / 1e6), format!("{:.2}", bytes_per_s / 1e9)]);
            row.push(interval(Some(to_raw)));
        }
    }
    row.push(interval(ours_to_it));
    if let Some(tail) = summary.tail {
        let shares = [tail.share_over_3x_p50, tail.share_over_3x_p50_without_gap];
        row.extend(shares.map(|share| format!("{share:.1e}")));
    }
    row
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |Interval { median, low, high }| {
        format!("{median:.3} ({low:.3}–{high:.3})")
    })
}
