//! A call that was made, and is not answered yet.

use super::answer::Answer;
use super::connection::Connection;
use super::error::CallError;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use strait_pools::environment::{Liveness, Peer};

/// How often a future asks the kernel whether the server's process still exists.
const PROBE_EVERY: Duration = Duration::from_millis(1);

/// A call that was made and not answered yet. Dropped, it is given up: its answer is nobody's.
#[derive(Debug)]
pub struct Pending {
    /// `None` once the answer was taken, or the call is over without one.
    connection: Option<Arc<Connection>>,
    position: u64,
    /// When the kernel was asked last.
    probed: Option<Instant>,
}

impl Pending {
    #[inline(always)]
    pub(super) fn new(connection: Arc<Connection>, position: u64) -> Self {
        Self { connection: Some(connection), position, probed: None }
    }

    /// Waits for the answer, up to `timeout` from now on if there is one; then the call is given up.
    ///
    /// # Errors
    ///
    /// [`CallError::Timeout`]; [`CallError::PeerDied`] and [`CallError::Unregistered`] if the server is gone;
    /// [`CallError::Overloaded`] and [`CallError::TooLarge`] if it had no room for the answer;
    /// [`CallError::Abandoned`] if the batch of the call was dropped; [`CallError::Corrupt`] if the answer is
    /// none; [`CallError::Forked`] in a child. An answer that is an error of the service's own is an
    /// [`Answer`].
    #[inline(always)]
    pub fn wait(mut self, timeout: Option<Duration>) -> Result<Answer, CallError> {
        let Some(connection) = self.connection.take() else { return Err(CallError::Forked) };
        let found = connection.finish(self.position, timeout)?;
        Ok(Answer::new(connection, self.position, found))
    }

    /// The answer if it is there; it is taken once.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait), without a timeout. That the server died is noticed by a wait, or by
    /// others.
    pub fn try_wait(&mut self) -> Option<Result<Answer, CallError>> {
        let connection = self.connection.as_ref()?;
        if connection.guard.forked() {
            return Some(Err(CallError::Forked));
        }
        let position = self.position;
        let mut over = connection.over(connection.look(position));
        if over.is_none() && matches!(connection.server.glance(), Peer::Closed | Peer::Died) {
            // What was answered before the end counts.
            let end = connection.end(position);
            over = connection.over(connection.look(position)).or_else(|| end.map(Err));
        }
        let over = over?;
        let connection = self.connection.take()?;
        let found = match over {
            Ok(()) => connection.find(position),
            Err(error) => connection.too_late(position, error),
        };
        Some(found.map(|found| Answer::new(connection, position, found)))
    }

    /// As a future: ready once the call is answered. It is polled again at once, as a side that spins does.
    ///
    /// # Errors
    ///
    /// As for [`wait`](Self::wait), without a timeout: race it against a timer of the runtime's, and drop it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, CallError>> {
        if let Some(answered) = self.try_wait() {
            return Poll::Ready(answered);
        }
        if let Some(connection) = &self.connection {
            let now = Instant::now();
            let last = *self.probed.get_or_insert(now);
            if now.duration_since(last) >= PROBE_EVERY {
                self.probed = Some(now);
                connection.server.probe();
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.give_up(self.position)
            && let Ok(found) = connection.find(self.position)
        {
            // It was answered: taken, and dropped.
            drop(Answer::new(connection, self.position, found));
        }
    }
}

impl Drop for Pending {
    #[inline(always)]
    fn drop(&mut self) {
        if self.connection.is_some() {
            self.give_up();
        }
    }
}
