//! Loom models of Strait's concurrent structures; see `tests/`, one file per structure.
//!
//! Here is what several of them need:
//!
//! | module | what lives there |
//! |---|---|
//! | `broadcast` | a broadcast ring whose bodies loom watches, and those that use it |
//! | `deaths` | which model shows what a death at which mark leaves |
//! | `mpmc` | a ring for several whose bodies loom watches, and those that use it |
//! | `ring` | a ring whose bodies loom watches, and the two that use it |
//! | `side` | an endpoint's slot with its lock: who takes it, leaves it, dies with it, looks at it |
//!
//! Run them with `cargo xtask loom`, and with `cargo xtask loom --mutations` to see each ordering
//! of `ledger.toml` weakened in turn and caught. Without `--cfg loom` this crate is empty.

/// Explores a model that is too large for the usual number of pre-emptions in one execution, with
/// `most` of them at most.
#[cfg(loom)]
pub fn explore(most: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(most).min(most));
    builder.check(model);
}

#[cfg(loom)]
pub mod broadcast;
#[cfg(loom)]
pub mod deaths;
#[cfg(loom)]
pub mod mpmc;
#[cfg(loom)]
pub mod ring;
#[cfg(loom)]
pub mod side;
