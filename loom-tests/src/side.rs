//! One side of a channel, without the kernel: its slot, and its lock.

use loom::sync::atomic::AtomicBool;
use strait_ipc::endpoint::slot::State;
use strait_ipc::endpoint::{Predecessor, Role};
use strait_ipc::segment::layout::EndpointSlot;
use strait_pools::marks::{Mark, model::die_at, pass};
use strait_pools::sync::Ordering::{AcqRel, Relaxed};

/// The kernel's lock on one byte of a file. The kernel guards its locks by a lock of its own: each
/// call sees what was done before the calls before it, also one that only looks.
#[derive(Debug, Default)]
struct Lock(AtomicBool);

impl Lock {
    fn try_lock(&self) -> bool {
        !self.0.swap(true, AcqRel)
    }

    fn unlock(&self) {
        self.0.swap(false, AcqRel);
    }

    fn is_held(&self) -> bool {
        self.0.fetch_or(false, AcqRel)
    }
}

/// One side of a channel: what `Endpoint` and `PeerView` do with it, in their order.
#[derive(Debug, Default)]
pub struct Side {
    /// The words in the segment.
    pub slot: EndpointSlot,
    lock: Lock,
}

impl Side {
    /// Takes the side, which nobody has: as `Endpoint::attach`.
    ///
    /// # Panics
    ///
    /// If somebody has it.
    pub fn attach(&self) -> (Predecessor, u64) {
        assert!(self.lock.try_lock(), "two have the side");
        pass(Mark::EndpointLocked);
        self.slot.sign(Role::Producer)
    }

    /// Gives it back in good order: as dropping an `Endpoint`.
    pub fn leave(&self) {
        self.slot.close();
        self.release();
    }

    /// The kernel's part in leaving, and in dying.
    pub fn release(&self) {
        self.lock.unlock();
    }

    /// The holder does `work`, with which it does not come to an end: it dies at `mark`, and the
    /// kernel releases its lock.
    ///
    /// # Panics
    ///
    /// If it never passes `mark`.
    pub fn die_at(&self, mark: Mark, work: impl FnOnce()) {
        assert!(die_at(mark, 0, work).is_none(), "the holder never passed {mark:?}");
        self.release();
    }

    /// Takes the side, and dies with it.
    pub fn attach_and_die(&self) -> (Predecessor, u64) {
        let told = self.attach();
        self.release();
        told
    }

    /// Finds out how the holder is, and says so if it is dead: as `PeerView::probe`.
    pub fn probe(&self) -> State {
        self.slot.probe(|| self.lock.is_held())
    }

    /// When the last one closed or was noticed to be dead.
    pub fn ended(&self) -> u64 {
        self.slot.ended_unix_ns.load(Relaxed)
    }
}
