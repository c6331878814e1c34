//! Death in models.

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
