//! The ring for several senders and several receivers.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | what all sides share: the words, and what is asked about others |
//! | [`layout`] | the words in memory, and what their values mean |
//! | [`receiver`] | to claim messages and take them |
//! | [`repair`] | to finish what the dead have left |
//! | [`sender`] | to claim positions and publish |
//!
//! ```text
//!  tail ─► position      cells                                  head ─► position
//!                       ┌─────────────┬─────────────┬───
//!  sender 0 ─► intent   │ state  body │ state  body │ …         receiver 0 ─► intent, hand
//!  sender 1 ─► intent   └─────────────┴─────────────┴───        receiver 1 ─► intent, hand
//!                        cell of position p: p & (capacity − 1)
//! ```
//!
//! Positions are tickets: a sender that moves the tail from `p` to `p + 1` owns position `p` until it has
//! published there, and a receiver that moves the head over `p` owns it until it has freed the cell. The
//! cell's state tells in which lap it is free and in which its message is ready. That much is Dmitry
//! Vyukov's bounded queue. It cannot be repaired: nobody knows whose a position is that was claimed and
//! never published. So each side puts on record which positions it is about to claim, on a line that only
//! itself writes, *before* it claims them. That is one store to a private line, and all there is to the hot
//! path beside his.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `state` = ready, Release (`mpmc.publish`) | `state`, Acquire (`mpmc.poll`) | the body |
//! | `state` = free, Release (`mpmc.free`) | `state`, Acquire (`mpmc.room`) | that the reads of the body are over |
//! | `state` = skip, Release (`mpmc.skip`) | `state`, Acquire (`mpmc.poll`) | that the dead sender's writes are over |
//! | `tail`, Release (`mpmc.claim_tail`) | `tail`, Acquire (`mpmc.tail`) | the intent of whoever moved it |
//! | `head`, Release (`mpmc.claim_head`) | `head`, Acquire (`mpmc.head`) | the intent of whoever moved it |
//! | `intent`, Release (`mpmc.declare`, `mpmc.withdraw`) | `intent`, Acquire (`mpmc.read_intent`) | what became of the positions on record before |
//! | `hand`, Release (`mpmc.note`, `mpmc.release`) | a death | that the message in the hand is whole |
//! | `hand` = 0, Release (`mpmc.clear`) | `hand`, Acquire (`mpmc.inherit`) | that the heir's reads of the hand are over |
//!
//! # Whose a position is
//!
//! Whoever sees the tail beyond `p` sees the intent that stood on record when `p` was claimed, or a later
//! one of the same side. A later one was stored after `p` was published. So a position that is claimed,
//! not published, and on no living sender's record is nobody's: its owner died. A stale intent, of a
//! sender that lost the race for `p` and has not done anything since, merely delays that conclusion; whoever
//! gives up without a claim therefore takes its intent off the record. All this holds for receivers and the
//! head likewise.
//!
//! # Empty and full
//!
//! "Empty" means that the message at the head is not ready: none was sent, or whoever claimed that position
//! has not published yet. "Full" means that the cell at the tail is not free: all are in use, or whoever
//! claimed the oldest has not freed it yet. Both are therefore said spuriously while a claim is pending.
//! A process that is *paused* between claim and publication holds up all receivers at that position,
//! and all senders once they have gone around the ring, until it goes on or dies: it is alive, and nobody
//! takes from it what it may be about to write.
//!
//! # Sleeping
//!
//! In a ring made for it receivers sleep while it is empty and senders while it is full, each kind on a word
//! of its own ([`crowd`](super::crowd)). A message or a batch wakes one receiver, a freed cell one sender (of
//! a batch, the last cell): a fence and a load while nobody sleeps. That one may be woken for more than it
//! takes: for the first message of a batch, or for the one that was missing before others which were published
//! earlier, in vain. So whoever has found nothing looks, once it has claimed something, whether there is more
//! and others sleep: then it wakes the next. A message at the head is thus never left to those who sleep:
//! whoever published it woke one, and if that one found something else missing and slept again, whoever
//! published what was missing woke one as well, who either takes what is there and looks, or finds all of it
//! taken. What it has to see was published before the kernel was called by whoever published it, and the
//! kernel's own lock orders the calls.
//!
//! Who repairs has found nothing before, and so wakes another for what stands behind a hole.
//!
//! # When a process dies here
//!
//! *A sender*: what it had published counts. What it had claimed and not published is a hole, which any
//! receiver that gets there marks as to be skipped ([`repair`]).
//! *A receiver*: what it had claimed and not freed is delivered by another, and so is what it had in its
//! hand. Both are flagged as redelivered. A ring without hands (at most once) loses what was
//! taken out of its cell.
//! *Whoever repairs*: the next one finds the same facts, and does what is left to do. Receivers finish what
//! receivers left one at a time, under a lock that the kernel takes from the dead.
//! *A successor*: finds its predecessor's record on its own line, and finishes that before it takes
//! messages. If it dies before, the record still stands.
//! *Somebody who was to wake another*, or who was woken: nobody notices. Those that sleep look again at the end
//! of their slice, or when a successor comes, which wakes all across the ring.

