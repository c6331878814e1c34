//! Segments: shared memory that holds channels, complete from the moment it has a name.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Segment`]: create, open, look inside, close, remove |
//! | [`name`] | domain and channel names, and the file they mean |
//! | [`spec`] | what a segment is made from |
//! | [`layout`] | its bytes: header, channel entries, endpoint slots |
//! | [`lifecycle`] | the protocol by which names come and go, in 40 lines |
//! | `holders` | who holds which endpoint |
//! | [`kernel`] | that protocol's operations in the kernel; making and looking at files |
//! | [`survey`] | an observer's look at segments, whatever state they are in |
//! | [`error`] | what can go wrong, and what to do about it |
//! | `codec` | header and channel table to bytes and back, validated |
//!
//! **Creation.** A segment is made as a file without a name (`O_TMPFILE`), allocated, filled in,
//! locked, and then given its name by `link`, which fails if the name is taken. Nobody can see a
//! half-made one, and a creator that dies at any instruction before that leaves nothing behind: no
//! temporary names to sweep. It takes a file system that has unnamed files; tmpfs does.
//!
//! **Opening** trusts nothing: the file must be a regular one of the same user, and header and
//! channel table are copied to private memory and validated there against the size of the file.
//! What cannot be prevented: another program of the same user may truncate a named segment while it
//! is mapped, and touching the missing pages ends the process with SIGBUS. Sealed memory segments
//! ([`Segment::in_memory`]) cannot be truncated.
//!
//! **Life cycle.** Whoever has a segment open holds its lifecycle lock shared; a segment is removed
//! by whoever gets that lock exclusively. The lock belongs to the mapping: it ends with the process,
//! however that ends, and forked children do not inherit it.

mod codec;
pub mod error;
pub(crate) mod holders;
pub mod kernel;
pub mod layout;
pub mod lifecycle;
pub mod name;
pub mod spec;
pub mod survey;

pub use codec::Birth;
pub use error::{Fault, SegmentError};
pub use lifecycle::Removal;
pub use name::{Directory, NameError, SegmentName};
pub use spec::{ChannelSpec, SegmentSpec, SpecError};
pub use survey::Survey;

use crate::endpoint::Role;
use crate::ring::geometry::{Geometry, PAGE};
use crate::system::mapping::Mapping;
use crate::system::{file, fork};
use holders::Holders;
use kernel::NamedFile;
use layout::{EndpointSlot, Header};
use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use strait_pools::placement::MappedOne;
use strait_pools::region::Region;
use strait_pools::sync::{AtomicU64, Ordering::Relaxed};

/// How a segment is made and mapped.
#[derive(Clone, Copy, Debug)]
pub struct MapOptions {
    /// Fault every page in when the segment is opened, so that no message pays for it (Linux 5.14;
    /// older kernels fault pages in as they are touched). On by default.
    pub prefault: bool,
    /// Lock the segment in memory. Off by default.
    pub mlock: bool,
    /// Let other users look at the segment, if it is made. Off by default.
    pub readable_by_others: bool,
}

impl Default for MapOptions {
    fn default() -> Self {
        Self { prefault: true, mlock: false, readable_by_others: false }
    }
}

/// How long to try while other processes remove and create a segment.
const PATIENCE: Duration = Duration::from_secs(5);

/// A mapped segment, in use until dropped.
///
/// Dropping it leaves the segment where it is; [`Segment::close`] removes it if it was the last use.
/// In a forked child it is dead: the child does not have the mapping.
#[derive(Debug)]
pub struct Segment {
    /// Sides that threads of this process hold among themselves have it as well.
    mapping: Arc<Mapping>,
    holders: Holders,
    channels: Vec<ChannelInfo>,
    birth: Birth,
    endpoint_table: u64,
    endpoint_count: u32,
    path: PathBuf,
    named: bool,
    access: Access,
}

/// What may be done with a mapped segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everything.
    Write,
    /// Looking at it.
    Read,
}

/// One channel of an open segment: a validated private copy of its entry.
#[derive(Clone, Debug)]
pub struct ChannelInfo {
    entry: codec::Channel,
    producer_region: Region,
    consumer_region: Region,
}

