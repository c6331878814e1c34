//! One way to use the four kinds of channels.

use super::channel::{Large, Numbered, Plain, Rich, Seen, bytes, raw, typed};
use super::keeper::{Keeper, Keeping};
use crate::place::CHANNEL;
use std::time::Duration;
use strait_ipc::channel::{
    Bytes, BytesReceiver, BytesSender, OpenError, Receiver, RecvError, Sample, SendError, Sender,
    Spsc,
};
use strait_ipc::segment::Segment;
use strait_torture::body;
use strait_torture::journal::Event;
use strait_torture::spec::{Kind, Part, Spec};

/// How long an actor waits at most that is not to wait for ever.
const LIMIT: Duration = Duration::from_millis(5);

/// Which of the channel's calls is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The one that waits.
    Waiting,
    /// The one that waits for a limited time.
    Limited,
    /// The one that never waits.
    AtOnce,
    /// A loan, or a claim, then the message.
    Loan,
}

/// The sending side of any kind.
pub(super) trait SendSide {
    fn position(&self) -> u64;
    fn incarnation(&self) -> u64;
    /// Publishes one message.
    fn send(&mut self, how: How, id: u64) -> Result<(), SendError>;
    /// Builds up to `count` messages, as far as there is room; publishes them if `go` says so when
    /// it is told their number.
    fn batch(
        &mut self,
        id: u64,
        count: u64,
        go: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), SendError>;
    /// Whether there is room now for the longest message there can be.
    fn has_all_room(&mut self) -> bool;
}

/// The receiving side of any kind.
pub(super) trait ReceiveSide {
    fn position(&self) -> u64;
    /// Hands the next message to `handle`, as the event to be told, and then releases it.
    fn receive(&mut self, how: How, handle: &mut dyn FnMut(Event)) -> Result<(), RecvError>;
    /// Which messages are kept from now on.
    fn keep(&mut self, _: Keeping) {}
    /// Closes it, and gives back what was kept, as the events to be told.
    fn close(self: Box<Self>, _: &mut dyn FnMut(Event)) {}
}

impl<T: Numbered> SendSide for Sender<T> {
    fn position(&self) -> u64 {
        Sender::position(self)
    }

    fn incarnation(&self) -> u64 {
        Sender::incarnation(self)
    }

    fn send(&mut self, how: How, id: u64) -> Result<(), SendError> {
        let message = T::numbered(id, self.position());
        match how {
            How::Waiting => Sender::send(self, &message),
            How::Limited => self.send_timeout(&message, LIMIT),
            How::AtOnce => self.try_send(&message),
            How::Loan => Ok(self.loan_len(message.longest())?.publish(&message)?),
        }
    }

    fn batch(
        &mut self,
        id: u64,
        count: u64,
        go: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), SendError> {
        let position = self.position();
        let mut batch = Sender::batch(self);
        for ahead in 0..count {
            match batch.push(&T::numbered(id + ahead, position + ahead)) {
                Ok(()) => {}
                Err(SendError::Full) => break,
                Err(error) => return Err(error),
            }
        }
        if batch.is_empty() {
            return Err(SendError::Full);
        }
        if go(batch.len()) {
            batch.publish();
        }
        Ok(())
    }

    fn has_all_room(&mut self) -> bool {
        self.loan_len(self.max_len()).is_ok()
    }
}

impl SendSide for BytesSender {
    fn position(&self) -> u64 {
        BytesSender::position(self)
    }

    fn incarnation(&self) -> u64 {
        BytesSender::incarnation(self)
    }

    fn send(&mut self, how: How, id: u64) -> Result<(), SendError> {
        let message = body::bytes(id, self.position(), self.max_len());
        let mut claim = match how {
            How::Waiting | How::Loan => self.claim(message.len())?,
            How::Limited | How::AtOnce => self.try_claim(message.len())?,
        };
        // In two parts, so that the body is half written for a while.
        let half = message.len() / 2;
        claim.write(0, &message[..half])?;
        claim.write(half, &message[half..])?;
        claim.commit();
        Ok(())
    }

    fn batch(&mut self, id: u64, _: u64, go: &mut dyn FnMut(u64) -> bool) -> Result<(), SendError> {
        // There are no batches of bytes; a claim that is given up is the nearest thing.
        let len = body::bytes(id, self.position(), self.max_len()).len();
        self.try_claim(len)?.abort();
        if go(1) { self.send(How::AtOnce, id) } else { Ok(()) }
    }

    fn has_all_room(&mut self) -> bool {
        self.try_claim(self.max_len()).is_ok()
    }
}

