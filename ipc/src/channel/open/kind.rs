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

/// Several senders with a ring each, and one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lanes {
    pub(super) senders: Option<u32>,
}

/// Lanes of a channel that was not given a number.
const DEFAULT_LANES: u32 = 16;

impl Lanes {
    pub(super) fn lanes(self) -> u32 {
        self.senders.unwrap_or(DEFAULT_LANES)
    }
}

impl Kind for Lanes {
    fn discipline(&self) -> Discipline {
        Discipline::Lanes { senders: self.lanes() }
    }

    fn accepts(&self, found: Discipline) -> bool {
        match found {
            Discipline::Lanes { senders } => self.senders.is_none_or(|asked| asked == senders),
            _ => false,
        }
    }
}

/// Several senders and several receivers; each message goes to one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mpmc {
    pub(super) senders: Option<u32>,
    pub(super) receivers: Option<u32>,
    pub(super) at_most_once: bool,
}

/// Sides of each kind of a channel that was not given a number.
const DEFAULT_SIDES: u32 = 16;

impl Kind for Mpmc {
    fn discipline(&self) -> Discipline {
        Discipline::Mpmc {
            senders: self.senders.unwrap_or(DEFAULT_SIDES),
            receivers: self.receivers.unwrap_or(DEFAULT_SIDES),
        }
    }

    fn accepts(&self, found: Discipline) -> bool {
        let agrees = |asked: Option<u32>, found| asked.is_none_or(|asked| asked == found);
        match found {
            Discipline::Mpmc { senders, receivers } => {
                agrees(self.senders, senders) && agrees(self.receivers, receivers)
            }
            _ => false,
        }
    }
}

/// One sender, and all messages to all receivers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Broadcast {
    /// Receivers with an endpoint, at most, if that was said.
    pub(super) readers: Option<u32>,
}

/// Receivers with an endpoint that a channel has places for, if nothing was said.
const DEFAULT_READERS: u32 = 16;

impl Kind for Broadcast {
    fn discipline(&self) -> Discipline {
        Discipline::Broadcast { readers: self.readers.unwrap_or(DEFAULT_READERS) }
    }

    fn accepts(&self, found: Discipline) -> bool {
        match found {
            Discipline::Broadcast { readers } => self.readers.is_none_or(|asked| asked == readers),
            _ => false,
        }
    }
}

/// One writer, and the latest value of each key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latest;

impl Kind for Latest {
    fn discipline(&self) -> Discipline {
        Discipline::Latest
    }
}
