//! Those who call: processes of one or two threads, each of which does all that one can do with a call.

use super::actor::{Orders, dawdle, tell};
use super::service::{ASK, HANG, Words, words};
use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};
use strait_ipc::channel::OpenError;
use strait_ipc::channel::calls::{Answer, CallError, Client, Delivered, Pending};
use strait_pools::environment::{Liveness, Peer};
use strait_torture::calls::{End, How, THREAD_SHIFT, answered, asked};
use strait_torture::fanout::Told;
use strait_torture::random::Random;

/// So long an operation takes that hangs, and one that gives up by itself after as long as is usual.
const TOO_LONG: Duration = Duration::from_secs(9);

/// How many lives of the service are looked for, from the last one known.
const LIVES: u64 = 60;

/// Set when the process is told to come to an end.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Calls one life of the service after the other, until told to stop.
pub(super) fn call(orders: &Orders, mut random: Random) -> Result<()> {
    ctrlc::set_handler(|| STOPPED.store(true, Relaxed))?;
    let mut life = orders.life;
    let mut next = [orders.first, orders.first + (1 << THREAD_SHIFT)];
    let mut turns = if orders.count == 0 { u64::MAX } else { orders.count };
    while turns > 0
        && let Some(client) = connect(orders, &mut life)?
    {
        tell(Told::Begun(life));
        let both = random.once_in(2);
        thread::scope(|scope| {
            let callers = next.each_mut().map(|next| Caller {
                client: &client,
                most: orders.most(),
                batch: usize::try_from(orders.capacity).map_or(4, |capacity| capacity.min(4)),
                random: Random::new(random.any()),
                next,
                held: Vec::new(),
                gone: false,
            });
            for caller in callers.into_iter().take(1 + usize::from(both)) {
                scope.spawn(move || caller.live(turns));
            }
        });
        if orders.count > 0 {
            turns = 0;
        }
        life += 1;
    }
    tell(Told::Closed);
    Ok(())
}

