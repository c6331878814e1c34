//! The registry of services, with no more of them than there are look-ups: registering, looking up, filtering, telling a tracker, calling through a
//! reference; among 1, 1,000 and 100,000 services of one interface; beside a map that nobody changes
//! and without a lock, with the hasher of the registry, and beside a bare `Arc`.

use super::{Ratio, Row};
use crate::bench::clock::{self, Clock, ticks};
use anyhow::{Context, Result, anyhow};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use strait::props;
use strait::registry::{Filter, Interface, Properties, Registration, Registry, Tracker};

pub(super) const RATIOS: &[Ratio] = &[
    ("look up, among 1", "map, among 1"),
    ("look up, among 1,000", "map, among 1,000"),
    ("look up, among 100,000", "map, among 100,000"),
    ("look up, among 100,000", "look up, among 1"),
    ("look up by venue, among 100,000", "look up by venue, among 1"),
    ("register, among 100,000", "register, among 1"),
    ("call through a reference", "call through an Arc"),
];

/// Names of what is measured among so many services.
struct Names {
    register: &'static str,
    unregister: &'static str,
    find: &'static str,
    by_venue: &'static str,
    map: &'static str,
}

macro_rules! names {
    ($among:literal) => {
        Names {
            register: concat!("register, among ", $among),
            unregister: concat!("unregister, among ", $among),
            find: concat!("look up, among ", $among),
            by_venue: concat!("look up by venue, among ", $among),
            map: concat!("map, among ", $among),
        }
    };
}

const SIZES: [(u64, Names); 3] =
    [(1, names!("1")), (1000, names!("1,000")), (100_000, names!("100,000"))];

/// Services that come and go while the others stay.
const PASSING: u64 = 1000;

/// Venues that are asked for in turn: a power of two.
const VENUES: u64 = 64;

/// What the services do.
pub(crate) trait Add: Send + Sync {
    fn add(&self, number: u64) -> u64;
}

impl Interface for dyn Add {
    const NAME: &'static str = "bench.Add";
}

pub(crate) struct Adder(u64);

impl Add for Adder {
    #[inline(never)]
    fn add(&self, number: u64) -> u64 {
        number.wrapping_add(self.0)
    }
}

pub(super) fn round(count: u64, far: usize, clock: Clock) -> Result<Row> {
    let mut row = Row::new();
    for (size, names) in SIZES {
        // A short run is one with few services, whatever the names say.
        among(size.min(count), &names, count, clock, &mut row)?;
    }
    row.insert("clauses, three of them", clauses(count, clock)?);
    row.insert("tracker told", tracker(clock)?);
    let registry = Registry::new();
    let _registration = register(&registry, 1)?;
    row.extend(calls(&registry, count, clock)?);
    row.insert("look up, while it changes", beside(&registry, 1, true, count, far, clock)?);
    row.insert("look up, two at once", beside(&registry, 2, false, count, far, clock)?);
    Ok(row)
}

fn properties(number: u64) -> Properties {
    props! { "venue" => format!("venue-{number}"), "port" => 4001, "open" => true }
}

/// A registration of service `number`, at a venue of its own.
pub(crate) fn register(registry: &Registry, number: u64) -> Result<Registration> {
    Ok(registry.register::<dyn Add>("adder", Arc::new(Adder(1)), properties(number))?)
}

fn among(size: u64, names: &Names, count: u64, clock: Clock, row: &mut Row) -> Result<()> {
    let registry = Registry::new();
    let _there = (0..size).map(|number| register(&registry, number)).collect::<Result<Vec<_>>>()?;

    let (registering, unregistering) = passing(&registry, size, clock)?;
    row.insert(names.register, registering);
    row.insert(names.unregister, unregistering);

    let venue = |turn: u64| (turn % VENUES).wrapping_mul(size) / VENUES;
    let filters = (0..VENUES)
        .map(|turn| Ok(format!("(venue=venue-{})", venue(turn)).parse::<Filter>()?))
        .collect::<Result<Vec<_>>>()?;
    row.insert(names.find, each(count, clock, |_| registry.find::<dyn Add>().is_some())?);
    let by_venue = |turn: u64| {
        // Below their number.
        #[allow(clippy::cast_possible_truncation)]
        let filter = &filters[(turn % VENUES) as usize];
        registry.find_where::<dyn Add>(filter).is_some()
    };
    row.insert(names.by_venue, each(count, clock, by_venue)?);

    let mut map = Map::default();
    for number in 0..size {
        map.insert(Key::new(number), Arc::new(Adder(number)));
    }
    let keys: Vec<Key> = (0..VENUES).map(|turn| Key::new(venue(turn))).collect();
    // The same key each time, as the same interface.
    let get = |_| black_box(map.get(black_box(&keys[0])).cloned()).is_some();
    row.insert(names.map, each(count, clock, get)?);
    Ok(())
}

