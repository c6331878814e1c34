//! `strait top`: what all channels do, look after look.
//!
//! | file | what it holds |
//! |---|---|
//! | this one | what can be asked for, and [`Source`]: look after look |
//! | `model.rs` | from two looks to rates, depths and sides |
//! | `problems.rs` | what is wrong with a channel, in words |
//! | `view.rs` | what the person has chosen to see; keys |
//! | `screen.rs` | the table, header, footer and help |
//! | `detail.rs` | all there is to tell of one channel |
//! | `terminal.rs` | the loop around a terminal |
//! | `stream.rs` | a line of JSON for each look |
//! | `figures.rs` | numbers and times in few characters |

mod detail;
mod figures;
mod model;
mod problems;
mod screen;
mod stream;
mod terminal;
mod view;

use super::Place;
use anyhow::{Result, ensure};
use model::Counted;
use screen::Board;
use std::io::stdout;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use strait_ipc::segment::SegmentName;
use view::{Sort, View};

/// How often it looks, unless told otherwise.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// What to watch, and how to tell.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only channels of this domain
    domain: Option<String>,
    /// Time from one look to the next, such as 500ms or 2s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// What is on top
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// With --json, stop after so many lines
    #[arg(long, value_name = "N", requires = "json", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    place: Place,
}

/// Shows all channels until the person quits, or prints a line for each look.
///
/// # Errors
///
/// The domain is not the name of one, the directory cannot be listed, or there is no terminal.
pub fn command(options: &Options) -> Result<()> {
    let Options { domain, interval, sort, count, place } = options.clone();
    domain.as_deref().map_or(Ok(()), SegmentName::check_domain)?;
    let possible = Duration::from_millis(10)..=Duration::from_secs(3600);
    ensure!(possible.contains(&interval), "an interval is between 10ms and 1h");
    let json = place.json;
    let source = Source::new(place, domain);
    if json {
        stream::run(source, interval, count, stdout().lock())
    } else {
        terminal::run(source, View::new(sort, interval))
    }
}

/// Look after look at one place.
struct Source {
    place: Place,
    domain: Option<String>,
    /// What was counted at the last look,
    counted: Counted,
    /// which was then,
    last: Option<Instant>,
    /// and so long after the one before it.
    elapsed: Option<Duration>,
}

/// Looks at all channels in `directory` as the command does; each tells how many there are.
pub(crate) fn looks(directory: PathBuf) -> impl FnMut() -> Result<usize> {
    let mut source = Source::new(Place { directory, json: true }, None);
    move || Ok(source.look()?.rows.len())
}

impl Source {
    fn new(place: Place, domain: Option<String>) -> Self {
        Self { place, domain, counted: Counted::default(), last: None, elapsed: None }
    }

    /// Looks at everything.
    ///
    /// # Errors
    ///
    /// The directory cannot be listed.
    fn look(&mut self) -> Result<Board> {
        let surveys = self.place.find(self.domain.as_deref(), None)?;
        let now = Instant::now();
        self.elapsed = self.last.replace(now).map(|last| now - last);
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Board {
            rows: model::rows(&surveys, &mut self.counted, self.elapsed.unwrap_or_default()),
            trouble: None,
            unix_ns: u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX),
            place: self.place.describe(self.domain.as_deref(), None).trim_start().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
