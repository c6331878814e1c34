//! ringfire: a ring each way, of which each side makes the one that it sends on.

use super::parcel::check;
use super::{Place, by_words, patiently};
use crate::case::BATCH;
use anyhow::Result;
use ringfire::{
    BlobConsumer, BlobProducer, BlobProducerBuilder, FlowControl, RingConsumer, RingProducer,
    RingProducerBuilder,
};
use std::hint::spin_loop;
use strait_tools::bench::exercise::{Player, Side};
use strait_tools::bench::sides::payload::words;

pub(crate) fn open(place: Place<'_>) -> Result<Box<dyn Player>> {
    by_words!(place.case, WORDS => Ok(Box::new(Slots::<WORDS>::open(place)?)), {
        Ok(Box::new(Arena::open(place)?))
    })
}

/// Messages in slots; the sender waits for the slowest reader.
struct Slots<const WORDS: usize> {
    producer: RingProducer<[u64; WORDS]>,
    consumer: RingConsumer<[u64; WORDS]>,
    more: Vec<RingConsumer<[u64; WORDS]>>,
    batch: Vec<[u64; WORDS]>,
}

impl<const WORDS: usize> Slots<WORDS> {
    fn open(place: Place<'_>) -> Result<Self> {
        let [out, back] = place.ways().map(|way| place.directory.join(way));
        let producer = RingProducerBuilder::new(place.case.capacity() as u64)
            .flow_control(FlowControl::LosslessBackpressure)
            .build(out)?;
        let attach = || patiently("the other side's ring", || Ok(RingConsumer::attach(&back).ok()));
        let consumer = attach()?;
        let more = (1..place.case.workload.readers()).map(|_| attach());
        let more = more.collect::<Result<Vec<_>>>()?;
        Ok(Self { producer, consumer, more, batch: vec![[0; WORDS]; usize::try_from(BATCH)?] })
    }
}

#[inline(always)]
fn pop<const WORDS: usize>(consumer: &mut RingConsumer<[u64; WORDS]>) -> [u64; WORDS] {
    loop {
        if let Some(message) = consumer.try_recv() {
            return message;
        }
        spin_loop();
    }
}

impl<const WORDS: usize> Side for Slots<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        self.producer.push(&words(number));
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        check(&pop(&mut self.consumer), number, WORDS)?;
        for consumer in &mut self.more {
            check(&pop(consumer), number, WORDS)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(message) = self.consumer.try_recv() else { return Ok(false) };
        check(&message, number, WORDS).map(|()| true)
    }

    #[inline(always)]
    fn send_batch(&mut self, first: u64, count: u64) -> Result<()> {
        let batch = &mut self.batch[..usize::try_from(count)?];
        for (slot, number) in batch.iter_mut().zip(first..) {
            *slot = words(number);
        }
        self.producer.push_batch(batch);
        Ok(())
    }

    #[inline(always)]
    fn receive_batch(&mut self, first: u64, limit: u64) -> Result<u64> {
        let batch = &mut self.batch[..usize::try_from(limit)?];
        let count = loop {
            let count = self.consumer.recv_batch(batch);
            if count > 0 {
                break count;
            }
            spin_loop();
        };
        for (message, number) in batch[..count].iter().zip(first..) {
            check(message, number, WORDS)?;
        }
        Ok(count as u64)
    }
}

/// Messages in an arena: the sender waits for nobody.
struct Arena {
    producer: BlobProducer<u64>,
    consumer: BlobConsumer<u64>,
    words: Vec<u64>,
}

impl Arena {
    fn open(place: Place<'_>) -> Result<Self> {
        let [out, back] = place.ways().map(|way| place.directory.join(way));
        let (capacity, size) = (place.case.capacity(), place.case.size);
        // The arena's size is a power of two as well.
        let producer =
            BlobProducerBuilder::new(capacity as u64, (capacity * (size + 64)).next_power_of_two())
                .build(out)?;
        let consumer = patiently("the other side's ring", || Ok(BlobConsumer::attach(&back).ok()))?;
        Ok(Self { producer, consumer, words: vec![0; place.case.words()] })
    }
}

impl Side for Arena {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let len = 8 * self.words.len();
        self.producer.push_with(&number, len, |bytes| super::kernel::write_bytes(bytes, number))?;
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        while !self.try_receive(number)? {
            spin_loop();
        }
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let words = &mut self.words;
        let seen =
            self.consumer.view(|_, bytes| super::kernel::check_bytes(bytes, words, number))?;
        seen.transpose().map(|seen| seen.is_some())
    }
}
