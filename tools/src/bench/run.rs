//! A run: rounds of everything that is measured, in turn, with probes of the placement around each.
//!
//! ```text
//! round:  probe  raw  probe  strait  probe  rtrb  probe …      next round: strait first, raw last
//! ```
//!
//! All probes of a round must be of one class, or the cores were moved in its middle and the round
//! is discarded. Ratios are taken within rounds, so that what a whole round has in common cancels.

use super::classes::{Classes, are_siblings};
use super::clock::{self, Clock, ticks};
use super::exercise::one_way::OneWay;
use super::exercise::round_trip::{BLOCK, RoundTrips};
use super::exercise::stream::Stream;
use super::exercise::{Exercise, Observed, Player, Role};
use super::measured::{self, Figures, Samples};
use super::options::Options;
use super::partner::{Partner, Setup, Sides};
use super::sides::{Channels, Messages, Subject, lines, number};
use anyhow::{Context, Result, anyhow};
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, Instant};

/// Which benchmark to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// Messages there and back, one at a time.
    RoundTrip,
    /// Messages sent at a rate; half of what goes through, unless one is given.
    OneWay {
        /// Messages per second.
        rate: Option<f64>,
    },
    /// As many messages as go through.
    Stream {
        /// Messages per batch; 1 sends them one by one.
        batch: u64,
    },
}

/// Messages per chunk where a peer takes chunks and no batch was asked for.
const PEER_CHUNK: u64 = 32;

/// Blocks of round trips in a probe: a millisecond or a few.
const PROBE_BLOCKS: u64 = 128;

/// What one subject did in one round.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) figures: Figures,
    pub(super) samples: Option<Samples>,
}

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Raw round trips around and between the measurements, in nanoseconds.
    pub(super) probes: Vec<f64>,
    pub(super) measured: BTreeMap<Subject, Measured>,
    /// Messages per second that were sent, in an open loop.
    pub(super) rate: Option<f64>,
}

impl Round {
    /// The bare lines' round trip in nanoseconds, if that is what was measured of them.
    pub(super) fn raw_round_trips(&self) -> Option<f64> {
        // An open loop, which has a rate, measures their one-way latency.
        let raw = self.measured.get(&Subject::Raw).filter(|_| self.rate.is_none())?;
        Some(raw.figures.central())
    }

    /// The class of all its probes, the long one included, if they agree.
    pub(super) fn class<'a>(&self, classes: &'a Classes) -> Option<&'a str> {
        let long = self.raw_round_trips();
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
    let cores = options.pair_of_cores()?;
    let siblings = are_siblings(cores.0, cores.1);
    let mut bench = Bench::open(task, options, cores)?;
    let began = Instant::now();
    let mut rounds = Vec::new();
    loop {
        rounds.push(bench.round(rounds.len())?);
        let probes: Vec<f64> = rounds.iter().flat_map(|round| &round.probes).copied().collect();
        let classes = Classes::find(&probes, siblings);
        let enough = enough(&rounds, &classes, options);
        if enough || began.elapsed() >= options.limit() {
            let stopped = if enough { Stopped::Rounds } else { Stopped::MaxTime };
            return Ok(Rounds { rounds, classes, stopped, cores });
        }
    }
}

fn enough(rounds: &[Round], classes: &Classes, options: &Options) -> bool {
    let mut kept = BTreeMap::<&str, usize>::new();
    for class in rounds.iter().filter_map(|round| round.class(classes)) {
        *kept.entry(class).or_default() += 1;
    }
    match &options.until {
        None => kept.values().sum::<usize>() >= options.rounds,
        Some(until) => until
            .iter()
            .all(|(class, &wanted)| kept.get(class.as_str()).copied().unwrap_or(0) >= wanted),
    }
}

/// Everything that a run holds on to.
struct Bench {
    task: Task,
    messages: Messages,
    share: Duration,
    clock: Clock,
    far_core: usize,
    subjects: Vec<Subject>,
    sides: Sides,
    partner: Partner,
    /// The next message's number. Numbers are never used again: the yardstick's lines keep them.
    next: u64,
    /// Nanoseconds per operation, as last measured.
    cost: BTreeMap<Subject, f64>,
}

impl Bench {
    fn open(task: Task, options: &Options, cores: (usize, usize)) -> Result<Self> {
        clock::pin(cores.0)?;
        let (messages, clock) = (options.messages()?, Clock::calibrate(options.gap()));
        let lines = File::from(memfd_create("strait-yardstick", MemfdFlags::CLOEXEC)?);
        lines.set_len(lines::BYTES)?;
        let channels = Channels::new(&messages)?;
        let [there, back] = channels.descriptors()?;
        let sides = Sides::open(&channels, &lines, &messages, Role::Here)?;
        let partner = Partner::spawn(&Setup {
            process: std::process::id(),
            lines: number(&lines),
            there: number(&there),
            back: number(&back),
            core: cores.1,
            messages,
            clock,
        })?;
        let mut subjects = match task {
            Task::RoundTrip => vec![Subject::Strait, Subject::Raw, Subject::Line],
            Task::OneWay { .. } => vec![Subject::Strait, Subject::Raw],
            Task::Stream { .. } => vec![Subject::Strait],
        };
        if messages.suit_peers() && !matches!(task, Task::OneWay { .. }) {
            subjects.extend([Subject::Rtrb, Subject::RtrbChunks]);
        }
        let (share, cost) = (options.share(), BTreeMap::new());
        let far_core = cores.1;
        Ok(Self { task, messages, share, clock, far_core, subjects, sides, partner, next: 0, cost })
    }

