//! One of several senders.

use super::Bodies;
use super::others::Tie;
use crate::channel::error::{Damaged, SendError};
use crate::channel::open::OnFull;
use crate::endpoint::PeerView;
use crate::message::{Message, Scratch, WriteError, write};
use crate::ring::layout::Meta;
use crate::ring::mpmc::layout::MAX_BATCH;
use crate::ring::mpmc::{Corrupt, Sender};
use std::marker::PhantomData;
use std::time::Duration;
use strait_pools::environment::Monotonic;
use strait_pools::placement::Mapped;

/// Sends messages of type `T` on a channel that others may send on as well.
///
/// A message is built in memory of this process and then copied to its place: so no user's code runs
/// while a place is claimed, which would keep all others waiting. Dropping it closes this side: receivers
/// read what is left, and learn that the channel is at its end when all senders are gone.
#[derive(Debug)]
pub struct MpmcSender<T: Message> {
    half: Half,
    staged: Staged,
    scratch: Scratch,
    of: PhantomData<fn(T)>,
}

/// What does not depend on the type.
#[derive(Debug)]
struct Half {
    ring: Sender<Mapped>,
    bodies: Bodies,
    on_full: OnFull,
    tie: Tie,
}

/// Archives that are built and not sent: up to a batch of them.
#[derive(Debug)]
struct Staged {
    /// Grows with the batches; aligned as archives are.
    bytes: Vec<u128>,
    /// Room for one of them, in units of 16 bytes.
    each: usize,
    lens: Vec<u32>,
}

impl Staged {
    fn new(room: usize) -> Self {
        Self { bytes: Vec::new(), each: room.div_ceil(16), lens: Vec::new() }
    }

    /// The address of archive number `index`, which has room for as much as a cell.
    fn body(&mut self, index: usize) -> *mut u8 {
        let end = (index + 1) * self.each;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[end - self.each..].as_mut_ptr().cast()
    }
}

/// Publishes up to `count` messages, as many as there is room for. `body` knows them: addresses in this
/// process, and lengths that fit a cell.
#[inline(always)]
fn publish(
    ring: &mut Sender<Mapped>,
    bodies: &Bodies,
    count: u64,
    body: impl Fn(u64) -> (*const u8, u32),
) -> Result<u64, Corrupt> {
    let mut index = 0;
    ring.send(count, |position| {
        let (from, len) = body(index);
        index += 1;
        let cell = bodies.cell(position);
        cell.describe(Meta::inline(len, 0).0);
        // SAFETY: the position is claimed, so the cell's body is this sender's alone; `len` bytes fit
        // it, and stand at `from` in memory that no other thread writes.
        unsafe { cell.body().copy_from_nonoverlapping(from, len as usize) };
    })
}

impl Half {
    /// A message found the ring full: what the policy says about that. `Ok(false)` drops it.
    #[cold]
    #[inline(never)]
    fn when_full(&mut self) -> Result<bool, SendError> {
        match self.on_full {
            OnFull::Block => Ok(true),
            OnFull::Fail => Err(SendError::Full),
            OnFull::DropNewest => {
                self.ring.count_drop();
                Ok(false)
            }
        }
    }

    /// Publishes messages of a batch as [`publish`] does, at least one, waiting for room.
    #[inline(always)]
    fn publish_some(
        &mut self,
        count: u64,
        body: impl Fn(u64) -> (*const u8, u32),
    ) -> Result<usize, SendError> {
        let sent = match publish(&mut self.ring, &self.bodies, count, &body) {
            Ok(0) => self.publish_in_time(None, count, body)?,
            Ok(sent) => sent,
            Err(corrupt) => return Err(self.corrupt(corrupt)),
        };
        // A batch is small.
        #[allow(clippy::cast_possible_truncation)]
        Ok(sent as usize)
    }

