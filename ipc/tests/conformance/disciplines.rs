//! How the sides of each discipline are opened, and what they do.

use crate::channel::{HANG, Numbered, SLICE};
use crate::{CAPACITY, Shape, Where};
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::channel::broadcast::{Join, Slow};
use strait_ipc::channel::latest::{ReadError, SetError};
use strait_ipc::channel::{
    self, BroadcastReceiver, BroadcastSender, Channel, LanesReceiver, LatestReader, LatestWriter,
    MpmcReceiver, MpmcSender, OnFull, OpenError, Receiver, RecvError, SendError, Sender, Wait,
};
use strait_ipc::message::Message;
use strait_ipc::segment::Segment;

const NAME: &str = "flow";
const DOMAIN: &str = "test";

/// A sending side.
pub(crate) trait Sends<T>: Send {
    fn send(&mut self, message: &T) -> Result<(), SendError>;
    fn try_send(&mut self, message: &T) -> Result<(), SendError>;
}

/// The number of a message that was received whole.
pub(crate) type Received = Result<u64, RecvError>;

/// A receiving side.
pub(crate) trait Receives<T>: Send {
    /// The next message: if it is there, or waiting for it for so long.
    fn receive(&mut self, patience: Option<Duration>) -> Received;
}

/// How to open a channel of one discipline.
pub(crate) trait Discipline {
    /// Whether a receiver sees every message, and a sender waits for it.
    const KEEPS_ALL: bool = true;
    /// Whether a sender that waits learns that its receivers are gone.
    const TELLS_SENDERS: bool = true;

    type Sender<T: Numbered>: Sends<T>;
    type Receiver<T: Numbered>: Receives<T>;

    /// Memory of this process that holds the channel.
    fn segment<T: Numbered>(shape: Shape) -> Segment;
    fn try_sender<T: Numbered>(place: &Where, shape: Shape) -> Result<Self::Sender<T>, OpenError> {
        Self::open(place, shape, OnFull::Block)
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        on_full: OnFull,
    ) -> Result<Self::Sender<T>, OpenError>;
    fn sender<T: Numbered>(place: &Where, shape: Shape, on_full: OnFull) -> Self::Sender<T> {
        Self::open(place, shape, on_full).unwrap()
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> Self::Receiver<T>;
}

/// The channel at its place.
pub(crate) fn at<K: channel::open::kind::Kind, T>(place: &Where) -> Channel<K, T> {
    match place {
        Where::Local(segment) => Channel::given(Arc::clone(segment)),
        Where::Shared(place) => Channel::named(place.directory.clone(), DOMAIN, NAME),
    }
}

/// Its sides sleep, and nothing but a wake-up helps; or they poll in a way that leaves the other one a
/// processor.
fn waiting<K: channel::open::kind::Kind, T>(channel: Channel<K, T>, shape: Shape) -> Channel<K, T> {
    let channel = channel.capacity(CAPACITY);
    if shape.asleep {
        channel.wait(Wait::Park).slice(2 * HANG)
    } else {
        channel.wait(Wait::Yield).slice(SLICE)
    }
}

/// With room for the messages, in an arena beside the cells if they are large.
fn with_arena<K: channel::open::kind::Kind, T>(
    channel: Channel<K, T>,
    shape: Shape,
) -> Channel<K, T> {
    let channel = waiting(channel, shape).max_len(shape.max_len);
    match shape.arena {
        Some(bytes) => channel.arena(bytes),
        None => channel,
    }
}

/// With room for the messages in their cells.
pub(crate) fn with_cells<K: channel::open::kind::Kind, T>(
    channel: Channel<K, T>,
    shape: Shape,
) -> Channel<K, T> {
    let max_len = shape.arena.map_or(shape.max_len, |_| 32 << 10);
    waiting(channel, shape).max_len(max_len)
}

pub(crate) enum Spsc {}

impl<T: Message> Sends<T> for Sender<T> {
    fn send(&mut self, message: &T) -> Result<(), SendError> {
        self.send(message)
    }
    fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        self.try_send(message)
    }
}

impl<T: Numbered> Receives<T> for Receiver<T> {
    fn receive(&mut self, patience: Option<Duration>) -> Received {
        let sample = match patience {
            None => self.try_recv(),
            Some(time) => self.recv_timeout(time),
        };
        sample.map(|sample| T::number(&sample))
    }
}

impl Discipline for Spsc {
    type Sender<T: Numbered> = Sender<T>;
    type Receiver<T: Numbered> = Receiver<T>;

    fn segment<T: Numbered>(shape: Shape) -> Segment {
        with_arena(channel::Spsc::<T>::local(NAME), shape).segment().unwrap()
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        on_full: OnFull,
    ) -> Result<Sender<T>, OpenError> {
        let channel: channel::Spsc<T> = with_arena(at(place), shape);
        channel.on_full(on_full).sender()
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> Receiver<T> {
        let channel: channel::Spsc<T> = with_arena(at(place), shape);
        channel.receiver().unwrap()
    }
}

pub(crate) enum Lanes {}

impl<T: Numbered> Receives<T> for LanesReceiver<T> {
    fn receive(&mut self, patience: Option<Duration>) -> Received {
        let sample = match patience {
            None => self.try_recv(),
            Some(time) => self.recv_timeout(time),
        };
        sample.map(|sample| T::number(&sample))
    }
}

impl Discipline for Lanes {
    type Sender<T: Numbered> = Sender<T>;
    type Receiver<T: Numbered> = LanesReceiver<T>;

