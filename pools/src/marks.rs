//! Numbered steps at which a process may die.
//!
//! Between any two shared stores of an operation stands a mark. In production a mark is nothing at
//! all. In a model, an actor told to die at a mark stops there for good, as a
//! killed process does: no destructor runs, and others must get on with what they find.

/// One step of one operation. The numbers are stable: reports quote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mark {
    /// A position is claimed; the body is being written.
    ProducerClaimed = 1,
    /// The body is complete; its state is not stored.
    ProducerWritten = 2,
    /// The state is stored; the hint is not.
    ProducerPublished = 3,
    /// Inside a batch: some states are stored, back to front.
    ProducerInBatch = 4,
    /// A message is in the consumer's hand.
    ConsumerInHand = 11,
    /// The cursor has moved; the producer has not been told.
    ConsumerMoved = 12,
    /// The producer has been told.
    ConsumerTold = 13,
    /// A new producer has found where its predecessor stopped; nothing is erased.
    TakeoverFound = 21,
    /// A new producer has erased some of a dead batch.
    TakeoverErased = 22,
    /// A new producer has written its incarnation.
    TakeoverDone = 23,
}

impl Mark {
    /// Every mark, for reports and for models that die at each in turn.
    pub const ALL: [Mark; 10] = [
        Mark::ProducerClaimed,
        Mark::ProducerWritten,
        Mark::ProducerPublished,
        Mark::ProducerInBatch,
        Mark::ConsumerInHand,
        Mark::ConsumerMoved,
        Mark::ConsumerTold,
        Mark::TakeoverFound,
        Mark::TakeoverErased,
        Mark::TakeoverDone,
    ];
}

/// Passes a mark.
#[cfg(not(loom))]
#[inline(always)]
pub fn pass(_mark: Mark) {}

#[cfg(loom)]
pub use model::pass;

/// Death in models.
#[cfg(loom)]
pub mod model {
    use super::Mark;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    loom::thread_local! {
        static DEADLINE: Cell<Option<(Mark, u32)>> = Cell::new(None);
    }

    /// The payload that carries a dying actor out of its operation.
    #[derive(Debug)]
    struct Died;

    /// Passes a mark, or dies there.
    pub fn pass(mark: Mark) {
        let dies = DEADLINE.with(|deadline| match deadline.get() {
            Some((at, left)) if at == mark => {
                deadline.set(Some((at, left.saturating_sub(1))));
                left == 0
            }
            _ => false,
        });
        if dies {
            resume_unwind(Box::new(Died));
        }
    }

    /// Runs `actor` until it returns or passes `mark` for the `(passes + 1)`-th time.
    ///
    /// `None` if it died. Whatever the actor must not clean up on death it must own by
    /// `ManuallyDrop` or have no destructor: rings have none.
    pub fn die_at<R>(mark: Mark, passes: u32, actor: impl FnOnce() -> R) -> Option<R> {
        DEADLINE.with(|deadline| deadline.set(Some((mark, passes))));
        let outcome = catch_unwind(AssertUnwindSafe(actor));
        DEADLINE.with(|deadline| deadline.set(None));
        match outcome {
            Ok(result) => Some(result),
            Err(payload) if payload.is::<Died>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }
}
