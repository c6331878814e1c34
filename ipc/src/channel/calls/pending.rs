//! A call that was made, and its answer.

use super::Status;
use super::client::Connection;
use super::error::{CallError, Delivered};
use crate::channel::link::Place;
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

    /// Waits for the answer, until `deadline` if there is one; then the call is given up.
    ///
    /// # Errors
    ///
    /// [`CallError::Timeout`]; [`CallError::PeerDied`] and [`CallError::Unregistered`] if the server is gone;
    /// [`CallError::Overloaded`] and [`CallError::TooLarge`] if it had no room for the answer;
    /// [`CallError::Abandoned`] if the batch of the call was dropped; [`CallError::Corrupt`] if the answer is
    /// none; [`CallError::Forked`] in a child. An answer that is an error of the service's own is an
    /// [`Answer`].
    #[inline(always)]
    pub fn wait(mut self, deadline: Option<Instant>) -> Result<Answer, CallError> {
        let Some(connection) = self.connection.take() else { return Err(CallError::Forked) };
        match connection.wait(self.position, deadline) {
            Ok(()) => take(connection, self.position),
            Err(error) => late(connection, self.position, error),
        }
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
        let mut over = connection.over(connection.look(self.position));
        if over.is_none() && matches!(connection.server().glance(), Peer::Closed | Peer::Died) {
            // What was answered before the end counts.
            let end = connection.end(self.position);
            over = connection.over(connection.look(self.position)).or_else(|| end.map(Err));
        }
        let (connection, over) = (Arc::clone(connection), over?);
        self.connection = None;
        Some(match over {
            Ok(()) => take(connection, self.position),
            Err(error) => late(connection, self.position, error),
        })
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

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.give_up(self.position) {
            // It was answered: taken, and dropped.
            let _ = take(connection, self.position);
        }
    }
}

/// The wait for an answer is over without it, unless it has come by now.
#[cold]
fn late(connection: Arc<Connection>, position: u64, error: CallError) -> Result<Answer, CallError> {
    if connection.give_up(position) { take(connection, position) } else { Err(error) }
}

/// Takes the answer that is there.
#[inline(always)]
fn take(connection: Arc<Connection>, position: u64) -> Result<Answer, CallError> {
    let cell = connection.cell(position);
    let (meta, tag) = cell.tagged();
    let mut answer = Answer {
        connection,
        position,
        status: Status::Done,
        start: cell.body(),
        len: 0,
        large: false,
    };
    match meta.inline_len() {
        // The usual case.
        Some(len)
            if tag == Status::Done as u16 && len as usize <= answer.connection.cells.room() =>
        {
            answer.len = len as usize;
            Ok(answer)
        }
        _ => answer.examine(),
    }
}

/// An answer in place: its bytes stay as they are until it is dropped. Any thread may hold it, for as long
/// as it likes: the place of one call is taken until then, and no more.
#[derive(Debug)]
pub struct Answer {
    connection: Arc<Connection>,
    position: u64,
    status: Status,
    start: *const u8,
    len: usize,
    /// Whether it lies in the room for large answers.
    large: bool,
}

// SAFETY: the bytes are not written while this exists, and whoever has it may read them.
unsafe impl Send for Answer {}
// SAFETY: as above.
unsafe impl Sync for Answer {}

impl Answer {
    /// How the call was answered: [`Status::Done`], [`Status::Failed`], or what the layer above says.
    #[inline(always)]
    pub fn status(&self) -> Status {
        self.status
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

    /// The channel's name.
    pub fn service(&self) -> &str {
        &self.connection.service
    }

    /// Reads what is noted of an answer that is not of the usual kind.
    #[cold]
    #[inline(never)]
    fn examine(mut self) -> Result<Self, CallError> {
        let cell = self.connection.cell(self.position);
        let (meta, tag) = cell.tagged();
        let Some(status) = Status::of(tag) else {
            return Err(self.corrupt(format!("an answer has status {tag}, which there is not")));
        };
        self.status = status;
        if status == Status::NoRoom {
            // SAFETY: the body has at least a word, which nobody writes while the answer is held.
            let needed = unsafe { self.start.cast::<u64>().read() };
            return Err(self.no_room(needed));
        }
        let room = self.connection.cells.room();
        match meta.inline_len() {
            Some(len) if len as usize <= room => self.len = len as usize,
            Some(len) => return Err(self.corrupt(format!("an answer of {len} bytes in {room}"))),
            None => match cell.place() {
                Ok(place @ Place::Chunk(chunk)) => {
                    let Some(start) = self.connection.cells.address(place) else {
                        let (at, bytes) = place.words();
                        return Err(self.corrupt(format!("an answer of {bytes} bytes at {at}")));
                    };
                    // It lies in memory that is mapped.
                    #[allow(clippy::cast_possible_truncation)]
                    let len = chunk.bytes as usize;
                    (self.start, self.len, self.large) = (start, len, true);
                }
                Ok(Place::Block { .. }) | Err(_) => {
                    return Err(self.corrupt(format!("an answer of kind {}", meta.kind())));
                }
            },
        }
        if status == Status::Overloaded {
            return Err(CallError::Overloaded {
                service: self.service().into(),
                what: "it says so",
                delivered: Delivered::Yes,
            });
        }
        Ok(self)
    }

    fn no_room(&self, needed: u64) -> CallError {
        let (service, delivered) = (self.service().into(), Delivered::Yes);
        let room = self.connection.cells.max_len() as u64;
        if needed > room {
            CallError::TooLarge { service, what: "answer", needed, room, delivered }
        } else {
            let what = "large answers are held for as long as there is no room for more";
            CallError::Overloaded { service, what, delivered }
        }
    }

    fn corrupt(&self, reason: String) -> CallError {
        let (service, delivered) = (self.service().into(), Delivered::Yes);
        CallError::Corrupt { service, reason: reason.into(), delivered }
    }
}

impl Drop for Answer {
    #[inline(always)]
    fn drop(&mut self) {
        self.connection.release(self.position, self.large);
    }
}
