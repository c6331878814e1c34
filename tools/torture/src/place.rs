//! Where a round's channel is.

use anyhow::{Context, Result};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The domain of every round's channel.
pub(crate) const DOMAIN: &str = "torture";
/// The name of every round's channel.
pub(crate) const CHANNEL: &str = "flow";

/// A directory on tmpfs, gone with the value unless it is kept.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    /// A fresh one, in which every user may make files.
    pub(crate) fn new(round: u64) -> Result<Self> {
        let prefix = format!("strait-torture-{round}-");
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in("/dev/shm");
        let directory = directory.context("a directory in /dev/shm")?;
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o1777))?;
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What is in it.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        std::fs::read_dir(self.path())?.map(|entry| Ok(entry?.path())).collect()
    }

    /// The file of a user's channel.
    pub(crate) fn file(&self, user: u32) -> PathBuf {
        self.path().join(format!("strait-{user}-{DOMAIN}+{CHANNEL}"))
    }

    /// Leaves it where it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.0.keep()
    }
}
