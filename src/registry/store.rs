//! Where services are kept: a bucket per interface, read without waiting, changed under one lock.
//!
//! ```text
//!  interfaces   name ──▶ bucket    replaced when an interface is new; buckets stay
//!  bucket       best ──▶ offer     what most look for
//!               ranked             all services, in order of rank
//!               index              services by what their properties are equal to
//!  places       number ──▶ offer   what entries of `ranked` and `index` lead to
//! ```
//!
//! Each arrow is a [`Snapshot`]: whoever reads sees one state of it, and waits for nobody. A change
//! takes several of them, in an order in which a reader finds at every moment what was there before
//! the change or what is there after it: a new service gets its place first, and a service that goes
//! loses it last. An entry that leads to a place which was given away meanwhile is passed over,
//! because the service there has another number.
//!
//! What happens under the lock is ours alone: listeners are called outside, and services belong to
//! their registrations and to those who found them.
//!
//! # When a thread dies here
//!
//! A thread that panics in a change can only do so for want of memory. The lock is then taken all the
//! same, and the change is seen as far as it got.

use super::events::{EventKind, Listeners, News};
use super::filter::{Filter, OBJECT_CLASS, Term, term_of};
use super::index::{Index, Posting};
use super::interface::{ByName, Name};
use super::offer::{About, Offer, Provides};
use super::places::Places;
use super::properties::{Key, Properties, PropertyError, Scalar};
use super::queue::Queue;
use super::rank::{Entry, Rank};
use super::ranked::Ranked;
use super::reference::AnyServiceRef;
use super::{RegisterError, Registration};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use strait_pools::snapshot::{Reading, Retired, Snapshot, enter};
use strait_pools::sync::{Mutex, MutexGuard};

static ID: Key = Key::fixed("service.id");
static NAME: Key = Key::fixed("service.name");
static INTERFACES: Key = Key::fixed(OBJECT_CLASS);

pub(super) struct Store {
    interfaces: Snapshot<Interfaces>,
    places: Places,
    changes: Mutex<Changes>,
    ids: AtomicU64,
    pub(super) panics: Arc<AtomicU64>,
    pub(super) queue: Option<Queue>,
}

type Interfaces = HashMap<Name, Arc<Bucket>, ByName>;

/// What only those who change something use.
pub(super) struct Changes {
    retired: Retired,
    free: Vec<u32>,
    /// Places that were ever taken.
    places: u32,
    pub(super) listeners: Listeners,
}

/// The services of one interface.
struct Bucket {
    best: Snapshot<Offer>,
    ranked: Ranked,
    index: Index,
}

/// Which services of a bucket a filter may match.
enum Candidates<'a> {
    All,
    Some(&'a Posting),
    None,
}

impl Bucket {
    fn new() -> Self {
        Self { best: Snapshot::empty(), ranked: Ranked::default(), index: Index::new() }
    }

    fn add(&self, terms: &[Term], entry: Entry, retired: &mut Retired, reading: &Reading) {
        for term in terms {
            self.index.insert(*term, entry, retired, reading);
        }
        self.ranked.insert(entry, retired, reading);
    }

    fn remove(&self, terms: &[Term], rank: Rank, retired: &mut Retired, reading: &Reading) {
        self.ranked.remove(rank, retired, reading);
        for term in terms {
            self.index.remove(*term, rank, retired, reading);
        }
    }

    /// Shows the first of the ranking as the best.
    fn refresh(&self, places: &Places, retired: &mut Retired, reading: &Reading) {
        let first = self.ranked.iter(reading).next();
        let best = self.best.read(reading).map(|offer| offer.about.id);
        if first.map(|entry| entry.rank.id()) != best {
            let offer = first.and_then(|entry| places.at(entry.place).share(reading));
            self.best.replace(offer, retired);
        }
    }

    fn candidates<'a>(&'a self, filter: &Filter, reading: &'a Reading) -> Candidates<'a> {
        let mut fewest = None;
        for term in filter.terms() {
            let Some(posting) = self.index.get(*term, reading) else { return Candidates::None };
            let estimate = posting.estimate(reading);
            if fewest.is_none_or(|(least, _)| estimate < least) {
                fewest = Some((estimate, posting));
            }
        }
        fewest.map_or(Candidates::All, |(_, posting)| Candidates::Some(posting))
    }
}

