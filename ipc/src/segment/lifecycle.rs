//! How a name comes to mean one complete segment, and how it ceases to.
//!
//! ```text
//! creator                     opener                        remover
//!   lock shared (unnamed)       open the name                 open the name
//!   link the name; taken?       lock shared; busy? again      lock exclusively; busy? in use
//!     drop it, open theirs      still linked? else again      still linked? else gone
//!                               retired? finish the removal,  may it go? retire
//!                                 again                       unlink
//! ```
//!
//! Whoever uses a segment holds its lifecycle lock shared, and holds it *before* looking whether the
//! name still leads there; a remover holds it exclusively from before that look until the name is
//! gone. So an opener that has looked cannot have the segment removed under it, and of two segments
//! only one can be the one the name leads to. Retiring makes the decision to remove final: if the
//! remover dies before unlinking, nobody begins to use a segment whose contents were written off.
//!
//! **What happens when a process dies here.** Its locks go with it. A creator leaves nothing (the
//! file had no name) or a complete segment; an opener leaves nothing; a remover leaves the segment
//! as it was, or a retired one, whose removal the next opener finishes.
//!
//! The algorithm is written over [`Files`], so that the models run this very source.

use strait_pools::marks::{Mark, pass};

/// The file operations that the protocol is made of. Dropping a file releases its lock.
pub trait Files {
    /// An open file description.
    type File;
    /// What can go wrong besides what the protocol expects.
    type Error;

    /// Opens the name; `None` if there is none.
    fn open(&self) -> Result<Option<Self::File>, Self::Error>;
    /// Gives an unnamed file the name; `false` if the name is taken.
    fn link(&self, file: &Self::File) -> Result<bool, Self::Error>;
    /// Removes the name.
    fn unlink(&self, file: &Self::File) -> Result<(), Self::Error>;
    /// Takes the lifecycle lock together with others; `false` if a remover holds it.
    fn lock_shared(&self, file: &Self::File) -> Result<bool, Self::Error>;
    /// Takes the lifecycle lock alone; `false` if anybody else holds it.
    fn lock_exclusive(&self, file: &Self::File) -> Result<bool, Self::Error>;
    /// Whether the name leads to this very file.
    fn linked(&self, file: &Self::File) -> Result<bool, Self::Error>;
    /// Whether the segment was retired.
    fn retired(&self, file: &Self::File) -> Result<bool, Self::Error>;
    /// Retires the segment.
    fn retire(&self, file: &Self::File) -> Result<(), Self::Error>;
    /// Lets others make progress before the next attempt; fails when patience is over.
    fn pause(&self) -> Result<(), Self::Error>;
}

/// What became of an attempt to remove a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The name is gone, by this call.
    Removed,
    /// There was no such name, or another process removed it first.
    Absent,
    /// Another process uses the segment.
    InUse,
    /// It may not go yet.
    Kept,
}

/// Opens the segment, with its lifecycle lock held shared; `None` if there is none.
pub fn open<F: Files>(files: &F) -> Result<Option<F::File>, F::Error> {
    loop {
        let Some(file) = files.open()? else { return Ok(None) };
        if files.lock_shared(&file)? && files.linked(&file)? {
            if !files.retired(&file)? {
                pass(Mark::SegmentOpened);
                return Ok(Some(file));
            }
            // Our own lock would stand in the way.
            drop(file);
            if remove(files, |_| Ok(false))? != Removal::InUse {
                continue;
            }
        }
        files.pause()?;
    }
}

/// Opens the segment, or gives the name to the one `create` makes: complete, unnamed, seen by
/// nobody. The lifecycle lock is held shared.
pub fn open_or_create<F: Files>(
    files: &F,
    mut create: impl FnMut() -> Result<F::File, F::Error>,
) -> Result<F::File, F::Error> {
    loop {
        if let Some(file) = open(files)? {
            return Ok(file);
        }
        let file = create()?;
        // Locked before it is named: a remover must not get in between.
        if files.lock_shared(&file)? {
            pass(Mark::SegmentComplete);
            if files.link(&file)? {
                pass(Mark::SegmentNamed);
                return Ok(file);
            }
        }
        drop(file);
        files.pause()?;
    }
}

/// Removes the segment if nobody uses it and `may_go` agrees, asked while nobody can open it.
///
/// A retired segment is removed without asking.
pub fn remove<F: Files>(
    files: &F,
    may_go: impl FnOnce(&F::File) -> Result<bool, F::Error>,
) -> Result<Removal, F::Error> {
    let Some(file) = files.open()? else { return Ok(Removal::Absent) };
    if !files.lock_exclusive(&file)? {
        return Ok(Removal::InUse);
    }
    pass(Mark::RemovalLocked);
    if !files.linked(&file)? {
        return Ok(Removal::Absent);
    }
    if !files.retired(&file)? {
        if !may_go(&file)? {
            return Ok(Removal::Kept);
        }
        files.retire(&file)?;
    }
    pass(Mark::RemovalRetired);
    files.unlink(&file)?;
    pass(Mark::RemovalUnlinked);
    Ok(Removal::Removed)
}
