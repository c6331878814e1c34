//! The words of answers in memory; every offset is asserted below.
//!
//! ```text
//! consumer region of a channel of calls (the server writes)
//!   0    Board, ConsumerLines of each lane   as of lanes
//!   …    answers to client 0, to client 1, …   from the next page on, each in whole pages
//!
//! answers to one client
//!   0    CrowdLine    where the client's threads sleep until they are answered
//!   128  cell 0, cell 1, …   as many as the client's ring has, and as large
//!   …    room for large answers, as much as the client has for large arguments: from the next page on
//!
//! cell
//!   0    state     see below
//!   8    meta      length and status; where the answer lies elsewhere, that
//!   16   body; of an answer that lies elsewhere:
//!   16   at        where it begins, in bytes from the start of the room for large answers
//!   24   bytes     its length
//!   32   released  position + 1 of the last answer in this cell that the client is done with
//! ```
//!
//! The state says what became of the request at position `p` of the client's ring: `2p + 2` that it is
//! answered (the server says so), `2p + 1` that the client waits for it no longer. Anything lower is of
//! earlier requests. Zeroed memory has answered nothing.

use crate::ring::crowd::CrowdLine;
use crate::ring::geometry::PAGE;
use crate::ring::layout::{CellHead, PlaceWords};

/// What the state of a cell is once the request at `position` is answered.
pub const fn answered(position: u64) -> u64 {
    position.wrapping_mul(2).wrapping_add(2)
}

/// What it is once the client waits no longer for that.
pub const fn given_up(position: u64) -> u64 {
    position.wrapping_mul(2).wrapping_add(1)
}

/// Where the cells begin in the answers to one client.
pub const CELLS: usize = size_of::<CrowdLine>();

/// Where the word is in a cell by which a client gives a large answer back.
pub const RELEASED: usize = size_of::<CellHead>() + size_of::<PlaceWords>();

/// Where the room for large answers begins.
pub const fn room_offset(capacity: usize, stride: usize) -> usize {
    // A stride from the last cell's word on is inside, too.
    (CELLS + capacity * stride + RELEASED).next_multiple_of(PAGE)
}

#[cfg(not(loom))]
const _: () = {
    assert!(CELLS == 128);
    assert!(RELEASED == 32);
};
