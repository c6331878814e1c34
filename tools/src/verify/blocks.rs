//! Memory pools, size classes and who owns what, and the guide's own pool beside ours: a list of free
//! blocks without owner, state or limit.

use super::judge::{Behaviour, Beside};
use super::lab::{Lab, ROUNDS, effort, median};
use crate::allocations;
use allocator_api2::alloc::Allocator;
use anyhow::{Context, Result, ensure};
use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::thread;
use std::time::Instant;
use strait_pools::pool::fixed::CHUNK;
use strait_pools::pool::{FixedPool, Pooled, SizeClass, ThreadHeap};

/// Requests that are out at a time, and how often so many are taken and given back in a round.
const OUT: usize = 64;
const TURNS: u64 = effort(50_000);

/// What the pools hold in the measurements.
#[derive(Debug, Default)]
struct Request {
    number: u64,
    fields: [u64; 5],
}

/// The guide's listing, with the two errors that it does not survive mended: the list begins empty, and
/// a block begins with its data.
struct Listing {
    free: *mut Block,
    chunks: Vec<Box<[UnsafeCell<Block>]>>,
}

#[repr(C)]
struct Block {
    data: Request,
    next: *mut Block,
}

impl Listing {
    fn new() -> Self {
        Self { free: ptr::null_mut(), chunks: Vec::new() }
    }

    #[inline(always)]
    fn allocate(&mut self) -> *mut Block {
        if self.free.is_null() {
            self.expand();
        }
        let block = self.free;
        // SAFETY: blocks in the list are of chunks that live as long as the list.
        self.free = unsafe { (*block).next };
        block
    }

    /// # Safety
    ///
    /// The block came from `allocate`, and was not given back since.
    #[inline(always)]
    unsafe fn deallocate(&mut self, block: *mut Block) {
        // SAFETY: the caller's block, of a chunk that lives as long as the list.
        unsafe { (*block).next = self.free };
        self.free = block;
    }

    #[cold]
    fn expand(&mut self) {
        let block = || Block { data: Request::default(), next: ptr::null_mut() };
        let chunk: Box<[_]> = (0..CHUNK).map(|_| UnsafeCell::new(block())).collect();
        for place in chunk.iter().rev() {
            // SAFETY: a block that nobody has yet.
            unsafe { (*place.get()).next = self.free };
            self.free = place.get();
        }
        self.chunks.push(chunk);
    }
}

fn requests() -> Result<FixedPool<Request>> {
    Ok(FixedPool::options("requests").make(Request::default)?)
}

/// Whether a pool grows by chunks of 1,024, and lends again what came back instead of asking the system.
pub(super) fn chunks(_: &mut Lab) -> Result<Behaviour> {
    let pool = requests()?;
    let first = pool.len();
    let mut out = (0..CHUNK).map(|_| pool.take()).collect::<Result<Vec<_>, _>>()?;
    let full = pool.len();
    out.push(pool.take()?);
    let grown = pool.len();
    let last = out.pop().context("none is out")?;
    let place = ptr::from_ref(&*last);
    drop(last);
    let (allocations, again) = allocations::count(|| pool.take());
    let same = ptr::eq(place, &*again?);
    let counted = allocations.map_or("not counted".to_owned(), |count| count.to_string());
    Ok(Behaviour {
        holds: (first, full, grown, same) == (CHUNK, CHUNK, 2 * CHUNK, true)
            && allocations.is_none_or(|count| count == 0),
        seen: format!(
            "{full} blocks, {grown} once they were all out; the block given back last is lent next; \
             allocations for it: {counted}"
        ),
    })
}

/// Nanoseconds from taking a block to having given it back: ours, then the listing's.
pub(super) fn beside_the_list(_: &mut Lab) -> Result<Beside> {
    let (pool, mut listing) = (requests()?, Listing::new());
    let (mut ours, mut other) = (Vec::new(), Vec::new());
    let each = |begun: Instant| begun.elapsed().as_nanos() as f64 / (TURNS * OUT as u64) as f64;
    let mut handles = Vec::with_capacity(OUT);
    let mut blocks = Vec::with_capacity(OUT);
    // The first round of each warms up.
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        for number in 0..TURNS {
            for _ in 0..OUT {
                let mut request = pool.take()?;
                request.number = number;
                handles.push(request);
            }
            black_box(&handles).iter().for_each(|request| _ = black_box(request.fields[0]));
            handles.clear();
        }
        let one = each(begun);
        let begun = Instant::now();
        for number in 0..TURNS {
            for _ in 0..OUT {
                let block = listing.allocate();
                // SAFETY: ours until it is given back. What the other pool finds made is made here.
                unsafe { (*block).data = Request { number, fields: [0; 5] } };
                blocks.push(block);
            }
            for &block in black_box(&blocks) {
                // SAFETY: written above.
                black_box(unsafe { (*block).data.fields[0] });
            }
            for block in blocks.drain(..) {
                // SAFETY: allocated above, and given back once.
                unsafe { listing.deallocate(block) };
            }
        }
        let two = each(begun);
        if round > 0 {
            ours.push(one);
            other.push(two);
        }
    }
    Ok(Beside { ours: median(ours), other: median(other) })
}