    /// Publishes messages as [`publish`] does, at least one, waiting for room.
    #[cold]
    #[inline(never)]
    fn publish_in_time(
        &mut self,
        timeout: Option<Duration>,
        count: u64,
        body: impl Fn(u64) -> (*const u8, u32),
    ) -> Result<u64, SendError> {
        let mut patience = self.tie.patience;
        let Self { ring, bodies, tie, .. } = self;
        let tail = ring.words().tail.clone();
        let poll = || {
            let sent = publish(ring, bodies, count, &body)?;
            Ok((sent > 0).then_some(sent))
        };
        let ended = || tie.ended();
        let result =
            patience.poll_until(timeout, &tail.crowd, tie.others(), &Monotonic, ended, poll);
        tie.patience = patience;
        result.map_err(|stopped| stopped.told(SendError::Timeout, |corrupt| self.corrupt(corrupt)))
    }

    #[cold]
    #[inline(never)]
    fn corrupt(&self, corrupt: Corrupt) -> SendError {
        let channel = self.tie.channel.clone();
        SendError::Corrupt(Box::new(Damaged { channel, corrupt }))
    }
}

impl<T: Message> MpmcSender<T> {
    pub(super) fn new(ring: Sender<Mapped>, bodies: Bodies, on_full: OnFull, tie: Tie) -> Self {
        let room = bodies.room();
        let scratch = Scratch::for_body(if T::PLAIN { 0 } else { room });
        let half = Half { ring, bodies, on_full, tie };
        Self { half, staged: Staged::new(room), scratch, of: PhantomData }
    }

    /// Sends a message.
    ///
    /// When the ring is full, the channel's [`OnFull`] policy decides: wait (the default), fail, or drop
    /// this message and count it. A full ring that all receivers have left is an error after a wait.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] under `OnFull::Fail`; [`SendError::Closed`] and [`SendError::PeerDied`]
    /// while waiting when the last receiver is gone; [`SendError::Message`] if the archive does not fit a
    /// cell; [`SendError::Corrupt`] if the ring's words are damaged; [`SendError::Forked`] in a child.
    #[inline(always)]
    pub fn send(&mut self, message: &T) -> Result<(), SendError> {
        match self.send_now(message) {
            Err(SendError::Full) if self.half.when_full()? => self.send_in_time(message, None),
            Err(SendError::Full) => Ok(()),
            result => result,
        }
    }

