//! A call that was made, and its answer.

use super::Status;
use super::client::Connection;
use super::error::{CallError, Delivered};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use strait_pools::environment::{Liveness, Peer};

/// How often a future asks the kernel whether the server's process still exists.
const PROBE_EVERY: Duration = Duration::from_millis(1);

/// A call that was made and not answered yet. Dropped, it is given up: its answer is nobody's.
#[derive(Debug)]
pub struct Pending {
    /// `None` once the answer was taken, or the call is over without one.
    connection: Option<Arc<Connection>>,
    position: u64,
    /// When the kernel was asked last.
    probed: Option<Instant>,
}

impl Pending {
    #[inline(always)]
    pub(super) fn new(connection: Arc<Connection>, position: u64) -> Self {
        Self { connection: Some(connection), position, probed: None }
    }

    /// Waits for the answer, up to `timeout` from now on if there is one; then the call is given up.
    ///
    /// # Errors
    ///
    /// [`CallError::Timeout`]; [`CallError::PeerDied`] and [`CallError::Unregistered`] if the server is gone;
    /// [`CallError::Overloaded`] and [`CallError::TooLarge`] if it had no room for the answer;
    /// [`CallError::Abandoned`] if the batch of the call was dropped; [`CallError::Corrupt`] if the answer is
    /// none; [`CallError::Forked`] in a child. An answer that is an error of the service's own is an
    /// [`Answer`].
    #[inline(always)]
    pub fn wait(mut self, timeout: Option<Duration>) -> Result<Answer, CallError> {
        let Some(connection) = self.connection.take() else { return Err(CallError::Forked) };
        let found = connection.finish(self.position, timeout)?;
        Ok(Answer::new(connection, self.position, found))
    }

    /// The answer if it is there; it is taken once.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait), without a timeout. That the server died is noticed by a wait, or by
    /// others.
    pub fn try_wait(&mut self) -> Option<Result<Answer, CallError>> {
        let connection = self.connection.as_ref()?;
        if connection.guard().forked() {
            return Some(Err(CallError::Forked));
        }
        let position = self.position;
        let mut over = connection.over(connection.look(position));
        if over.is_none() && matches!(connection.server().glance(), Peer::Closed | Peer::Died) {
            // What was answered before the end counts.
            let end = connection.end(position);
            over = connection.over(connection.look(position)).or_else(|| end.map(Err));
        }
        let over = over?;
        let connection = self.connection.take()?;
        let found = match over {
            Ok(()) => connection.find(position),
            Err(error) => connection.too_late(position, error),
        };
        Some(found.map(|found| Answer::new(connection, position, found)))
    }

    /// As a future: ready once the call is answered. It is polled again at once, as a side that spins does.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait), without a timeout: race it against a timer of the runtime's, and drop it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, CallError>> {
        if let Some(answered) = self.try_wait() {
            return Poll::Ready(answered);
        }
        if let Some(connection) = &self.connection {
            let now = Instant::now();
            let last = *self.probed.get_or_insert(now);
            if now.duration_since(last) >= PROBE_EVERY {
                self.probed = Some(now);
                connection.server().probe();
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Pending {
    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.give_up(self.position)
            && let Ok(found) = connection.find(self.position)
        {
            // It was answered: taken, and dropped.
            drop(Answer::new(connection, self.position, found));
        }
    }
}

impl Drop for Pending {
    #[inline(always)]
    fn drop(&mut self) {
        if self.connection.is_some() {
            self.give_up();
        }
    }
}

/// What is known of an answer that is there.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    start: *const u8,
    len: usize,
    status: Status,
    /// Whether it lies in the room for large answers.
    place: Whereabouts,
}

/// Where an answer lies. (Words of full width: narrower ones would be written one by one and read together, which
/// processors are slow at.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Whereabouts {
    Cell,
    Room,
}

impl Found {
    /// How the call was answered.
    #[inline(always)]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether it lies in the room for large answers.
    #[inline(always)]
    pub(super) fn large(&self) -> bool {
        self.place == Whereabouts::Room
    }

    /// The address of the bytes, 16-aligned.
    #[inline(always)]
    pub fn as_ptr(&self) -> *const u8 {
        self.start
    }

