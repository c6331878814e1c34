//! Calls: a request that goes through a lane, and the one answer that comes back for it.
//!
//! Bytes and numbers of methods: what they mean is a matter of the layer above.

pub mod chunk;
pub mod error;
pub mod reply;

pub use error::{CallError, Delivered};
pub use reply::{Keeper, Outcome, Reply, Returned};

use crate::message::encode::Encode;
use std::task::{Context, Poll};
use std::time::Instant;

/// The highest number a method may have.
pub const MAX_METHOD: u16 = 4000;

/// How a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With a result.
    Done,
    /// With an error of the service's own.
    Failed,
    /// The arguments are not what the method takes.
    BadArguments,
    /// There is no such method.
    NoSuchMethod,
    /// The service panicked.
    Panicked,
}

/// A side that calls. Shared by threads: each call waits for its own answer.
#[derive(Debug)]
pub struct Client(());

impl Client {
    /// Calls and waits for the answer, until `deadline` if there is one.
    pub fn call(
        &self,
        _method: u16,
        _arguments: &impl Encode,
        _deadline: Option<Instant>,
    ) -> Result<Answer, CallError> {
        unimplemented!()
    }

    /// Calls, and does not wait.
    pub fn start(&self, _method: u16, _arguments: &impl Encode) -> Result<Pending, CallError> {
        unimplemented!()
    }

    /// Calls without an answer.
    pub fn notify(&self, _method: u16, _arguments: &impl Encode) -> Result<(), CallError> {
        unimplemented!()
    }

    /// Calls that are published at once, when the batch is committed; dropped, it was never there.
    pub fn batch(&self) -> Batch<'_> {
        unimplemented!()
    }

    /// What the service is called.
    pub fn service(&self) -> &str {
        unimplemented!()
    }
}

/// Calls that are made together.
#[derive(Debug)]
pub struct Batch<'a>(&'a ());

impl Batch<'_> {
    /// Adds a call.
    pub fn start(&mut self, _method: u16, _arguments: &impl Encode) -> Result<Pending, CallError> {
        unimplemented!()
    }

    /// Adds a call without an answer.
    pub fn notify(&mut self, _method: u16, _arguments: &impl Encode) -> Result<(), CallError> {
        unimplemented!()
    }

    /// Publishes all of them.
    pub fn commit(self) {}
}

/// A call that was made and not answered. Dropped, it is given up: its answer is thrown away.
#[derive(Debug)]
pub struct Pending(());

impl Pending {
    /// Waits for the answer, until `deadline` if there is one; then the call is given up.
    pub fn wait(self, _deadline: Option<Instant>) -> Result<Answer, CallError> {
        unimplemented!()
    }

    /// The answer, if it is there; taken once.
    pub fn try_wait(&mut self) -> Option<Result<Answer, CallError>> {
        unimplemented!()
    }

    /// As a future.
    pub fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Answer, CallError>> {
        unimplemented!()
    }
}

/// An answer in place: its bytes stay until it is dropped. Any thread may hold it.
#[derive(Debug)]
pub struct Answer(());

impl Answer {
    /// How the call was answered.
    pub fn status(&self) -> Status {
        unimplemented!()
    }

    /// The address of the bytes, 16-aligned.
    pub fn as_ptr(&self) -> *const u8 {
        unimplemented!()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        unimplemented!()
    }

    /// What the service is called.
    pub fn service(&self) -> &str {
        unimplemented!()
    }
}

/// A call as the service sees it. Dropped without an answer, it is answered with [`Status::Panicked`].
#[derive(Debug)]
pub struct Request<'a>(&'a ());

impl Request<'_> {
    /// Which method.
    pub fn method(&self) -> u16 {
        unimplemented!()
    }

    /// The address of the arguments, 16-aligned.
    pub fn as_ptr(&self) -> *const u8 {
        unimplemented!()
    }

    /// How many bytes they take.
    pub fn len(&self) -> usize {
        unimplemented!()
    }

    /// Who calls: the number of its lane, and how many have had that.
    pub fn client(&self) -> (u32, u64) {
        unimplemented!()
    }

    /// Answers. An answer that nobody waits for any more, or to a call that wants none, is thrown away.
    pub fn answer(self, _status: Status, _result: &impl Encode) {}
}
