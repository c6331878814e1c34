//! What the book builder reports: tables for people, one JSON object for programs, and a folder with
//! a plot.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, bail};
use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use strait_tools::environment::environment;
use strait_tools::report::{self, ReportInput, Series};

use crate::answers::{Heard, Record};
use crate::book::{BOOKS, LEVELS, ORDERS};
use crate::broker::Outcome;
use crate::itch;
use crate::summary::{BookSummary, SideSummary, Totals, dollars};

/// Books shown in the table; JSON has all of them.
const BOOKS_SHOWN: usize = 20;

/// Percentiles of the latency table.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// The outcome of a day.
#[derive(Debug)]
pub(crate) struct Report {
    /// Market messages received.
    pub(crate) messages: u64,
    /// Their types, and what they amount to.
    pub(crate) totals: Totals,
    /// Sequences that never came.
    pub(crate) lost: u64,
    /// Messages whose sequence had come before.
    pub(crate) repeated: u64,
    /// Messages whose checksum is wrong.
    pub(crate) torn: u64,
    /// Time during which messages were sent.
    pub(crate) busy_ns: u64,
    /// The core that the book builder was pinned to.
    pub(crate) core: Option<usize>,
    /// Allocations that it made from the beginning of the day to its end, if they were counted.
    pub(crate) allocations: Option<u64>,
    /// Whether the day was larger than the room that was made for it.
    pub(crate) outgrown: bool,
    /// From the time each message was due; none when they were sent as fast as possible.
    pub(crate) latencies: Option<Histogram<u64>>,
    /// The books at the end of the day.
    pub(crate) books: Vec<BookSummary>,
    /// How they, and what the engine tells, differ from what the feed expects.
    pub(crate) differences: Vec<String>,
    /// Orders sent.
    pub(crate) ordered: u64,
    /// What the feed received of them, and the recorder of everything.
    pub(crate) heard: Heard,
    /// What the engine made of them.
    pub(crate) outcome: Outcome,
}

