//! A run: rounds of everything that is measured, in turn, with probes of the placement around each.
//!
//! ```text
//! round:  probe  raw  probe  strait  probe  rtrb  probe …      next round: strait first, raw last
//! ```
//!
//! All probes of a round must be of one class, or the cores were moved in its middle and the round
//! is discarded. Ratios are taken within rounds, so that what a whole round has in common cancels.
//!
//! Sides that sleep are measured on two cores and, in every other round, on one. There is no path
//! between two cores then: those rounds are a class by themselves, and are not probed.

use super::classes::{Classes, SAME_CORE, are_siblings};
use super::clock::{self, Clock, ticks};
use super::effort::Effort;
use super::exercise::one_way::OneWay;
use super::exercise::round_trip::RoundTrips;
use super::exercise::stream::Stream;
use super::exercise::wake::Wakes;
use super::exercise::{Exercise, Observed, Player, Role};
use super::measured::{self, Figures, Samples};
use super::options::{Options, pair_of_cores};
use super::partner::{Partner, Sides};
use super::setup::{self, Setup};
use super::sides::descriptors::Descriptors;
use super::sides::{Channels, Messages, Subject, call, lines, memory, number};
use super::task::Task;
use crate::environment::available_bytes;
use anyhow::{Context, Result, anyhow, ensure};
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages per chunk where a peer takes chunks and no batch was asked for.
const PEER_CHUNK: u64 = 32;

/// Blocks of round trips in a probe: a millisecond or a few.
const PROBE_BLOCKS: u64 = 128;

/// Round trips after which it is known what one costs, where sides sleep.
const FEW: u64 = 64;

/// What one subject did in one round.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) figures: Figures,
    pub(super) samples: Option<Samples>,
}

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) task: Task,
    pub(super) cores: (usize, usize),
    /// Raw round trips around and between the measurements, in nanoseconds.
    pub(super) probes: Vec<f64>,
    pub(super) measured: BTreeMap<Subject, Measured>,
    /// Messages per second that were sent, in an open loop.
    pub(super) rate: Option<f64>,
}

impl Round {
    /// The yardstick's round trip in nanoseconds, if that is what was measured of it.
    pub(super) fn raw_round_trips(&self) -> Option<f64> {
        let raw = self.measured.get(&self.task.yardstick())?.figures.central();
        match self.task {
            Task::RoundTrip { .. } => Some(raw),
            Task::Wake => Some(2.0 * raw),
            Task::OneWay { .. } | Task::Stream { .. } => None,
        }
    }

    /// The class of all its probes, the long one included, if they agree.
    pub(super) fn class<'a>(&self, classes: &'a Classes) -> Option<&'a str> {
        if self.cores.0 == self.cores.1 {
            return Some(SAME_CORE);
        }
        // What sleeps and is woken says little about the path between two cores.
        let long = self.raw_round_trips().filter(|_| self.task != Task::Wake);
        classes.common(&self.probes.iter().copied().chain(long).collect::<Vec<_>>())
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// There were as many rounds as asked for.
    Rounds,
    /// The time was up.
    MaxTime,
}

/// All rounds of a run.
#[derive(Debug)]
pub(super) struct Rounds {
    pub(super) rounds: Vec<Round>,
    pub(super) classes: Classes,
    pub(super) stopped: Stopped,
    pub(super) cores: (usize, usize),
}

/// Runs rounds until there are enough.
pub(super) fn run(task: Task, options: &Options) -> Result<Rounds> {
    let cores = pair_of_cores(options.cores, task == Task::Wake)?;
    let siblings = are_siblings(cores.0, cores.1);
    let mut bench = Bench::open(task, options, cores)?;
    let began = Instant::now();
    let mut rounds = Vec::new();
    loop {
        rounds.push(bench.round(rounds.len())?);
        let probes: Vec<f64> = rounds.iter().flat_map(|round| &round.probes).copied().collect();
        let classes = Classes::find(&probes, siblings);
        let enough = enough(&rounds, &classes, options, &bench.far_cores);
        if enough || began.elapsed() >= options.limit() {
            let stopped = if enough { Stopped::Rounds } else { Stopped::MaxTime };
            return Ok(Rounds { rounds, classes, stopped, cores });
        }
    }
}