/// Nanoseconds for each of `PASSING` services to be registered, and to be unregistered, beside those
/// that are there.
fn passing(registry: &Registry, from: u64, clock: Clock) -> Result<(f64, f64)> {
    let per = |ticks: u64| clock.ns(ticks) / PASSING as f64;
    let ready: Vec<_> = (from..from + PASSING)
        .map(|number| (Arc::new(Adder(number)), properties(number)))
        .collect();
    let mut passing = Vec::with_capacity(ready.len());
    let began = ticks();
    for (service, properties) in ready {
        passing.push(registry.register::<dyn Add>("adder", service, properties)?);
    }
    let registering = per(ticks() - began);
    let began = ticks();
    drop(passing);
    Ok((registering, per(ticks() - began)))
}

/// Nanoseconds for each of `count` steps, which must succeed.
fn each(count: u64, clock: Clock, step: impl Fn(u64) -> bool) -> Result<f64> {
    let began = ticks();
    let all = (0..count).fold(true, |all, turn| step(turn) & all);
    let passed = ticks() - began;
    anyhow::ensure!(all, "something was not found");
    Ok(clock.ns(passed) / count as f64)
}

fn clauses(count: u64, clock: Clock) -> Result<f64> {
    let filter: Filter = "(&(venue=venue-7)(port>=4000)(open=true))".parse()?;
    let properties = properties(7);
    each(count, clock, |_| black_box(&filter).matches(black_box(&properties)))
}

/// What a tracker adds to each of two events.
fn tracker(clock: Clock) -> Result<f64> {
    let registry = Registry::new();
    let (registering, unregistering) = passing(&registry, 0, clock)?;
    let filter: Filter = "(port=4001)".parse()?;
    let tracker: Tracker<dyn Add> = Tracker::open(&registry, Some(filter), ());
    let (tracked, untracked) = passing(&registry, 0, clock)?;
    drop(tracker);
    Ok((tracked + untracked - registering - unregistering) / 2.0)
}

fn calls(registry: &Registry, count: u64, clock: Clock) -> Result<[(&'static str, f64); 2]> {
    let service = registry.find::<dyn Add>().context("no service")?;
    let through = each(count, clock, |turn| {
        black_box(&service).get().is_ok_and(|service| service.add(turn) > turn)
    })?;
    let bare: Arc<dyn Add> = Arc::new(Adder(1));
    let direct = each(count, clock, |turn| black_box(&bare).add(turn) > turn)?;
    Ok([("call through a reference", through), ("call through an Arc", direct)])
}

/// Nanoseconds per look-up of the slowest of one or two readers, perhaps while the other core
/// registers and unregisters without end.
fn beside(
    registry: &Registry,
    readers: usize,
    changes: bool,
    count: u64,
    far: usize,
    clock: Clock,
) -> Result<f64> {
    let (start, stop) = (Barrier::new(readers), AtomicBool::new(false));
    let (start, stop) = (&start, &stop);
    std::thread::scope(|scope| {
        let read = move |core: Option<usize>| -> Result<f64> {
            core.map_or(Ok(()), clock::pin)?;
            start.wait();
            let taken = each(count, clock, |_| registry.find::<dyn Add>().is_some());
            stop.store(true, Ordering::Relaxed);
            taken
        };
        let reading = scope.spawn(move || read(Some(far)));
        let mine = if readers > 1 { read(None)? } else { 0.0 };
        while changes && !stop.load(Ordering::Relaxed) {
            drop(register(registry, 2)?);
        }
        let other = reading.join().map_err(|_| anyhow!("the reader panicked"))??;
        Ok(mine.max(other))
    })
}

/// A text and its hash, known before it is looked up, as the registry's are.
#[derive(PartialEq, Eq)]
struct Key {
    hash: u64,
    text: String,
}

impl Key {
    fn new(number: u64) -> Self {
        let text = format!("venue-{number}");
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self { hash: text.bytes().fold(0xcbf2_9ce4_8422_2325, mix), text }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Passes that hash on, as the registry's hasher does.
#[derive(Default)]
struct Passed(u64);

impl Hasher for Passed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Map = HashMap<Key, Arc<dyn Add>, BuildHasherDefault<Passed>>;