impl Report {
    /// Messages a second while they were sent.
    fn rate(&self) -> f64 {
        self.messages as f64 * 1e9 / self.busy_ns.max(1) as f64
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text).expect("a string takes all text");
        text
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let Self { messages, lost, repeated, torn, .. } = self;
        writeln!(out, "{}", self.types_table())?;
        writeln!(
            out,
            "{messages} messages in {:.3} s: {:.0} a second",
            self.busy_ns as f64 / 1e9,
            self.rate()
        )?;
        writeln!(out, "lost {lost}, repeated {repeated}, torn {torn}")?;
        writeln!(out, "{}", self.answers())?;
        writeln!(out, "{}\n", self.warmth())?;
        match &self.latencies {
            Some(latencies) => writeln!(out, "{}\n", latency_table(latencies))?,
            None => writeln!(out, "Latency is measured at a given rate: --rate N\n")?,
        }
        writeln!(out, "{}", self.books_table())?;
        if let Some(more) = self.books.len().checked_sub(BOOKS_SHOWN + 1) {
            writeln!(out, "… and {} more: --json lists them all", more + 1)?;
        }
        if self.totals.unknown_orders > 0 {
            writeln!(
                out,
                "{} messages concern orders that were never added",
                self.totals.unknown_orders
            )?;
        }
        let (books, differences) = (self.books.len(), self.differences.len());
        write!(out, "{books} books compared with the reference, {differences} differences")?;
        self.differences.iter().try_for_each(|difference| write!(out, "\n{difference}"))
    }

    /// What became of the orders and the record.
    fn answers(&self) -> String {
        let Self { ordered, heard: Heard { orders, disorderly, recorded, .. }, outcome, .. } = self;
        let Outcome { accepted, refused, in_doubt, untaken, engine_left, .. } = outcome;
        let left = if *engine_left {
            format!("; an engine left: in doubt {in_doubt}, not taken {untaken}")
        } else {
            String::new()
        };
        let recorded = match recorded {
            Some(Record { messages, digest }) => format!("{messages}, digest {digest:016x}"),
            None => "nothing: the recorder left before the end".to_owned(),
        };
        format!(
            "ordered {ordered}, received {orders}, out of order {disorderly}\n\
             accepted {accepted}, refused {refused}{left}\nrecorded {recorded}"
        )
    }

    /// Where the book builder ran, and what it allocated meanwhile.
    fn warmth(&self) -> String {
        let place = match self.core {
            Some(core) => format!("pinned to core {core}"),
            None => "not pinned".to_owned(),
        };
        let heap = match self.allocations {
            None => "heap allocations not counted".to_owned(),
            Some(0) => "no heap allocation after warm-up".to_owned(),
            Some(count) => format!("{count} heap allocations after warm-up"),
        };
        let why = if self.outgrown {
            format!(
                ": more than {ORDERS} orders at a time, {BOOKS} books or {LEVELS} prices a side, \
                 for which there was room"
            )
        } else {
            String::new()
        };
        format!("book builder {place}, {heap}{why}")
    }

    fn types_table(&self) -> Table {
        let mut table = table(["type", "", "messages"], &[2]);
        for count in &self.totals.by_type {
            let name = itch::TYPES.iter().find(|known| known.0 == count.kind).map_or("", |t| t.2);
            let letter = char::from(count.kind).to_string();
            table.add_row([letter, name.to_owned(), count.messages.to_string()]);
        }
        table
    }

    fn books_table(&self) -> Table {
        let header = ["stock", "levels", "shares", "best bid", "best ask", "shares", "levels"];
        let mut table = table(header, &[1, 2, 3, 5, 6]);
        for book in self.books.iter().take(BOOKS_SHOWN) {
            table.add_row([
                book.symbol.clone(),
                book.bids.levels.to_string(),
                book.bids.shares.to_string(),
                best(&book.bids, |shares, price| format!("{shares} × {price}")),
                best(&book.asks, |shares, price| format!("{price} × {shares}")),
                book.asks.shares.to_string(),
                book.asks.levels.to_string(),
            ]);
        }
        table
    }

    /// For programs: one object on one line.
    pub(crate) fn json(&self) -> String {
        let percentile = |p| self.latencies.as_ref().map(|all| all.value_at_percentile(p));
        let by_type: Map<String, Value> = self
            .totals
            .by_type
            .iter()
            .map(|count| (char::from(count.kind).to_string(), count.messages.into()))
            .collect();
        json!({
            "messages": self.messages,
            "by_type": by_type,
            "lost": self.lost,
            "repeated": self.repeated,
            "torn": self.torn,
            "digest": hexadecimal(self.heard.sent),
            "recorded": self.heard.recorded.map(|record| record.messages),
            "record_digest": self.heard.recorded.map(hexadecimal),
            "orders_sent": self.ordered,
            "orders_received": self.heard.orders,
            "orders_out_of_order": self.heard.disorderly,
            "orders_accepted": self.outcome.accepted,
            "orders_refused": self.outcome.refused,
            "orders_in_doubt": self.outcome.in_doubt,
            "orders_not_taken": self.outcome.untaken,
            "engine_left": self.outcome.engine_left,
            "core": self.core,
            "allocations_after_warm_up": self.allocations,
            "outgrown": self.outgrown,
            "unknown_orders": self.totals.unknown_orders,
            "p50_ns": percentile(50.0),
            "p90_ns": percentile(90.0),
            "p99_ns": percentile(99.0),
            "p999_ns": percentile(99.9),
            "p9999_ns": percentile(99.99),
            "max_ns": self.latencies.as_ref().map(Histogram::max),
            "msgs_per_s": self.rate().round(),
            "books": self.books.iter().map(book_json).collect::<Vec<_>>(),
            "differences": self.differences,
        })
        .to_string()
    }

    /// Writes the latencies to a folder, as percentiles, a plot and a page.
    pub(crate) fn write_to(&self, folder: &Path) -> anyhow::Result<()> {
        let Self { messages, lost, repeated, torn, .. } = self;
        let latencies = self.latencies.as_ref();
        let latencies = latencies.context("there is no latency to report without --rate")?;
        let input = ReportInput {
            title: "From when a message was due to its receipt".to_owned(),
            unit: "ns",
            series: vec![Series { name: "trading".to_owned(), histogram: latencies.clone() }],
            table_markdown: format!(
                "| messages | a second | lost | repeated | torn |\n|---:|---:|---:|---:|---:|\n\
                 | {messages} | {:.0} | {lost} | {repeated} | {torn} |",
                self.rate()
            ),
            environment: environment(),
        };
        report::write(folder, &input).map(drop)
    }

    /// An error unless every message arrived, once and intact, and so did every order, each of which was
    /// answered; the books, the engine's tally and the record, if there are any, are as expected; and nothing
    /// was allocated on the way though there was room for the day.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        let Self { lost, repeated, torn, ordered, .. } = self;
        let Heard { orders, disorderly, sent, recorded } = self.heard;
        if lost + repeated + torn > 0 {
            bail!("the channel lost {lost} messages, repeated {repeated} and tore {torn}");
        }
        if orders != *ordered || disorderly > 0 {
            bail!(
                "{ordered} orders were sent, {orders} received, {disorderly} of them out of order"
            );
        }
        let Outcome { accepted, refused, in_doubt, untaken, engine_left, .. } = self.outcome;
        if accepted + refused != *ordered {
            bail!(
                "{ordered} orders were sent, {accepted} accepted and {refused} refused: an engine that left \
                 may have seen {in_doubt}, and {untaken} found none"
            );
        }
        if let Some(recorded) = recorded.filter(|&recorded| recorded != sent) {
            bail!("the recorder has {recorded:?}, and {sent:?} was sent");
        }
        if let Some(count @ 1..) = self.allocations
            && !self.outgrown
            // To find another one allocates.
            && !engine_left
        {
            bail!("the book builder allocated {count} times after its warm-up");
        }
        match self.differences.first() {
            Some(first) => {
                let count = self.differences.len();
                bail!("{count} differences from the reference; the first is {first}")
            }
            None => Ok(()),
        }
    }
}

