//! Messages whose ownership goes along, and the two ends of a queue of them.

use anyhow::{Result, ensure};
use std::marker::PhantomData;
use strait_tools::bench::exercise::Side;
use strait_tools::bench::sides::payload::{sum, sum_of, word, words};
use strait_tools::bench::sides::torn;

/// A message that is moved.
pub(crate) trait Parcel: Send + 'static {
    /// Message `number`, of `count` words.
    fn build(number: u64, count: usize) -> Self;

    /// All of it.
    fn words(&self) -> &[u64];
}

impl<const WORDS: usize> Parcel for [u64; WORDS] {
    #[inline(always)]
    fn build(number: u64, _count: usize) -> Self {
        words(number)
    }

    #[inline(always)]
    fn words(&self) -> &[u64] {
        self
    }
}

impl Parcel for Box<[u64]> {
    #[inline(always)]
    fn build(number: u64, count: usize) -> Self {
        (0..count).map(|index| word(number, index)).collect()
    }

    #[inline(always)]
    fn words(&self) -> &[u64] {
        self
    }
}

/// That these are the words of message `number`, all of which are read.
#[inline(always)]
pub(crate) fn check(words: &[u64], number: u64, count: usize) -> Result<()> {
    let whole = words.len() == count && sum(words.iter().copied()) == sum_of(number, count);
    ensure!(whole, torn(number));
    Ok(())
}

/// Where parcels go in.
pub(crate) trait Push<P> {
    /// Waits for room.
    fn push(&mut self, parcel: P) -> Result<()>;
}

/// Where parcels come out.
pub(crate) trait Pop<P> {
    /// Waits for one.
    fn pop(&mut self) -> Result<P>;

    /// One, if it is there; a queue whose way it is to wait may wait.
    fn poll(&mut self) -> Result<Option<P>> {
        self.pop().map(Some)
    }
}

/// One side: where its messages go in, and where those of the other side come out; or where they come out
/// several times.
pub(crate) struct Ends<I, O, P> {
    into: I,
    out: O,
    more: Vec<O>,
    count: usize,
    parcels: PhantomData<fn(P)>,
}

impl<I, O, P> Ends<I, O, P> {
    pub(crate) fn new(into: I, out: O, more: Vec<O>, count: usize) -> Self {
        Self { into, out, more, count, parcels: PhantomData }
    }
}

impl<P: Parcel, I: Push<P>, O: Pop<P>> Side for Ends<I, O, P> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        self.into.push(P::build(number, self.count))
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        check(self.out.pop()?.words(), number, self.count)?;
        for out in &mut self.more {
            check(out.pop()?.words(), number, self.count)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(parcel) = self.out.poll()? else { return Ok(false) };
        check(parcel.words(), number, self.count)?;
        for out in &mut self.more {
            check(out.pop()?.words(), number, self.count)?;
        }
        Ok(true)
    }
}
