//! The matching engine: what it does with orders, and how it is offered to the book builder, in the same
//! process or as one of its own.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strait::registry::Registration;
use strait::{Services, props};

use crate::channels::Market;
use crate::matcher::{Ack, Matcher, Order, Refusal, Tally};

/// Orders that may rest before anything is allocated.
const ROOM: usize = 1 << 10;

/// How often an engine looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Offers an engine to this process alone, where it is called directly, until what is returned is dropped.
pub(crate) fn register(services: &Services) -> anyhow::Result<Registration> {
    Ok(services.register::<dyn Matcher>("engine", Arc::new(Engine::new()), props! {})?)
}

/// Offers an engine to all processes and serves it until this one is told to end, by a signal. The first of
/// several is the best: the others stand by.
pub(crate) fn run(market: &Market) -> anyhow::Result<()> {
    let end = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&end);
    ctrlc::set_handler(move || told.store(true, Ordering::Relaxed))?;

    let services = market.services()?;
    let serve = services.serve::<dyn Matcher>(Arc::new(Engine::new()), props! {});
    let name = format!("engine-{}", process::id());
    let mut serving = serve.name(&name).wait(market.wait_for_calls()).open()?;
    while !end.load(Ordering::Relaxed) {
        serving.serve(Some(LOOK_EVERY))?;
    }
    serving.close()?;
    Ok(())
}

/// At most one order rests in each stock. All have the same number of shares, so two that meet are done.
struct Engine {
    /// One caller at a time.
    state: Mutex<State>,
}

struct State {
    resting: Vec<Order>,
    /// All of it but what rests.
    tally: Tally,
}

impl Engine {
    fn new() -> Self {
        let (resting, tally) = (Vec::with_capacity(ROOM), Tally::default());
        Self { state: Mutex::new(State { resting, tally }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Matcher for Engine {
    fn submit(&self, order: &Order) -> Result<Ack, Refusal> {
        let State { resting, tally } = &mut *self.state();
        if order.sequence == 0 {
            // What is left of an earlier day concerns nobody.
            resting.clear();
            *tally = Tally::default();
        }
        let ack = match resting.iter().position(|other| other.stock == order.stock) {
            None => {
                resting.push(*order);
                Ack::Rests
            }
            Some(at) if order.meets(&resting[at]) => {
                resting.swap_remove(at);
                tally.met += 1;
                Ack::Met
            }
            Some(_) => {
                tally.refused += 1;
                return Err(Refusal::Occupied);
            }
        };
        tally.accepted += 1;
        Ok(ack)
    }

    fn cancel(&self, sequence: u64) {
        let State { resting, tally } = &mut *self.state();
        if let Some(at) = resting.iter().position(|order| order.sequence == sequence) {
            resting.swap_remove(at);
            tally.cancelled += 1;
        }
    }

    fn tally(&self) -> Tally {
        let State { resting, tally } = &*self.state();
        let mut numbers: Vec<_> = resting.iter().map(|order| order.sequence).collect();
        numbers.sort_unstable();
        Tally { resting: numbers, ..tally.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::MatcherClient;
    use strait::rkyv::{deserialize, rancor};

    #[test]
    fn orders_meet_rest_are_refused_and_taken_back() {
        let engine = MatcherClient::local(Engine::new());
        let order = |sequence, stock, side, price| {
            let order =
                Order { sequence, cause: 0, price, shares: 100, stock, side, reserved: [0; 5] };
            engine.submit(&order).ok()
        };
        assert_eq!(order(0, 1, b'B', 100), Some(Ack::Rests));
        assert_eq!(order(1, 1, b'B', 200), None, "one rests on the same side");
        assert_eq!(order(2, 1, b'S', 101), None, "one rests that would buy for less");
        assert_eq!(order(3, 2, b'S', 101), Some(Ack::Rests), "none rests in that stock");
        assert_eq!(order(4, 1, b'S', 100), Some(Ack::Met));
        assert_eq!(order(5, 2, b'B', 102), Some(Ack::Met));
        for sequence in 6..10 {
            order(sequence, u16::try_from(sequence).unwrap(), b'B', 100);
        }
        engine.cancel(8).unwrap();
        engine.cancel(8).unwrap();
        let tally = || deserialize::<Tally, rancor::Error>(&*engine.tally().unwrap()).unwrap();
        let expected =
            Tally { accepted: 8, refused: 2, met: 2, cancelled: 1, resting: vec![6, 7, 9] };
        assert_eq!(tally(), expected);
        // Another day.
        order(0, 6, b'B', 100);
        assert_eq!(tally(), Tally { accepted: 1, resting: vec![0], ..Tally::default() });
    }
}
