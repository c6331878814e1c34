//! The registry of services: what it costs to register, find and call, and what it finds.

use super::judge::{Amount, Behaviour};
use super::lab::{Lab, ROUNDS, effort, median};
use anyhow::{Context, Result, ensure};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use strait::props;
use strait::registry::{
    Filter, Interface, Properties, Registration, Registry, ServiceRef, Tracker,
};

/// Services that are there while others come and go.
const SERVICES: u64 = effort(100_000);

/// Services that come and go per round.
const PASSING: u64 = 1000;

/// Look-ups or calls per round.
const LOOKS: u64 = effort(500_000);

trait Add: Send + Sync {
    fn add(&self, number: u64) -> u64;
}

impl Interface for dyn Add {
    const NAME: &'static str = "verify.Add";
}

struct Adder(u64);

impl Add for Adder {
    #[inline(never)]
    fn add(&self, number: u64) -> u64 {
        number.wrapping_add(self.0)
    }
}

fn register(registry: &Registry, properties: Properties) -> Result<Registration> {
    Ok(registry.register::<dyn Add>("adder", Arc::new(Adder(1)), properties)?)
}

/// A registry of many services, each with a property of its own.
fn many() -> Result<(Registry, Vec<Registration>)> {
    let registry = Registry::new();
    let there = (0..SERVICES)
        .map(|number| register(&registry, props! { "number" => i64::try_from(number)? }))
        .collect::<Result<_>>()?;
    Ok((registry, there))
}

/// Nanoseconds of a registration among many.
pub(super) fn registration(lab: &mut Lab) -> Result<Amount> {
    let (registry, _there) = many()?;
    let (few, one) = (Registry::new(), passing(&registry, ROUNDS)?);
    lab.note(format!(
        "registration: with 1 property, among {SERVICES} services; among none it is {:.0} ns",
        passing(&few, ROUNDS)?.0
    ));
    Ok(one.0.into())
}

/// Median nanoseconds of a registration, and of its end.
fn passing(registry: &Registry, rounds: usize) -> Result<(f64, f64)> {
    let per = |begun: Instant| begun.elapsed().as_nanos() as f64 / PASSING as f64;
    let (mut coming, mut going) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let ready: Vec<_> = (0..PASSING).map(|_| props! { "passing" => true }).collect();
        let begun = Instant::now();
        let passing = ready
            .into_iter()
            .map(|properties| register(registry, properties))
            .collect::<Result<Vec<_>>>()?;
        coming.push(per(begun));
        let begun = Instant::now();
        drop(passing);
        going.push(per(begun));
    }
    Ok((median(coming), median(going)))
}

/// Nanoseconds of a look-up of the best of many.
pub(super) fn look_up(_: &mut Lab) -> Result<Amount> {
    let (registry, _there) = many()?;
    timed(|| registry.find::<dyn Add>().is_some())
}

/// Nanoseconds that a tracker adds to a change.
pub(super) fn tracker(_: &mut Lab) -> Result<Amount> {
    let registry = Registry::new();
    let alone = passing(&registry, ROUNDS)?;
    let tracker: Tracker<dyn Add> = Tracker::open(&registry, None, ());
    let tracked = passing(&registry, ROUNDS)?;
    drop(tracker);
    Ok(((tracked.0 + tracked.1 - alone.0 - alone.1) / 2.0).into())
}

/// Nanoseconds of a call through a reference that was kept, with the look whether it still holds.
pub(super) fn cached_call(_: &mut Lab) -> Result<Amount> {
    let registry = Registry::new();
    let _there = register(&registry, props! {})?;
    let service = registry.find::<dyn Add>().context("a service was registered")?;
    timed(|| black_box(&service).get().is_ok_and(|service| service.add(1) == 2))
}

fn timed(step: impl Fn() -> bool) -> Result<Amount> {
    let mut rounds = Vec::new();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let all = (0..LOOKS).fold(true, |all, _| step() & all);
        ensure!(all, "a service was not found");
        if round > 0 {
            rounds.push(begun.elapsed().as_nanos() as f64 / LOOKS as f64);
        }
    }
    Ok(median(rounds).into())
}

/// Whether a ranking that is a text counts as a number, the highest wins, and of two the older.
pub(super) fn ranking(_: &mut Lab) -> Result<Behaviour> {
    let registry = Registry::new();
    let rankings =
        [props! {}, props! { "service.ranking" => "1000" }, props! { "service.ranking" => 1000 }];
    let _there = rankings.map(|properties| register(&registry, properties));
    let order: Vec<u64> = registry.find_all::<dyn Add>(None).iter().map(ServiceRef::id).collect();
    Ok(Behaviour {
        holds: order == [2, 3, 1],
        seen: format!("rankings 0, \"1000\" and 1000, registered in turn, are found as {order:?}"),
    })
}

/// Whether a filter finds the service it describes, and no other.
pub(super) fn filter(_: &mut Lab) -> Result<Behaviour> {
    let registry = Registry::new();
    let kinds = ["sqlite", "postgresql", "mysql"];
    let _there = kinds.map(|kind| register(&registry, props! { "type" => kind }));
    let filter: Filter = "(type=postgresql)".parse()?;
    let found: Vec<u64> =
        registry.find_all::<dyn Add>(Some(&filter)).iter().map(ServiceRef::id).collect();
    let error = "(type=postgresql".parse::<Filter>().err().map(|error| error.to_string());
    Ok(Behaviour {
        holds: found == [2] && error.is_some(),
        seen: format!("{filter} finds {found:?} of {kinds:?}; without its end: {error:?}"),
    })
}