fn table<const N: usize>(header: [&str; N], right_aligned: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(header);
    for &index in right_aligned {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn latency_table(latencies: &Histogram<u64>) -> Table {
    let mut table = table(["latency", "ns"], &[1]);
    for percentile in PERCENTILES {
        let value = latencies.value_at_percentile(percentile);
        table.add_row([format!("p{percentile}"), value.to_string()]);
    }
    table.add_row(["max".to_owned(), latencies.max().to_string()]);
    table
}

fn best(side: &SideSummary, show: impl Fn(u64, String) -> String) -> String {
    side.best.first().map_or(String::new(), |level| show(level.shares, dollars(level.price)))
}

fn hexadecimal(record: Record) -> String {
    format!("{:016x}", record.digest)
}

fn book_json(book: &BookSummary) -> Value {
    let side = |side: &SideSummary| {
        let best = side.best.first();
        json!({
            "price": best.map(|level| f64::from(level.price) / 10_000.0),
            "shares": best.map(|level| level.shares),
            "levels": side.levels,
            "depth": side.shares,
        })
    };
    json!({ "stock": book.symbol, "bid": side(&book.bids), "ask": side(&book.asks) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Level;

    fn report() -> Report {
        let mut counts = [0; 256];
        counts[usize::from(b'A')] = 3;
        let bid = Level { price: 123_400, shares: 300 };
        let book = BookSummary {
            stock: 1,
            symbol: "ALC".to_owned(),
            bids: SideSummary::of([bid].into_iter()),
            asks: SideSummary::default(),
        };
        let record = Record { messages: 3, digest: 0xfeed };
        Report {
            messages: 3,
            totals: Totals::new(&counts, 0, 1),
            lost: 0,
            repeated: 0,
            torn: 0,
            busy_ns: 1_500_000_000,
            core: Some(1),
            allocations: Some(0),
            outgrown: false,
            latencies: None,
            books: vec![book],
            differences: vec![],
            ordered: 2,
            heard: Heard { orders: 2, disorderly: 0, sent: record, recorded: Some(record) },
            outcome: Outcome { accepted: 1, refused: 1, ..Outcome::default() },
        }
    }

    #[test]
    fn a_report_for_people() {
        let mut report = report();
        let mut latencies = Histogram::new(3).unwrap();
        latencies.record_n(150, 99).unwrap();
        latencies.record(2_000).unwrap();
        report.latencies = Some(latencies);
        insta::assert_snapshot!(report.text(), @r"
        ┌─────────────────────────────┐
        │ type               messages │
        ╞═════════════════════════════╡
        │ A      add order          3 │
        └─────────────────────────────┘
        3 messages in 1.500 s: 2 a second
        lost 0, repeated 0, torn 0
        ordered 2, received 2, out of order 0
        accepted 1, refused 1
        recorded 3, digest 000000000000feed
        book builder pinned to core 1, no heap allocation after warm-up

        ┌────────────────┐
        │ latency     ns │
        ╞════════════════╡
        │ p50        150 │
        │ p90        150 │
        │ p99        150 │
        │ p99.9     2000 │
        │ p99.99    2000 │
        │ max       2000 │
        └────────────────┘

        ┌──────────────────────────────────────────────────────────────────────┐
        │ stock   levels   shares        best bid   best ask   shares   levels │
        ╞══════════════════════════════════════════════════════════════════════╡
        │ ALC          1      300   300 × 12.3400                   0        0 │
        └──────────────────────────────────────────────────────────────────────┘
        1 books compared with the reference, 0 differences
        ");
    }

    #[test]
    fn a_report_for_programs() {
        insta::assert_snapshot!(report().json(), @r#"{"allocations_after_warm_up":0,"books":[{"ask":{"depth":0,"levels":0,"price":null,"shares":null},"bid":{"depth":300,"levels":1,"price":12.34,"shares":300},"stock":"ALC"}],"by_type":{"A":3},"core":1,"differences":[],"digest":"000000000000feed","engine_left":false,"lost":0,"max_ns":null,"messages":3,"msgs_per_s":2.0,"orders_accepted":1,"orders_in_doubt":0,"orders_not_taken":0,"orders_out_of_order":0,"orders_received":2,"orders_refused":1,"orders_sent":2,"outgrown":false,"p50_ns":null,"p90_ns":null,"p9999_ns":null,"p999_ns":null,"p99_ns":null,"record_digest":"000000000000feed","recorded":3,"repeated":0,"torn":0,"unknown_orders":0}"#);
    }

    #[test]
    fn a_report_in_a_folder_needs_latencies() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = report();
        assert!(report.write_to(folder.path()).unwrap_err().to_string().contains("--rate"));
        let mut latencies = Histogram::new(3).unwrap();
        latencies.record_n(150, 100).unwrap();
        report.latencies = Some(latencies);
        report.write_to(folder.path()).unwrap();
        for file in ["report.md", "percentiles.svg", "trading.hgrm", "histograms.hlog"] {
            assert!(folder.path().join(file).exists(), "no {file}");
        }
    }

    #[test]
    fn anything_lost_repeated_torn_or_different_is_a_failure() {
        assert!(report().verdict().is_ok());
        for bad in [
            Report { lost: 1, ..report() },
            Report { repeated: 1, ..report() },
            Report { torn: 1, ..report() },
            Report { allocations: Some(1), ..report() },
            Report { differences: vec!["here".to_owned()], ..report() },
            Report { ordered: 3, ..report() },
            Report { heard: Heard { disorderly: 1, ..report().heard }, ..report() },
            Report { outcome: Outcome { refused: 0, in_doubt: 1, ..report().outcome }, ..report() },
            Report {
                heard: Heard { recorded: Some(Record::default()), ..report().heard },
                ..report()
            },
        ] {
            assert!(bad.verdict().is_err(), "{bad:?}");
        }
        // The others go on without the recorder.
        let heard = Heard { recorded: None, ..report().heard };
        assert!(Report { heard, ..report() }.verdict().is_ok());
        // One engine may take the place of another.
        let outcome = Outcome { engine_left: true, ..report().outcome };
        let replaced = Report { outcome, allocations: Some(9), ..report() };
        assert!(replaced.verdict().is_ok());
        assert!(replaced.answers().contains("an engine left: in doubt 0, not taken 0"));
        // A day that is larger than the room for it has to allocate.
        let larger = Report { allocations: Some(1), outgrown: true, core: None, ..report() };
        assert!(larger.verdict().is_ok());
        assert!(larger.warmth().starts_with("book builder not pinned, 1 heap allocations"));
    }
}
