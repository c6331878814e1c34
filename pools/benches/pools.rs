//! Pools beside the allocators that a program would use instead.
//!
//! Rounds are rotated: each measures every contender once, beginning with another one each time. A measure
//! is the median over many short slices, so that a core which is taken away for a while does not count. What
//! is quoted is the median over all rounds, and of each pool the median of its ratio to the fastest of the
//! three allocators *in the same round*; where it is known what the workload costs by itself, also of its
//! ratio without that.
//!
//! | workload | what is timed |
//! |---|---|
//! | pair | one block taken, a word written to it, given back |
//! | batch | 64 blocks taken, each written to, then given back in the same order |
//! | across | 64 at a time, taken and written to on one core, read and given back on another: what the two spend on a block together, waiting left out |
//!
//! `cargo bench -p strait-pools [-- ROUNDS]`; the cores are the first two that the process may use.

#[path = "pools/contenders.rs"]
mod contenders;
#[path = "pools/workloads.rs"]
mod workloads;

use contenders::{Alone, Contender, Direct, Objects, Thread};
use mimalloc::MiMalloc;
use std::alloc::System;
use tikv_jemallocator::Jemalloc;
use workloads::{across, batch, pair};

/// Nanoseconds per block.
type Measure = fn() -> f64;

/// A row of the table.
struct Row {
    name: &'static str,
    /// Whether it is one of the three allocators to compare with.
    allocator: bool,
    /// Whether it is the workload by itself.
    alone: bool,
    measure: Measure,
    /// One per round.
    taken: Vec<f64>,
}

/// The rows of one workload, given as a function over contenders.
macro_rules! rows {
    ($workload:ident, $size:literal) => {
        vec![
            row("FixedPool", false, || $workload::<Objects<$size>, $size>()),
            row("ThreadHeap", false, || $workload::<Thread<$size>, $size>()),
            row("glibc", true, || $workload::<Direct<Glibc, $size>, $size>()),
            row("mimalloc", true, || $workload::<Direct<Mimalloc, $size>, $size>()),
            row("jemalloc", true, || $workload::<Direct<JeMalloc, $size>, $size>()),
        ]
    };
}

contenders::direct! {
    Glibc: System = System;
    Mimalloc: MiMalloc = MiMalloc;
    JeMalloc: Jemalloc = Jemalloc;
}

fn row(name: &'static str, allocator: bool, measure: Measure) -> Row {
    Row { name, allocator, alone: false, measure, taken: Vec::new() }
}

fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(15);
    let Some(cores) = workloads::pin() else {
        eprintln!("needs two cores that the process may use");
        return;
    };
    println!("cores {} and {}, {rounds} rounds; ns per block", cores.0, cores.1);
    let alone = |mut rows: Vec<Row>, measure: Measure| {
        rows.push(Row { alone: true, ..row("(without any)", false, measure) });
        rows
    };
    for (title, rows) in [
        ("pair, 64 B", alone(rows!(pair, 64), pair::<Alone, 64>)),
        ("pair, 1 KiB", rows!(pair, 1_024)),
        ("pair, 64 KiB", rows!(pair, 65_536)),
        ("batch of 64, 64 B", alone(rows!(batch, 64), batch::<Alone, 64>)),
        ("batch of 64, 1 KiB", rows!(batch, 1_024)),
        ("batch of 64, 64 KiB", rows!(batch, 65_536)),
        ("across, 64 B", alone(rows!(across, 64), across::<Alone, 64>)),
        ("across, 1 KiB", rows!(across, 1_024)),
        ("across, 64 KiB", rows!(across, 65_536)),
    ] {
        run(title, rows, rounds);
    }
}

fn run(title: &str, mut rows: Vec<Row>, rounds: usize) {
    for row in &rows {
        (row.measure)(); // warm-up
    }
    let count = rows.len();
    for round in 0..rounds {
        for turn in 0..count {
            let row = &mut rows[(round + turn) % count];
            row.taken.push((row.measure)());
        }
    }
    let best = |round: usize| {
        let allocators = rows.iter().filter(|row| row.allocator);
        allocators.map(|row| row.taken[round]).fold(f64::INFINITY, f64::min)
    };
    // The workload by itself, where it was measured.
    let alone = |round: usize| rows.iter().find(|row| row.alone).map(|row| row.taken[round]);
    println!("\n{title:<24} {:>9} {:>9} {:>9}   to the best allocator", "median", "least", "most");
    for row in &rows {
        let ratio = |less: &dyn Fn(usize) -> Option<f64>| {
            let of = |round| {
                let less = less(round)?;
                Some((row.taken[round] - less) / (best(round) - less))
            };
            Some(spread((0..rounds).map(of).collect::<Option<Vec<f64>>>()?).0)
        };
        let (median, least, most) = spread(row.taken.clone());
        let whole = ratio(&|_| Some(0.0)).unwrap_or(f64::NAN);
        let net = ratio(&alone).filter(|_| !row.alone);
        let net = net.map_or(String::new(), |net| format!(", {net:.2} without the workload"));
        println!("{:<24} {median:>9.2} {least:>9.2} {most:>9.2}   {whole:>8.2}{net}", row.name);
    }
}

/// Median, least and most.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}
