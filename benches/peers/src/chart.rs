//! What a run has shown, to look at: for each workload, bars beside each other; for round trips and the open
//! loop, percentiles.

use crate::case::{Workload, bytes};
use crate::outcome::{CaseOutcome, ClassOutcome, Outcome, usual};
use crate::page::figure;
use crate::peer::Peer;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;
use strait_tools::report::{ReportInput, Series, write};

const FONT: &str = "sans-serif";
const WIDTH: i32 = 1000;
/// Where bars begin, and how long the longest is.
const LEFT: i32 = 170;
const LONGEST: i32 = 640;
const BAR: i32 = 22;
const TITLE: i32 = 56;
const HEADING: i32 = 40;

const OURS: RGBColor = RGBColor(0, 114, 178);
const PROCESSES: RGBColor = RGBColor(213, 94, 0);
const THREADS: RGBColor = RGBColor(170, 170, 170);
const BARE: RGBColor = RGBColor(60, 60, 60);

/// Writes every picture to `folder`; how many files there are.
pub(crate) fn write_all(folder: &Path, outcome: &Outcome) -> Result<usize> {
    let mut written = 0;
    for workload in Workload::ALL {
        let of =
            |found: &&CaseOutcome| found.case.workload == workload && main_class(found).is_some();
        let cases: Vec<&CaseOutcome> = outcome.cases.iter().filter(of).collect();
        if cases.is_empty() {
            continue;
        }
        std::fs::write(folder.join(format!("{}.svg", workload.name())), bars(workload, &cases)?)?;
        written += 1;
        if workload.is_latency() {
            written += percentiles(folder, workload, &cases, outcome)?;
        }
    }
    Ok(written)
}

/// The placement in which most was measured.
fn main_class(case: &CaseOutcome) -> Option<&ClassOutcome> {
    case.classes
        .iter()
        .max_by_key(|class| class.peers.iter().map(|entry| entry.rounds).sum::<usize>())
}

/// Of the usual messages, to HdrHistogram's files, a page and a plot.
fn percentiles(
    folder: &Path,
    workload: Workload,
    cases: &[&CaseOutcome],
    outcome: &Outcome,
) -> Result<usize> {
    // More than these no eye tells apart.
    const CURVES: usize = 7;
    let Some((case, class)) = usual(cases).and_then(|case| Some((case, main_class(case)?))) else {
        return Ok(0);
    };
    let series = class.ascending().into_iter().filter_map(|entry| {
        let histogram = entry.samples.as_ref()?.histogram.clone();
        Some(Series { name: entry.peer.name().to_owned(), histogram })
    });
    let title = format!("{}, {}, {}", workload.title(), bytes(case.case.size), class.class);
    let input = ReportInput {
        title,
        unit: "ns",
        series: series.take(CURVES).collect(),
        table_markdown: String::new(),
        environment: outcome.environment.clone(),
    };
    Ok(write(&folder.join(format!("percentiles-{}", workload.name())), &input)?.len())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// For each size, a bar for each peer, the best first, on a logarithmic scale.
fn bars(workload: Workload, cases: &[&CaseOutcome]) -> Result<String> {
    let rows: usize = cases.iter().filter_map(|case| main_class(case)).map(|c| c.peers.len()).sum();
    let (rows, panels) = (i32::try_from(rows)?, i32::try_from(cases.len())?);
    let height = TITLE + panels * HEADING + rows * BAR + 16;
    let mut svg = String::new();
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    draw(&area, workload, cases).map_err(|error| anyhow!("the bars cannot be drawn: {error}"))?;
    drop(area);
    Ok(svg)
}

fn draw(
    area: &Area<'_>,
    workload: Workload,
    cases: &[&CaseOutcome],
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let text = |text: &str, size: i32, at: (i32, i32), to: HPos| {
        let style = (FONT, size).into_font().color(&BLACK).pos(Pos::new(to, VPos::Center));
        area.draw(&Text::new(text.to_owned(), at, style))
    };
    text(&workload.title(), 22, (16, 24), HPos::Left)?;
    let better = if workload.is_latency() { "shorter is better" } else { "longer is better" };
    let legend = format!("logarithmic; {better}");
    text(&legend, 14, (16, 46), HPos::Left)?;
    let mut right = WIDTH - 16;
    let legend =
        [("bare lines", BARE), ("threads", THREADS), ("processes", PROCESSES), ("Strait", OURS)];
    for (name, colour) in legend {
        let width = 7 * i32::try_from(name.len())?;
        text(name, 14, (right, 46), HPos::Right)?;
        let square = [(right - width - 14, 41), (right - width - 4, 51)];
        area.draw(&Rectangle::new(square, colour.filled()))?;
        right -= width + 34;
    }
    let mut top = TITLE;
    for case in cases {
        let Some(class) = main_class(case) else { continue };
        let heading = format!("{}, {}", bytes(case.case.size), class.class);
        text(&heading, 16, (16, top + HEADING / 2 + 4), HPos::Left)?;
        top += HEADING;
        let mut entries = class.ascending();
        if !workload.is_latency() {
            entries.reverse();
        }
        let all = || entries.iter().map(|entry| entry.figures.central());
        let least = all().fold(f64::INFINITY, f64::min) / 2.0;
        let decades = (all().fold(0.0, f64::max) / least).log10();
        for entry in entries {
            let central = entry.figures.central();
            let share = (central / least).log10() / decades;
            // Within the picture.
            #[allow(clippy::cast_possible_truncation)]
            let length = (share * f64::from(LONGEST)) as i32;
            let colour = if entry.peer.is_ours() {
                OURS
            } else if entry.peer == Peer::Raw {
                BARE
            } else if entry.peer.in_process() {
                THREADS
            } else {
                PROCESSES
            };
            let middle = top + BAR / 2;
            text(entry.peer.name(), 15, (LEFT - 8, middle), HPos::Right)?;
            let bar = [(LEFT, top + 3), (LEFT + length, top + BAR - 3)];
            area.draw(&Rectangle::new(bar, colour.filled()))?;
            text(&figure(entry.figures), 14, (LEFT + length + 6, middle), HPos::Left)?;
            top += BAR;
        }
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::example;

    #[test]
    fn every_workload_has_bars_and_latencies_have_percentiles() {
        let folder = tempfile::tempdir().unwrap();
        let written = write_all(folder.path(), &example()).unwrap();
        let bars = std::fs::read_to_string(folder.path().join("round-trip.svg")).unwrap();
        for text in ["Round trip", "64 B, only", "iceoryx2", "100 ns", "400 ns"] {
            assert!(bars.contains(text), "{text}: {bars}");
        }
        let plot = folder.path().join("percentiles-round-trip");
        assert_eq!(written, 1 + std::fs::read_dir(plot).unwrap().count());
    }
}
