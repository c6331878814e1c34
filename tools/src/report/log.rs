//! The histogram log (`.hlog`, version 2): every series in full, one tagged line each.

use super::{ReportInput, slug};
use anyhow::{Result, anyhow};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::time::{Duration, SystemTime};

/// The log's text.
///
/// What is measured has no place in time within a report, so every interval begins with the log and
/// has no length.
pub(super) fn write(input: &ReportInput) -> Result<Vec<u8>> {
    let now = SystemTime::now();
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&input.title.replace('\n', " "))
        .add_comment(&format!("values in {}", input.unit))
        .with_start_time(now)
        .with_base_time(now)
        // The column for people shows the maximum in the unit of the values.
        .with_max_value_divisor(1.0)
        .begin_log_with(&mut bytes, &mut serializer)?;
    for series in &input.series {
        let tag = slug(&series.name);
        let tag = Tag::new(&tag);
        log.write_histogram(&series.histogram, Duration::ZERO, Duration::ZERO, tag)
            .map_err(|error| anyhow!("{} does not go into the log: {error:?}", series.name))?;
    }
    Ok(bytes)
}
