//! What was found, for people and for programs.

use super::judge::{JudgedRow, Verdict};
use crate::environment::Environment;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::fmt::Write;

/// Columns of the table, which wraps longer texts.
const WIDTH: u16 = 160;

/// A line per figure, what else was measured, and the count of verdicts.
pub(super) fn text(rows: &[JudgedRow], environment: &Environment) -> String {
    let mut text = format!("{}\n", table(rows));
    let mut add = |line: String| {
        // A string takes all text.
        let _ = writeln!(text, "{line}");
    };
    for row in rows.iter().filter(|row| !row.notes.is_empty()) {
        add(format!("\n{} {}", row.id, row.what));
        row.notes.iter().for_each(|note| add(format!("  {note}")));
    }
    add(format!("\n{}", counts(rows)));
    let Environment { cpu_model, kernel, virtualised, program, commit, .. } = environment;
    let machine = if virtualised.is_some() { "virtual machine" } else { "bare metal" };
    add(format!("{cpu_model}, {machine}, Linux {kernel}; {program}, commit {commit}"));
    text
}

fn table(rows: &[JudgedRow]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["row", "what", "part", "guide", "ours", "factor", "verdict"]);
    if let Some(column) = table.column_mut(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        for (index, figure) in row.figures.iter().enumerate() {
            let (id, what) = if index == 0 { (row.id, row.what) } else { ("", "") };
            let mut ours = figure.ours.clone();
            if let Some(found) = figure.percentiles {
                let _ = write!(ours, ", p99 {} ns, p99.9 {} ns", found.p99_ns, found.p999_ns);
            }
            let factor = figure.factor.map_or(String::new(), |factor| format!("{factor:.3}"));
            let unbuilt = figure.verdict == Verdict::Unbuilt;
            let ours = if unbuilt { "" } else { ours.as_str() };
            let verdict = figure.verdict.word();
            table.add_row([id, what, figure.part, figure.guide, ours, &factor, verdict]);
        }
    }
    table
}

fn counts(rows: &[JudgedRow]) -> String {
    let rows_with = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let figures = || rows.iter().flat_map(|row| &row.figures);
    let figures_with = |verdict| figures().filter(|figure| figure.verdict == verdict).count();
    let of = |count: &dyn Fn(Verdict) -> usize| {
        [Verdict::Pass, Verdict::Short, Verdict::Unbuilt]
            .map(|verdict| format!("{} {}", count(verdict), verdict.word()))
            .join(", ")
    };
    format!(
        "{} rows: {}; {} figures: {}",
        rows.len(),
        of(&rows_with),
        figures().count(),
        of(&figures_with)
    )
}

/// One object.
pub(super) fn json(rows: &[JudgedRow], environment: &Environment) -> String {
    serde_json::json!({ "rows": rows, "environment": environment }).to_string()
}
