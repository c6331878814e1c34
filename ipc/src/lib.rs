//! Strait's rings, segments, endpoints and messages: lock-free channels in shared memory, between
//! processes that may be killed at any instruction.
//!
//! | module | what lives there |
//! |---|---|
//! | [`channel`] | what programs use: typed and byte channels, opened by name |
//! | [`directory`] | what processes offer, and how others find it |
//! | [`message`] | what may travel: plain types and rkyv archives, with schema and fingerprint |
//! | [`ring`] | the algorithm: one producer, one consumer, an array of cells |
//! | [`segment`] | shared memory with a name: created whole, validated, removed safely |
//! | [`endpoint`] | who holds which side, and whether that process still lives |
//! | [`wait_set`] | one wait for many channels, timers and descriptors |
//! | [`system`] | the few files that call the kernel |
//!
//! Most programs use the crate `strait`, which adds domains and the derive macro.

pub mod channel;
pub mod directory;
pub mod endpoint;
pub mod message;
pub mod ring;
pub mod segment;
pub mod system;
pub mod wait_set;

pub use channel::calls;

pub use rkyv;
