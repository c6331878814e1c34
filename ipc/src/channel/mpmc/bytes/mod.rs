//! Sides of a channel for several whose messages have no Rust type; the typed ones stand on them.

mod receiver;
mod sender;

pub use receiver::{MpmcBytesReceiver, MpmcReceived};
pub use sender::MpmcBytesSender;
pub(super) use sender::{Built, fitting};
