//! Sides of a channel in asynchronous code, whatever the runtime.
//!
//! A runtime is asked one thing: whether a descriptor is readable, and to wake the task when it is. So
//! any will do that can watch a descriptor. With the feature `tokio`, `AsyncReceiver::tokio` and
//! `AsyncSender::tokio` ask tokio's; with the feature `futures`, which that includes, there are
//! `Stream` and `Sink`.

use super::error::{DescriptorError, RecvError, SendError};
use super::receiver::{Receiver, Sample};
use super::sender::Sender;
use super::trust::{Checked, Trust};
use crate::message::Message;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

/// Whether a runtime has found the descriptor readable since it was asked last.
///
/// `Pending`: it has not, and wakes the task when it does. What is reported once is forgotten: asked
/// again, it must not say `Ready` for the same event for ever.
pub type Readiness = Box<dyn FnMut(&mut Context<'_>) -> Poll<io::Result<()>> + Send>;

/// A side of a channel and its runtime's word on when to look.
struct Watched<S> {
    side: S,
    ready: Readiness,
}

impl<S: fmt::Debug> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("side", &self.side).finish_non_exhaustive()
    }
}

impl<S> Watched<S> {
    /// Does `attempt` until it is more than too early for it; `early` says which failure is that.
    fn poll<R, E: From<Unwatched>>(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut S) -> Result<R, E>,
        early: impl Fn(&E) -> bool,
    ) -> Poll<Result<R, E>> {
        loop {
            match attempt(&mut self.side) {
                Err(error) if early(&error) => {}
                result => return Poll::Ready(result),
            }
            // The attempt has made the descriptor unreadable until it is worth another one.
            if let Err(error) = ready!((self.ready)(cx)) {
                return Poll::Ready(Err(E::from(Unwatched(error.kind()))));
            }
        }
    }
}

/// The runtime cannot watch the descriptor.
struct Unwatched(io::ErrorKind);

impl From<Unwatched> for RecvError {
    fn from(Unwatched(kind): Unwatched) -> Self {
        Self::Runtime(kind)
    }
}

impl From<Unwatched> for SendError {
    fn from(Unwatched(kind): Unwatched) -> Self {
        Self::Runtime(kind)
    }
}

/// A descriptor of the caller's own, by whatever name the side has it.
fn owned(
    descriptor: Result<std::os::fd::BorrowedFd<'_>, DescriptorError>,
    channel: String,
    watch: impl FnOnce(OwnedFd) -> io::Result<Readiness>,
) -> Result<Readiness, DescriptorError> {
    let own = descriptor?.try_clone_to_owned();
    own.and_then(watch).map_err(|source| DescriptorError::System { channel, source })
}

/// A [`Receiver`] that is awaited.
///
/// ```
/// # use std::task::Poll;
/// # use strait_ipc::channel::{AsyncReceiver, Spsc};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut sender, receiver) = Spsc::<u64>::unnamed("ticks").parking().pair()?;
/// // Any runtime's way of watching a descriptor; here that of `async-io`, which all executors take.
/// let mut ticks = AsyncReceiver::new(receiver, |descriptor| {
///     let watched = async_io::Async::new_nonblocking(descriptor)?;
///     Ok(Box::new(move |cx| watched.poll_readable(cx)))
/// })?;
/// sender.send(&7)?;
/// async_io::block_on(async {
///     assert_eq!(*ticks.recv().await?, 7);
///     # Ok::<(), strait_ipc::channel::RecvError>(())
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncReceiver<T: Message, V: Trust = Checked>(Watched<Receiver<T, V>>);

impl<T: Message, V: Trust> AsyncReceiver<T, V> {
    /// A receiver whose descriptor is watched as `watch` arranges.
    ///
    /// # Errors
    ///
    /// The channel was made for sides that never sleep, or `watch` fails.
    pub fn new(
        mut receiver: Receiver<T, V>,
        watch: impl FnOnce(OwnedFd) -> io::Result<Readiness>,
    ) -> Result<Self, DescriptorError> {
        let channel = receiver.channel().to_owned();
        let ready = owned(receiver.descriptor(), channel, watch)?;
        Ok(Self(Watched { side: receiver, ready }))
    }

    /// The next message. Dropped before it is ready, the future has taken nothing.
    ///
    /// # Errors
    ///
    /// As for [`Receiver::recv`]; [`RecvError::Runtime`] if the runtime cannot wait.
    pub async fn recv(&mut self) -> Result<Sample<'_, T, V>, RecvError> {
        let position = poll_fn(|cx| self.poll_ready(cx)).await?;
        self.0.side.sample(position)
    }

    /// The next message if it is there; if not, the task is woken when it comes.
    ///
    /// # Errors
    ///
    /// As for [`recv`](AsyncReceiver::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sample<'_, T, V>, RecvError>> {
        let position = ready!(self.poll_ready(cx))?;
        Poll::Ready(self.0.side.sample(position))
    }

    /// Position of the next message, once it is there.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64, RecvError>> {
        self.0.poll(cx, |receiver| receiver.bytes().ready_now(), |error| *error == RecvError::Empty)
    }

    /// The messages, each turned by `take` into a value of its own, as a stream. It ends when the
    /// sender has closed and everything was read.
    #[cfg(feature = "futures")]
    pub fn into_stream<U, F: FnMut(&T::Archived) -> U>(self, take: F) -> Messages<T, V, F> {
        Messages { receiver: self, take }
    }

    /// The receiver itself.
    pub fn into_inner(self) -> Receiver<T, V> {
        self.0.side
    }
}

