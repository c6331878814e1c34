//! A receiver in waiting.

use super::bytes::{Bytes, BytesReceiver};
use super::error::OpenError;
use super::open::{Spsc, channel_of, side_of};
use super::receiver::Receiver;
use super::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Role};
use crate::message::Message;
use crate::segment::Segment;
use std::sync::Arc;
use std::time::Duration;

/// Has the channel open and waits to become its receiver, when the present one closes or dies.
///
/// Any number may stand by; one of them takes over, and repeats at most the message that a dead
/// predecessor had in hand ([`Sample::redelivered`](super::Sample::redelivered)). While one stands by
/// the segment is in use: it stays, with what was not read. It costs the channel nothing.
///
/// ```
/// # use strait_ipc::channel::Spsc;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let place = tempfile::tempdir_in("/dev/shm")?;
/// let ticks = || Spsc::<u64>::named(place.path().into(), "docs", "ticks");
/// let mut sender = ticks().sender()?;
/// let first = ticks().receiver()?;
/// let standby = ticks().standby()?;
/// sender.send(&7)?;
/// drop(first); // or its process is killed
/// let mut second = standby.wait()?;
/// assert_eq!(*second.recv()?, 7);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Standby<T, V = Checked> {
    segment: Arc<Segment>,
    channel: Spsc<T, V>,
}

const ROLE: Role = Role::Consumer;

impl<T, V: Trust> Standby<T, V> {
    pub(super) fn new(segment: Arc<Segment>, channel: Spsc<T, V>) -> Self {
        Self { segment, channel }
    }

    fn endpoint(&self) -> Result<u32, OpenError> {
        side_of(channel_of(&self.segment)?, ROLE)
    }

    /// Waits in the kernel until nobody has the side.
    fn side(&self) -> Result<Endpoint, OpenError> {
        Ok(Endpoint::wait(&self.segment, self.endpoint()?, ROLE)?)
    }

    /// Looks until nobody has the side, or time runs out.
    fn side_within(&self, timeout: Duration) -> Result<Option<Endpoint>, OpenError> {
        Ok(Endpoint::wait_timeout(&self.segment, self.endpoint()?, ROLE, timeout)?)
    }
}

impl<T: Message, V: Trust> Standby<T, V> {
    /// Waits until the receiver is gone, and is the receiver from then on. The kernel wakes the
    /// waiting thread as it ends the other process, or as that closes.
    ///
    /// # Errors
    ///
    /// [`OpenError::Attach`] if the system refuses; [`OpenError::Corrupt`] if the ring's words are
    /// damaged.
    pub fn wait(self) -> Result<Receiver<T, V>, OpenError> {
        let endpoint = self.side()?;
        self.succeed(endpoint)
    }

    /// As [`wait`](Standby::wait), for `timeout` at most: then the standby is given back. It looks once
    /// a millisecond.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Standby::wait).
    pub fn wait_timeout(
        self,
        timeout: Duration,
    ) -> Result<Result<Receiver<T, V>, Self>, OpenError> {
        match self.side_within(timeout)? {
            Some(endpoint) => self.succeed(endpoint).map(Ok),
            None => Ok(Err(self)),
        }
    }

    fn succeed(self, endpoint: Endpoint) -> Result<Receiver<T, V>, OpenError> {
        let bytes = self.channel.receive_by(
            self.segment,
            &Arc::new(endpoint),
            0,
            &Spsc::<T, V>::typed(),
        )?;
        Ok(Receiver::new(bytes))
    }
}

impl<V: Trust> Standby<Bytes, V> {
    /// Waits until the receiver is gone, and is the receiver from then on.
    ///
    /// # Errors
    ///
    /// As for typed channels.
    pub fn wait(self) -> Result<BytesReceiver, OpenError> {
        let endpoint = self.side()?;
        self.succeed(endpoint)
    }

    /// As [`wait`](Standby::wait), for `timeout` at most: then the standby is given back.
    ///
    /// # Errors
    ///
    /// As for typed channels.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<BytesReceiver, Self>, OpenError> {
        match self.side_within(timeout)? {
            Some(endpoint) => self.succeed(endpoint).map(Ok),
            None => Ok(Err(self)),
        }
    }

    fn succeed(self, endpoint: Endpoint) -> Result<BytesReceiver, OpenError> {
        self.channel.receive_by(self.segment, &Arc::new(endpoint), 0, &self.channel.bytes())
    }
}
