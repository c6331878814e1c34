//! How orders reach the best matching engine there is, wherever it is; and the next best if it dies.
//!
//! The broker does not wait for an answer before it sends the next order; that an engine died it learns when it
//! has too many to wait for. Orders that the engine has certainly not seen are sent again, to another one. One that
//! it may have seen is not, lest it be carried out twice: it stays in doubt, and is counted.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context;
use strait::rkyv::{deserialize, rancor};
use strait::service::Pending;
use strait::{CallError, Delivered, FindError, Services};

use crate::matcher::{Ack, Matcher, MatcherClient, Order, Refusal, Tally};

/// Orders that may wait for their answers.
const IN_FLIGHT: usize = 32;

/// An order that rests is taken back when so many others have been sent.
pub(crate) const LIFETIME: u64 = 32;

/// Sends orders.
#[derive(Debug)]
pub(crate) struct Broker {
    services: Services,
    engine: MatcherClient,
    /// The oldest first.
    waiting: VecDeque<(Order, Pending<Ack, Refusal>)>,
    outcome: Outcome,
}

/// What came of the orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Orders that an engine which died may have seen.
    pub(crate) in_doubt: u64,
    /// Orders that no engine took: none was left.
    pub(crate) untaken: u64,
    /// What the engine has to say in the end, if one had all orders.
    pub(crate) tally: Option<Tally>,
    /// Whether an engine died, or left.
    pub(crate) engine_left: bool,
}

impl Broker {
    /// Connects with the best engine as soon as there is one.
    pub(crate) fn new(services: Services) -> anyhow::Result<Self> {
        let engine = services.wait_for::<dyn Matcher>(None, Duration::MAX)?;
        let waiting = VecDeque::with_capacity(IN_FLIGHT);
        Ok(Self { services, engine, waiting, outcome: Outcome::default() })
    }

    /// Sends an order, and takes the answers that are there; waits for one if there are too many to come.
    pub(crate) fn submit(&mut self, order: Order) -> anyhow::Result<()> {
        if self.waiting.len() == IN_FLIGHT {
            self.wait()?;
        }
        while let Some((order, oldest)) = self.waiting.front_mut()
            && let Some(answer) = oldest.try_wait()
        {
            let order = *order;
            self.waiting.pop_front();
            self.take(order, answer)?;
        }
        self.send(order)
    }

    /// Waits for all answers, and asks the engine what came of the orders.
    pub(crate) fn finish(mut self) -> anyhow::Result<Outcome> {
        while self.wait()? {}
        // One that took the place of another does not know of all.
        if !self.outcome.engine_left {
            match self.engine.tally() {
                Ok(tally) => self.outcome.tally = Some(deserialize::<_, rancor::Error>(&*tally)?),
                Err(error) if has_left(&error) => self.outcome.engine_left = true,
                Err(error) => return Err(error).context("the engine does not tell"),
            }
        }
        Ok(self.outcome)
    }

    /// Waits for the oldest answer; `false` if there is none to come.
    fn wait(&mut self) -> anyhow::Result<bool> {
        let Some((order, oldest)) = self.waiting.pop_front() else { return Ok(false) };
        self.take(order, oldest.wait())?;
        Ok(true)
    }

    fn take(
        &mut self,
        order: Order,
        answer: Result<Ack, CallError<Refusal>>,
    ) -> anyhow::Result<()> {
        match answer {
            Ok(Ack::Rests | Ack::Met) => self.outcome.accepted += 1,
            Err(CallError::App(Refusal::Occupied)) => self.outcome.refused += 1,
            Err(error) => self.fail(order, error)?,
        }
        Ok(())
    }

    fn send(&mut self, order: Order) -> anyhow::Result<()> {
        match self.call(&order) {
            Ok(pending) => self.waiting.push_back((order, pending)),
            Err(error) => self.fail(order, error.widen())?,
        }
        Ok(())
    }

    /// The calls that an order takes. They are the same wherever the engine is.
    fn call(&self, order: &Order) -> Result<Pending<Ack, Refusal>, CallError> {
        let mut calls = self.engine.start();
        if let Some(old) = order.sequence.checked_sub(LIFETIME) {
            calls.cancel(old)?;
        }
        calls.submit(order)
    }

    /// What to do with an order that its engine did not answer.
    fn fail(&mut self, order: Order, error: CallError<Refusal>) -> anyhow::Result<()> {
        if !has_left(&error) {
            return Err(error).context("an order was not answered");
        }
        self.outcome.engine_left = true;
        if error.delivered() != Delivered::No {
            self.outcome.in_doubt += 1;
            return Ok(());
        }
        match self.services.find::<dyn Matcher>() {
            Ok(engine) => {
                self.engine = engine;
                self.send(order)
            }
            Err(FindError::None { .. }) => {
                self.outcome.untaken += 1;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a call failed because the engine is not there any more.
fn has_left<E>(error: &CallError<E>) -> bool {
    matches!(error, CallError::PeerDied { .. } | CallError::Unregistered { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use strait::Domain;

    #[test]
    fn when_an_engine_is_withdrawn_the_next_one_gets_the_orders() {
        let domain = format!("test-{}-broker", std::process::id());
        let services = Domain::open(&domain).unwrap().services().unwrap();
        let first = engine::register(&services).unwrap();
        let second = engine::register(&services).unwrap();
        let mut broker = Broker::new(services).unwrap();
        // Sequences from one on: with zero, a day begins.
        let order = |sequence| Order {
            sequence,
            cause: 0,
            price: 100,
            shares: 100,
            stock: 1,
            side: b'B',
            reserved: [0; 5],
        };
        let mut submit = |sequences: [u64; 2]| {
            sequences.map(order).into_iter().try_for_each(|order| broker.submit(order)).unwrap();
        };
        // In each engine the first order rests, and the other is refused.
        submit([1, 2]);
        drop(first);
        submit([3, 4]);
        drop(second);
        submit([5, 6]);
        let outcome = broker.finish().unwrap();
        let expected = Outcome {
            accepted: 2,
            refused: 2,
            untaken: 2,
            engine_left: true,
            ..Outcome::default()
        };
        assert_eq!(outcome, expected);
    }
}
