//! Reports: from histograms to files that people and other programs can read.
//!
//! | file | what it is | written by |
//! |---|---|---|
//! | `<series>.hgrm` | percentile table, as HdrHistogram's plotters read it | `percentiles.rs` |
//! | `histograms.hlog` | every series in full, compressed | `log.rs` |
//! | `percentiles.svg` | all series in one plot | `plot.rs` |
//! | `report.md` | the table, the plot and where it all comes from | here |

mod log;
mod percentiles;
mod plot;

use crate::environment::Environment;
use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// One distribution.
#[derive(Clone, Debug)]
pub struct Series {
    /// What was measured; it names the series' file.
    pub name: String,
    /// Its values, in the report's unit.
    pub histogram: Histogram<u64>,
}

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct ReportInput {
    /// Heading of page and plot.
    pub title: String,
    /// Unit of all values; nanoseconds ("ns") are shown as µs and ms where they are many.
    pub unit: &'static str,
    /// What was measured, in the order of the legend.
    pub series: Vec<Series>,
    /// A Markdown table for the top of the page; may be empty.
    pub table_markdown: String,
    /// Where the figures come from.
    pub environment: Environment,
}

const PLOT: &str = "percentiles.svg";
const LOG: &str = "histograms.hlog";

/// Writes the report's files to `dir`, which is made if need be; returns their paths.
///
/// # Errors
///
/// There are no values, two series have one name, or a file cannot be written.
pub fn write(dir: &Path, input: &ReportInput) -> Result<Vec<PathBuf>> {
    let names = file_names(&input.series)?;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut written = Vec::new();
    let mut put = |name: &str, contents: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
        anyhow::Ok(())
    };
    for (series, name) in input.series.iter().zip(&names) {
        put(name, percentiles::table(&series.histogram).as_bytes())?;
    }
    put(LOG, &log::write(input)?)?;
    put(PLOT, plot::draw(input)?.as_bytes())?;
    put("report.md", page(input, &names).as_bytes())?;
    Ok(written)
}

/// The series' percentile files.
fn file_names(series: &[Series]) -> Result<Vec<String>> {
    ensure!(!series.is_empty(), "a report needs at least one series");
    let mut names = BTreeSet::new();
    series
        .iter()
        .map(|Series { name, histogram }| {
            ensure!(!histogram.is_empty(), "series {name} has no values");
            let file = format!("{}.hgrm", slug(name));
            ensure!(names.insert(file.clone()), "two series would be written to {file}");
            Ok(file)
        })
        .collect()
}

/// `name` in small letters, digits and single dashes.
fn slug(name: &str) -> String {
    let name = name.to_lowercase();
    let words =
        name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn page(input: &ReportInput, files: &[String]) -> String {
    let mut page = format!("# {}\n\n", input.title);
    // A string takes all text.
    let mut add = |part: &str| {
        let _ = writeln!(page, "{part}");
    };
    if !input.table_markdown.trim().is_empty() {
        add(input.table_markdown.trim());
        add("");
    }
    add(&format!("![Percentiles]({PLOT})\n"));
    add(&percentile_table(input, files));
    add(&format!("Every value, as HdrHistogram's tools read it: [{LOG}]({LOG})\n"));
    add(input.environment.markdown().trim_end());
    page
}

/// Quantiles of the page's table, and their heads.
const COLUMNS: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

fn percentile_table(input: &ReportInput, files: &[String]) -> String {
    let heads: Vec<&str> = COLUMNS.iter().map(|(head, _)| *head).collect();
    let mut table = format!("| {} | {} | max | values |\n", input.unit, heads.join(" | "));
    table.push_str(&format!("|---|{}\n", "---:|".repeat(COLUMNS.len() + 2)));
    for (Series { name, histogram }, file) in input.series.iter().zip(files) {
        let values = COLUMNS.map(|(_, quantile)| histogram.value_at_quantile(quantile).to_string());
        let (values, max, count) = (values.join(" | "), histogram.max(), histogram.len());
        table.push_str(&format!("| [{name}]({file}) | {values} | {max} | {count} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        assert_eq!(slug("Strait, 48 B → far"), "strait-48-b-far");
        assert_eq!(slug("../up"), "up");
    }

    #[test]
    fn a_name_stands_for_one_file() {
        let mut histogram = Histogram::new(3).unwrap();
        histogram.record(1).unwrap();
        let series = |name: &str| Series { name: name.to_owned(), histogram: histogram.clone() };
        assert!(file_names(&[series("a b"), series("a-c")]).is_ok());
        assert!(file_names(&[series("a b"), series("a-b")]).is_err());
        assert!(file_names(&[]).is_err());
        let empty = Series { name: "none".to_owned(), histogram: Histogram::new(3).unwrap() };
        assert!(file_names(&[empty]).is_err());
    }
}
