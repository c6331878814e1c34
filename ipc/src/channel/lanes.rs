//! The receiver of many senders, each of which has a ring of its own.

use super::bytes::{BytesReceiver, Received};
use super::error::{DescriptorError, RecvError};
use super::link::{End, Link};
use super::receiver::{Receiver, Sample};
use super::together;
use super::trust::{Checked, Trust};
use super::wait::{Patience, Stopped};
use crate::endpoint::PeerView;
use crate::message::Message;
use crate::ring::lanes::{Board, Round};
use crate::ring::spsc::{Corrupt, Poll};
use std::os::fd::BorrowedFd;
use std::time::Duration;
use strait_pools::environment::{AlwaysAlive, Liveness, Monotonic, Peer};
use strait_pools::placement::{Mapped, MappedOne};

/// While waiting, lanes without a mark are looked at once in so many looks.
const ALL_EVERY: u32 = 32;

/// In which turn the lanes of a channel are looked at.
#[derive(Debug)]
pub(super) struct Turns {
    round: Round<Mapped>,
    board: MappedOne<Board>,
    patience: Patience,
}

/// The receiving half of one lane.
trait Lane {
    fn lane(&mut self) -> &mut BytesReceiver;
    fn link(&self) -> &Link;
}

impl Lane for BytesReceiver {
    fn lane(&mut self) -> &mut BytesReceiver {
        self
    }
    fn link(&self) -> &Link {
        self.link()
    }
}

impl<T: Message, V: Trust> Lane for Receiver<T, V> {
    fn lane(&mut self) -> &mut BytesReceiver {
        self.bytes()
    }
    fn link(&self) -> &Link {
        self.link()
    }
}

/// How all senders together are doing: alive while one is.
struct All<'a, L>(&'a [L]);

impl<L: Lane> All<'_, L> {
    fn peers(&self) -> impl Iterator<Item = &PeerView> + Clone {
        self.0.iter().map(|lane| lane.link().peer())
    }

    /// Who is gone, if all are.
    fn end(&self) -> Option<End> {
        together::end(self.peers(), &self.0.first()?.link().channel)
    }
}

impl<L: Lane> Liveness for All<'_, L> {
    fn glance(&self) -> Peer {
        together::standing(self.peers(), PeerView::glance)
    }
    fn probe(&self) -> Peer {
        together::standing(self.peers(), PeerView::probe)
    }
}

/// A lane, and the position of a message that is ready in it.
type Ready = (usize, u64);

/// What a round over lanes found, by lane.
fn found(next: Option<(u32, Poll)>) -> Result<Option<Ready>, (usize, Corrupt)> {
    match next {
        Some((lane, Poll::Ready(position))) => Ok(Some((lane as usize, position))),
        Some((lane, Poll::Corrupt(corrupt))) => Err((lane as usize, corrupt)),
        Some((_, Poll::Empty)) | None => Ok(None),
    }
}

impl Turns {
    pub(super) fn new(board: MappedOne<Board>, lanes: u32, patience: Patience) -> Self {
        Self { round: Round::new(board.clone(), lanes), board, patience }
    }

    /// The next message if one is there.
    #[inline]
    fn ready_now<L: Lane>(&mut self, lanes: &mut [L]) -> Result<Ready, RecvError> {
        let Some(first) = lanes.first_mut() else { return Err(RecvError::Empty) };
        if first.lane().link().forked() {
            return Err(RecvError::Forked);
        }
        match self.look(lanes)? {
            Some(ready) => Ok(ready),
            None => self.when_empty(lanes),
        }
    }

    /// Looks at all lanes, until one has a message.
    #[inline(always)]
    fn look<L: Lane>(&mut self, lanes: &mut [L]) -> Result<Option<Ready>, RecvError> {
        let found = found(self.round.next(|lane| lanes[lane as usize].lane().poll_once()));
        found.map_err(|(lane, corrupt)| lanes[lane].lane().corrupt(corrupt))
    }

