//! One of several receivers, of messages without a Rust type.

use crate::channel::copied::length;
use crate::channel::error::{BadMessage, Damaged, RecvError};
use crate::channel::mpmc::Bodies;
use crate::channel::mpmc::others::Tie;
use crate::channel::mpmc::search::Search;
use crate::channel::wait::{Nap, Stopped};
use crate::endpoint::PeerView;
use crate::message::Invalid;
use crate::ring::mpmc::{Corrupt, Receiver, Taken};
use std::time::Duration;
use strait_pools::environment::{Clock, Monotonic};
use strait_pools::placement::Mapped;
use strait_pools::sync::yield_now;

/// Receives messages of bytes from a channel that others may receive from as well. Each message goes to one of
/// them.
#[derive(Debug)]
pub struct MpmcBytesReceiver {
    pub(in crate::channel::mpmc) search: Search,
    tie: Tie,
}

impl MpmcBytesReceiver {
    pub(in crate::channel) fn new(
        ring: Receiver<Mapped>,
        bodies: Bodies,
        hand: Option<u64>,
        tie: Tie,
    ) -> Self {
        Self { search: Search::new(ring, bodies, hand), tie }
    }

    /// The next message if it is there; never waits.
    ///
    /// # Errors
    ///
    /// As for [`MpmcReceiver::try_recv`](crate::channel::MpmcReceiver::try_recv).
    #[inline]
    pub fn poll(&mut self) -> Result<MpmcReceived<'_>, RecvError> {
        let taken = self.now(1, 0)?;
        self.received(taken)
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// As for [`MpmcReceiver::recv`](crate::channel::MpmcReceiver::recv).
    #[inline]
    pub fn recv(&mut self) -> Result<MpmcReceived<'_>, RecvError> {
        let taken = self.wait(None, 0)?;
        self.received(taken)
    }

    /// The next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// As for [`MpmcReceiver::recv_timeout`](crate::channel::MpmcReceiver::recv_timeout).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<MpmcReceived<'_>, RecvError> {
        let taken = self.wait(Some(timeout), 0)?;
        self.received(taken)
    }

    fn received(&mut self, taken: Taken) -> Result<MpmcReceived<'_>, RecvError> {
        let (start, meta) = self.search.hand.message();
        match length(meta, self.search.hand.room()) {
            Ok(len) => Ok(MpmcReceived { receiver: self, taken, start, len }),
            Err(reason) => Err(self.pass_over(taken.position, reason)),
        }
    }

    /// Is done with the message in hand. In a forked child, which may have inherited it and does not have
    /// the memory, nothing.
    #[inline(always)]
    pub(in crate::channel::mpmc) fn release(&mut self) {
        if !self.tie.guard.forked() {
            self.search.ring.release();
        }
    }

    /// Is done with a message that is none.
    #[cold]
    #[inline(never)]
    pub(in crate::channel::mpmc) fn pass_over(
        &mut self,
        position: u64,
        reason: Invalid,
    ) -> RecvError {
        self.search.ring.release();
        let channel = self.tie.channel.clone();
        RecvError::Invalid(Box::new(BadMessage { channel, position, reason }))
    }

    /// The longest message, in bytes.
    pub fn max_len(&self) -> usize {
        self.search.hand.room()
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        // A forked child does not have the memory.
        if self.tie.guard.forked() { 0 } else { self.search.ring.words().dropped() }
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.tie.channel
    }

    /// Who sends, or did last, at each of the sending sides.
    pub fn peers(&self) -> &[PeerView] {
        self.tie.others().views()
    }

    /// The next message if it is there.
    #[inline(always)]
    pub(in crate::channel::mpmc) fn now(
        &mut self,
        most: u64,
        usual: usize,
    ) -> Result<Taken, RecvError> {
        if self.tie.guard.forked() {
            return Err(RecvError::Forked);
        }
        match self.search.take(most, usual) {
            Ok(Some(taken)) => Ok(taken),
            Ok(None) => self.when_empty(),
            Err(corrupt) => Err(self.corrupt(corrupt)),
        }
    }

    #[cold]
    #[inline(never)]
    fn when_empty(&mut self) -> Result<Taken, RecvError> {
        let Self { search, tie } = self;
        // What was sent before the end counts.
        let ended = tie.ended();
        let found = match &ended {
            None => search.look(tie).map(|taken| (taken, false)),
            Some(_) => search.repair(tie),
        };
        match (found, ended) {
            (Ok((Some(taken), _)), _) => Ok(taken),
            (Ok((None, true)), Some(ended)) => Err(ended.into()),
            (Ok((None, _)), _) => Err(RecvError::Empty),
            (Err(corrupt), _) => Err(self.corrupt(corrupt)),
        }
    }

    /// The next message, waiting for it.
    #[inline(always)]
    pub(in crate::channel::mpmc) fn wait(
        &mut self,
        timeout: Option<Duration>,
        usual: usize,
    ) -> Result<Taken, RecvError> {
        if self.tie.guard.forked() {
            return Err(RecvError::Forked);
        }
        for _ in 0..self.tie.patience.eager_polls() {
            if let Ok(Some(taken)) = self.search.take(1, usual) {
                return Ok(taken);
            }
        }
        self.wait_longer(timeout)
    }

    #[cold]
    #[inline(never)]
    fn wait_longer(&mut self, timeout: Option<Duration>) -> Result<Taken, RecvError> {
        let began = Monotonic.now();
        let head = self.search.ring.words().head.clone();
        loop {
            let waited = Monotonic.now().saturating_sub(began);
            let left = timeout.map(|time| time.saturating_sub(waited));
            let Self { search, tie } = self;
            let mut patience = tie.patience;
            // One that may not take what it is woken for sleeps where nobody wakes it.
            let may_take = !search.ring.inherits();
            let (ended, poll) = (|| tie.ended(), || search.look(tie));
            let result = if may_take {
                patience.poll_until(left, &head.crowd, tie.others(), &Monotonic, ended, poll)
            } else {
                patience.poll_until(left, &Nap, tie.others(), &Monotonic, ended, poll)
            };
            tie.patience = patience;
            let ended = match result {
                Ok(taken) => return Ok(taken),
                Err(Stopped::Failed(corrupt)) => return Err(self.corrupt(corrupt)),
                Err(Stopped::Timeout) => return Err(RecvError::Timeout),
                Err(Stopped::Gone(ended)) => ended,
            };
            match search.repair(tie) {
                Ok((Some(taken), _)) => return Ok(taken),
                Ok((None, true)) => return Err(ended.into()),
                // Another receiver is at it, which may leave something for this one.
                Ok((None, false)) if left.is_none_or(|left| !left.is_zero()) => yield_now(),
                Ok((None, false)) => return Err(RecvError::Timeout),
                Err(corrupt) => return Err(self.corrupt(corrupt)),
            }
        }
    }

    #[cold]
    #[inline(never)]
    pub(in crate::channel::mpmc) fn corrupt(&self, corrupt: Corrupt) -> RecvError {
        let channel = self.tie.channel.clone();
        RecvError::Corrupt(Box::new(Damaged { channel, corrupt }))
    }
}

