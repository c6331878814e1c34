//! The same for programs: a line for each look.

use super::Source;
use super::model::Row;
use anyhow::Result;
use serde::Serialize;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// One look.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// When, in nanoseconds since 1970-01-01 00:00 UTC.
    unix_ns: u64,
    /// Seconds since the look before; null in the first line, in which there are no rates.
    elapsed_s: Option<f64>,
    directory: String,
    channels: &'a [Row],
}

/// Writes a line at once and one after each interval: `count` of them, or until the reader is gone.
pub(super) fn run(
    mut source: Source,
    interval: Duration,
    count: Option<u64>,
    mut to: impl Write,
) -> Result<()> {
    let mut due = Instant::now();
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let board = source.look()?;
        let line = Line {
            unix_ns: board.unix_ns,
            elapsed_s: source.elapsed.map(|elapsed| elapsed.as_secs_f64()),
            directory: source.place.directory.display().to_string(),
            channels: &board.rows,
        };
        match write(&mut to, &line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
        // A look that took longer than the interval is not made up for.
        due = (due + interval).max(Instant::now());
        left -= 1;
    }
    Ok(())
}

fn write(to: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    to.write_all(text.as_bytes())?;
    to.flush()
}
