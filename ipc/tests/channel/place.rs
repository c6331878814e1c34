//! A directory for one test's channels.

use super::SLICE;
use super::actor::Watchdog;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use strait_ipc::channel::{Spsc, Wait};
use strait_ipc::segment::{Directory, SegmentName};

const DOMAIN: &str = "test";

/// A directory on tmpfs that vanishes with the test.
///
/// Tests that have one run one after another. A child process has all descriptors of its parent from
/// its creation until its `exec`, and with them the lock of whatever another test is just opening:
/// for that moment a segment would seem to be in use that is not.
pub struct Place {
    directory: Directory,
    /// `None` in a child process, which borrows its parent's place.
    _keep: Option<(tempfile::TempDir, Watchdog, MutexGuard<'static, ()>)>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Place {
    pub fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = tempfile::Builder::new().prefix("strait-test-").tempdir_in("/dev/shm").unwrap();
        let directory = Directory::from(keep.path());
        Self { directory, _keep: Some((keep, Watchdog::new(), alone)) }
    }

    pub fn at(path: &str) -> Self {
        Self { directory: Directory::from(path), _keep: None }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The channel `name`, polled in a way that leaves the peer a processor.
    pub fn spsc<T>(&self, name: &str) -> Spsc<T> {
        Spsc::named(self.directory.clone(), DOMAIN, name).wait(Wait::Yield).slice(SLICE)
    }

    /// The file of the channel `name`.
    pub fn file(&self, name: &str) -> PathBuf {
        SegmentName::new(DOMAIN, name).unwrap().path(&self.directory)
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[track_caller]
    pub fn assert_empty(&self) {
        assert_eq!(self.files(), Vec::<PathBuf>::new(), "left behind");
    }
}
