//! Several senders and several receivers, measured with one of each: beside crossbeam's array queue and array
//! channel, and Vyukov's bounded ring as textbooks have it, none of which survives a death.

use super::{Body, Ratio, Row};
use crate::bench::clock::{self, Clock, ticks};
use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::ArrayQueue;
use std::array;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use strait_ipc::channel::{Mpmc, MpmcReceiver, MpmcSender, RecvError};

pub(super) const RATIOS: &[Ratio] = &[
    ("round trip, Strait", "round trip, Vyukov"),
    ("round trip, Strait", "round trip, ArrayQueue"),
    ("round trip, Strait", "round trip, channel"),
    ("stream, Strait", "stream, Vyukov"),
    ("stream, Strait", "stream, ArrayQueue"),
    ("stream, Strait", "stream, channel"),
    ("stream in batches, Strait", "stream in batches, Vyukov"),
    ("stream in batches, Strait", "stream in batches, ArrayQueue"),
    ("stream in batches, Strait", "stream in batches, channel"),
];

const CAPACITY: usize = 1024;
/// Messages in a batch.
const BATCH: usize = 32;
/// For one round trip, so many messages of a stream: rounds are to last about as long.
const MESSAGES_PER_ROUND_TRIP: u64 = 8;

/// Names of what is measured of one subject.
type Names = [&'static str; 3];

pub(super) fn round(count: u64, far: usize, clock: Clock) -> Result<Row> {
    let mut row = Row::new();
    let names = ["round trip, Strait", "stream, Strait", "stream in batches, Strait"];
    let ours = || Ok(Mpmc::<Body>::unnamed("bench").capacity(CAPACITY as u64).pair()?);
    row.extend(measure(names, ours, count, far, clock)?);
    let names = ["round trip, Vyukov", "stream, Vyukov", "stream in batches, Vyukov"];
    let textbook = || {
        let ring = Arc::new(Vyukov::new());
        Ok((Arc::clone(&ring), ring))
    };
    row.extend(measure(names, textbook, count, far, clock)?);
    let names = ["round trip, ArrayQueue", "stream, ArrayQueue", "stream in batches, ArrayQueue"];
    let queue = || {
        let ring = Arc::new(ArrayQueue::new(CAPACITY));
        Ok((Arc::clone(&ring), ring))
    };
    row.extend(measure(names, queue, count, far, clock)?);
    let names = ["round trip, channel", "stream, channel", "stream in batches, channel"];
    let channel = || {
        let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
        let ring = Arc::new(Ends { sender, receiver });
        Ok((Arc::clone(&ring), ring))
    };
    row.extend(measure(names, channel, count, far, clock)?);
    Ok(row)
}

/// A sending side, of which there is one.
trait Send: std::marker::Send {
    /// Sends message `number`, waiting for room.
    fn one(&mut self, number: u64) -> Result<()>;

    /// Sends a batch from message `first` on.
    #[inline(always)]
    fn batch(&mut self, first: u64) -> Result<()> {
        (first..first + BATCH as u64).try_for_each(|number| self.one(number))
    }
}

/// A receiving side, of which there is one.
trait Receive: std::marker::Send {
    /// The number of the next message, waiting for it.
    fn one(&mut self) -> Result<u64>;

    /// Takes the messages that are there, up to a batch and perhaps none.
    fn batch(&mut self, take: impl FnMut(u64)) -> Result<()>;
}

fn measure<S: Send, R: Receive>(
    [round_trip, single, batches]: Names,
    channel: impl Fn() -> Result<(S, R)>,
    count: u64,
    far: usize,
    clock: Clock,
) -> Result<[(&'static str, f64); 3]> {
    let trips = count / MESSAGES_PER_ROUND_TRIP;
    Ok([
        (
            round_trip,
            clock.ns(round_trips(channel()?, channel()?, trips, far)?) / (trips - 1) as f64,
        ),
        (single, clock.ns(stream(channel()?, count, far)?) / count as f64),
        (batches, clock.ns(stream_in_batches(channel()?, count, far)?) / count as f64),
    ])
}

/// The closed loop: one message under way at a time, there through one channel and back through another.
fn round_trips<S: Send, R: Receive>(
    (mut there, mut arrives): (S, R),
    (mut back, mut returns): (S, R),
    count: u64,
    far: usize,
) -> Result<u64> {
    std::thread::scope(|scope| {
        let echoing = scope.spawn(move || -> Result<()> {
            clock::pin(far)?;
            for _ in 0..count {
                back.one(arrives.one()?)?;
            }
            Ok(())
        });
        // The first waits for the other side to begin, and is not counted.
        let mut began = ticks();
        for number in 0..count {
            there.one(number)?;
            assert_eq!(returns.one()?, number);
            if number == 0 {
                began = ticks();
            }
        }
        let spent = ticks() - began;
        echoing.join().map_err(|_| anyhow!("the echo panicked"))??;
        Ok(spent)
    })
}

/// What one thread sends and another receives: until the last one is there.
fn stream<S: Send, R: Receive>(
    (mut sender, mut receiver): (S, R),
    count: u64,
    far: usize,
) -> Result<u64> {
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Result<u64> {
            clock::pin(far)?;
            for number in 0..count {
                assert_eq!(receiver.one()?, number);
            }
            Ok(ticks())
        });
        let began = ticks();
        for number in 0..count {
            sender.one(number)?;
        }
        Ok(receiving.join().map_err(|_| anyhow!("the receiver panicked"))?? - began)
    })
}

