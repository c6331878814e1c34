//! Calls of a service, in this process and in the other one.
//!
//! "With 1 KB" is an argument of that length, of which the service looks at the end: in one process it goes
//! by reference, to another it is copied once, into shared memory. "Works for a while" is taken as a record
//! of records, there and back, and half a microsecond of work in between.

use super::judge::{Amount, Beside, Percentiles};
use super::lab::{Lab, ROUNDS, effort, median};
use super::peer::{self, Orders, Peer, Role};
use crate::echo::{self, Echo, EchoClient, Echoing, Note, SCHEMA, Serving, words};
use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use std::hint::black_box;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;
use strait::service::Binding;
use strait::{Condition, Domain};
use strait_ipc::calls::Calls;
use strait_ipc::segment::Directory;

const KB: usize = 1000;
const MB: usize = 1_000_000;
/// Nanoseconds of a while.
const WORK_NS: u32 = 500;

/// Calls of a round, in this process and to the other one.
const HERE: u64 = effort(1_000_000);
const THERE: u64 = effort(50_000);
/// Calls of 1 MB are so many times fewer.
const LONG: u64 = 100;
/// Calls under way at once, and in a batch.
const UNDER_WAY: u64 = 32;
const BATCH: u64 = 100;
/// Longest call that is told apart, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// The other process's channel of calls.
pub(super) const CHANNEL: &str = "calls";

fn channel(meet: &str) -> Calls {
    Calls::named(Directory::default(), meet, CHANNEL)
}

/// [`Role::Serve`]: until the client has gone; with a `count`, not before it says so.
pub(super) fn serve(orders: &Orders) -> Result<()> {
    let calls = channel(&orders.meet).clients(1).max_len(1024).arena(4 << 20).schema(SCHEMA);
    let mut serving = Serving::new(calls.server()?);
    let mut begin = Domain::open(&orders.meet)?.spsc::<u64>("there").receiver()?;
    peer::ready();
    if orders.count > 0 {
        begin.recv()?;
    }
    let gone = |condition| matches!(condition, Condition::Closed | Condition::Died);
    Ok(serving
        .serve_until(|server| server.client(0).is_some_and(|client| gone(client.condition())))?)
}

/// What `measure` finds with a client of the other process.
fn with_peer<R>(count: u64, measure: impl FnOnce(&EchoClient, &Peer) -> Result<R>) -> Result<R> {
    let peer = Peer::start(Role::Serve, 0, count, Stdio::null())?;
    let client = echo::connect(channel(&peer.meet).client()?)?;
    let found = measure(&client, &peer)?;
    drop(client);
    peer.finish()?;
    Ok(found)
}

/// Nanoseconds of a call in this process: the median of rounds.
fn here(count: u64, mut call: impl FnMut(&EchoClient) -> Result<()>) -> Result<Amount> {
    let service: Arc<dyn Echo> = Arc::new(Echoing::default());
    let client = black_box(EchoClient::from(Binding::from(service)));
    let round = |_| {
        let start = Instant::now();
        (0..count).try_for_each(|_| call(black_box(&client)))?;
        Ok(start.elapsed().as_nanos() as f64 / count as f64)
    };
    // The first round warms up.
    let rounds = (0..=ROUNDS).map(round).collect::<Result<Vec<_>>>()?;
    Ok(median(rounds[1..].to_vec()).into())
}

/// Nanoseconds of a call to the other process; each one is timed.
fn there(count: u64, mut call: impl FnMut(&EchoClient) -> Result<()>) -> Result<Amount> {
    with_peer(0, |client, _| {
        let mut times = Histogram::<u64>::new_with_bounds(1, LONGEST, 3)?;
        for number in 0..count + count / 8 {
            let start = Instant::now();
            call(client)?;
            let time = start.elapsed();
            if number >= count / 8 {
                times.saturating_record(u64::try_from(time.as_nanos())?);
            }
        }
        let percentiles = Percentiles {
            p50_ns: times.value_at_quantile(0.5),
            p99_ns: times.value_at_quantile(0.99),
            p999_ns: times.value_at_quantile(0.999),
        };
        Ok(Amount { value: percentiles.p50_ns as f64, percentiles: Some(percentiles) })
    })
}

fn nothing(client: &EchoClient) -> Result<()> {
    Ok(client.nothing()?)
}

/// A call with so many bytes.
fn bytes(len: usize) -> impl FnMut(&EchoClient) -> Result<()> {
    let bytes = black_box(vec![7; len]);
    move |client| {
        ensure!(client.last(&bytes)? == [bytes.len() as u64, 7], "the service saw other bytes");
        Ok(())
    }
}

/// A call that works for a while.
fn work() -> impl FnMut(&EchoClient) -> Result<()> {
    let note: Note = echo::note(7);
    move |client| {
        let back = client.note(&note, WORK_NS)?;
        ensure!(back.lines.len() == note.lines.len(), "another note came back");
        Ok(())
    }
}

pub(super) fn nothing_here(_: &mut Lab) -> Result<Amount> {
    here(HERE, nothing)
}

