//! The directory of a domain: what its processes offer, found by any of them.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Directory`]: open it, offer, find |
//! | `entry` | [`Offer`] and [`Entry`]: what is offered, and what is found |
//! | `members` | who offers, and whether those processes live; burying what the dead offered |
//! | [`watch`] | [`Watch`]: waiting for changes |
//! | [`error`] | what can go wrong |
//!
//! A directory is a segment like any other, made by whoever comes first, and removed with its last user. A
//! process that offers something takes an endpoint, whose lock tells whether it lives; to look for something
//! takes none. How entries are found while others change them is told in [`ring`](crate::ring::directory).
//!
//! ```
//! use strait_ipc::directory::{Directory, Offer};
//! use strait_ipc::segment::Directory as Files;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let files = tempfile::tempdir_in("/dev/shm")?;
//! # let files = Files::from(files.path());
//! let directory = Directory::open(&files, "docs")?;
//! let offer = Offer { interface: "matching", address: "orders", ranking: 5, ..Offer::default() };
//! let offered = directory.offer(&offer)?;
//!
//! let found = directory.find("matching", |entry| entry.ranking() > 0)?;
//! assert_eq!(found.as_ref().map(|entry| entry.address()), Some("orders"));
//! drop(offered);
//! assert_eq!(directory.find("matching", |_| true)?, None);
//! # Ok(())
//! # }
//! ```

mod entry;
pub mod error;
mod members;
pub mod watch;

pub use entry::{Entry, Offer};
pub use error::DirectoryError;
pub use watch::Watch;

use crate::endpoint::Holder;
use crate::message::Fingerprint;
use crate::ring::directory::{ATTEMPTS, Change, Damaged, Lost, Place, Refused};
use crate::ring::geometry::{Discipline, Geometry};
use crate::segment::{
    ChannelSpec, Directory as Files, MapOptions, Segment, SegmentError, SegmentName, SegmentSpec,
};
use entry::{Map, Owner, entry_format, hash};
use members::Members;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use strait_pools::placement::{Many, Mapped};

/// What a directory's segment says it holds.
const SCHEMA: &str = "services";

/// How large a directory is, if it has to be made. Of one that is there, nothing is changed.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryOptions {
    /// Offers at once, at most: 1 to 131,072 (default 1,024), rounded up to a power of two.
    pub entries: u64,
    /// Bytes of each, of which 128 are its head and the others for interface, name, address and
    /// properties (default 512); rounded up to a multiple of 64.
    pub entry_bytes: usize,
    /// Processes that offer something at once, at most: 1 to 256 (default 128).
    pub members: u32,
    /// How it is made and mapped.
    pub map: MapOptions,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self { entries: 1024, entry_bytes: 512, members: 128, map: MapOptions::default() }
    }
}

/// A domain's directory, open. Clones share one use of it, and all of it is for any number of threads.
///
/// What was found through one is asked about through the same one, or a clone. In a forked child it is dead: open it again there.
#[derive(Clone, Debug)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    map: Map,
    path: PathBuf,
    members: Members,
}

impl Directory {
    /// Opens the directory of a domain whose segments are in `files`, or makes one of the usual size.
    ///
    /// # Errors
    ///
    /// See [`SegmentError`]: the domain's name is none, there is no memory, or what has the directory's name
    /// is something else.
    pub fn open(files: &Files, domain: &str) -> Result<Self, DirectoryError> {
        Self::open_with(files, domain, &DirectoryOptions::default())
    }

    /// As [`open`](Self::open), with a say in how large it is if it has to be made.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), or [`DirectoryError::Geometry`]: there cannot be one of that size.
    pub fn open_with(
        files: &Files,
        domain: &str,
        options: &DirectoryOptions,
    ) -> Result<Self, DirectoryError> {
        let name = SegmentName::services(domain).map_err(SegmentError::Name)?;
        let entries = options.entries.checked_next_power_of_two().unwrap_or(options.entries);
        let geometry = Geometry::new(entries, entry_format(options.entry_bytes))?
            .with_discipline(Discipline::Directory { members: options.members })?
            .with_parking(true);
        let fingerprint = Fingerprint::of(SCHEMA).bits();
        let channel = ChannelSpec { label: name.channel(), geometry, fingerprint, schema: SCHEMA };
        let spec = SegmentSpec { channels: &[channel] };
        Self::new(Segment::open_or_create(files, &name, &spec, options.map)?)
    }

