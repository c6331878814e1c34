//! How many messages a measurement takes at least, so that a share of a second is filled with short
//! ones, and is not exceeded for long by long ones.

use super::sides::{Messages, Subject};

/// Round trips per clock reading of the central figure, so that reading the clock does not count.
pub(super) const BLOCK: u64 = 64;

/// The counts for one subject. What its messages cost may call for more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Round trips per clock reading.
    pub(super) block: u64,
    /// Blocks after which it is known what a round trip costs.
    pub(super) first_blocks: u64,
    /// Blocks.
    pub(super) blocks: u64,
    /// Round trips timed one by one.
    pub(super) stamped: u64,
    /// Round trips beforehand, enough to touch every cell of a peer's fresh ring.
    pub(super) warm_up: u64,
    /// Messages of a stream, of which its ring holds a part.
    pub(super) streamed: u64,
    /// Messages of a stream beforehand.
    pub(super) stream_warm_up: u64,
}

impl Effort {
    /// What `subject` is to do with such messages.
    pub(super) fn of(subject: Subject, messages: &Messages) -> Self {
        let capacity = messages.capacity();
        let carries = !matches!(subject, Subject::Raw | Subject::Line);
        if carries && messages.in_arena() {
            // A tenth of a millisecond each at least: the clock is read for free.
            return Self {
                block: 1,
                first_blocks: 4,
                blocks: 4,
                stamped: 4,
                warm_up: 2 * capacity,
                streamed: 8 * capacity,
                stream_warm_up: 2 * capacity,
            };
        }
        Self {
            block: BLOCK,
            first_blocks: 128,
            blocks: 16,
            stamped: 1000,
            warm_up: if subject.in_process() { 4 * capacity } else { 4 * BLOCK },
            streamed: 32 * capacity,
            stream_warm_up: 4 * capacity,
        }
    }
}