/// Whether there are the guide's three sizes, with their edges where it has them.
pub(super) fn classes(_: &mut Lab) -> Result<Behaviour> {
    // On a thread of its own, whose heap nobody has used.
    thread::spawn(classes_here).join().ok().context("the thread that allocates panicked")?
}

fn classes_here() -> Result<Behaviour> {
    const EDGES: [(usize, usize); 7] = [
        (1, 64),
        (64, 64),
        (65, 1_024),
        (1_024, 1_024),
        (1_025, 65_536),
        (65_536, 65_536),
        (65_537, 65_537),
    ];
    let mut given = Vec::new();
    for (asked, _) in EDGES {
        let layout = Layout::array::<u8>(asked)?;
        let block: NonNull<[u8]> = ThreadHeap.take(layout)?;
        ensure!(asked > 65_536 || block.cast::<u8>().addr().get().is_multiple_of(64), "unaligned");
        given.push((asked, block.len()));
        // SAFETY: just allocated with this layout.
        unsafe { ThreadHeap.deallocate(block.cast(), layout) };
    }
    let from_the_system = ThreadHeap::statistics().fallbacks;
    let sizes = SizeClass::ALL.map(SizeClass::size);
    let words: Vec<String> =
        given.iter().map(|(asked, block)| format!("{asked} B in {block}")).collect();
    Ok(Behaviour {
        holds: given == EDGES && sizes == [64, 1_024, 65_536] && from_the_system == 1,
        seen: format!("{}; {from_the_system} of them from the system", words.join(", ")),
    })
}

/// Whether a block has one owner, whom no count follows, and gives itself back once.
pub(super) fn one_owner(_: &mut Lab) -> Result<Behaviour> {
    let pool = requests()?;
    let pointer = size_of::<Pooled<Request>>() == size_of::<usize>();
    let request = pool.take()?;
    let moved = thread::spawn(move || drop(request)).join().is_ok();
    let back = pool.available() == pool.len();
    let request = pool.take()?;
    let ticket = pool.detach(request).ok().context("not of its pool")?;
    let first = pool.attach(ticket)?;
    let second = pool.attach(ticket);
    let refused = second.is_err();
    drop(first);
    let all_back = pool.available() == pool.len();
    Ok(Behaviour {
        holds: pointer && moved && back && refused && all_back,
        seen: format!(
            "a handle is a pointer of {} bytes, and returns from another thread; a ticket for one is \
             good once, then: {}",
            size_of::<Pooled<Request>>(),
            second.err().map_or("nothing".to_owned(), |error| error.to_string())
        ),
    })
}

/// A node of a tree whose parts are of a pool and know each other both ways.
#[derive(Default)]
struct Part {
    child: Option<Rc<Pooled<Part>>>,
    parent: Weak<Pooled<Part>>,
}

/// Whether a cycle that is closed by a weak reference returns to its pool.
pub(super) fn cycles(_: &mut Lab) -> Result<Behaviour> {
    let options = FixedPool::options("parts").bounded(2);
    let pool = options.reset(|part| *part = Part::default()).make(Part::default)?;
    let (mut upper, mut lower) = (pool.take()?, pool.take()?);
    let parent = Rc::new_cyclic(|parent| {
        lower.parent = Weak::clone(parent);
        upper.child = Some(Rc::new(lower));
        upper
    });
    let way_up = parent.child.as_ref().and_then(|child| child.parent.upgrade());
    let closed = way_up.is_some_and(|found| Rc::ptr_eq(&found, &parent));
    let out = pool.len() - pool.available();
    drop(parent);
    let back = pool.available();
    Ok(Behaviour {
        holds: closed && (out, back) == (2, 2),
        seen: format!("{out} objects that refer to each other, {back} back with the last handle"),
    })
}
