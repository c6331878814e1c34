//! The words of an endpoint's slot: who has the side, and how the last holder left it.
//!
//! ```text
//!            sign                  sign                close
//! (e, any) ────────► (e+1, ATTACHING) ────► (e+1, ACTIVE) ────► (e+1, CLOSED)
//!                           │  bury              │  bury
//!                           └──────────┬─────────┘
//!                                      ▼
//!                                 (e+1, DEAD)
//! ```
//!
//! The kernel's lock decides who may [`sign`](EndpointSlot::sign) and [`close`](EndpointSlot::close);
//! see [`Endpoint`](super::Endpoint). Anybody may [`bury`](EndpointSlot::bury) a holder whose lock is
//! gone: by compare-and-swap from the exact state that the dead one left, epoch included. So any
//! number may do it at a time, each may die in the middle, and one that slept through the succession
//! cannot bury the successor. It takes no lock: a stopped one is in nobody's way.

use super::{Holder, Predecessor, Role};
use crate::segment::kernel::program_text;
use crate::segment::layout::{
    ENDPOINT_ACTIVE, ENDPOINT_ATTACHING, ENDPOINT_CLOSED, ENDPOINT_DEAD, ENDPOINT_FREE,
    EndpointSlot, MAX_PROGRAM_BYTES,
};
use crate::system::process;
use strait_pools::environment::Peer;
use strait_pools::marks::{Mark, pass};
use strait_pools::sync::{
    Ordering::{Acquire, Relaxed, Release},
    Site, fence,
};

/// The state of an endpoint as it was loaded: how it stands, and which holder that is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(u64);

impl State {
    fn new(epoch: u64, status: u64) -> Self {
        Self(epoch << 8 | status)
    }

    /// How many times somebody had attached.
    pub fn epoch(self) -> u64 {
        self.0 >> 8
    }

    /// One of the `ENDPOINT_*`.
    pub fn status(self) -> u64 {
        self.0 & 0xff
    }

    /// What it says about the holder: one whose death nobody has noticed looks alive.
    pub fn standing(self) -> Peer {
        match self.status() {
            ENDPOINT_FREE => Peer::Absent,
            ENDPOINT_CLOSED => Peer::Closed,
            ENDPOINT_DEAD => Peer::Died,
            // ATTACHING, too: somebody has the lock, or had it and died.
            _ => Peer::Alive,
        }
    }
}

impl EndpointSlot {
    /// Reads what the predecessor left, and writes the new holder's entry. The lock is held.
    ///
    /// Returns who had the side before, and how many times it was taken, this time included.
    pub fn sign(&self, role: Role) -> (Predecessor, u64) {
        let found = self.state();
        if found.standing() == Peer::Alive {
            self.bury(found);
        }
        let predecessor = match found.status() {
            ENDPOINT_FREE => Predecessor::None,
            ENDPOINT_CLOSED => Predecessor::Closed,
            _ => Predecessor::Died { pid: self.pid.load(Relaxed) },
        };
        // 2^56 attachments: more than a machine's life has nanoseconds for.
        let epoch = found.epoch() + 1;
        let mut program = [0; MAX_PROGRAM_BYTES];
        let name = process::program_name();
        for (place, byte) in program.iter_mut().zip(fitting(&name, MAX_PROGRAM_BYTES).bytes()) {
            *place = byte;
        }

        self.state.store(State::new(epoch, ENDPOINT_ATTACHING).0, Relaxed);
        // Pairs with `endpoint.reread`: nobody takes what follows for the predecessor's.
        fence(Release, "endpoint.rewrite");
        self.role.store(role as u32, Relaxed);
        self.pid.store(std::process::id(), Relaxed);
        pass(Mark::EndpointSigning);
        self.attached_unix_ns.store(process::unix_nanoseconds(), Relaxed);
        let (words, _) = program.as_chunks();
        for (word, bytes) in self.program.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        // Whoever sees ACTIVE sees the entry (`endpoint.state`).
        let active = State::new(epoch, ENDPOINT_ACTIVE);
        self.state.store(active.0, Release.at("endpoint.attach"));
        pass(Mark::EndpointSigned);
        (predecessor, epoch)
    }

    /// Says that the side was left in good order. The lock is still held.
    pub fn close(&self) {
        let epoch = State(self.state.load(Relaxed)).epoch();
        let moment = moment_of_end(epoch, self.ended_unix_ns.load(Relaxed));
        // Whoever loads the moment sees whose it is (`endpoint.ended`).
        self.ended_unix_ns.store(moment, Release.at("endpoint.closing"));
        pass(Mark::EndpointClosing);
        // Whoever sees CLOSED sees all that this side did (`endpoint.state`).
        let closed = State::new(epoch, ENDPOINT_CLOSED);
        self.state.store(closed.0, Release.at("endpoint.close"));
        pass(Mark::EndpointClosed);
    }

