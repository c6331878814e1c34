//! One of several receivers.

use super::Bodies;
use super::others::Tie;
use crate::channel::copied::Buffer;
use crate::channel::error::{BadMessage, Damaged, RecvError};
use crate::channel::trust::{Checked, Trust};
use crate::channel::wait::{Nap, Stopped};
use crate::endpoint::PeerView;
use crate::message::{Invalid, Message};
use crate::ring::layout::Meta;
use crate::ring::mpmc::{Corrupt, Receiver, Repair, Source, Taken};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;
use strait_pools::environment::{Clock, Monotonic};
use strait_pools::placement::Mapped;
use strait_pools::sync::yield_now;

/// How often a receiver that finds nothing looks whether the dead left something.
const REPAIR_EVERY: Duration = Duration::from_millis(10);

/// Receives messages of type `T` from a channel that others may receive from as well. Each message goes to
/// one of them.
///
/// `V` says whether archives are validated before they are handed out; it follows the domain.
#[derive(Debug)]
pub struct MpmcReceiver<T: Message, V: Trust = Checked> {
    half: Half,
    of: PhantomData<fn() -> (T, V)>,
}

/// What does not depend on the type.
#[derive(Debug)]
struct Half {
    search: Search,
    tie: Tie,
}

/// Where messages come from.
#[derive(Debug)]
struct Search {
    ring: Receiver<Mapped>,
    hand: Hand,
    /// When the dead were last asked after.
    looked: Duration,
}

/// Where messages are copied to.
#[derive(Debug)]
struct Hand {
    bodies: Bodies,
    /// This receiver's number, if its hand is in the segment.
    me: Option<u64>,
    /// Else it is here.
    private: Buffer,
}

impl Hand {
    fn new(bodies: Bodies, me: Option<u64>) -> Self {
        let private = Buffer::new(if me.is_some() { 0 } else { bodies.room() });
        Self { bodies, me, private }
    }

    /// Copies a message here. Its length is likely to be `usual`: a copy of a length that is known when it is
    /// compiled is no call.
    #[inline(always)]
    fn copy(&mut self, source: Source, usual: usize) {
        let from = self.bodies.source(source);
        let meta = from.meta();
        let to = match self.me {
            Some(me) => {
                let hand = self.bodies.hand(me);
                hand.describe(meta);
                hand.body()
            }
            None => {
                self.private.describe(Meta(meta));
                self.private.as_mut_ptr()
            }
        };
        // What is no message in the cell is found out when it is looked at.
        let len = Meta(meta).inline_len().unwrap_or(0) as usize;
        let len = len.min(self.bodies.room());
        if len == usual {
            // SAFETY: both have room for so many bytes, and apart: a cell, or another's hand, and this
            // hand, which nobody writes while they are this receiver's.
            unsafe { to.copy_from_nonoverlapping(from.body(), usual) };
        } else {
            // SAFETY: as above.
            unsafe { to.copy_from_nonoverlapping(from.body(), len) };
        }
    }

    /// The body of the message in hand and its length, as it was found.
    #[inline(always)]
    fn message(&self) -> Result<(*const u8, usize), Invalid> {
        let (meta, body) = match self.me {
            Some(me) => {
                let hand = self.bodies.hand(me);
                (Meta(hand.meta()), hand.body().cast_const())
            }
            None => (self.private.meta(), self.private.as_ptr()),
        };
        let len = meta.inline_len().ok_or(Invalid::Kind { kind: meta.kind() })?;
        Ok((body, len as usize))
    }
}

impl Search {
    /// The next message if it is there, which is likely to have the `usual` length. Claims up to `most`.
    #[inline(always)]
    fn take(&mut self, most: u64, usual: usize) -> Result<Option<Taken>, Corrupt> {
        let Self { ring, hand, .. } = self;
        ring.receive(most, |source| hand.copy(source, usual))
    }

