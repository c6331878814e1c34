//! What callers may rely on without a figure, and what a boundary costs.

use super::judge::{Amount, Behaviour};
use super::lab::{Lab, ROUNDS, effort, median};
use super::peer;
use crate::echo::{self, EchoClient, SCHEMA, Serving, Torn, WORDS, words};
use anyhow::{Context as _, Result, anyhow};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use strait::service::{Binding, CallError, Pending, Service, Streams};
use strait::{Wait, service};
use strait_ipc::calls::{Calls, ServeError};

/// Calls of a batch, and futures.
const CALLS: u64 = 100;

type Call = Pending<[u64; WORDS], Torn>;

fn pair() -> Result<(Serving, EchoClient)> {
    let calls = Calls::unnamed("verify").max_len(48).capacity(256).clients(1).schema(SCHEMA);
    let (server, client) = calls.pair()?;
    Ok((Serving::new(server), echo::connect(client)?))
}

/// How many calls there are to be answered.
fn answer_all(serving: &mut Serving) -> Result<u64> {
    let mut served = 0;
    while serving.try_serve()? {
        served += 1;
    }
    Ok(served)
}

/// Whether a batch shows all of its calls at once, and none if it is given up; then its callers are told.
pub(super) fn all_or_nothing(_: &mut Lab) -> Result<Behaviour> {
    let (mut serving, client) = pair()?;
    let add = |calls: &mut crate::echo::EchoCalls<'_>| {
        (0..CALLS).map(|number| calls.words(&words(number))).collect::<Result<Vec<Call>, _>>()
    };
    let mut left = Vec::new();
    let given_up: Result<(), CallError> = client.batch(|calls| {
        left = add(calls)?;
        Err(CallError::Forked)
    });
    let after_giving_up = answer_all(&mut serving)?;
    let told = left.into_iter().map(Call::wait);
    let told = told.filter(|end| matches!(end, Err(CallError::Abandoned { .. }))).count() as u64;
    let mut before_commit = None;
    let made = client.batch(|calls| {
        let made = add(calls)?;
        before_commit = answer_all(&mut serving).ok();
        Ok(made)
    })?;
    let after_commit = answer_all(&mut serving)?;
    let own =
        made.into_iter().zip(0..).filter_map(|(call, number)| Some((call.wait().ok()?, number)));
    let own = own.filter(|(answer, number)| *answer == words(*number)).count() as u64;
    let seen = (after_giving_up, before_commit, after_commit);
    Ok(Behaviour {
        holds: given_up.is_err() && told == CALLS && seen == (0, Some(0), CALLS) && own == CALLS,
        seen: format!(
            "of {CALLS} calls arrived: given up {after_giving_up}, which {told} callers were told, not yet \
             committed {}, committed {after_commit}, of which {own} got their own answer",
            before_commit.map_or("unknown".to_owned(), |count| count.to_string())
        ),
    })
}

/// Whether calls are futures: not ready until they are answered, each with its own answer, in any order.
pub(super) fn futures(_: &mut Lab) -> Result<Behaviour> {
    let (mut serving, client) = pair()?;
    let mut calls = client.start();
    let made = (0..CALLS).map(|number| calls.words(&words(number)));
    let mut made = made.collect::<Result<Vec<Call>, _>>()?;
    let mut context = Context::from_waker(Waker::noop());
    let early = made.iter_mut().filter_map(|call| match Pin::new(call).poll(&mut context) {
        Poll::Ready(_) => Some(()),
        Poll::Pending => None,
    });
    let early = early.count();
    let served = answer_all(&mut serving)?;
    let own = made.iter_mut().rev().zip((0..CALLS).rev()).filter_map(|(call, number)| {
        (Pin::new(call).poll(&mut context) == Poll::Ready(Ok(words(number)))).then_some(())
    });
    let own = own.count() as u64;
    Ok(Behaviour {
        holds: (early, served, own) == (0, CALLS, CALLS),
        seen: format!(
            "of {CALLS} futures, {early} were ready before the service ran, {own} after it, with their own \
             answer"
        ),
    })
}

