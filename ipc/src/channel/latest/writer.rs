//! The writing side of latest values.

use super::Values;
use crate::channel::copied::Buffer;
use crate::channel::link::Link;
use crate::message::{Message, Scratch, WriteError, write};
use crate::ring::latest::Writer;
use std::marker::PhantomData;
use strait_pools::placement::Mapped;
use thiserror::Error;

/// Why a value was not set. The key keeps the one it has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SetError {
    /// There is no such key.
    #[error("there is no key {key}: the channel has {keys}, counted from 0")]
    NoSuchKey {
        /// The key.
        key: u64,
        /// How many there are.
        keys: u64,
    },
    /// The value does not fit.
    #[error(transparent)]
    Message(#[from] WriteError),
    /// This process is a fork of the one that opened the channel.
    #[error("the channel was opened before fork: open it again in the child")]
    Forked,
}

/// Sets the values of type `T`. There is one per channel: it is not `Clone`, and `&mut` to use.
#[derive(Debug)]
pub struct LatestWriter<T: Message> {
    writer: Writer<Mapped>,
    values: Values,
    /// Where a value is built: others read the slots at any time.
    built: Buffer,
    scratch: Scratch,
    link: Link,
    of: PhantomData<fn(&T)>,
}

impl<T: Message> LatestWriter<T> {
    pub(in crate::channel) fn new(writer: Writer<Mapped>, values: Values, link: Link) -> Self {
        let built = Buffer::new(values.room);
        let scratch = Scratch::for_body(if T::PLAIN { 0 } else { values.room });
        Self { writer, values, built, scratch, link, of: PhantomData }
    }

    /// Number of keys: the keys are the numbers below it.
    pub fn keys(&self) -> u64 {
        self.values.keys
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.link.channel
    }

    /// How many writers have owned the channel, this one included.
    pub fn incarnation(&self) -> u64 {
        self.writer.incarnation()
    }

    /// Sets the value of `key`; returns how many values that has had, this one included. Never waits.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the key is none, the archive does not fit, or this is a forked child.
    #[inline(always)]
    pub fn set(&mut self, key: u64, value: &T) -> Result<u64, SetError> {
        if self.link.forked() {
            return Err(SetError::Forked);
        }
        let Self { writer, values, built, scratch, .. } = self;
        if key >= values.keys {
            return Err(SetError::NoSuchKey { key, keys: values.keys });
        }
        // SAFETY: the buffer holds `room` bytes, 16-aligned, which nobody else has.
        let len = unsafe { write(value, built.as_mut_ptr(), values.room, scratch) }?;
        let (words, incarnation) = (writer.words().clone(), writer.incarnation());
        Ok(writer.set(key, |slot| values.at(&words, slot).put(built, len, incarnation)))
    }
}

impl<T: Message> Drop for LatestWriter<T> {
    fn drop(&mut self) {
        if !self.link.forked() {
            self.link.end_side();
            self.writer.wake();
        }
    }
}
