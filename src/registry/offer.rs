//! A service that is registered: what it is, and what it is called as.

use super::interface::{Interface, Name};
use super::properties::Properties;
use super::reference::{AnyServiceRef, ServiceRef};
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};
use strait_pools::snapshot::{Snapshot, enter};
use strait_pools::sync::AtomicU32;
use strait_pools::sync::Ordering::Relaxed;

/// What is known of a service, as long as anybody refers to it.
#[derive(Debug)]
pub(super) struct About {
    pub(super) id: u64,
    pub(super) name: Box<str>,
    /// Never empty.
    pub(super) properties: Snapshot<Properties>,
    /// 0 while it is in the registry.
    withdrawn: AtomicU32,
}

impl About {
    pub(super) fn new(id: u64, name: &str, properties: Arc<Properties>) -> Self {
        let properties = Snapshot::new(properties);
        Self { id, name: name.into(), properties, withdrawn: AtomicU32::new(0) }
    }

    pub(super) fn properties(&self) -> Arc<Properties> {
        self.properties.share(&enter()).unwrap_or_default()
    }

    /// It is no longer found; whoever is told of it afterwards sees that.
    pub(super) fn withdraw(&self) {
        self.withdrawn.store(1, Relaxed);
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Relaxed) != 0
    }
}

/// A service as one of its interfaces: what a [`ServiceRef`] refers to.
pub(super) struct View<I: ?Sized> {
    /// 0 while it may be called.
    ended: AtomicU32,
    service: Arc<I>,
    pub(super) about: Arc<About>,
}

impl<I: ?Sized> View<I> {
    #[inline]
    pub(super) fn service(&self) -> Option<&I> {
        (self.ended.load(Relaxed) == 0).then_some(&*self.service)
    }
}

/// A view of whatever interface.
pub(super) trait AnyView: Send + Sync {
    /// From now on it may not be called.
    fn end(&self);

    /// What an offer holds of it: a [`Weak`] of its own type.
    fn weak(self: Arc<Self>) -> AnyWeak;
}

type AnyWeak = Box<dyn Any + Send + Sync>;

impl<I: Send + Sync + ?Sized + 'static> AnyView for View<I> {
    fn end(&self) {
        self.ended.store(1, Relaxed);
    }

    fn weak(self: Arc<Self>) -> AnyWeak {
        Box::new(Arc::downgrade(&self))
    }
}

/// What a service is registered as: each interface with the service itself.
///
/// ```
/// use std::sync::{Arc, Weak};
/// use strait::registry::{Interface, Provides};
/// # trait Matcher: Send + Sync {}
/// # impl Interface for dyn Matcher { const NAME: &'static str = "demo.Matcher"; }
/// # trait Admin: Send + Sync {}
/// # impl Interface for dyn Admin { const NAME: &'static str = "demo.Admin"; }
/// struct Book;
/// impl Matcher for Book {}
/// impl Admin for Book {}
///
/// let book = Arc::new(Book);
/// let provides = Provides::new().interface::<dyn Matcher>(book.clone()).interface::<dyn Admin>(book);
/// # drop(provides);
/// ```
#[derive(Default)]
pub struct Provides {
    interfaces: Vec<(Name, MakeView)>,
}

type MakeView = Box<dyn FnOnce(&Arc<About>) -> Arc<dyn AnyView> + Send>;

impl Provides {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// As an interface.
    #[must_use]
    pub fn interface<I: Interface + ?Sized>(self, service: Arc<I>) -> Self {
        self.add(Name::of::<I>(), service)
    }

    /// As an interface that has its name from elsewhere, of whatever type: what finds it must name the
    /// same type.
    #[must_use]
    pub fn named<I: Send + Sync + ?Sized + 'static>(
        self,
        interface: &str,
        service: Arc<I>,
    ) -> Self {
        self.add(Name::new(interface), service)
    }

    fn add<I: Send + Sync + ?Sized + 'static>(mut self, name: Name, service: Arc<I>) -> Self {
        let view = |about: &Arc<About>| -> Arc<dyn AnyView> {
            Arc::new(View { ended: AtomicU32::new(0), service, about: Arc::clone(about) })
        };
        self.interfaces.push((name, Box::new(view)));
        self
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.interfaces.iter().map(|(name, _)| name)
    }

    pub(super) fn views(self, about: &Arc<About>) -> Vec<(Name, Arc<dyn AnyView>)> {
        self.interfaces.into_iter().map(|(name, view)| (name, view(about))).collect()
    }
}

impl fmt::Debug for Provides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names().map(Name::as_str)).finish()
    }
}

/// What the registry holds of a service: not the service itself, which its registration holds. So what
/// is left of an offer for a while, because somebody may be reading it, keeps no service.
pub(super) struct Offer {
    pub(super) about: Arc<About>,
    views: Box<[(Name, AnyWeak)]>,
}

impl Offer {
    pub(super) fn new(about: Arc<About>, views: &[(Name, Arc<dyn AnyView>)]) -> Self {
        let views = views.iter().map(|(name, view)| (name.clone(), Arc::clone(view).weak()));
        Self { about, views: views.collect() }
    }

    /// As that interface, if it is provided, and as that type.
    #[inline]
    pub(super) fn as_interface<I: Send + Sync + ?Sized + 'static>(
        &self,
        name: &Name,
    ) -> Option<ServiceRef<I>> {
        let (_, view) = self.views.iter().find(|(other, _)| other == name)?;
        view.downcast_ref::<Weak<View<I>>>()?.upgrade().map(ServiceRef::new)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.views.iter().map(|(name, _)| name)
    }

    pub(super) fn reference(self: &Arc<Self>) -> AnyServiceRef {
        AnyServiceRef::new(Arc::clone(self))
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("about", &self.about).finish_non_exhaustive()
    }
}
