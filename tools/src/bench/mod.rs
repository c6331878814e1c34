//! `strait bench`: how close channels come to what the hardware allows.
//!
//! Two pinned processes exchange messages; every figure stands beside that of a yardstick, bare
//! cache lines bounced in the same round (or a bare futex, where sides sleep), and of peers. Absolute figures belong to the machine and
//! the moment, the ratios within rounds do not.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | the commands |
//! | [`options`] | what can be asked for |
//! | `task` | which benchmarks there are, and what each measures |
//! | `effort` | how many messages a measurement takes |
//! | `run` | rounds, in turn, with probes around everything |
//! | [`exercise`] | round trips, one-way messages, streams, wake-ups: what two sides do |
//! | [`sides`] | the ends of what is measured: channels, bare lines, a peer's ring, kernel objects |
//! | [`partner`] | the other process |
//! | `setup` | how both processes come to have a side of everything |
//! | `probe` | bare lines between any two cores, and how often a core is taken away |
//! | [`several`] | channels with several receivers, and calls of a service, between threads |
//! | [`clock`] | ticks that both processes share, pinning, and when a thread did not run |
//! | [`classes`] | placements told apart by their raw round trip |
//! | [`measured`] | from ticks to figures |
//! | [`statistics`] | medians and intervals |
//! | [`outcome`] | the result, by round and by class |
//! | [`table`] | the result for people |

pub mod classes;
pub mod clock;
mod effort;
pub mod exercise;
pub mod measured;
pub mod options;
pub mod outcome;
pub mod partner;
pub(crate) mod probe;
mod run;
mod setup;
pub mod several;
pub mod sides;
pub mod statistics;
pub mod table;
mod task;

pub use run::{Stopped, play_threads, shared};
use sides::call::SIZE as CALL_SIZE;
pub use sides::{Kind, Messages, Strategy, Subject, Waiting};
pub use task::Task;

use crate::examples;
use crate::report::{ReportInput, Series, write};
use anyhow::{Result, ensure};
use clap::Subcommand;
use options::Options;
use outcome::Outcome;
use several::Bench;
use std::collections::BTreeSet;
use std::io::Write as _;
use table::{Style, render};

/// The benchmarks.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Round trips, one at a time: the closed loop.
    #[command(after_help = examples::RTT)]
    Rtt {
        /// How Strait's sides wait.
        #[command(flatten)]
        waiting: Waiting,
        /// Measure calls of a service as well, which the other process answers.
        #[arg(long)]
        call: bool,
        /// How.
        #[command(flatten)]
        options: Options,
    },
    /// One-way latency of messages sent at a given rate: the open loop.
    #[command(after_help = examples::ONEWAY)]
    Oneway {
        /// Messages per second; by default half of what goes through, measured every round.
        #[arg(long)]
        rate: Option<f64>,
        /// How.
        #[command(flatten)]
        options: Options,
    },
    /// As many messages as go through.
    #[command(after_help = examples::STREAM)]
    Stream {
        /// Messages per batch; 1 sends and receives them one by one.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        batch: u64,
        /// How Strait's sides wait.
        #[command(flatten)]
        waiting: Waiting,
        /// How.
        #[command(flatten)]
        options: Options,
    },
    /// Hops between sides that sleep until woken, on one core and on two.
    #[command(after_help = examples::WAKE)]
    Wake {
        /// How.
        #[command(flatten)]
        options: Options,
    },
    /// One sender and many receivers of all its messages, beside a pair.
    #[command(after_help = examples::FANOUT)]
    Fanout {
        /// How.
        #[command(flatten)]
        options: several::Options,
    },
    /// Latest values, beside a sequence lock and the standard library's locks.
    #[command(after_help = examples::LATEST)]
    Latest {
        /// How.
        #[command(flatten)]
        options: several::Options,
    },
    /// Messages of which each goes to one of several receivers, beside other queues within a process.
    #[command(after_help = examples::MPMC)]
    Mpmc {
        /// How.
        #[command(flatten)]
        options: several::Options,
    },
    /// The registry of services, beside a map without a lock.
    #[command(after_help = examples::REGISTRY)]
    Registry {
        /// How.
        #[command(flatten)]
        options: several::Options,
    },
    /// Calls of a service in this process and through shared memory, beside virtual calls and bare lines.
    #[command(after_help = examples::CALL)]
    Call {
        /// How.
        #[command(flatten)]
        options: several::Options,
    },
    /// Streams while `strait top` looks at them, beside the same streams when nobody does.
    #[command(after_help = examples::OBSERVED)]
    Observed {
        /// How.
        #[command(flatten)]
        options: several::Options,
    },
    /// The second process of a benchmark.
    #[command(hide = true)]
    Partner,
}

