//! Results that come one after another.
//!
//! They are asked for in chunks, by ordinary calls, so a caller that is slow is not overrun: what it
//! does not ask for is not made.

use super::caller::{corrupt, refused, too_large};
use super::dispatch::{CLOSE, NEXT};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use strait_ipc::calls::chunk::{COMPLETE, Chunk, REFUSED};
use strait_ipc::calls::{Answer, CallError, Client, Delivered, Outcome, Returned, Status};
use strait_ipc::message::Message;

/// What a method returns that has any number of results: `Box::new(iterator)`.
pub type Results<T> = Box<dyn Iterator<Item = T> + Send>;

/// The results of a call, one after another; after an error there are no more. Dropped, the service
/// drops its side as well.
pub struct Stream<T: Message> {
    service: &'static str,
    source: Source<T>,
}

enum Source<T> {
    /// A service of this process.
    Here(Results<T>),
    There(Remote),
    /// There is nothing more to come.
    Over,
}

impl<T: Message> Stream<T> {
    pub(super) fn here(service: &'static str, results: Results<T>) -> Self {
        Self { service, source: Source::Here(results) }
    }

    /// The stream that an answer begins.
    pub(super) fn there(
        service: &'static str,
        client: &Arc<Client>,
        timeout: Duration,
        answer: Answer,
    ) -> Result<Self, CallError> {
        let (stream, chunk) = chunk_of(service, answer)?;
        if stream == REFUSED {
            return Err(CallError::Overloaded {
                service: service.into(),
                what: "there are as many streams as one client may have open",
                delivered: Delivered::No,
            });
        }
        let client = Arc::clone(client);
        let remote = Remote { client, timeout, stream, chunk };
        Ok(Self { service, source: Source::There(remote) })
    }
}

impl<T: Message> Iterator for Stream<T> {
    type Item = Result<Returned<T>, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.source {
            Source::Here(results) => next_here(self.service, results),
            Source::There(remote) => remote.next::<T>(self.service),
            Source::Over => return None,
        };
        if !matches!(next, Some(Ok(_))) {
            self.source = Source::Over;
        }
        next
    }
}

fn next_here<T: Message>(
    service: &'static str,
    results: &mut Results<T>,
) -> Option<Result<Returned<T>, CallError>> {
    match catch_unwind(AssertUnwindSafe(|| results.next())) {
        Ok(item) => {
            let unsupported = |_| too_large(service, "a result", Delivered::Yes);
            Some(item?.of_value().map_err(unsupported))
        }
        Err(_) => Some(Err(CallError::Panicked { service: service.into() })),
    }
}

/// A stream of another process.
struct Remote {
    client: Arc<Client>,
    timeout: Duration,
    /// Its number, or [`COMPLETE`].
    stream: u64,
    chunk: Chunk,
}

impl Remote {
    fn next<T: Message>(
        &mut self,
        service: &'static str,
    ) -> Option<Result<Returned<T>, CallError>> {
        loop {
            match self.chunk.take::<T>() {
                Ok(Some(item)) => return Some(Ok(item)),
                Ok(None) if self.stream == COMPLETE => return None,
                Ok(None) => {}
                Err(invalid) => return Some(Err(corrupt(service, invalid))),
            }
            let answer = self.client.call(NEXT, &self.stream, Some(self.timeout));
            match answer.and_then(|answer| chunk_of(service, answer)) {
                Ok((stream, chunk)) => (self.stream, self.chunk) = (stream, chunk),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if self.stream != COMPLETE {
            // A service that is not there any more has no stream either.
            let _ = self.client.notify(CLOSE, &self.stream);
        }
    }
}

fn chunk_of(service: &'static str, answer: Answer) -> Result<(u64, Chunk), CallError> {
    match answer.status() {
        Status::Done => Chunk::new(answer).map_err(|invalid| corrupt(service, invalid)),
        status => Err(refused(service, status)),
    }
}

impl<T: Message> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("service", &self.service).finish_non_exhaustive()
    }
}
