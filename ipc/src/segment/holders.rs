//! Who holds which endpoint: the kernel knows it of processes, and a list of threads.

use super::layout::endpoint_byte;
use crate::system::{file, lock};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The locks on a segment's endpoints.
#[derive(Debug)]
pub(crate) enum Holders {
    /// Of a file: the kernel's. Asked through a description of its own, which is never locked itself.
    Processes(File),
    /// Of memory that one process has: it ends with all its endpoints, so nobody ever finds one whose
    /// holder is gone.
    Threads(Held),
}

/// Whether each endpoint is held.
pub(crate) type Held = Arc<Mutex<Vec<bool>>>;

/// What holds one endpoint, once it is locked.
#[derive(Debug)]
pub(crate) enum Hold {
    /// A description that is used for nothing else.
    Process(File),
    /// A place in the list.
    Thread(Held),
}

impl Holders {
    /// Of `count` endpoints, which no other process ever sees, and of the [turn](super::Segment::turn)
    /// behind them.
    pub(super) fn threads(count: u32) -> Self {
        Self::Threads(Arc::new(Mutex::new(vec![false; count as usize + 1])))
    }

    /// Whether somebody holds the endpoint.
    pub(crate) fn is_held(&self, slot: u32) -> io::Result<bool> {
        match self {
            Self::Processes(probe) => lock::is_held(probe, endpoint_byte(slot)),
            Self::Threads(held) => {
                let held = held.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(held.get(slot as usize).copied().unwrap_or(false))
            }
        }
    }

    /// Something to hold an endpoint by.
    pub(crate) fn hold(&self) -> io::Result<Hold> {
        Ok(match self {
            Self::Processes(probe) => Hold::Process(file::reopen(probe)?),
            Self::Threads(held) => Hold::Thread(Arc::clone(held)),
        })
    }
}

impl Hold {
    /// Takes the endpoint if nobody holds it.
    pub(crate) fn try_lock(&self, slot: u32) -> io::Result<bool> {
        match self {
            Self::Process(own) => lock::try_lock(own, endpoint_byte(slot), lock::Mode::Exclusive),
            Self::Thread(held) => {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                let entry = held.get_mut(slot as usize).filter(|held| !**held);
                Ok(entry.map(|held| *held = true).is_some())
            }
        }
    }
}

impl Hold {
    /// Gives the endpoint back; the next to take it sees what was done meanwhile.
    pub(crate) fn unlock(&self, slot: u32) -> io::Result<()> {
        match self {
            Self::Process(own) => lock::unlock(own, endpoint_byte(slot)),
            Self::Thread(held) => {
                release(held, slot);
                Ok(())
            }
        }
    }
}

/// Gives an endpoint back.
pub(crate) fn release(held: &Held, slot: u32) {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(held) = held.get_mut(slot as usize) {
        *held = false;
    }
}
