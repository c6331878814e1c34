//! Trackers: who follows the services of an interface, each from when it comes until it goes.

use super::Registry;
use super::events::{EventKind, Listener, Subscription, guard};
use super::filter::Filter;
use super::interface::{Interface, Name};
use super::rank::Rank;
use super::reference::{AnyServiceRef, ServiceRef, WeakServiceRef};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use strait_pools::snapshot::{Retired, Snapshot, enter};
use strait_pools::sync::{Condvar, Mutex, MutexGuard};

/// What to do as services come, change and go. Each is called without any lock held, for one service
/// on one thread at a time.
pub trait Track<I: ?Sized>: Send + Sync + 'static {
    /// A service is there, and matches: once, until it is removed.
    fn added(&self, _service: &ServiceRef<I>) {}

    /// Its properties changed, and still match.
    fn modified(&self, _service: &ServiceRef<I>) {}

    /// It goes, or no longer matches, or the tracker is closed: once for each time it was added.
    fn removed(&self, _service: &ServiceRef<I>) {}
}

/// Nothing.
impl<I: ?Sized> Track<I> for () {}

/// Follows the services of an interface, with the best of them at hand.
///
/// It is told directly of each change even where events are queued, and looks at what a service is
/// rather than at what it was told: so it is right however changes on several threads overtake each
/// other. Dropped, it removes what it has.
///
/// ```
/// use std::sync::Arc;
/// use strait::props;
/// use strait::registry::{Interface, Registry, Tracker};
/// # trait Greeter: Send + Sync { fn greet(&self) -> &str; }
/// # impl Interface for dyn Greeter { const NAME: &'static str = "demo.Greeter"; }
/// # struct Polite;
/// # impl Greeter for Polite { fn greet(&self) -> &str { "Good morning" } }
///
/// let registry = Registry::new();
/// let tracker: Tracker<dyn Greeter> = Tracker::open(&registry, None, ());
/// assert!(tracker.get().is_none());
///
/// let registration = registry.register::<dyn Greeter>("polite", Arc::new(Polite), props! {})?;
/// assert_eq!(tracker.get().ok_or("nobody greets")?.get()?.greet(), "Good morning");
/// # drop(registration);
/// # assert!(tracker.get().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tracker<I: Send + Sync + ?Sized + 'static> {
    tracked: Arc<Tracked<I>>,
    /// Dropped before what is tracked is removed.
    subscription: Option<Subscription>,
}

struct Tracked<I: Send + Sync + ?Sized + 'static> {
    filter: Option<Filter>,
    track: Box<dyn Track<I>>,
    state: Mutex<State<I>>,
    came: Condvar,
    /// Weak, so that what is left of it for a while keeps no service.
    best: Snapshot<WeakServiceRef<I>>,
    panics: Arc<AtomicU64>,
}

struct State<I: Send + Sync + ?Sized + 'static> {
    closed: bool,
    /// Those that were added, and those that a thread is busy with.
    items: HashMap<u64, Item<I>>,
    /// Those that were added.
    order: BTreeMap<Rank, ServiceRef<I>>,
    /// The `service.id` of what `best` shows.
    shown: Option<u64>,
    retired: Retired,
}

struct Item<I: Send + Sync + ?Sized + 'static> {
    service: ServiceRef<I>,
    /// Its rank, once it was added.
    rank: Option<Rank>,
    /// A thread is calling the customizer for it, and will look at it again if something happened.
    busy: bool,
    again: bool,
    /// It was modified, and the customizer not told.
    modified: bool,
}

impl<I: Interface + ?Sized> Tracker<I> {
    /// Follows the services that a filter matches, those that are there first.
    pub fn open(registry: &Registry, filter: Option<Filter>, track: impl Track<I>) -> Self {
        let tracked = Arc::new(Tracked {
            filter,
            track: Box::new(track),
            state: Mutex::new(State {
                closed: false,
                items: HashMap::new(),
                order: BTreeMap::new(),
                shown: None,
                retired: Retired::new(),
            }),
            came: Condvar::new(),
            best: Snapshot::empty(),
            panics: Arc::clone(&registry.store.panics),
        });
        let name = Name::of::<I>();
        let subscription = registry.subscribe(name.clone(), {
            let tracked = Arc::downgrade(&tracked);
            // All that change are looked at: whether they match, the tracker sees for itself.
            Listener::new(None, true, move |event| {
                if let (Some(tracked), Some(service)) =
                    (tracked.upgrade(), event.service.interface())
                {
                    tracked.consider(service, event.kind == EventKind::Modified);
                }
            })
        });
        let there = registry.store.all(&name, tracked.filter.as_ref());
        for service in there.iter().filter_map(AnyServiceRef::interface) {
            tracked.consider(service, false);
        }
        Self { tracked, subscription: Some(subscription) }
    }
}