/// What memory segments are called in errors.
const IN_MEMORY: &str = "memfd";
/// The same, of those that no file is behind.
const LOCAL: &str = "local";

impl Segment {
    /// Opens the segment called `name`, or makes it as `spec` says if there is none.
    ///
    /// A segment that was there may have been made from another spec: compare its channels.
    pub fn open_or_create(
        directory: &Directory,
        name: &SegmentName,
        spec: &SegmentSpec<'_>,
        options: MapOptions,
    ) -> Result<Self, SegmentError> {
        let path = name.path(directory);
        let files = NamedFile::new(path.clone(), PATIENCE);
        let others = options.readable_by_others;
        let create = || kernel::create_unnamed(directory.path(), spec, others);
        Self::map(lifecycle::open_or_create(&files, create)?, path, true, options)
    }

    /// Opens the segment called `name`.
    pub fn open(
        directory: &Directory,
        name: &SegmentName,
        options: MapOptions,
    ) -> Result<Self, SegmentError> {
        let path = name.path(directory);
        match lifecycle::open(&NamedFile::new(path.clone(), PATIENCE))? {
            Some(file) => Self::map(file, path, true, options),
            None => Err(SegmentError::Missing { path }),
        }
    }

    /// Opens the segment called `name` to look at it: it is mapped such that it cannot be written, and
    /// nobody can take a side of it through this.
    ///
    /// It is this user's, or that of `owner`, who let others look at it. Whoever looks at his own keeps it in
    /// use. Another user's may be removed meanwhile, and he may even truncate it, which ends this process
    /// with SIGBUS.
    pub fn observe(
        directory: &Directory,
        name: &SegmentName,
        owner: Option<u32>,
        options: MapOptions,
    ) -> Result<Self, SegmentError> {
        let owner = owner.unwrap_or_else(|| rustix::process::geteuid().as_raw());
        let path = name.path_of(directory, owner);
        match lifecycle::open(&NamedFile::to_read(path.clone(), owner, PATIENCE))? {
            Some(file) => Self::map_as(Access::Read, file, path, true, options),
            None => Err(SegmentError::Missing { path }),
        }
    }

    /// Makes a segment without a name, in a memory file sealed against any change of its size.
    ///
    /// Others reach it through [`Segment::descriptor`]. It is gone with its last user.
    pub fn in_memory(spec: &SegmentSpec<'_>, options: MapOptions) -> Result<Self, SegmentError> {
        let path = PathBuf::from(IN_MEMORY);
        let file = file::memory("strait").map_err(SegmentError::system(&path, "make one"))?;
        kernel::fill(&file, &path, spec)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
            .map_err(io::Error::from)
            .map_err(SegmentError::system(&path, "seal it"))?;
        Self::map(file, path, false, options)
    }

    /// Makes a segment for the threads of this process, in memory that no file is behind: it takes no
    /// descriptor and no lock, nobody else sees it, and it has no [`descriptor`](Segment::descriptor).
    pub fn local(spec: &SegmentSpec<'_>, options: MapOptions) -> Result<Self, SegmentError> {
        let path = PathBuf::from(LOCAL);
        let invalid = |fault| SegmentError::invalid(Path::new(LOCAL))(fault);
        let plan = spec::Plan::new(spec)?;
        let bytes = codec::encode(spec, &plan, &kernel::birth(&path)?);
        let (page, _) = bytes.split_at(PAGE);
        let contents = codec::Contents::decode(page, plan.total_bytes).map_err(invalid)?;
        let (offset, len) = contents.channel_table().map_err(invalid)?;
        // The table ends where the endpoints begin, which is as long as the bytes are.
        #[allow(clippy::cast_possible_truncation)]
        let table = &bytes[offset as usize..offset as usize + len];
        let entries = contents.decode_channels(table).map_err(invalid)?;
        // Bounded by MAX_SEGMENT_BYTES, and pointers have 64 bits.
        #[allow(clippy::cast_possible_truncation)]
        let total = plan.total_bytes as usize;
        let mapping =
            Mapping::anonymous(total).map_err(SegmentError::system(&path, "map memory for it"))?;
        let start = mapping.region().base().as_ptr();
        // SAFETY: the plan puts endpoints and rings behind these bytes, and nobody else has the mapping yet.
        unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        let holders = Holders::threads(contents.endpoint_count);
        Self::assemble(mapping, holders, &contents, entries, Access::Write, path, false, options)
    }

