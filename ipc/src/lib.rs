//! ipc
pub mod ring;