impl<I: Send + Sync + ?Sized + 'static> Tracker<I> {
    /// The best service there is.
    pub fn get(&self) -> Option<ServiceRef<I>> {
        self.tracked.best.read(&enter())?.upgrade()
    }

    /// The best service there is, or that comes within that time.
    pub fn wait_for(&self, timeout: Duration) -> Option<ServiceRef<I>> {
        let start = Instant::now();
        let mut state = self.tracked.lock();
        loop {
            if let Some(best) = state.order.values().next() {
                return Some(best.clone());
            }
            let left = timeout.checked_sub(start.elapsed())?;
            let waited = self.tracked.came.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All that are tracked, the best first.
    pub fn services(&self) -> Vec<ServiceRef<I>> {
        self.tracked.lock().order.values().cloned().collect()
    }
}

impl<I: Send + Sync + ?Sized + 'static> Tracked<I> {
    fn lock(&self) -> MutexGuard<'_, State<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what a service is now, and calls the customizer until that knows it. If another thread
    /// is doing so, that one will look again.
    fn consider(&self, service: ServiceRef<I>, modified: bool) {
        let id = service.id();
        let mut state = self.lock();
        let item = state.items.entry(id).or_insert_with(|| Item::new(&service));
        item.modified |= modified;
        if item.busy {
            item.again = true;
            return;
        }
        item.busy = true;
        loop {
            let State { closed, items, order, .. } = &mut *state;
            let Some(item) = items.get_mut(&id) else { return };
            item.again = false;
            let modified = std::mem::take(&mut item.modified);
            let properties = service.properties();
            let matches = self.filter.as_ref().is_none_or(|filter| filter.matches(&properties));
            let wanted = matches && !*closed && !service.is_withdrawn();
            let rank = wanted.then(|| Rank::new(&properties, id));
            let before = std::mem::replace(&mut item.rank, rank);
            if before != rank
                && let Some(before) = before
            {
                order.remove(&before);
                order.extend(rank.map(|rank| (rank, service.clone())));
                self.refresh(&mut state);
            }
            match (before, rank) {
                (None, Some(rank)) => {
                    state = self.unlocked(state, || self.track.added(&service));
                    state.order.insert(rank, service.clone());
                    self.refresh(&mut state);
                    self.came.notify_all();
                }
                (Some(_), Some(_)) if modified => {
                    state = self.unlocked(state, || self.track.modified(&service));
                }
                (Some(_), None) => {
                    state = self.unlocked(state, || self.track.removed(&service));
                }
                _ => {}
            }
            let Some(item) = state.items.get_mut(&id) else { return };
            if !item.again {
                item.busy = false;
                // `service` is dropped after the lock, and with it perhaps the service itself.
                if item.rank.is_none() {
                    state.items.remove(&id);
                }
                return;
            }
        }
    }

    /// Shows the first in order as the best, if that is another one now.
    fn refresh(&self, state: &mut State<I>) {
        let best = state.order.values().next();
        let id = best.map(ServiceRef::id);
        if id != state.shown {
            state.shown = id;
            let best = best.map(ServiceRef::downgrade).map(Arc::new);
            self.best.replace(best, &mut state.retired);
            drop(state.retired.collect());
        }
    }

    /// Calls the customizer without the lock.
    fn unlocked<'a>(
        &'a self,
        state: MutexGuard<'a, State<I>>,
        call: impl FnOnce(),
    ) -> MutexGuard<'a, State<I>> {
        drop(state);
        guard(&self.panics, call);
        self.lock()
    }
}

impl<I: Send + Sync + ?Sized + 'static> Item<I> {
    fn new(service: &ServiceRef<I>) -> Self {
        let service = service.clone();
        Self { service, rank: None, busy: false, again: false, modified: false }
    }
}

impl<I: Send + Sync + ?Sized + 'static> Drop for Tracker<I> {
    fn drop(&mut self) {
        self.subscription = None;
        let mut state = self.tracked.lock();
        state.closed = true;
        let services: Vec<_> = state.items.values().map(|item| item.service.clone()).collect();
        drop(state);
        for service in services {
            self.tracked.consider(service, false);
        }
    }
}

impl<I: Send + Sync + ?Sized + 'static> fmt::Debug for Tracker<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("services", &self.services()).finish()
    }
}
