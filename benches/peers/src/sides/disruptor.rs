//! disruptor-rs: events stay in the ring, and are written and read there.

use super::by_words;
use super::parcel::check;
use crate::case::Case;
use anyhow::{Result, bail};
use disruptor::{
    BusySpin, EventPoller, Polling, Producer, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};
use strait_tools::bench::exercise::{Player, Side};
use strait_tools::bench::sides::payload::word;

/// An event: words, inline or on the heap.
trait Event: AsMut<[u64]> + AsRef<[u64]> + Send + Sync + 'static {
    fn empty(words: usize) -> Self;
}

impl<const WORDS: usize> Event for [u64; WORDS] {
    fn empty(_words: usize) -> Self {
        [0; WORDS]
    }
}

impl Event for Box<[u64]> {
    fn empty(words: usize) -> Self {
        vec![0; words].into()
    }
}

struct Ends<E, C> {
    words: usize,
    producer: SingleProducer<E, C>,
    poller: EventPoller<E, SingleProducerBarrier>,
    more: Vec<EventPoller<E, SingleProducerBarrier>>,
}

/// A ring each way; with several readers on this side, one in which all of them read.
pub(crate) fn connect(case: Case) -> [Box<dyn Player + Send>; 2] {
    by_words!(case, WORDS => ends::<[u64; WORDS]>(case), ends::<Box<[u64]>>(case))
}

fn ends<E: Event>(case: Case) -> [Box<dyn Player + Send>; 2] {
    let words = case.words();
    let ring = || build_single_producer(case.capacity(), move || E::empty(words), BusySpin);
    let (from_here, there) = ring().new_event_poller();
    let there = there.build();
    let (poller, builder) = ring().new_event_poller();
    if case.workload.readers() == 1 {
        let (here, far) = (
            Ends { words, producer: there, poller, more: Vec::new() },
            Ends { words, producer: builder.build(), poller: from_here, more: Vec::new() },
        );
        return [Box::new(here), Box::new(far)];
    }
    let (second, mut builder) = builder.new_event_poller();
    let mut more = vec![second];
    for _ in 2..case.workload.readers() {
        let (next, rest) = builder.new_event_poller();
        more.push(next);
        builder = rest;
    }
    [
        Box::new(Ends { words, producer: there, poller, more }),
        Box::new(Ends { words, producer: builder.build(), poller: from_here, more: Vec::new() }),
    ]
}

#[inline(always)]
fn fill(event: &mut impl Event, number: u64) {
    for (index, slot) in event.as_mut().iter_mut().enumerate() {
        *slot = word(number, index);
    }
}

/// Reads up to `limit` events from message `first` on; how many there were.
#[inline(always)]
fn read<E: Event>(
    poller: &mut EventPoller<E, SingleProducerBarrier>,
    first: u64,
    limit: u64,
    words: usize,
) -> Result<u64> {
    let mut events = match poller.take(limit) {
        Ok(events) => events,
        Err(Polling::NoEvents) => return Ok(0),
        Err(Polling::Shutdown) => bail!("the other side is gone"),
    };
    let mut number = first;
    for event in &mut events {
        check(event.as_ref(), number, words)?;
        number += 1;
    }
    Ok(number - first)
}

impl<E: Event, C> Side for Ends<E, C>
where
    SingleProducer<E, C>: Producer<E>,
{
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        self.producer.publish(|event| fill(event, number));
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        self.receive_batch(number, 1).map(drop)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        Ok(read(&mut self.poller, number, 1, self.words)? == 1)
    }

    #[inline(always)]
    fn send_batch(&mut self, first: u64, count: u64) -> Result<()> {
        self.producer.batch_publish(usize::try_from(count)?, |events| {
            for (event, number) in events.zip(first..) {
                fill(event, number);
            }
        });
        Ok(())
    }

    #[inline(always)]
    fn receive_batch(&mut self, first: u64, limit: u64) -> Result<u64> {
        let count = loop {
            let count = read(&mut self.poller, first, limit, self.words)?;
            if count > 0 {
                break count;
            }
        };
        for poller in &mut self.more {
            let mut got = 0;
            while got < count {
                got += read(poller, first + got, count - got, self.words)?;
            }
        }
        Ok(count)
    }
}
