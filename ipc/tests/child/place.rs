//! A directory for one test, which has the process for itself meanwhile.

use super::HANG;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use strait_ipc::segment::Directory;

/// A directory on tmpfs that vanishes with the test.
///
/// Tests that have one run one after another, and only they spawn children. A child has all
/// descriptors of its parent from its creation until its `exec`, and with them the lock of whatever
/// another test is just opening: for that moment a segment would seem to be in use that is not.
pub struct Place {
    pub directory: Directory,
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

    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[track_caller]
    pub fn assert_empty(&self) {
        assert_eq!(self.files(), Vec::<PathBuf>::new(), "left behind");
    }

    /// Replaces the directory and the user in `text`.
    pub fn redact(&self, text: &str) -> String {
        let user = rustix::process::geteuid().as_raw();
        let text = text.replace(&self.path().display().to_string(), "[dir]");
        text.replace(&format!("strait-{user}-"), "strait-[uid]-")
    }
}

/// Ends the process if it is not dropped in time: for calls that might wait for ever.
struct Watchdog {
    _dropped_in_time: mpsc::Sender<()>,
}

impl Watchdog {
    fn new() -> Self {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let (alive, bell) = mpsc::channel();
        std::thread::spawn(move || {
            // A test may do much, of which nothing hangs.
            if bell.recv_timeout(4 * HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{test} hangs");
                std::process::abort();
            }
        });
        Self { _dropped_in_time: alive }
    }
}
