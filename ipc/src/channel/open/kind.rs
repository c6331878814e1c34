//! What may be chosen for channels of one discipline.

use crate::ring::geometry::Discipline;
use std::fmt::Debug;

/// A discipline, with what may be chosen for its channels.
pub trait Kind: Clone + Debug + Default {
    /// The sides of a channel that is to be made.
    fn discipline(&self) -> Discipline;

    /// Whether the channel that was found is what was asked for.
    fn accepts(&self, found: Discipline) -> bool {
        found == self.discipline()
    }
}

/// One sender and one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spsc;

impl Kind for Spsc {
    fn discipline(&self) -> Discipline {
        Discipline::Spsc
    }
}