impl Store {
    pub(super) fn new(panics: Arc<AtomicU64>, queue: Option<Queue>) -> Self {
        let (retired, listeners) = (Retired::new(), Listeners::default());
        Self {
            interfaces: Snapshot::empty(),
            places: Places::new(),
            changes: Mutex::new(Changes { retired, free: Vec::new(), places: 0, listeners }),
            ids: AtomicU64::new(1),
            panics,
            queue,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first service of an interface, in order of rank, of which `make` makes something.
    #[inline]
    pub(super) fn find<R>(&self, name: &Name, make: impl Fn(&Offer) -> Option<R>) -> Option<R> {
        let reading = enter();
        let bucket = self.interfaces.read(&reading)?.get(name)?;
        let best = bucket.best.read(&reading).and_then(&make);
        // The best may be another type, which goes by the same name.
        best.or_else(|| self.scan(bucket.ranked.iter(&reading), &reading, make))
    }

    /// As [`find`](Self::find), of the services that a filter matches.
    pub(super) fn find_where<R>(
        &self,
        name: &Name,
        filter: &Filter,
        make: impl Fn(&Offer) -> Option<R>,
    ) -> Option<R> {
        let reading = enter();
        let bucket = self.interfaces.read(&reading)?.get(name)?;
        let make = |offer: &Offer| {
            let properties = offer.about.properties.read(&reading)?;
            if filter.matches(properties) { make(offer) } else { None }
        };
        match bucket.candidates(filter, &reading) {
            Candidates::All => self.scan(bucket.ranked.iter(&reading), &reading, make),
            Candidates::Some(posting) => {
                posting.find(&reading, |entry| make(self.resolve(entry, &reading)?))
            }
            Candidates::None => None,
        }
    }

    /// As [`find`](Self::find), of the services of that name.
    pub(super) fn find_named<R>(
        &self,
        interface: &Name,
        name: &str,
        make: impl Fn(&Offer) -> Option<R>,
    ) -> Option<R> {
        let reading = enter();
        let bucket = self.interfaces.read(&reading)?.get(interface)?;
        let posting = bucket.index.get(term_of(NAME.hash(), Scalar::Text(name)), &reading)?;
        posting.find(&reading, |entry| {
            let offer = self.resolve(entry, &reading)?;
            if *offer.about.name == *name { make(offer) } else { None }
        })
    }

    /// All services of an interface that a filter matches, in order of rank.
    pub(super) fn all(&self, name: &Name, filter: Option<&Filter>) -> Vec<AnyServiceRef> {
        let reading = enter();
        let mut found = Vec::new();
        let Some(bucket) = self.interfaces.read(&reading).and_then(|all| all.get(name)) else {
            return found;
        };
        let take = |entry: Entry| -> Option<()> {
            let offer = self.places.at(entry.place).share(&reading)?;
            let properties = offer.about.properties.read(&reading)?;
            let matches = filter.is_none_or(|filter| filter.matches(properties));
            if offer.about.id == entry.rank.id() && matches {
                found.push(offer.reference());
            }
            None
        };
        match filter.map_or(Candidates::All, |filter| bucket.candidates(filter, &reading)) {
            Candidates::All => bucket.ranked.iter(&reading).find_map(take),
            Candidates::Some(posting) => posting.find(&reading, take),
            Candidates::None => None,
        };
        found
    }

    fn scan<R>(
        &self,
        mut entries: impl Iterator<Item = Entry>,
        reading: &Reading,
        make: impl Fn(&Offer) -> Option<R>,
    ) -> Option<R> {
        entries.find_map(|entry| make(self.resolve(entry, reading)?))
    }

    #[inline]
    fn resolve<'a>(&'a self, entry: Entry, reading: &'a Reading) -> Option<&'a Offer> {
        let offer = self.places.get(entry.place, reading)?;
        (offer.about.id == entry.rank.id()).then_some(offer)
    }

    /// The bucket of an interface, made if need be.
    fn bucket<'a>(
        &'a self,
        name: &Name,
        retired: &mut Retired,
        reading: &'a Reading,
    ) -> &'a Bucket {
        loop {
            let interfaces = self.interfaces.read(reading);
            if let Some(bucket) = interfaces.and_then(|interfaces| interfaces.get(name)) {
                return bucket;
            }
            let mut interfaces = interfaces.cloned().unwrap_or_default();
            interfaces.insert(name.clone(), Arc::new(Bucket::new()));
            self.interfaces.replace(Some(Arc::new(interfaces)), retired);
        }
    }

