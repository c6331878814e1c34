//! Lanes: single-producer single-consumer rings side by side, with one consumer.
//!
//! ```text
//! consumer region                                         producer region
//! ┌───────────────────────┬───────────────┬──────────┬─   ┌────────┬────────┬─
//! │ Board: ready, WaitLine│ ConsumerLines │  …       │ …  │ lane 0 │ lane 1 │ …   each whole pages
//! └───────────────────────┴───────────────┴──────────┴─   └────────┴────────┴─
//!                           lane 0's        lane 1's        as of an SPSC ring
//! ```
//!
//! Each producer has a lane of its own, an [SPSC ring](super::spsc) with its guarantees: no locked
//! instruction, order, takeover after a death. Between lanes there is no order. The consumer goes around
//! ([`Round`]): it takes up to [`BURST`] messages of one lane, then looks at the next; so whoever sends
//! waits for at most `2 · lanes · BURST` messages of others, however busy those are.
//!
//! With more than [`FEW`] lanes, polling all of them for one message costs more than the message. There,
//! whoever publishes sets its lane's bit on the board, and the consumer looks at lanes whose bits are
//! set. The bits are hints: a producer may die between the message and the bit. So every burst adds one
//! lane in turn whatever its bit says, and all lanes are polled before it is said that there is
//! nothing.
//!
//! The consumer sleeps on the board, for all lanes at once; producers sleep on their lanes.
//!
//! # Orderings
//!
//! Those of [`spsc`](super::spsc) and [`parking`](super::parking), and
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `ready`, Release (`lanes.mark`) | `ready`, Acquire (`lanes.take`) | the message: who clears a bit finds what it stands for |
//!
//! A bit is set before the fence of the producer that wakes, and looked for after that of the consumer that
//! sleeps: so one who sleeps has seen the bit, or is woken.
//!
//! # When a process dies here
//!
//! *A producer*: its lane is as an SPSC ring is that lost its producer; the others go on. Its bit may be
//! missing: the message is found in the consumer's next round over all lanes. *The consumer*, having
//! cleared bits and not polled: its successor begins with all lanes.

use super::geometry::MAX_SIDES;
use super::layout::WaitLine;
use super::spsc::Poll;
use strait_pools::marks::{Mark, pass};
use strait_pools::placement::Placement;
use strait_pools::region::Shared;
use strait_pools::sync::Ordering::{Acquire, Relaxed, Release};
use strait_pools::sync::{AtomicU64, Site, step};

/// Messages that the consumer takes from one lane before it looks at the next.
pub const BURST: u32 = 16;

/// So many lanes are polled in turn; of more, those whose bits are set.
pub const FEW: u32 = 16;

const WORDS: usize = MAX_SIDES as usize / 64;

/// What the lanes have in common.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct Board {
    /// A bit per lane: it may have a message.
    ready: [AtomicU64; WORDS],
    #[cfg(not(loom))]
    line0: [AtomicU64; 16 - WORDS],
    /// Where the consumer sleeps while all lanes are empty.
    pub wait: WaitLine,
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for Board {}

#[cfg(not(loom))]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Board>() == 256);
    assert!(offset_of!(Board, ready) == 0);
    assert!(offset_of!(Board, wait) == 128);
};

/// Word and bit of a lane.
fn place(lane: u32) -> (usize, u64) {
    let lane = lane % MAX_SIDES;
    // Less than 256.
    (lane as usize / 64, 1 << (lane % 64))
}

/// A producer's place among the lanes.
#[derive(Debug)]
pub struct Seat<P: Placement> {
    board: P::One<Board>,
    lane: u32,
    marks: bool,
}

impl<P: Placement> Seat<P> {
    /// That of lane number `lane` of `lanes`.
    pub fn new(board: P::One<Board>, lane: u32, lanes: u32) -> Self {
        Self { board, lane, marks: lanes > FEW }
    }

    /// Whether each message is to be marked.
    pub(super) fn marks(&self) -> bool {
        self.marks
    }

    /// Where the consumer sleeps.
    pub(super) fn bed(&self) -> &WaitLine {
        &self.board.wait
    }

    /// Says that the lane has a message.
    pub(super) fn mark(&self) {
        if self.marks && step("lanes.tell") {
            let (word, bit) = place(self.lane);
            // Pairs with `lanes.take`: the message is found by whoever clears the bit.
            self.board.ready[word].fetch_or(bit, Release.at("lanes.mark"));
            pass(Mark::LaneMarked);
        }
    }
}

