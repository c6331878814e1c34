//! Who is told of what changes.

use super::filter::Filter;
use super::interface::Name;
use super::properties::Properties;
use super::reference::AnyServiceRef;
use super::store::Store;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// What happened to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// It was registered, and matches.
    Registered,
    /// Its properties changed, and match.
    Modified,
    /// Its properties changed, and no longer match.
    ModifiedEndMatch,
    /// It is being unregistered: nobody finds it any more, but it may be called until all were told.
    Unregistering,
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub struct ServiceEvent {
    /// What happened.
    pub kind: EventKind,
    /// To which service.
    pub service: AnyServiceRef,
}

type Callback = Box<dyn Fn(&ServiceEvent) + Send + Sync>;

pub(super) struct Listener {
    filter: Option<Filter>,
    callback: Callback,
    /// Told at once, even if others are told from a queue.
    direct: bool,
}

impl Listener {
    pub(super) fn new(
        filter: Option<Filter>,
        direct: bool,
        callback: impl Fn(&ServiceEvent) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { filter, callback: Box::new(callback), direct })
    }
}

/// The listeners of one interface: a list that is copied when it changes, so that those who tell them
/// need no lock.
type List = Arc<Vec<Arc<Listener>>>;

/// Listeners by interface. It is changed under the registry's lock.
#[derive(Default)]
pub(super) struct Listeners {
    lists: HashMap<Name, List, super::interface::ByName>,
}

impl Listeners {
    pub(super) fn add(&mut self, interface: &Name, listener: Arc<Listener>) {
        Arc::make_mut(self.lists.entry(interface.clone()).or_default()).push(listener);
    }

    pub(super) fn remove(&mut self, interface: &Name, listener: &Arc<Listener>) {
        if let Some(list) = self.lists.get_mut(interface) {
            Arc::make_mut(list).retain(|other| !Arc::ptr_eq(other, listener));
        }
    }

    /// The lists of those interfaces that anybody listens to.
    pub(super) fn of<'a>(&self, interfaces: impl Iterator<Item = &'a Name>) -> Vec<List> {
        if self.lists.is_empty() {
            return Vec::new();
        }
        let lists = interfaces.filter_map(|name| self.lists.get(name));
        lists.filter(|list| !list.is_empty()).cloned().collect()
    }
}

/// A change, and whom it may concern.
pub(super) struct News {
    pub(super) lists: Vec<List>,
    pub(super) service: AnyServiceRef,
    /// Registered, Modified or Unregistering.
    pub(super) kind: EventKind,
    pub(super) properties: Arc<Properties>,
    /// Before they were modified.
    pub(super) before: Option<Arc<Properties>>,
}

impl News {
    /// Tells those listeners whom it concerns that are, or are not, told at once. A listener that
    /// panics is counted, and the next one is told.
    pub(super) fn tell(&self, direct: Option<bool>, panics: &AtomicU64) {
        for listener in self.lists.iter().flat_map(|list| list.iter()) {
            if direct.is_some_and(|direct| direct != listener.direct) {
                continue;
            }
            let Some(kind) = self.kind_for(listener.filter.as_ref()) else { continue };
            let event = ServiceEvent { kind, service: self.service.clone() };
            guard(panics, || (listener.callback)(&event));
        }
    }

    pub(super) fn is_of_interest(&self) -> bool {
        !self.lists.is_empty()
    }

    fn kind_for(&self, filter: Option<&Filter>) -> Option<EventKind> {
        let matches = |properties: &Properties| filter.is_none_or(|f| f.matches(properties));
        if matches(&self.properties) {
            return Some(self.kind);
        }
        let ends = self.before.as_ref().is_some_and(|before| matches(before));
        ends.then_some(EventKind::ModifiedEndMatch)
    }
}

/// Calls what is not ours. Whatever it breaks is its own: nothing of ours is in its hands.
pub(super) fn guard(panics: &AtomicU64, call: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        panics.fetch_add(1, Relaxed);
    }
}

/// A listener's place; dropped, it is told no more. (What is being told just then may still come.)
#[must_use = "a listener is told until this is dropped"]
pub struct Subscription {
    pub(super) store: Weak<Store>,
    pub(super) interface: Name,
    pub(super) listener: Arc<Listener>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            store.lock().listeners.remove(&self.interface, &self.listener);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("interface", &self.interface.as_str()).finish()
    }
}
