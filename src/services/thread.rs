//! Services that are served by a thread of their own.

use super::Serving;
use super::serving::Faults;
use crate::service::Service;
use std::time::Duration;
use strait_ipc::calls::ServeError;
use strait_pools::threads::{Builder, Panicked, PinnedThread, SpawnError};

/// How long a serving thread waits for requests before it looks whether it is to stop.
const SLICE: Duration = Duration::from_millis(5);

impl<S: Service + ?Sized> Serving<S> {
    /// Has a thread of its own serve it, which `thread` says how to set up: pinned, prioritised. It
    /// runs until it is [stopped](ServingThread::stop), or dropped.
    ///
    /// # Errors
    ///
    /// The thread cannot be started, or the system refuses what was asked for.
    pub fn spawn(mut self, thread: Builder) -> Result<ServingThread, SpawnError> {
        let faults = self.faults();
        let thread = thread.spawn(move |context| {
            while !context.should_stop() {
                self.serve(Some(SLICE))?;
            }
            self.close()
        })?;
        Ok(ServingThread { thread, faults })
    }
}

/// A thread that serves.
#[derive(Debug)]
pub struct ServingThread {
    thread: PinnedThread<(), Result<usize, ServeError>>,
    faults: Faults,
}

impl ServingThread {
    /// Ends it in good order: it is not found any more, and the calls that were made by then are handled.
    ///
    /// # Errors
    ///
    /// The thread panicked.
    pub fn stop(self) -> Result<(), Panicked> {
        self.thread.shutdown().map(drop)
    }

    /// How many requests were none.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}