fn enough(rounds: &[Round], classes: &Classes, options: &Options, far_cores: &[usize]) -> bool {
    let mut of_class = BTreeMap::<&str, usize>::new();
    let mut on_core = BTreeMap::<usize, usize>::new();
    for round in rounds {
        if let Some(class) = round.class(classes) {
            *of_class.entry(class).or_default() += 1;
            *on_core.entry(round.cores.1).or_default() += 1;
        }
    }
    let kept = |count: Option<&usize>, wanted| count.copied().unwrap_or(0) >= wanted;
    match &options.until {
        None => far_cores.iter().all(|core| kept(on_core.get(core), options.rounds)),
        Some(until) => {
            until.iter().all(|(class, &wanted)| kept(of_class.get(class.as_str()), wanted))
        }
    }
}

/// Everything that a run holds on to.
struct Bench {
    task: Task,
    messages: Messages,
    share: Duration,
    clock: Clock,
    near_core: usize,
    /// The other side's cores, one a round, in turn.
    far_cores: Vec<usize>,
    /// The other side's core in this round.
    far_core: usize,
    subjects: Vec<Subject>,
    sides: Sides<Subject>,
    partner: Partner<Subject>,
    /// The next message's number. Numbers are never used again: the yardstick's lines keep them.
    next: u64,
    /// Nanoseconds per operation, as last measured with the other side on that core.
    cost: BTreeMap<(Subject, usize), f64>,
}

impl Bench {
    fn open(task: Task, options: &Options, cores: (usize, usize)) -> Result<Self> {
        clock::pin(cores.0)?;
        let (messages, clock) = (options.messages()?, Clock::calibrate(options.gap()));
        let mut subjects = task.subjects();
        if task.has_peers() {
            subjects.extend(messages.peers());
        }
        ensure_memory(&messages, task.channels().len())?;
        let lines = shared("strait-yardstick", lines::BYTES)?;
        let memory = if subjects.contains(&Subject::Memory) {
            Some(shared("strait-memory", memory::bytes(messages.size))?)
        } else {
            None
        };
        let calls =
            if subjects.contains(&Subject::Call) { Some(Arc::new(call::segment()?)) } else { None };
        let connect = |(subject, waiting)| Ok((subject, Channels::new(&messages, waiting)?));
        let channels = task.channels().into_iter().map(connect).collect::<Result<Vec<_>>>()?;
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for &subject in subjects.iter().filter(|subject| subject.has_descriptors()) {
            let [near, far] = Descriptors::connect(subject)?;
            here.push((subject, near));
            there.push((subject, far));
        }
        let (at, role) = (memory.as_ref(), Role::Here);
        let sides = setup::open(&channels, here, &lines, at, calls.as_ref(), &messages, role)?;
        // Kept open until the other process has opened them as well.
        let shared = channels
            .iter()
            .map(|(subject, channels)| Ok((*subject, channels.waiting(), channels.descriptors()?)));
        let shared = shared.collect::<Result<Vec<_>>>()?;
        let calls = calls.map(|segment| segment.descriptor()).transpose()?;
        let numbers = |(subject, waiting, files): &(_, _, [_; 2])| {
            (*subject, *waiting, files.each_ref().map(number))
        };
        let setup = Setup {
            process: std::process::id(),
            lines: number(&lines),
            memory: memory.as_ref().map(number),
            calls: calls.as_ref().map(number),
            channels: shared.iter().map(numbers).collect(),
            inherited: there.iter().map(|(subject, ends)| (*subject, ends.numbers())).collect(),
            messages,
            clock,
        };
        let mut partner = Partner::spawn(&["bench", "partner"], &setup)?;
        partner.ready()?;
        let (share, cost) = (options.share(), BTreeMap::new());
        let (near_core, far_core) = cores;
        let mut far_cores = vec![far_core];
        if task == Task::Wake && near_core != far_core {
            far_cores.push(near_core);
        }
        Ok(Self {
            task,
            messages,
            share,
            clock,
            near_core,
            far_cores,
            far_core,
            subjects,
            sides,
            partner,
            next: 0,
            cost,
        })
    }

