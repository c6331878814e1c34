//! Channels of calls: one server, and clients that find it.

use super::client::Client;
use super::map_answers;
use super::server::Server;
use crate::channel::bytes::Bytes;
use crate::channel::error::OpenError;
use crate::channel::lanes::BytesLanesReceiver;
use crate::channel::open::kind::Kind;
use crate::channel::open::{Channel, channel_of, side_of};
use crate::channel::trust::Checked;
use crate::endpoint::{Endpoint, PeerView, Predecessor, Role};
use crate::ring::geometry::Discipline;
use crate::segment::{Segment, SegmentError};
use std::sync::Arc;

/// One server, and what is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kinds {
    clients: Option<u32>,
}

/// Clients of a channel that was not given a number.
const DEFAULT_CLIENTS: u32 = 16;

impl Kind for Kinds {
    fn discipline(&self) -> Discipline {
        Discipline::Calls { clients: self.clients.unwrap_or(DEFAULT_CLIENTS) }
    }

    fn accepts(&self, found: Discipline) -> bool {
        match found {
            Discipline::Calls { clients } => self.clients.is_none_or(|asked| asked == clients),
            _ => false,
        }
    }
}

/// A channel of calls about to be opened, by [`server`](Channel::server) or [`client`](Channel::client).
///
/// The server makes it; the capacity is the number of calls that each client may have in flight, and
/// `max_len` the bytes of arguments and of answers that go without a detour. Longer ones go through
/// [`arena`](Channel::arena), of which there is so much for each client and each direction. Calls are not
/// resumed: when the server is gone, so is the channel, and the next server makes another.
///
/// ```
/// # use strait_ipc::channel::calls::{Calls, Status};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut server, client) = Calls::unnamed("double").pair()?;
/// let asked = client.start(1, &21_u64)?;
/// server.serve(None, |request| {
///     // SAFETY: the one client sends numbers, aligned to 16.
///     let number = unsafe { request.as_ptr().cast::<u64>().read() };
///     request.answer(Status::Done, &(2 * number));
/// })?;
/// let answer = asked.wait(None)?;
/// // SAFETY: as above.
/// assert_eq!(unsafe { answer.as_ptr().cast::<u64>().read() }, 42);
/// # Ok(())
/// # }
/// ```
pub type Calls = Channel<Kinds, Bytes, Checked>;

impl Calls {
    /// How many clients there may be at once: 1 to 256 (default 16). A client is a process, or one of
    /// its threads that wants its own place; threads may share one.
    pub fn clients(mut self, clients: u32) -> Self {
        self.kind.clients = Some(clients);
        self
    }

    /// Makes the channel, and serves it.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. A channel that a dead or closed server left is no hindrance;
    /// [`OpenError::Attach`] names the server that is alive.
    pub fn server(self) -> Result<Server, OpenError> {
        // The segment is not held any more when it is asked whether anybody else does.
        let served = self.serve_in(&self.find(&self.bytes())?);
        match served {
            // What is left of one that is gone makes room, if nobody looks at it any more.
            Err(over @ OpenError::Over { .. }) => match self.remove() {
                Err(OpenError::Segment(SegmentError::InUse { .. })) => Err(over),
                removed => {
                    removed?;
                    self.serve_in(&self.find(&self.bytes())?)
                }
            },
            served => served,
        }
    }

    /// A client of the channel that a server has made.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: there is no such channel, or all places of clients are taken.
    pub fn client(self) -> Result<Client, OpenError> {
        self.call_in(&self.find_made()?)
    }

    /// Makes a segment without a name that holds this one channel, to hand to other processes by its
    /// [`descriptor`](Segment::descriptor).
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&self.bytes())
    }

    /// Both sides of a new channel without a name.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Self::segment).
    pub fn pair(self) -> Result<(Server, Client), OpenError> {
        let segment = Arc::new(self.clone().segment()?);
        let (server, client) = (self.serve_in(&segment)?, self.call_in(&segment)?);
        Ok((server, client))
    }

    fn serve_in(&self, segment: &Arc<Segment>) -> Result<Server, OpenError> {
        let info = channel_of(segment)?;
        // SAFETY: the receivers keep the segment mapped, and the server has both.
        let answers = |client| unsafe { map_answers(info, client) };
        let answers = (0..info.geometry().rings()).map(answers).collect();
        let parking = info.geometry().parking();
        let (lanes, turns, predecessor) = self.open_lanes(segment, &self.bytes())?;
        if predecessor != Predecessor::None {
            return Err(OpenError::Over { channel: info.label().to_owned() });
        }
        Ok(Server::new(BytesLanesReceiver::new(lanes, turns), answers, parking))
    }

    fn call_in(&self, segment: &Arc<Segment>) -> Result<Client, OpenError> {
        let info = channel_of(segment)?;
        let (lane, endpoint) = Endpoint::attach_any(segment, info, Role::Producer)?;
        // SAFETY: the client keeps the segment mapped as long as it has them.
        let (words, cells) = unsafe { map_answers(info, lane) };
        let server = PeerView::new(segment, side_of(info, Role::Consumer)?)?;
        let parking = info.geometry().parking();
        let patience = self.patience(parking);
        let schema = info.schema().into();
        let sender = self.send_by(Arc::clone(segment), endpoint, lane, &self.bytes())?;
        Ok(Client::new(sender, words, cells, server, patience, schema, segment.guard()))
    }
}
