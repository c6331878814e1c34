//! A broadcast: what publishing costs, and what goes through.

use super::{Body, Ratio, Row};
use crate::bench::clock::{self, Clock, ticks};
use anyhow::{Result, anyhow};
use std::sync::Arc;
use strait_ipc::channel::{Broadcast, Join, RecvError, Slow, Spsc};

pub(super) const RATIOS: &[Ratio] = &[
    ("publish, 8 readers", "publish, 1 reader"),
    ("publish, 64 readers", "publish, 1 reader"),
    ("publish, 1 reader", "send, SPSC"),
    ("stream to 1 reader", "stream, SPSC"),
    ("stream to 1 observer", "stream, SPSC"),
];

const CAPACITY: u64 = 1024;

pub(super) fn round(count: u64, far: usize, clock: Clock) -> Result<Row> {
    let mut row = Row::new();
    for (name, readers) in
        [("publish, 1 reader", 1), ("publish, 8 readers", 8), ("publish, 64 readers", 64)]
    {
        row.insert(name, publish(count, readers, clock)?);
    }
    row.insert("send, SPSC", send(count, clock)?);
    row.insert("stream, SPSC", stream_to_peer(count, far, clock)?);
    for (name, observes) in [("stream to 1 reader", false), ("stream to 1 observer", true)] {
        row.insert(name, stream(count, observes, far, clock)?);
    }
    Ok(row)
}

fn channel(readers: u32) -> Result<impl Fn() -> Broadcast<Body>> {
    let unnamed = Broadcast::<Body>::unnamed("bench").capacity(CAPACITY).readers(readers);
    let segment = Arc::new(unnamed.segment()?);
    Ok(move || Broadcast::given(Arc::clone(&segment)))
}

/// Sends half a ring at a time, which is read before the next; only the sending is timed. `read` takes the
/// number of the first of them.
fn timed(
    count: u64,
    clock: Clock,
    mut send: impl FnMut(&Body) -> Result<()>,
    mut read: impl FnMut(u64) -> Result<()>,
) -> Result<f64> {
    let turns = count / (CAPACITY / 2);
    let mut spent = 0;
    for turn in 0..turns {
        let began = ticks();
        for number in 0..CAPACITY / 2 {
            send(&Body::of(turn + number))?;
        }
        spent += ticks() - began;
        read(turn)?;
    }
    Ok(clock.ns(spent) / (turns * CAPACITY / 2) as f64)
}

/// To so many readers, all of which read everything.
fn publish(count: u64, readers: u32, clock: Clock) -> Result<f64> {
    let channel = channel(readers)?;
    let mut sender = channel().sender()?;
    let open = || channel().receiver(Join::Oldest, Slow::Gate);
    let mut receivers = (0..readers).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    let read = |first| {
        for receiver in &mut receivers {
            for number in 0..CAPACITY / 2 {
                assert_eq!(receiver.recv()?.number(), first + number);
            }
        }
        Ok(())
    };
    timed(count, clock, |body| Ok(sender.send(body)?), read)
}

/// The same of a pair.
fn send(count: u64, clock: Clock) -> Result<f64> {
    let (mut sender, mut receiver) = Spsc::<Body>::unnamed("bench").capacity(CAPACITY).pair()?;
    let read = |first| {
        for number in 0..CAPACITY / 2 {
            assert_eq!(receiver.recv()?.number(), first + number);
        }
        Ok(())
    };
    timed(count, clock, |body| Ok(sender.send(body)?), read)
}

/// What one thread sends and another receives, per message: until the last one is there.
fn stream(count: u64, observes: bool, far: usize, clock: Clock) -> Result<f64> {
    let channel = channel(1)?;
    let mut sender = channel().sender()?;
    let mut receiver = if observes {
        channel().observer(Join::Oldest)?
    } else {
        channel().receiver(Join::Oldest, Slow::Gate)?
    };
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Result<u64> {
            clock::pin(far)?;
            let mut next = 0;
            while next < count {
                match receiver.recv() {
                    Ok(message) => {
                        assert_eq!(message.number(), next, "lost and not told");
                        next += 1;
                    }
                    Err(RecvError::Overrun { lost }) => next += lost,
                    Err(other) => return Err(other.into()),
                }
            }
            Ok(ticks())
        });
        let began = ticks();
        for number in 0..count {
            sender.send(&Body::of(number))?;
        }
        let ended = receiving.join().map_err(|_| anyhow!("the receiver panicked"))??;
        Ok(clock.ns(ended - began) / count as f64)
    })
}

/// The same through a pair.
fn stream_to_peer(count: u64, far: usize, clock: Clock) -> Result<f64> {
    let (mut sender, mut receiver) = Spsc::<Body>::unnamed("bench").capacity(CAPACITY).pair()?;
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Result<u64> {
            clock::pin(far)?;
            for number in 0..count {
                assert_eq!(receiver.recv()?.number(), number);
            }
            Ok(ticks())
        });
        let began = ticks();
        for number in 0..count {
            sender.send(&Body::of(number))?;
        }
        let ended = receiving.join().map_err(|_| anyhow!("the receiver panicked"))??;
        Ok(clock.ns(ended - began) / count as f64)
    })
}