    /// A descriptor of a memory segment, to hand to another process: over a Unix socket
    /// (`SCM_RIGHTS`), or by inheritance (it is closed on `exec` unless that flag is cleared).
    ///
    /// Each call gives a new description, which shares no lock with this process.
    pub fn descriptor(&self) -> Result<OwnedFd, SegmentError> {
        let file = match &self.holders {
            Holders::Processes(probe) => file::reopen(probe),
            Holders::Threads(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(file.map_err(SegmentError::system(&self.path, "reopen it"))?.into())
    }

    /// Opens the memory segment behind a descriptor that another process of this user made.
    pub fn from_descriptor(descriptor: OwnedFd, options: MapOptions) -> Result<Self, SegmentError> {
        let path = PathBuf::from(IN_MEMORY);
        let seals = fcntl_get_seals(&descriptor)
            .map_err(|error| SegmentError::Unsealed { found: error.to_string() })?;
        if !seals.contains(SealFlags::SHRINK) {
            let names: Vec<&str> = seals.iter_names().map(|(name, _)| name).collect();
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(SegmentError::Unsealed { found });
        }
        let received = File::from(descriptor);
        kernel::check_owner(&received, &path)?;
        // The sender may keep the description it sent.
        let own = file::reopen(&received).map_err(SegmentError::system(&path, "reopen it"))?;
        Self::map(own, path, false, options)
    }

    /// Validates and maps a file whose lifecycle lock, if it has a name, is held.
    fn map(
        file: File,
        path: PathBuf,
        named: bool,
        options: MapOptions,
    ) -> Result<Self, SegmentError> {
        Self::map_as(Access::Write, file, path, named, options)
    }

    fn map_as(
        access: Access,
        file: File,
        path: PathBuf,
        named: bool,
        options: MapOptions,
    ) -> Result<Self, SegmentError> {
        let failed = |action| SegmentError::system(&path, action);
        let contents = kernel::read_contents(&file, &path)?;
        let (offset, len) = contents.channel_table().map_err(SegmentError::invalid(&path))?;
        let mut table = vec![0; len];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut table, offset)
            .map_err(failed("read its channel table"))?;
        let entries = contents.decode_channels(&table).map_err(SegmentError::invalid(&path))?;
        let writable = access == Access::Write;
        if writable {
            kernel::fill_holes(&file, &path, contents.total_bytes)?;
        }
        let probe = if writable { file::reopen(&file) } else { file::reopen_to_read(&file) };
        let probe = probe.map_err(failed("reopen it (is /proc mounted?)"))?;
        // Bounded by MAX_SEGMENT_BYTES, and pointers have 64 bits.
        #[allow(clippy::cast_possible_truncation)]
        let total = contents.total_bytes as usize;
        let map = if writable { Mapping::new } else { Mapping::to_read };
        let mapping = map(&file, 0, total).map_err(failed("map it"))?;
        check_mapped(&mapping, contents.birth.instance, &path)?;
        let holders = Holders::Processes(probe);
        Self::assemble(mapping, holders, &contents, entries, access, path, named, options)
    }

    /// A segment of what was validated and mapped.
    #[allow(clippy::too_many_arguments)]
    fn assemble(
        mapping: Mapping,
        holders: Holders,
        contents: &codec::Contents,
        entries: Vec<codec::Channel>,
        access: Access,
        path: PathBuf,
        named: bool,
        options: MapOptions,
    ) -> Result<Self, SegmentError> {
        let failed = |action| SegmentError::system(&path, action);
        if options.prefault {
            let writable = access == Access::Write;
            let prefault = if writable { Mapping::prefault } else { Mapping::prefault_to_read };
            prefault(&mapping).map_err(failed("fault its pages in"))?;
        }
        if options.mlock {
            mapping.lock_in_memory().map_err(|source| {
                let limit = getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX);
                let path = path.clone();
                if limit < contents.total_bytes {
                    SegmentError::MemoryLock { path, needed: contents.total_bytes, limit }
                } else {
                    SegmentError::System { path, action: "lock it in memory", source }
                }
            })?;
        }
        let region = mapping.region();
        let channels = entries
            .into_iter()
            .map(|entry| ChannelInfo::new(entry, &region))
            .collect::<Option<_>>()
            .ok_or(Fault::damaged("regions", "regions inside the file", "others"))
            .map_err(SegmentError::invalid(&path))?;
        Ok(Self {
            mapping: Arc::new(mapping),
            holders,
            channels,
            birth: contents.birth,
            endpoint_table: contents.endpoint_table,
            endpoint_count: contents.endpoint_count,
            path,
            named,
            access,
        })
    }

