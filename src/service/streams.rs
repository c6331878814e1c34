//! The streams of results that callers have open, as the service has them.

use super::Results;
use super::dispatch::guarded;
use std::collections::HashMap;
use std::fmt;
use strait_ipc::calls::chunk::{COMPLETE, Filling, REFUSED};
use strait_ipc::calls::{Request, Status};
use strait_ipc::message::{Body, Invalid, Message, WriteError};

/// Streams that one client may have open at a time.
pub const MOST_STREAMS: usize = 64;

/// The open streams of all clients of one dispatcher.
#[derive(Debug, Default)]
pub struct Streams {
    /// By the client's lane.
    clients: HashMap<usize, Client>,
    /// The number of the last stream.
    last: u64,
    filling: Filling,
}

/// What one client has open.
#[derive(Debug, Default)]
struct Client {
    /// Which of those that have had the lane.
    incarnation: u64,
    open: Vec<Open>,
}

struct Open {
    stream: u64,
    pull: Box<Pull>,
}

/// Fills a chunk; whether there may be more.
type Pull = dyn FnMut(&mut Filling) -> Result<bool, WriteError> + Send;

impl Streams {
    /// Answers with the first results of what the service returns.
    pub fn open<T: Message>(
        &mut self,
        request: &mut Request<'_>,
        call: impl FnOnce(Body<'_>) -> Result<Results<T>, Invalid>,
    ) {
        self.last += 1;
        let stream = self.last;
        if self.client(request).open.len() >= MOST_STREAMS {
            self.filling.clear();
            return request.answer(Status::Done, &self.filling.body(&REFUSED));
        }
        guarded(|| match call(request.arguments()) {
            Ok(mut results) => {
                let pull = move |filling: &mut Filling| {
                    while !filling.is_full() {
                        let Some(item) = results.next() else { return Ok(false) };
                        filling.push(&item)?;
                    }
                    Ok(true)
                };
                self.answer(request, Open { stream, pull: Box::new(pull) }, true);
            }
            Err(_) => request.answer(Status::BadArguments, &()),
        });
    }

    /// Answers with the next results of a stream.
    pub(super) fn next(&mut self, request: &mut Request<'_>) {
        match self.take(request) {
            Some(open) => {
                guarded(move || self.answer(request, open, false));
            }
            None => request.answer(Status::BadArguments, &()),
        }
    }

    /// Drops a stream that nobody wants more of.
    pub(super) fn close(&mut self, request: &mut Request<'_>) {
        let open = self.take(request);
        guarded(move || drop(open));
        request.answer(Status::Done, &());
    }

    /// The lanes of clients that have streams open.
    pub fn lanes(&self) -> Vec<usize> {
        let open = self.clients.iter().filter(|(_, client)| !client.open.is_empty());
        open.map(|(&lane, _)| lane).collect()
    }

    /// Drops all streams of the client that has had a lane: it is gone.
    pub fn forget(&mut self, lane: usize) {
        let client = self.clients.remove(&lane);
        guarded(move || drop(client));
    }

    /// Answers with a chunk, and keeps the stream if there may be more.
    ///
    /// What was made before a panic arrives. Who asks for more is told: the request is dropped.
    fn answer(&mut self, request: &mut Request<'_>, mut open: Open, first: bool) {
        self.filling.clear();
        let more = match guarded(|| (open.pull)(&mut self.filling)) {
            Some(Ok(more)) => more,
            _ if self.filling.is_empty() && !first => return,
            _ => {
                open.pull = Box::new(|_| Err(WriteError::Unsupported));
                true
            }
        };
        let stream = if more { open.stream } else { COMPLETE };
        if more {
            self.client(request).open.push(open);
        }
        request.answer(Status::Done, &self.filling.body(&stream));
    }

    /// Takes out the stream that the request names.
    fn take(&mut self, request: &Request<'_>) -> Option<Open> {
        let stream = *request.arguments().plain::<u64>().ok()?;
        let open = &mut self.client(request).open;
        let index = open.iter().position(|open| open.stream == stream)?;
        Some(open.swap_remove(index))
    }

    /// What the caller has open. What an earlier one in its lane had is dropped.
    fn client(&mut self, request: &Request<'_>) -> &mut Client {
        let (lane, incarnation) = request.client();
        let client = self.clients.entry(lane).or_default();
        if client.incarnation != incarnation {
            let of_another = std::mem::take(&mut client.open);
            guarded(move || drop(of_another));
            client.incarnation = incarnation;
        }
        client
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("stream", &self.stream).finish_non_exhaustive()
    }
}
