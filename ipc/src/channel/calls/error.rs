//! Why a call did not return what was asked for.

use std::convert::Infallible;
use std::fmt;
use thiserror::Error;

/// Whether the service has seen a call that failed: who knows can tell whether to call again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It has not, and will not.
    No,
    /// It may have, or may still.
    Maybe,
    /// It has.
    Yes,
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "not delivered",
            Self::Maybe => "maybe delivered",
            Self::Yes => "delivered",
        })
    }
}

/// Why a call failed: an error of the service's own ([`App`](CallError::App)), or something between the
/// caller and the service.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError<E = Infallible> {
    /// What the service itself answered.
    #[error("the service answered: {0:?}")]
    App(E),
    /// No answer came in time. A late one is thrown away.
    #[error("`{service}` did not answer in time ({delivered})")]
    Timeout {
        /// The service that was called.
        service: Box<str>,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// There are as many calls as the service was made for, or there is no room for a large answer.
    #[error("`{service}` is overloaded: {what} ({delivered})")]
    Overloaded {
        /// The service that was called.
        service: Box<str>,
        /// What there is no more of.
        what: &'static str,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// The process of the service was killed, or crashed.
    #[error("the process of `{service}`, {pid}, died ({delivered})")]
    PeerDied {
        /// The service that was called.
        service: Box<str>,
        /// Its process.
        pid: u32,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// The service was withdrawn.
    #[error("`{service}` is not offered any more ({delivered})")]
    Unregistered {
        /// The service that was called.
        service: Box<str>,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// The service is not what the caller was compiled for.
    #[error("`{service}` is not the one that is expected: {reason} ({delivered})")]
    Incompatible {
        /// The service that was called.
        service: Box<str>,
        /// Where they differ.
        reason: Box<str>,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// What came is not what the other side can have written.
    #[error("damage between here and `{service}`: {reason} ({delivered})")]
    Corrupt {
        /// The service that was called.
        service: Box<str>,
        /// What was found.
        reason: Box<str>,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// The arguments, or the answer, are larger than the service was made for.
    #[error(
        "the {what} of a call to `{service}`: {needed} bytes, and there is room for {room} ({delivered})"
    )]
    TooLarge {
        /// The service that was called.
        service: Box<str>,
        /// `arguments` or `answer`.
        what: &'static str,
        /// Bytes it would take.
        needed: u64,
        /// Bytes there are.
        room: u64,
        /// Whether it has seen the call.
        delivered: Delivered,
    },
    /// The service panicked while it handled the call. It goes on.
    #[error("`{service}` panicked while it handled the call")]
    Panicked {
        /// The service that was called.
        service: Box<str>,
    },
    /// The batch of the call was dropped before it was committed.
    #[error("the batch with this call to `{service}` was dropped before it was committed")]
    Abandoned {
        /// The service that was to be called.
        service: Box<str>,
    },
    /// This process is a fork of the one that opened the connection.
    #[error("the connection was opened before fork: open it again in the child")]
    Forked,
}

impl<E> CallError<E> {
    /// Whether the service has seen the call.
    pub fn delivered(&self) -> Delivered {
        match self {
            Self::App(_) | Self::Panicked { .. } => Delivered::Yes,
            Self::Abandoned { .. } | Self::Forked => Delivered::No,
            Self::Timeout { delivered, .. }
            | Self::Overloaded { delivered, .. }
            | Self::PeerDied { delivered, .. }
            | Self::Unregistered { delivered, .. }
            | Self::Incompatible { delivered, .. }
            | Self::Corrupt { delivered, .. }
            | Self::TooLarge { delivered, .. } => *delivered,
        }
    }
}

impl CallError {
    /// The same, of a call whose service has errors of its own.
    pub fn widen<E>(self) -> CallError<E> {
        match self {
            Self::App(never) => match never {},
            Self::Timeout { service, delivered } => CallError::Timeout { service, delivered },
            Self::Overloaded { service, what, delivered } => {
                CallError::Overloaded { service, what, delivered }
            }
            Self::PeerDied { service, pid, delivered } => {
                CallError::PeerDied { service, pid, delivered }
            }
            Self::Unregistered { service, delivered } => {
                CallError::Unregistered { service, delivered }
            }
            Self::Incompatible { service, reason, delivered } => {
                CallError::Incompatible { service, reason, delivered }
            }
            Self::Corrupt { service, reason, delivered } => {
                CallError::Corrupt { service, reason, delivered }
            }
            Self::TooLarge { service, what, needed, room, delivered } => {
                CallError::TooLarge { service, what, needed, room, delivered }
            }
            Self::Panicked { service } => CallError::Panicked { service },
            Self::Abandoned { service } => CallError::Abandoned { service },
            Self::Forked => CallError::Forked,
        }
    }
}
