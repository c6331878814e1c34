//! Runs rounds until there were enough kills, and reports.

use crate::options::Options;
use crate::place::Place;
use crate::stage::{Stage, Trouble};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use strait_torture::oracle::Violation;
use strait_torture::plan::{self, Round, Setting, Sleep, Step};
use strait_torture::report::Report;
use strait_torture::tally::{Count, Tally};

/// The users of rounds with two; they need not exist.
const USERS: [u32; 2] = [61_001, 61_002];

/// Violations of a round that are told in full.
const SHOWN: usize = 8;

/// Rounds with violations after which no more are begun: each may take as long as stuck actors do.
const ENOUGH_BROKEN: u64 = 4;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(3);

/// What the rounds so far came to.
#[derive(Debug, Default)]
struct Sum {
    tally: Tally,
    violations: usize,
    /// Rounds with violations.
    broken: u64,
    told: Option<Instant>,
}

/// Runs; true if the run passed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let started = Instant::now();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let interrupted = Arc::new(AtomicBool::new(false));
    // Nobody is left behind, nor any directory: the rounds under way are finished first.
    let handler = Arc::clone(&interrupted);
    ctrlc::set_handler(move || handler.store(true, SeqCst))?;
    let sum = Mutex::new(Sum::default());
    let worker = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, SeqCst);
            let enough = lock(&sum).tally.kills() >= options.kills;
            let enough = enough || failed.load(SeqCst) || interrupted.load(SeqCst);
            let (number, done) = match options.round {
                Some(round) => (round, number > 0),
                None => (number, enough),
            };
            if done {
                return Ok(());
            }
            let result = round(options, &plan::round(options.seed, number));
            if result.is_err() {
                failed.store(true, SeqCst);
            }
            let (tally, violations) = result?;
            let mut sum = lock(&sum);
            sum.tally.merge(tally);
            sum.violations += violations;
            sum.broken += u64::from(violations > 0);
            if sum.broken >= ENOUGH_BROKEN {
                failed.store(true, SeqCst);
            }
            let now = Instant::now();
            if now - sum.told.unwrap_or(started) >= PROGRESS {
                sum.told = Some(now);
                let (kills, violations) = (sum.tally.kills(), sum.violations);
                eprintln!("{kills} of {} kills, {violations} violations", options.kills);
            }
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..options.jobs).map(|_| scope.spawn(worker)).collect();
        let failed = || anyhow::anyhow!("a thread of the supervisor failed");
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| failed())?)
    })?;
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seconds = started.elapsed().as_secs_f64();
    let (tally, violations) = (&sum.tally, sum.violations);
    let report = Report { seed: options.seed, tally, violations, seconds };
    let mut shortcomings = report.shortcomings();
    if interrupted.load(SeqCst) {
        shortcomings.push("interrupted".to_owned());
    }
    for shortcoming in &shortcomings {
        eprintln!("FAILED: {shortcoming}");
    }
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
        println!("{}", report.verdict());
    }
    Ok(shortcomings.is_empty())
}

fn lock(sum: &Mutex<Sum>) -> std::sync::MutexGuard<'_, Sum> {
    sum.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one round; tells of every violation how to see it again.
fn round(options: &Options, round: &Round) -> Result<(Tally, usize)> {
    let place = Place::new(round.number)?;
    let (mut tally, mut violations) = (Tally::default(), Vec::new());
    let result = perform(round, &place, &mut tally, &mut violations);
    tally.count(Count::Rounds);
    if round.sleep == Sleep::Endless {
        tally.count(Count::RoundsWithoutSlices);
    }
    for violation in violations.iter().take(SHOWN) {
        eprintln!("VIOLATION {violation}");
    }
    if let Some(more) = violations.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        eprintln!("  and {more} more");
    }
    let Round { setting, kind, capacity, blocks, sleep, number, .. } = round;
    if !violations.is_empty() || result.is_err() {
        eprintln!(
            "  in round {number}: {setting:?}, {} messages, capacity {capacity}, blocks {blocks}, sleep: {sleep:?}\n  \
             replay: cargo xtask torture --seed {} --round {number}",
            kind.name(),
            options.seed,
        );
        if options.keep {
            eprintln!("  kept: {}", place.keep().display());
        }
    }
    result?;
    Ok((tally, violations.len()))
}

fn perform(
    round: &Round,
    place: &Place,
    tally: &mut Tally,
    violations: &mut Vec<Violation>,
) -> Result<()> {
    let users = match round.setting {
        Setting::Users if rustix::process::geteuid().is_root() => {
            vec![Some(USERS[0]), Some(USERS[1])]
        }
        Setting::Users => {
            tally.skip("two users: it takes root".to_owned());
            vec![None]
        }
        _ => vec![None],
    };
    let mut stages = Vec::new();
    let mut trouble = None;
    for user in users {
        match Stage::new(round, place, user) {
            Ok(stage) => stages.push(stage),
            Err(found) => trouble = Some(found),
        }
    }
    if trouble.is_none() {
        trouble = play(round, &mut stages).err();
    }
    let finished = trouble.is_none();
    let mut result = Ok(());
    match trouble {
        Some(Trouble::Broken(violation)) => violations.push(violation),
        Some(Trouble::Failed(error)) => result = Err(error),
        None => {}
    }
    for stage in stages {
        let (more, found) = stage.verdict(finished);
        tally.merge(more);
        violations.extend(found);
    }
    let left = place.files()?;
    if finished && !left.is_empty() {
        let seen = format!("left behind: {left:?}");
        violations.push(Violation::new(strait_torture::oracle::Rule::Debris, seen));
    }
    result
}

fn play(round: &Round, stages: &mut [Stage<'_>]) -> Result<(), Trouble> {
    for (index, &step) in round.steps.iter().enumerate() {
        if let ([one, other], Step::Intrusion) = (&mut *stages, step) {
            one.trespass(other)?;
            other.trespass(one)?;
        } else {
            let turn = index % stages.len();
            stages[turn].perform(step)?;
        }
    }
    stages.iter_mut().try_for_each(Stage::finale)
}