impl Drop for MpmcBytesReceiver {
    fn drop(&mut self) {
        let Self { search, tie } = self;
        if !tie.guard.forked() {
            search.ring.close();
            tie.close();
            search.ring.rouse();
        }
    }
}

/// A message in its receiver's hand. When it is dropped, it is done with: if the receiver dies after that, it
/// is not delivered again.
///
/// A forked child inherits the value but perhaps not the memory: there, it may only be dropped.
#[derive(Debug)]
pub struct MpmcReceived<'a> {
    receiver: &'a mut MpmcBytesReceiver,
    taken: Taken,
    start: *const u8,
    len: usize,
}

impl MpmcReceived<'_> {
    /// The message's position: see [`MpmcSample::position`](crate::channel::MpmcSample::position).
    pub fn position(&self) -> u64 {
        self.taken.position
    }

    /// Whether a receiver that died may have read this message: see
    /// [`MpmcSample::redelivered`](crate::channel::MpmcSample::redelivered).
    pub fn redelivered(&self) -> bool {
        self.taken.redelivered
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the body, 16-aligned, valid until the message is dropped.
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// A copy of the message.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        // SAFETY: `len` bytes are in hand, which has room for them, and which nobody writes until the message is
        // released; the vector has as many.
        unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(self.start, self.len) };
        bytes
    }
}

impl Drop for MpmcReceived<'_> {
    fn drop(&mut self) {
        self.receiver.release();
    }
}
