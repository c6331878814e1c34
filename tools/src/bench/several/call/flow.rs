//! Calls of 48 bytes of which many are under way: what goes through.

use super::{Place, plain};
use crate::bench::clock::{self, ticks};
use crate::echo::{self, EchoClient, Torn, WORDS};
use anyhow::{Result, anyhow, ensure};
use std::collections::VecDeque;
use std::sync::Barrier;
use strait::Wait;
use strait::service::Pending;

/// Calls in a batch.
const BATCH: usize = 32;

/// Calls that were made and not waited for, the oldest first.
struct UnderWay {
    calls: VecDeque<Pending<[u64; WORDS], Torn>>,
    /// The number of the oldest.
    oldest: u64,
}

impl UnderWay {
    fn new(depth: usize) -> Self {
        Self { calls: VecDeque::with_capacity(depth), oldest: 0 }
    }

    /// Waits for the oldest until there are no more than `most`.
    #[inline(always)]
    fn shrink_to(&mut self, most: usize) -> Result<()> {
        while self.calls.len() > most
            && let Some(call) = self.calls.pop_front()
        {
            ensure!(call.wait()? == echo::words(self.oldest), "the answer to another call");
            self.oldest += 1;
        }
        Ok(())
    }
}

/// So many calls of one client, `depth` of them under way at once.
fn calls(client: &EchoClient, depth: usize, count: u64) -> Result<()> {
    let mut under_way = UnderWay::new(depth);
    let mut calls = client.start();
    for number in 0..count {
        under_way.shrink_to(depth - 1)?;
        under_way.calls.push_back(calls.words(&echo::words(number))?);
    }
    under_way.shrink_to(0)
}

/// Nanoseconds for each of `count` calls that `work` makes, after a first time that warms up.
fn timed(place: &Place, count: u64, mut work: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    work(count / 8)?;
    let began = ticks();
    work(count)?;
    Ok(place.clock.ns(ticks() - began) / count as f64)
}

pub(super) fn pipelined(place: &Place, depth: usize) -> Result<f64> {
    let capacity = (depth as u64).next_power_of_two().max(1024);
    place.with_client(plain().capacity(capacity), |client| {
        timed(place, place.count, |count| calls(client, depth, count))
    })
}

/// Calls that are made by the batch, half a ring of them under way: a batch never waits, and a server that
/// is busy says only once in a quarter of the ring how far it is.
pub(super) fn batches(place: &Place) -> Result<f64> {
    const DEPTH: usize = 512;
    place.with_client(plain(), |client| {
        timed(place, place.count, |count| {
            let mut under_way = UnderWay::new(DEPTH);
            for first in (0..count).step_by(BATCH) {
                under_way.shrink_to(DEPTH - BATCH)?;
                client.batch(|calls| {
                    for number in first..first + BATCH as u64 {
                        under_way.calls.push_back(calls.words(&echo::words(number))?);
                    }
                    Ok(())
                })?;
            }
            under_way.shrink_to(0)
        })
    })
}

/// So many clients, on one core, which share the calls.
pub(super) fn clients(place: &Place, clients: u32) -> Result<f64> {
    const DEPTH: usize = 32;
    let each = place.count / u64::from(clients);
    place.with_server(plain().clients(clients), |connect| {
        let start = Barrier::new(clients as usize + 1);
        std::thread::scope(|scope| {
            let start = &start;
            let call = || -> Result<()> {
                let client = clock::pin(place.near).and_then(|()| connect(Wait::Yield));
                start.wait();
                calls(&client?, DEPTH, each)
            };
            let calling: Vec<_> = (0..clients).map(|_| scope.spawn(call)).collect();
            start.wait();
            let began = ticks();
            for thread in calling {
                thread.join().map_err(|_| anyhow!("a client panicked"))??;
            }
            Ok(place.clock.ns(ticks() - began) / (each * u64::from(clients)) as f64)
        })
    })
}

/// Calls without an answer, until the service says that it has had all of them.
pub(super) fn one_way(place: &Place) -> Result<f64> {
    let mut all = 0;
    place.with_client(plain(), |client| {
        timed(place, place.count, |count| {
            (0..count).try_for_each(|number| client.tell(&echo::words(number)))?;
            all += count;
            ensure!(client.told()? == all, "what was told was not told once");
            Ok(())
        })
    })
}
