//! What generated dispatchers are made of: from a request to its answer.
//!
//! Beside the methods of the trait there are three for every service, with numbers that no method can
//! have.

use super::{Service, Streams};
use std::panic::{AssertUnwindSafe, catch_unwind};
pub use strait_ipc::calls::Request;
use strait_ipc::calls::{MAX_METHOD, Outcome, Status};
use strait_ipc::message::{Arguments, Body, Invalid};

/// The next results of a stream; takes its number.
pub const NEXT: u16 = MAX_METHOD + 1;

/// Nobody wants more of a stream; takes its number, one-way.
pub const CLOSE: u16 = MAX_METHOD + 2;

/// What a method takes and returns, in words; takes its number.
pub const DESCRIBE: u16 = MAX_METHOD + 3;

/// Answers with what the service returns, or with the reason why it was not called.
pub fn answer<T: Outcome, E: Outcome>(
    request: &mut Request<'_>,
    call: impl FnOnce(Body<'_>) -> Result<Result<T, E>, Invalid>,
) {
    guarded(|| match call(request.arguments()) {
        Ok(Ok(result)) => request.answer(Status::Done, &result),
        Ok(Err(error)) => request.answer(Status::Failed, &error),
        Err(_) => request.answer(Status::BadArguments, &()),
    });
}

/// Answers what is not a method of the trait.
pub fn others<S: Service + ?Sized>(request: &mut Request<'_>, streams: &mut Streams) {
    match request.method() {
        NEXT => streams.next(request),
        CLOSE => streams.close(request),
        DESCRIBE => describe::<S>(request),
        _ => request.answer(Status::NoSuchMethod, &()),
    }
}

fn describe<S: Service + ?Sized>(request: &mut Request<'_>) {
    let id = request.arguments().plain::<u16>().copied();
    let method = id.map(|id| S::METHODS.iter().find(|method| method.id == id));
    match method {
        Ok(Some(method)) => request.answer(Status::Done, &Arguments((method.text,))),
        Ok(None) => request.answer(Status::NoSuchMethod, &()),
        Err(_) => request.answer(Status::BadArguments, &()),
    }
}

/// Runs code of the service's. If it panics, its request has no answer, and the server gives it
/// [`Status::Panicked`]; the next can be served.
pub(super) fn guarded<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}
