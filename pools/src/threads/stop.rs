//! The wish that a thread should end.

use crate::sync::Ordering::{Acquire, Release};
use crate::sync::{AtomicU32, Site};

/// Asked for once, by anybody; looked at as often as its thread likes, at the price of a load.
#[derive(Debug)]
pub struct StopFlag {
    asked: AtomicU32,
}

impl StopFlag {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self { asked: AtomicU32::new(0) }
    }

    /// Asks the thread to stop. Whoever sees that sees all that was done before it.
    pub fn ask(&self) {
        self.asked.store(1, Release.at("threads.stop"));
    }

    /// Whether somebody asked.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Acquire.at("threads.should_stop")) != 0
    }
}

impl Default for StopFlag {
    fn default() -> Self {
        Self::new()
    }
}
