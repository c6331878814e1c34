//! What an algorithm may ask of the world around it.
//!
//! A ring must not know how liveness is found out (a kernel lock in a segment, nothing at all on the
//! heap, a flag in a model), which clock is read, or how long a wait lasts before it looks around.
//! These are those questions.

use std::time::Duration;

/// What is known about the process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Nobody has attached in this role yet.
    Absent,
    /// Attached, and its process exists. A paused process is alive.
    Alive,
    /// Left in good order.
    Closed,
    /// Its process ended without closing.
    Died,
}

/// Tells whether the peer can still act.
///
/// [`glance`](Liveness::glance) reads memory only; [`probe`](Liveness::probe) may enter the kernel,
/// and is the only one that can tell [`Peer::Died`] from [`Peer::Alive`].
pub trait Liveness {
    /// What shared memory says, without a system call: a dead peer still looks alive.
    fn glance(&self) -> Peer;
    /// The truth, at the price of a system call when memory says "alive".
    fn probe(&self) -> Peer;
}

/// A monotonic clock.
pub trait Clock {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;
}

/// How long a wait lasts before it stops to probe the peer: death wakes nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitSlice(pub Duration);

impl Default for WaitSlice {
    /// 10 ms: a dead peer is noticed within that time, at the price of 100 probes a second.
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

/// The system's monotonic clock (read without entering the kernel where the vDSO serves it).
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

/// The core that this thread is on at the moment. Asks a page of the kernel's, not the kernel. In models
/// there is one.
pub fn current_core() -> u32 {
    if cfg!(loom) {
        return 0;
    }
    u32::try_from(rustix::thread::sched_getcpu()).unwrap_or(u32::MAX)
}

/// A peer that is always there: both ends live in this process and die with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysAlive;

impl Liveness for AlwaysAlive {
    fn glance(&self) -> Peer {
        Peer::Alive
    }
    fn probe(&self) -> Peer {
        Peer::Alive
    }
}
