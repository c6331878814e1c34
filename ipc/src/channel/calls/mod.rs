//! Calls: a request that goes through a lane, and the one answer that comes back for it.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | what both sides share: tags, and where the answers to one client are |
//! | [`open`] | [`Calls`]: make a service's channel, or find it |
//! | [`client`] | the side that calls |
//! | `connection` | what the threads of a client share: how requests go, and answers are waited for |
//! | [`pending`] | a call that was made, and is not answered yet |
//! | [`answer`] | an answer that is there |
//! | [`server`] | the side that answers |
//! | `heap` | where a server puts answers that are too long for their cells |
//! | [`reply`] | what a call returns, by value or in place |
//! | [`chunk`] | several results in one answer |
//! | [`error`] | why a call did not return what was asked for |
//!
//! Methods are numbers here, and arguments and answers are bytes. What a tag of a request says is the
//! method, and whether an answer is wanted; that of an answer says how it went.

pub mod answer;
pub mod chunk;
pub mod client;
mod connection;
pub mod error;
mod heap;
pub mod open;
pub mod pending;
pub mod reply;
pub mod server;

pub use answer::Answer;
pub use client::{Batch, Client};
pub use error::{CallError, Delivered};
pub use open::Calls;
pub use pending::Pending;
pub use reply::{Keeper, Outcome, Reply, Returned};
pub use server::{Request, ServeError, Server};

use crate::channel::link::Cells;
use crate::ring::answers::Words;
use crate::ring::answers::layout::{CELLS, RELEASED};
use crate::ring::layout::TAGS;
use crate::segment::ChannelInfo;
use strait_pools::placement::{Mapped, MappedMany, MappedOne};

/// The highest number a method may have. Those up to [`MAX_RESERVED`] are for the layer above.
pub const MAX_METHOD: u16 = 1000;
/// The highest number there is.
pub const MAX_RESERVED: u16 = PAD - 1;

/// The tag of a request that is none: it stands at a position whose cell of answers is still in use.
const PAD: u16 = ONE_WAY - 1;
/// Set in the tag of a request that wants no answer.
const ONE_WAY: u16 = TAGS / 2;

/// How a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Status {
    /// With a result.
    Done = 0,
    /// With an error of the service's own.
    Failed = 1,
    /// The arguments are not what the method takes.
    BadArguments = 2,
    /// There is no such method.
    NoSuchMethod = 3,
    /// The service panicked.
    Panicked = 4,
    /// The service has as much to do as it will take on.
    Overloaded = 5,
    /// There was no room for the answer, whose length is in its place. Not for the layer above to say.
    NoRoom = 6,
}

impl Status {
    /// The tag of such an answer.
    #[inline(always)]
    fn tag(self) -> u16 {
        // A handful of them.
        #[allow(clippy::cast_possible_truncation)]
        let tag = self as u64 as u16;
        tag
    }

    fn of(tag: u16) -> Option<Self> {
        use Status::*;
        [Done, Failed, BadArguments, NoSuchMethod, Panicked, Overloaded, NoRoom]
            .into_iter()
            .find(|&status| status.tag() == tag)
    }
}

/// The answers to one client, in the channel's consumer region.
///
/// # Safety
///
/// The segment stays mapped for as long as they are used.
///
/// # Panics
///
/// Never: the segment's regions were cut to the geometry's sizes.
unsafe fn map_answers(info: &ChannelInfo, client: u32) -> (Words<Mapped>, Cells) {
    const CUT: &str = "regions are cut to the geometry when the segment is opened";
    let geometry = info.geometry();
    let (offset, bytes) = (geometry.answers_offset(client), geometry.answers_bytes());
    let answers = info.consumer_region().window(offset, bytes).expect(CUT);
    let (stride, capacity) = (geometry.stride(), geometry.capacity());
    let room = geometry.answers_room();
    let cells = answers.window(CELLS, room - CELLS).expect(CUT);
    let released = cells.window(RELEASED, cells.len() - RELEASED).expect(CUT);
    let large = answers.window(room, bytes - room).expect(CUT);
    // SAFETY: the caller keeps the segment mapped.
    let crowd = unsafe { MappedOne::new(&answers, 0) }.expect(CUT);
    // SAFETY: as above.
    let states = unsafe { MappedMany::new(&cells, stride, capacity) }.expect(CUT);
    // SAFETY: as above.
    let released = unsafe { MappedMany::new(&released, stride, capacity) }.expect(CUT);
    let cells = Cells::of(geometry.cell().body_bytes(), geometry.store(), large.base());
    (Words { crowd, states, released }, cells)
}