    /// How the holder is: asks `held` whether the side is locked if memory says that it is alive, and
    /// buries one that is not.
    pub fn probe(&self, held: impl FnOnce() -> bool) -> State {
        // Loaded before the lock is looked at: the state of the very holder whose lock is gone.
        let seen = self.state();
        if seen.standing() != Peer::Alive || held() {
            return seen;
        }
        // Unless it had just closed, or another has attached meanwhile.
        self.bury(seen)
    }

    /// Notes that the holder died that had left the side in state `found`; returns the state after.
    ///
    /// Whoever calls this loaded `found` before seeing that the lock is free, or holds the lock. If
    /// the side has changed hands since, nothing happens.
    pub fn bury(&self, found: State) -> State {
        pass(Mark::BurialBegun);
        // Pairs with `endpoint.dated` and `endpoint.closing`: after the moment of a later holder's
        // end, a later state is loaded. So while that is `found`, `ended` is the moment of this end,
        // or of the one before.
        let ended = self.ended_unix_ns.load(Acquire.at("endpoint.ended"));
        let now = self.state();
        if now != found {
            return now;
        }
        if !is_of(ended, found.epoch()) {
            let moment = moment_of_end(found.epoch(), ended);
            // Whoever loads it sees whose it is (`endpoint.ended`).
            let (success, failure) = (Release.at("endpoint.dated"), Relaxed);
            let _ = self.ended_unix_ns.compare_exchange(ended, moment, success, failure);
        }
        pass(Mark::BurialDated);
        let dead = State::new(found.epoch(), ENDPOINT_DEAD);
        // Whoever sees DEAD sees all that the dead one did, as the burier does, who saw its lock
        // free; and the moment (`endpoint.state`).
        let (success, failure) = (Release.at("endpoint.bury"), Relaxed);
        let buried = self.state.compare_exchange(found.0, dead.0, success, failure);
        pass(Mark::BurialDone);
        if buried.is_ok() { dead } else { self.state() }
    }

    /// What memory says about the holder. One whose death nobody has noticed looks alive.
    ///
    /// After [`Peer::Closed`] and [`Peer::Died`], everything the holder published can be seen.
    pub fn standing(&self) -> Peer {
        self.state().standing()
    }

    /// Who has the side, if that is known: `None` if nobody has it, and while one is signing.
    pub fn signed(&self) -> Option<Holder> {
        let state = self.state();
        if state.status() == ENDPOINT_ACTIVE { self.holder(state) } else { None }
    }

    /// Who left the side in this state; `None` if it has changed since.
    ///
    /// Of one that died while signing, whatever it had not yet written is its predecessor's.
    pub fn holder(&self, state: State) -> Option<Holder> {
        let mut program = [0; MAX_PROGRAM_BYTES];
        let (bytes, _) = program.as_chunks_mut();
        for (bytes, word) in bytes.iter_mut().zip(&self.program) {
            *bytes = word.load(Relaxed).to_le_bytes();
        }
        let ended = matches!(state.standing(), Peer::Closed | Peer::Died);
        let holder = Holder {
            pid: self.pid.load(Relaxed),
            program: program_text(&program),
            since_unix_ns: self.attached_unix_ns.load(Relaxed),
            ended_unix_ns: ended.then(|| self.ended_unix_ns.load(Relaxed)),
            epoch: state.epoch(),
        };
        // Pairs with `endpoint.rewrite`, and with `endpoint.dated` and `endpoint.closing`: who has
        // read a word of the next entry, or the moment of its end, sees a later state.
        fence(Acquire, "endpoint.reread");
        (self.state.load(Relaxed) == state.0).then_some(holder)
    }

    /// The state, and with it all that was done before it was stored.
    pub fn state(&self) -> State {
        // Pairs with `endpoint.attach`: the entry; with `endpoint.close` and `endpoint.bury`: the
        // ring, and the moment.
        State(self.state.load(Acquire.at("endpoint.state")))
    }
}

/// The moment at which the holder of this epoch ended, in nanoseconds since 1970: now, but after
/// `before`, the moment of the end before, if clocks were set.
///
/// Its lowest bit is the epoch's. So one moment is noted of each end: who finds one knows which of
/// the two it is of.
fn moment_of_end(epoch: u64, before: u64) -> u64 {
    let moment = process::unix_nanoseconds().max(before.wrapping_add(1));
    moment.wrapping_add(u64::from(!is_of(moment, epoch)))
}

/// Whether `moment` is of the end of this epoch, and not of the one before.
fn is_of(moment: u64, epoch: u64) -> bool {
    (moment ^ epoch) & 1 == 0
}

/// As many whole characters of `text` as fit in `bytes` bytes.
fn fitting(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
