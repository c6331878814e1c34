//! The feed handler: reads ITCH, sends events and takes orders meanwhile, and in the end says what the
//! books should be.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use strait_tools::allocations;

use crate::answers::{Desk, Record};
use crate::channels::{BATCH, FeedEnds, Market};
use crate::clock::now_ns;
use crate::day::{self, Day};
use crate::event::Event;
use crate::input::Input;
use crate::itch;
use crate::reference::Reference;
use crate::summary::Expected;

/// Messages between two updates of the progress bar.
const PROGRESS_STEP: u64 = 1 << 16;

/// Time between two drawings of it.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Time between the announcement of a schedule and its first message.
const LEAD_NS: u64 = 1_000_000;

/// What is fed, and how fast.
#[derive(Args, Clone, Debug)]
pub(crate) struct FeedOptions {
    /// A file of ITCH 5.0 messages, plain or gzip [default: a synthetic day]
    #[arg(long, value_name = "FILE")]
    pub(crate) itch: Option<PathBuf>,

    /// Length of the synthetic day
    #[arg(long, value_name = "N", default_value_t = 10_000_000, conflicts_with = "itch",
          value_parser = clap::value_parser!(u64).range(day::SHORTEST..))]
    pub(crate) messages: u64,

    /// Seed of the synthetic day
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "itch")]
    pub(crate) seed: u64,

    /// Messages a second, each due at its time; latency counts from then [default: as fast as
    /// possible, without latencies]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) rate: Option<u64>,
}

/// Runs the whole feed, and fails if sending took memory from the heap.
pub(crate) fn run(options: &FeedOptions, market: &Market) -> anyhow::Result<()> {
    let mut input = match &options.itch {
        Some(path) => Input::open(path)?,
        None => Input::synthetic(Day::new(options.messages, options.seed)),
    };
    let progress = Progress::new(input.messages(), options.rate.is_none());
    progress.phase("reading");
    // A bad file is told before anybody is connected.
    let mut more = input.load()?;

    let ends = market.join_as_feed()?;
    let mut sending = Sending { market, ends, desk: Desk::new(), sent: Record::default() };
    let rate = options.rate.unwrap_or(0);
    let mut reference = Reference::new();
    let mut allocated = 0;
    while more {
        progress.phase("sending");
        let start_ns = now_ns() + LEAD_NS;
        let schedule = Event::schedule(sending.sent.messages, start_ns, rate);
        sending.ends.events.send(&schedule)?;
        let (allocations, outcome) = allocations::count(|| {
            if rate == 0 {
                sending.send_fast(input.stretch(), &progress)
            } else {
                sending.send_paced(input.stretch(), start_ns, rate)
            }
        });
        outcome?;
        allocated += allocations.unwrap_or(0);
        sending.ends.events.send(&Event::pause(sending.sent.messages))?;

        progress.phase("checking");
        itch::messages(input.stretch()).for_each(|message| reference.read(message));
        reference.orders.extend(sending.desk.taken());
        progress.phase("reading");
        more = input.load()?;
    }
    let Sending { mut ends, mut desk, sent, .. } = sending;
    ends.events.send(&Event::end(sent))?;
    let recorded = ends.hear_out(&mut desk, sent)?;
    reference.orders.extend(desk.taken());
    ends.expected.send(&Expected::Day(reference.totals()))?;
    ends.expected.send(&Expected::Heard(desk.close(sent, recorded)))?;
    ends.expected.send(&Expected::Tally(reference.tally()))?;
    for book in reference.summaries() {
        ends.expected.send(&Expected::Book(book))?;
    }
    progress.finish();
    if allocated > 0 {
        bail!("the feed allocated {allocated} times while it sent");
    }
    Ok(())
}

/// A day on its way.
struct Sending<'a> {
    market: &'a Market,
    ends: FeedEnds,
    desk: Desk,
    sent: Record,
}

impl Sending<'_> {
    /// Sends a stretch as fast as the slower listener takes it.
    fn send_fast(&mut self, stretch: &[u8], progress: &Progress) -> anyhow::Result<()> {
        for message in itch::messages(stretch) {
            self.send(&Event::from_itch(self.sent.messages, message))?;
            if self.sent.messages.is_multiple_of(PROGRESS_STEP) {
                progress.sent(self.sent.messages);
            }
        }
        Ok(())
    }

    /// Sends each message of a stretch at its time, or at once when that is over: none is left out
    /// because a listener is slow.
    fn send_paced(&mut self, stretch: &[u8], start_ns: u64, rate: u64) -> anyhow::Result<()> {
        // No progress here: to draw it takes longer than the time between two messages.
        for (index, message) in (0..).zip(itch::messages(stretch)) {
            let event = Event::from_itch(self.sent.messages, message);
            let due_ns = start_ns + due_after_ns(index, rate);
            while now_ns() < due_ns {
                self.market.pause();
            }
            self.send(&event)?;
        }
        Ok(())
    }

    #[inline]
    fn send(&mut self, event: &Event) -> anyhow::Result<()> {
        self.ends.events.send(event)?;
        self.sent.add(event);
        if self.sent.messages.is_multiple_of(BATCH) {
            self.ends.take_orders(&mut self.desk, self.sent.messages)?;
        }
        Ok(())
    }
}

/// When message `index` of a schedule is due, counted from the schedule's start.
pub(crate) fn due_after_ns(index: u64, rate: u64) -> u64 {
    // Seconds and the rest apart, lest the product overflow.
    index / rate * 1_000_000_000 + index % rate * 1_000_000_000 / rate
}

/// A bar on the terminal; nothing where standard error is not one.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For a feed that is `fast`, drawn now and then by a thread of its own; else whenever a phase begins.
    fn new(messages: Option<u64>, fast: bool) -> Self {
        let style = match messages {
            Some(_) => "{msg:8} {wide_bar} {human_pos} / {human_len} messages",
            None => "{msg:8} {spinner} {human_pos} messages",
        };
        let bar = messages.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let bar = bar.with_style(ProgressStyle::with_template(style).expect("a valid template"));
        if fast && !bar.is_hidden() {
            bar.enable_steady_tick(DRAW_EVERY);
        }
        Self { bar }
    }

    fn phase(&self, name: &'static str) {
        self.bar.set_message(name);
    }

    fn sent(&self, messages: u64) {
        self.bar.set_position(messages);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::due_after_ns;

    #[test]
    fn due_times_neither_drift_nor_overflow() {
        assert_eq!(due_after_ns(0, 3), 0);
        assert_eq!(due_after_ns(1, 3), 333_333_333);
        assert_eq!(due_after_ns(3_000_000, 3), 1_000_000_000_000_000);
        assert_eq!(due_after_ns(50_000_000_001, 1_000_000), 50_000_000_001_000);
    }
}
