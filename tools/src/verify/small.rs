//! Small messages between two processes: round trips, and streams with and without batches.

use super::judge::{Amount, Beside, Percentiles};
use super::lab::{Lab, ROUNDS, effort, median, once};
use super::peer::{self, Orders, PATIENCE, Peer, Role};
use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use std::process::Stdio;
use std::time::Instant;
use strait::{Domain, Message, Receiver, RecvError, Sender};

const WARM_UP: u64 = effort(20_000);
const ROUND_TRIPS: u64 = effort(200_000);
/// Messages per round of a stream: a multiple of the batch.
const STREAM: u64 = effort(2_000_000) / BATCH as u64 * BATCH as u64;
/// Messages of a batch, as in the guide.
pub(super) const BATCH: usize = 100;
/// Longest round trip that is told apart, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// A message of one cache line, with its head.
#[derive(Clone, Copy, Message)]
#[repr(C)]
pub(super) struct Ball {
    pub(super) words: [u64; 6],
}

impl Ball {
    pub(super) fn new(number: u64) -> Self {
        Self { words: std::array::from_fn(|index| number + index as u64) }
    }

    fn sum(&self) -> u64 {
        self.words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
    }
}

fn open(domain: &Domain, out: &str, back: &str) -> Result<(Sender<Ball>, Receiver<Ball>)> {
    Ok((domain.spsc::<Ball>(out).sender()?, domain.spsc::<Ball>(back).receiver()?))
}

/// The message, or that the sender has closed.
fn next(receiver: &mut Receiver<Ball>) -> Result<Option<Ball>> {
    match receiver.recv() {
        Ok(ball) => Ok(Some(*ball)),
        Err(RecvError::Closed(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// [`Role::Echo`].
pub(super) fn echo(orders: &Orders) -> Result<()> {
    let (mut sender, mut receiver) = open(&Domain::open(&orders.meet)?, "back", "there")?;
    peer::ready();
    while let Some(ball) = next(&mut receiver)? {
        sender.send(&ball)?;
    }
    Ok(())
}

/// [`Role::Drain`]: after every `count` messages it returns their sum.
pub(super) fn drain(orders: &Orders) -> Result<()> {
    let (mut sender, mut receiver) = open(&Domain::open(&orders.meet)?, "back", "there")?;
    peer::ready();
    let (mut seen, mut sum) = (0, 0_u64);
    while let Some(ball) = next(&mut receiver)? {
        sum = sum.wrapping_add(ball.sum());
        seen += 1;
        if seen % orders.count == 0 {
            sender.send(&Ball { words: [sum; 6] })?;
            sum = 0;
        }
    }
    Ok(())
}

/// A round trip of 48 bytes; each one is timed.
pub(super) fn round_trip(lab: &mut Lab) -> Result<Amount> {
    let percentiles = once(&mut lab.round_trip, || {
        let peer = Peer::start(Role::Echo, 0, 0, Stdio::null())?;
        let (mut sender, mut receiver) = open(&peer.domain, "there", "back")?;
        sender.send(&Ball::new(0))?;
        receiver.recv_timeout(PATIENCE)?;
        let mut times = Histogram::<u64>::new_with_bounds(1, LONGEST, 3)?;
        for number in 0..WARM_UP + ROUND_TRIPS {
            let start = Instant::now();
            sender.send(&Ball::new(number))?;
            let back = receiver.recv()?.words[5];
            let time = start.elapsed();
            ensure!(back == number + 5, "the message came back as another one");
            if number >= WARM_UP {
                times.saturating_record(u64::try_from(time.as_nanos())?);
            }
        }
        drop((sender, receiver));
        peer.finish()?;
        Ok(Percentiles {
            p50_ns: times.value_at_quantile(0.5),
            p99_ns: times.value_at_quantile(0.99),
            p999_ns: times.value_at_quantile(0.999),
        })
    })?;
    Ok(Amount { value: percentiles.p50_ns as f64, percentiles: Some(percentiles) })
}

/// Nanoseconds per message: in batches, and one by one.
pub(super) fn batches(_: &mut Lab) -> Result<Beside> {
    let peer = Peer::start(Role::Drain, 0, STREAM, Stdio::null())?;
    let (mut sender, mut receiver) = open(&peer.domain, "there", "back")?;
    let (mut batched, mut single) = (Vec::new(), Vec::new());
    let mut first = 0;
    let expected = |first: u64| {
        (first..first + STREAM).fold(0_u64, |sum, number| sum.wrapping_add(6 * number + 15))
    };
    // The first round of each warms up.
    for round in 0..=ROUNDS {
        let start = Instant::now();
        for number in first..first + STREAM {
            sender.send(&Ball::new(number))?;
        }
        let alone = settled(&mut receiver, expected(first), start)?;
        first += STREAM;

        let start = Instant::now();
        let mut messages = [Ball::new(0); BATCH];
        for number in (first..first + STREAM).step_by(BATCH) {
            for (message, number) in messages.iter_mut().zip(number..) {
                *message = Ball::new(number);
            }
            sender.send_all(&messages).map_err(|(_, error)| error)?;
        }
        let together = settled(&mut receiver, expected(first), start)?;
        first += STREAM;
        if round > 0 {
            single.push(alone);
            batched.push(together);
        }
    }
    drop((sender, receiver));
    peer.finish()?;
    Ok(Beside { ours: median(batched), other: median(single) })
}

/// Nanoseconds per message of a round that ends when the other side has added everything up.
fn settled(receiver: &mut Receiver<Ball>, expected: u64, start: Instant) -> Result<f64> {
    let sum = receiver.recv_timeout(PATIENCE)?.words[0];
    let time = start.elapsed();
    ensure!(sum == expected, "the messages of a round add up to {sum} and not to {expected}");
    Ok(time.as_nanos() as f64 / STREAM as f64)
}
