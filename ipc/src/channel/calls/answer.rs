//! An answer that is there: where it lies, and who holds it.

use super::Status;
use super::connection::Connection;
use super::error::{CallError, Delivered};
use crate::message::Body;
use std::sync::Arc;

/// What is known of an answer that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    start: *const u8,
    len: usize,
    pub(super) status: Status,
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
    /// Whether it lies in the room for large answers.
    #[inline(always)]
    pub(super) fn large(self) -> bool {
        self.place == Whereabouts::Room
    }

    /// The bytes, to be read where they lie.
    ///
    /// # Safety
    ///
    /// The answer is held for as long as they are read.
    #[inline(always)]
    pub(super) unsafe fn body<'a>(self) -> Body<'a> {
        // SAFETY: aligned and initialised, and they stay as they are while the answer is held.
        unsafe { Body::new(self.start, self.len) }
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
                return Err(self.overloaded("it says so", Delivered::Yes));
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
        let delivered = Delivered::Yes;
        let room = self.cells.max_len() as u64;
        if needed > room {
            let service = self.service.clone();
            CallError::TooLarge { service, what: "answer", needed, room, delivered }
        } else {
            let what = "large answers are held for as long as there is no room for more";
            self.overloaded(what, delivered)
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
        self.found.len == 0
    }

    /// The bytes, to be read where they lie.
    #[inline]
    pub fn body(&self) -> Body<'_> {
        // SAFETY: the answer is held while it is borrowed.
        unsafe { self.found.body() }
    }

    /// What errors call the service; see [`Client::service`](super::Client::service).
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