/// A client of the next life of the service, which is noted; `None` once told to stop.
fn connect(orders: &Orders, life: &mut u64) -> Result<Option<Client>> {
    while !STOPPED.load(Relaxed) {
        for candidate in *life..*life + LIVES {
            match orders.calls(candidate).client() {
                // Its server has not signed: it is about to, or died before that, and another may come.
                Ok(client) if client.server().glance() == Peer::Absent => {}
                Ok(client) => {
                    *life = candidate;
                    return Ok(Some(client));
                }
                // It is not there, or not any more; or all places are still taken by the dead.
                Err(OpenError::Segment(_) | OpenError::Attach(_)) => {}
                Err(other) => bail!("a client: {other}"),
            }
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(None)
}

/// One thread.
struct Caller<'a> {
    client: &'a Client,
    /// Words of an argument or an answer, at most.
    most: usize,
    /// Calls of a batch, at most.
    batch: usize,
    random: Random,
    /// The number of its next call.
    next: &'a mut u64,
    held: Vec<Answer>,
    /// Whether the service is.
    gone: bool,
}

impl Caller<'_> {
    fn live(mut self, turns: u64) {
        for _ in 0..turns {
            if self.gone || STOPPED.load(Relaxed) {
                break;
            }
            match self.random.below(8) {
                0 | 1 => self.ask(false),
                2 => self.ask(true),
                3 | 4 => self.ask_several(),
                5 => self.ask_together(),
                6 => self.notify(),
                _ => drop(self.held.pop()),
            }
            if self.random.once_in(2) {
                self.held.clear();
            }
            dawdle(&mut self.random);
        }
    }

    /// Says that the next call is about to be made.
    fn about(&mut self, how: How) -> u64 {
        let number = *self.next;
        *self.next += 1;
        tell(Told::About(number, how.encode()));
        number
    }

    /// Says what came of a call, in how long.
    fn ended(&mut self, number: u64, end: End, began: Instant) {
        let end = if began.elapsed() > TOO_LONG { End::Stuck } else { end };
        tell(Told::Sent(number, end as u64));
    }

    fn failed(&mut self, number: u64, error: &CallError, began: Instant) {
        self.gone |= matches!(error, CallError::PeerDied { .. } | CallError::Unregistered { .. });
        let end = match error {
            CallError::Timeout { .. } => End::Late,
            CallError::PeerDied { .. }
            | CallError::Unregistered { .. }
            | CallError::Overloaded { .. }
            | CallError::Abandoned { .. } => match error.delivered() {
                Delivered::No => End::No,
                Delivered::Maybe => End::Maybe,
                Delivered::Yes => End::Yes,
            },
            other => {
                eprintln!("{number}: {other}");
                End::Wrong
            }
        };
        self.ended(number, end, began);
    }

    fn is_own(&self, number: u64, found: &[u64]) -> End {
        if *found == answered(number, self.most) { End::Answered } else { End::Wrong }
    }

    /// Says what came of a call, and perhaps holds its answer.
    fn take(&mut self, number: u64, answer: Result<Answer, CallError>, began: Instant) {
        match answer {
            Ok(answer) => {
                let end = self.is_own(number, words(&answer, answer.as_ptr(), answer.len()));
                self.ended(number, end, began);
                if self.random.once_in(3) && self.held.len() < 3 {
                    self.held.push(answer);
                }
            }
            Err(error) => self.failed(number, &error, began),
        }
    }

    fn ask(&mut self, hurried: bool) {
        let number = self.about(How { hurried, ..How::default() });
        let arguments = asked(number, self.most);
        let began = Instant::now();
        let most = if hurried { Duration::from_micros(self.random.below(100)) } else { HANG };
        let timeout = Some(most);
        if self.random.once_in(3) {
            let found = self.client.call_with(ASK, &Words(&arguments), timeout, |_, body| {
                body.slice::<u64>().ok().map(|found| self.is_own(number, found))
            });
            match found {
                Ok(Ok(end)) => self.ended(number, end, began),
                Ok(Err(answer)) => self.take(number, Ok(answer), began),
                Err(error) => self.failed(number, &error, began),
            }
        } else {
            let answer = self.client.call(ASK, &Words(&arguments), timeout);
            self.take(number, answer, began);
        }
    }

    fn notify(&mut self) {
        let number = self.about(How { one_way: true, ..How::default() });
        let arguments = asked(number, self.most);
        let began = Instant::now();
        match self.client.notify(ASK, &Words(&arguments)) {
            Ok(()) => self.ended(number, End::Sent, began),
            Err(error) => self.failed(number, &error, began),
        }
    }

    /// Starts some, and waits for them in any order, or does not.
    fn ask_several(&mut self) {
        let mut started = Vec::new();
        for _ in 0..self.random.between(1, 4) {
            let number = self.about(How::default());
            let arguments = asked(number, self.most);
            let began = Instant::now();
            match self.client.start(ASK, &Words(&arguments)) {
                Ok(call) => started.push((number, call)),
                Err(error) => self.failed(number, &error, began),
            }
        }
        self.wait_for(started);
    }

    fn wait_for(&mut self, mut started: Vec<(u64, Pending)>) {
        while !started.is_empty() {
            let any = self.random.below(started.len() as u64);
            let (number, mut call) = started.swap_remove(usize::try_from(any).unwrap_or(0));
            let began = Instant::now();
            match self.random.below(4) {
                0 => {
                    self.ended(number, End::Dropped, began);
                    drop(call);
                }
                1 if let Some(answer) = (0..20).find_map(|_| call.try_wait()) => {
                    self.take(number, answer, began);
                }
                _ => {
                    let answer = call.wait(Some(HANG));
                    self.take(number, answer, began);
                }
            }
        }
    }

    /// Makes some together, or drops them before that.
    fn ask_together(&mut self) {
        let client = self.client;
        let began = Instant::now();
        let Ok(mut batch) = client.batch() else { return };
        let first = *self.next;
        let (mut started, mut notified) = (Vec::new(), Vec::new());
        for _ in 0..self.batch {
            let one_way = self.random.once_in(4);
            let number = self.about(How { batch: first, hurried: false, one_way });
            let arguments = asked(number, self.most);
            let made = if one_way {
                batch.notify(ASK, &Words(&arguments)).map(|()| notified.push(number))
            } else {
                batch.start(ASK, &Words(&arguments)).map(|call| started.push((number, call)))
            };
            if let Err(error) = made {
                self.failed(number, &error, began);
            }
        }
        let end = if self.random.once_in(3) {
            drop(batch);
            End::No
        } else {
            tell(Told::Commits(first));
            batch.commit();
            End::Sent
        };
        notified.into_iter().for_each(|number| self.ended(number, end, began));
        self.wait_for(started);
    }
}
