//! The reading side of latest values.

use super::Values;
use crate::channel::copied::{Buffer, length};
use crate::channel::error::{BadMessage, Gone};
use crate::channel::link::{End, Link};
use crate::channel::trust::{Checked, Trust};
use crate::channel::wait::{Nap, Stopped};
use crate::endpoint::PeerView;
use crate::message::Message;
use crate::ring::latest::{ATTEMPTS, Value as Found, Words};
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;
use strait_pools::placement::Mapped;
use thiserror::Error;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such key.
    #[error("there is no key {key}: the channel has {keys}, counted from 0")]
    NoSuchKey {
        /// The key.
        key: u64,
        /// How many there are.
        keys: u64,
    },
    /// The writer sets this key so fast that no copy was whole.
    #[error("the key was set again during each of {ATTEMPTS} attempts to copy it")]
    Contended,
    /// The value did not change within the given time.
    #[error("nothing changed until the timeout")]
    Timeout,
    /// Nothing will change: the writer has closed. What it set can still be read.
    #[error("nothing has changed, and {0} closed {at}", at = .0.holder.ended())]
    Closed(Box<Gone>),
    /// Nothing will change until there is a successor: the writer's process ended without closing. What it
    /// set can still be read.
    #[error("nothing has changed, and {0} died without closing, as was noticed {at}", at = .0.holder.ended())]
    PeerDied(Box<Gone>),
    /// The value is not a valid one of its type.
    #[error(
        "value {position} of a key of `{channel}` is none: {reason}",
        position = .0.position, channel = .0.channel, reason = .0.reason
    )]
    Invalid(Box<BadMessage>),
    /// This process is a fork of the one that opened the channel.
    #[error("the channel was opened before fork: open it again in the child")]
    Forked,
}

impl From<End> for ReadError {
    fn from(end: End) -> Self {
        let (died, gone) = end.parts();
        if died { Self::PeerDied(gone) } else { Self::Closed(gone) }
    }
}

/// Reads the latest values of type `T`. It is `&mut` to use because it holds a copy of the value read
/// last; open another for another thread.
#[derive(Debug)]
pub struct LatestReader<T: Message, V: Trust = Checked> {
    words: Words<Mapped>,
    values: Values,
    copied: Buffer,
    /// Whether it sleeps until it is woken.
    sleeps: bool,
    link: Link,
    of: PhantomData<fn() -> (T, V)>,
}

impl<T: Message, V: Trust> LatestReader<T, V> {
    pub(in crate::channel) fn new(
        words: Words<Mapped>,
        values: Values,
        sleeps: bool,
        link: Link,
    ) -> Self {
        let copied = Buffer::new(values.room);
        Self { words, values, copied, sleeps, link, of: PhantomData }
    }

    /// Number of keys: the keys are the numbers below it.
    pub fn keys(&self) -> u64 {
        self.values.keys
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        &self.link.channel
    }

    /// Who writes, or did last, and how that process is doing.
    pub fn peer(&self) -> &PeerView {
        self.link.peer()
    }

    /// The latest value of `key`; `None` if it was never set.
    ///
    /// # Errors
    ///
    /// [`ReadError::NoSuchKey`]; [`ReadError::Contended`] if the writer set the key three times during each
    /// of 64 attempts to copy its value: look again; [`ReadError::Invalid`] if it is no archive of `T`;
    /// [`ReadError::Forked`] in a child.
    #[inline(always)]
    pub fn get(&mut self, key: u64) -> Result<Option<Value<'_, T>>, ReadError> {
        self.check(key)?;
        let Self { words, values, copied, .. } = self;
        let (version, room) = match words.read(key, |slot| values.at(words, slot).take(copied)) {
            Found::Latest((), version) => (version, values.room),
            Found::Unset => return Ok(None),
            Found::Contended => return Err(ReadError::Contended),
        };
        let archived = length(copied.meta(), room).and_then(|len| {
            // SAFETY: the copy is this reader's, 16-aligned, and has `room` initialised bytes; it changes
            // with the next read, which the value's borrow of the reader puts off.
            unsafe { V::access::<T>(copied.as_ptr(), len, room) }
        });
        match archived {
            Ok(archived) => Ok(Some(Value { archived, version })),
            Err(reason) => {
                let channel = self.link.channel.clone();
                Err(ReadError::Invalid(Box::new(BadMessage { channel, position: version, reason })))
            }
        }
    }

    /// The latest value of `key` if that has changed since the one of this [`version`](Value::version);
    /// 0 is the version before the first. One load if it has not.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    #[inline(always)]
    pub fn get_if_newer(
        &mut self,
        key: u64,
        version: u64,
    ) -> Result<Option<Value<'_, T>>, ReadError> {
        self.check(key)?;
        if self.words.version(key) == version { Ok(None) } else { self.get(key) }
    }

    /// Waits until the value of `key` is another than the one of this version, up to `timeout`, and returns
    /// it. Values that came and went meanwhile are not seen.
    ///
    /// # Errors
    ///
    /// [`ReadError::Timeout`]; [`ReadError::Closed`] and [`ReadError::PeerDied`] if the writer is gone;
    /// otherwise as for [`get`](Self::get).
    pub fn wait_changed(
        &mut self,
        key: u64,
        version: u64,
        timeout: Option<Duration>,
    ) -> Result<Value<'_, T>, ReadError> {
        self.check(key)?;
        let Self { words, link, .. } = self;
        let look = || Ok::<_, Infallible>((words.version(key) != version).then_some(()));
        let waited = if self.sleeps {
            link.poll_until(timeout, &words.head.crowd, look)
        } else {
            link.poll_until(timeout, &Nap, look)
        };
        match waited {
            Ok(()) => Ok(self.get(key)?.ok_or(ReadError::Contended)?),
            Err(Stopped::Timeout) => Err(ReadError::Timeout),
            Err(Stopped::Gone(end)) => Err(end.into()),
            Err(Stopped::Failed(never)) => match never {},
        }
    }

    #[inline(always)]
    fn check(&self, key: u64) -> Result<(), ReadError> {
        if self.link.forked() {
            return Err(ReadError::Forked);
        }
        let keys = self.values.keys;
        if key < keys { Ok(()) } else { Err(ReadError::NoSuchKey { key, keys }) }
    }
}

/// A value: it derefs to its archived form, in the reader's private copy.
pub struct Value<'a, T: Message> {
    archived: &'a T::Archived,
    version: u64,
}

impl<T: Message> Value<'_, T> {
    /// How many values the key has had, this one included.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl<T: Message> Deref for Value<'_, T> {
    type Target = T::Archived;
    #[inline(always)]
    fn deref(&self) -> &T::Archived {
        self.archived
    }
}

impl<T: Message<Archived: fmt::Debug>> fmt::Debug for Value<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.archived.fmt(f)
    }
}
