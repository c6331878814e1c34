//! The side that answers.

use super::heap::Heap;
use super::{ONE_WAY, PAD, Status};
use crate::channel::bytes::{Body, BytesReceiver};
use crate::channel::error::RecvError;
use crate::channel::lanes::BytesLanesReceiver;
use crate::channel::link::{Cells, Place};
use crate::endpoint::PeerView;
use crate::message::encode::Encode;
use crate::message::{Scratch, WriteError};
use crate::ring::answers::{Outcome, Words};
use crate::ring::arena::Chunk;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use strait_pools::placement::Mapped;

pub use crate::channel::error::DescriptorError;

/// Why a server found nothing to serve.
pub type ServeError = RecvError;

/// The side that answers. There is one per channel, and it is `&mut` to use.
///
/// Clients are served in turn, each for up to [`BURST`](crate::ring::lanes::BURST) requests; those of one
/// client in order.
#[derive(Debug)]
pub struct Server {
    requests: BytesLanesReceiver,
    answers: Vec<Answers>,
    scratch: Scratch,
    parking: bool,
}

/// The answers to one client.
#[derive(Debug)]
struct Answers {
    words: Words<Mapped>,
    cells: Cells,
    heap: Heap,
    /// Which client of those that have had the lane, as far as its requests tell.
    incarnation: u64,
}

impl Server {
    pub(super) fn new(
        requests: BytesLanesReceiver,
        answers: Vec<(Words<Mapped>, Cells)>,
        parking: bool,
    ) -> Self {
        let scratch = Scratch::for_body(answers.first().map_or(0, |(_, cells)| cells.max_len()));
        let with_heap = |(words, cells): (Words<Mapped>, Cells)| {
            let heap = Heap::new(cells.store().longest());
            Answers { words, cells, heap, incarnation: 0 }
        };
        let answers = answers.into_iter().map(with_heap).collect();
        Self { requests, answers, scratch, parking }
    }

    /// Handles the next request if one is there; `false` if there is none. Never waits.
    ///
    /// A request that nobody waits for any more is passed over.
    ///
    /// # Errors
    ///
    /// As for [`serve`](Self::serve), but for the timeout.
    #[inline]
    pub fn try_serve(&mut self, handle: impl FnOnce(&mut Request<'_>)) -> Result<bool, ServeError> {
        match self.handle_next(None, handle) {
            Err(RecvError::Timeout) => Ok(false),
            handled => handled.map(|()| true),
        }
    }

    /// Handles the next request, waiting for it, up to `timeout` if there is one.
    ///
    /// Clients come and go: that all are gone is no reason not to wait for others. What one of them has damaged
    /// is an error, and keeps none of the others from being served by the next call.
    ///
    /// # Errors
    ///
    /// [`ServeError::Timeout`]; [`ServeError::Invalid`] for a request that is none: it is passed over;
    /// [`ServeError::Corrupt`] if the words of a lane are damaged; [`ServeError::Forked`] in a child.
    #[inline]
    pub fn serve(
        &mut self,
        timeout: Option<Duration>,
        handle: impl FnOnce(&mut Request<'_>),
    ) -> Result<(), ServeError> {
        self.handle_next(Some(timeout), handle)
    }

    #[inline(always)]
    fn handle_next(
        &mut self,
        wait: Option<Option<Duration>>,
        handle: impl FnOnce(&mut Request<'_>),
    ) -> Result<(), ServeError> {
        let Self { requests, answers, scratch, parking } = self;
        loop {
            let (client, position) = requests.next_of_anybody(wait)?;
            let lane = requests.lane(client);
            let (tag, incarnation, Body { start, len, .. }) = lane.tagged(position)?;
            let answers = &mut answers[client];
            if tag == PAD {
                lane.release();
                continue;
            }
            if answers.incarnation & 0xffff != u64::from(incarnation) {
                answers.succeed(lane.incarnation_of(position).unwrap_or(u64::from(incarnation)));
            }
            let open = if tag & ONE_WAY == 0 {
                match answers.words.asked(position) {
                    Ok(Outcome::Open(state)) => Some(state),
                    // It was given up, or its client has damaged its own words.
                    _ => {
                        lane.release();
                        continue;
                    }
                }
            } else {
                None
            };
            let (method, parking) = (tag & !ONE_WAY, *parking);
            handle(&mut Request {
                lane,
                position,
                start,
                len,
                answers,
                scratch,
                open,
                method,
                client,
                parking,
            });
            return Ok(());
        }
    }

    /// Who calls in this lane, or did last; `None` if there is no such lane.
    pub fn client(&self, lane: usize) -> Option<&PeerView> {
        self.requests.peer(lane)
    }

    /// How many clients there may be at once.
    pub fn clients(&self) -> usize {
        self.answers.len()
    }

    /// The channel's name.
    pub fn service(&self) -> &str {
        self.requests.channel()
    }

    /// A descriptor for `epoll` and its like: readable when there are requests, or once a slice. Before waiting for it,
    /// serve until [`try_serve`](Self::try_serve) says that there is nothing.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`]: the channel was made for sides that never sleep, or the system refuses.
    pub fn descriptor(&mut self) -> Result<BorrowedFd<'_>, DescriptorError> {
        self.requests.descriptor()
    }
}

impl Answers {
    /// The lane has another client. What the one before held of large answers is free.
    #[cold]
    fn succeed(&mut self, incarnation: u64) {
        self.incarnation = incarnation;
        self.heap.clear();
    }
}

/// A request. Dropped without an answer, it is answered with [`Status::Panicked`].
#[derive(Debug)]
pub struct Request<'a> {
    lane: &'a mut BytesReceiver,
    position: u64,
    start: *const u8,
    len: usize,
    answers: &'a mut Answers,
    scratch: &'a mut Scratch,
    /// What the state of its answer is; `None` if it wants none, or was answered.
    open: Option<u64>,
    method: u16,
    client: usize,
    parking: bool,
}

impl Request<'_> {
    /// Which method.
    #[inline(always)]
    pub fn method(&self) -> u16 {
        self.method
    }