    /// Opens a directory that exists to look at it, and maps it such that it cannot be written: this user's,
    /// or that of `owner`, who let others look at it. Nothing is offered through it, the dead are passed over
    /// and not buried, and changes are looked for once a millisecond.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), or there is none.
    pub fn observe(
        files: &Files,
        domain: &str,
        owner: Option<u32>,
    ) -> Result<Self, DirectoryError> {
        let name = SegmentName::services(domain).map_err(SegmentError::Name)?;
        Self::new(Segment::observe(files, &name, owner, MapOptions::default())?)
    }

    fn new(segment: Segment) -> Result<Self, DirectoryError> {
        let path = segment.path().to_owned();
        let found = match segment.channels() {
            [info] if matches!(info.geometry().discipline(), Discipline::Directory { .. }) => {
                // SAFETY: the members keep the segment mapped, and live beside the words. Nothing is stored
                // but by a member, and by who sleeps, neither of which is done if it is only looked at.
                let map = unsafe { Map::new(info) };
                let members = Members::new(segment)?;
                return Ok(Self { inner: Arc::new(Inner { map, path, members }) });
            }
            [info] => format!("a channel of {}", info.geometry().discipline()),
            several => format!("{} channels", several.len()),
        };
        Err(DirectoryError::NotADirectory { path, found })
    }

