//! The two ends of a running thread: its owner's and its own.

use super::builder::{Builder, SetUp};
use super::error::{Panicked, SendError, message_of};
use super::stop::StopFlag;
use rtrb::{Consumer, Producer, PushError};
use std::fmt;
use std::iter::from_fn;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A thread that was set up as asked, from its owner's side. Dropped, it stops the thread and waits
/// for it.
///
/// `M` are the messages that the owner sends it, `R` is what it returns.
///
/// ```
/// use strait_pools::threads::{Context, PinnedThread, SendError};
///
/// enum Command {
///     Add(u64),
/// }
///
/// let mut adder = PinnedThread::builder().name("adder").prefault_stack().spawn(
///     |context: &mut Context<Command>| {
///         let mut sum = 0;
///         loop {
///             // Asked first: whoever sees the wish to stop finds all messages sent before it.
///             let last_round = context.should_stop();
///             for Command::Add(number) in context.mailbox() {
///                 sum += number;
///             }
///             if last_round {
///                 return sum;
///             }
///             std::thread::yield_now();
///         }
///     },
/// )?;
/// for number in 1..=4 {
///     adder.send(Command::Add(number)).map_err(|_| "the mailbox is full")?;
/// }
/// assert_eq!(adder.shutdown()?, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With a core, a real-time class and locked memory: `.core(3).scheduler(Scheduler::Fifo(50))
/// .mlock(Lock::Stack)`; what the system refuses of it is the error of `spawn`.
pub struct PinnedThread<M = (), R = ()> {
    name: Arc<str>,
    set_up: Arc<SetUp>,
    stop: Arc<StopFlag>,
    outbox: Exclusive<Producer<M>>,
    /// `None` once it was waited for. A thread that began its work returns `Some`.
    handle: Option<JoinHandle<Option<R>>>,
}

/// What only an exclusive reference reaches, so that sharing its owner does not share it.
struct Exclusive<T>(T);

impl<T> Exclusive<T> {
    fn get(&mut self) -> &mut T {
        &mut self.0
    }
}

// SAFETY: `&Exclusive<T>` gives no access to the `T`.
unsafe impl<T: Send> Sync for Exclusive<T> {}

impl PinnedThread {
    /// A thread of which nothing is asked yet.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<M, R> PinnedThread<M, R> {
    pub(super) fn new(
        name: Arc<str>,
        set_up: Arc<SetUp>,
        stop: Arc<StopFlag>,
        outbox: Producer<M>,
        handle: JoinHandle<Option<R>>,
    ) -> Self {
        Self { name, set_up, stop, outbox: Exclusive(outbox), handle: Some(handle) }
    }

    /// The thread's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was done for the thread.
    pub fn set_up(&self) -> &SetUp {
        &self.set_up
    }

    /// Puts a message into the thread's mailbox.
    ///
    /// # Errors
    ///
    /// The mailbox is full, or the thread has ended; the message comes back.
    pub fn send(&mut self, message: M) -> Result<(), SendError<M>> {
        let outbox = self.outbox.get();
        if outbox.is_abandoned() {
            return Err(SendError::Ended { message, thread: Arc::clone(&self.name) });
        }
        outbox.push(message).map_err(|PushError::Full(message)| SendError::Full {
            message,
            thread: Arc::clone(&self.name),
            capacity: outbox.buffer().capacity(),
        })
    }

    /// Asks the thread to stop, and does not wait.
    pub fn stop(&self) {
        self.stop.ask();
    }

    /// Whether the thread has returned or panicked.
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the thread returns of its own accord.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn join(mut self) -> Result<R, Panicked> {
        self.wait()
    }

    /// Asks the thread to stop and waits until it has.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn shutdown(mut self) -> Result<R, Panicked> {
        self.stop();
        self.wait()
    }

    fn wait(&mut self) -> Result<R, Panicked> {
        let panicked = |message| Panicked { thread: self.name.to_string(), message };
        match self.handle.take().map(JoinHandle::join) {
            Some(Ok(Some(result))) => Ok(result),
            Some(Err(payload)) => Err(panicked(message_of(&*payload))),
            // A handle is made for threads that began their work, and waited for once.
            Some(Ok(None)) | None => Err(panicked("it ended without a result".to_owned())),
        }
    }
}

impl<M, R> Drop for PinnedThread<M, R> {
    fn drop(&mut self) {
        self.stop();
        // A thread that drops its own handle cannot wait for itself.
        let own = |handle: &JoinHandle<_>| handle.thread().id() == thread::current().id();
        if !self.handle.as_ref().is_none_or(own) {
            // Who wants to know how it ended calls `join` or `shutdown`.
            let _ = self.wait();
        }
    }
}

impl<M, R> fmt::Debug for PinnedThread<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedThread")
            .field("name", &self.name)
            .field("set_up", &self.set_up)
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// A thread's own side.
pub struct Context<M = ()> {
    pub(super) name: Arc<str>,
    pub(super) set_up: Arc<SetUp>,
    pub(super) stop: Arc<StopFlag>,
    pub(super) mailbox: Consumer<M>,
}

impl<M> Context<M> {
    /// Whether the owner wants the thread to end. One load; messages sent before the wish are in the
    /// mailbox of whoever has seen it.
    #[inline]
    pub fn should_stop(&self) -> bool {
        self.stop.is_asked()
    }

    /// The messages that have arrived, oldest first, each taken as the iterator comes to it. Nothing
    /// waits: it ends where the mailbox is empty.
    pub fn mailbox(&mut self) -> impl Iterator<Item = M> + '_ {
        from_fn(|| self.mailbox.pop().ok())
    }

    /// The thread's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was done for the thread.
    pub fn set_up(&self) -> &SetUp {
        &self.set_up
    }
}

impl<M> fmt::Debug for Context<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name)
            .field("set_up", &self.set_up)
            .field("should_stop", &self.should_stop())
            .finish_non_exhaustive()
    }
}