/// A set of lanes, the consumer's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Some256([u64; WORDS]);

impl Some256 {
    fn first(count: u32) -> Self {
        let mut all = Self::default();
        (0..count).for_each(|lane| all.insert(lane));
        all
    }

    fn insert(&mut self, lane: u32) {
        let (word, bit) = place(lane);
        self.0[word] |= bit;
    }

    fn remove(&mut self, lane: u32) {
        let (word, bit) = place(lane);
        self.0[word] &= !bit;
    }

    /// The first of them behind `lane`, around the end.
    fn behind(&self, lane: u32) -> Option<u32> {
        let (start, bit) = place(lane + 1);
        let from = |word: usize, mask: u64| {
            let found = (self.0[word] & mask).trailing_zeros();
            // A word's number is below 4.
            #[allow(clippy::cast_possible_truncation)]
            (found < 64).then_some(word as u32 * 64 + found)
        };
        let not_before = !(bit - 1);
        from(start, not_before)
            .or_else(|| (1..=WORDS).find_map(|ahead| from((start + ahead) % WORDS, u64::MAX)))
    }
}

/// In which order a consumer looks at its lanes.
#[derive(Debug)]
pub struct Round<P: Placement> {
    board: P::One<Board>,
    lanes: u32,
    marked: bool,
    /// Those that may have messages.
    ready: Some256,
    /// The lane being read.
    turn: u32,
    /// Messages left of its burst.
    left: u32,
    /// The next that is looked at whatever its bit says.
    sweep: u32,
}

impl<P: Placement> Round<P> {
    /// Over lanes number 0 to before `lanes`, of a new ring or of a predecessor's.
    pub fn new(board: P::One<Board>, lanes: u32) -> Self {
        let (marked, ready) = (lanes > FEW, Some256::first(lanes));
        Self { board, lanes, marked, ready, turn: lanes - 1, left: 0, sweep: 0 }
    }

    /// The next lane that has a message, or whose words are wrong; `poll` looks at one. `None` if all were
    /// looked at in vain.
    #[inline(always)]
    pub fn next(&mut self, mut poll: impl FnMut(u32) -> Poll) -> Option<(u32, Poll)> {
        // In the middle of a burst there is nothing to think about.
        if self.left > 1
            && let found @ Poll::Ready(_) = poll(self.turn)
        {
            self.left -= 1;
            return Some((self.turn, found));
        }
        self.next_of(true, poll)
    }

    /// As [`next`](Self::next), of those lanes whose bits are set: for one who looks again and again, and
    /// asks for all of them now and then.
    pub fn next_marked(&mut self, poll: impl FnMut(u32) -> Poll) -> Option<(u32, Poll)> {
        self.next_of(!self.marked, poll)
    }

    #[inline(never)]
    fn next_of(&mut self, all: bool, mut poll: impl FnMut(u32) -> Poll) -> Option<(u32, Poll)> {
        let mut to_be_filled = all;
        loop {
            if self.left == 0 && !self.begin_turn() {
                if !to_be_filled {
                    return None;
                }
                to_be_filled = false;
                self.ready = Some256::first(self.lanes);
                continue;
            }
            let found = poll(self.turn);
            match found {
                Poll::Empty => {
                    self.ready.remove(self.turn);
                    self.left = 0;
                    continue;
                }
                // Others are looked at before it is looked at again.
                Poll::Corrupt(_) => self.left = 0,
                Poll::Ready(_) => self.left -= 1,
            }
            if self.left == 0 {
                self.ready.insert(self.sweep);
                self.sweep = (self.sweep + 1) % self.lanes;
            }
            return Some((self.turn, found));
        }
    }

