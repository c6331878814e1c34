//! Services of this process: registered under interfaces, found by rank and by filter, called through
//! references.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | the registry and what registering gives |
//! | `properties` | what is said about a service, in memory and as bytes |
//! | `filter` | filters on properties, compiled once |
//! | `interface` | types with a name, under which services are found |
//! | `reference` | references to services: what is called |
//! | `offer` | a service that is registered, as each of its interfaces |
//! | `rank` | which service is preferred |
//! | `same` | short texts compared in place |
//! | `store` | where services are: buckets, changed under a lock and read without |
//! | `ranked`, `index`, `places` | what a bucket is made of |
//! | `events`, `queue` | who is told of what changes, and by whom |
//! | `tracker` | who follows the services of an interface |
//!
//! What is guaranteed stands in `docs/registry.md`.

mod events;
mod filter;
mod index;
mod interface;
mod offer;
mod places;
mod properties;
mod queue;
mod rank;
mod ranked;
mod reference;
mod same;
mod store;
mod tracker;

pub use events::{EventKind, ServiceEvent, Subscription};
pub use filter::{Filter, FilterError, Found, MAX_DEPTH};
pub use interface::Interface;
pub use offer::Provides;
pub use properties::{MAX_BYTES, MAX_KEY, Properties, PropertyError, Value, check_keys};
pub use queue::{EventQueue, Overflow};
pub use rank::RANKING;
pub use reference::{AnyServiceRef, ServiceRef, Unregistered, WeakServiceRef};
pub use tracker::{Track, Tracker};

use events::Listener;
use interface::Name;
use offer::{AnyView, Offer};
use queue::Queue;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use store::Store;

/// Services by interface. Clones are the same registry.
///
/// Finding waits for nobody and allocates nothing. Changes are made one at a time, and told to
/// listeners when they are done, by the thread that makes them and without any lock: a listener may
/// do whatever it likes here.
///
/// ```
/// use std::sync::Arc;
/// use strait::props;
/// use strait::registry::{Filter, Interface, Registry};
///
/// trait Matcher: Send + Sync {
///     fn submit(&self, price: u64) -> bool;
/// }
/// impl Interface for dyn Matcher {
///     const NAME: &'static str = "demo.Matcher";
/// }
/// struct Book(u64);
/// impl Matcher for Book {
///     fn submit(&self, price: u64) -> bool {
///         price >= self.0
///     }
/// }
///
/// let registry = Registry::new();
/// let _near = registry.register::<dyn Matcher>("near", Arc::new(Book(5)), props! { "venue" => "X" })?;
/// let best = props! { "venue" => "Y", "service.ranking" => 1000 };
/// let _best = registry.register::<dyn Matcher>("best", Arc::new(Book(3)), best)?;
///
/// let best = registry.find::<dyn Matcher>().ok_or("no matcher")?;
/// assert!(best.get()?.submit(4));
/// let venue: Filter = "(venue=X)".parse()?;
/// let near = registry.find_where::<dyn Matcher>(&venue).ok_or("no matcher at X")?;
/// assert!(!near.get()?.submit(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    store: Arc<Store>,
}

/// Why a service was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Nobody could find it.
    #[error("the service `{name}` provides no interface: name at least one")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// An interface stands there twice.
    #[error("the service `{name}` provides `{interface}` twice: which one is meant?")]
    Twice {
        /// The service's name.
        name: String,
        /// The interface's.
        interface: String,
    },
    /// The properties are too long, with those that the registry adds.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// There are 2³² - 1 services.
    #[error("the registry is full")]
    Full,
}

impl Registry {
    /// A registry whose listeners are told by the thread that makes a change.
    pub fn new() -> Self {
        Self { store: Arc::new(Store::new(Arc::default(), None)) }
    }

    /// A registry whose listeners are told by threads of their own. Trackers are told directly.
    ///
    /// # Errors
    ///
    /// A thread could not be started.
    pub fn with_queue(options: EventQueue) -> std::io::Result<Self> {
        let panics = Arc::<AtomicU64>::default();
        let queue = Queue::start(options, &panics)?;
        Ok(Self { store: Arc::new(Store::new(panics, Some(queue))) })
    }

    /// Registers a service as one interface, until what is returned is dropped.
    ///
    /// The registry adds `service.id`, `service.name` and `objectClass` to its properties, in place of
    /// any that are there.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] says what is wrong.
    pub fn register<I: Interface + ?Sized>(
        &self,
        name: &str,
        service: Arc<I>,
        properties: Properties,
    ) -> Result<Registration, RegisterError> {
        self.register_all(name, Provides::new().interface(service), properties)
    }

    /// Registers a service as several interfaces, or as some that are known by name alone.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] says what is wrong.
    pub fn register_all(
        &self,
        name: &str,
        provides: Provides,
        properties: Properties,
    ) -> Result<Registration, RegisterError> {
        self.store.register(name, provides, properties)
    }

