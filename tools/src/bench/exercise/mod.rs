//! What two sides do with each other while one of them looks at the clock.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Side`]: one end of something that carries numbered messages both ways |
//! | [`round_trip`] | a message there and one back, as fast as they come: the closed loop |
//! | [`one_way`] | messages sent at given times, whatever becomes of them: the open loop |
//! | [`stream`] | as many messages as go through |
//! | [`wake`] | a message there and one back between sides that sleep meanwhile |
//!
//! The parent's side is *here*: it serves, receives what is timed, and takes the time. The other
//! side is *there*.

pub mod one_way;
pub mod round_trip;
pub mod stream;
pub mod wake;

use super::clock::{Clock, Gap, spin};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// One end of something that carries numbered messages both ways.
///
/// The number determines every word of a message. Receiving reads them all, and fails if one of
/// them is another than the number says.
pub trait Side {
    /// Builds message `number` and sends it, waiting for room.
    ///
    /// # Errors
    ///
    /// The other side is gone.
    fn send(&mut self, number: u64) -> Result<()>;

    /// Waits for message `number` and reads it: without anything between two polls, unless a side has its own way.
    ///
    /// # Errors
    ///
    /// Something else came, or the other side is gone.
    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        spin(|| Ok(self.try_receive(number)?.then_some(())))
    }

    /// Reads message `number` if it is there. A side that can only sleep until it comes may do so.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    fn try_receive(&mut self, number: u64) -> Result<bool>;

    /// Sends message `number` and waits until it is back.
    ///
    /// # Errors
    ///
    /// As for sending and receiving.
    #[inline(always)]
    fn round_trip(&mut self, number: u64) -> Result<()> {
        self.send(number)?;
        self.receive(number)
    }

    /// Sends `count` messages from `first` on, so that they become visible together as far as there
    /// is room.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    fn send_batch(&mut self, first: u64, count: u64) -> Result<()> {
        (first..first + count).try_for_each(|number| self.send(number))
    }

    /// Waits for message `first`, reads it and what else is there, at most `limit` messages; returns
    /// how many.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    fn receive_batch(&mut self, first: u64, _limit: u64) -> Result<u64> {
        self.receive(first)?;
        Ok(1)
    }
}

/// What the two sides are to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Exercise {
    /// The closed loop.
    RoundTrips(round_trip::RoundTrips),
    /// The open loop.
    OneWay(one_way::OneWay),
    /// As many as go through.
    Stream(stream::Stream),
    /// Between sides that sleep.
    Wakes(wake::Wakes),
}

/// Which of the two sides this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The side that takes the time.
    Here,
    /// The other one.
    There,
}

/// What a side saw. Times are in ticks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Mean round trips of blocks of them.
    pub blocks: Vec<f64>,
    /// When each measured operation began and ended, in order.
    pub samples: Vec<(u64, u64)>,
    /// When this side did not run.
    pub gaps: Vec<Gap>,
    /// How many messages came in how many ticks.
    pub flow: (u64, u64),
}

/// Memory for `count` samples, touched beforehand: a page fault in the middle would be measured.
fn room_for(count: u64) -> Result<Vec<(u64, u64)>> {
    let mut samples = vec![(1, 1); usize::try_from(count)?];
    std::hint::black_box(&mut samples).clear();
    Ok(samples)
}

/// A side whose messages' type was decided when the program ran.
pub trait Player {
    /// Does its part of `exercise`.
    ///
    /// # Errors
    ///
    /// As for its [`Side`].
    fn play(&mut self, exercise: &Exercise, role: Role, clock: Clock) -> Result<Observed>;
}

// The exercises are kept apart (`inline(never)`), so that each of their loops is compiled by itself.
impl<S: Side> Player for S {
    fn play(&mut self, exercise: &Exercise, role: Role, clock: Clock) -> Result<Observed> {
        match (exercise, role) {
            (Exercise::RoundTrips(plan), Role::Here) => round_trip::serve(self, plan, clock),
            (Exercise::RoundTrips(plan), Role::There) => round_trip::echo(self, plan, clock),
            (Exercise::OneWay(plan), Role::Here) => one_way::receive(self, plan, clock),
            (Exercise::OneWay(plan), Role::There) => one_way::send(self, plan, clock),
            (Exercise::Stream(plan), Role::Here) => stream::receive(self, plan),
            (Exercise::Stream(plan), Role::There) => stream::send(self, plan),
            (Exercise::Wakes(plan), Role::Here) => wake::serve(self, plan),
            (Exercise::Wakes(plan), Role::There) => wake::echo(self, plan),
        }
    }
}
