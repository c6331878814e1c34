//! Where a service is.

use super::{Service, caller, method};
use crate::registry::ServiceRef;
use std::fmt;
use std::sync::Arc;
use strait_ipc::calls::{CallError, Client, Delivered};

/// A service of this process.
pub struct Local<S: ?Sized>(Held<S>);

enum Held<S: ?Sized> {
    /// For as long as it is wanted.
    Always(Arc<S>),
    /// For as long as it is registered.
    Registered(ServiceRef<S>),
}

impl<S: Service + ?Sized> Local<S> {
    /// The service.
    ///
    /// # Errors
    ///
    /// [`CallError::Unregistered`] once it is not offered any more.
    #[inline]
    pub fn get(&self) -> Result<&S, CallError> {
        match &self.0 {
            Held::Always(service) => Ok(service),
            Held::Registered(service) => service.get().map_err(|_| unregistered::<S>()),
        }
    }
}

impl<S: ?Sized> Clone for Local<S> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Held::Always(service) => Held::Always(Arc::clone(service)),
            Held::Registered(service) => Held::Registered(service.clone()),
        })
    }
}

#[cold]
fn unregistered<S: Service + ?Sized>() -> CallError {
    CallError::Unregistered { service: S::NAME.into(), delivered: Delivered::No }
}

/// Where a service is: what a client needs to call it.
pub enum Binding<S: ?Sized> {
    /// In this process.
    Local(Local<S>),
    /// In another one, or in this one by way of shared memory; see [`shared`](Self::shared).
    Shared(Arc<Client>),
}

impl<S: Service + ?Sized> Binding<S> {
    /// A service behind a connection, of which `summary` says which methods it has.
    ///
    /// # Errors
    ///
    /// [`CallError::Incompatible`] if a method of `S` is missing there, or takes or returns something
    /// else; it names the method, and if the service can still be asked, the field.
    pub fn shared(client: Arc<Client>, summary: &str) -> Result<Self, CallError> {
        match method::compare::<S>(summary, |method| caller::describe(&client, method)) {
            Ok(()) => Ok(Self::Shared(client)),
            Err(reason) => Err(CallError::Incompatible {
                service: S::NAME.into(),
                reason: reason.to_string().into(),
                delivered: Delivered::No,
            }),
        }
    }
}

impl<S: ?Sized> From<Arc<S>> for Binding<S> {
    fn from(service: Arc<S>) -> Self {
        Self::Local(Local(Held::Always(service)))
    }
}

impl<S: ?Sized> From<ServiceRef<S>> for Binding<S> {
    fn from(service: ServiceRef<S>) -> Self {
        Self::Local(Local(Held::Registered(service)))
    }
}

impl<S: ?Sized> Clone for Binding<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Local(service) => Self::Local(service.clone()),
            Self::Shared(client) => Self::Shared(Arc::clone(client)),
        }
    }
}

impl<S: ?Sized> fmt::Debug for Local<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl<S: ?Sized> fmt::Debug for Binding<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(service) => service.fmt(f),
            Self::Shared(client) => f.debug_tuple("Shared").field(client).finish(),
        }
    }
}