    pub(super) fn register(
        self: &Arc<Self>,
        name: &str,
        provides: Provides,
        properties: Properties,
    ) -> Result<Registration, RegisterError> {
        let names: Vec<Name> = provides.names().cloned().collect();
        if names.is_empty() {
            return Err(RegisterError::NoInterface { name: name.to_owned() });
        }
        if let Some((_, twice)) =
            names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))
        {
            let interface = twice.as_str().to_owned();
            return Err(RegisterError::Twice { name: name.to_owned(), interface });
        }
        let id = self.ids.fetch_add(1, Relaxed);
        let properties = Arc::new(complete(properties, id, name, &names)?);
        let terms = terms_of(&properties);
        let about = Arc::new(About::new(id, name, Arc::clone(&properties)));
        let views = provides.views(&about);
        let offer = Arc::new(Offer::new(about, &views));

        let mut changes = self.lock();
        let Changes { retired, free, places, listeners } = &mut *changes;
        let Some(place) = free.pop().or_else(|| {
            let place = *places;
            *places = places.checked_add(1)?;
            Some(place)
        }) else {
            return Err(RegisterError::Full);
        };
        let reading = enter();
        let entry = Entry { rank: Rank::new(&properties, id), place };
        self.places.at(place).replace(Some(Arc::clone(&offer)), retired);
        for name in &names {
            let bucket = self.bucket(name, retired, &reading);
            bucket.add(&terms, entry, retired, &reading);
            bucket.refresh(&self.places, retired, &reading);
        }
        let news = News {
            lists: listeners.of(names.iter()),
            service: offer.reference(),
            kind: EventKind::Registered,
            properties,
            before: None,
        };
        drop(reading);
        self.finish(changes, news);
        let views = views.into_iter().map(|(_, view)| view).collect();
        Ok(Registration { store: Arc::clone(self), offer, place, views })
    }

    pub(super) fn modify(
        &self,
        offer: &Arc<Offer>,
        place: u32,
        properties: Properties,
    ) -> Result<(), PropertyError> {
        let about = &offer.about;
        let names: Vec<Name> = offer.names().cloned().collect();
        let properties = Arc::new(complete(properties, about.id, &about.name, &names)?);
        let new = terms_of(&properties);
        let to = Entry { rank: Rank::new(&properties, about.id), place };

        let mut changes = self.lock();
        let Changes { retired, listeners, .. } = &mut *changes;
        let before = about.properties();
        let old = terms_of(&before);
        let from = Rank::new(&before, about.id);
        let reading = enter();
        for name in &names {
            let bucket = self.bucket(name, retired, &reading);
            for term in &new {
                if old.binary_search(term).is_err() {
                    bucket.index.insert(*term, to, retired, &reading);
                } else if from != to.rank {
                    bucket.index.reposition(*term, from, to, retired, &reading);
                }
            }
            if from != to.rank {
                bucket.ranked.reposition(from, to, retired, &reading);
            }
        }
        about.properties.replace(Some(Arc::clone(&properties)), retired);
        for name in &names {
            let bucket = self.bucket(name, retired, &reading);
            for term in old.iter().filter(|term| new.binary_search(term).is_err()) {
                bucket.index.remove(*term, from, retired, &reading);
            }
            bucket.refresh(&self.places, retired, &reading);
        }
        let news = News {
            lists: listeners.of(names.iter()),
            service: offer.reference(),
            kind: EventKind::Modified,
            properties,
            before: Some(before),
        };
        drop(reading);
        self.finish(changes, news);
        Ok(())
    }

    pub(super) fn unregister(&self, offer: &Arc<Offer>, place: u32) {
        let about = &offer.about;
        let mut changes = self.lock();
        let Changes { retired, free, listeners, .. } = &mut *changes;
        about.withdraw();
        let properties = about.properties();
        let (terms, rank) = (terms_of(&properties), Rank::new(&properties, about.id));
        let reading = enter();
        for name in offer.names() {
            let bucket = self.bucket(name, retired, &reading);
            bucket.remove(&terms, rank, retired, &reading);
            bucket.refresh(&self.places, retired, &reading);
        }
        self.places.at(place).replace(None, retired);
        free.push(place);
        let news = News {
            lists: listeners.of(offer.names()),
            service: offer.reference(),
            kind: EventKind::Unregistering,
            properties,
            before: None,
        };
        drop(reading);
        self.finish(changes, news);
    }

    /// Drops what nobody can find any more, and tells the news, without the lock.
    fn finish(&self, mut changes: MutexGuard<'_, Changes>, news: News) {
        let unreachable = changes.retired.collect();
        drop(changes);
        drop(unreachable);
        if !news.is_of_interest() {
            return;
        }
        match &self.queue {
            None => news.tell(None, &self.panics),
            Some(queue) => {
                news.tell(Some(true), &self.panics);
                queue.put(news);
            }
        }
    }
}

/// Properties with what the registry says itself.
fn complete(
    mut properties: Properties,
    id: u64,
    name: &str,
    interfaces: &[Name],
) -> Result<Properties, PropertyError> {
    let interfaces: Vec<&str> = interfaces.iter().map(Name::as_str).collect();
    properties.put(INTERFACES.clone(), interfaces.as_slice().into())?;
    properties.put(ID.clone(), i64::try_from(id).unwrap_or(i64::MAX).into())?;
    properties.put(NAME.clone(), name.into())?;
    Ok(properties)
}

/// The terms of all properties but the interfaces, which all services of a bucket have; in order, each
/// once.
fn terms_of(properties: &Properties) -> Vec<Term> {
    let mut terms = Vec::with_capacity(properties.len());
    for (key, value) in properties.keys() {
        if !key.as_str().eq_ignore_ascii_case(OBJECT_CLASS) {
            value.any(|scalar| {
                terms.push(term_of(key.hash(), scalar));
                false
            });
        }
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reading = enter();
        let interfaces = self.interfaces.read(&reading);
        let names = interfaces.into_iter().flat_map(HashMap::keys).map(Name::as_str);
        f.debug_struct("Store")
            .field("interfaces", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