    /// Goes on to the next lane that may have messages, if there is one.
    fn begin_turn(&mut self) -> bool {
        if self.marked {
            let words = self.board.ready.iter().take(self.lanes.div_ceil(64) as usize);
            for (ready, word) in self.ready.0.iter_mut().zip(words) {
                // A swap takes the line away from those who mark.
                if word.load(Relaxed) != 0 {
                    // Pairs with `lanes.mark`.
                    *ready |= word.swap(0, Acquire.at("lanes.take"));
                    pass(Mark::LanesTaken);
                }
            }
        }
        let Some(next) = self.ready.behind(self.turn) else { return false };
        // Bits that no lane has were set by somebody else.
        if next >= self.lanes {
            self.ready.remove(next);
            return self.begin_turn();
        }
        (self.turn, self.left) = (next, BURST);
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use strait_pools::placement::Heap;

    fn round(lanes: u32) -> Round<Heap> {
        Round::new(Arc::default(), lanes)
    }

    #[test]
    fn the_next_of_a_set_is_found_around_its_end() {
        let mut some = Some256::default();
        assert_eq!(some.behind(0), None);
        for lane in [3, 64, 255] {
            some.insert(lane);
        }
        assert_eq!([0, 3, 64, 254, 255].map(|lane| some.behind(lane)), {
            [Some(3), Some(64), Some(255), Some(255), Some(3)]
        });
        some.remove(64);
        some.remove(255);
        assert_eq!([3, 200].map(|lane| some.behind(lane)), [Some(3); 2]);
        assert_eq!(Some256::first(256), Some256([u64::MAX; WORDS]));
    }

    #[test]
    fn all_lanes_are_looked_at_before_there_is_nothing() {
        for lanes in [1, 2, 16, 17, 100, 256] {
            let mut round = round(lanes);
            for _ in 0..3 {
                let mut looked = vec![0; lanes as usize];
                let found = round.next(|lane| {
                    looked[lane as usize] += 1;
                    Poll::Empty
                });
                assert_eq!(found, None);
                assert!(looked.iter().all(|&times| times >= 1), "{lanes}: {looked:?}");
            }
        }
    }

    #[test]
    fn a_lane_waits_for_a_bounded_number_of_others_messages() {
        for lanes in [2, 5, 16, 17, 64, 256] {
            for quiet in [0, lanes / 2, lanes - 1] {
                let mut round = round(lanes);
                // It has nothing at first, and nobody sets its bit.
                let mut since = None;
                let mut others = 0;
                let bound = 2 * lanes * BURST;
                for step in 0..6 * bound {
                    if step == bound {
                        since = Some(others);
                    }
                    let poll = |lane| match (lane == quiet, since) {
                        (true, None) => Poll::Empty,
                        _ => Poll::Ready(0),
                    };
                    let (lane, _) = round.next(poll).unwrap();
                    if lane == quiet {
                        break;
                    }
                    others += 1;
                }
                let waited = others - since.unwrap();
                assert!(waited <= bound, "lane {quiet} of {lanes} waited for {waited} messages");
            }
        }
    }

    #[test]
    fn of_many_lanes_the_marked_ones_are_looked_at() {
        let mut round = round(200);
        assert_eq!(round.next(|_| Poll::Empty), None);
        Seat::<Heap>::new(Arc::clone(&round.board), 150, 200).mark();
        let mut looked = Vec::new();
        let found = round.next_marked(|lane| {
            looked.push(lane);
            Poll::Ready(7)
        });
        assert_eq!((found, looked), (Some((150, Poll::Ready(7))), vec![150]));
    }

    #[test]
    fn bits_of_lanes_that_there_are_not_are_passed_over() {
        let mut round = round(17);
        round.board.ready[3].store(u64::MAX, Relaxed);
        let found = round.next(|lane| {
            assert!(lane < 17, "there is no lane {lane}");
            Poll::Empty
        });
        assert_eq!(found, None);
    }

    #[test]
    fn damage_in_one_lane_keeps_no_other_from_being_read() {
        use crate::ring::spsc::Corrupt;
        let mut round = round(3);
        let corrupt = Poll::Corrupt(Corrupt { word: "state", found: 1, position: 0 });
        let poll = |lane| if lane == 1 { corrupt } else { Poll::Ready(0) };
        let found: Vec<_> = (0..200).filter_map(|_| round.next(poll)).collect();
        for lane in [0, 2] {
            assert!(found.iter().filter(|&&(of, _)| of == lane).count() >= 90, "lane {lane}");
        }
        assert!(found.contains(&(1, corrupt)));
    }

    #[test]
    fn a_lane_that_has_many_is_read_in_bursts() {
        let mut round = round(2);
        let order: Vec<_> = (0..1_000)
            .filter_map(|_| round.next(|_| Poll::Ready(0)))
            .map(|(lane, _)| lane)
            .collect();
        let bursts: Vec<_> = order.chunk_by(|one, other| one == other).map(<[u32]>::len).collect();
        assert!(bursts.len() > 2 && bursts[..bursts.len() - 1].iter().all(|&len| len == 16));
    }
}
