//! The byte endpoint: messages of any meaning, written and read at their address.
//!
//! Typed channels, transport adapters and other languages stand on this. A sender *claims* a place for a
//! message of some length, writes it and *commits* (or aborts: nothing was published, and the place is
//! claimed again by the next message). A receiver *polls*, looks at the body in place and releases it. A
//! message lies in its cell, or, if that is too small, in the ring's arena, or, if readers may keep them,
//! in a block: which, only this endpoint knows.
//!
//! Bodies are raw addresses, not slices: the memory belongs to every process that maps it, and a
//! slice would promise the compiler otherwise.

mod receiver;
mod sender;
mod supply;

pub(super) use receiver::Body;
pub use receiver::{BytesReceiver, Received};
pub use sender::{BytesSender, Claim};
pub(super) use sender::{Room, Spot};
pub(super) use supply::Supply;

/// Marks a channel whose messages have no Rust type: `domain.spsc::<Bytes>("raw")`.
#[derive(Clone, Copy, Debug)]
pub enum Bytes {}