    #[cold]
    #[inline(never)]
    fn when_empty<L: Lane>(&mut self, lanes: &mut [L]) -> Result<Ready, RecvError> {
        // A receiver that waits for its descriptor is told by that from now on.
        if lanes[0].link().has_bell() {
            if lanes[0].lane().link_mut().hush() {
                All(lanes).probe();
            }
            let board = self.board.clone();
            board.wait.arm_unless(|| self.look(lanes).transpose());
        }
        let end = All(lanes).end();
        // What was published before the end counts.
        self.look(lanes)?.ok_or_else(|| end.map_or(RecvError::Empty, RecvError::from))
    }

    /// The next message, waiting for it.
    #[inline]
    fn ready<L: Lane>(
        &mut self,
        lanes: &mut [L],
        timeout: Option<Duration>,
    ) -> Result<Ready, RecvError> {
        match self.ready_now(lanes) {
            Err(RecvError::Empty) => self.wait(lanes, timeout),
            found => found,
        }
    }

    #[cold]
    #[inline(never)]
    fn wait<L: Lane>(
        &mut self,
        lanes: &mut [L],
        timeout: Option<Duration>,
    ) -> Result<Ready, RecvError> {
        let Self { round, board, patience } = self;
        let lanes = std::cell::RefCell::new(lanes);
        let mut looks = 0_u32;
        let poll = || {
            let mut lanes = lanes.borrow_mut();
            let poll = |lane: u32| lanes[lane as usize].lane().poll_once();
            looks = looks.wrapping_add(1);
            let all = looks.is_multiple_of(ALL_EVERY);
            found(if all { round.next(poll) } else { round.next_marked(poll) })
        };
        let peers = Shared(&lanes);
        let end = || All(&lanes.borrow()).end();
        let waited = patience.poll_until(timeout, &board.wait, &peers, &Monotonic, end, poll);
        let lanes = lanes.into_inner();
        let stopped = match waited {
            Ok(ready) => return Ok(ready),
            Err(Stopped::Failed((lane, corrupt))) => {
                return Err(lanes[lane].lane().corrupt(corrupt));
            }
            Err(Stopped::Timeout) => RecvError::Timeout,
            Err(Stopped::Gone(end)) => end.into(),
        };
        // Marks are hints: all are looked at before it is said that there is nothing.
        self.look(lanes)?.ok_or(stopped)
    }

    /// The next message of whoever is there or comes, waiting for it up to `timeout`. That senders are gone
    /// is no reason to stop.
    #[cold]
    #[inline(never)]
    fn ready_of_anybody<L: Lane>(
        &mut self,
        lanes: &mut [L],
        timeout: Option<Duration>,
    ) -> Result<Ready, RecvError> {
        let Self { round, board, patience } = self;
        let poll = || found(round.next(|lane| lanes[lane as usize].lane().poll_once()));
        let nobody = || None::<std::convert::Infallible>;
        match patience.poll_until(timeout, &board.wait, &AlwaysAlive, &Monotonic, nobody, poll) {
            Ok(ready) => Ok(ready),
            Err(Stopped::Failed((lane, corrupt))) => Err(lanes[lane].lane().corrupt(corrupt)),
            Err(Stopped::Timeout | Stopped::Gone(_)) => Err(RecvError::Timeout),
        }
    }

    fn descriptor<'a, L: Lane>(
        &self,
        lanes: &'a mut [L],
    ) -> Result<BorrowedFd<'a>, DescriptorError> {
        let first = lanes.first_mut().ok_or(DescriptorError::Forked)?;
        first.lane().link_mut().descriptor(&self.board.wait)
    }

    /// Says that the receiver leaves, before any sender is woken to see it.
    fn close<L: Lane>(&self, lanes: &mut [L]) {
        for lane in lanes {
            lane.lane().link_mut().close(&self.board.wait);
        }
    }
}

/// All senders, of lanes that are being polled.
struct Shared<'a, 'b, L>(&'a std::cell::RefCell<&'b mut [L]>);

impl<L: Lane> Liveness for Shared<'_, '_, L> {
    fn glance(&self) -> Peer {
        All(&self.0.borrow()).glance()
    }
    fn probe(&self) -> Peer {
        All(&self.0.borrow()).probe()
    }
}