    /// How many there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Connection {
    /// The answer to the call at `position`, which is there. If it is none, its place is given back.
    #[inline(always)]
    pub(super) fn find(&self, position: u64) -> Result<Found, CallError> {
        let cell = self.cell(position);
        let (meta, tag) = cell.tagged();
        match meta.inline_len() {
            Some(len) if tag == Status::Done.tag() && len as usize <= self.cells.room() => {
                let (status, start, len) = (Status::Done, cell.body().cast_const(), len as usize);
                Ok(Found { start, len, status, place: Whereabouts::Cell })
            }
            _ => self.find_unusual(position),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_unusual(&self, position: u64) -> Result<Found, CallError> {
        let found = self.examine(position);
        if found.is_err() {
            self.release(position, false);
        }
        found
    }

    fn examine(&self, position: u64) -> Result<Found, CallError> {
        let corrupt = |reason: String| CallError::Corrupt {
            service: self.service.clone(),
            reason: reason.into(),
            delivered: Delivered::Yes,
        };
        let cell = self.cell(position);
        let (meta, tag) = cell.tagged();
        let Some(status) = Status::of(tag) else {
            return Err(corrupt(format!("an answer has status {tag}, which there is not")));
        };
        let start = cell.body().cast_const();
        match status {
            Status::NoRoom => {
                // SAFETY: the body has at least a word, which nobody writes while the answer is held.
                let needed = unsafe { start.cast::<u64>().read() };
                return Err(self.no_room(needed));
            }
            Status::Overloaded => {
                return Err(CallError::Overloaded {
                    service: self.service.clone(),
                    what: "it says so",
                    delivered: Delivered::Yes,
                });
            }
            _ => {}
        }
        let room = self.cells.room();
        match meta.inline_len() {
            Some(len) if len as usize <= room => {
                Ok(Found { start, len: len as usize, status, place: Whereabouts::Cell })
            }
            Some(len) => Err(corrupt(format!("an answer of {len} bytes in {room}"))),
            None => {
                let place = cell.place().map_err(|invalid| corrupt(invalid.to_string()))?;
                let (at, bytes) = place.words();
                let start = self.cells.address(place);
                let start =
                    start.ok_or_else(|| corrupt(format!("an answer of {bytes} bytes at {at}")))?;
                // It lies in memory that is mapped.
                #[allow(clippy::cast_possible_truncation)]
                let len = bytes as usize;
                Ok(Found { start, len, status, place: Whereabouts::Room })
            }
        }
    }

    fn no_room(&self, needed: u64) -> CallError {
        let (service, delivered) = (self.service.clone(), Delivered::Yes);
        let room = self.cells.max_len() as u64;
        if needed > room {
            CallError::TooLarge { service, what: "answer", needed, room, delivered }
        } else {
            let what = "large answers are held for as long as there is no room for more";
            CallError::Overloaded { service, what, delivered }
        }
    }
}

/// An answer in place: its bytes stay as they are until it is dropped. Any thread may hold it, for as long
/// as it likes: the place of one call is taken until then, and no more.
#[derive(Debug)]
pub struct Answer {
    connection: Arc<Connection>,
    position: u64,
    found: Found,
}

// SAFETY: the bytes are not written while this exists, and whoever has it may read them.
unsafe impl Send for Answer {}
// SAFETY: as above.
unsafe impl Sync for Answer {}

impl Answer {
    #[inline(always)]
    pub(super) fn new(connection: Arc<Connection>, position: u64, found: Found) -> Self {
        Self { connection, position, found }
    }

    /// How the call was answered: [`Status::Done`], [`Status::Failed`], or what the layer above says.
    #[inline(always)]
    pub fn status(&self) -> Status {
        self.found.status
    }

    /// The address of the bytes, 16-aligned.
    #[inline(always)]
    pub fn as_ptr(&self) -> *const u8 {
        self.found.start
    }

    /// How many there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.found.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The channel's name.
    pub fn service(&self) -> &str {
        &self.connection.service
    }
}

impl Drop for Answer {
    #[inline(always)]
    fn drop(&mut self) {
        self.connection.release(self.position, self.found.large());
    }
}
