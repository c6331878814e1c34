//! One page that the supervisor and an actor share: which mark the actor passed last, and what it is
//! asked to do. It is no part of Strait: a memory file that the actor inherits.

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use strait_pools::marks::Mark;

const BYTES: usize = 4096;

/// What an actor finds when it looks at its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Nothing new.
    None,
    /// Kill yourself at this pass of a mark, counted from now.
    Arm(Mark, u32),
    /// Fork a child that lives on.
    Fork,
    /// Start a program that lives on, with descriptors that it inherits.
    Exec,
}

/// When an actor is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Not yet.
    No,
    /// Close at once.
    Now,
    /// Read what is there, and close once the sender is gone.
    Drained,
}

/// The words of the page, on both sides.
#[derive(Debug)]
#[repr(C)]
struct Words {
    /// The mark passed last within an operation; 0 between operations.
    at: AtomicU32,
    stop: AtomicU32,
    /// Counts requests.
    requests: AtomicU32,
    what: AtomicU32,
    mark: AtomicU32,
    pass: AtomicU32,
}

/// The page, mapped until dropped.
#[derive(Debug)]
pub(crate) struct Page(NonNull<Words>);

// SAFETY: a mapping belongs to the process, not to a thread, and the words are atomic.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

const FORK: u32 = 1;
const EXEC: u32 = 2;
const ARM: u32 = 3;

impl Page {
    /// A new page, and the descriptor that an actor is to inherit.
    pub(crate) fn make() -> io::Result<(Self, OwnedFd)> {
        let file = memfd_create("torture", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, BYTES as u64)?;
        Ok((Self::map(&file)?, file))
    }

    /// The page behind a descriptor.
    pub(crate) fn map(file: impl AsFd) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let base = unsafe { mmap(null_mut(), BYTES, access, MapFlags::SHARED, file, 0)? };
        let words = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self(words))
    }

    fn words(&self) -> &Words {
        // SAFETY: a page of atomics, aligned, mapped until `self` is dropped.
        unsafe { self.0.as_ref() }
    }

    /// The word for the mark passed last.
    pub(crate) fn at(&self) -> &AtomicU32 {
        &self.words().at
    }

    /// The mark passed last, if it was within an operation.
    pub(crate) fn mark(&self) -> Option<Mark> {
        Mark::from_number(self.words().at.load(SeqCst))
    }

    pub(crate) fn ask_to_stop(&self, stop: Stop) {
        self.words().stop.store(stop as u32, SeqCst);
    }

    pub(crate) fn stop(&self) -> Stop {
        match self.words().stop.load(SeqCst) {
            0 => Stop::No,
            1 => Stop::Now,
            _ => Stop::Drained,
        }
    }

    pub(crate) fn ask(&self, request: Request) {
        let what = match request {
            Request::None => return,
            Request::Fork => FORK,
            Request::Exec => EXEC,
            Request::Arm(mark, pass) => {
                self.words().mark.store(mark as u32, SeqCst);
                self.words().pass.store(pass, SeqCst);
                ARM
            }
        };
        self.words().what.store(what, SeqCst);
        self.words().requests.fetch_add(1, SeqCst);
    }

    /// What is asked, if it is more than the `seen` requests before; counts it as seen.
    pub(crate) fn request(&self, seen: &mut u32) -> Request {
        let requests = self.words().requests.load(SeqCst);
        if requests == *seen {
            return Request::None;
        }
        *seen = requests;
        match self.words().what.load(SeqCst) {
            FORK => Request::Fork,
            EXEC => Request::Exec,
            _ => {
                let mark = Mark::from_number(self.words().mark.load(SeqCst));
                mark.map_or(Request::None, |mark| {
                    Request::Arm(mark, self.words().pass.load(SeqCst))
                })
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `map`, and no reference outlives the page.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), BYTES) };
    }
}
