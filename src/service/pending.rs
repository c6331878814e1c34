//! A call that was made and not answered.

use super::caller::outcome_of;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use strait_ipc::calls::{self, Answer, CallError, Delivered, Outcome};

/// What a call came to, for its caller.
type Ended<T, E> = Result<<T as Outcome>::Returned, CallError<<E as Outcome>::Returned>>;

/// A call whose answer is waited for when it is wanted: by [`wait`](Self::wait), or as a future,
/// under any runtime. Dropped, the call is given up: its answer is thrown away.
///
/// As a future it has no deadline: give it your runtime's.
#[must_use = "dropped, the call is given up"]
pub struct Pending<T: Outcome, E: Outcome = Infallible> {
    service: &'static str,
    state: State<T, E>,
}

enum State<T: Outcome, E: Outcome> {
    /// Called in this process; `None` once it was taken.
    Here(Option<Ended<T, E>>),
    There(calls::Pending, Duration),
}

impl<T: Outcome, E: Outcome> Pending<T, E> {
    pub(super) fn here(service: &'static str, ended: Ended<T, E>) -> Self {
        Self { service, state: State::Here(Some(ended)) }
    }

    pub(super) fn there(service: &'static str, call: calls::Pending, timeout: Duration) -> Self {
        Self { service, state: State::There(call, timeout) }
    }

    /// Waits for the answer, from now on as long as the client was told to.
    ///
    /// # Errors
    ///
    /// [`CallError`]; after [`CallError::Timeout`] the call is given up. An answer that was taken
    /// before does not come again.
    pub fn wait(self) -> Ended<T, E> {
        let service = self.service;
        match self.state {
            State::Here(Some(ended)) => ended,
            State::Here(None) => {
                Err(CallError::Timeout { service: service.into(), delivered: Delivered::Yes })
            }
            State::There(call, timeout) => ended::<T, E>(service, call.wait(Some(timeout))),
        }
    }

    /// The answer, if it is there, once.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn try_wait(&mut self) -> Option<Ended<T, E>> {
        match &mut self.state {
            State::Here(taken) => taken.take(),
            State::There(call, _) => Some(ended::<T, E>(self.service, call.try_wait()?)),
        }
    }
}

fn ended<T: Outcome, E: Outcome>(
    service: &'static str,
    answer: Result<Answer, CallError>,
) -> Ended<T, E> {
    outcome_of::<T, E>(service, answer.map_err(CallError::widen)?)
}

/// Nothing in it is pinned.
impl<T: Outcome, E: Outcome> Unpin for Pending<T, E> {}

impl<T: Outcome, E: Outcome> Future for Pending<T, E> {
    type Output = Ended<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let service = self.service;
        match &mut self.state {
            State::Here(taken) => taken.take().map_or(Poll::Pending, Poll::Ready),
            State::There(call, _) => call.poll(cx).map(|answer| ended::<T, E>(service, answer)),
        }
    }
}

impl<T: Outcome, E: Outcome> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("service", &self.service).finish_non_exhaustive()
    }
}
