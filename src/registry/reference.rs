//! References to services: what is called.

use super::interface::{Interface, Name};
use super::offer::{About, Offer, View};
use super::properties::Properties;
use std::fmt;
use std::sync::{Arc, Weak};

/// A service as the interface `I`, to be kept and called as often as one likes.
///
/// References are counted, clones as well, and keep the service in memory. When it is unregistered
/// they say so.
///
/// ```
/// use std::sync::Arc;
/// use strait::props;
/// use strait::registry::{Interface, Registry};
/// # trait Greeter: Send + Sync { fn greet(&self) -> &str; }
/// # impl Interface for dyn Greeter { const NAME: &'static str = "demo.Greeter"; }
/// # struct Polite;
/// # impl Greeter for Polite { fn greet(&self) -> &str { "Good morning" } }
///
/// let registry = Registry::new();
/// let registration = registry.register::<dyn Greeter>("polite", Arc::new(Polite), props! {})?;
/// let greeter = registry.find::<dyn Greeter>().ok_or("nobody greets")?;
/// assert_eq!(greeter.get()?.greet(), "Good morning");
///
/// drop(registration);
/// assert!(greeter.get().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ServiceRef<I: ?Sized> {
    view: Arc<View<I>>,
}

/// The service was unregistered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service `{name}` ({id}) is no longer registered: look for another one")]
pub struct Unregistered {
    /// Its `service.name`.
    pub name: String,
    /// Its `service.id`.
    pub id: u64,
}

impl<I: ?Sized> ServiceRef<I> {
    pub(super) fn new(view: Arc<View<I>>) -> Self {
        Self { view }
    }

    /// The service, if it is still registered: one load and a comparison.
    ///
    /// # Errors
    ///
    /// [`Unregistered`] once its registration was dropped, and all listeners were told. A call that
    /// began before may still be running then.
    #[inline]
    pub fn get(&self) -> Result<&I, Unregistered> {
        self.view.service().ok_or_else(|| unregistered(&self.view.about))
    }

    /// Its `service.id`: of two services of one rank, the lower one's is preferred.
    pub fn id(&self) -> u64 {
        self.view.about.id
    }

    /// Its `service.name`.
    pub fn name(&self) -> &str {
        &self.view.about.name
    }

    /// Its properties as they are now, or were when it was unregistered.
    pub fn properties(&self) -> Arc<Properties> {
        self.view.about.properties()
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.view.about.is_withdrawn()
    }

    /// A reference that does not count, and does not keep the service.
    pub fn downgrade(&self) -> WeakServiceRef<I> {
        WeakServiceRef { view: Arc::downgrade(&self.view) }
    }
}

#[cold]
fn unregistered(about: &About) -> Unregistered {
    Unregistered { name: about.name.to_string(), id: about.id }
}

impl<I: ?Sized> Clone for ServiceRef<I> {
    fn clone(&self) -> Self {
        Self { view: Arc::clone(&self.view) }
    }
}

/// The same service as the same interface.
impl<I: ?Sized> PartialEq for ServiceRef<I> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.view, &other.view)
    }
}

impl<I: ?Sized> Eq for ServiceRef<I> {}

impl<I: ?Sized> fmt::Debug for ServiceRef<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRef").field("about", &self.view.about).finish()
    }
}

/// A reference that neither counts nor keeps the service: what a service may hold of one that holds it.
pub struct WeakServiceRef<I: ?Sized> {
    view: Weak<View<I>>,
}

impl<I: ?Sized> WeakServiceRef<I> {
    /// The service, if anybody still has it.
    pub fn upgrade(&self) -> Option<ServiceRef<I>> {
        self.view.upgrade().map(ServiceRef::new)
    }
}

impl<I: ?Sized> Clone for WeakServiceRef<I> {
    fn clone(&self) -> Self {
        Self { view: Weak::clone(&self.view) }
    }
}

impl<I: ?Sized> fmt::Debug for WeakServiceRef<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakServiceRef").finish_non_exhaustive()
    }
}

/// A service whatever its interfaces: what events tell of. It does not count as a use.
#[derive(Clone)]
pub struct AnyServiceRef {
    offer: Arc<Offer>,
}

impl AnyServiceRef {
    pub(super) fn new(offer: Arc<Offer>) -> Self {
        Self { offer }
    }

    pub(super) fn about(&self) -> &Arc<About> {
        &self.offer.about
    }

    /// As one of its interfaces.
    pub fn interface<I: Interface + ?Sized>(&self) -> Option<ServiceRef<I>> {
        self.offer.as_interface(&Name::of::<I>())
    }

    /// As one of its interfaces, by the name of that, and of whatever type it was registered as.
    pub fn named<I: Send + Sync + ?Sized + 'static>(
        &self,
        interface: &str,
    ) -> Option<ServiceRef<I>> {
        self.offer.as_interface(&Name::new(interface))
    }

    /// The names of its interfaces.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.offer.names().map(Name::as_str)
    }

    /// Its `service.id`.
    pub fn id(&self) -> u64 {
        self.about().id
    }

    /// Its `service.name`.
    pub fn name(&self) -> &str {
        &self.about().name
    }

    /// Its properties as they are now, or were when it was unregistered.
    pub fn properties(&self) -> Arc<Properties> {
        self.about().properties()
    }
}

impl fmt::Debug for AnyServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyServiceRef").field("about", self.about()).finish()
    }
}
