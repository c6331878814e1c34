//! What the ring must know of the messages.

use crate::channel::error::OpenError;
use crate::message::{Fingerprint, type_name};
use crate::ring::geometry::{CellFormat, Geometry, Store};

/// What the ring must know of the messages.
pub(in crate::channel) struct Content<'a> {
    pub(super) fingerprint: Fingerprint,
    pub(super) schema: &'a str,
    /// Bytes of the smallest message.
    pub(super) least: usize,
    /// Bytes to make room for unless asked otherwise.
    pub(super) usual: usize,
    /// Whether all messages have the length `least`.
    pub(super) fixed: bool,
}

impl Content<'_> {
    /// Whether such messages can stand in cells of this format, or elsewhere in such a ring.
    pub(super) fn fits(&self, geometry: Geometry, channel: &str) -> Result<(), OpenError> {
        let (channel, message) = (channel.to_owned(), type_name(self.schema).to_owned());
        let (cell, longest) = (geometry.cell(), geometry.store().longest());
        // The lengths of what fits memory.
        #[allow(clippy::cast_possible_truncation)]
        let room = match geometry.store() {
            Store::Blocks { .. } => longest as usize,
            Store::None | Store::Arena { .. } => cell.body_bytes().max(longest as usize),
        };
        let needed = self.least;
        if cell == CellFormat::Dense && (!self.fixed || needed > room) {
            return Err(OpenError::NotDense { channel, message });
        }
        if needed > room {
            return Err(OpenError::CellTooSmall { channel, message, needed, room });
        }
        Ok(())
    }
}
