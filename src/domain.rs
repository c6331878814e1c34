//! A namespace of channels, with what may be assumed about the processes in it.

use crate::services::Services;
use std::path::Path;
use strait_ipc::channel::{
    Broadcast, Checked, Lanes, Latest, Mpmc, OpenError, Spsc, Trust, Trusted,
};
use strait_ipc::directory::{DirectoryError, DirectoryOptions};
use strait_ipc::segment::{Directory, NameError, Segment, SegmentName};

/// A namespace of channels on this host: no daemon behind it, and nothing global about it.
///
/// Channels are files `strait-<uid>-<domain>+<channel>` in `/dev/shm`, open to their owner alone.
/// Processes of one user that name the same domain meet in it.
///
/// `V` says whether received archives are validated: [`Checked`], unless [`trusted`](Domain::trusted)
/// promised otherwise.
#[derive(Clone, Debug)]
pub struct Domain<V = Checked> {
    directory: Directory,
    name: String,
    trust: std::marker::PhantomData<fn() -> V>,
}

impl Domain {
    /// The domain `name`: 1 to 64 letters, digits, `.`, `_` or `-`, not beginning with a dot.
    ///
    /// Nothing is created until a channel is opened.
    ///
    /// # Errors
    ///
    /// [`NameError`] says what is wrong with the name.
    pub fn open(name: &str) -> Result<Self, NameError> {
        Self::open_in(Directory::default(), name)
    }

    /// As [`open`](Domain::open), with the channels' files in another directory than `/dev/shm`.
    ///
    /// Put it on a memory file system that supports unnamed files (tmpfs does).
    ///
    /// # Errors
    ///
    /// As for [`open`](Domain::open).
    pub fn open_in(directory: impl Into<Directory>, name: &str) -> Result<Self, NameError> {
        // Any channel will do: what is checked here is the domain's half of the name.
        SegmentName::new(name, "any")?;
        let directory = directory.into();
        Ok(Self { directory, name: name.to_owned(), trust: std::marker::PhantomData })
    }

    /// The same domain, whose receivers hand out archives unchecked.
    ///
    /// # Safety
    ///
    /// Every process that ever writes to this domain's channels runs a conforming build: what it
    /// publishes under a schema is a valid archive of that schema. A breach is undefined behaviour
    /// in every receiver.
    pub unsafe fn trusted(self) -> Domain<Trusted> {
        Domain { directory: self.directory, name: self.name, trust: std::marker::PhantomData }
    }
}

impl<V: Trust> Domain<V> {
    /// A single-producer single-consumer channel of messages `T`: choose, then open one side.
    ///
    /// ```
    /// # use strait::Domain;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let domain = Domain::open("docs")?;
    /// let mut orders = domain.spsc::<u64>("orders").capacity(64).sender()?;
    /// let mut book = domain.spsc::<u64>("orders").receiver()?;
    /// orders.send(&7)?;
    /// assert_eq!(*book.recv()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spsc<T>(&self, channel: &str) -> Spsc<T, V> {
        Spsc::named(self.directory.clone(), &self.name, channel)
    }

    /// A broadcast channel of messages `T`, with one sender, whose messages all receivers get.
    ///
    /// ```
    /// # use strait::{Domain, Join, Slow};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let domain = Domain::open("docs")?;
    /// let mut news = domain.broadcast::<u64>("news").capacity(64).sender()?;
    /// let mut reader = domain.broadcast::<u64>("news").receiver(Join::Oldest, Slow::Gate)?;
    /// let mut observer = domain.broadcast::<u64>("news").observer(Join::Oldest)?;
    /// news.send(&7)?;
    /// assert_eq!(*reader.recv()?, 7);
    /// assert_eq!(*observer.recv()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast<T>(&self, channel: &str) -> Broadcast<T, V> {
        Broadcast::named(self.directory.clone(), &self.name, channel)
    }

    /// A channel of latest values `T`: one writer sets the values of keys, and readers see the newest.
    ///
    /// ```
    /// # use strait::Domain;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let domain = Domain::open("docs")?;
    /// let mut writer = domain.latest::<u64>("quotes").keys(16).writer()?;
    /// let mut reader = domain.latest::<u64>("quotes").reader()?;
    /// writer.set(3, &100)?;
    /// writer.set(3, &101)?;
    /// assert_eq!(reader.get(3)?.map(|value| value.to_native()), Some(101));
    /// # drop((writer, reader));
    /// # domain.remove("quotes")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn latest<T>(&self, channel: &str) -> Latest<T, V> {
        Latest::named(self.directory.clone(), &self.name, channel)
    }

    /// A channel of several senders with a ring each and one receiver of messages `T`: choose, then open
    /// one side.
    ///
    /// ```
    /// # use strait::Domain;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let domain = Domain::open("docs")?;
    /// let mut book = domain.lanes::<u64>("fills").senders(2).receiver()?;
    /// let mut here = domain.lanes::<u64>("fills").sender()?;
    /// let mut there = domain.lanes::<u64>("fills").sender()?;
    /// here.send(&7)?;
    /// there.send(&8)?;
    /// let mut fills = vec![];
    /// book.drain(2, |lane, fill| fills.push((lane, fill.to_native())))?;
    /// assert_eq!(fills, [(0, 7), (1, 8)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lanes<T>(&self, channel: &str) -> Lanes<T, V> {
        Lanes::named(self.directory.clone(), &self.name, channel)
    }

    /// A channel of several senders and several receivers: each message goes to one of them:
    /// choose, then open one side.
    ///
    /// ```
    /// # use strait::Domain;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let domain = Domain::open("docs")?;
    /// let mut boss = domain.mpmc::<u64>("work").senders(2).receivers(4).sender()?;
    /// let mut worker = domain.mpmc::<u64>("work").receiver()?;
    /// boss.send(&7)?;
    /// assert_eq!(*worker.recv()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mpmc<T>(&self, channel: &str) -> Mpmc<T, V> {
        Mpmc::named(self.directory.clone(), &self.name, channel)
    }

    /// The services that this domain's processes offer each other, and those of this process.
    ///
    /// # Errors
    ///
    /// The domain's directory can be neither opened nor made.
    pub fn services(&self) -> Result<Services, DirectoryError> {
        self.services_with(&DirectoryOptions::default())
    }

    /// As [`services`](Self::services), with a say in how large the directory is if it has to be made.
    ///
    /// # Errors
    ///
    /// As for [`services`](Self::services).
    pub fn services_with(&self, options: &DirectoryOptions) -> Result<Services, DirectoryError> {
        Services::open(self.directory.clone(), self.name.clone(), options)
    }

    /// Removes a channel that no process has open, with whatever messages are left in it; `false`
    /// if there was none.
    ///
    /// A channel whose messages were all read is removed when its last side closes. This is for
    /// the others: a side was killed, or nobody will come to read the rest.
    ///
    /// # Errors
    ///
    /// [`SegmentError::InUse`](strait_ipc::segment::SegmentError::InUse) names the processes that have it open.
    pub fn remove(&self, channel: &str) -> Result<bool, OpenError> {
        Ok(Segment::remove(&self.directory, &SegmentName::new(&self.name, channel)?)?)
    }

    /// The domain's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the channels' files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