/// The next message of a typed channel.
pub(super) fn sample<T: Numbered>(
    receiver: &mut Receiver<T>,
    how: How,
) -> Result<Sample<'_, T>, RecvError> {
    match how {
        How::Waiting => receiver.recv(),
        How::Limited => receiver.recv_timeout(LIMIT),
        How::AtOnce | How::Loan => receiver.try_recv(),
    }
}

/// What is told of it.
pub(super) fn took<T: Numbered>(sample: &Sample<'_, T>) -> Event {
    let position = sample.position();
    let Seen { id, whole } = T::look(sample, position);
    let (redelivered, incarnation) = (sample.redelivered(), sample.sender_incarnation());
    Event::Took { id, position, redelivered, incarnation, whole }
}

impl<T: Numbered> ReceiveSide for Receiver<T> {
    fn position(&self) -> u64 {
        Receiver::position(self)
    }

    fn receive(&mut self, how: How, handle: &mut dyn FnMut(Event)) -> Result<(), RecvError> {
        let sample = sample(self, how)?;
        handle(took(&sample));
        Ok(())
    }
}

impl ReceiveSide for BytesReceiver {
    fn position(&self) -> u64 {
        BytesReceiver::position(self)
    }

    fn receive(&mut self, how: How, handle: &mut dyn FnMut(Event)) -> Result<(), RecvError> {
        let longest = self.max_len();
        let message = match how {
            How::Waiting => self.recv()?,
            How::Limited | How::AtOnce | How::Loan => self.poll()?,
        };
        let position = message.position();
        let (id, told, whole) = body::from_bytes(&message.to_vec(), longest);
        let whole = whole && told == position;
        let (redelivered, incarnation) = (message.redelivered(), message.sender_incarnation());
        handle(Event::Took { id, position, redelivered, incarnation, whole });
        Ok(())
    }
}

fn boxed<S: SendSide + 'static>(side: S) -> Box<dyn SendSide> {
    Box::new(side)
}

/// Opens the sending side.
pub(super) fn sender(spec: &Spec) -> Result<Box<dyn SendSide>, OpenError> {
    match spec.kind {
        Kind::Plain => typed::<Plain>(spec)?.sender().map(boxed),
        Kind::Rich => typed::<Rich>(spec)?.sender().map(boxed),
        Kind::Dense => typed::<u64>(spec)?.sender().map(boxed),
        Kind::Large => typed::<Large>(spec)?.sender().map(boxed),
        Kind::Kept => typed::<Rich>(spec)?.sender().map(boxed),
        Kind::Bytes | Kind::LargeBytes => bytes(spec)?.sender().map(boxed),
    }
}

fn boxed_receiver<S: ReceiveSide + 'static>(side: S) -> Box<dyn ReceiveSide> {
    Box::new(side)
}

/// Opens the receiving side. A standby says that it stands by, and then waits for the side.
pub(super) fn receiver(
    spec: &Spec,
    standing_by: impl FnOnce(),
) -> Result<Box<dyn ReceiveSide>, OpenError> {
    macro_rules! open {
        ($channel:expr, $boxed:expr) => {{
            let channel = $channel;
            if spec.part == Part::Standby {
                let standby = channel.standby()?;
                standing_by();
                standby.wait().map($boxed)
            } else {
                channel.receiver().map($boxed)
            }
        }};
        ($channel:expr) => {
            open!($channel, boxed_receiver)
        };
    }
    let keeper = |receiver| boxed_receiver(Keeper::new(receiver, spec));
    match spec.kind {
        Kind::Plain => open!(typed::<Plain>(spec)?),
        Kind::Rich => open!(typed::<Rich>(spec)?),
        Kind::Dense => open!(typed::<u64>(spec)?),
        Kind::Large => open!(typed::<Large>(spec)?),
        Kind::Kept => open!(typed::<Rich>(spec)?, keeper),
        Kind::Bytes | Kind::LargeBytes => open!(bytes(spec)?),
    }
}

/// A memory segment for the channel.
pub(super) fn segment(spec: &Spec) -> Result<Segment, OpenError> {
    // It is made for nobody in particular; who has the descriptor opens it.
    macro_rules! make {
        ($channel:expr) => {{
            let channel = $channel.capacity(spec.capacity);
            if spec.parking { channel.parking().segment() } else { channel.segment() }
        }};
    }
    match spec.kind {
        Kind::Plain => make!(Plain::shape(Spsc::unnamed(CHANNEL), spec)),
        Kind::Rich | Kind::Kept => make!(Rich::shape(Spsc::unnamed(CHANNEL), spec)),
        Kind::Dense => make!(u64::shape(Spsc::unnamed(CHANNEL), spec)),
        Kind::Large => make!(Large::shape(Spsc::unnamed(CHANNEL), spec)),
        Kind::Bytes | Kind::LargeBytes => make!(raw(Spsc::<Bytes>::unnamed(CHANNEL), spec)),
    }
}
