//! The percentile table (`.hgrm`) in the form that HdrHistogram's own tools write, so that its
//! plotters read it.

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Lines per halving of what is left to 100 %.
const LINES_PER_HALF: u32 = 5;

/// The whole table, values as they are.
pub(super) fn table(histogram: &Histogram<u64>) -> String {
    let mut text = String::new();
    write_table(&mut text, histogram).expect("a string takes all text");
    text
}

fn write_table(out: &mut String, histogram: &Histogram<u64>) -> std::fmt::Result {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for step in histogram.iter_quantiles(LINES_PER_HALF) {
        let (value, quantile) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
        total += step.count_since_last_iteration();
        write!(out, "{value:>12.3} {quantile:>2.12} {total:>10}")?;
        // The last line, 100 %, has no finite inverse.
        if quantile < 1.0 {
            write!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(out)?;
    }
    let (mean, deviation) = (histogram.mean(), histogram.stdev());
    writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
    let (max, count) = (histogram.max() as f64, histogram.len());
    writeln!(out, "#[Max     = {max:>12.3}, Total count    = {count:>12}]")?;
    let (buckets, parts) = (histogram.buckets(), sub_buckets(histogram.sigfig()));
    writeln!(out, "#[Buckets = {buckets:>12}, SubBuckets     = {parts:>12}]")
}

/// Linear steps within a bucket: the power of two that tells `digits` decimal digits apart.
fn sub_buckets(digits: u8) -> u64 {
    (2 * 10_u64.pow(u32::from(digits))).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_usual_form() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).unwrap();
        (1..=1000).for_each(|value| histogram.record(value).unwrap());
        let text = table(&histogram);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("       Value     Percentile TotalCount 1/(1-Percentile)"));
        assert_eq!(lines.next(), Some(""));
        assert_eq!(lines.next(), Some("       1.000 0.000000000000          1           1.00"));
        assert!(
            text.contains("\n     500.000 0.500000000000        500           2.00\n"),
            "{text}"
        );
        assert!(text.contains("\n    1000.000 1.000000000000       1000\n#[Mean"), "{text}");
        assert!(
            text.contains("#[Max     =     1000.000, Total count    =         1000]"),
            "{text}"
        );
        assert!(text.ends_with("SubBuckets     =         2048]\n"), "{text}");
    }
}