    /// Whether it can be written through this mapping.
    pub(crate) fn writable(&self) -> bool {
        self.access == Access::Write
    }

    /// The channels, in the order of the spec that the segment was made from.
    pub fn channels(&self) -> &[ChannelInfo] {
        &self.channels
    }

    /// Channel number `index`.
    pub fn channel(&self, index: usize) -> Option<&ChannelInfo> {
        self.channels.get(index)
    }

    /// Who made it and when, and the number that tells it from others of the same name.
    pub fn birth(&self) -> &Birth {
        &self.birth
    }

    /// Its file; `memfd` for memory segments, `local` for those of this process.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        self.mapping.region().len()
    }

    /// Number of endpoint slots.
    pub fn endpoint_count(&self) -> u32 {
        self.endpoint_count
    }

    /// Tells whether this process is a forked child, which does not have the segment.
    pub fn guard(&self) -> fork::Guard {
        self.mapping.guard()
    }

    /// Who holds which of its endpoints.
    pub(crate) fn holders(&self) -> &Holders {
        &self.holders
    }

    /// The number, in the manner of an endpoint's, of the turn to finish what dead sides left: one process at
    /// a time has it, and loses it when it dies.
    pub(crate) fn turn(&self) -> u32 {
        self.endpoint_count
    }

    /// The memory itself, for a side that is held without a mapping of its own.
    pub(crate) fn memory(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// Where an endpoint's slot is in the file, if there is such an endpoint.
    pub(crate) fn slot_offset(&self, slot: u32) -> Option<u64> {
        let offset = u64::from(slot) * size_of::<EndpointSlot>() as u64;
        (slot < self.endpoint_count).then_some(self.endpoint_table + offset)
    }

    /// An endpoint's slot, if there is such an endpoint.
    ///
    /// # Safety
    ///
    /// The segment outlives the value and all its clones.
    pub(crate) unsafe fn slot(&self, slot: u32) -> Option<MappedOne<EndpointSlot>> {
        let offset = usize::try_from(self.slot_offset(slot)?).ok()?;
        // SAFETY: the mapping lives as long as the segment, which the caller vouches for.
        unsafe { MappedOne::new(&self.mapping.region(), offset) }
    }

    /// Ends this use of the segment, and removes it if that was the last use and `may_go` agrees
    /// (for example because every message was read). Nobody can open it while `may_go` looks.
    ///
    /// [`Removal::InUse`] may also mean a child that another thread is just spawning: until its
    /// `exec` it has this process's descriptors. The segment then waits for the next to close it.
    pub fn close(self, may_go: impl FnOnce(&Segment) -> bool) -> Result<Removal, SegmentError> {
        // Whoever only looked at it leaves its removal to others.
        if self.guard().forked() || !self.named || !self.writable() {
            return Ok(Removal::Absent);
        }
        let (path, instance) = (self.path.clone(), self.birth.instance);
        // Our own lock would stand in the way.
        drop(self);
        remove_if_unused(path, instance, may_go)
    }

    /// Removes the segment called `name` if it is still the one with this instance id, nobody uses
    /// it, and `may_go` agrees.
    pub fn remove_if_unused(
        directory: &Directory,
        name: &SegmentName,
        instance: u128,
        may_go: impl FnOnce(&Segment) -> bool,
    ) -> Result<Removal, SegmentError> {
        remove_if_unused(name.path(directory), instance, may_go)
    }

    /// Removes the segment called `name`, with whatever is in it, even if it was made by another
    /// version; `false` if there was none. Fails if a process uses it.
    pub fn remove(directory: &Directory, name: &SegmentName) -> Result<bool, SegmentError> {
        Ok(Self::remove_if(directory, name, |_| true)? == Removal::Removed)
    }

    /// As [`remove`](Segment::remove), if `may_go` agrees: it is shown what is in the segment, while
    /// nobody can open it. A segment whose removal was begun before goes without its being asked.
    pub fn remove_if(
        directory: &Directory,
        name: &SegmentName,
        may_go: impl FnOnce(&Survey) -> bool,
    ) -> Result<Removal, SegmentError> {
        let path = name.path(directory);
        let files = NamedFile::new(path.clone(), PATIENCE);
        let removal = lifecycle::remove(&files, |file| {
            kernel::check_magic(file, &path)?;
            Ok(may_go(&Survey::of_file(file, &path)?))
        })?;
        if removal == Removal::InUse {
            return Err(SegmentError::InUse { holders: survey::holders(&path), path });
        }
        Ok(removal)
    }
}