    fn segment<T: Numbered>(shape: Shape) -> Segment {
        with_arena(channel::Lanes::<T>::local(NAME).senders(3), shape).segment().unwrap()
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        on_full: OnFull,
    ) -> Result<Sender<T>, OpenError> {
        let channel: channel::Lanes<T> = with_arena(at(place), shape);
        channel.senders(3).on_full(on_full).sender()
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> LanesReceiver<T> {
        let channel: channel::Lanes<T> = with_arena(at(place), shape);
        channel.senders(3).receiver().unwrap()
    }
}

pub(crate) enum Mpmc {}

impl<T: Message> Sends<T> for MpmcSender<T> {
    fn send(&mut self, message: &T) -> Result<(), SendError> {
        self.send(message)
    }
    fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        self.try_send(message)
    }
}

impl<T: Numbered> Receives<T> for MpmcReceiver<T> {
    fn receive(&mut self, patience: Option<Duration>) -> Received {
        let sample = match patience {
            None => self.try_recv(),
            Some(time) => self.recv_timeout(time),
        };
        sample.map(|sample| {
            assert!(!sample.redelivered(), "nobody died");
            T::number(&sample)
        })
    }
}

impl Discipline for Mpmc {
    type Sender<T: Numbered> = MpmcSender<T>;
    type Receiver<T: Numbered> = MpmcReceiver<T>;

    fn segment<T: Numbered>(shape: Shape) -> Segment {
        with_cells(channel::Mpmc::<T>::local(NAME).senders(2).receivers(2), shape)
            .segment()
            .unwrap()
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        on_full: OnFull,
    ) -> Result<MpmcSender<T>, OpenError> {
        let channel: channel::Mpmc<T> = with_cells(at(place), shape);
        channel.senders(2).receivers(2).on_full(on_full).sender()
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> MpmcReceiver<T> {
        let channel: channel::Mpmc<T> = with_cells(at(place), shape);
        channel.senders(2).receivers(2).receiver().unwrap()
    }
}

pub(crate) enum Broadcast {}

impl<T: Message> Sends<T> for BroadcastSender<T> {
    fn send(&mut self, message: &T) -> Result<(), SendError> {
        self.send(message)
    }
    fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        self.try_send(message)
    }
}

impl<T: Numbered> Receives<T> for BroadcastReceiver<T> {
    fn receive(&mut self, patience: Option<Duration>) -> Received {
        let sample = match patience {
            None => self.try_recv(),
            Some(time) => self.recv_timeout(time),
        };
        sample.map(|sample| T::number(&sample))
    }
}

impl Discipline for Broadcast {
    // With nobody there, it goes on.
    const TELLS_SENDERS: bool = false;

    type Sender<T: Numbered> = BroadcastSender<T>;
    type Receiver<T: Numbered> = BroadcastReceiver<T>;

    fn segment<T: Numbered>(shape: Shape) -> Segment {
        with_cells(channel::Broadcast::<T>::local(NAME).readers(2), shape).segment().unwrap()
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        on_full: OnFull,
    ) -> Result<BroadcastSender<T>, OpenError> {
        let channel: channel::Broadcast<T> = with_cells(at(place), shape);
        channel.readers(2).on_full(on_full).sender()
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> BroadcastReceiver<T> {
        let channel: channel::Broadcast<T> = with_cells(at(place), shape);
        channel.readers(2).receiver(Join::Newest, Slow::Gate).unwrap()
    }
}

/// Of one key. What is received is whatever is the latest.
pub(crate) enum Latest {}

impl<T: Message> Sends<T> for LatestWriter<T> {
    fn send(&mut self, message: &T) -> Result<(), SendError> {
        match self.set(1, message) {
            Ok(_) => Ok(()),
            Err(SetError::Message(error)) => Err(error.into()),
            Err(error) => panic!("{error}"),
        }
    }
    fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        Sends::send(self, message)
    }
}

/// A reader that remembers which value it has seen.
pub(crate) struct Watching<T: Message> {
    reader: LatestReader<T>,
    seen: u64,
}

impl<T: Numbered> Receives<T> for Watching<T> {
    fn receive(&mut self, patience: Option<Duration>) -> Received {
        let Self { reader, seen } = self;
        let value = match patience {
            None if reader.peer().details().ended_unix_ns.is_some() => {
                // As a wait would end.
                reader.wait_changed(1, *seen, Some(Duration::ZERO))
            }
            None => match reader.get_if_newer(1, *seen) {
                Ok(None) => return Err(RecvError::Empty),
                found => found.map(|value| value.expect("looked at above")),
            },
            Some(time) => reader.wait_changed(1, *seen, Some(time)),
        };
        match value {
            Ok(value) => {
                *seen = value.version();
                Ok(T::number(&value))
            }
            Err(ReadError::Timeout) => Err(RecvError::Timeout),
            Err(ReadError::Closed(gone)) => Err(RecvError::Closed(gone)),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Discipline for Latest {
    const KEEPS_ALL: bool = false;
    const TELLS_SENDERS: bool = false;

    type Sender<T: Numbered> = LatestWriter<T>;
    type Receiver<T: Numbered> = Watching<T>;

    fn segment<T: Numbered>(shape: Shape) -> Segment {
        with_cells(channel::Latest::<T>::local(NAME), shape).segment().unwrap()
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        _: OnFull,
    ) -> Result<LatestWriter<T>, OpenError> {
        let channel: channel::Latest<T> = with_cells(at(place), shape);
        channel.writer()
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> Watching<T> {
        let channel: channel::Latest<T> = with_cells(at(place), shape);
        let reader = channel.reader().unwrap();
        Watching { reader, seen: 0 }
    }
}