    fn round(&mut self, index: usize) -> Result<Round> {
        let placements = self.far_cores.len();
        self.far_core = self.far_cores[index % placements];
        let mut subjects = self.subjects.clone();
        let turn = index / placements % subjects.len();
        subjects.rotate_left(turn);
        let rate = match self.task {
            Task::OneWay { rate: None } => Some(self.saturation()? / 2.0),
            Task::OneWay { rate } => rate,
            Task::RoundTrip { .. } | Task::Stream { .. } | Task::Wake => None,
        };
        let mut probes = Vec::new();
        probes.extend(self.probe()?);
        let mut measured = BTreeMap::new();
        for subject in subjects {
            let result = match self.task {
                Task::RoundTrip { .. } => self.round_trips(subject),
                Task::OneWay { .. } => self.one_way(subject, rate.unwrap_or(1.0)),
                Task::Stream { batch, .. } => self.stream(subject, batch),
                Task::Wake => self.wakes(subject),
            };
            measured.insert(subject, result.with_context(|| subject.name().to_owned())?);
            probes.extend(self.probe()?);
        }
        let cores = (self.near_core, self.far_core);
        Ok(Round { task: self.task, cores, probes, measured, rate })
    }

    /// Both sides do `exercise`; what this one saw, and what the other one did.
    fn play(
        &mut self,
        subject: Subject,
        exercise: Exercise,
        numbers: u64,
    ) -> Result<[Observed; 2]> {
        self.next += numbers;
        if subject.in_process() {
            return play_threads(
                &mut self.messages.peer(subject)?,
                &exercise,
                self.clock,
                self.far_core,
            );
        }
        let here = self.sides.side(subject)?;
        self.partner.play(here, self.far_core, subject, exercise, self.clock)
    }

    fn bounce(&mut self, subject: Subject, blocks: u64, stamped: u64) -> Result<[Observed; 2]> {
        let Effort { block, warm_up, .. } = self.effort(subject);
        let plan = RoundTrips { first: self.next, warm_up, block, blocks, stamped };
        self.play(subject, Exercise::RoundTrips(plan), plan.total())
    }

    /// A short raw round trip, in nanoseconds: it tells the class. None on one core, on which two
    /// sides that poll only wait for each other's time to run out.
    fn probe(&mut self) -> Result<Option<f64>> {
        if self.near_core == self.far_core {
            return Ok(None);
        }
        let [here, _] = self.bounce(Subject::Raw, PROBE_BLOCKS, 0)?;
        measured::central(&here, self.clock).map(Some)
    }

    /// How many operations of `subject` fill a round's share, once it is known what one costs.
    fn fitting(&self, subject: Subject) -> Option<u64> {
        let count = self.share.as_nanos() as f64 / self.cost.get(&(subject, self.far_core))?;
        // A share is seconds at most, an operation nanoseconds at least.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = count as u64;
        Some(count)
    }

    fn effort(&self, subject: Subject) -> Effort {
        Effort::of(subject, &self.messages)
    }

    fn learn(&mut self, subject: Subject, cost: f64) {
        self.cost.insert((subject, self.far_core), cost);
    }

    fn round_trips(&mut self, subject: Subject) -> Result<Measured> {
        let effort = self.effort(subject);
        let count = match self.fitting(subject) {
            Some(count) => count,
            None => {
                let [here, _] = self.bounce(subject, effort.first_blocks, 0)?;
                self.learn(subject, measured::central(&here, self.clock)?);
                self.fitting(subject).unwrap_or(0)
            }
        };
        let blocks = (count / 2 / effort.block).max(effort.blocks);
        let stamped = (count / 2).clamp(effort.stamped, 1 << 21);
        let [here, there] = self.bounce(subject, blocks, stamped)?;
        let central = measured::central(&here, self.clock)?;
        self.learn(subject, central);
        let samples = Samples::collect(&here, &there, self.clock)?;
        Ok(Measured { figures: samples.figures(Some(central)), samples: Some(samples) })
    }

    fn stream(&mut self, subject: Subject, batch: u64) -> Result<Measured> {
        let batch = match subject {
            Subject::Rtrb => 1,
            Subject::RtrbChunks if batch == 1 => PEER_CHUNK,
            _ => batch,
        };
        let least = self.effort(subject).streamed;
        if self.fitting(subject).is_none() {
            self.pass(subject, batch, least)?;
        }
        let count = self.fitting(subject).unwrap_or(0).max(least);
        Ok(Measured { figures: self.pass(subject, batch, count)?, samples: None })
    }