    /// Sends a message if there is room; never waits, drops nothing.
    ///
    /// A ring is also found full while a receiver is just taking the oldest message.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is none; otherwise as for [`send`](MpmcSender::send).
    #[inline(always)]
    pub fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        self.send_now(message)
    }

    /// Sends a message, waiting up to `timeout` for room.
    ///
    /// # Errors
    ///
    /// [`SendError::Timeout`] if there was none; otherwise as for [`send`](MpmcSender::send).
    pub fn send_timeout(&mut self, message: &T, timeout: Duration) -> Result<(), SendError> {
        match self.send_now(message) {
            Err(SendError::Full) => self.send_in_time(message, Some(timeout)),
            result => result,
        }
    }

    /// Sends all messages in order, in batches of up to 64 and as large as there is room, waiting between
    /// them. Those of a batch are neighbours: no other sender's come between them.
    ///
    /// # Errors
    ///
    /// The position in `messages` of the first that was not sent, and why.
    pub fn send_all(&mut self, messages: &[T]) -> Result<(), (usize, SendError)> {
        let mut sent = 0;
        while sent < messages.len() {
            sent += self.send_some(&messages[sent..]).map_err(|error| (sent, error))?;
        }
        Ok(())
    }

    /// Sends some of the messages, at least one, waiting for room.
    fn send_some(&mut self, messages: &[T]) -> Result<usize, SendError> {
        // A batch is small.
        #[allow(clippy::cast_possible_truncation)]
        let most = messages.len().min(MAX_BATCH as usize);
        self.check()?;
        let Self { half, staged, scratch, .. } = self;
        if T::PLAIN {
            // They are their own archives.
            let (start, len) = (messages.as_ptr(), plain_len::<T>(half.bodies.room())?);
            let body = |index: u64| {
                // Less than a batch.
                #[allow(clippy::cast_possible_truncation)]
                let index = index as usize;
                // SAFETY: fewer are sent than `most`, which is no more than there are.
                (unsafe { start.add(index) }.cast(), len)
            };
            return half.publish_some(most as u64, body);
        }
        staged.lens.clear();
        for (index, message) in messages[..most].iter().enumerate() {
            match build(message, staged.body(index), half.bodies.room(), scratch) {
                Ok(len) => staged.lens.push(len),
                // Those before it are sent first.
                Err(_) if index > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        let (start, each, lens) = (staged.body(0).cast_const(), 16 * staged.each, &staged.lens);
        let body = |index: u64| {
            // Less than a batch.
            #[allow(clippy::cast_possible_truncation)]
            let index = index as usize;
            // SAFETY: so many archives were staged, one behind the other.
            (unsafe { start.add(index * each) }, lens[index])
        };
        half.publish_some(lens.len() as u64, body)
    }

    fn check(&self) -> Result<(), SendError> {
        if self.half.tie.guard.forked() { Err(SendError::Forked) } else { Ok(()) }
    }

    #[inline(always)]
    fn send_now(&mut self, message: &T) -> Result<(), SendError> {
        self.check()?;
        let (from, len) = self.stage(message)?;
        let Half { ring, bodies, .. } = &mut self.half;
        match publish(ring, bodies, 1, |_| (from, len)) {
            Ok(1..) => Ok(()),
            Ok(0) => Err(SendError::Full),
            Err(corrupt) => Err(self.half.corrupt(corrupt)),
        }
    }

    #[cold]
    #[inline(never)]
    fn send_in_time(&mut self, message: &T, timeout: Option<Duration>) -> Result<(), SendError> {
        let (from, len) = self.stage(message)?;
        self.half.publish_in_time(timeout, 1, |_| (from, len)).map(|_| ())
    }

    /// Where the archive of a message stands, and its length, which fits a cell. A plain message is its own
    /// archive.
    #[inline(always)]
    fn stage(&mut self, message: &T) -> Result<(*const u8, u32), WriteError> {
        let room = self.half.bodies.room();
        if T::PLAIN {
            return Ok((std::ptr::from_ref(message).cast(), plain_len::<T>(room)?));
        }
        let body = self.staged.body(0);
        Ok((body.cast_const(), build(message, body, room, &mut self.scratch)?))
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        // A forked child does not have the memory.
        if self.half.tie.guard.forked() { 0 } else { self.half.ring.words().dropped() }
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.half.tie.channel
    }

    /// Who receives, or did last, at each of the receiving sides.
    pub fn peers(&self) -> &[PeerView] {
        self.half.tie.others().views()
    }

    /// The longest archive, in bytes.
    pub fn max_len(&self) -> usize {
        self.half.bodies.room()
    }
}

/// The length of a plain message, if it fits a cell.
#[inline(always)]
fn plain_len<T>(room: usize) -> Result<u32, WriteError> {
    let needed = size_of::<T>();
    if needed > room {
        return Err(WriteError::TooLarge { needed, room });
    }
    // A cell is no larger.
    #[allow(clippy::cast_possible_truncation)]
    Ok(needed as u32)
}

/// Builds an archive in `room` bytes at `body`, which are this sender's; its length.
fn build<T: Message>(
    message: &T,
    body: *mut u8,
    room: usize,
    scratch: &mut Scratch,
) -> Result<u32, WriteError> {
    // SAFETY: the caller's bytes are aligned to 16, as many as a cell holds, and nobody else's.
    let len = unsafe { write(message, body, room, scratch)? };
    // A cell is no larger.
    #[allow(clippy::cast_possible_truncation)]
    Ok(len as u32)
}

impl<T: Message> Drop for MpmcSender<T> {
    fn drop(&mut self) {
        let Half { ring, tie, .. } = &mut self.half;
        if !tie.guard.forked() {
            ring.close();
            tie.close();
            ring.rouse();
        }
    }
}
