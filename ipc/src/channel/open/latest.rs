//! Channels of latest values.

use super::{Channel, channel_of, kind, side_of};
use crate::channel::error::OpenError;
use crate::channel::latest::{LatestReader, LatestWriter, map_values};
use crate::channel::link::Link;
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Role};
use crate::message::Message;
use crate::ring::latest::Writer;
use crate::segment::Segment;
use std::sync::Arc;

/// A channel of latest values about to be opened, by `writer()` or `reader()`.
///
/// See [`Channel`] for what they have in common with all others.
pub type Latest<T, V = Checked> = Channel<kind::Latest, T, V>;

impl<T: Message, V: Trust> Latest<T, V> {
    /// Number of keys, a power of two (default 1024): keys are the numbers below it.
    pub fn keys(self, keys: u64) -> Self {
        self.capacity(keys)
    }

    /// Opens the writing side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: the role is taken by a live process, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn writer(self) -> Result<LatestWriter<T>, OpenError> {
        let segment = self.find(&Self::typed())?;
        let info = channel_of(&segment)?;
        let slot = side_of(info, Role::Producer)?;
        let endpoint = Endpoint::attach(&segment, slot, Role::Producer)?;
        // SAFETY: the link keeps the segment mapped, and lives beside the writer.
        let (words, values) = unsafe { map_values(info) };
        let (channel, parking) = (info.label().to_owned(), info.geometry().parking());
        let patience = self.patience(parking);
        // It waits for nobody: it watches itself.
        let link =
            Link::new(Arc::clone(&segment), Arc::new(endpoint), slot, channel, patience, parking)?;
        Ok(LatestWriter::new(Writer::take_over(words, parking), values, link))
    }

    /// Opens a reader, of which there may be any number, making the channel if it does not exist. It may
    /// sleep until something changes, if the channel was made for that.
    ///
    /// # Errors
    ///
    /// As for [`writer`](Latest::writer), except that nobody has the role.
    pub fn reader(self) -> Result<LatestReader<T, V>, OpenError> {
        let segment = self.find(&Self::typed())?;
        self.read(segment, true)
    }

    /// Opens a reader of a channel that exists, which writes nothing and is never woken. A channel with
    /// a name is mapped such that it cannot be written.
    ///
    /// # Errors
    ///
    /// As for [`reader`](Latest::reader), or there is no such channel.
    pub fn observer(self) -> Result<LatestReader<T, V>, OpenError> {
        let segment = self.look_at(&Self::typed())?;
        self.read(segment, false)
    }

    fn read(self, segment: Arc<Segment>, writable: bool) -> Result<LatestReader<T, V>, OpenError> {
        let info = channel_of(&segment)?;
        let sleeps = writable && info.geometry().parking();
        let (writer, patience) = (side_of(info, Role::Producer)?, self.patience(sleeps));
        // SAFETY: the link keeps the segment mapped; readers store nothing but that they sleep.
        let (words, values) = unsafe { map_values(info) };
        let link =
            Link::looking_on(Arc::clone(&segment), writer, info.label().to_owned(), patience)?;
        Ok(LatestReader::new(words, values, sleeps, link))
    }

    /// Makes a segment without a name that holds this one channel, to hand to another process by
    /// its [`descriptor`](Segment::descriptor).
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&Self::typed())
    }
}
