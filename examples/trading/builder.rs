//! The book builder: receives events, keeps the books, sends orders to the matching engine, measures, and
//! compares what it has in the end with what the feed expects.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hdrhistogram::Histogram;
use strait::rkyv::{deserialize, rancor};
use strait::{Receiver, RecvError};
use strait_pools::pool::PoolError;
use strait_tools::allocations;

use crate::answers::Heard;
use crate::book::Books;
use crate::broker::{Broker, Outcome};
use crate::channels::{self, BuilderEnds, Market};
use crate::clock::now_ns;
use crate::engine;
use crate::event::{Event, control};
use crate::feed::due_after_ns;
use crate::matcher::{Order, Tally};
use crate::report::Report;
use crate::summary::{BookSummary, Expected};
use crate::trader::Trader;

/// Latencies are told apart up to a minute, to three digits.
const LONGEST_NS: u64 = 60_000_000_000;

/// Where the book builder sends its orders, and how it reports.
#[derive(Args, Clone, Debug)]
pub(crate) struct BookOptions {
    /// Have the matching engine in this process, and not in another
    #[arg(long)]
    pub(crate) in_process: bool,

    /// Print the report as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the latencies to a folder: percentiles, a plot, a page
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

/// Runs the whole book builder, on `core` if it is pinned, and prints its report.
pub(crate) fn run(
    options: &BookOptions,
    market: &Market,
    core: Option<usize>,
) -> anyhow::Result<()> {
    let mut day = ReceivedDay::new()?;
    let services = market.services()?;
    let _here = options.in_process.then(|| engine::register(&services)).transpose()?;
    // From here on it makes no difference where the engine is.
    let mut broker = Broker::new(services)?;
    let mut ends = market.join_as_builder()?;
    // Everything is made, so the warm-up ends with the announcement that the day begins.
    day.take(&channels::opening(&mut ends.events)?)?;
    let (allocations, whole) = allocations::count(|| day.take_all(&mut ends, &mut broker));
    whole?;
    let BuilderEnds { mut expected, orders, notes, .. } = ends;
    // The feed, before it says what it expects, waits until no more orders can come.
    drop((orders, notes));
    let outcome = broker.finish()?;
    let comparison = compare(&day.books, outcome.tally.as_ref(), &mut expected)?;
    let report = day.report(comparison, outcome, allocations, core);
    println!("{}", if options.json { report.json() } else { report.text() });
    if let Some(folder) = &options.report {
        report.write_to(folder)?;
    }
    report.verdict()
}

/// What has come so far.
struct ReceivedDay {
    books: Books,
    trader: Trader,
    /// The sequence that has to come next.
    next: u64,
    received: u64,
    lost: u64,
    repeated: u64,
    torn: u64,
    /// The schedule in force: first message, when it was due, and how many a second.
    schedule: Schedule,
    /// Time during which the feed was sending.
    busy_ns: u64,
    latencies: Histogram<u64>,
    is_over: bool,
}

#[derive(Clone, Copy, Default)]
struct Schedule {
    first: u64,
    start_ns: u64,
    /// Zero: as fast as possible.
    rate: u64,
    announced_ns: u64,
}

impl ReceivedDay {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            books: Books::new()?,
            trader: Trader::default(),
            next: 0,
            received: 0,
            lost: 0,
            repeated: 0,
            torn: 0,
            schedule: Schedule::default(),
            busy_ns: 0,
            latencies: Histogram::new_with_bounds(1, LONGEST_NS, 3)?,
            is_over: false,
        })
    }

    fn take_all(&mut self, ends: &mut BuilderEnds, broker: &mut Broker) -> anyhow::Result<()> {
        while !self.is_over {
            let event = ends
                .events
                .recv()
                .with_context(|| format!("the day broke off after message {}", self.next))?;
            if let Some(order) = self.take(&event)? {
                // There is room: see `channels`.
                ends.orders.send(&order).context("the feed takes no more orders")?;
                broker.submit(order)?;
            }
        }
        Ok(())
    }

    /// Takes the next event into account. Returns the order that it prompts, if any.
    #[inline]
    fn take(&mut self, event: &Event) -> Result<Option<Order>, PoolError> {
        // Before anything else: what follows is not the channel's time.
        let received_ns = if self.schedule.rate == 0 { 0 } else { now_ns() };
        if !event.is_intact() {
            // Its place in the sequence is taken, whatever it says.
            self.torn += 1;
            self.next += 1;
            return Ok(None);
        }
        self.check_sequence(event.sequence);
        match event.kind {
            control::SCHEDULE => {
                self.schedule = Schedule {
                    first: event.sequence,
                    start_ns: event.timestamp_ns,
                    rate: event.order,
                    announced_ns: now_ns(),
                };
            }
            control::PAUSE => self.busy_ns += now_ns() - self.schedule.announced_ns,
            control::END => self.is_over = true,
            _ => {
                if let Schedule { first, start_ns, rate: rate @ 1.., .. } = self.schedule {
                    let due_ns =
                        start_ns + due_after_ns(event.sequence.saturating_sub(first), rate);
                    self.latencies.saturating_record(received_ns.saturating_sub(due_ns));
                }
                self.received += 1;
                self.next = event.sequence + 1;
                self.books.apply(event)?;
                return Ok(self.trader.consider(event, &self.books));
            }
        }
        Ok(None)
    }

    #[inline]
    fn check_sequence(&mut self, sequence: u64) {
        if sequence != self.next {
            self.lost += sequence.saturating_sub(self.next);
            self.repeated += self.next.saturating_sub(sequence).min(1);
            self.next = sequence;
        }
    }

    fn report(
        self,
        comparison: Comparison,
        outcome: Outcome,
        allocations: Option<u64>,
        core: Option<usize>,
    ) -> Report {
        let Comparison { differences, heard } = comparison;
        Report {
            core,
            allocations,
            outgrown: self.books.outgrew_room(),
            messages: self.received,
            totals: self.books.totals(),
            lost: self.lost,
            repeated: self.repeated,
            torn: self.torn,
            busy_ns: self.busy_ns,
            latencies: (self.schedule.rate > 0).then_some(self.latencies),
            books: self.books.summaries().collect(),
            differences,
            ordered: self.trader.ordered(),
            heard,
            outcome,
        }
    }
}

