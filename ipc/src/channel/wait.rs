//! What a side does until the other has moved.
//!
//! A wait is a series of bursts of polls. Between bursts it looks around: has the peer closed (one
//! load), has the time run out, and, once per slice, does the peer's process still exist (a system
//! call). The first burst costs nothing but the polls, so a message that is nearly there is not
//! delayed by bookkeeping. A side that may sleep does so when its bursts have lasted long enough,
//! until it is woken or its slice ends.

use crate::ring::crowd::CrowdLine;
use crate::ring::layout::WaitLine;
use crossbeam_utils::Backoff;
use std::time::Duration;
use strait_pools::environment::{Clock, Liveness, Peer, WaitSlice};
use strait_pools::sync::{spin_loop, yield_now};

/// How a side waits.
///
/// The first three never sleep: they keep a core busy, or pass it on. The last two sleep in the kernel
/// until the other side wakes them, on channels that were made for it: those for which the side that
/// came first asked for one of them, or for [`parking`](super::Spsc::parking).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// Poll all the time: lowest latency, and a core to itself. Between two polls stand as many of the
    /// processor's pause instructions as [`pauses`](super::Spsc::pauses) says; by default none.
    #[default]
    BusySpin,
    /// Poll with pauses in between that double up to 64, then give the core away between polls: at
    /// first nearly as quick as `BusySpin`, soon as kind as `Yield`.
    Backoff,
    /// Give the core away between polls, for more processes than cores. A core with nothing else to
    /// do stays busy all the same.
    Yield,
    /// Sleep as soon as there is nothing to do, or after polling for the time that
    /// [`spin`](super::Spsc::spin) says. A wake-up takes about 2 µs if both sides share a core, and
    /// tens of microseconds if the other core was idle.
    Park,
    /// Poll for 50 µs (or as [`spin`](super::Spsc::spin) says), then sleep; but sleep at once while
    /// polling does not pay. It pays while the waits of late, averaged with an eighth for the latest,
    /// last no more than twice that time; longer ones than four times that time count as those. So
    /// messages that follow each other within 50 µs are met as by `BusySpin`, those that are more than
    /// 100 µs apart as by `Park`, and it takes six of them to change from one to the other.
    Adaptive,
}

impl Wait {
    /// Whether a side that waits like this sleeps.
    pub(super) fn sleeps(self) -> bool {
        matches!(self, Self::Park | Self::Adaptive)
    }
}

/// How long a side that adapts polls before it sleeps: about what sleeping and waking cost where
/// they cost most, between two cores of which one was idle.
const ADAPTIVE_SPIN: Duration = Duration::from_micros(50);

/// Where a side sleeps.
pub(super) trait Bed {
    /// Sleeps for `timeout` at most, unless `look` finds what is waited for; it may wake up for nothing.
    fn sleep_unless<R>(&self, timeout: Duration, look: impl FnOnce() -> Option<R>) -> Option<R>;

    /// Whether the other side has to run on this core, and cannot while this one polls.
    fn shares_its_core(&self) -> bool {
        false
    }
}

impl Bed for WaitLine {
    fn sleep_unless<R>(&self, timeout: Duration, look: impl FnOnce() -> Option<R>) -> Option<R> {
        self.sleep_unless(Some(timeout), look)
    }

    fn shares_its_core(&self) -> bool {
        self.shares_its_core()
    }
}

impl Bed for CrowdLine {
    fn sleep_unless<R>(&self, timeout: Duration, look: impl FnOnce() -> Option<R>) -> Option<R> {
        self.sleep_unless(Some(timeout), look)
    }
}

/// Sleep of a side that nobody can wake, because it may not say that it sleeps: it looks once a
/// millisecond.
pub(super) struct Nap;

impl Bed for Nap {
    fn sleep_unless<R>(&self, timeout: Duration, look: impl FnOnce() -> Option<R>) -> Option<R> {
        let found = look();
        if found.is_none() {
            std::thread::sleep(timeout.min(Duration::from_millis(1)));
        }
        found
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

impl<E, G> Stopped<E, G> {
    /// What is told to the caller: `timeout` is the error that says so, and `failed` names the failure.
    pub(super) fn told<R: From<G>>(self, timeout: R, failed: impl FnOnce(E) -> R) -> R {
        match self {
            Self::Failed(failure) => failed(failure),
            Self::Timeout => timeout,
            Self::Gone(who) => who.into(),
        }
    }
}

/// How one side waits for the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    wait: Wait,
    /// Pause instructions between two polls.
    pauses: u32,
    /// How long to poll before sleeping, if the side sleeps.
    spin: Duration,
    /// How often to ask the kernel whether the peer's process still exists.
    slice: WaitSlice,
    /// How long waits last of late; kept by sides that adapt.
    usual: Duration,
}

impl Patience {
    pub(super) fn new(wait: Wait, pauses: u32, spin: Option<Duration>, slice: WaitSlice) -> Self {
        let default = if wait == Wait::Adaptive { ADAPTIVE_SPIN } else { Duration::ZERO };
        Self { wait, pauses, spin: spin.unwrap_or(default), slice, usual: Duration::ZERO }
    }