/// The same in batches, of which the last one is full as well.
fn stream_in_batches<S: Send, R: Receive>(
    (mut sender, mut receiver): (S, R),
    count: u64,
    far: usize,
) -> Result<u64> {
    let count = count.next_multiple_of(BATCH as u64);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Result<u64> {
            clock::pin(far)?;
            let mut next = 0;
            while next < count {
                receiver.batch(|number| {
                    assert_eq!(number, next);
                    next += 1;
                })?;
            }
            Ok(ticks())
        });
        let began = ticks();
        for first in (0..count).step_by(BATCH) {
            sender.batch(first)?;
        }
        Ok(receiving.join().map_err(|_| anyhow!("the receiver panicked"))?? - began)
    })
}

impl Send for MpmcSender<Body> {
    #[inline(always)]
    fn one(&mut self, number: u64) -> Result<()> {
        Ok(self.send(&Body::of(number))?)
    }

    #[inline(always)]
    fn batch(&mut self, first: u64) -> Result<()> {
        let batch: [Body; BATCH] = array::from_fn(|index| Body::of(first + index as u64));
        self.send_all(&batch).map_err(|(_, error)| error.into())
    }
}

impl Receive for MpmcReceiver<Body> {
    #[inline(always)]
    fn one(&mut self) -> Result<u64> {
        Ok(self.recv()?.number())
    }

    #[inline(always)]
    fn batch(&mut self, mut take: impl FnMut(u64)) -> Result<()> {
        match self.drain(BATCH, |body| take(body.number())) {
            Ok(_) | Err(RecvError::Empty) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

/// A peer: each message is pushed and popped by itself, and both sides spin.
trait Queue: std::marker::Send + Sync {
    /// Whether there was room.
    fn push(&self, body: Body) -> bool;
    fn pop(&self) -> Option<Body>;
}

impl<Q: Queue> Send for Arc<Q> {
    #[inline(always)]
    fn one(&mut self, number: u64) -> Result<()> {
        while !self.push(Body::of(number)) {
            spin_loop();
        }
        Ok(())
    }
}

impl<Q: Queue> Receive for Arc<Q> {
    #[inline(always)]
    fn one(&mut self) -> Result<u64> {
        loop {
            if let Some(body) = self.pop() {
                return Ok(body.number());
            }
            spin_loop();
        }
    }

    #[inline(always)]
    fn batch(&mut self, mut take: impl FnMut(u64)) -> Result<()> {
        (0..BATCH).map_while(|_| self.pop()).for_each(|body| take(body.number()));
        Ok(())
    }
}

impl Queue for ArrayQueue<Body> {
    #[inline(always)]
    fn push(&self, body: Body) -> bool {
        self.push(body).is_ok()
    }

    #[inline(always)]
    fn pop(&self) -> Option<Body> {
        self.pop()
    }
}

/// Both ends of crossbeam's array channel, the queue of its `ArrayQueue` with a look for sleepers.
struct Ends {
    sender: Sender<Body>,
    receiver: Receiver<Body>,
}

impl Queue for Ends {
    #[inline(always)]
    fn push(&self, body: Body) -> bool {
        self.sender.try_send(body).is_ok()
    }

    #[inline(always)]
    fn pop(&self) -> Option<Body> {
        self.receiver.try_recv().ok()
    }
}

/// Dmitry Vyukov's bounded queue. A cell and its sequence share a line.
struct Vyukov {
    tail: Index,
    head: Index,
    cells: Box<[Cell]>,
}

#[derive(Default)]
#[repr(align(128))]
struct Index(AtomicUsize);

#[repr(align(64))]
struct Cell {
    /// Its position: free; one more: its body is there.
    sequence: AtomicUsize,
    body: UnsafeCell<Body>,
}

// SAFETY: a body is touched by none but whoever moved an index over its cell, until that side has changed
// the sequence.
unsafe impl Sync for Vyukov {}

impl Vyukov {
    fn new() -> Self {
        let cell = |index: usize| Cell { sequence: index.into(), body: Body::of(0).into() };
        let cells = (0..CAPACITY).map(cell).collect();
        Self { tail: Index::default(), head: Index::default(), cells }
    }

    /// Moves `index` over a cell whose sequence is its position and `ahead`: that position, and the cell.
    #[inline(always)]
    fn claim(&self, index: &Index, ahead: usize) -> Option<(usize, &Cell)> {
        let mut position = index.0.load(Ordering::Relaxed);
        loop {
            let cell = &self.cells[position & (CAPACITY - 1)];
            let sequence = cell.sequence.load(Ordering::Acquire);
            let steps = sequence.wrapping_sub(position + ahead).cast_signed();
            if steps < 0 {
                return None;
            }
            if steps > 0 {
                position = index.0.load(Ordering::Relaxed);
                continue;
            }
            let (moved, not) = (Ordering::Relaxed, Ordering::Relaxed);
            match index.0.compare_exchange_weak(position, position + 1, moved, not) {
                Ok(_) => return Some((position, cell)),
                Err(now) => position = now,
            }
        }
    }
}

impl Queue for Vyukov {
    #[inline(always)]
    fn push(&self, body: Body) -> bool {
        let Some((position, cell)) = self.claim(&self.tail, 0) else { return false };
        // SAFETY: the cell was free, and is this side's until its sequence changes.
        unsafe { cell.body.get().write(body) };
        cell.sequence.store(position + 1, Ordering::Release);
        true
    }

    #[inline(always)]
    fn pop(&self) -> Option<Body> {
        let (position, cell) = self.claim(&self.head, 1)?;
        // SAFETY: the body is there, and is this side's until its sequence changes.
        let body = unsafe { cell.body.get().read() };
        cell.sequence.store(position + CAPACITY, Ordering::Release);
        Some(body)
    }
}
