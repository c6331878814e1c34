//! What a side does until the other has moved.
//!
//! A wait is a series of bursts of polls. Between bursts it looks around: has the peer closed (one
//! load), has the time run out, and, once per slice, does the peer's process still exist (a system
//! call). The first burst costs nothing but the polls, so a message that is nearly there is not
//! delayed by bookkeeping.

use super::link::Link;
use std::time::Duration;
use strait_pools::environment::{Clock, Monotonic, Peer};
use strait_pools::sync::{spin_loop, yield_now};

/// How a side waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// Poll without pause: lowest latency, and a core to itself.
    #[default]
    Spin,
    /// Poll with the processor's pause instruction in between: kinder to a sibling hardware thread,
    /// later by up to one pause (10 to 50 ns on present machines).
    Pause,
    /// Give the core away between polls, for more processes than cores.
    Yield,
}

impl Wait {
    /// Polls between two looks around.
    fn burst(self) -> u32 {
        match self {
            Wait::Spin => 2048,
            Wait::Pause => 256,
            Wait::Yield => 16,
        }
    }

    /// Polls made where the caller stands, before [`wait_until`] is entered: a message that is about
    /// to arrive finds its receiver in the shortest of loops.
    #[inline(always)]
    pub(super) fn eager_polls(self) -> u32 {
        match self {
            Wait::Spin => 2048,
            Wait::Pause | Wait::Yield => 1,
        }
    }

    #[inline(always)]
    fn breathe(self) {
        match self {
            Wait::Spin => {}
            Wait::Pause => spin_loop(),
            Wait::Yield => yield_now(),
        }
    }
}

/// Why a wait ended without result.
#[derive(Debug)]
pub(super) enum Stopped<E> {
    /// The poll itself failed.
    Failed(E),
    /// The time ran out.
    Timeout,
    /// The peer closed.
    Closed,
    /// The peer's process ended without closing.
    Died,
}

/// Polls until there is a result, the peer is gone, or `timeout` has passed.
///
/// After the peer is seen gone there is one last poll: what it published before counts.
pub(super) fn wait_until<R, E>(
    link: &Link,
    timeout: Option<Duration>,
    mut poll: impl FnMut() -> Result<Option<R>, E>,
) -> Result<R, Stopped<E>> {
    let mut started = None;
    let mut probed = Duration::ZERO;
    loop {
        for _ in 0..link.wait.burst() {
            if let Some(result) = poll().map_err(Stopped::Failed)? {
                return Ok(result);
            }
            link.wait.breathe();
        }

        let now = Monotonic.now();
        let since = *started.get_or_insert(now);
        let waited = now.saturating_sub(since);
        let mut peer = link.glance();
        if peer == Peer::Alive && waited.saturating_sub(probed) >= link.slice.0 {
            probed = waited;
            peer = link.probe();
        }
        let gone = match peer {
            Peer::Closed => Stopped::Closed,
            Peer::Died => Stopped::Died,
            Peer::Absent | Peer::Alive if timeout.is_some_and(|limit| waited >= limit) => {
                Stopped::Timeout
            }
            Peer::Absent | Peer::Alive => continue,
        };
        return poll().map_err(Stopped::Failed)?.ok_or(gone);
    }
}
