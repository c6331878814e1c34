//! Byte endpoints: their users archive messages, and look at the archives.

use crate::channel::Numbered;
use crate::disciplines::{Discipline, Received, Receives, Sends, at, with_cells};
use crate::{Shape, Where};
use std::marker::PhantomData;
use std::time::Duration;
use strait_ipc::channel::{
    self, Bytes, Channel, MpmcBytesReceiver, MpmcBytesSender, OnFull, OpenError, SendError,
};
use strait_ipc::message::{Message, Scratch, access_checked, write};
use strait_ipc::segment::Segment;

/// Archives messages and sends the bytes.
pub(crate) struct Archiving<T> {
    sender: MpmcBytesSender,
    archive: Vec<u128>,
    scratch: Scratch,
    of: PhantomData<fn(T)>,
}

impl<T: Message> Archiving<T> {
    fn new(sender: MpmcBytesSender) -> Self {
        let archive = vec![0; sender.max_len().div_ceil(16)];
        let scratch = Scratch::for_body(sender.max_len());
        Self { sender, archive, scratch, of: PhantomData }
    }

    fn archived(&mut self, message: &T) -> Result<(&mut MpmcBytesSender, &[u8]), SendError> {
        let start = self.archive.as_mut_ptr().cast::<u8>();
        // SAFETY: the vector is this one's, aligned to 16, and has so many bytes.
        let len = unsafe { write(message, start, self.sender.max_len(), &mut self.scratch) }?;
        // SAFETY: so many bytes of it were written.
        Ok((&mut self.sender, unsafe { std::slice::from_raw_parts(start, len) }))
    }
}

impl<T: Message> Sends<T> for Archiving<T> {
    fn send(&mut self, message: &T) -> Result<(), SendError> {
        let (sender, bytes) = self.archived(message)?;
        sender.send(bytes)
    }
    fn try_send(&mut self, message: &T) -> Result<(), SendError> {
        let (sender, bytes) = self.archived(message)?;
        sender.try_send(bytes)
    }
}

/// Receives bytes and looks at the archive.
pub(crate) struct Looking<T> {
    receiver: MpmcBytesReceiver,
    of: PhantomData<fn() -> T>,
}

impl<T: Numbered> Receives<T> for Looking<T> {
    fn receive(&mut self, patience: Option<Duration>) -> Received {
        let room = self.receiver.max_len();
        let received = match patience {
            None => self.receiver.poll(),
            Some(time) => self.receiver.recv_timeout(time),
        }?;
        assert!(!received.redelivered(), "nobody died");
        // SAFETY: the body is aligned to 16, has `room` initialised bytes, and is this receiver's.
        let archive = unsafe { access_checked::<T>(received.as_ptr(), received.len(), room) };
        Ok(T::number(archive.unwrap()))
    }
}

pub(crate) enum MpmcBytes {}

fn channel<T: Message>(
    channel: Channel<channel::open::kind::Mpmc, Bytes>,
    shape: Shape,
) -> channel::Mpmc<Bytes> {
    with_cells(channel, shape).schema(T::SCHEMA).senders(2).receivers(2)
}

impl Discipline for MpmcBytes {
    type Sender<T: Numbered> = Archiving<T>;
    type Receiver<T: Numbered> = Looking<T>;

    fn segment<T: Numbered>(shape: Shape) -> Segment {
        channel::<T>(Channel::local("flow"), shape).segment().unwrap()
    }
    fn open<T: Numbered>(
        place: &Where,
        shape: Shape,
        on_full: OnFull,
    ) -> Result<Archiving<T>, OpenError> {
        Ok(Archiving::new(channel::<T>(at(place), shape).on_full(on_full).sender()?))
    }
    fn receiver<T: Numbered>(place: &Where, shape: Shape) -> Looking<T> {
        let receiver = channel::<T>(at(place), shape).receiver().unwrap();
        Looking { receiver, of: PhantomData }
    }
}
