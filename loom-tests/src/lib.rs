//! Loom models of Strait's concurrent structures; see `tests/`, one file per structure.
//!
//! Run them with `cargo xtask loom`, and with `cargo xtask loom --mutations` to see each ordering
//! of `ledger.toml` weakened in turn and caught. Without `--cfg loom` this crate is empty.
