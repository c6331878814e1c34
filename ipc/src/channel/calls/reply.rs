//! What a call returns.

use super::{Answer, Request};
use crate::message::shape::{Shape, copy_out, hand_out};
use crate::message::{Body, Buffer, Encode, Held, Invalid, Message, SchemaText, WriteError};
use std::convert::Infallible;
use std::sync::Arc;

/// What keeps an archive that a call returned.
#[derive(Debug)]
pub enum Keeper {
    /// The answer, where the service built it.
    Answer(Answer),
    /// An answer that holds several.
    Shared(Arc<Answer>),
    /// Memory of this process, for a service that is in it.
    Own(Buffer),
}

impl From<Buffer> for Keeper {
    fn from(buffer: Buffer) -> Self {
        Self::Own(buffer)
    }
}

/// A message that a call returned, read where it lies: it derefs to its archive.
///
/// It keeps the place of the answer as long as it lives.
pub type Reply<T> = Held<T, Keeper>;

/// What a caller gets for a `T`: the value itself if `T` is plain, and else a [`Reply`].
pub type Returned<T> = <T as Outcome>::Returned;

/// What a method may return: a message, or nothing. [`Infallible`] is the error of one that has none.
#[diagnostic::on_unimplemented(
    message = "a method of a service cannot return `{Self}`",
    note = "methods return messages (`#[derive(Message)]`), `Result<message, message>`, \
            `Results<message>`, or nothing"
)]
pub trait Outcome: Encode + Sized {
    /// What the caller gets.
    type Returned;

    /// Its description; nothing has none.
    const TEXT: Option<SchemaText>;

    /// Takes it from an answer.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if that holds something else.
    fn of_answer(answer: Answer) -> Result<Self::Returned, Invalid>;

    /// Takes it from an answer without holding that, if it is handed out by value.
    ///
    /// # Errors
    ///
    /// As for [`of_answer`](Self::of_answer).
    fn of_body(body: Body<'_>) -> Option<Result<Self::Returned, Invalid>>;

    /// Takes what a service of this process returned.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unsupported`] if it has to be archived and cannot be.
    fn of_value(self) -> Result<Self::Returned, WriteError>;
}

impl<T: Message> Outcome for T {
    type Returned = <T::Shape as Shape>::Returned<T, Keeper>;

    const TEXT: Option<SchemaText> = Some(T::TEXT);

    #[inline]
    fn of_answer(answer: Answer) -> Result<Self::Returned, Invalid> {
        // SAFETY: the bytes of an answer stay as they are until it is dropped.
        let body = unsafe { Body::new(answer.as_ptr(), answer.len()) };
        // SAFETY: as above; they do not move with the answer.
        unsafe { hand_out::<T, _>(body, Keeper::Answer(answer)) }
    }

    #[inline(always)]
    fn of_body(body: Body<'_>) -> Option<Result<Self::Returned, Invalid>> {
        copy_out::<T, Keeper>(body)
    }

    #[inline]
    fn of_value(self) -> Result<Self::Returned, WriteError> {
        T::Shape::make(self)
    }
}

impl Outcome for () {
    type Returned = ();

    const TEXT: Option<SchemaText> = None;

    #[inline]
    fn of_answer(answer: Answer) -> Result<(), Invalid> {
        answer.body().split::<0>().map(|_| ())
    }

    #[inline(always)]
    fn of_body(body: Body<'_>) -> Option<Result<(), Invalid>> {
        Some(body.split::<0>().map(|_| ()))
    }

    #[inline]
    fn of_value(self) -> Result<(), WriteError> {
        Ok(())
    }
}

impl Outcome for Infallible {
    type Returned = Self;

    const TEXT: Option<SchemaText> = None;

    #[cold]
    fn of_answer(_: Answer) -> Result<Self, Invalid> {
        Err(Invalid::Contents { message: "result" })
    }

    fn of_body(_: Body<'_>) -> Option<Result<Self, Invalid>> {
        None
    }

    fn of_value(self) -> Result<Self, WriteError> {
        match self {}
    }
}

impl Request<'_> {
    /// The arguments, to be read where they lie.
    #[inline]
    pub fn arguments(&self) -> Body<'_> {
        // SAFETY: aligned and initialised, and they stay as they are until the request is answered.
        unsafe { Body::new(self.as_ptr(), self.len()) }
    }
}
