//! Who is reading, and since when.

use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicPtr, AtomicU64, Site, fence};
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::null_mut;

/// Places in a row. More threads at once than that, and another row is added, for ever.
const ROW: usize = if cfg!(loom) { 1 } else { 16 };

/// A place that is nobody's.
const FREE: u64 = 0;

/// A place whose thread is not reading: as if it had begun after everything.
const IDLE: u64 = u64::MAX;

/// What all snapshots of the process share.
struct Readers {
    epoch: Line,
    first: Row,
}

struct Row {
    /// [`FREE`], [`IDLE`], or the epoch in which somebody came.
    places: [Line; ROW],
    more: AtomicPtr<Row>,
}

/// A word that one thread writes, away from those of others.
#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicU64);

/// The place of a thread, from its first reading until it ends.
struct Own(Cell<Option<&'static Line>>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(place) = self.0.get() {
            // If a reading was forgotten, the place stays taken.
            let _ = place.0.compare_exchange(IDLE, FREE, Relaxed, Relaxed);
        }
    }
}

#[cfg(not(loom))]
static READERS: std::sync::LazyLock<Readers> = std::sync::LazyLock::new(Readers::new);

#[cfg(not(loom))]
thread_local! {
    static OWN: Own = const { Own(Cell::new(None)) };
}

#[cfg(loom)]
loom::lazy_static! {
    // A model's first thread gives its place back after this is dropped.
    static ref READERS: &'static Readers = Box::leak(Box::new(Readers::new()));
}

#[cfg(loom)]
loom::thread_local! {
    static OWN: Own = Own(Cell::new(None));
}

/// Somebody reads snapshots: what is current when one is read stays until this is dropped.
///
/// Short, please: whatever is replaced meanwhile, anywhere in the process, stays as well.
#[derive(Debug)]
#[must_use]
pub struct Reading {
    place: &'static Line,
    /// What the place is when it is left.
    after: u64,
    /// The place belongs to this thread.
    here: PhantomData<*const ()>,
}

/// Begins to read.
///
/// One store to a line of this thread's own, and a full fence; no lock, and no allocation unless more
/// threads read than ever did before. A thread's first reading finds it its line, and one inside of
/// another takes one for a while: each with a compare-and-swap.
#[inline]
pub fn enter() -> Reading {
    let readers: &'static Readers = &READERS;
    let epoch = readers.epoch.0.load(Relaxed);
    let (place, after) = match OWN.try_with(|own| own.0.get()) {
        Ok(Some(place)) if place.0.load(Relaxed) == IDLE => {
            place.0.store(epoch, Release.at("snapshot.again"));
            (place, IDLE)
        }
        own => take(&readers.first, epoch, matches!(own, Ok(None))),
    };
    fence(SeqCst, "snapshot.enter");
    Reading { place, after, here: PhantomData }
}

/// A place that was nobody's, for as long as this thread or for one reading; and what it is then.
#[cold]
fn take(first: &'static Row, epoch: u64, to_keep: bool) -> (&'static Line, u64) {
    let place = first.take(epoch);
    let kept = to_keep && OWN.try_with(|own| own.0.set(Some(place))).is_ok();
    (place, if kept { IDLE } else { FREE })
}

impl Drop for Reading {
    #[inline]
    fn drop(&mut self) {
        self.place.0.store(self.after, Release.at("snapshot.leave"));
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
            places: std::array::from_fn(|_| Line(AtomicU64::new(FREE))),
            more: AtomicPtr::new(null_mut()),
        }
    }

    /// A place that was nobody's, here or behind.
    fn take(&'static self, epoch: u64) -> &'static Line {
        let mut row = self;
        loop {
            let free =
                |place: &&Line| place.0.compare_exchange(FREE, epoch, Relaxed, Relaxed).is_ok();
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
                    FREE => {}
                    epoch => earliest = earliest.min(epoch),
                }
            }
            rows = row.next();
        }
        earliest
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// One after the other, more threads read than a row has places.
    #[test]
    fn a_thread_that_ends_gives_its_place_back() {
        for _ in 0..2 * ROW {
            let reader = std::thread::spawn(|| {
                let outer = enter();
                drop(enter());
                drop(outer);
            });
            reader.join().unwrap();
        }
        assert!(READERS.first.next().is_none());
    }
}
