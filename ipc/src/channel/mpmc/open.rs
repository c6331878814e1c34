//! From a name, a type and a few choices to one of several senders or receivers.

use super::others::Tie;
use super::{Bodies, MpmcReceiver, MpmcSender, map};
use crate::channel::error::OpenError;
use crate::channel::open::kind::Kind;
use crate::channel::open::{Channel, Content, channel_of};
use crate::channel::trust::{Checked, Trust};
use crate::endpoint::{Endpoint, Role};
use crate::message::Message;
use crate::ring::geometry::{CellFormat, Discipline, Geometry, GeometryError, Store};
use crate::ring::mpmc::{Receiver, Sender, Words};
use crate::segment::Segment;
use std::sync::Arc;
use strait_pools::placement::Mapped;

/// Sides of each kind that a channel has room for unless asked otherwise.
const DEFAULT_SIDES: u32 = 16;

/// Several senders and several receivers; each message goes to one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Several {
    senders: Option<u32>,
    receivers: Option<u32>,
    at_most_once: bool,
}

impl Kind for Several {
    fn discipline(&self) -> Discipline {
        Discipline::Mpmc {
            senders: self.senders.unwrap_or(DEFAULT_SIDES),
            receivers: self.receivers.unwrap_or(DEFAULT_SIDES),
        }
    }

    fn accepts(&self, found: Discipline) -> bool {
        let Discipline::Mpmc { senders, receivers } = found else { return false };
        let agrees = |asked: Option<u32>, found| asked.is_none_or(|asked| asked == found);
        agrees(self.senders, senders) && agrees(self.receivers, receivers)
    }
}

/// A channel with several senders and several receivers about to be opened, by `sender()` or `receiver()`.
///
/// Each message goes to one receiver, whichever comes first. Messages of one sender are received in the
/// order in which they were sent. See [`Channel`] for what it has in common with all others. Its messages
/// stand in its cells.
///
/// ```
/// use strait_ipc::channel::Mpmc;
///
/// let work = Mpmc::<u64>::unnamed("work").senders(4).receivers(4);
/// let (mut sender, mut receiver) = work.pair()?;
/// sender.send(&7)?;
/// assert_eq!(*receiver.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Mpmc<T, V = Checked> = Channel<Several, T, V>;

impl<T, V: Trust> Mpmc<T, V> {
    /// Senders at a time, at most (default 16).
    pub fn senders(mut self, most: u32) -> Self {
        self.kind.senders = Some(most);
        self
    }

    /// Receivers at a time, at most (default 16).
    pub fn receivers(mut self, most: u32) -> Self {
        self.kind.receivers = Some(most);
        self
    }

    /// What this receiver has taken when it dies is lost, and not repeated; by default it is delivered again,
    /// to another. Spares it a copy in the segment, and two stores.
    pub fn at_most_once(mut self) -> Self {
        self.kind.at_most_once = true;
        self
    }
}

/// An attached channel before its side is taken over.
struct Opened {
    words: Words<Mapped>,
    bodies: Bodies,
    /// Which of the sides in its role.
    me: u64,
    /// Whether its sides may sleep.
    parking: bool,
    tie: Tie,
}

/// Whether there are channels of this geometry.
fn supported(geometry: &Geometry) -> Result<(), GeometryError> {
    let what = match (geometry.cell(), geometry.store()) {
        (CellFormat::Dense, _) => "dense cells",
        (_, Store::Arena { .. }) => "arena",
        (_, Store::Blocks { .. }) => "blocks",
        _ => return Ok(()),
    };
    Err(GeometryError::Lacks { discipline: geometry.discipline(), what })
}

impl<T: Message, V: Trust> Mpmc<T, V> {
    fn supported(&self, geometry: &Geometry) -> Result<(), OpenError> {
        let channel = || self.label();
        supported(geometry).map_err(|source| OpenError::Geometry { channel: channel(), source })
    }

    fn open(&self, role: Role, content: &Content<'_>) -> Result<Opened, OpenError> {
        // Before anything is made.
        self.supported(&self.geometry(content)?)?;
        let segment = self.find(content)?;
        let info = channel_of(&segment)?;
        self.supported(&info.geometry())?;
        let (me, endpoint) = Endpoint::attach_any(&segment, info, role)?;
        // SAFETY: the tie keeps the segment mapped, and lives beside the ring's side.
        let (words, bodies) = unsafe { map(info) };
        let parking = info.geometry().parking();
        let patience = self.patience(parking);
        let tie = Tie::new(Arc::clone(&segment), info, endpoint, role, patience)?;
        Ok(Opened { words, bodies, me: me.into(), parking, tie })
    }

    fn open_sender(&self) -> Result<MpmcSender<T>, OpenError> {
        let Opened { words, bodies, me, parking, tie } =
            self.open(Role::Producer, &Self::typed())?;
        Ok(MpmcSender::new(Sender::new(words, me, parking), bodies, self.on_full, tie))
    }

    fn open_receiver(&self) -> Result<MpmcReceiver<T, V>, OpenError> {
        let Opened { words, bodies, me, parking, tie } =
            self.open(Role::Consumer, &Self::typed())?;
        let hands = !self.kind.at_most_once;
        let receiver = Receiver::new(words, me, hands, parking);
        Ok(MpmcReceiver::new(receiver, bodies, hands.then_some(me), tie))
    }

    /// Becomes one of the senders, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: all sides are taken by live processes, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn sender(self) -> Result<MpmcSender<T>, OpenError> {
        self.open_sender()
    }

    /// Becomes one of the receivers, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Mpmc::sender).
    pub fn receiver(self) -> Result<MpmcReceiver<T, V>, OpenError> {
        self.open_receiver()
    }

    /// Makes a segment without a name that holds this one channel, to hand to other processes by
    /// its [`descriptor`](Segment::descriptor). All sides open it with [`Mpmc::given`].
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.supported(&self.geometry(&Self::typed())?)?;
        self.make_segment(&Self::typed())
    }

    /// One side of each kind, in a segment without a name: for threads of this process.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Mpmc::segment).
    pub fn pair(self) -> Result<(MpmcSender<T>, MpmcReceiver<T, V>), OpenError> {
        self.supported(&self.geometry(&Self::typed())?)?;
        let segment = Arc::new(self.make_segment(&Self::typed())?);
        let both = self.in_segment(segment);
        Ok((both.open_sender()?, both.open_receiver()?))
    }
}
