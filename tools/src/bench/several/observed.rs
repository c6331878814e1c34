//! What it costs to be looked at: streams beside the same streams while `strait top` looks at them.
//!
//! Two cores may be all there are, so whoever looks shares the sender's: what it takes is taken from the
//! stream. On a core of its own it takes less.

use super::{Body, Ratio, Row, in_turn};
use crate::bench::clock::{self, Clock, ticks};
use crate::operate::{TOP_INTERVAL, top_looks};
use anyhow::{Result, anyhow};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use strait_ipc::channel::{Broadcast, Join, Slow, Spsc};
use strait_ipc::segment::Directory;
use tempfile::TempDir;

pub(super) const RATIOS: &[Ratio] = &[
    ("SPSC, a look every second", "SPSC, nobody looks"),
    ("SPSC, a look every 10 ms", "SPSC, nobody looks"),
    ("broadcast, a look every 10 ms", "broadcast, nobody looks"),
];

/// An interval that nobody needs.
const HARSH: Duration = Duration::from_millis(10);

/// A stream lasts for so many looks, but no longer than between two of the usual ones.
const LOOKS: u32 = 20;

/// What streams, and how often it is looked at.
const MEASURED: &[(&str, Stream, Option<Duration>)] = &[
    ("SPSC, nobody looks", spsc, None),
    ("SPSC, a look every second", spsc, Some(TOP_INTERVAL)),
    ("SPSC, a look every 10 ms", spsc, Some(HARSH)),
    ("broadcast, nobody looks", broadcast, None),
    ("broadcast, a look every 10 ms", broadcast, Some(HARSH)),
];

/// Messages between two looks at the clock.
const BLOCK: u64 = 1024;

/// Tells the receiver that it was the last.
const LAST: u64 = u64::MAX;

type Stream = fn(&Place, Option<Duration>) -> Result<f64>;

/// Where, and how much.
struct Place {
    count: u64,
    near: usize,
    far: usize,
    clock: Clock,
    files: TempDir,
}

/// Everything once, beginning with another each time. Streams are of `count` messages at least, and take as
/// long as the looks do that belong to them.
pub(super) fn round(
    turn: u64,
    count: u64,
    (near, far): (usize, usize),
    clock: Clock,
) -> Result<Row> {
    let files = tempfile::Builder::new().prefix("strait-bench-").tempdir_in("/dev/shm")?;
    let place = Place { count, near, far, clock, files };
    let mut row = Row::new();
    for (name, stream, interval) in in_turn(turn, MEASURED) {
        row.insert(name, stream(&place, *interval)?);
    }
    row.insert("a look, processor time per channel", look(&place)?);
    Ok(row)
}

impl Place {
    fn directory(&self) -> Directory {
        Directory::from(self.files.path())
    }

    /// Nanoseconds per message of what `send` sends and `receive` receives on the other core, while
    /// somebody looks every `interval`.
    fn stream(
        &self,
        interval: Option<Duration>,
        mut send: impl FnMut(&Body) -> Result<()>,
        mut receive: impl FnMut() -> Result<u64> + Send,
    ) -> Result<f64> {
        let lasts = interval.unwrap_or(HARSH).saturating_mul(LOOKS).min(TOP_INTERVAL);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let receiving = scope.spawn(move || -> Result<u64> {
                clock::pin(self.far)?;
                let mut next = 0;
                loop {
                    match receive()? {
                        LAST => return Ok(ticks()),
                        number => assert_eq!(number, next, "lost and not told"),
                    }
                    next += 1;
                }
            });
            let looking = interval.map(|interval| {
                let over = &over;
                scope.spawn(move || self.look_every(interval, over))
            });
            let (deadline, began) = (Instant::now() + lasts, ticks());
            let mut number = 0;
            while number < self.count || Instant::now() < deadline {
                for _ in 0..BLOCK {
                    send(&Body::of(number))?;
                    number += 1;
                }
            }
            send(&Body::of(LAST))?;
            let ended = receiving.join().map_err(|_| anyhow!("the receiver panicked"))??;
            over.store(true, Relaxed);
            if let Some(looking) = looking {
                looking.thread().unpark();
                looking.join().map_err(|_| anyhow!("whoever looks panicked"))??;
            }
            Ok(self.clock.ns(ended - began) / (number + 1) as f64)
        })
    }

    /// Looks in the middle of each interval, as `strait top` does, until it is over.
    fn look_every(&self, interval: Duration, over: &AtomicBool) -> Result<()> {
        clock::pin(self.near)?;
        let mut look = top_looks(self.files.path().to_owned());
        let mut due = Instant::now() + interval / 2;
        loop {
            while Instant::now() < due {
                std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
                if over.load(Relaxed) {
                    return Ok(());
                }
            }
            look()?;
            due += interval;
        }
    }
}

fn spsc(place: &Place, interval: Option<Duration>) -> Result<f64> {
    let open = || Spsc::<Body>::named(place.directory(), "bench", "spsc").capacity(1024);
    let (mut sender, mut receiver) = (open().sender()?, open().receiver()?);
    place.stream(interval, |body| Ok(sender.send(body)?), move || Ok(receiver.recv()?.number()))
}

fn broadcast(place: &Place, interval: Option<Duration>) -> Result<f64> {
    let open = || Broadcast::<Body>::named(place.directory(), "bench", "news").capacity(1024);
    let mut sender = open().sender()?;
    let mut receiver = open().receiver(Join::Oldest, Slow::Gate)?;
    place.stream(interval, |body| Ok(sender.send(body)?), move || Ok(receiver.recv()?.number()))
}

/// Processor time of a look at channels with both sides attached, in nanoseconds per channel.
fn look(place: &Place) -> Result<f64> {
    const CHANNELS: u32 = 16;
    const TIMES: u32 = 20;
    let mut sides = Vec::new();
    for channel in 0..CHANNELS {
        let open = || {
            let name = format!("c{channel}");
            Spsc::<Body>::named(place.directory(), "bench", &name).capacity(1024)
        };
        let (mut sender, receiver) = (open().sender()?, open().receiver()?);
        // The hint lags behind: there is something to find.
        (0..200).try_for_each(|number| sender.send(&Body::of(number)))?;
        sides.push((sender, receiver));
    }
    let mut look = top_looks(place.files.path().to_owned());
    look()?;
    let began = processor_ns();
    for _ in 0..TIMES {
        look()?;
    }
    let spent = processor_ns() - began;
    Ok(spent as f64 / f64::from(TIMES * CHANNELS))
}

/// Of this thread.
fn processor_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
