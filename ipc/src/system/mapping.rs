//! Shared mappings of files.

use super::fork::Guard;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap, mmap_anonymous, munmap};
use std::io;
use std::os::fd::AsFd;
use std::ptr::{NonNull, null_mut};
use strait_pools::region::Region;

/// Bytes of a file, mapped shared, readable and mostly writable, until dropped.
///
/// A forked child does not inherit it (`MADV_DONTFORK`), and dropping the child's copy of the value
/// does nothing: the address may mean something else there. Core dumps leave it out. The mapping
/// keeps the file's open description, and thereby that description's locks, alive.
///
/// (A child forked by another thread between the two system calls in [`Mapping::new`] does inherit
/// it, and keeps such locks until it exits or calls `exec`.)
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
    guard: Guard,
}

// SAFETY: a mapping belongs to the process, not to a thread; the value is an address and a length.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` hands out only a `Region`.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `file` from `offset`, a multiple of the system's page size.
    pub fn new(file: impl AsFd, offset: u64, len: usize) -> io::Result<Self> {
        Self::with(ProtFlags::READ | ProtFlags::WRITE, file, offset, len)
    }

    /// The same, to be read alone: whoever writes to it is killed.
    pub fn to_read(file: impl AsFd, offset: u64, len: usize) -> io::Result<Self> {
        Self::with(ProtFlags::READ, file, offset, len)
    }

    fn with(access: ProtFlags, file: impl AsFd, offset: u64, len: usize) -> io::Result<Self> {
        let guard = Guard::new()?;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let base = unsafe { mmap(null_mut(), len, access, MapFlags::SHARED, file, offset)? };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mapping = Self { base, len, guard };
        mapping.advise(Advice::LinuxDontFork)?;
        mapping.advise(Advice::LinuxDontDump)?;
        Ok(mapping)
    }

    /// Maps `len` bytes of memory that no file is behind and no other process has: zeros at first.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        let guard = Guard::new()?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let base = unsafe { mmap_anonymous(null_mut(), len, access, MapFlags::PRIVATE)? };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mapping = Self { base, len, guard };
        mapping.advise(Advice::LinuxDontFork)?;
        Ok(mapping)
    }

    fn advise(&self, advice: Advice) -> io::Result<()> {
        // SAFETY: the range is this mapping; none of the advice used here changes its contents.
        let result = unsafe { madvise(self.base.as_ptr().cast(), self.len, advice) };
        result.map_err(io::Error::from)
    }

    /// Faults every page in, ready to be written, so that no first touch does.
    ///
    /// Before Linux 5.14 this does nothing, and pages fault in as they are touched.
    pub fn prefault(&self) -> io::Result<()> {
        self.populate(Advice::LinuxPopulateWrite)
    }

    /// The same, ready to be read.
    pub fn prefault_to_read(&self) -> io::Result<()> {
        self.populate(Advice::LinuxPopulateRead)
    }

    fn populate(&self, how: Advice) -> io::Result<()> {
        match self.advise(how) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            other => other,
        }
    }

    /// Keeps every page in memory.
    pub fn lock_in_memory(&self) -> io::Result<()> {
        // SAFETY: the range is this mapping; locking it changes nothing a program can see.
        let result = unsafe { mlock(self.base.as_ptr().cast(), self.len) };
        result.map_err(io::Error::from)
    }

    /// The mapped bytes. Good until the mapping is dropped: whoever makes references out of the
    /// region (that takes `unsafe`) keeps the mapping alive.
    pub fn region(&self) -> Region {
        // SAFETY: the bytes are mapped until `self` is dropped, come from a file and so are
        // initialised, and no reference to them exists but through regions. Whoever mapped them to be
        // read alone stores nothing.
        unsafe { Region::new(self.base, self.len) }
    }

    /// The guard that tells whether this process is a child to which the mapping does not belong.
    #[inline]
    pub fn guard(&self) -> Guard {
        self.guard
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.guard.forked() {
            return;
        }
        // SAFETY: the range was mapped by `new` and is unmapped only here; whoever made references
        // into it promised that they ended before.
        let result = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(result.is_ok(), "munmap of an own mapping: {result:?}");
    }
}