pub(super) fn nothing_there(_: &mut Lab) -> Result<Amount> {
    there(THERE, nothing)
}

pub(super) fn kilobyte_here(_: &mut Lab) -> Result<Amount> {
    here(HERE, bytes(KB))
}

pub(super) fn kilobyte_there(_: &mut Lab) -> Result<Amount> {
    there(THERE, bytes(KB))
}

pub(super) fn megabyte_here(_: &mut Lab) -> Result<Amount> {
    here(HERE, bytes(MB))
}

pub(super) fn megabyte_there(_: &mut Lab) -> Result<Amount> {
    there(THERE.div_ceil(LONG), bytes(MB))
}

pub(super) fn work_here(_: &mut Lab) -> Result<Amount> {
    here(THERE, work())
}

pub(super) fn work_there(_: &mut Lab) -> Result<Amount> {
    there(THERE, work())
}

/// Calls of 48 bytes a second, one after another.
pub(super) fn rate_here(_: &mut Lab) -> Result<Amount> {
    let mut number = 0;
    let each = here(HERE, |client| {
        number += 1;
        ensure!(client.words(&words(number))? == words(number), "the answer to another call");
        Ok(())
    })?;
    Ok((1e9 / each.value).into())
}

/// Calls of 48 bytes a second, 32 under way.
pub(super) fn rate_there(_: &mut Lab) -> Result<Amount> {
    with_peer(0, |client, _| {
        let round = |_| per_call(THERE, UNDER_WAY, |first| one_by_one(client, first, UNDER_WAY));
        let rounds = (0..=ROUNDS).map(round).collect::<Result<Vec<_>>>()?;
        Ok((1e9 / median(rounds[1..].to_vec())).into())
    })
}

/// Nanoseconds of each of about `count` calls, which `work` makes `many` at a time.
fn per_call(count: u64, many: u64, mut work: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    let turns = count.div_ceil(many);
    (0..turns).try_for_each(|turn| work(turn * many))?;
    Ok(start.elapsed().as_nanos() as f64 / (turns * many) as f64)
}

/// So many calls, all of them made before the first is waited for.
fn one_by_one(client: &EchoClient, first: u64, count: u64) -> Result<()> {
    let mut calls = client.start();
    let made = (first..first + count).map(|number| calls.words(&words(number)));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    for (call, number) in made.into_iter().zip(first..) {
        ensure!(call.wait()? == words(number), "the answer to another call");
    }
    Ok(())
}

/// The same, published together.
fn together(client: &EchoClient, first: u64, count: u64) -> Result<()> {
    let made = client.batch(|calls| {
        (first..first + count)
            .map(|number| calls.words(&words(number)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    for (call, number) in made.into_iter().zip(first..) {
        ensure!(call.wait()? == words(number), "the answer to another call");
    }
    Ok(())
}

/// Nanoseconds per call to the other process: in batches, and as many one by one.
pub(super) fn batches(_: &mut Lab) -> Result<Beside> {
    with_peer(0, |client, _| {
        let (mut batched, mut single) = (Vec::new(), Vec::new());
        // The first round of each warms up.
        for round in 0..=ROUNDS {
            let alone = per_call(THERE, BATCH, |first| one_by_one(client, first, BATCH))?;
            let batch = per_call(THERE, BATCH, |first| together(client, first, BATCH))?;
            if round > 0 {
                single.push(alone);
                batched.push(batch);
            }
        }
        Ok(Beside { ours: median(batched), other: median(single) })
    })
}

/// Calls that are under way at once, each of which gets its own answer. The other process looks at none of
/// them before all are made.
pub(super) fn in_flight_there(_: &mut Lab) -> Result<Amount> {
    const CALLS: u64 = 1000;
    with_peer(CALLS, |client, peer| {
        let mut begin = peer.domain.spsc::<u64>("there").sender()?;
        under_way(client, CALLS, || Ok(begin.send(&1)?))
    })
}

/// The same in this process, through a ring that holds so many.
pub(super) fn in_flight_here(_: &mut Lab) -> Result<Amount> {
    const CALLS: u64 = 10_000;
    let calls = Calls::unnamed("verify").max_len(48).clients(1).schema(SCHEMA);
    let (server, client) = calls.capacity(CALLS.next_power_of_two()).pair()?;
    let (mut serving, client) = (Serving::new(server), echo::connect(client)?);
    under_way(&client, CALLS, || {
        while serving.try_serve()? {}
        Ok(())
    })
}

/// How many of `count` calls, made before `answer` has the first of them answered, come back as themselves.
fn under_way(
    client: &EchoClient,
    count: u64,
    answer: impl FnOnce() -> Result<()>,
) -> Result<Amount> {
    let mut calls = client.start();
    let made = (0..count).map(|number| calls.words(&words(number)));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    answer()?;
    let own = made
        .into_iter()
        .rev()
        .zip((0..count).rev())
        .map(|(call, number)| Ok(call.wait()? == words(number)));
    let own = own.collect::<Result<Vec<_>>>()?;
    Ok((own.into_iter().filter(|own| *own).count() as f64).into())
}
