//! What generated clients are made of.
//!
//! A generated method says three things: the method's number, what its arguments are in a body, and
//! how a service that is in this process is called. All else is here.

use super::dispatch::DESCRIBE;
use super::{Binding, Local, Pending, Results, Service, Stream};
use std::fmt;
use std::time::Duration;
use strait_ipc::calls::{Answer, Batch, CallError, Client, Delivered, Outcome, Status};
use strait_ipc::message::write::MAX_ARCHIVE;
use strait_ipc::message::{Body, Encode, Invalid, Message, WriteError};

/// How long a client waits for an answer unless it says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A service, and how long its answers are waited for.
pub struct Caller<S: ?Sized> {
    binding: Binding<S>,
    timeout: Duration,
}

impl<S: Service + ?Sized> Caller<S> {
    /// Calls the service that is there.
    pub fn new(binding: Binding<S>) -> Self {
        Self { binding, timeout: TIMEOUT }
    }

    /// The same, with another patience. A service of this process is always waited for.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Calls and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[inline]
    pub fn call<T: Outcome, E: Outcome>(
        &self,
        method: u16,
        arguments: &impl Encode,
        here: impl FnOnce(&S) -> Result<Result<T, E>, WriteError>,
    ) -> Result<T::Returned, CallError<E::Returned>> {
        match &self.binding {
            Binding::Local(service) => call_here(service, here),
            Binding::Shared(client) => {
                // What is handed out by value is taken while the answer is still in its place.
                let read = |status, body: Body<'_>| {
                    if status == Status::Done { T::of_body(body) } else { None }
                };
                match client.call_with(method, arguments, Some(self.timeout), read) {
                    Ok(Ok(Ok(returned))) => Ok(returned),
                    Ok(Ok(Err(invalid))) => Err(corrupt(S::NAME, invalid)),
                    Ok(Err(answer)) => outcome_of::<T, E>(S::NAME, answer),
                    Err(error) => Err(error.widen()),
                }
            }
        }
    }

    /// Calls without an answer.
    ///
    /// # Errors
    ///
    /// [`CallError`], if the call cannot be made. If it can, nobody says whether the service has seen it.
    #[inline]
    pub fn notify(
        &self,
        method: u16,
        arguments: &impl Encode,
        here: impl FnOnce(&S) -> Result<(), WriteError>,
    ) -> Result<(), CallError> {
        match &self.binding {
            Binding::Local(service) => notify_here(service, here),
            Binding::Shared(client) => client.notify(method, arguments),
        }
    }

    /// Calls, and takes the results one after another.
    ///
    /// # Errors
    ///
    /// [`CallError`], of the call itself.
    pub fn stream<T: Message>(
        &self,
        method: u16,
        arguments: &impl Encode,
        here: impl FnOnce(&S) -> Result<Results<T>, WriteError>,
    ) -> Result<Stream<T>, CallError> {
        match &self.binding {
            Binding::Local(service) => {
                let here = |service: &S| here(service).map_err(|_| unwritten(S::NAME));
                Ok(Stream::here(S::NAME, call_with(service, here)?))
            }
            Binding::Shared(client) => {
                let answer = client.call(method, arguments, Some(self.timeout))?;
                Stream::there(S::NAME, client, self.timeout, answer)
            }
        }
    }

    /// Calls that are made now, and waited for later.
    pub fn start(&self) -> Calls<'_, S> {
        match &self.binding {
            Binding::Local(service) => Calls(Making::Here(service)),
            Binding::Shared(client) => Calls(Making::Each(client, self.timeout)),
        }
    }

    /// Calls that are made together, by [`Calls::commit`], and waited for later.
    pub fn batch(&self) -> Result<Calls<'_, S>, CallError> {
        match &self.binding {
            Binding::Local(service) => Ok(Calls(Making::Here(service))),
            Binding::Shared(client) => Ok(Calls(Making::Together(client.batch()?, self.timeout))),
        }
    }
}

impl<S: ?Sized> Clone for Caller<S> {
    fn clone(&self) -> Self {
        Self { binding: self.binding.clone(), timeout: self.timeout }
    }
}

impl<S: ?Sized> fmt::Debug for Caller<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { binding, timeout } = self;
        f.debug_struct("Caller").field("binding", binding).field("timeout", timeout).finish()
    }
}

/// Calls that are waited for later.
pub struct Calls<'a, S: ?Sized>(Making<'a, S>);

