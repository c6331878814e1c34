//! How close is a typed channel to what the hardware allows?
//!
//! Two pinned processes bounce a 48-byte message through a pair of channels, and, in the same run
//! and in turn, bounce bare counters between two cache lines: the yardstick. How fast two given
//! lines are depends on which slice of the last-level cache their addresses hash to, so the
//! yardstick moves to another pair with every block of round trips, as a ring does anyway. What
//! counts is the ratio, round by round; absolute figures belong to the machine and the moment.
//!
//! `cargo bench --bench round_trip [-- ROUNDS]`

use hdrhistogram::Histogram;
use std::error::Error;
use std::hint::black_box;
use std::process::{Child, Command};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Instant;
use strait::{Domain, Message, Receiver, Sender};

const PER_ROUND: u64 = 200_000;
const WARM_UP: u64 = 20_000;
/// Round trips per time stamp of the central figure, so that reading the clock does not count.
const BLOCK: u64 = 64;
const DEFAULT_ROUNDS: u64 = 15;

/// 48 bytes, all written by the sender and read by the receiver.
#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Ball {
    words: [u64; 6],
}

impl Ball {
    fn new(number: u64) -> Self {
        Self { words: std::array::from_fn(|index| number + index as u64) }
    }

    fn check(&self, number: u64) {
        let sum: u64 = self.words.iter().sum();
        assert_eq!(sum, 6 * number + 15, "torn");
    }
}

/// The yardstick: pairs of lines, of which each side writes its own and watches the other's.
struct Lines {
    pairs: &'static [[AtomicU64; WORDS]],
}

/// Pairs of lines, and the words of a pair: two lines of 128 bytes.
const PAIRS: usize = 64;
const WORDS: usize = 32;

impl Lines {
    fn pair(&self, number: u64) -> (&AtomicU64, &AtomicU64) {
        let pair = &self.pairs[(number / BLOCK) as usize % PAIRS];
        (&pair[0], &pair[WORDS / 2])
    }
}

/// One process's ends of everything that is measured.
struct Court {
    lines: Lines,
    sender: Sender<Ball>,
    receiver: Receiver<Ball>,
}

impl Court {
    fn open(domain: &str, server: bool) -> Result<Self, Box<dyn Error>> {
        let domain = Domain::open(domain)?;
        let (out, back) = if server { ("there", "back") } else { ("back", "there") };
        let sender = domain.spsc::<Ball>(out).sender()?;
        let receiver = domain.spsc::<Ball>(back).receiver()?;
        Ok(Self { lines: map_lines(domain.name())?, sender, receiver })
    }

    fn serve_raw(&mut self, number: u64) -> Result<(), Box<dyn Error>> {
        let (ping, pong) = self.lines.pair(number);
        ping.store(number + 1, Release);
        while pong.load(Acquire) != number + 1 {}
        Ok(())
    }

    fn return_raw(&mut self, number: u64) {
        let (ping, pong) = self.lines.pair(number);
        while ping.load(Acquire) != number + 1 {}
        pong.store(number + 1, Release);
    }

    fn serve_channel(&mut self, number: u64) -> Result<(), Box<dyn Error>> {
        self.sender.send(&Ball::new(number))?;
        self.receiver.recv()?.check(number);
        Ok(())
    }

    fn return_channel(&mut self, number: u64) -> Result<(), Box<dyn Error>> {
        self.receiver.recv()?.check(number);
        self.sender.send(&Ball::new(number))?;
        Ok(())
    }
}

/// The lines, in a file of the domain's name that both processes map.
fn map_lines(name: &str) -> Result<Lines, Box<dyn Error>> {
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let path = lines_path(name);
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    const BYTES: usize = PAIRS * WORDS * 8;
    file.set_len(BYTES as u64)?;
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: no address is asked for, so no existing mapping is touched.
    let lines = unsafe { mmap(std::ptr::null_mut(), BYTES, access, MapFlags::SHARED, &file, 0)? };
    // SAFETY: mapped, page-aligned, of that length, for the rest of the process; atomics only.
    let pairs = unsafe { std::slice::from_raw_parts(lines.cast(), PAIRS) };
    Ok(Lines { pairs })
}

fn lines_path(name: &str) -> String {
    format!("/dev/shm/strait-bench-lines-{name}")
}

/// Nanoseconds per round trip: the median over blocks, and every single one.
struct Timing {
    median: f64,
    each: Histogram<u64>,
}

fn measure(
    mut bounce: impl FnMut(u64) -> Result<(), Box<dyn Error>>,
) -> Result<Timing, Box<dyn Error>> {
    let mut number = 0;
    let mut next = || {
        let result = bounce(number);
        number += 1;
        result
    };
    for _ in 0..WARM_UP {
        next()?;
    }
    let mut blocks = Vec::new();
    for _ in 0..PER_ROUND / 2 / BLOCK {
        let start = Instant::now();
        for _ in 0..BLOCK {
            next()?;
        }
        blocks.push(start.elapsed().as_nanos() as f64 / BLOCK as f64);
    }
    let mut each = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
    for _ in 0..PER_ROUND / 2 {
        let start = Instant::now();
        next()?;
        each.saturating_record(u64::try_from(start.elapsed().as_nanos())?);
    }
    for _ in 0..(PER_ROUND / 2) % BLOCK {
        next()?;
    }
    Ok(Timing { median: median(&mut blocks), each })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn pin(core: usize) -> Result<(), Box<dyn Error>> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// Kills the echo if the bench fails half-way.
struct Echo(Child);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let total = WARM_UP + PER_ROUND;
    if let Ok(domain) = std::env::var("STRAIT_ROUND_TRIP_ECHO") {
        let rounds: u64 = std::env::var("STRAIT_ROUND_TRIP_ROUNDS")?.parse()?;
        pin(1)?;
        let mut court = Court::open(&domain, false)?;
        for round in 0..rounds {
            (0..total).for_each(|number| court.return_raw(round * total + number));
            (0..total).try_for_each(|number| court.return_channel(number))?;
        }
        return Ok(());
    }

    let rounds: u64 =
        std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(DEFAULT_ROUNDS);
    let domain = format!("round-trip-{}", std::process::id());
    let echo = Command::new(std::env::current_exe()?)
        .env("STRAIT_ROUND_TRIP_ECHO", &domain)
        .env("STRAIT_ROUND_TRIP_ROUNDS", rounds.to_string())
        .spawn()?;
    let mut echo = Echo(echo);
    pin(0)?;
    let mut court = Court::open(&domain, true)?;

    println!("round trip, ns      raw p50   channel p50   ratio      p99    p99.9   p99.99");
    let (mut raws, mut channels, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let raw = measure(|number| court.serve_raw(round * total + number))?;
        let channel = measure(|number| court.serve_channel(black_box(number)))?;
        let ratio = channel.median / raw.median;
        let tail = |quantile| channel.each.value_at_quantile(quantile);
        println!(
            "round {round:<11} {:>9.1} {:>13.1} {ratio:>7.3} {:>8} {:>8} {:>8}",
            raw.median,
            channel.median,
            tail(0.99),
            tail(0.999),
            tail(0.9999)
        );
        raws.push(raw.median);
        channels.push(channel.median);
        ratios.push(ratio);
    }
    println!(
        "median            {:>9.1} {:>13.1} {:>7.3}",
        median(&mut raws),
        median(&mut channels),
        median(&mut ratios)
    );
    std::fs::remove_file(lines_path(&domain))?;
    echo.0.wait()?;
    Ok(())
}