/// Receives messages of type `T` in place, of many senders. There is one per channel: it is not `Clone`,
/// and `&mut` to use.
///
/// The messages of each sender arrive in order; between senders there is no order. While several have
/// messages, each is read for up to [`BURST`](crate::ring::lanes::BURST) of them at a time.
#[derive(Debug)]
pub struct LanesReceiver<T: Message, V: Trust = Checked> {
    turns: Turns,
    lanes: Vec<Receiver<T, V>>,
}

impl<T: Message, V: Trust> LanesReceiver<T, V> {
    pub(super) fn new(lanes: Vec<Receiver<T, V>>, turns: Turns) -> Self {
        Self { turns, lanes }
    }

    /// The next message of any sender, waiting for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] and [`RecvError::PeerDied`] once everything is read and all senders that came
    /// are gone (a later call waits for others if one has attached by then); it names one that died, if
    /// one did. A sender that goes while others are there is no error: see [`peer`](LanesReceiver::peer).
    /// [`RecvError::Invalid`] for a message that is no archive of `T`: it is passed over;
    /// [`RecvError::Corrupt`] if the words of a lane are damaged: the next call reads the others;
    /// [`RecvError::Forked`] in a child.
    #[inline]
    pub fn recv(&mut self) -> Result<Sample<'_, T, V>, RecvError> {
        let (lane, position) = self.turns.ready(&mut self.lanes, None)?;
        self.lanes[lane].sample(position)
    }

    /// The next message of any sender if one is there; never waits, never enters the kernel.
    ///
    /// # Errors
    ///
    /// [`RecvError::Empty`] if there is none; otherwise as for [`recv`](LanesReceiver::recv), except that a
    /// sender that died looks merely silent until somebody notices.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Sample<'_, T, V>, RecvError> {
        let (lane, position) = self.turns.ready_now(&mut self.lanes)?;
        self.lanes[lane].sample(position)
    }

    /// The next message of any sender, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`] if none came; otherwise as for [`recv`](LanesReceiver::recv).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Sample<'_, T, V>, RecvError> {
        let (lane, position) = self.turns.ready(&mut self.lanes, Some(timeout))?;
        self.lanes[lane].sample(position)
    }

    /// Hands the messages that are there to `handle`, with the numbers of their lanes, at most `limit`;
    /// returns how many. Never waits.
    ///
    /// Each message is released when `handle` returns.
    ///
    /// # Errors
    ///
    /// As for [`try_recv`](LanesReceiver::try_recv), if there was nothing to handle; an invalid message
    /// is reported at once, after those before it were handled.
    pub fn drain(
        &mut self,
        limit: usize,
        mut handle: impl FnMut(u32, &T::Archived),
    ) -> Result<usize, RecvError> {
        let mut handled = 0;
        while handled < limit {
            match self.turns.ready_now(&mut self.lanes) {
                // There are 256 lanes at most.
                #[allow(clippy::cast_possible_truncation)]
                Ok((lane, position)) => handle(lane as u32, &*self.lanes[lane].sample(position)?),
                Err(_) if handled > 0 => break,
                Err(error) => return Err(error),
            }
            handled += 1;
        }
        Ok(handled)
    }

    /// A descriptor for `epoll` and its like; see [`Receiver::descriptor`].
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        self.turns.descriptor(&mut self.lanes)
    }

    /// Number of lanes: of senders that there may be at once.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Who sends in this lane, or did last, and how that process is doing; `None` if there is no such
    /// lane.
    pub fn peer(&self, lane: usize) -> Option<&PeerView> {
        self.lanes.get(lane).map(Receiver::peer)
    }

    /// Messages of this lane that were read: the position of its next one.
    pub fn position(&self, lane: usize) -> Option<u64> {
        self.lanes.get(lane).map(Receiver::position)
    }

    /// Messages that senders dropped because their lanes were full.
    pub fn dropped(&self) -> u64 {
        self.lanes.iter().map(Receiver::dropped).sum()
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        self.lanes.first().map_or("", Receiver::channel)
    }
}