/// What the feed tells in the end.
#[derive(Default)]
struct Comparison {
    /// Every difference between what is there and what is expected, in words.
    differences: Vec<String>,
    heard: Heard,
}

/// Compares the books built, and what the engine tells, with what is expected.
fn compare(
    books: &Books,
    tally: Option<&Tally>,
    expected: &mut Receiver<Expected>,
) -> anyhow::Result<Comparison> {
    let Comparison { mut differences, mut heard } = Comparison::default();
    let mut built = by_stock(books);
    loop {
        match expected.recv() {
            Ok(message) => match deserialize::<_, rancor::Error>(&*message)? {
                Expected::Day(totals) => {
                    // It comes first: what came before it is left from a day that broke off.
                    differences.clear();
                    built = by_stock(books);
                    if totals != books.totals() {
                        let own = books.totals();
                        differences.push(format!("of the day: {own:?}, expected {totals:?}"));
                    }
                }
                Expected::Heard(told) => heard = told,
                Expected::Tally(expected) => {
                    if let Some(tally) = tally.filter(|tally| **tally != expected) {
                        differences.push(format!("the engine: {tally:?}, expected {expected:?}"));
                    }
                }
                Expected::Book(book) => match built.remove(&book.stock) {
                    Some(own) if own == book => {}
                    Some(own) => differences.push(format!("{own}, expected {book}")),
                    None => differences.push(format!("no book, expected {book}")),
                },
            },
            Err(RecvError::Closed(_)) => break,
            Err(error) => return Err(error).context("the expected books did not all come"),
        }
    }
    differences.extend(built.into_values().map(|book| format!("{book}, expected none")));
    Ok(Comparison { differences, heard })
}