pub mod layout;
pub mod receiver;
pub mod repair;
pub mod sender;

pub use super::spsc::Corrupt;
use layout::{IndexLines, ReceiverLine, SenderLine, State};
pub use receiver::{Receiver, Source, Taken};
pub use repair::{Parties, Repair};
pub use sender::Sender;
use strait_pools::placement::{Many, Placement};
use strait_pools::sync::Ordering::{Acquire, Relaxed};
use strait_pools::sync::{AtomicU64, Site};

/// The words that all sides share, wherever they live.
#[derive(Debug)]
pub struct Words<P: Placement> {
    /// The position that is sent next.
    pub tail: P::One<IndexLines>,
    /// The position that is received next.
    pub head: P::One<IndexLines>,
    /// One line for each sender there may be.
    pub senders: P::Many<SenderLine>,
    /// One line for each receiver there may be.
    pub receivers: P::Many<ReceiverLine>,
    /// The states of the cells.
    pub states: P::Many<AtomicU64>,
}

impl<P: Placement> Clone for Words<P> {
    fn clone(&self) -> Self {
        Self {
            tail: self.tail.clone(),
            head: self.head.clone(),
            senders: self.senders.clone(),
            receivers: self.receivers.clone(),
            states: self.states.clone(),
        }
    }
}

impl<P: Placement> Words<P> {
    /// Number of positions that were claimed to send and not to receive, at most all there are. Stale
    /// while sides are active.
    pub fn pending(&self) -> u64 {
        let (head, tail) = (self.head.position.load(Relaxed), self.tail.position.load(Relaxed));
        between(head, tail, self.states.len())
    }

    /// Messages that senders dropped because the ring was full.
    pub fn dropped(&self) -> u64 {
        let at = |at| self.senders.at(at).dropped.load(Relaxed);
        (0..self.senders.len()).map(at).fold(0, u64::wrapping_add)
    }

    /// Whether anything was sent that nobody is done with. For observers; stale while sides are active.
    pub fn unread(&self) -> bool {
        let in_hand = |at| self.receivers.at(at).hand.load(Relaxed) != 0;
        let claimed = |at: u64| {
            let (first, count) = self.receivers.at(at).intent.read();
            let state = State::of(self.states.len());
            let ready = |position| self.states.at(position).load(Relaxed) == state.ready(position);
            (0..count).any(|offset| ready(first.wrapping_add(offset)))
        };
        self.pending() > 0 || (0..self.receivers.len()).any(|at| in_hand(at) || claimed(at))
    }

    /// The cell at `position`, where `index` stood, was not as `expected`: where the index stands now, to
    /// try again; `None` if the cell is not so far yet.
    #[inline(always)]
    fn look_again(
        &self,
        index: &IndexLines,
        position: u64,
        expected: u64,
    ) -> Result<Option<u64>, Corrupt> {
        let state = self.states.at(position).load(Relaxed);
        if (-STEPS_BEHIND..0).contains(&State::ahead(state, expected)) {
            return Ok(None);
        }
        self.explain(index, position, expected)
    }

    /// The same for a cell that is further back than it can be, or ahead.
    #[cold]
    #[inline(never)]
    fn explain(
        &self,
        index: &IndexLines,
        position: u64,
        expected: u64,
    ) -> Result<Option<u64>, Corrupt> {
        let steps = |state| State::ahead(state, expected);
        // Whoever takes a cell further than this has seen the index moved, and shows it.
        let state = self.states.at(position).load(Acquire.at("mpmc.odd"));
        // Whoever moved the index up to here has seen the cells of the lap before, and shows them.
        let now = index.position.load(Acquire.at("mpmc.index"));
        if now != position {
            return Ok(Some(now));
        }
        let after = self.states.at(position).load(Relaxed);
        if steps(state) > 0 || steps(after) < -STEPS_BEHIND {
            Err(Corrupt { word: "state", found: state, position })
        } else {
            Ok((steps(after) >= 0).then_some(now))
        }
    }
}

/// Number of positions from `head` to `tail` in a ring of so many cells. None, if the two were not read at one
/// moment and so cannot belong together: then either may be the older.
fn between(head: u64, tail: u64, capacity: u64) -> u64 {
    match tail.wrapping_sub(head) {
        pending if pending <= capacity => pending,
        _ => 0,
    }
}

/// How far a cell may be behind what whoever stands at an index waits for. A sender waits for "free", and
/// may find the cell ready, or not even that, in the lap before; a receiver waits for "ready", and may find
/// it free, or ready in the lap before.
const STEPS_BEHIND: i64 = 2;