fn remove_if_unused(
    path: PathBuf,
    instance: u128,
    may_go: impl FnOnce(&Segment) -> bool,
) -> Result<Removal, SegmentError> {
    let options = MapOptions { prefault: false, ..MapOptions::default() };
    let files = NamedFile::new(path.clone(), PATIENCE);
    lifecycle::remove(&files, |file| {
        let file = file.try_clone().map_err(SegmentError::system(&path, "duplicate it"))?;
        let segment = Segment::map(file, path.clone(), true, options)?;
        Ok(segment.birth.instance == instance && may_go(&segment))
    })
}

/// The mapping must show the segment that was validated.
fn check_mapped(mapping: &Mapping, instance: u128, path: &Path) -> Result<(), SegmentError> {
    let mut words = [0; 2];
    for (index, word) in words.iter_mut().enumerate() {
        let offset = offset_of!(Header, instance) + 8 * index;
        // SAFETY: the reference ends in this function, before the mapping.
        let mapped = unsafe { MappedOne::<AtomicU64>::new(&mapping.region(), offset) };
        *word = mapped.map_or(0, |mapped| mapped.load(Relaxed));
    }
    let mapped = u128::from(words[1]) << 64 | u128::from(words[0]);
    if mapped == instance {
        return Ok(());
    }
    let fault = Fault::damaged("mapped instance id", instance, mapped);
    Err(SegmentError::invalid(path)(fault))
}

impl ChannelInfo {
    fn new(entry: codec::Channel, segment: &Region) -> Option<Self> {
        let (producer_bytes, consumer_bytes) =
            (entry.geometry.producer_bytes(), entry.geometry.consumer_bytes());
        let window = |offset, len| segment.window(usize::try_from(offset).ok()?, len);
        let producer_region = window(entry.producer_offset, producer_bytes)?;
        let consumer_region = window(entry.consumer_offset, consumer_bytes)?;
        Some(Self { entry, producer_region, consumer_region })
    }

    /// What errors and tools call it.
    pub fn label(&self) -> &str {
        &self.entry.label
    }

    /// Its ring.
    pub fn geometry(&self) -> Geometry {
        self.entry.geometry
    }

    /// Identifies the message type.
    pub fn fingerprint(&self) -> u128 {
        self.entry.fingerprint
    }

    /// Describes the message type.
    pub fn schema(&self) -> &str {
        &self.entry.schema
    }

    /// The memory only producers write. Mapped for as long as the segment is.
    pub fn producer_region(&self) -> Region {
        self.producer_region
    }

    /// The memory only consumers write. Mapped for as long as the segment is.
    pub fn consumer_region(&self) -> Region {
        self.consumer_region
    }

    /// The endpoint slots of all its sides.
    pub fn endpoints(&self) -> Range<u32> {
        self.sides(Role::Producer).start..self.sides(Role::Consumer).end
    }

    /// The endpoint slots of its sides in this role.
    pub fn sides(&self, role: Role) -> Range<u32> {
        let (producers, consumers) = self.geometry().discipline().sides();
        let first = self.entry.first_endpoint;
        let between = first + producers;
        match role {
            Role::Producer => first..between,
            Role::Consumer => between..between + consumers,
        }
    }
}