    /// Whether somebody waits for an answer.
    pub fn wants_answer(&self) -> bool {
        self.open.is_some()
    }

    /// The address of the arguments, 16-aligned, valid until the request is answered.
    #[inline(always)]
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// How many bytes they take.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who calls: the number of its lane, and how many clients have had that, this one included.
    pub fn client(&self) -> (usize, u64) {
        (self.client, self.answers.incarnation)
    }

    /// Answers, once: what is answered after that, or to a request that wants no answer, or that was given up
    /// meanwhile, is nobody's.
    #[inline(always)]
    pub fn answer(&mut self, status: Status, result: &impl Encode) {
        let Some(open) = self.open.take() else { return };
        let position = self.position;
        let Answers { words, cells, incarnation, .. } = &mut *self.answers;
        let (cell, room) = (cells.at(&words.states, position), cells.room());
        // SAFETY: the body is `room` bytes, 16-aligned, which are the server's until it has answered.
        match unsafe { result.encode(cell.body(), room, self.scratch) } {
            Ok(len) => {
                cell.describe_tagged(len, *incarnation, status.tag());
                words.answer(position, open, self.parking);
            }
            Err(error) => self.answer_at_length(open, status, result, error),
        }
    }

    /// The same, if the answer is longer than its cell.
    #[cold]
    #[inline(never)]
    fn answer_at_length(
        &mut self,
        open: u64,
        status: Status,
        result: &impl Encode,
        error: WriteError,
    ) {
        let position = self.position;
        let Answers { words, cells, heap, incarnation } = &mut *self.answers;
        let cell = cells.at(&words.states, position);
        let needed = match error {
            WriteError::TooLarge { needed, .. } => needed,
            WriteError::Unsupported => usize::MAX,
        };
        let taken = heap.take(position, needed as u64, |position| words.is_released(position));
        let built = taken.and_then(|start| {
            let place = Place::Chunk(Chunk { start, bytes: needed as u64 });
            let body = cells.address(place)?;
            // SAFETY: the place was found to have `needed` bytes that are nobody's, aligned to a cache line.
            let len = unsafe { result.encode(body, needed, self.scratch) }.ok()?;
            Some((place, len))
        });
        match built {
            Some((place, len)) => {
                cell.describe_tagged_at(place, len, *incarnation, status.tag());
                if !words.answer(position, open, self.parking) {
                    heap.untake(position);
                }
            }
            None => {
                if taken.is_some() {
                    heap.untake(position);
                }
                // SAFETY: the body has at least a word, which is the server's until it has answered.
                unsafe { cell.body().cast::<u64>().write(needed as u64) };
                let status = Status::NoRoom.tag();
                cell.describe_tagged(size_of::<u64>(), *incarnation, status);
                words.answer(position, open, self.parking);
            }
        }
    }
}

impl Drop for Request<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Whoever handled it did not come to its end.
        if self.open.is_some() {
            self.answer(Status::Panicked, &());
        }
        self.lane.release();
    }
}
