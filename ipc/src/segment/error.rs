//! What can go wrong with a segment.

use super::name::NameError;
use super::spec::SpecError;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Why a segment could not be made, opened or removed. Memory files appear as `memfd`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The name is not allowed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The segment cannot be made as asked.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no segment of that name.
    #[error("{}: there is no such segment: create it first, or check domain and user", path.display())]
    Missing {
        /// The segment's file.
        path: PathBuf,
    },
    /// The file is something else, or was made by another version, or is damaged.
    #[error("{}: {fault}", path.display())]
    Invalid {
        /// The segment's file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The file belongs to another user.
    #[error(
        "{}: belongs to user id {owner}, this process runs as {own}: segments are shared only \
         within one user; remove the file as its owner, or run as that user", path.display()
    )]
    Foreign {
        /// The segment's file.
        path: PathBuf,
        /// The file's owner.
        owner: u32,
        /// This process's effective user id.
        own: u32,
    },
    /// There is not enough room for the segment.
    #[error(
        "{}: the segment needs {needed} bytes and {free} are free: make it smaller (fewer or \
         smaller cells), remove unused segments, or enlarge the file system (for /dev/shm: \
         `mount -o remount,size=…`)", directory.display()
    )]
    NoSpace {
        /// The directory, or `memfd`.
        directory: PathBuf,
        /// Bytes asked for.
        needed: u64,
        /// Bytes free there.
        free: u64,
    },
    /// The file system cannot hold segments.
    #[error(
        "{}: its file system has no unnamed files (O_TMPFILE), without which a half-made segment \
         could be seen: use a tmpfs such as /dev/shm", directory.display()
    )]
    Unsupported {
        /// The directory.
        directory: PathBuf,
    },
    /// It cannot be removed, because a process uses it.
    #[error("{}: cannot be removed: in use by {holders}; end that use first", path.display())]
    InUse {
        /// The segment's file.
        path: PathBuf,
        /// The attached processes, as far as they are known.
        holders: String,
    },
    /// Other processes kept removing and creating it, or one stopped while removing it.
    #[error(
        "{}: another process has been removing it for {waited:?}: look for a paused one \
         (`fuser {}`), or try again", path.display(), path.display()
    )]
    Busy {
        /// The segment's file.
        path: PathBuf,
        /// How long it was tried.
        waited: Duration,
    },
    /// A descriptor lacks the seals that keep its sender from shrinking it under the receiver.
    #[error(
        "the descriptor is not a memory file sealed against shrinking (seals: {found}): \
         send the one that `Segment::descriptor` gives"
    )]
    Unsealed {
        /// The seals it has, or why they cannot be read.
        found: String,
    },
    /// The segment cannot be kept in memory.
    #[error(
        "{}: {needed} bytes cannot be locked in memory, the limit (RLIMIT_MEMLOCK) is {limit}: \
         raise it (`ulimit -l`, LimitMEMLOCK= of the service) or do not ask for locked memory", path.display()
    )]
    MemoryLock {
        /// The segment's file.
        path: PathBuf,
        /// Bytes of the segment.
        needed: u64,
        /// The limit for the process, in bytes.
        limit: u64,
    },
    /// A system call failed.
    #[error("{}: cannot {action}: {source}", path.display())]
    System {
        /// The segment's file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl SegmentError {
    /// For `map_err`: what was tried on `path`.
    pub(super) fn system(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { path: path.to_owned(), action, source }
    }

    pub(super) fn invalid(path: &Path) -> impl Fn(Fault) -> Self {
        move |fault| Self::Invalid { path: path.to_owned(), fault }
    }
}

/// What is wrong with a file that should be a segment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// It was never one.
    #[error("not a Strait segment: {0}; if nothing else needs the file, remove it by hand")]
    NotASegment(String),
    /// It was made by another version of Strait.
    #[error(
        "made by another version of Strait: {what}: this program knows {expected}, the segment has \
         {found}; use the same version on both sides, or end its users and remove it"
    )]
    Foreign {
        /// The field.
        what: String,
        /// What this version knows.
        expected: String,
        /// What the segment has.
        found: String,
    },
    /// It contradicts itself.
    #[error("damaged: {what}: expected {expected}, found {found}; end its users and remove it")]
    Damaged {
        /// The field.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl Fault {
    pub(super) fn foreign(what: impl Display, expected: impl Display, found: impl Display) -> Self {
        let (what, expected, found) = (what.to_string(), expected.to_string(), found.to_string());
        Self::Foreign { what, expected, found }
    }

    pub(super) fn damaged(what: impl Display, expected: impl Display, found: impl Display) -> Self {
        let (what, expected, found) = (what.to_string(), expected.to_string(), found.to_string());
        Self::Damaged { what, expected, found }
    }
}
