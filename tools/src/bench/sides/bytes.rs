//! A pair of byte channels, for messages of any length: written and read where they lie, in a cell or in
//! the arena.

use super::payload::{sum_of, sum_words, write_words};
use super::{Channels, torn};
use crate::bench::clock::spin;
use crate::bench::exercise::{Role, Side};
use anyhow::{Result, ensure};
use strait::{Bytes, BytesReceiver, BytesSender, Received, RecvError, Spsc};

/// One process's ends of both channels.
pub(super) struct InPlace {
    words: usize,
    sender: BytesSender,
    receiver: BytesReceiver,
}

impl InPlace {
    pub(super) fn open(channels: &Channels, bytes: usize, role: Role) -> Result<Self> {
        let (out, back) = channels.ends(role);
        let open = |segment| channels.waiting.on(Spsc::<Bytes>::given(segment));
        let (sender, receiver) = (open(out).sender()?, open(back).receiver()?);
        Ok(Self { words: bytes / 8, sender, receiver })
    }
}

#[inline(always)]
fn check(message: &Received<'_>, number: u64) -> Result<()> {
    let words = message.len() / 8;
    // SAFETY: the message has so many words, initialised by the sender, who leaves them alone until the
    // message is dropped; bodies are 16-aligned.
    let sum = unsafe { sum_words(message.as_ptr().cast(), words) };
    ensure!(sum == sum_of(number, words), torn(number));
    Ok(())
}

impl Side for InPlace {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let mut claim = self.sender.claim(8 * self.words)?;
        let start = claim.as_mut_ptr().cast();
        // SAFETY: the claim has room for so many words, which are ours to write; bodies are 16-aligned.
        unsafe { write_words(start, self.words, number) };
        claim.commit();
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        check(&self.receiver.recv()?, number)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        match self.receiver.poll() {
            Ok(message) => check(&message, number).map(|()| true),
            Err(RecvError::Empty) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[inline(always)]
    fn receive_batch(&mut self, first: u64, limit: u64) -> Result<u64> {
        spin(|| Ok(self.try_receive(first)?.then_some(())))?;
        let mut count = 1;
        while count < limit && self.try_receive(first + count)? {
            count += 1;
        }
        Ok(count)
    }
}