    /// Offers something, until the result is dropped or this process ends.
    ///
    /// If it has a name that a dead process offered, it takes its place. All this user's processes see it
    /// from the moment this returns. It takes a few system calls; it waits for those who change the directory
    /// at this moment, and for a paused one of them up to 5 seconds.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NameTaken`] by a living process, this one included; [`DirectoryError::TooLarge`],
    /// [`DirectoryError::Full`]; [`DirectoryError::Attach`] if there are too many members;
    /// [`DirectoryError::Busy`], [`DirectoryError::Damaged`], [`DirectoryError::ReadOnly`],
    /// [`DirectoryError::Forked`].
    pub fn offer(&self, offer: &Offer<'_>) -> Result<Offered, DirectoryError> {
        let Inner { map, members, .. } = &*self.inner;
        if offer.interface.is_empty() {
            return Err(DirectoryError::NoInterface);
        }
        let (needed, room, interface) = (offer.bytes(), map.room, offer.interface.to_owned());
        if needed > room {
            let path = self.inner.path.clone();
            return Err(DirectoryError::TooLarge { path, interface, needed, room });
        }
        let (place, id) = self.inner.change(|inner, change| {
            let owner = members.join()?;
            inner.free_name(change, offer)?;
            let new = offer.new_entry((owner.member, owner.epoch));
            let insert = |change: &mut Change<'_, Mapped>| {
                change.insert(&new, |index, head| map.write(index, head, offer))
            };
            let made = match insert(change) {
                Err(Refused::Full) if inner.bury(change)? > 0 => insert(change),
                made => made,
            };
            made.map_err(|refused| inner.refused(refused))
        })?;
        Ok(Offered { inner: Some(Arc::clone(&self.inner)), place, id })
    }

    /// The best offer of an interface that `accept` accepts: the one with the highest ranking, and of those
    /// the oldest. No system call, no lock.
    ///
    /// An offer whose process has died may be found until somebody has noticed: ask
    /// [`is_alive`](Self::is_alive) before relying on it.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Contended`], [`DirectoryError::Damaged`], [`DirectoryError::Forked`].
    pub fn find(
        &self,
        interface: &str,
        mut accept: impl FnMut(&Entry) -> bool,
    ) -> Result<Option<Entry>, DirectoryError> {
        let mut best = None;
        self.walk(interface, |entry| {
            if !accept(entry) {
                return ControlFlow::Continue(());
            }
            best = Some(std::mem::replace(entry, Entry::empty()));
            ControlFlow::Break(())
        })?;
        Ok(best)
    }

    /// Shows all offers of an interface, the best ones first. One that is made or withdrawn meanwhile is
    /// shown or not; all others are, once.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    pub fn for_each(
        &self,
        interface: &str,
        mut visit: impl FnMut(&Entry),
    ) -> Result<(), DirectoryError> {
        self.walk(interface, |entry| {
            visit(entry);
            ControlFlow::Continue(())
        })
    }

    /// All offers, the oldest first.
    ///
    /// # Errors
    ///
    /// As for [`find`](Self::find).
    pub fn all(&self) -> Result<Vec<Entry>, DirectoryError> {
        let Inner { map, members, .. } = &*self.inner;
        members.check()?;
        let mut all = Vec::new();
        for index in 0..map.words.entries.len() {
            let Some(found) = map.words.look(index) else { continue };
            let mut entry = Entry::empty();
            let read =
                map.read(&found, &mut entry).map_err(|damaged| self.inner.damaged(damaged))?;
            if read.is_some() && members.seems_alive(entry.owner) {
                all.push(entry);
            }
        }
        all.sort_by_key(Entry::id);
        Ok(all)
    }

    /// Whether an offer that was found still stands. One load, and one of its owner's state: a process whose
    /// death nobody has noticed counts as alive.
    pub fn is_current(&self, entry: &Entry) -> bool {
        let Inner { map, members, .. } = &*self.inner;
        members.check().is_ok()
            && map.words.is_current(entry.place)
            && members.seems_alive(entry.owner)
    }

    /// Whether an offer that was found still stands and its process lives, as the kernel says (about 1 µs).
    /// If it does not live, all that it offered is withdrawn.
    ///
    /// # Errors
    ///
    /// As for [`sweep`](Self::sweep).
    pub fn is_alive(&self, entry: &Entry) -> Result<bool, DirectoryError> {
        let Inner { map, members, .. } = &*self.inner;
        members.check()?;
        if !map.words.is_current(entry.place) {
            return Ok(false);
        }
        let alive = members.lives(entry.owner);
        if !alive && members.may_write() {
            self.sweep()?;
        }
        Ok(alive)
    }

    /// The process that offers what was found through this directory; `None` once it is known to be gone.
    pub fn process(&self, entry: &Entry) -> Option<Holder> {
        let members = &self.inner.members;
        members.check().ok()?;
        let holder = members.holder(entry.owner);
        members.seems_alive(entry.owner).then_some(holder)
    }

    /// Asks after all members, and withdraws what the dead among them offered; how many offers that were.
    ///
    /// Nobody has to call this: who looks at an offer, takes over a name, needs room or waits for changes
    /// does so.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Busy`], [`DirectoryError::Damaged`], [`DirectoryError::ReadOnly`],
    /// [`DirectoryError::Forked`].
    pub fn sweep(&self) -> Result<usize, DirectoryError> {
        self.inner.change(Inner::bury)
    }

    /// Watches the directory, from now on.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Forked`].
    pub fn watch(&self) -> Result<Watch, DirectoryError> {
        self.inner.members.check()?;
        Ok(Watch::new(self.clone()))
    }

    /// Offers that it has room for, and how many entries are in use.
    pub fn entries(&self) -> (u64, u64) {
        let Inner { map, members, .. } = &*self.inner;
        let taken = if members.check().is_ok() { map.words.taken() } else { 0 };
        (map.words.entries.len(), taken)
    }

    /// Goes through the offers of an interface whose owners seem to live.
    fn walk(
        &self,
        interface: &str,
        mut visit: impl FnMut(&mut Entry) -> ControlFlow<()>,
    ) -> Result<(), DirectoryError> {
        let Inner { map, members, .. } = &*self.inner;
        members.check()?;
        let mut entry = Entry::empty();
        let mut next = map.words.first(hash(interface)).map_err(|lost| self.inner.lost(lost))?;
        // Only if others add more and more behind it does a walk meet more than there are.
        for _ in 0..2 * map.words.entries.len() + u64::from(ATTEMPTS) {
            let Some(found) = next else { return Ok(()) };
            let read =
                map.read(&found, &mut entry).map_err(|damaged| self.inner.damaged(damaged))?;
            // Another interface may have the same hash.
            let is_met = read.is_some()
                && entry.interface() == interface
                && members.seems_alive(entry.owner);
            if is_met && visit(&mut entry).is_break() {
                return Ok(());
            }
            next = map.words.after(&found).map_err(|lost| self.inner.lost(lost))?;
        }
        Err(self.inner.lost(Lost::Contended))
    }
}