    fn pass(&mut self, subject: Subject, batch: u64, measured: u64) -> Result<Figures> {
        let warm_up = self.effort(subject).stream_warm_up;
        let plan = Stream { first: self.next, warm_up, measured, batch };
        let [here, _] = self.play(subject, Exercise::Stream(plan), plan.total())?;
        let figures = measured::rate(&here, self.messages.size, self.clock);
        self.learn(subject, 1e9 / figures.central());
        Ok(figures)
    }

    fn wakes(&mut self, subject: Subject) -> Result<Measured> {
        let count = match self.fitting(subject) {
            Some(count) => count,
            None => {
                self.hops(subject, FEW)?;
                self.fitting(subject).unwrap_or(0)
            }
        };
        let samples = self.hops(subject, count.max(FEW))?;
        Ok(Measured { figures: samples.figures(None), samples: Some(samples) })
    }

    fn hops(&mut self, subject: Subject, measured: u64) -> Result<Samples> {
        let plan = Wakes { first: self.next, warm_up: FEW, measured };
        let [here, there] = self.play(subject, Exercise::Wakes(plan), plan.total())?;
        let samples = Samples::collect(&here, &there, self.clock)?;
        self.learn(subject, 2.0 * samples.quantile(0.5));
        Ok(samples)
    }

    /// Messages per second that go through an open loop which does not wait for their time.
    fn saturation(&mut self) -> Result<f64> {
        let least = 16 * self.messages.capacity();
        let measured = (self.fitting(Subject::Strait).unwrap_or(0) / 10).max(least);
        let [here, _] = self.due(Subject::Strait, measured, 0.0)?;
        let saturation = measured::rate(&here, self.messages.size, self.clock).central();
        self.learn(Subject::Strait, 1e9 / saturation);
        Ok(saturation)
    }

    fn due(&mut self, subject: Subject, measured: u64, period: f64) -> Result<[Observed; 2]> {
        // Time for both sides to get ready: the samples' memory is touched beforehand.
        let ready = Duration::from_millis(2) + Duration::from_nanos(20 * measured);
        let start = ticks() + self.clock.ticks_in(ready);
        let warm_up = (measured / 10).max(4 * self.messages.capacity());
        let plan = OneWay { first: self.next, warm_up, measured, start, period };
        self.play(subject, Exercise::OneWay(plan), plan.total())
    }

    fn one_way(&mut self, subject: Subject, rate: f64) -> Result<Measured> {
        let count = self.share.as_secs_f64() * rate;
        // Ten seconds at most, at a billion messages at most.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = (count as u64).clamp(100, 1 << 22);
        let period = 1e9 / rate / self.clock.ns(1);
        let [here, there] = self.due(subject, count, period)?;
        let samples = Samples::collect(&here, &there, self.clock)?;
        Ok(Measured { figures: samples.figures(None), samples: Some(samples) })
    }
}

/// Memory for both processes, without a name.
///
/// # Errors
///
/// The kernel has none.
pub fn shared(name: &str, bytes: u64) -> Result<File> {
    let file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.set_len(bytes)?;
    Ok(file)
}

/// That there is memory for a run: all of it is touched, and a machine without ends programs.
fn ensure_memory(messages: &Messages, channels: usize) -> Result<()> {
    let needed = messages.memory_bytes(channels);
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let available = available_bytes().unwrap_or(u64::MAX);
    ensure!(
        needed <= available,
        "messages of {} bytes take {} MiB of memory in all, and {} MiB are available: ask for a \
         smaller --size",
        messages.size,
        mib(needed),
        mib(available)
    );
    Ok(())
}

/// Both sides of something within a process do `exercise`, as two threads, one of them on another core; what
/// each saw.
///
/// # Errors
///
/// That of either side.
pub fn play_threads(
    [near, far]: &mut [Box<dyn Player + Send>; 2],
    exercise: &Exercise,
    clock: Clock,
    far_core: usize,
) -> Result<[Observed; 2]> {
    std::thread::scope(|scope| {
        let far = scope.spawn(move || {
            clock::pin(far_core)?;
            far.play(exercise, Role::There, clock)
        });
        let here = near.play(exercise, Role::Here, clock);
        let there = far.join().map_err(|_| anyhow!("the second thread panicked"))?;
        Ok([here?, there?])
    })
}
