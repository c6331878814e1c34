//! What was replaced, and may still be read.

use super::readers::{earliest, end_epoch};
use crate::sync::yield_now;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// How often whoever drops a [`Retired`] lets others go first, so that they may leave.
const PATIENCE: u32 = 1000;

/// Values that were replaced, until nobody reads them.
///
/// Dropped, it lets readers leave for a while. Values that are still read after that are forgotten:
/// their memory is lost, and they are not dropped.
#[derive(Default)]
pub struct Retired {
    fresh: Vec<Old>,
    /// Each with the epoch that ended after it was replaced, in order.
    waiting: VecDeque<(u64, Old)>,
}

/// Values that nobody reads any more, dropped with this; apart from [`Retired`], so that no lock need
/// be held while they are.
#[must_use]
#[derive(Default)]
pub struct Unreachable(Vec<Old>);

/// One owner of a value, whatever it is.
type Old = Arc<dyn Send + Sync>;

impl Retired {
    /// Nothing was replaced yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whoever can still read the value began before.
    pub(super) fn keep(&mut self, old: Old) {
        self.fresh.push(old);
    }

    /// Takes out what nobody can read any more: all of it, unless somebody is reading just now.
    pub fn collect(&mut self) -> Unreachable {
        let mut unreachable = Unreachable::default();
        if !self.fresh.is_empty() {
            let epoch = end_epoch();
            if self.waiting.is_empty() && epoch < earliest() {
                // The next change replaces about as much: one allocation instead of several.
                let next = Vec::with_capacity(self.fresh.len());
                return Unreachable(std::mem::replace(&mut self.fresh, next));
            }
            self.waiting.extend(self.fresh.drain(..).map(|old| (epoch, old)));
        }
        if !self.waiting.is_empty() {
            let earliest = earliest();
            let free = self.waiting.partition_point(|(epoch, _)| *epoch < earliest);
            unreachable.0.extend(self.waiting.drain(..free).map(|(_, old)| old));
        }
        unreachable
    }

    /// How many values were replaced and not collected.
    pub fn len(&self) -> usize {
        self.fresh.len() + self.waiting.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        for _ in 0..PATIENCE {
            drop(self.collect());
            if self.is_empty() {
                return;
            }
            yield_now();
        }
        // Somebody reads for very long. They may read these, too.
        std::mem::take(&mut self.waiting).into_iter().for_each(|(_, old)| std::mem::forget(old));
    }
}

impl fmt::Debug for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retired").field("len", &self.len()).finish()
    }
}

impl fmt::Debug for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreachable").field("len", &self.0.len()).finish()
    }
}