impl Inner {
    /// Changes something, alone.
    fn change<R>(
        &self,
        work: impl FnOnce(&Self, &mut Change<'_, Mapped>) -> Result<R, DirectoryError>,
    ) -> Result<R, DirectoryError> {
        self.members.alone(&self.path, || {
            let mut change = self.map.words.change().map_err(|damaged| self.damaged(damaged))?;
            work(self, &mut change)
        })
    }

    /// Refuses a name that a living process offers; withdraws what a dead one offered by it.
    fn free_name(
        &self,
        change: &mut Change<'_, Mapped>,
        offer: &Offer<'_>,
    ) -> Result<(), DirectoryError> {
        let Offer { interface, name, .. } = *offer;
        if name.is_empty() {
            return Ok(());
        }
        let name_hash = offer.new_entry((0, 0)).name;
        for index in change.named(name_hash).map_err(|damaged| self.damaged(damaged))? {
            let Some(entry) = self.entry(index)? else { continue };
            if (entry.interface(), entry.name()) != (interface, name) {
                continue;
            }
            if self.members.lives(entry.owner) {
                let holder = Box::new(self.members.holder(entry.owner));
                let (interface, name) = (interface.to_owned(), name.to_owned());
                return Err(DirectoryError::NameTaken { interface, name, holder });
            }
            change.remove(entry.place).map_err(|damaged| self.damaged(damaged))?;
        }
        Ok(())
    }

    /// Withdraws what members offered that do not live; how many offers that were.
    fn bury(&self, change: &mut Change<'_, Mapped>) -> Result<usize, DirectoryError> {
        let living = self.members.living();
        let (mut buried, mut next) = (0, 0);
        while let Some(index) = change.next_taken(next) {
            next = index + 1;
            let Some(found) = self.map.words.look(index) else { continue };
            let owner = self.map.words.read(found.place, Owner::of);
            if owner.is_none_or(|owner| living.contains(&owner)) {
                continue;
            }
            change.remove(found.place).map_err(|damaged| self.damaged(damaged))?;
            buried += 1;
        }
        Ok(buried)
    }

    /// What is offered in an entry.
    fn entry(&self, index: u64) -> Result<Option<Entry>, DirectoryError> {
        let Some(found) = self.map.words.look(index) else { return Ok(None) };
        let mut entry = Entry::empty();
        let read = self.map.read(&found, &mut entry).map_err(|damaged| self.damaged(damaged))?;
        Ok(read.map(|()| entry))
    }

    #[cold]
    fn damaged(&self, damaged: Damaged) -> DirectoryError {
        DirectoryError::Damaged { path: self.path.clone(), damaged }
    }

    #[cold]
    fn lost(&self, lost: Lost) -> DirectoryError {
        match lost {
            Lost::Damaged(damaged) => self.damaged(damaged),
            Lost::Contended => DirectoryError::Contended { path: self.path.clone() },
        }
    }

    #[cold]
    fn refused(&self, refused: Refused) -> DirectoryError {
        match refused {
            Refused::Damaged(damaged) => self.damaged(damaged),
            Refused::Full => {
                let entries = self.map.words.entries.len();
                DirectoryError::Full { path: self.path.clone(), entries }
            }
        }
    }
}

/// Something offered, until it is dropped or this process ends.
///
/// In a forked child it is dead, and dropping it does nothing: the parent goes on offering.
#[derive(Debug)]
pub struct Offered {
    /// `None` once it is withdrawn.
    inner: Option<Arc<Inner>>,
    place: Place,
    id: u64,
}

impl Offered {
    /// Which offer of the directory's life it is.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Withdraws it, as dropping it does, and says if that failed.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Busy`]: a paused process is in the middle of a change. What is offered then stays
    /// until this process closes the directory or ends.
    pub fn withdraw(mut self) -> Result<(), DirectoryError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), DirectoryError> {
        let Some(inner) = self.inner.take() else { return Ok(()) };
        let place = self.place;
        inner.change(|inner, change| {
            change.remove(place).map_err(|damaged| inner.damaged(damaged))
        })?;
        Ok(())
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        // What cannot be withdrawn is gone with the process.
        let _ = self.end();
    }
}