enum Making<'a, S: ?Sized> {
    Here(&'a Local<S>),
    Each(&'a Client, Duration),
    Together(Batch<'a>, Duration),
}

impl<S: Service + ?Sized> Calls<'_, S> {
    /// Calls. A service of this process answers before this returns.
    ///
    /// # Errors
    ///
    /// [`CallError`], if the call cannot be made.
    pub fn start<T: Outcome, E: Outcome>(
        &mut self,
        method: u16,
        arguments: &impl Encode,
        here: impl FnOnce(&S) -> Result<Result<T, E>, WriteError>,
    ) -> Result<Pending<T, E>, CallError> {
        let (pending, timeout) = match &mut self.0 {
            Making::Here(service) => return Ok(Pending::here(S::NAME, call_here(service, here))),
            Making::Each(client, timeout) => (client.start(method, arguments)?, timeout),
            Making::Together(batch, timeout) => (batch.start(method, arguments)?, timeout),
        };
        Ok(Pending::there(S::NAME, pending, *timeout))
    }

    /// Calls without an answer.
    ///
    /// # Errors
    ///
    /// [`CallError`], if the call cannot be made.
    pub fn notify(
        &mut self,
        method: u16,
        arguments: &impl Encode,
        here: impl FnOnce(&S) -> Result<(), WriteError>,
    ) -> Result<(), CallError> {
        match &mut self.0 {
            Making::Here(service) => notify_here(service, here),
            Making::Each(client, _) => client.notify(method, arguments),
            Making::Together(batch, _) => batch.notify(method, arguments),
        }
    }

    /// Makes the calls of a batch.
    pub fn commit(self) {
        if let Making::Together(batch, _) = self.0 {
            batch.commit();
        }
    }
}

impl<S: ?Sized> fmt::Debug for Calls<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match &self.0 {
            Making::Here(_) => "here",
            Making::Each(..) => "each",
            Making::Together(..) => "together",
        };
        f.debug_tuple("Calls").field(&how).finish()
    }
}

/// The service's text of a method, if it answers.
pub(super) fn describe(client: &Client, method: u16) -> Option<String> {
    let answer = client.call(DESCRIBE, &method, Some(TIMEOUT)).ok()?;
    let text = answer.body().text().ok()?;
    (answer.status() == Status::Done).then(|| text.to_owned())
}

/// Calls a service of this process. If it panics, that unwinds into the caller, as out of any method: a guard would
/// cost as much as the call.
#[inline]
fn call_with<S: Service + ?Sized, R, E>(
    service: &Local<S>,
    call: impl FnOnce(&S) -> Result<R, CallError<E>>,
) -> Result<R, CallError<E>> {
    let service = match service.get() {
        Ok(service) => service,
        Err(error) => return Err(error.widen()),
    };
    call(service)
}

#[inline]
fn call_here<S: Service + ?Sized, T: Outcome, E: Outcome>(
    service: &Local<S>,
    call: impl FnOnce(&S) -> Result<Result<T, E>, WriteError>,
) -> Result<T::Returned, CallError<E::Returned>> {
    call_with(service, |service| match call(service) {
        Ok(Ok(result)) => match result.of_value() {
            Ok(returned) => Ok(returned),
            Err(_) => Err(too_large(S::NAME, "answer", Delivered::Yes)),
        },
        Ok(Err(error)) => Err(match error.of_value() {
            Ok(error) => CallError::App(error),
            Err(_) => too_large(S::NAME, "answer", Delivered::Yes),
        }),
        Err(_) => Err(unwritten(S::NAME)),
    })
}

#[inline]
fn notify_here<S: Service + ?Sized>(
    service: &Local<S>,
    call: impl FnOnce(&S) -> Result<(), WriteError>,
) -> Result<(), CallError> {
    let call = |service: &S| call(service).map_err(|_| unwritten(S::NAME));
    call_with(service, call)
}

/// No archive can hold the arguments.
#[cold]
fn unwritten<E>(service: &'static str) -> CallError<E> {
    too_large(service, "arguments", Delivered::No)
}

/// What an answer says.
#[inline]
pub(super) fn outcome_of<T: Outcome, E: Outcome>(
    service: &'static str,
    answer: Answer,
) -> Result<T::Returned, CallError<E::Returned>> {
    let invalid = |reason| corrupt(service, reason);
    match answer.status() {
        Status::Done => T::of_answer(answer).map_err(invalid),
        Status::Failed => Err(CallError::App(E::of_answer(answer).map_err(invalid)?)),
        other => Err(refused(service, other)),
    }
}

/// Why a call was answered with neither a result nor an error.
#[cold]
pub(super) fn refused<E>(service: &'static str, status: Status) -> CallError<E> {
    let (service, delivered) = (service.into(), Delivered::No);
    match status {
        Status::NoSuchMethod => {
            let reason = "it has no such method: it is older than this program".into();
            CallError::Incompatible { service, reason, delivered }
        }
        Status::Panicked => CallError::Panicked { service },
        _ => {
            let reason = "the arguments were not what the method takes".into();
            CallError::Corrupt { service, reason, delivered }
        }
    }
}

/// An answer that is not what the method returns.
#[cold]
pub(super) fn corrupt<E>(service: &'static str, reason: Invalid) -> CallError<E> {
    CallError::Corrupt {
        service: service.into(),
        reason: reason.to_string().into(),
        delivered: Delivered::Yes,
    }
}

/// What no archive can hold.
#[cold]
pub(super) fn too_large<E>(
    service: &'static str,
    what: &'static str,
    delivered: Delivered,
) -> CallError<E> {
    let room = MAX_ARCHIVE as u64;
    CallError::TooLarge { service: service.into(), what, needed: room + 1, room, delivered }
}