    /// How often to ask the kernel whether the peer's process still exists.
    pub(super) fn slice(&self) -> WaitSlice {
        self.slice
    }

    /// Polls made where the caller stands, before the wait proper begins: a message that is about
    /// to arrive finds its receiver in the shortest of loops.
    #[inline(always)]
    pub(super) fn eager_polls(&self) -> u32 {
        if self.wait == Wait::BusySpin && self.pauses == 0 { 2048 } else { 1 }
    }

    /// Polls between two looks around.
    fn burst(&self) -> u32 {
        match self.wait {
            Wait::BusySpin if self.pauses == 0 => 2048,
            Wait::BusySpin => 256,
            Wait::Backoff | Wait::Yield => 16,
            Wait::Park | Wait::Adaptive => 64,
        }
    }

    fn breathe(&self, backoff: &Backoff) {
        match self.wait {
            Wait::Backoff => backoff.snooze(),
            Wait::Yield => yield_now(),
            Wait::BusySpin | Wait::Park | Wait::Adaptive => {
                (0..self.pauses).for_each(|_| spin_loop());
            }
        }
    }

    /// How long to poll before sleeping, by what was seen of late, and by whether the other side has to
    /// run on this core.
    fn worthwhile(&self, shared_core: impl FnOnce() -> bool) -> Duration {
        let pays = || self.usual <= self.spin.saturating_mul(2) && !shared_core();
        if self.wait == Wait::Adaptive && !pays() { Duration::ZERO } else { self.spin }
    }

    /// A wait has lasted so long.
    fn learn(&mut self, waited: Duration) {
        let counted = waited.min(self.spin.saturating_mul(4));
        self.usual = self.usual - self.usual / 8 + counted / 8;
    }