fn by_stock(books: &Books) -> BTreeMap<u16, BookSummary> {
    books.summaries().map(|book| (book.stock, book)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Record;
    use crate::day::Day;
    use crate::itch;
    use crate::reference::Reference;

    #[test]
    fn lost_repeated_and_torn_messages_are_told_apart() {
        let mut day = ReceivedDay::new().unwrap();
        day.take(&Event::schedule(0, 0, 0)).unwrap();
        for sequence in [0, 1, 2, 5, 6] {
            day.take(&Event::market(sequence)).unwrap(); // 3 and 4 are lost
        }
        day.take(&Event::market(6)).unwrap();
        day.take(&Event { price: 1, ..Event::market(7) }).unwrap();
        day.take(&Event::market(8)).unwrap();
        day.take(&Event::pause(10)).unwrap(); // 9 is lost
        day.take(&Event::end(Record { messages: 10, digest: 0 })).unwrap();
        assert!(day.is_over);
        let Report { messages, lost, repeated, torn, .. } =
            day.report(Comparison::default(), Outcome::default(), None, None);
        assert_eq!((messages, lost, repeated, torn), (7, 3, 1, 1));
    }

    #[test]
    fn latency_counts_from_when_a_message_was_due() {
        let mut day = ReceivedDay::new().unwrap();
        let a_second_ago = now_ns() - 1_000_000_000;
        day.take(&Event::schedule(0, a_second_ago, 10)).unwrap();
        day.take(&Event::market(0)).unwrap();
        day.take(&Event::market(1)).unwrap();
        let latencies = day
            .report(Comparison::default(), Outcome::default(), None, None)
            .latencies
            .expect("a rate was announced");
        // Due 1.0 s and 0.9 s ago; no more than a minute is recorded.
        assert_eq!(latencies.len(), 2);
        assert!(latencies.min() >= 890_000_000, "{}", latencies.min());
        assert!(latencies.max() >= 990_000_000, "{}", latencies.max());
    }

    #[test]
    fn books_that_differ_from_those_expected_are_told() {
        let mut bytes = Vec::new();
        Day::new(5_000, 3).write_some(&mut bytes, usize::MAX);
        let (mut books, mut reference) = (Books::new().unwrap(), Reference::new());
        for (sequence, message) in (0..).zip(itch::messages(&bytes)) {
            books.apply(&Event::from_itch(sequence, message)).unwrap();
            reference.read(message);
        }
        let domain = strait::Domain::open(&format!("test-{}", std::process::id())).unwrap();
        let differences = |refused, change: fn(&mut BookSummary)| {
            let channel = || domain.spsc::<Expected>("expected").capacity(128).max_len(512);
            let (mut sender, mut receiver) =
                (channel().sender().unwrap(), channel().receiver().unwrap());
            sender.send(&Expected::Day(reference.totals())).unwrap();
            sender.send(&Expected::Tally(Tally { refused, ..Tally::default() })).unwrap();
            for mut book in reference.summaries() {
                change(&mut book);
                sender.send(&Expected::Book(book)).unwrap();
            }
            drop(sender);
            compare(&books, Some(&Tally::default()), &mut receiver).unwrap().differences
        };
        assert_eq!(differences(0, |_| {}), Vec::<String>::new());
        assert_eq!(differences(0, |book| book.asks.shares += 1).len(), 64);
        assert_eq!(differences(0, |book| book.bids.digest ^= u64::from(book.stock == 5)).len(), 1);
        assert_eq!(differences(1, |_| {}).len(), 1, "the engine refused too few");
        // A book under another number is one too many and one too few.
        assert_eq!(differences(0, |book| book.stock += 1).len(), 65);
    }
}
