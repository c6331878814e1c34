//! Whether what several threads saw of one queue can have been a queue: histories, and their check.
//!
//! A history is linearizable if each operation can be given a moment between its call and its return, such
//! that one after the other they are what a first-in-first-out queue does. The search for these moments is
//! Wing and Gong's, with Lowe's memory of what was tried already.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// What an operation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    /// Sent these at once, in this order.
    Sent(Vec<u64>),
    /// Received these at once, in this order.
    Received(Vec<u64>),
    /// Found the queue full.
    WasFull,
    /// Found the queue empty.
    WasEmpty,
}

/// An operation, from its call to its return.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) did: Did,
    pub(crate) called: u64,
    pub(crate) returned: u64,
}

/// The clock of a history: no two moments are the same.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    /// Does something, and takes down when.
    pub(crate) fn record(&self, operation: impl FnOnce() -> Did) -> Operation {
        let called = self.0.fetch_add(1, SeqCst);
        let did = operation();
        Operation { did, called, returned: self.0.fetch_add(1, SeqCst) }
    }
}

/// Operations of which each overlapped some others.
#[derive(Debug)]
pub(crate) struct History {
    operations: Vec<Operation>,
    capacity: usize,
}

impl History {
    /// The history of a queue for `capacity` numbers, all of them different.
    ///
    /// Such a queue says that it is full or empty also while another operation is under way. Of those that
    /// had company, such answers are therefore left out.
    ///
    /// # Panics
    ///
    /// If there are more operations than can be checked.
    pub(crate) fn new(operations: Vec<Operation>, capacity: usize) -> Self {
        let overlap = |a: &Operation, b: &Operation| a.called < b.returned && b.called < a.returned;
        let alone =
            |one: &Operation| operations.iter().filter(|other| overlap(one, other)).count() == 1;
        let counts = |one: &Operation| match one.did {
            Did::Sent(_) | Did::Received(_) => true,
            Did::WasFull | Did::WasEmpty => alone(one),
        };
        let operations: Vec<_> = operations.iter().filter(|one| counts(one)).cloned().collect();
        assert!(operations.len() <= 64, "too long to check");
        Self { operations, capacity }
    }

    /// Whether a queue can have done all that.
    pub(crate) fn is_of_a_queue(&self) -> bool {
        self.search(0, &VecDeque::new(), &mut HashSet::new())
    }

    /// Whether the operations that are not in `done` can follow those that are, which left the queue so.
    fn search(
        &self,
        done: u64,
        queue: &VecDeque<u64>,
        tried: &mut HashSet<(u64, VecDeque<u64>)>,
    ) -> bool {
        let left = || self.operations.iter().enumerate().filter(|(at, _)| done & 1 << at == 0);
        // Whatever comes next was called before the first of the others returned.
        let Some(latest) = left().map(|(_, operation)| operation.returned).min() else {
            return true;
        };
        if !tried.insert((done, queue.clone())) {
            return false;
        }
        left().filter(|(_, operation)| operation.called < latest).any(|(at, operation)| {
            let next = self.after(queue, &operation.did);
            next.is_some_and(|queue| self.search(done | 1 << at, &queue, tried))
        })
    }

    /// What a queue is after this, if it can do that.
    fn after(&self, queue: &VecDeque<u64>, did: &Did) -> Option<VecDeque<u64>> {
        let mut queue = queue.clone();
        let possible = match did {
            Did::Sent(messages) => {
                queue.extend(messages);
                queue.len() <= self.capacity
            }
            Did::Received(messages) => {
                messages.iter().all(|message| queue.pop_front() == Some(*message))
            }
            Did::WasFull => queue.len() == self.capacity,
            Did::WasEmpty => queue.is_empty(),
        };
        possible.then_some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(operations: &[(Did, u64, u64)]) -> History {
        let operations = operations.iter().cloned();
        let operations =
            operations.map(|(did, called, returned)| Operation { did, called, returned });
        History::new(operations.collect(), 2)
    }

    fn sent(messages: &[u64]) -> Did {
        Did::Sent(messages.to_vec())
    }

    fn received(messages: &[u64]) -> Did {
        Did::Received(messages.to_vec())
    }

    #[test]
    fn what_a_queue_does_is_of_a_queue() {
        let one_by_one = [(sent(&[1, 2]), 0, 1), (Did::WasFull, 2, 3), (received(&[1]), 4, 5)];
        assert!(history(&one_by_one).is_of_a_queue());
        // Two that overlap may have come in either order.
        let either = [(sent(&[1]), 0, 3), (sent(&[2]), 1, 2), (received(&[2, 1]), 4, 5)];
        assert!(history(&either).is_of_a_queue());
        // A receiver that had company may say "empty" when it is not.
        let company = [(sent(&[1]), 0, 1), (Did::WasEmpty, 2, 4), (received(&[1]), 3, 5)];
        assert!(history(&company).is_of_a_queue());
    }

    #[test]
    fn what_no_queue_does_is_not() {
        let one_by_one = [sent(&[1]), sent(&[2])];
        for wrong in [
            vec![received(&[2]), received(&[1])],
            vec![received(&[1]), received(&[1])],
            vec![received(&[1]), Did::WasEmpty],
            vec![received(&[1]), Did::WasFull],
            vec![sent(&[3]), received(&[1])],
            vec![received(&[3])],
        ] {
            let all = one_by_one.iter().chain(&wrong).cloned();
            let all: Vec<_> = all.zip(0..).map(|(did, at)| (did, 2 * at, 2 * at + 1)).collect();
            assert!(!history(&all).is_of_a_queue(), "{wrong:?}");
        }
        // Overlapping receivers, but the senders came one after the other.
        let crossed = [
            (sent(&[1]), 0, 1),
            (sent(&[2]), 2, 3),
            (received(&[2]), 4, 5),
            (received(&[1]), 6, 7),
        ];
        assert!(!history(&crossed).is_of_a_queue());
    }
}
