//! The words of an endpoint's slot: who has the side, and whether it was left in good order.
//!
//! The kernel's lock decides who may write them; see [`Endpoint`](super::Endpoint).

use super::{Holder, Predecessor, Role};
use crate::segment::kernel::program_text;
use crate::segment::layout::{
    ENDPOINT_ACTIVE, ENDPOINT_ATTACHING, ENDPOINT_CLOSED, ENDPOINT_FREE, EndpointSlot,
    MAX_PROGRAM_BYTES,
};
use crate::system::process;
use strait_pools::environment::Peer;
use strait_pools::sync::{
    Ordering::{Acquire, Relaxed, Release},
    Site,
};

impl EndpointSlot {
    /// Reads what the predecessor left, and writes the new holder's entry. The lock is held.
    ///
    /// Returns who had the side before, and how many times it was taken, this time included.
    pub fn sign(&self, role: Role) -> (Predecessor, u64) {
        let predecessor = match self.state() {
            ENDPOINT_FREE => Predecessor::None,
            ENDPOINT_CLOSED => Predecessor::Closed,
            _ => Predecessor::Died { pid: self.pid.load(Relaxed) },
        };
        let epoch = self.epoch.load(Relaxed).wrapping_add(1);
        let mut program = [0; MAX_PROGRAM_BYTES];
        let name = process::program_name();
        for (place, byte) in program.iter_mut().zip(fitting(&name, MAX_PROGRAM_BYTES).bytes()) {
            *place = byte;
        }

        self.state.store(ENDPOINT_ATTACHING, Relaxed);
        self.role.store(role as u32, Relaxed);
        self.epoch.store(epoch, Relaxed);
        self.pid.store(std::process::id(), Relaxed);
        self.attached_unix_ns.store(process::unix_nanoseconds(), Relaxed);
        let (words, _) = program.as_chunks();
        for (word, bytes) in self.program.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        // Whoever sees ACTIVE sees the entry (`endpoint.state`).
        self.state.store(ENDPOINT_ACTIVE, Release.at("endpoint.attach"));
        (predecessor, epoch)
    }

    /// Says that the side was left in good order. The lock is still held.
    pub fn close(&self) {
        // Whoever sees CLOSED sees all that this side did (`endpoint.state`).
        self.state.store(ENDPOINT_CLOSED, Release.at("endpoint.close"));
    }

    /// What memory says about the holder: one that died still looks alive.
    ///
    /// After [`Peer::Closed`], everything the holder published can be seen.
    pub fn standing(&self) -> Peer {
        match self.state() {
            ENDPOINT_FREE => Peer::Absent,
            ENDPOINT_CLOSED => Peer::Closed,
            // ATTACHING, too: somebody has the lock, or had it and died.
            _ => Peer::Alive,
        }
    }

    /// Who has the side, or had it last; `None` before the first and while one is signing.
    pub fn complete(&self) -> Option<Holder> {
        let state = self.state();
        (state != ENDPOINT_FREE && state != ENDPOINT_ATTACHING).then(|| self.holder())
    }

    /// Whether somebody has signed and not closed.
    pub(super) fn signed(&self) -> bool {
        self.state() == ENDPOINT_ACTIVE
    }

    /// The entry as it is, complete or not.
    pub(super) fn holder(&self) -> Holder {
        let mut program = [0; MAX_PROGRAM_BYTES];
        let (bytes, _) = program.as_chunks_mut();
        for (bytes, word) in bytes.iter_mut().zip(&self.program) {
            *bytes = word.load(Relaxed).to_le_bytes();
        }
        Holder {
            pid: self.pid.load(Relaxed),
            program: program_text(&program),
            since_unix_ns: self.attached_unix_ns.load(Relaxed),
            epoch: self.epoch.load(Relaxed),
        }
    }

    /// The state, and with it all that was done before it was stored.
    fn state(&self) -> u32 {
        // Pairs with `endpoint.attach`: the entry; and with `endpoint.close`: the ring.
        self.state.load(Acquire.at("endpoint.state"))
    }
}

/// As many whole characters of `text` as fit in `bytes` bytes.
fn fitting(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