/// Does as the command line says, and prints the result.
///
/// # Errors
///
/// The options contradict each other, there are not two cores, or a side failed.
pub fn command(command: Command) -> Result<()> {
    let (task, options) = match command {
        Command::Rtt { waiting, call, options } => (Task::RoundTrip { waiting, call }, options),
        Command::Oneway { rate, options } => (Task::OneWay { rate }, options),
        Command::Stream { batch, waiting, options } => {
            ensure!(options.report.is_none(), "a stream has no distribution to report: use --json");
            let polls = batch > 1 && waiting.pauses();
            ensure!(!polls, "batches are polled for: leave out --wait and --pauses");
            (Task::Stream { batch, waiting }, options)
        }
        Command::Wake { options } => (Task::Wake, options),
        Command::Fanout { options } => return several(Bench::Fanout, &options),
        Command::Latest { options } => return several(Bench::Latest, &options),
        Command::Mpmc { options } => return several(Bench::Mpmc, &options),
        Command::Registry { options } => return several(Bench::Registry, &options),
        Command::Call { options } => return several(Bench::Call, &options),
        Command::Observed { options } => return several(Bench::Observed, &options),
        Command::Partner => return setup::answer(),
    };
    let outcome = measure(task, &options)?;
    let title = title(&outcome, &options)?;
    let text = if options.json {
        serde_json::to_string(&outcome)?
    } else {
        format!("{title}\n{}", render(&outcome, Style::Terminal))
    };
    writeln!(std::io::stdout().lock(), "{text}")?;
    if let Some(directory) = &options.report {
        for path in write(directory, &report(outcome, title))? {
            eprintln!("wrote {}", path.display());
        }
    }
    Ok(())
}

fn several(bench: Bench, options: &several::Options) -> Result<()> {
    let text = several::command(bench, options)?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Runs a benchmark, in this process and a second one that it starts from the same executable,
/// which must understand `bench partner`. The calling thread stays pinned.
///
/// # Errors
///
/// As for [`command`].
pub fn measure(task: Task, options: &Options) -> Result<Outcome> {
    if let Task::OneWay { rate: Some(rate) } = task {
        ensure!((1.0..=1e9).contains(&rate), "a rate is between 1 and 1e9 messages per second");
    }
    if let Task::RoundTrip { call: true, .. } = task {
        let messages = options.messages()?;
        let same = (messages.size, messages.kind) == (CALL_SIZE, Kind::Pod);
        ensure!(
            same,
            "calls are measured with {CALL_SIZE} plain bytes: leave out --call, or --size and --type"
        );
    }
    Outcome::new(task, options, &run::run(task, options)?)
}

fn title(outcome: &Outcome, options: &Options) -> Result<String> {
    let messages = options.messages()?.description();
    Ok(match (outcome.bench, outcome.batch) {
        ("rtt", _) => format!("Round trip, {messages}"),
        ("oneway", _) => format!("One way in an open loop, {messages}"),
        ("wake", _) => format!("Hop between sides that sleep, {messages}"),
        (_, Some(batch)) if batch > 1 => format!("Stream in batches of {batch}, {messages}"),
        _ => format!("Stream, {messages}"),
    })
}

fn report(outcome: Outcome, title: String) -> ReportInput {
    let table_markdown = render(&outcome, Style::Markdown);
    // One class needs no telling apart.
    let classes: BTreeSet<_> = outcome.samples.keys().map(|(class, _)| class.clone()).collect();
    let name = |class: &str, subject: &str| {
        if classes.len() > 1 { format!("{subject} {class}") } else { subject.to_owned() }
    };
    let series = outcome.samples.into_iter().map(|((class, subject), samples)| Series {
        name: name(&class, subject.name()),
        histogram: samples.histogram,
    });
    let (series, environment) = (series.collect(), outcome.environment);
    ReportInput { title, unit: "ns", series, table_markdown, environment }
}