    /// Polls until there is a result, the peer is gone, or `timeout` has passed; sleeps on `bed`
    /// meanwhile if its strategy is to sleep.
    ///
    /// When the peer seems gone, `gone` says who; `None` if a successor is there by now. After that
    /// there is one last poll: what the one that is gone published before counts.
    pub(super) fn poll_until<R, E, G>(
        &mut self,
        timeout: Option<Duration>,
        bed: &impl Bed,
        peer: &impl Liveness,
        clock: &impl Clock,
        gone: impl Fn() -> Option<G>,
        mut poll: impl FnMut() -> Result<Option<R>, E>,
    ) -> Result<R, Stopped<E, G>> {
        let sleeps = self.wait.sleeps();
        // A side that sleeps polls once before it thinks about how long to.
        let mut spin = Duration::ZERO;
        let backoff = Backoff::new();
        let mut started = None;
        let mut probed = Duration::ZERO;
        let at_once = self.wait == Wait::Park && self.spin.is_zero() && timeout.is_none();
        let mut slept = false;
        let result = loop {
            let burst = if sleeps && spin.is_zero() { 1 } else { self.burst() };
            let found = (0..burst).find_map(|_| {
                let found = poll().transpose();
                if found.is_none() {
                    self.breathe(&backoff);
                }
                found
            });
            if let Some(result) = found {
                break result;
            }

            // The first sleep of a side that polls for no time needs no clock.
            if at_once && !slept {
                slept = true;
                if let Some(result) = sleep(bed, peer, self.slice.0, &mut poll) {
                    break result;
                }
                continue;
            }

            let now = clock.now();
            let first = started.is_none();
            if first {
                spin = self.worthwhile(|| bed.shares_its_core());
            }
            let waited = now.saturating_sub(*started.get_or_insert(now));
            let mut standing = peer.glance();
            let slice_over = slept && first || waited.saturating_sub(probed) >= self.slice.0;
            if standing == Peer::Alive && slice_over {
                probed = waited;
                standing = peer.probe();
            }
            let ended = matches!(standing, Peer::Closed | Peer::Died).then(&gone).flatten();
            let stopped = match ended {
                Some(who) => Some(Stopped::Gone(who)),
                None if timeout.is_some_and(|limit| waited >= limit) => Some(Stopped::Timeout),
                None => None,
            };
            if let Some(stopped) = stopped {
                return poll().map_err(Stopped::Failed)?.ok_or(stopped);
            }

            if sleeps && waited >= spin {
                let slice = self.slice.0.saturating_sub(waited - probed);
                let time = timeout.map_or(slice, |limit| slice.min(limit - waited));
                if let Some(result) = sleep(bed, peer, time, &mut poll) {
                    break result;
                }
            }
        };
        if self.wait == Wait::Adaptive {
            self.learn(started.map_or(Duration::ZERO, |start| clock.now().saturating_sub(start)));
        }
        result.map_err(Stopped::Failed)
    }
}

/// Sleeps on `bed` for `time` at most, unless the last poll finds something, or the peer has ended. One
/// that ends after that wakes us.
fn sleep<R, E>(
    bed: &impl Bed,
    peer: &impl Liveness,
    time: Duration,
    mut poll: impl FnMut() -> Result<Option<R>, E>,
) -> Option<Result<R, E>> {
    let ended = || matches!(peer.glance(), Peer::Closed | Peer::Died);
    let look = || match poll().transpose() {
        None => ended().then_some(None),
        found => Some(found),
    };
    bed.sleep_unless(time, look).flatten()
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

    fn patience(wait: Wait) -> Patience {
        Patience::new(wait, 1, None, WaitSlice::default())
    }

    /// How a wait of so many milliseconds ends, without sleep.
    fn poll_for<R, E, G>(
        timeout_ms: u64,
        peer: &impl Liveness,
        clock: &Ticking,
        gone: impl Fn() -> Option<G>,
        poll: impl FnMut() -> Result<Option<R>, E>,
    ) -> Result<R, Stopped<E, G>> {
        let timeout = Some(Duration::from_millis(timeout_ms));
        let bed = WaitLine::default();
        patience(Wait::BusySpin).poll_until(timeout, &bed, peer, clock, gone, poll)
    }

    /// How a wait of 100 ms ends beside such a peer.
    fn wait_for<R, E>(
        peer: &Standing,
        clock: &Ticking,
        poll: impl FnMut() -> Result<Option<R>, E>,
    ) -> Result<R, Stopped<E, Peer>> {
        let gone = || Some(if peer.probes.get() > 0 { peer.probe } else { peer.glance });
        poll_for(100, peer, clock, gone, poll)
    }

    fn nobody() -> Option<Infallible> {
        None
    }

    fn nothing() -> Result<Option<()>, Infallible> {
        Ok(None)
    }

    #[test]
    fn time_runs_out() {
        let stopped = poll_for(5, &AlwaysAlive, &Ticking::default(), nobody, nothing);
        assert_eq!(stopped, Err(Stopped::Timeout));
    }

    #[test]
    fn a_result_at_once_reads_no_clock() {
        let clock = Ticking::default();
        let poll = || Ok::<_, Infallible>(Some(7));
        let result = poll_for(5, &AlwaysAlive, &clock, nobody, poll);
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
        let stopped = poll_for(100, &peer, &clock, gone, nothing);
        assert_eq!((stopped, asked.get()), (Err(Stopped::Gone("the successor")), 3));
        // The time runs out all the same.
        let stopped = poll_for(5, &peer, &Ticking::default(), nobody, nothing);
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
            assert_eq!(poll_for(100, &peer, &clock, gone, poll), Ok(7));
        }
    }

    #[test]
    fn who_adapts_polls_while_that_pays() {
        let mut adaptive = Patience::new(Wait::Adaptive, 0, None, WaitSlice::default());
        assert_eq!(adaptive.worthwhile(|| false), ADAPTIVE_SPIN);
        assert_eq!(adaptive.worthwhile(|| true), Duration::ZERO);
        // Six long waits make it sleep at once, six short ones poll again.
        for (waited, before, after) in [
            (Duration::from_secs(9), ADAPTIVE_SPIN, Duration::ZERO),
            (Duration::ZERO, Duration::ZERO, ADAPTIVE_SPIN),
        ] {
            (0..60).for_each(|_| adaptive.learn(Duration::from_secs(9) - waited));
            for _ in 0..6 {
                assert_eq!(adaptive.worthwhile(|| false), before, "not yet");
                adaptive.learn(waited);
            }
            assert_eq!(adaptive.worthwhile(|| false), after);
        }
        // The others do as they are told.
        let spin = Some(Duration::from_micros(7));
        let mut park = Patience::new(Wait::Park, 0, spin, WaitSlice::default());
        park.learn(Duration::from_secs(9));
        assert_eq!(Some(park.worthwhile(|| true)), spin);
    }

    #[test]
    fn a_failure_ends_the_wait() {
        let peer = Standing::new(Peer::Alive, Peer::Alive);
        let failed = wait_for(&peer, &Ticking::default(), || Err::<Option<()>, _>(3));
        assert_eq!(failed, Err(Stopped::Failed(3)));
    }
}
