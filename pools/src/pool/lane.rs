//! The return lane: how what was freed elsewhere finds its way home.
//!
//! ```text
//!                    ┌──────┐    ┌───────┐    ┌───────┐    ┌───────┐
//!   any thread ────► │ head ├───►│ node  ├───►│ node  ├───►│ node  ├──► nothing
//!   puts in front    └──┬───┘    │ next  │    │ next  │    │ next  │
//!                       │        └───────┘    └───────┘    └───────┘
//!                       └─────► the owner takes all of it at once
//! ```
//!
//! A list in whose front any thread puts a chain of nodes with one compare-and-swap (R. K. Treiber,
//! 1986), and which the owner takes whole with one swap. Nobody ever takes a single node, so the
//! question that makes Treiber's stack hard, whether the head is *still* the node whose successor was
//! read (ABA), does not come up: who puts a node in front writes whatever head it replaces into the
//! node's link, and only that it is the head at that moment matters.
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `head`, Release (`lane.push`) | `head`, Acquire (`lane.take`) | the links, and what was written before the push |
//! | `head`, Release (`lane.push`) | `head`, Acquire (`lane.close`) | the same, to an owner that takes its leave |
//!
//! A swap or a compare-and-swap continues the release sequence of the pushes before it, so the owner
//! sees all links of a list that several threads made.
//!
//! # When a thread dies here
//!
//! *A thread that pushes*, before the compare-and-swap: its chain is nowhere, and lost with it. After
//! it: the chain has arrived. *The owner*: the lane closes ([`Lane::close`]), and who pushes from then
//! on is told, and settles the matter by itself (see [`closing`](super::closing)).

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicPtr, Site};
use std::ptr::{self, NonNull};

/// What can wait in a lane.
pub trait Node: Sized {
    /// Writes the node's link.
    ///
    /// Called by [`Lane::push`] for the last node of a chain, which is still the caller's.
    fn set_next(&self, next: *mut Self);

    /// The node behind this one, or null.
    fn next(&self) -> *mut Self;
}

/// The lane is closed; the chain is still the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Many threads put, one takes.
#[derive(Debug)]
pub struct Lane<N> {
    /// The node put last, null if there is none, [`closed`] once the owner has left.
    head: AtomicPtr<N>,
}

/// The head of a closed lane: an address at which there is no node.
fn closed<N>() -> *mut N {
    ptr::without_provenance_mut(1)
}

impl<N: Node> Default for Lane<N> {
    fn default() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<N: Node> Lane<N> {
    /// Puts the chain from `first` to `last` in front.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the owner has left.
    ///
    /// # Safety
    ///
    /// The nodes are the caller's, linked from `first` to `last`, and stay where they are until the
    /// owner has taken them.
    pub unsafe fn push(&self, first: NonNull<N>, last: NonNull<N>) -> Result<(), Closed> {
        // Only an address to compare with: nothing is read through it.
        let mut head = self.head.load(Relaxed);
        loop {
            if head == closed() {
                return Err(Closed);
            }
            // SAFETY: the caller's node, until the exchange succeeds.
            unsafe { last.as_ref() }.set_next(head);
            let put = Release.at("lane.push");
            match self.head.compare_exchange_weak(head, first.as_ptr(), put, Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => head = changed,
            }
        }
    }

    /// Takes all there is: the node put last, which leads to the others, or null.
    ///
    /// Anyone may, as long as the lane is open; who takes a node has it to itself.
    pub fn take(&self) -> *mut N {
        // A swap costs as much as several loads, and mostly there is nothing.
        if self.head.load(Relaxed).is_null() {
            return ptr::null_mut();
        }
        self.head.swap(ptr::null_mut(), Acquire.at("lane.take"))
    }

    /// Takes all there is, and closes the lane for good.
    pub fn close(&self) -> *mut N {
        self.head.swap(closed(), Acquire.at("lane.close"))
    }
}

/// Calls `each` with every node of a list that was taken. The node may be gone afterwards.
pub(super) fn for_each<N: Node>(mut list: *mut N, mut each: impl FnMut(NonNull<N>)) {
    while let Some(node) = NonNull::new(list) {
        // SAFETY: nodes of a taken list are the taker's, and `each` was not called with it yet.
        list = unsafe { node.as_ref() }.next();
        each(node);
    }
}