/// A service behind which there may be another one.
#[service(name = "strait.Hop", version = 1)]
trait Hop {
    /// How many services a call went through.
    #[method(1)]
    fn hops(&self) -> u64;
}

struct End;

impl Hop for End {
    fn hops(&self) -> u64 {
        1
    }
}

struct Through(HopClient);

impl Hop for Through {
    fn hops(&self) -> u64 {
        // A call that failed is told by the sum.
        self.0.hops().unwrap_or(0) + 1
    }
}

/// Boundaries, as many as are tried.
const HOPS: usize = 5;

/// Nanoseconds per call of each number of boundaries from 1 on, the median of rounds.
fn medians(clients: &[HopClient], count: u64) -> Result<Vec<f64>> {
    let mut rounds = vec![Vec::new(); clients.len()];
    // The first round warms up.
    for round in 0..=ROUNDS {
        for ((client, times), hops) in clients.iter().zip(&mut rounds).zip(1..) {
            let start = Instant::now();
            for _ in 0..count {
                anyhow::ensure!(black_box(client).hops()? == hops, "a service was left out");
            }
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / count as f64);
            }
        }
    }
    Ok(rounds.into_iter().map(median).collect())
}

/// What each boundary beyond the first adds, in nanoseconds.
fn added(lab: &mut Lab, where_: &str, times: &[f64]) -> Amount {
    let each: Vec<String> = times.iter().map(|time| format!("{time:.1}")).collect();
    lab.note(format!("ns of a call through 1 to {HOPS} services, {where_}: {}", each.join(", ")));
    ((times[HOPS - 1] - times[0]) / (HOPS - 1) as f64).into()
}

/// Services of this process.
pub(super) fn boundaries_here(lab: &mut Lab) -> Result<Amount> {
    let mut clients = vec![HopClient::local(End)];
    while clients.len() < HOPS
        && let Some(last) = clients.last()
    {
        clients.push(HopClient::local(Through(last.clone())));
    }
    let times = medians(&clients, effort(200_000))?;
    Ok(added(lab, "in process", &times))
}

/// Services behind shared memory, each with a thread that sleeps until it is called.
pub(super) fn boundaries_shared(lab: &mut Lab) -> Result<Amount> {
    // On a thread of its own, which may run on all cores: others have pinned this.
    let times =
        thread::spawn(shared_chain).join().ok().context("the chain of services panicked")??;
    Ok(added(lab, "each in a thread of its own that sleeps", &times))
}

fn shared_chain() -> Result<Vec<f64>> {
    peer::roam()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (mut clients, mut servers) = (Vec::<HopClient>::new(), Vec::new());
        for _ in 0..HOPS {
            let service: Arc<dyn Hop> = match clients.last() {
                None => Arc::new(End),
                Some(next) => Arc::new(Through(next.clone())),
            };
            let calls = Calls::unnamed("verify").wait(Wait::Adaptive).clients(1);
            let (mut server, client) = calls.schema(<dyn Hop>::SUMMARY).pair()?;
            let summary = client.schema().to_owned();
            clients.push(Binding::shared(Arc::new(client), &summary)?.into());
            let over = &over;
            servers.push(scope.spawn(move || {
                let (mut streams, lull) = (Streams::default(), Some(Duration::from_millis(10)));
                loop {
                    match server.serve(lull, |request| service.dispatch(request, &mut streams)) {
                        Err(ServeError::Timeout) if over.load(Relaxed) => return Ok(()),
                        Ok(()) | Err(ServeError::Timeout) => {}
                        Err(error) => return Err(error),
                    }
                }
            }));
        }
        let times = medians(&clients, effort(200));
        over.store(true, Relaxed);
        for server in servers {
            server.join().map_err(|_| anyhow!("a service panicked"))??;
        }
        times
    })
}
