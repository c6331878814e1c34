//! What is done with blocks.

use super::Contender;
use std::cell::UnsafeCell;
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Blocks of a batch.
const BATCH: usize = 64;

static CORES: OnceLock<(usize, usize)> = OnceLock::new();

/// Pins this thread to the first core that the process may use; the second is for the other side.
pub(crate) fn pin() -> Option<(usize, usize)> {
    let ids = core_affinity::get_core_ids()?;
    let [here, there, ..] = ids[..] else { return None };
    core_affinity::set_for_current(here);
    Some(*CORES.get_or_init(|| (here.id, there.id)))
}

/// How many batches may be on their way.
pub(crate) const fn depth(size: usize) -> usize {
    if size > 1_024 { 4 } else { 16 }
}

/// The median over many short slices: those in which the core was taken away do not count.
fn per_block(blocks: usize, mut slice: impl FnMut()) -> f64 {
    const SLICES: usize = 101;
    (0..SLICES / 10).for_each(|_| slice()); // warm-up
    let mut taken: Vec<f64> = (0..SLICES)
        .map(|_| {
            let start = Instant::now();
            slice();
            start.elapsed().as_secs_f64() * 1e9 / blocks as f64
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    taken[SLICES / 2]
}

/// As `black_box`, but in a register: that one goes through memory, which takes longer than some of what
/// is measured here. The compiler must suppose that all memory was read and written.
#[inline(always)]
fn opaque<T>(mut pointer: *mut T) -> *mut T {
    // SAFETY: no instruction at all.
    unsafe { std::arch::asm!("/* {} */", inout(reg) pointer, options(nostack, preserves_flags)) };
    pointer
}

#[inline(always)]
fn write_to<C: Contender>(held: &mut C::Held) {
    let start = opaque(C::start(held));
    // SAFETY: blocks have 64 bytes or more, aligned to 16, and this one is the holder's.
    unsafe { start.write(7) };
}

pub(crate) fn pair<C: Contender, const SIZE: usize>() -> f64 {
    const PAIRS: usize = 20_000;
    let contender = C::new();
    // Its address is known elsewhere, for all that the compiler knows: nothing stays in registers.
    let contender = black_box(&contender);
    per_block(PAIRS, || {
        for _ in 0..PAIRS {
            let mut held = contender.take();
            write_to::<C>(&mut held);
            C::give(held);
        }
    })
}

pub(crate) fn batch<C: Contender, const SIZE: usize>() -> f64 {
    const BATCHES: usize = 200;
    let contender = C::new();
    let contender = black_box(&contender);
    let mut held = Vec::with_capacity(BATCH);
    per_block(BATCHES * BATCH, || {
        for _ in 0..BATCHES {
            for _ in 0..BATCH {
                let mut one = contender.take();
                write_to::<C>(&mut one);
                held.push(one);
            }
            held.drain(..).for_each(C::give);
        }
    })
}

/// A ring of batches from one thread to the other.
struct Way<H> {
    batches: Box<[UnsafeCell<Vec<H>>]>,
    sent: Line,
    given: Line,
}

#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicUsize);

impl Line {
    fn wait_for(&self, value: usize) {
        while self.0.load(Ordering::Acquire) < value {
            spin_loop();
        }
    }
}

// SAFETY: a batch is its sender's until `sent` says so, then the receiver's until `given` does.
unsafe impl<H: Send> Sync for Way<H> {}

/// The time spent on batches, without waiting for the other side.
#[derive(Default)]
struct Spent {
    nanoseconds: f64,
    batches: u64,
}

impl Spent {
    /// Longer for one batch, and the core was taken away meanwhile: such batches are left out.
    const INTERRUPTED: f64 = 200_000.0;
    /// Batches before the first that counts.
    const WARM_UP: usize = 2_000;

    fn add(&mut self, number: usize, start: Instant) {
        let taken = start.elapsed().as_secs_f64() * 1e9;
        if number >= Self::WARM_UP && taken < Self::INTERRUPTED {
            self.nanoseconds += taken;
            self.batches += 1;
        }
    }

    fn per_block(&self) -> f64 {
        self.nanoseconds / self.batches as f64 / BATCH as f64
    }
}

/// What both sides spend on a block, one after the other.
pub(crate) fn across<C: Contender, const SIZE: usize>() -> f64 {
    const BATCHES: usize = 20_000;
    let depth = depth(SIZE);
    let way = Arc::new(Way::<C::Held> {
        batches: (0..depth).map(|_| UnsafeCell::new(Vec::with_capacity(BATCH))).collect(),
        sent: Line::default(),
        given: Line::default(),
    });
    let other = {
        let way = Arc::clone(&way);
        thread::spawn(move || give_all::<C>(&way, BATCHES, depth))
    };
    let contender = C::new();
    let contender = black_box(&contender);
    let mut spent = Spent::default();
    for number in 0..BATCHES {
        way.given.wait_for((number + 1).saturating_sub(depth));
        // SAFETY: it was given back, or never sent.
        let batch = unsafe { &mut *way.batches[number % depth].get() };
        let start = Instant::now();
        for _ in 0..BATCH {
            let mut held = contender.take();
            write_to::<C>(&mut held);
            batch.push(held);
        }
        spent.add(number, start);
        way.sent.0.store(number + 1, Ordering::Release);
    }
    spent.per_block() + other.join().expect("the other side").per_block()
}

fn give_all<C: Contender>(way: &Way<C::Held>, batches: usize, depth: usize) -> Spent {
    if let Some(&(_, there)) = CORES.get() {
        core_affinity::set_for_current(core_affinity::CoreId { id: there });
    }
    let mut spent = Spent::default();
    for number in 0..batches {
        way.sent.wait_for(number + 1);
        // SAFETY: it was sent.
        let batch = unsafe { &mut *way.batches[number % depth].get() };
        let start = Instant::now();
        for mut held in batch.drain(..) {
            // SAFETY: blocks have 64 bytes or more, and the first word was written.
            black_box(unsafe { C::start(&mut held).read() });
            C::give(held);
        }
        spent.add(number, start);
        way.given.0.store(number + 1, Ordering::Release);
    }
    spent
}
