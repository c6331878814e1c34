//! Rings: arrays of cells that one side fills and another empties.
//!
//! | module | what lives there |
//! |---|---|
//! | [`answers`] | beside each cell of a client's ring, the answer to the request in it |
//! | [`arena`] | where messages lie that are too long for a cell |
//! | [`blocks`] | where messages lie that their reader may keep |
//! | [`broadcast`] | one producer, readers with cursors of their own: the algorithm |
//! | [`crowd`] | how many sleep on one word, and how one wakes them |
//! | [`directory`] | offers, found by interface and ranking: the algorithm |
//! | [`geometry`] | how many cells, of which format; footprints; what is refused |
//! | [`lanes`] | rings side by side, with one consumer |
//! | [`latest`] | the newest value of each key: the algorithm |
//! | [`layout`] | the words of a ring, with their offsets asserted |
//! | [`mpmc`] | several senders, several receivers: the algorithm |
//! | [`parking`] | how a side sleeps, and how the other wakes it |
//! | [`spsc`] | one producer, one consumer: the algorithm |

pub mod answers;
pub mod arena;
pub mod blocks;
pub mod broadcast;
pub mod crowd;
pub mod directory;
pub mod geometry;
pub mod lanes;
pub mod latest;
pub mod layout;
pub mod mpmc;
pub mod parking;
pub mod spsc;
