//! A report's files, read back as other programs read them.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::fs;
use strait_tools::environment::environment;
use strait_tools::report::{self, ReportInput, Series};

/// A smooth body with a rare, long tail.
fn histogram(scale: u64) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    let mut state = scale;
    for _ in 0..200_000 {
        // An LCG's upper bits are random enough to look at.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // 1 in half of the cases, 2 or more in a third, a million once in a million.
        let rarity = (1 << 20) / ((state >> 44) + 1);
        histogram.record(scale + scale / 20 * rarity / 2).unwrap();
    }
    histogram
}

fn input() -> ReportInput {
    let series = |name: &str, scale| Series { name: name.to_owned(), histogram: histogram(scale) };
    ReportInput {
        title: "Round trip of 48 bytes, near cores".to_owned(),
        unit: "ns",
        series: vec![series("bare cache lines", 130), series("Strait channel", 125)],
        table_markdown: "| round | ratio |\n|---|---|\n| 1 | 0.97 |\n".to_owned(),
        environment: environment(),
    }
}

#[test]
fn a_report_is_a_page_a_plot_a_log_and_a_table_per_series() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/if/need/be");
    let input = input();
    let written = report::write(&folder, &input).unwrap();
    let names: Vec<&str> =
        written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    let expected = [
        "bare-cache-lines.hgrm",
        "strait-channel.hgrm",
        "histograms.hlog",
        "percentiles.svg",
        "report.md",
    ];
    assert_eq!(names, expected);
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();

    let page = text("report.md");
    assert!(
        page.starts_with("# Round trip of 48 bytes, near cores\n\n| round | ratio |"),
        "{page}"
    );
    for part in ["(percentiles.svg)", "(strait-channel.hgrm)", &input.environment.kernel] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    let plot = text("percentiles.svg");
    for part in ["Strait channel", "bare cache lines", "99.99%", "µs", "percentile"] {
        assert!(plot.contains(part), "no {part} in the plot");
    }
    assert!(text("strait-channel.hgrm").contains("Total count    =       200000]"));
}

#[test]
fn the_log_holds_every_value() {
    let folder = tempfile::tempdir().unwrap();
    let input = input();
    report::write(folder.path(), &input).unwrap();
    let log = fs::read(folder.path().join("histograms.hlog")).unwrap();
    let mut read = Vec::new();
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let bytes = base64(interval.encoded_histogram());
            let histogram: Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            read.push((interval.tag().unwrap().as_str().to_owned(), histogram));
        }
    }
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].0.as_str(), &read[0].1), ("bare-cache-lines", &input.series[0].histogram));
    assert_eq!((read[1].0.as_str(), &read[1].1), ("strait-channel", &input.series[1].histogram));
}

/// Decodes base64 with its usual alphabet.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<usize> =
        text.trim_end_matches('=').chars().map(|c| ALPHABET.find(c).unwrap()).collect();
    let bits = |index: usize| digits.get(index).copied().unwrap_or(0);
    (0..digits.len() * 6 / 8)
        .map(|byte| {
            let first = byte * 8 / 6;
            let pair = bits(first) << 6 | bits(first + 1);
            u8::try_from(pair >> (4 - byte * 8 % 6) & 0xff).unwrap()
        })
        .collect()
}
