//! Market data between processes: a feed handler, a book builder, a recorder, and a matching engine for the
//! orders.
//!
//! ```text
//! cargo run --release --example trading                        all, with a synthetic day
//! cargo run --release --example trading -- --itch FILE         all, with a NASDAQ file
//! cargo run --release --example trading -- --rate 1000000      at a steady rate, with latencies
//!                       (--report DIR writes them to files, with a plot)
//! cargo run --release --example trading -- --in-process        the engine in the book builder's process
//! cargo run --release --example trading -- --record FILE       every event in a file as well
//! cargo run --release --example trading -- feed                one part; the others in other
//! cargo run --release --example trading -- book                terminals, in any order
//! cargo run --release --example trading -- record              (of engines, the others stand by for the
//! cargo run --release --example trading -- engine               first; each serves until it is interrupted)
//! ```
//!
//! The feed reads NASDAQ TotalView-ITCH 5.0 and sends every message as a typed event, once for all who
//! listen. The book builder keeps the order book of every stock, proves that nothing was lost, repeated or
//! torn, and compares its books with those that the feed made straight from the bytes. By a simple rule it
//! sends orders to a matching engine. That is a service: in the same process it is called directly, in another
//! through shared memory, by the same code. A copy of each order goes back to the feed in a lane; the feed takes
//! them between its events, and in the end says what the engine should have made of them.
//!
//! The recorder counts and digests every event, and what it has must be what the feed sent. It may be killed:
//! the others go on without it. So may an engine: the orders go on to one that stands by, and those that the dead
//! one may have seen are told.
//!
//! Each part runs on a thread pinned to a core of its own, where there are as many. Orders and books come
//! from pools that are filled beforehand: a run in which a warm part allocates fails.
//!
//! | file | what it holds |
//! |---|---|
//! | `channels.rs` | the four channels between the parts: **Strait is used here** |
//! | `matcher.rs`, `broker.rs` | the service as it is declared, and as it is called: **and here** |
//! | `event.rs`, `summary.rs` | the messages that go out: a plain one, and one with nested lists |
//! | `answers.rs` | the messages that come back: copies of orders, and notes |
//! | `feed.rs`, `builder.rs`, `recorder.rs`, `engine.rs` | the four parts |
//! | `trader.rs` | who decides on orders |
//! | `together.rs` | all at once |
//! | `itch.rs`, `input.rs`, `day.rs` | the format, its files, and a synthetic day |
//! | `book.rs`, `reference.rs` | the books, fast and by other means |
//! | `report.rs`, `clock.rs` | tables, JSON and a plot; time and cores |

mod answers;
mod book;
mod broker;
mod builder;
mod channels;
mod clock;
mod day;
mod engine;
mod event;
mod feed;
mod input;
mod itch;
mod matcher;
mod recorder;
mod reference;
mod report;
mod summary;
mod together;
mod trader;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use strait_pools::threads::{Context, PinnedThread};
use strait_tools::allocations::CountingAllocator;

use crate::builder::BookOptions;
use crate::channels::Market;
use crate::feed::FeedOptions;
use crate::recorder::RecordOptions;

/// So that a run can tell, and prove, that it allocates nothing once it is warm.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Market data between processes: a feed handler, a book builder, a recorder and a matching engine
#[derive(Clone, Debug, Parser)]
struct Options {
    /// The part to run; without it, all
    part: Option<Part>,

    #[command(flatten, next_help_heading = "Feed")]
    feed: FeedOptions,

    #[command(flatten, next_help_heading = "Book builder")]
    book: BookOptions,

    #[command(flatten, next_help_heading = "Recorder")]
    record: RecordOptions,

    /// The domain in which the parts meet [default: `trading`, or one of their own for all]
    #[arg(long, value_name = "NAME", help_heading = "All")]
    domain: Option<String>,

    /// Let the kernel choose the cores
    #[arg(long, help_heading = "All")]
    no_pin: bool,

    /// End when this process, which is the parent, ends
    #[arg(long, hide = true)]
    with_parent: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Reads ITCH and sends events
    Feed,
    /// Receives events, keeps the books and sends orders
    Book,
    /// Receives events and records them
    Record,
    /// Answers orders, until it is interrupted
    Engine,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Book => "book",
            Self::Record => "record",
            Self::Engine => "engine",
        }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trading: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(parent) = options.with_parent {
        end_with(parent)?;
    }
    let Some(part) = options.part else {
        let own = format!("trading-{}", std::process::id());
        return together::run(options.domain.as_ref().unwrap_or(&own), options.book.in_process);
    };
    let cores = clock::cores();
    let market = Market::open(options.domain.as_deref().unwrap_or("trading"), cores.len())?;
    // Without a core for each part, or where the kernel refuses, a run is slower, not wrong. On two
    // cores the recorder takes what time the others leave.
    let mut thread = PinnedThread::builder().name(part.name()).best_effort();
    if let Some(&core) = cores.get(part as usize)
        && cores.len() > 1
        && !options.no_pin
    {
        thread = thread.core(core);
    }
    let Options { feed, book, record, with_parent, .. } = options.clone();
    let running = thread.spawn(move |context: &mut Context| match part {
        Part::Feed => feed::run(&feed, &market),
        Part::Book => builder::run(&book, &market, context.set_up().core()),
        Part::Record => {
            let recorded = recorder::run(&record, &market)?;
            // Else the book builder's report, which has it, is the only one.
            if with_parent.is_none() {
                println!("{}", recorder::text(recorded, book.json));
            }
            Ok(())
        }
        Part::Engine => engine::run(&market),
    });
    running?.join()?
}

/// Lets the kernel end this process with its parent, even when the parent is killed.
fn end_with(parent: u32) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let is_parent =
        |pid: rustix::process::Pid| u32::try_from(pid.as_raw_nonzero().get()) == Ok(parent);
    if !getppid().is_some_and(is_parent) {
        anyhow::bail!("the process that started this one has ended");
    }
    Ok(())
}
