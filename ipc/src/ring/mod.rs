//! Rings: arrays of cells that one side fills and another empties.
//!
//! | module | what lives there |
//! |---|---|
//! | [`arena`] | where messages lie that are too long for a cell |
//! | [`blocks`] | where messages lie that their reader may keep |
//! | [`geometry`] | how many cells, of which format; footprints; what is refused |
//! | [`lanes`] | rings side by side, with one consumer |
//! | [`layout`] | the words of a ring, with their offsets asserted |
//! | [`parking`] | how a side sleeps, and how the other wakes it |
//! | [`spsc`] | one producer, one consumer: the algorithm |

pub mod arena;
pub mod blocks;
pub mod geometry;
pub mod lanes;
pub mod layout;
pub mod parking;
pub mod spsc;