impl<T: Message, V: Trust> Drop for LanesReceiver<T, V> {
    fn drop(&mut self) {
        self.turns.close(&mut self.lanes);
    }
}

/// As [`LanesReceiver`], of messages without a Rust type.
#[derive(Debug)]
pub struct BytesLanesReceiver {
    turns: Turns,
    lanes: Vec<BytesReceiver>,
}

impl BytesLanesReceiver {
    pub(super) fn new(lanes: Vec<BytesReceiver>, turns: Turns) -> Self {
        Self { turns, lanes }
    }

    /// The next message of any sender if one is there; never waits, never enters the kernel. With the number of
    /// its lane.
    ///
    /// # Errors
    ///
    /// As for [`LanesReceiver::try_recv`].
    #[inline]
    pub fn poll(&mut self) -> Result<(u32, Received<'_>), RecvError> {
        let (lane, position) = self.turns.ready_now(&mut self.lanes)?;
        self.received(lane, position)
    }

    /// The next message of any sender, waiting for it. With the number of its lane.
    ///
    /// # Errors
    ///
    /// As for [`LanesReceiver::recv`].
    #[inline]
    pub fn recv(&mut self) -> Result<(u32, Received<'_>), RecvError> {
        let (lane, position) = self.turns.ready(&mut self.lanes, None)?;
        self.received(lane, position)
    }

    /// A message with a tag of any sender, and the number of its lane: one that is there, or, if it is to
    /// `wait`, that comes in time. That senders are gone is no reason not to wait for others.
    ///
    /// # Errors
    ///
    /// [`RecvError::Timeout`] if there is none; [`RecvError::Corrupt`] and [`RecvError::Forked`] as for
    /// [`poll`](Self::poll).
    #[inline(always)]
    pub(super) fn next_of_anybody(
        &mut self,
        wait: Option<Option<Duration>>,
    ) -> Result<(usize, u64), RecvError> {
        let Self { turns, lanes } = self;
        if lanes.first().is_none_or(|lane| lane.link().forked()) {
            return Err(RecvError::Forked);
        }
        let looks = if wait.is_some() { turns.patience.eager_polls() } else { 1 };
        for _ in 0..looks {
            let next = turns.round.next(|lane| lanes[lane as usize].poll_once());
            if let Some((lane, Poll::Ready(position))) = next {
                return Ok((lane as usize, position));
            }
        }
        match wait {
            Some(timeout) => turns.ready_of_anybody(lanes, timeout),
            None => match turns.ready_now(lanes) {
                Err(RecvError::Empty | RecvError::Closed(_) | RecvError::PeerDied(_)) => {
                    Err(RecvError::Timeout)
                }
                found => found,
            },
        }
    }

    /// One lane, from 0 to before [`lanes`](Self::lanes).
    #[inline(always)]
    pub(super) fn lane(&mut self, lane: usize) -> &mut BytesReceiver {
        &mut self.lanes[lane]
    }

    fn received(&mut self, lane: usize, position: u64) -> Result<(u32, Received<'_>), RecvError> {
        let received = self.lanes[lane].received(position)?;
        // There are 256 lanes at most.
        #[allow(clippy::cast_possible_truncation)]
        Ok((lane as u32, received))
    }

    /// A descriptor for `epoll` and its like; see [`BytesReceiver::descriptor`].
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        self.turns.descriptor(&mut self.lanes)
    }

    /// Number of lanes: of senders that there may be at once.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Who sends in this lane, or did last; `None` if there is no such lane.
    pub fn peer(&self, lane: usize) -> Option<&PeerView> {
        self.lanes.get(lane).map(BytesReceiver::peer)
    }

    /// The channel's name.
    pub fn channel(&self) -> &str {
        self.lanes.first().map_or("", BytesReceiver::channel)
    }
}

impl Drop for BytesLanesReceiver {
    fn drop(&mut self) {
        self.turns.close(&mut self.lanes);
    }
}
