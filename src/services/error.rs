//! What can go wrong with services.

use crate::registry::{Filter, RegisterError};
use crate::service::{CallError, Service};
use strait_ipc::channel::OpenError;
use strait_ipc::directory::{DirectoryError, Entry};
use thiserror::Error;

/// Why no service was found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FindError {
    /// There is none.
    #[error(
        "no process of the domain `{domain}` offers `{interface}`{}",
        if filter.is_empty() { String::new() } else { format!(" with {filter}") }
    )]
    None {
        /// The domain.
        domain: String,
        /// What was looked for.
        interface: &'static str,
        /// The filter, if there was one.
        filter: String,
    },
    /// The best one is not what this program was compiled for.
    #[error(transparent)]
    Incompatible(Box<CallError>),
    /// The best one cannot be called.
    #[error("`{interface}` is offered, and cannot be called: {source}")]
    Open {
        /// What was looked for.
        interface: String,
        /// Why.
        source: Box<OpenError>,
    },
    /// The directory could not be read.
    #[error(transparent)]
    Directory(Box<DirectoryError>),
}

impl From<CallError> for FindError {
    fn from(error: CallError) -> Self {
        Self::Incompatible(Box::new(error))
    }
}

impl From<DirectoryError> for FindError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(Box::new(error))
    }
}

impl FindError {
    pub(super) fn none<S: Service + ?Sized>(domain: &str, filter: Option<&Filter>) -> Self {
        let filter = filter.map(Filter::to_string).unwrap_or_default();
        Self::None { domain: domain.to_owned(), interface: S::NAME, filter }
    }

    pub(super) fn open(entry: &Entry, source: OpenError) -> Self {
        Self::Open { interface: entry.interface().to_owned(), source: Box::new(source) }
    }
}

/// Why a service could not be offered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// It was not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The system had no random bits to name it by.
    #[error("no random bits for a name: {0}")]
    Unnamed(std::io::Error),
    /// Its memory could not be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The directory did not take it.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}
