//! Channels in a test's directory.

use super::{Place, SLICE};
use std::path::PathBuf;
use strait_ipc::channel::{Lanes, Mpmc, Spsc, Wait};
use strait_ipc::segment::SegmentName;

const DOMAIN: &str = "test";

impl Place {
    /// The channel `name`, polled in a way that leaves the peer a processor.
    pub fn spsc<T>(&self, name: &str) -> Spsc<T> {
        Spsc::named(self.directory.clone(), DOMAIN, name).wait(Wait::Yield).slice(SLICE)
    }

    /// As `spsc`, of many senders.
    pub fn lanes<T>(&self, name: &str) -> Lanes<T> {
        Lanes::named(self.directory.clone(), DOMAIN, name).wait(Wait::Yield).slice(SLICE)
    }

    /// The same for a channel with several senders and receivers.
    pub fn mpmc<T>(&self, name: &str) -> Mpmc<T> {
        Mpmc::named(self.directory.clone(), DOMAIN, name).wait(Wait::Yield).slice(SLICE)
    }

    /// The file of the channel `name`.
    pub fn file(&self, name: &str) -> PathBuf {
        SegmentName::new(DOMAIN, name).unwrap().path(&self.directory)
    }
}
