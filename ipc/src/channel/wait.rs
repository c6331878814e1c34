//! What a side does until the other has moved.
//!
//! A wait is a series of bursts of polls. Between bursts it looks around: has the peer closed (one
//! load), has the time run out, and, once per slice, does the peer's process still exist (a system
//! call). The first burst costs nothing but the polls, so a message that is nearly there is not
//! delayed by bookkeeping.

use std::time::Duration;
use strait_pools::environment::{Clock, Liveness, Peer, WaitSlice};
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

    /// Polls made where the caller stands, before the wait proper begins: a message that is about
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
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopped<E, G> {
    /// The poll itself failed.
    Failed(E),
    /// The time ran out.
    Timeout,
    /// The peer is gone.
    Gone(G),
}

/// How one side waits for the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) wait: Wait,
    /// How often to ask the kernel whether the peer's process still exists.
    pub(super) slice: WaitSlice,
    /// How long to wait at most.
    pub(super) timeout: Option<Duration>,
}

impl Patience {
    /// Polls until there is a result, the peer is gone, or the time is up.
    ///
    /// When the peer seems gone, `gone` says who; `None` if a successor is there by now. After that
    /// there is one last poll: what the one that is gone published before counts.
    pub(super) fn poll_until<R, E, G>(
        self,
        peer: &impl Liveness,
        clock: &impl Clock,
        gone: impl Fn() -> Option<G>,
        mut poll: impl FnMut() -> Result<Option<R>, E>,
    ) -> Result<R, Stopped<E, G>> {
        let mut started = None;
        let mut probed = Duration::ZERO;
        loop {
            for _ in 0..self.wait.burst() {
                if let Some(result) = poll().map_err(Stopped::Failed)? {
                    return Ok(result);
                }
                self.wait.breathe();
            }

            let now = clock.now();
            let waited = now.saturating_sub(*started.get_or_insert(now));
            let mut standing = peer.glance();
            if standing == Peer::Alive && waited.saturating_sub(probed) >= self.slice.0 {
                probed = waited;
                standing = peer.probe();
            }
            let ended = matches!(standing, Peer::Closed | Peer::Died).then(&gone).flatten();
            let stopped = match ended {
                Some(who) => Stopped::Gone(who),
                None if self.timeout.is_some_and(|limit| waited >= limit) => Stopped::Timeout,
                None => continue,
            };
            return poll().map_err(Stopped::Failed)?.ok_or(stopped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::convert::Infallible;
    use strait_pools::environment::AlwaysAlive;

    /// A clock that advances by a millisecond each time it is read.
    #[derive(Default)]
    struct Ticking(Cell<u64>);

    impl Clock for Ticking {
        fn now(&self) -> Duration {
            self.0.set(self.0.get() + 1);
            Duration::from_millis(self.0.get())
        }
    }

    /// A peer that stands as told, and counts how often the kernel is asked.
    struct Standing {
        glance: Peer,
        probe: Peer,
        probes: Cell<u64>,
    }

    impl Standing {
        fn new(glance: Peer, probe: Peer) -> Self {
            Self { glance, probe, probes: Cell::new(0) }
        }
    }

    impl Liveness for Standing {
        fn glance(&self) -> Peer {
            self.glance
        }
        fn probe(&self) -> Peer {
            self.probes.set(self.probes.get() + 1);
            self.probe
        }
    }

    fn patience(timeout_ms: u64) -> Patience {
        Patience {
            wait: Wait::Pause,
            slice: WaitSlice::default(),
            timeout: Some(Duration::from_millis(timeout_ms)),
        }
    }

    /// How a wait of 100 ms ends beside such a peer.
    fn wait_for<R, E>(
        peer: &Standing,
        clock: &Ticking,
        poll: impl FnMut() -> Result<Option<R>, E>,
    ) -> Result<R, Stopped<E, Peer>> {
        let gone = || Some(if peer.probes.get() > 0 { peer.probe } else { peer.glance });
        patience(100).poll_until(peer, clock, gone, poll)
    }

    fn nobody() -> Option<Infallible> {
        None
    }

    fn nothing() -> Result<Option<()>, Infallible> {
        Ok(None)
    }

    #[test]
    fn time_runs_out() {
        let stopped = patience(5).poll_until(&AlwaysAlive, &Ticking::default(), nobody, nothing);
        assert_eq!(stopped, Err(Stopped::Timeout));
    }

    #[test]
    fn a_result_at_once_reads_no_clock() {
        let clock = Ticking::default();
        let poll = || Ok::<_, Infallible>(Some(7));
        let result = patience(5).poll_until(&AlwaysAlive, &clock, nobody, poll);
        assert_eq!((result, clock.0.get()), (Ok(7), 0));
    }

    #[test]
    fn the_kernel_is_asked_once_a_slice() {
        let peer = Standing::new(Peer::Alive, Peer::Alive);
        let stopped = wait_for(&peer, &Ticking::default(), nothing);
        assert_eq!((stopped, peer.probes.get()), (Err(Stopped::Timeout), 10));
    }

    #[test]
    fn the_kernel_is_not_asked_about_a_peer_that_never_came_or_is_gone() {
        for (glance, stopped) in [
            (Peer::Absent, Stopped::Timeout),
            (Peer::Closed, Stopped::Gone(Peer::Closed)),
            (Peer::Died, Stopped::Gone(Peer::Died)),
        ] {
            let peer = Standing::new(glance, Peer::Alive);
            let result = wait_for(&peer, &Ticking::default(), nothing);
            assert_eq!((result, peer.probes.get()), (Err(stopped), 0));
        }
    }

    #[test]
    fn a_death_is_noticed_within_a_slice() {
        let (peer, clock) = (Standing::new(Peer::Alive, Peer::Died), Ticking::default());
        let stopped = wait_for(&peer, &clock, nothing);
        assert_eq!((stopped, clock.0.get()), (Err(Stopped::Gone(Peer::Died)), 11));
    }

    #[test]
    fn a_successor_is_waited_for() {
        let (peer, clock) = (Standing::new(Peer::Closed, Peer::Closed), Ticking::default());
        let asked = Cell::new(0);
        // By the third look, the successor has gone as well.
        let gone = || {
            asked.set(asked.get() + 1);
            (asked.get() == 3).then_some("the successor")
        };
        let stopped = patience(100).poll_until(&peer, &clock, gone, nothing);
        assert_eq!((stopped, asked.get()), (Err(Stopped::Gone("the successor")), 3));
        // The time runs out all the same.
        let stopped = patience(5).poll_until(&peer, &Ticking::default(), nobody, nothing);
        assert_eq!(stopped, Err(Stopped::Timeout));
    }

    #[test]
    fn what_was_published_before_the_end_counts() {
        for glance in [Peer::Closed, Peer::Alive] {
            let peer = Standing::new(glance, Peer::Died);
            let (clock, asked) = (Ticking::default(), Cell::new(false));
            // There is nothing before it is known who is gone; the last poll finds what came until
            // then.
            let gone = || {
                asked.set(true);
                Some(())
            };
            let poll = || Ok::<_, Infallible>(asked.get().then_some(7));
            assert_eq!(patience(100).poll_until(&peer, &clock, gone, poll), Ok(7));
        }
    }

    #[test]
    fn a_failure_ends_the_wait() {
        let peer = Standing::new(Peer::Alive, Peer::Alive);
        let failed = wait_for(&peer, &Ticking::default(), || Err::<Option<()>, _>(3));
        assert_eq!(failed, Err(Stopped::Failed(3)));
    }
}
