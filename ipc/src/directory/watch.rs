//! Waiting for changes of a directory.

use super::entry::Owner;
use super::{Directory, DirectoryError, Inner};
use std::time::{Duration, Instant};
use strait_pools::environment::WaitSlice;

/// Tells that offers have come or gone.
///
/// Death wakes nobody: once in a slice (10 ms) a watcher that waits asks after all who offer something, and
/// withdraws what the dead offered, which is a change like any other.
#[derive(Debug)]
pub struct Watch {
    directory: Directory,
    /// The changes seen.
    seen: u64,
    /// Who lived when that was last asked, and when that was.
    living: Vec<Owner>,
    asked: Option<Instant>,
    /// Whether there may be offers of others than those.
    others: bool,
    slice: WaitSlice,
}

impl Watch {
    pub(super) fn new(directory: Directory) -> Self {
        let seen = directory.inner.map.words.changes();
        let (living, slice) = (Vec::new(), WaitSlice::default());
        Self { directory, seen, living, asked: None, others: true, slice }
    }

    /// Asks after the living once in `slice`.
    #[must_use]
    pub fn slice(self, slice: Duration) -> Self {
        Self { slice: WaitSlice(slice), ..self }
    }

    /// Whether anything has changed since this was last said. Never waits, and calls no kernel: the dead are
    /// noticed by those who do.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Forked`].
    pub fn changed(&mut self) -> Result<bool, DirectoryError> {
        let Inner { map, members, .. } = &*self.directory.inner;
        members.check()?;
        let changes = map.words.changes();
        let changed = changes != self.seen;
        self.seen = changes;
        self.others |= changed;
        Ok(changed)
    }

    /// Sleeps until something has changed since this was last said, up to `timeout` (`None`: for ever);
    /// whether it has.
    ///
    /// # Errors
    ///
    /// As for [`Directory::sweep`], but for the directory's being read-only.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, DirectoryError> {
        let started = Instant::now();
        loop {
            if self.changed()? {
                return Ok(true);
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            let WaitSlice(slice) = self.slice;
            if self.asked.is_none_or(|asked| asked.elapsed() >= slice) {
                self.ask()?;
                continue;
            }
            self.sleep(left.map_or(slice, |left| left.min(slice)));
        }
    }

    fn sleep(&self, time: Duration) {
        let Inner { map, members, .. } = &*self.directory.inner;
        if members.may_write() {
            let look = || (map.words.changes() != self.seen).then_some(());
            map.words.head.crowd.sleep_unless(Some(time), look);
        } else {
            std::thread::sleep(time.min(Duration::from_millis(1)));
        }
    }

    /// Asks after all members, and withdraws what those offered that do not live: if one is gone, or was
    /// perhaps never seen alive.
    fn ask(&mut self) -> Result<(), DirectoryError> {
        let members = &self.directory.inner.members;
        let living = members.living();
        let gone = self.living.iter().any(|owner| !living.contains(owner));
        if (self.others || gone) && members.may_write() {
            self.directory.sweep()?;
        }
        (self.living, self.others, self.asked) = (living, false, Some(Instant::now()));
        Ok(())
    }
}
