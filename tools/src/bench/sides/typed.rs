//! A pair of typed channels, one for each direction.

use super::payload::Payload;
use super::{Channels, torn};
use crate::bench::clock::spin;
use crate::bench::exercise::{Role, Side};
use anyhow::{Result, ensure};
use strait::{Receiver, RecvError, SendError, Sender, Spsc};

/// One process's ends of both channels.
pub(super) struct Typed<T: Payload> {
    template: T,
    sender: Sender<T>,
    receiver: Receiver<T>,
}

impl<T: Payload> Typed<T> {
    pub(super) fn open(channels: &Channels, bytes: usize, role: Role) -> Result<Self> {
        let (out, back) = channels.ends(role);
        let open = |segment| channels.waiting.on(Spsc::<T>::given(segment));
        let (sender, receiver) = (open(out).sender()?, open(back).receiver()?);
        Ok(Self { template: T::template(bytes), sender, receiver })
    }
}

impl<T: Payload> Side for Typed<T> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        Ok(T::with(&mut self.template, number, |message| self.sender.send(message))?)
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let message = self.receiver.recv()?;
        ensure!(T::is_number(&message, number), torn(number));
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        match self.receiver.try_recv() {
            Ok(message) => {
                ensure!(T::is_number(&message, number), torn(number));
                Ok(true)
            }
            Err(RecvError::Empty) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[inline(always)]
    fn send_batch(&mut self, first: u64, count: u64) -> Result<()> {
        let (mut number, end) = (first, first + count);
        spin(|| {
            let mut batch = self.sender.batch();
            while number < end {
                match T::with(&mut self.template, number, |message| batch.push(message)) {
                    Ok(()) => number += 1,
                    Err(SendError::Full) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            batch.publish();
            Ok((number == end).then_some(()))
        })
    }

    #[inline(always)]
    fn receive_batch(&mut self, first: u64, limit: u64) -> Result<u64> {
        let limit = usize::try_from(limit)?;
        let (mut number, mut whole) = (first, true);
        spin(|| {
            let drained = self.receiver.drain(limit, |message| {
                whole &= T::is_number(message, number);
                number += 1;
            });
            match drained {
                Ok(_) if whole => Ok(Some(number - first)),
                Ok(_) => Err(torn(first)),
                Err(RecvError::Empty) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }
}