/// A [`Sender`] that is awaited.
#[derive(Debug)]
pub struct AsyncSender<T: Message>(Watched<Sender<T>>);

impl<T: Message> AsyncSender<T> {
    /// A sender whose descriptor is watched as `watch` arranges.
    ///
    /// # Errors
    ///
    /// The channel was made for sides that never sleep, or `watch` fails.
    pub fn new(
        mut sender: Sender<T>,
        watch: impl FnOnce(OwnedFd) -> io::Result<Readiness>,
    ) -> Result<Self, DescriptorError> {
        let channel = sender.channel().to_owned();
        let ready = owned(sender.descriptor(), channel, watch)?;
        Ok(Self(Watched { side: sender, ready }))
    }

    /// Sends a message, awaiting room for it whatever the channel's policy is. Dropped before it is
    /// ready, the future has sent nothing.
    ///
    /// # Errors
    ///
    /// As for [`Sender::send`]; [`SendError::Runtime`] if the runtime cannot wait.
    pub async fn send(&mut self, message: &T) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.0.side.try_send(message)
    }

    /// Room for a message; if there is none, the task is woken when there is.
    ///
    /// # Errors
    ///
    /// As for [`send`](AsyncSender::send).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.0.poll(cx, |sender| sender.bytes().room_now(0), |error| *error == SendError::Full)
    }

    /// The sender itself.
    pub fn into_inner(self) -> Sender<T> {
        self.0.side
    }
}

#[cfg(feature = "tokio")]
mod with_tokio {
    use super::{AsyncReceiver, AsyncSender, DescriptorError, Readiness};
    use crate::channel::{Receiver, Sender, Trust};
    use crate::message::Message;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::task::{Poll, ready};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    fn watch(descriptor: OwnedFd) -> io::Result<Readiness> {
        // SAFETY: the descriptor is open, always the same, and owned by what watches it.
        let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
        Ok(Box::new(move |cx| {
            // Forgotten before the side looks again: what happens after that is a new event.
            ready!(watched.poll_read_ready(cx))?.clear_ready();
            Poll::Ready(Ok(()))
        }))
    }

    impl<T: Message, V: Trust> AsyncReceiver<T, V> {
        /// A receiver that tokio watches. Called within a runtime that has its I/O enabled.
        ///
        /// # Errors
        ///
        /// The channel was made for sides that never sleep, or the system refuses.
        ///
        /// # Panics
        ///
        /// Outside a tokio runtime, and in one without I/O, as everything of tokio's does.
        pub fn tokio(receiver: Receiver<T, V>) -> Result<Self, DescriptorError> {
            Self::new(receiver, watch)
        }
    }

    impl<T: Message> AsyncSender<T> {
        /// A sender that tokio watches. Called within a runtime that has its I/O enabled.
        ///
        /// # Errors
        ///
        /// The channel was made for sides that never sleep, or the system refuses.
        ///
        /// # Panics
        ///
        /// Outside a tokio runtime, and in one without I/O, as everything of tokio's does.
        pub fn tokio(sender: Sender<T>) -> Result<Self, DescriptorError> {
            Self::new(sender, watch)
        }
    }
}

#[cfg(feature = "futures")]
pub use with_futures::Messages;

#[cfg(feature = "futures")]
mod with_futures {
    use super::{AsyncReceiver, AsyncSender, RecvError, SendError, Trust};
    use crate::message::Message;
    use futures_core::Stream;
    use futures_sink::Sink;
    use std::fmt;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    /// The messages of a channel as a stream; see [`AsyncReceiver::into_stream`].
    pub struct Messages<T: Message, V: Trust, F> {
        pub(super) receiver: AsyncReceiver<T, V>,
        pub(super) take: F,
    }

    impl<T: Message, V: Trust, F> fmt::Debug for Messages<T, V, F> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Messages").finish_non_exhaustive()
        }
    }

    // Nothing in it is pinned.
    impl<T: Message, V: Trust, F> Unpin for Messages<T, V, F> {}

    impl<T: Message, V: Trust, U, F: FnMut(&T::Archived) -> U> Stream for Messages<T, V, F> {
        type Item = Result<U, RecvError>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let Self { receiver, take } = &mut *self;
            Poll::Ready(match ready!(receiver.poll_recv(cx)) {
                Ok(message) => Some(Ok(take(&message))),
                Err(RecvError::Closed(_)) => None,
                Err(error) => Some(Err(error)),
            })
        }
    }

    /// Messages are published as they are taken: there is nothing to flush. To close the channel, drop
    /// the sender.
    impl<T: Message> Sink<T> for AsyncSender<T> {
        type Error = SendError;

        fn poll_ready(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Result<(), SendError>> {
            Self::poll_ready(&mut self, cx)
        }

        fn start_send(mut self: Pin<&mut Self>, message: T) -> Result<(), SendError> {
            self.0.side.try_send(&message)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
            Poll::Ready(Ok(()))
        }
    }
}
