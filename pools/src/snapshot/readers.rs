//! Who is reading, and since when.

use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicPtr, AtomicU64, Site, fence, thread_number};
use std::ptr::null_mut;

/// Places in a row. More readers at once than that, and another row is added, for ever.
const ROW: usize = if cfg!(loom) { 1 } else { 16 };

/// What all snapshots of the process share.
struct Readers {
    epoch: Line,
    first: Row,
}

struct Row {
    /// 0 while nobody is there, or the epoch in which somebody came.
    places: [Line; ROW],
    more: AtomicPtr<Row>,
}

/// A word that one thread writes, away from those of others.
#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicU64);

#[cfg(not(loom))]
static READERS: std::sync::LazyLock<Readers> = std::sync::LazyLock::new(Readers::new);

#[cfg(loom)]
loom::lazy_static! {
    static ref READERS: Readers = Readers::new();
}

/// Somebody reads snapshots: what is current when one is read stays until this is dropped.
///
/// Short, please: whatever is replaced meanwhile, anywhere in the process, stays as well.
#[derive(Debug)]
#[must_use]
pub struct Reading {
    place: &'static Line,
}

/// Begins to read.
///
/// One compare-and-swap on a line of this thread's own, and a full fence; no lock, and no allocation
/// unless more threads read at this very moment than ever did before.
#[inline]
pub fn enter() -> Reading {
    let readers: &'static Readers = &READERS;
    let place = readers.first.take(readers.epoch.0.load(Relaxed));
    fence(SeqCst, "snapshot.enter");
    Reading { place }
}

impl Drop for Reading {
    #[inline]
    fn drop(&mut self) {
        self.place.0.store(0, Release.at("snapshot.leave"));
    }
}

/// Ends an epoch; returns its number. What was replaced before is not seen by whoever enters later.
pub(super) fn end_epoch() -> u64 {
    fence(SeqCst, "snapshot.collect");
    READERS.epoch.0.fetch_add(1, Relaxed)
}

/// The earliest epoch of those in which somebody who is still reading began; after the call of
/// [`end_epoch`] whose number it is compared with.
pub(super) fn earliest() -> u64 {
    READERS.first.earliest()
}

impl Readers {
    fn new() -> Self {
        Self { epoch: Line(AtomicU64::new(1)), first: Row::new() }
    }
}

impl Row {
    fn new() -> Self {
        Self {
            places: std::array::from_fn(|_| Line(AtomicU64::new(0))),
            more: AtomicPtr::new(null_mut()),
        }
    }

    #[inline]
    fn take(&'static self, epoch: u64) -> &'static Line {
        // Reduced to a row's length at once.
        #[allow(clippy::cast_possible_truncation)]
        let usual = (thread_number() % ROW as u64) as usize;
        let place = &self.places[usual];
        if place.0.compare_exchange(0, epoch, Relaxed, Relaxed).is_ok() {
            return place;
        }
        self.take_another(epoch)
    }

    /// Any place, here or behind.
    #[cold]
    fn take_another(&'static self, epoch: u64) -> &'static Line {
        let mut row = self;
        loop {
            let free = |place: &&Line| place.0.compare_exchange(0, epoch, Relaxed, Relaxed).is_ok();
            if let Some(place) = row.places.iter().find(free) {
                return place;
            }
            row = row.next().unwrap_or_else(|| row.grow());
        }
    }

    fn next(&self) -> Option<&'static Self> {
        let more = self.more.load(Acquire.at("snapshot.follow"));
        // SAFETY: null, or from the box in `grow`, which nobody frees.
        unsafe { more.as_ref() }
    }

    /// Adds a row behind this one, or finds that of another thread.
    fn grow(&self) -> &'static Self {
        let new = Box::into_raw(Box::new(Self::new()));
        let added =
            self.more.compare_exchange(null_mut(), new, Release.at("snapshot.grow"), Relaxed);
        if added.is_err() {
            // SAFETY: it came from a box two lines above, and nobody else has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
        self.next().expect("a row is there, and stays")
    }

    fn earliest(&self) -> u64 {
        let mut earliest = u64::MAX;
        let mut rows = Some(self);
        while let Some(row) = rows {
            for place in &row.places {
                match place.0.load(Acquire.at("snapshot.left")) {
                    0 => {}
                    epoch => earliest = earliest.min(epoch),
                }
            }
            rows = row.next();
        }
        earliest
    }
}