    fn round(&mut self, index: usize) -> Result<Round> {
        let mut subjects = self.subjects.clone();
        let turn = index % subjects.len();
        subjects.rotate_left(turn);
        let rate = match self.task {
            Task::OneWay { rate: None } => Some(self.saturation()? / 2.0),
            Task::OneWay { rate } => rate,
            Task::RoundTrip | Task::Stream { .. } => None,
        };
        let mut probes = vec![self.probe()?];
        let mut measured = BTreeMap::new();
        for subject in subjects {
            let result = match self.task {
                Task::RoundTrip => self.round_trips(subject),
                Task::OneWay { .. } => self.one_way(subject, rate.unwrap_or(1.0)),
                Task::Stream { batch } => self.stream(subject, batch),
            };
            measured.insert(subject, result.with_context(|| subject.name().to_owned())?);
            probes.push(self.probe()?);
        }
        Ok(Round { probes, measured, rate })
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
                self.messages.peer(subject)?,
                &exercise,
                self.clock,
                self.far_core,
            );
        }
        self.partner.begin(subject, exercise)?;
        match self.sides.side(subject)?.play(&exercise, Role::Here, self.clock) {
            Ok(here) => Ok([here, self.partner.finish()?]),
            // Its account of a failure is worth more than ours of the consequences.
            Err(error) => Err(self.partner.failure().unwrap_or(error)),
        }
    }

    fn bounce(&mut self, subject: Subject, blocks: u64, stamped: u64) -> Result<[Observed; 2]> {
        // Enough to touch every cell of a peer's fresh ring.
        let warm_up = if subject.in_process() { 4 * self.messages.capacity() } else { 4 * BLOCK };
        let plan = RoundTrips { first: self.next, warm_up, blocks, stamped };
        self.play(subject, Exercise::RoundTrips(plan), plan.total())
    }

    /// A short raw round trip, in nanoseconds: it tells the class.
    fn probe(&mut self) -> Result<f64> {
        let [here, _] = self.bounce(Subject::Raw, PROBE_BLOCKS, 0)?;
        measured::central(&here, self.clock)
    }

    /// How many operations of `subject` fill a round's share, once it is known what one costs.
    fn fitting(&self, subject: Subject) -> Option<u64> {
        let count = self.share.as_nanos() as f64 / self.cost.get(&subject)?;
        // A share is seconds at most, an operation nanoseconds at least.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = count as u64;
        Some(count)
    }

    fn round_trips(&mut self, subject: Subject) -> Result<Measured> {
        let count = match self.fitting(subject) {
            Some(count) => count,
            None => {
                let [here, _] = self.bounce(subject, PROBE_BLOCKS, 0)?;
                self.cost.insert(subject, measured::central(&here, self.clock)?);
                self.fitting(subject).unwrap_or(0)
            }
        };
        let (blocks, stamped) = ((count / 2 / BLOCK).max(16), (count / 2).clamp(1000, 1 << 21));
        let [here, there] = self.bounce(subject, blocks, stamped)?;
        let central = measured::central(&here, self.clock)?;
        self.cost.insert(subject, central);
        let samples = Samples::collect(&here, &there, self.clock)?;
        Ok(Measured { figures: samples.figures(Some(central)), samples: Some(samples) })
    }

    fn stream(&mut self, subject: Subject, batch: u64) -> Result<Measured> {
        let capacity = self.messages.capacity();
        let batch = match subject {
            Subject::Rtrb => 1,
            Subject::RtrbChunks if batch == 1 => PEER_CHUNK,
            _ => batch,
        };
        let least = 32 * capacity;
        if !self.cost.contains_key(&subject) {
            self.pass(subject, batch, least)?;
        }
        let count = self.fitting(subject).unwrap_or(0).max(least);
        Ok(Measured { figures: self.pass(subject, batch, count)?, samples: None })
    }

    fn pass(&mut self, subject: Subject, batch: u64, measured: u64) -> Result<Figures> {
        let warm_up = 4 * self.messages.capacity();
        let plan = Stream { first: self.next, warm_up, measured, batch };
        let [here, _] = self.play(subject, Exercise::Stream(plan), plan.total())?;
        let figures = measured::rate(&here, self.messages.size, self.clock);
        self.cost.insert(subject, 1e9 / figures.central());
        Ok(figures)
    }

    /// Messages per second that go through an open loop which does not wait for their time.
    fn saturation(&mut self) -> Result<f64> {
        let least = 16 * self.messages.capacity();
        let measured = (self.fitting(Subject::Strait).unwrap_or(0) / 10).max(least);
        let [here, _] = self.due(Subject::Strait, measured, 0.0)?;
        let saturation = measured::rate(&here, self.messages.size, self.clock).central();
        self.cost.insert(Subject::Strait, 1e9 / saturation);
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

/// As two threads of this process, one of them on another core.
fn play_threads(
    sides: [Box<dyn Player + Send>; 2],
    exercise: &Exercise,
    clock: Clock,
    far_core: usize,
) -> Result<[Observed; 2]> {
    let [mut near, mut far] = sides;
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