    /// The best service of an interface: the one of the highest `service.ranking`, and of several the
    /// oldest.
    #[inline]
    pub fn find<I: Interface + ?Sized>(&self) -> Option<ServiceRef<I>> {
        let name = const { Name::of::<I>() };
        self.store.find(&name, |offer| offer.as_interface(&name))
    }

    /// The best service of an interface that a filter matches.
    ///
    /// Equality that must hold (`(venue=X)`, alone or in an `&`) is looked up in an index; what is left
    /// to be matched are the fewest services that one such clause leaves. Without one, all are.
    pub fn find_where<I: Interface + ?Sized>(&self, filter: &Filter) -> Option<ServiceRef<I>> {
        let name = const { Name::of::<I>() };
        self.store.find_where(&name, filter, |offer| offer.as_interface(&name))
    }

    /// The best service of an interface that was registered under that name.
    pub fn find_named<I: Interface + ?Sized>(&self, name: &str) -> Option<ServiceRef<I>> {
        let interface = const { Name::of::<I>() };
        self.store.find_named(&interface, name, |offer| offer.as_interface(&interface))
    }

    /// The best service of an interface of that name, of the type as which it was registered
    /// ([`Provides::named`]), and that a filter matches.
    pub fn find_as<I: Send + Sync + ?Sized + 'static>(
        &self,
        interface: &str,
        filter: Option<&Filter>,
    ) -> Option<ServiceRef<I>> {
        let name = Name::new(interface);
        let make = |offer: &Offer| offer.as_interface(&name);
        match filter {
            None => self.store.find(&name, make),
            Some(filter) => self.store.find_where(&name, filter, make),
        }
    }

    /// All services of an interface that a filter matches, the best first.
    pub fn find_all<I: Interface + ?Sized>(&self, filter: Option<&Filter>) -> Vec<ServiceRef<I>> {
        let services = self.store.all(&const { Name::of::<I>() }, filter);
        services.iter().filter_map(AnyServiceRef::interface).collect()
    }

    /// All services of an interface, by the name of that, that a filter matches, the best first.
    pub fn services(&self, interface: &str, filter: Option<&Filter>) -> Vec<AnyServiceRef> {
        self.store.all(&Name::new(interface), filter)
    }

    /// Calls back at each event of an interface that a filter matches, until what is returned is
    /// dropped. Listeners of other interfaces cost nothing.
    ///
    /// Events of several threads may overtake each other, and be told at the same time. A listener that
    /// panics is counted ([`panics`](Self::panics)), and the others are told.
    pub fn listen<I: Interface + ?Sized>(
        &self,
        filter: Option<Filter>,
        callback: impl Fn(&ServiceEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.subscribe(Name::of::<I>(), Listener::new(filter, false, callback))
    }

    /// As [`listen`](Self::listen), for an interface that is known by name.
    pub fn listen_to(
        &self,
        interface: &str,
        filter: Option<Filter>,
        callback: impl Fn(&ServiceEvent) + Send + Sync + 'static,
    ) -> Subscription {
        self.subscribe(Name::new(interface), Listener::new(filter, false, callback))
    }

    fn subscribe(&self, interface: Name, listener: Arc<Listener>) -> Subscription {
        self.store.lock().listeners.add(&interface, Arc::clone(&listener));
        Subscription { store: Arc::downgrade(&self.store), interface, listener }
    }

    /// How many calls of listeners and trackers panicked.
    pub fn panics(&self) -> u64 {
        self.store.panics.load(Relaxed)
    }

    /// How many events a full queue dropped.
    pub fn dropped_events(&self) -> u64 {
        self.store.queue.as_ref().map_or(0, Queue::dropped)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("store", &self.store).finish()
    }
}

/// A service that is registered; dropped, it is unregistered.
///
/// Then nobody finds it any more; listeners are told, and may still call it; and after that, all
/// references say [`Unregistered`]. The service itself is dropped with the last reference.
#[must_use = "a service is registered until this is dropped"]
pub struct Registration {
    store: Arc<Store>,
    offer: Arc<Offer>,
    place: u32,
    views: Vec<Arc<dyn AnyView>>,
}

impl Registration {
    /// Replaces the service's properties, and with them its rank.
    ///
    /// Whoever looks for it finds it throughout, if both the old and the new ones match.
    ///
    /// # Errors
    ///
    /// [`PropertyError::TooLong`], with those that the registry adds.
    pub fn modify(&self, properties: Properties) -> Result<(), PropertyError> {
        self.store.modify(&self.offer, self.place, properties)
    }

    /// The service.
    pub fn service(&self) -> AnyServiceRef {
        self.offer.reference()
    }

    /// How many references to it there are, clones and those of trackers included.
    pub fn use_count(&self) -> usize {
        self.views.iter().map(|view| Arc::strong_count(view) - 1).sum()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.store.unregister(&self.offer, self.place);
        self.views.iter().for_each(|view| view.end());
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("about", &self.offer.about).finish()
    }
}

#[cfg(test)]
mod tests;
