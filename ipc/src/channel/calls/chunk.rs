//! Several results in one answer: a chunk of a stream.
//!
//! Three values in one body (see [`Arguments`]): the number of the stream, or [`COMPLETE`] or
//! [`REFUSED`]; the lengths of the items, as `u32`; and the items, each at a multiple of 16.

use super::{Answer, Keeper, Returned};
use crate::message::shape::hand_out;
use crate::message::{Arguments, Body, Buffer, Encode, Invalid, MAX_ALIGN, Message, WriteError};
use std::sync::Arc;

/// Instead of a number: these were the last items.
pub const COMPLETE: u64 = 0;

/// Instead of a number: there are as many streams as the client may have.
pub const REFUSED: u64 = u64::MAX;

/// Bytes of items after which a chunk takes no more.
const FULL_BYTES: usize = 16 << 10;

/// Items after which a chunk takes no more.
const FULL_ITEMS: usize = 256;

/// Items that will be one answer. It is reused, and keeps its memory.
#[derive(Debug, Default)]
pub struct Filling {
    lengths: Vec<u32>,
    items: Buffer,
}

impl Filling {
    /// Adds an item.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unsupported`] for what no archive can hold.
    pub fn push<T: Message>(&mut self, item: &T) -> Result<(), WriteError> {
        let len = self.items.append(item)?;
        self.lengths.push(u32::try_from(len).map_err(|_| WriteError::Unsupported)?);
        Ok(())
    }

    /// Whether there are as many as should be: 16 KiB, or 256.
    pub fn is_full(&self) -> bool {
        self.items.bytes().len() >= FULL_BYTES || self.lengths.len() >= FULL_ITEMS
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Forgets the items.
    pub fn clear(&mut self) {
        self.lengths.clear();
        self.items.clear();
    }

    /// What to answer with: the items, and where there are more.
    pub fn body<'a>(&'a self, stream: &'a u64) -> impl Encode + use<'a> {
        Arguments((stream, &self.lengths[..], self.items.bytes()))
    }
}

/// An answer that holds items, of which some were taken.
#[derive(Debug)]
pub struct Chunk {
    answer: Arc<Answer>,
    /// Items that were taken.
    taken: usize,
    /// Where the last of them ended.
    end: usize,
}

impl Chunk {
    /// The items in an answer, and the number of the stream.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if that is not what it holds.
    pub fn new(answer: Answer) -> Result<(u64, Self), Invalid> {
        let [stream, _, _] = answer.body().split()?;
        let stream = *stream.plain::<u64>()?;
        Ok((stream, Self { answer: Arc::new(answer), taken: 0, end: 0 }))
    }

    /// The next item, if there is one: where it lies, for as long as it is wanted.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there is something else.
    pub fn take<T: Message>(&mut self) -> Result<Option<Returned<T>>, Invalid> {
        let Some(body) = item(self.answer.body(), self.taken, &mut self.end)? else {
            return Ok(None);
        };
        self.taken += 1;
        let keeper = Keeper::Shared(Arc::clone(&self.answer));
        // SAFETY: the bytes of an answer stay as they are until it is dropped, and the keeper has a
        // share in it.
        unsafe { hand_out::<T, _>(body, keeper) }.map(Some)
    }
}

/// The item behind the one that ends at `end`, which moves on.
fn item<'a>(chunk: Body<'a>, index: usize, end: &mut usize) -> Result<Option<Body<'a>>, Invalid> {
    let [_, lengths, items] = chunk.split()?;
    let Some(&len) = lengths.slice::<u32>()?.get(index) else { return Ok(None) };
    let (start, len) = (end.next_multiple_of(MAX_ALIGN), len as usize);
    let body = items.part(start, len)?;
    *end = start + len;
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(filling: &Filling) -> Buffer {
        let mut buffer = Buffer::default();
        buffer.append(&filling.body(&7)).unwrap();
        buffer
    }

    #[test]
    fn items_come_as_they_went() {
        let mut filling = Filling::default();
        let texts = ["", "a", "one that is not inline"].map(String::from);
        texts.iter().for_each(|text| filling.push(text).unwrap());
        let (buffer, mut end) = (chunk(&filling), 0);
        for (index, text) in texts.iter().enumerate() {
            let item = item(buffer.body(), index, &mut end).unwrap().unwrap();
            assert_eq!(item.message::<String>().unwrap(), &**text);
        }
        assert!(item(buffer.body(), 3, &mut end).unwrap().is_none());
        filling.clear();
        assert!(item(chunk(&filling).body(), 0, &mut 0).unwrap().is_none());
    }

    #[test]
    fn a_chunk_is_full_by_bytes_or_by_items() {
        let mut filling = Filling::default();
        for _ in 0..FULL_ITEMS {
            assert!(!filling.is_full());
            filling.push(&1_u8).unwrap();
        }
        assert!(filling.is_full());
        filling.clear();
        assert!(!filling.is_full());
        filling.push(&vec![0_u8; FULL_BYTES]).unwrap();
        assert!(filling.is_full());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut buffer = Buffer::default();
        for len in [9, 16, u32::MAX] {
            buffer.clear();
            buffer.append(&Arguments((&7_u64, &[len][..], &[0_u8; 8][..]))).unwrap();
            assert!(item(buffer.body(), 0, &mut 0).is_err());
        }
    }
}
