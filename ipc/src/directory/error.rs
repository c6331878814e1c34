//! What can go wrong with a directory.

use crate::endpoint::{AttachError, Holder};
use crate::ring::directory::layout::EntryHead;
use crate::ring::directory::{ATTEMPTS, Damaged};
use crate::ring::geometry::GeometryError;
use crate::segment::SegmentError;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Why something was not offered, found or withdrawn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The segment could not be opened or made.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// There cannot be such a directory.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// This process could not become a member.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The segment of that name holds something else.
    #[error("{}: holds {found}, and no directory: end its users and remove it", path.display())]
    NotADirectory {
        /// The segment's file.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// Nobody could find it.
    #[error("an offer needs an interface, by which it is found")]
    NoInterface,
    /// The offer does not fit an entry.
    #[error(
        "interface, name, address and properties of `{interface}` have {needed} bytes, and there is room \
         for {room} in an entry of {}: shorten them, or end all users of the directory and open it first \
         with `entry_bytes` of {}", path.display(), needed + size_of::<EntryHead>()
    )]
    TooLarge {
        /// The directory's file.
        path: PathBuf,
        /// What was offered.
        interface: String,
        /// Its bytes.
        needed: usize,
        /// Bytes there is room for.
        room: usize,
    },
    /// All entries are in use, and their owners live.
    #[error(
        "{}: all {entries} entries are in use: withdraw some, or end all users of the directory and open it \
         first with more `entries`", path.display()
    )]
    Full {
        /// The directory's file.
        path: PathBuf,
        /// How many entries it has.
        entries: u64,
    },
    /// A living process offers that name already.
    #[error("`{name}` of interface `{interface}` is offered already, by {holder}")]
    NameTaken {
        /// The interface.
        interface: String,
        /// The name.
        name: String,
        /// Who offers it.
        holder: Box<Holder>,
    },
    /// Another process has been in the middle of a change all the time.
    #[error(
        "{}: another process has been changing it for {waited:?}: look for a paused one (`fuser {}`), or try \
         again", path.display(), path.display()
    )]
    Busy {
        /// The directory's file.
        path: PathBuf,
        /// How long it was tried.
        waited: Duration,
    },
    /// Offers came and went next to where a search stood, each time that it looked.
    #[error(
        "{}: offers came and went during each of {ATTEMPTS} attempts to pass them: try again", path.display()
    )]
    Contended {
        /// The directory's file.
        path: PathBuf,
    },
    /// A word of the directory makes no sense.
    #[error("{}: damaged: {damaged}; end its users and remove it", path.display())]
    Damaged {
        /// The directory's file.
        path: PathBuf,
        /// The word.
        damaged: Damaged,
    },
    /// The directory was opened to look at it.
    #[error("{}: was opened to look at it: open it with `open` to offer something", path.display())]
    ReadOnly {
        /// The directory's file.
        path: PathBuf,
    },
    /// This process is a fork of the one that opened the directory.
    #[error("the directory was opened before fork: open it again in the child")]
    Forked,
}
