//! Pipes and sockets: a message is its words, one after the other.

use super::parcel::check;
use crate::case::Case;
use anyhow::{Result, ensure};
use rustix::io::{read, write};
use strait_tools::bench::exercise::Side;
use strait_tools::bench::sides::descriptors::Descriptors;
use strait_tools::bench::sides::payload::word;

/// One side of a stream of bytes each way.
pub(crate) struct Bytes {
    ends: Descriptors,
    words: Vec<u64>,
    bytes: Vec<u8>,
}

impl Bytes {
    pub(crate) fn new(ends: Descriptors, case: Case) -> Self {
        Self { ends, words: vec![0; case.words()], bytes: vec![0; case.size] }
    }
}

/// The words of message `number` as bytes.
#[inline(always)]
pub(crate) fn write_bytes(bytes: &mut [u8], number: u64) {
    for (index, slot) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *slot = word(number, index).to_ne_bytes();
    }
}

/// That these are the bytes of message `number`; `words` is room for as many.
#[inline(always)]
pub(crate) fn check_bytes(bytes: &[u8], words: &mut [u64], number: u64) -> Result<()> {
    let (chunks, count) = (bytes.as_chunks::<8>().0, words.len());
    ensure!(chunks.len() == count, "message {number} has {} bytes", bytes.len());
    for (slot, chunk) in words.iter_mut().zip(chunks) {
        *slot = u64::from_ne_bytes(*chunk);
    }
    check(words, number, count)
}

impl Side for Bytes {
    fn send(&mut self, number: u64) -> Result<()> {
        write_bytes(&mut self.bytes, number);
        let mut left = self.bytes.as_slice();
        while !left.is_empty() {
            left = &left[write(&self.ends.write, left)?..];
        }
        Ok(())
    }

    fn receive(&mut self, number: u64) -> Result<()> {
        let mut got = 0;
        while got < self.bytes.len() {
            let more = read(&self.ends.read, &mut self.bytes[got..])?;
            ensure!(more > 0, "the other side is gone");
            got += more;
        }
        check_bytes(&self.bytes, &mut self.words, number)
    }

    fn try_receive(&mut self, number: u64) -> Result<bool> {
        // Asleep until it comes.
        self.receive(number).map(|()| true)
    }
}