    /// The next message if it is there, or if the dead left one, which is looked for now and then.
    #[inline]
    fn look(&mut self, tie: &Tie) -> Result<Option<Taken>, Corrupt> {
        match self.take(1, 0)? {
            Some(taken) => Ok(Some(taken)),
            None => self.look_around(tie),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_around(&mut self, tie: &Tie) -> Result<Option<Taken>, Corrupt> {
        let now = Monotonic.now();
        if !self.ring.inherits() && now.saturating_sub(self.looked) < REPAIR_EVERY {
            return Ok(None);
        }
        self.looked = now;
        self.repair(tie).map(|(taken, _)| taken)
    }

    /// Repairs until there is a message, or nothing to repair; and whether that is for certain.
    #[cold]
    #[inline(never)]
    fn repair(&mut self, tie: &Tie) -> Result<(Option<Taken>, bool), Corrupt> {
        loop {
            let Self { ring, hand, .. } = self;
            let repair = ring.repair(tie, |source| hand.copy(source, 0))?;
            if let Repair::Message(taken) = repair {
                return Ok((Some(taken), true));
            }
            match (self.take(1, 0)?, repair) {
                (None, Repair::Progress) => {}
                (None, repair) => return Ok((None, repair == Repair::Nothing)),
                (taken, _) => return Ok((taken, true)),
            }
        }
    }
}

impl Half {
    /// The next message if it is there.
    #[inline(always)]
    fn now(&mut self, most: u64, usual: usize) -> Result<Taken, RecvError> {
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
    fn wait(&mut self, timeout: Option<Duration>, usual: usize) -> Result<Taken, RecvError> {
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
    fn corrupt(&self, corrupt: Corrupt) -> RecvError {
        let channel = self.tie.channel.clone();
        RecvError::Corrupt(Box::new(Damaged { channel, corrupt }))
    }
}

impl<T: Message, V: Trust> MpmcReceiver<T, V> {
    /// The length that messages have if all have one.
    const USUAL: usize = if T::PLAIN { size_of::<T>() } else { 0 };

    pub(super) fn new(ring: Receiver<Mapped>, bodies: Bodies, hand: Option<u64>, tie: Tie) -> Self {
        // The first time that there is nothing, the dead are asked after.
        let search = Search { ring, hand: Hand::new(bodies, hand), looked: Duration::ZERO };
        Self { half: Half { search, tie }, of: PhantomData }
    }

    /// The next message, waiting for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] and [`RecvError::PeerDied`] once everything is read and all senders are
    /// gone (the error names the last of them); [`RecvError::Invalid`] for a message that is no archive
    /// of `T`: it is passed over; [`RecvError::Corrupt`] if the ring's words are damaged;
    /// [`RecvError::Forked`] in a child.
    #[inline(always)]
    pub fn recv(&mut self) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let taken = self.half.wait(None, Self::USUAL)?;
        self.sample(taken)
    }

    /// The next message if it is there; never waits. Enters the kernel once in 10 ms at most, to look for
    /// what the dead left.
    ///
    /// # Errors
    ///
    /// [`RecvError::Empty`] if it is not, or not yet: also while a sender is just publishing; otherwise as
    /// for [`recv`](MpmcReceiver::recv).
    #[inline(always)]
    pub fn try_recv(&mut self) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let taken = self.half.now(1, Self::USUAL)?;
        self.sample(taken)
    }

    /// The next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`] if it did not come; otherwise as for [`recv`](MpmcReceiver::recv).
    #[inline(always)]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let taken = self.half.wait(Some(timeout), Self::USUAL)?;
        self.sample(taken)
    }

    /// Hands the messages that are there to `handle`, at most `limit`; returns how many. Never waits.
    ///
    /// Up to 64 messages are claimed at once, for this receiver alone.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](MpmcReceiver::try_recv), if there was nothing to handle; an invalid message
    /// is reported at once, after those before it were handled.
    #[inline]
    pub fn drain(
        &mut self,
        limit: usize,
        mut handle: impl FnMut(&T::Archived),
    ) -> Result<usize, RecvError> {
        let mut handled = 0;
        while handled < limit {
            let most = (limit - handled) as u64;
            let next = if handled == 0 {
                self.half.now(most, Self::USUAL).map(Some)
            } else {
                self.half
                    .search
                    .take(most, Self::USUAL)
                    .map_err(|corrupt| self.half.corrupt(corrupt))
            };
            match next? {
                Some(taken) => handle(&*self.sample(taken)?),
                None => break,
            }
            handled += 1;
        }
        Ok(handled)
    }

    #[inline(always)]
    fn sample(&mut self, taken: Taken) -> Result<MpmcSample<'_, T, V>, RecvError> {
        let hand = &self.half.search.hand;
        let room = hand.bodies.room();
        let archived = hand.message().and_then(|(body, len)| {
            // SAFETY: the message is in this receiver's hand, which has `room` initialised bytes, and which
            // nobody writes until it takes another; the sample's borrow puts that off. `len` was loaded
            // once.
            unsafe { V::access::<T>(body, len, room) }
        });
        match archived {
            Ok(archived) => Ok(MpmcSample { archived, taken, receiver: self }),
            Err(reason) => {
                self.half.search.ring.release();
                let (channel, position) = (self.channel().to_owned(), taken.position);
                Err(RecvError::Invalid(Box::new(BadMessage { channel, position, reason })))
            }
        }
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        let Half { search, tie } = &self.half;
        // A forked child does not have the memory.
        if tie.guard.forked() { 0 } else { search.ring.words().dropped() }
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.half.tie.channel
    }

    /// Who sends, or did last, at each of the sending sides.
    pub fn peers(&self) -> &[PeerView] {
        self.half.tie.others().views()
    }
}

impl<T: Message, V: Trust> Drop for MpmcReceiver<T, V> {
    fn drop(&mut self) {
        let Half { search, tie } = &mut self.half;
        if !tie.guard.forked() {
            search.ring.close();
            tie.close();
            search.ring.rouse();
        }
    }
}

/// A message in its receiver's hand: derefs to its archive. When it is dropped, it is done with: if the
/// receiver dies after that, it is not delivered again.
pub struct MpmcSample<'a, T: Message, V: Trust = Checked> {
    archived: &'a T::Archived,
    taken: Taken,
    receiver: &'a mut MpmcReceiver<T, V>,
}

impl<T: Message, V: Trust> Deref for MpmcSample<'_, T, V> {
    type Target = T::Archived;
    #[inline(always)]
    fn deref(&self) -> &T::Archived {
        self.archived
    }
}

impl<T: Message, V: Trust> MpmcSample<'_, T, V> {
    /// The message's position: the number of places claimed before its own, by whichever senders. Those that
    /// senders claimed and died are counted.
    pub fn position(&self) -> u64 {
        self.taken.position
    }

    /// Whether a receiver that died may have read this message: it is delivered again, and later than
    /// messages that were sent after it.
    pub fn redelivered(&self) -> bool {
        self.taken.redelivered
    }
}

impl<T: Message<Archived: fmt::Debug>, V: Trust> fmt::Debug for MpmcSample<'_, T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.archived.fmt(f)
    }
}

impl<T: Message, V: Trust> Drop for MpmcSample<'_, T, V> {
    #[inline(always)]
    fn drop(&mut self) {
        // A forked child may have inherited the message, and does not have the memory.
        if !self.receiver.half.tie.guard.forked() {
            self.receiver.half.search.ring.release();
        }
    }
}
