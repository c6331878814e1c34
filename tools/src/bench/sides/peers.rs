//! The peer: rtrb, a ring between two threads of one process, in the same run.

use super::payload::{sum, sum_of, word, words};
use super::torn;
use crate::bench::clock::spin;
use crate::bench::exercise::Side;
use anyhow::{Result, ensure};
use rtrb::chunks::ChunkError::TooFewSlots;
use rtrb::{Consumer, Producer, RingBuffer};

/// The ends of two threads, connected both ways.
pub(super) fn connect<T>(capacity: usize) -> [(Producer<T>, Consumer<T>); 2] {
    let (there, from_here) = RingBuffer::new(capacity);
    let (back, from_there) = RingBuffer::new(capacity);
    [(there, from_there), (back, from_here)]
}

/// Messages pushed and popped one by one.
pub(super) struct Single<const WORDS: usize>(
    pub(super) Producer<[u64; WORDS]>,
    pub(super) Consumer<[u64; WORDS]>,
);

impl<const WORDS: usize> Side for Single<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        // The message is built once there is room: a refused push would hand it back, at a copy each
        // time.
        spin(|| Ok((!self.0.is_full()).then_some(())))?;
        Ok(self.0.push(words(number))?)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Ok(message) = self.1.pop() else { return Ok(false) };
        ensure!(sum(message.into_iter()) == sum_of(number, WORDS), torn(number));
        Ok(true)
    }
}

/// Messages in chunks: written and read where they lie, as many as there are at a time.
pub(super) struct Chunks<const WORDS: usize>(
    pub(super) Producer<[u64; WORDS]>,
    pub(super) Consumer<[u64; WORDS]>,
);

impl<const WORDS: usize> Chunks<WORDS> {
    /// Reads up to `limit` messages from `first` on, if there is one; returns how many.
    #[inline(always)]
    fn read(&mut self, first: u64, limit: u64) -> Result<u64> {
        let limit = usize::try_from(limit)?;
        let chunk = match self.1.read_chunk(limit) {
            Ok(chunk) => chunk,
            Err(TooFewSlots(0)) => return Ok(0),
            Err(TooFewSlots(ready)) => self.1.read_chunk(ready)?,
        };
        let (head, tail) = chunk.as_slices();
        let (mut number, mut whole) = (first, true);
        for message in head.iter().chain(tail) {
            whole &= sum(message.iter().copied()) == sum_of(number, WORDS);
            number += 1;
        }
        chunk.commit_all();
        ensure!(whole, torn(first));
        Ok(number - first)
    }
}

impl<const WORDS: usize> Side for Chunks<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        self.send_batch(number, 1)
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        self.receive_batch(number, 1).map(drop)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        Ok(self.read(number, 1)? == 1)
    }

    #[inline(always)]
    fn send_batch(&mut self, first: u64, count: u64) -> Result<()> {
        let (mut number, end) = (first, first + count);
        spin(|| {
            let chunk = match self.0.write_chunk_uninit(usize::try_from(end - number)?) {
                Ok(chunk) => chunk,
                Err(TooFewSlots(0)) => return Ok(None),
                Err(TooFewSlots(free)) => self.0.write_chunk_uninit(free)?,
            };
            number += chunk.fill_from_iter((number..end).map(words)) as u64;
            Ok((number == end).then_some(()))
        })
    }

    #[inline(always)]
    fn receive_batch(&mut self, first: u64, limit: u64) -> Result<u64> {
        spin(|| {
            let count = self.read(first, limit)?;
            Ok((count > 0).then_some(count))
        })
    }
}

/// Messages of any length: a ring of words, of which each message is one chunk.
pub(super) struct WordChunks {
    pub(super) words: usize,
    pub(super) producer: Producer<u64>,
    pub(super) consumer: Consumer<u64>,
}

impl Side for WordChunks {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        spin(|| {
            let Ok(chunk) = self.producer.write_chunk_uninit(self.words) else { return Ok(None) };
            chunk.fill_from_iter((0..self.words).map(|index| word(number, index)));
            Ok(Some(()))
        })
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Ok(chunk) = self.consumer.read_chunk(self.words) else { return Ok(false) };
        let (head, tail) = chunk.as_slices();
        let read = sum(head.iter().chain(tail).copied());
        chunk.commit_all();
        ensure!(read == sum_of(number, self.words), torn(number));
        Ok(true)
    }
}
