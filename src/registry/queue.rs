//! Events that are told by threads of their own.

use super::events::News;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

/// How events are told if not by the thread that makes a change.
///
/// A listener may then hear of a service when that has changed again, or is gone, and of two changes
/// in either order if there are several threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQueue {
    /// How many events may wait (`event_queue_size`); at least 1.
    pub capacity: usize,
    /// How many threads tell them (`event_thread_pool_size`); at least 1.
    pub threads: usize,
    /// What becomes of one too many.
    pub overflow: Overflow,
}

/// What a full queue does with one more event. What it drops is counted:
/// [`Registry::dropped_events`](super::Registry::dropped_events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Whoever makes the change waits. A listener must not make changes then: all threads might wait
    /// for each other.
    Block,
    /// The one that has waited longest is dropped.
    DropOldest,
    /// The new one is dropped.
    DropNewest,
}

/// The queue and its threads, which end with it when they have told what is in it.
#[derive(Debug)]
pub(super) struct Queue {
    sender: Option<Sender<News>>,
    receiver: Receiver<News>,
    overflow: Overflow,
    dropped: AtomicU64,
    threads: Vec<JoinHandle<()>>,
}

impl Queue {
    pub(super) fn start(options: EventQueue, panics: &Arc<AtomicU64>) -> io::Result<Self> {
        let (sender, receiver) = bounded::<News>(options.capacity.max(1));
        let start = |number| {
            let (receiver, panics) = (receiver.clone(), Arc::clone(panics));
            let tell = move || receiver.iter().for_each(|news| news.tell(Some(false), &panics));
            thread::Builder::new().name(format!("strait-events-{number}")).spawn(tell)
        };
        let threads = (0..options.threads.max(1)).map(start).collect::<io::Result<_>>()?;
        let dropped = AtomicU64::new(0);
        Ok(Self { sender: Some(sender), receiver, overflow: options.overflow, dropped, threads })
    }

    pub(super) fn put(&self, mut news: News) {
        let Some(sender) = &self.sender else { return };
        if self.overflow == Overflow::Block {
            // It has a receiver here.
            let _ = sender.send(news);
            return;
        }
        while let Err(TrySendError::Full(refused)) = sender.try_send(news) {
            if self.overflow == Overflow::DropNewest {
                self.dropped.fetch_add(1, Relaxed);
                return;
            }
            if self.receiver.try_recv().is_ok() {
                self.dropped.fetch_add(1, Relaxed);
            }
            news = refused;
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            // The last registry may go with a listener, on one of these threads.
            if thread.thread().id() != thread::current().id() {
                // It catches the panics of what it calls.
                let _ = thread.join();
            }
        }
    }
}
