use super::*;
use crate::props;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, Weak};
use std::thread;
use std::time::Duration;

trait Matcher: Send + Sync {
    fn number(&self) -> u64;
}

impl Interface for dyn Matcher {
    const NAME: &'static str = "test.Matcher";
}

trait Admin: Send + Sync {}

impl Interface for dyn Admin {
    const NAME: &'static str = "test.Admin";
}

struct Book(u64);

impl Matcher for Book {
    fn number(&self) -> u64 {
        self.0
    }
}

impl Admin for Book {}

fn add(registry: &Registry, number: u64, properties: Properties) -> Registration {
    registry.register::<dyn Matcher>("book", Arc::new(Book(number)), properties).unwrap()
}

fn best(registry: &Registry) -> Option<u64> {
    registry.find::<dyn Matcher>().map(|service| service.get().unwrap().number())
}

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

#[test]
fn the_highest_ranking_wins_and_of_two_the_older() {
    let registry = Registry::new();
    assert_eq!(best(&registry), None);
    let _first = add(&registry, 1, props! {});
    let _second = add(&registry, 2, props! {});
    assert_eq!(best(&registry), Some(1));
    let third = add(&registry, 3, props! { "Service.Ranking" => " 1000" });
    assert_eq!(best(&registry), Some(3));
    let fourth = add(&registry, 4, props! { "service.ranking" => 1000 });
    assert_eq!(best(&registry), Some(3));
    third.modify(props! { "service.ranking" => "none" }).unwrap();
    assert_eq!(best(&registry), Some(4));
    fourth.modify(props! { "service.ranking" => -1 }).unwrap();
    assert_eq!(best(&registry), Some(1));
    let order: Vec<u64> = registry
        .find_all::<dyn Matcher>(None)
        .iter()
        .map(|service| service.get().unwrap().number())
        .collect();
    assert_eq!(order, [1, 2, 3, 4]);
}

#[test]
fn the_registry_says_what_a_service_is() {
    let registry = Registry::new();
    let theirs =
        props! { "SERVICE.ID" => "mine", "objectclass" => "mine", "service.name" => "mine" };
    let registration = add(&registry, 1, theirs);
    let service = registry.find::<dyn Matcher>().unwrap();
    let properties = service.properties();
    assert_eq!(properties.get("service.id"), Some(&Value::Integer(1)));
    assert_eq!(properties.get("service.name"), Some(&"book".into()));
    assert_eq!(properties.get("objectClass"), Some(&["test.Matcher"].into()));
    assert_eq!((service.id(), service.name()), (1, "book"));
    let found = |text| registry.find_where::<dyn Matcher>(&filter(text)).is_some();
    assert!(
        found("(objectClass=test.Matcher)")
            && found("(service.id=1)")
            && found("(service.name=book)")
    );
    assert!(!found("(service.id=mine)"));
    assert!(registry.find_named::<dyn Matcher>("book").is_some());
    assert!(registry.find_named::<dyn Matcher>("Book").is_none());
    registration.modify(props! {}).unwrap();
    assert!(found("(&(service.id=1)(objectClass=test.Matcher))"));
}

#[test]
fn one_service_has_several_interfaces_and_names() {
    let registry = Registry::new();
    let book = Arc::new(Book(7));
    let provides = Provides::new()
        .interface::<dyn Matcher>(book.clone())
        .interface::<dyn Admin>(book.clone())
        .named::<Book>("test.Elsewhere", book);
    let registration = registry.register_all("book", provides, props! {}).unwrap();
    let matcher = registry.find::<dyn Matcher>().unwrap();
    let admin = registry.find::<dyn Admin>().unwrap();
    let book = registry.find_as::<Book>("test.Elsewhere", None).unwrap();
    assert_eq!((matcher.id(), admin.id(), book.get().unwrap().0), (1, 1, 7));
    assert_eq!(registration.use_count(), 3);
    assert!(registry.find_as::<dyn Admin>("test.Elsewhere", None).is_none(), "another type");
    let any = &registry.services("test.Elsewhere", Some(&filter("(service.name=book)")))[0];
    assert_eq!(any.interface::<dyn Matcher>(), Some(matcher.clone()));
    assert_eq!(
        any.interfaces().collect::<Vec<_>>(),
        ["test.Matcher", "test.Admin", "test.Elsewhere"]
    );
    assert!(any.named::<dyn Admin>("test.Elsewhere").is_none());
    drop(registration);
    assert!(matcher.get().is_err() && admin.get().is_err() && book.get().is_err());
    assert!(registry.find::<dyn Admin>().is_none());
}

#[test]
fn what_nobody_could_find_is_refused() {
    let registry = Registry::new();
    let error = registry.register_all("x", Provides::new(), props! {}).unwrap_err();
    assert_eq!(error, RegisterError::NoInterface { name: "x".to_owned() });
    let twice = Provides::new()
        .interface::<dyn Admin>(Arc::new(Book(1)))
        .named::<Book>("test.Admin", Arc::new(Book(1)));
    let error = registry.register_all("x", twice, props! {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service `x` provides `test.Admin` twice: which one is meant?"
    );
    let long = props! { "a" => "x".repeat(MAX_BYTES - 20) };
    let refused = registry.register::<dyn Admin>("x", Arc::new(Book(1)), long);
    assert!(matches!(refused, Err(RegisterError::Property(PropertyError::TooLong { .. }))));
    assert!(registry.services("test.Admin", None).is_empty());
}

#[test]
fn uses_are_counted_and_the_last_one_drops_the_service() {
    let registry = Registry::new();
    let book = Arc::new(Book(1));
    let weak: Weak<Book> = Arc::downgrade(&book);
    let registration = registry.register::<dyn Matcher>("book", book, props! {}).unwrap();
    assert_eq!(registration.use_count(), 0);
    let one = registry.find::<dyn Matcher>().unwrap();
    let other = one.clone();
    assert_eq!(registration.use_count(), 2);
    let away = other.downgrade();
    drop(other);
    assert_eq!(registration.use_count(), 1);
    assert_eq!(away.upgrade(), Some(one.clone()));
    drop(registration);
    let error = one.get().err().unwrap();
    assert_eq!(
        error.to_string(),
        "the service `book` (1) is no longer registered: look for another one"
    );
    assert!(weak.upgrade().is_some());
    drop(one);
    assert!(weak.upgrade().is_none());
    assert!(away.upgrade().is_none());
}

type Seen = Arc<Mutex<Vec<(EventKind, u64, bool)>>>;

/// Notes each event, whether the service can be called, and takes for granted that it is not found
/// any more when it is being unregistered.
fn note(registry: &Registry, text: Option<&str>) -> (Subscription, Seen) {
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    let store = Arc::downgrade(&registry.store);
    let subscription = registry.listen::<dyn Matcher>(text.map(filter), move |event| {
        let service = event.service.interface::<dyn Matcher>().unwrap();
        if let Some(store) = store.upgrade() {
            let found = Registry { store }.find_all::<dyn Matcher>(None).contains(&service);
            assert_eq!(found, event.kind != EventKind::Unregistering);
        }
        notes.lock().unwrap().push((event.kind, service.id(), service.get().is_ok()));
    });
    (subscription, seen)
}

fn take(seen: &Seen) -> Vec<(EventKind, u64, bool)> {
    std::mem::take(&mut seen.lock().unwrap())
}

#[test]
fn listeners_are_told_in_osgi_s_order() {
    use EventKind::{Modified, ModifiedEndMatch, Registered, Unregistering};
    let registry = Registry::new();
    let (subscription, all) = note(&registry, None);
    let (_some, some) = note(&registry, Some("(venue=X)"));
    let registration = add(&registry, 1, props! { "venue" => "X" });
    registration.modify(props! { "venue" => "X", "port" => 1 }).unwrap();
    registration.modify(props! { "venue" => "Y" }).unwrap();
    registration.modify(props! {}).unwrap();
    registration.modify(props! { "venue" => "X" }).unwrap();
    drop(registration);
    let events = [Registered, Modified, Modified, Modified, Modified, Unregistering];
    assert_eq!(take(&all), events.map(|kind| (kind, 1, true)));
    let events = [Registered, Modified, ModifiedEndMatch, Modified, Unregistering];
    assert_eq!(take(&some), events.map(|kind| (kind, 1, true)));
    drop(subscription);
    let other = registry.register::<dyn Admin>("x", Arc::new(Book(1)), props! { "venue" => "X" });
    drop((add(&registry, 1, props! {}), other));
    assert_eq!((take(&all), take(&some)), (vec![], vec![]));
    assert_eq!(registry.panics(), 0);
}

/// A listener registers, modifies, listens and unregisters; another one panics.
#[test]
fn listeners_may_do_as_they_like() {
    let registry = Registry::new();
    let inner: Arc<Mutex<Vec<Registration>>> = Arc::default();
    let _busy = registry.listen::<dyn Matcher>(None, {
        let (registry, inner) = (registry.clone(), Arc::clone(&inner));
        move |event| {
            if event.kind == EventKind::Registered {
                let admin = registry.register::<dyn Admin>("inner", Arc::new(Book(2)), props! {});
                let admin = admin.unwrap();
                admin.modify(props! { "venue" => "Z" }).unwrap();
                drop(registry.listen::<dyn Matcher>(None, |_| ()));
                inner.lock().unwrap().push(admin);
            } else {
                let gone = inner.lock().unwrap().pop();
                drop(gone);
            }
        }
    });
    let _clumsy = registry.listen::<dyn Matcher>(None, |_| std::panic::resume_unwind(Box::new(())));
    let (_last, seen) = note(&registry, None);
    let registration = add(&registry, 1, props! {});
    assert!(registry.find::<dyn Admin>().is_some());
    drop(registration);
    assert!(registry.find::<dyn Admin>().is_none());
    assert_eq!((take(&seen).len(), registry.panics()), (2, 2));
}

/// The thread that tells is held up with the first of five events while the others come; then it is let
/// go. Returns whom it told of, and how many events were dropped.
fn told(overflow: Overflow, expected: usize) -> (Vec<u64>, u64) {
    let registry = Registry::with_queue(EventQueue { capacity: 2, threads: 1, overflow }).unwrap();
    let (held, hold) = std::sync::mpsc::channel::<()>();
    let (told, tell) = std::sync::mpsc::channel();
    let hold = Mutex::new(hold);
    let _subscription = registry.listen::<dyn Matcher>(None, move |event| {
        let _ = told.send(event.service.id());
        let _ = hold.lock().unwrap().recv();
    });
    let tracker: Tracker<dyn Matcher> = Tracker::open(&registry, None, ());
    let first = add(&registry, 1, props! {});
    assert!(tracker.get().is_some(), "trackers are told directly");
    let mut seen = vec![tell.recv().unwrap()];
    let others = || (2..6).map(|number| add(&registry, number, props! {})).collect::<Vec<_>>();
    thread::scope(|scope| {
        let others = match overflow {
            Overflow::Block => scope.spawn(others),
            // It must not wait, so it is done before the other one is let go.
            _ => {
                let others = others();
                scope.spawn(|| others)
            }
        };
        drop(held);
        seen.extend((1..expected).map(|_| tell.recv().unwrap()));
        drop((first, others.join().unwrap()));
    });
    (seen, registry.dropped_events())
}

#[test]
fn a_full_queue_drops_what_it_was_told_to() {
    assert_eq!(told(Overflow::Block, 5), (vec![1, 2, 3, 4, 5], 0));
    let (seen, dropped) = told(Overflow::DropNewest, 3);
    assert_eq!(seen, [1, 2, 3]);
    assert!(dropped >= 2, "4 and 5");
    let (seen, dropped) = told(Overflow::DropOldest, 3);
    assert_eq!(seen, [1, 4, 5]);
    assert!(dropped >= 2, "2 and 3");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Beside a sorted list, through registrations, changes and their ends.
    #[test]
    fn services_are_found_as_in_a_list(
        steps in proptest::collection::vec((0..4_u8, any::<proptest::sample::Index>(), -2..3_i64, 0..4_u8), 1..200)
    ) {
        let registry = Registry::new();
        // By rank: the registration, and its venue.
        let mut list: BTreeMap<(i64, u64), (Registration, u8)> = BTreeMap::new();
        let describe = |ranking: i64, venue: u8| {
            props! { "service.ranking" => ranking, "venue" => i64::from(venue), "all" => true }
        };
        for (what, index, ranking, venue) in steps {
            match what {
                0 | 1 => {
                    let registration = add(&registry, 0, describe(ranking, venue));
                    let id = registration.service().id();
                    list.insert((-ranking, id), (registration, venue));
                }
                _ if list.is_empty() => {}
                2 => {
                    let key = *list.keys().nth(index.index(list.len())).unwrap();
                    list.remove(&key);
                }
                _ => {
                    let key = *list.keys().nth(index.index(list.len())).unwrap();
                    let (registration, _) = list.remove(&key).unwrap();
                    registration.modify(describe(ranking, venue)).unwrap();
                    list.insert((-ranking, key.1), (registration, venue));
                }
            }
            let first = list.keys().next().map(|(_, id)| *id);
            prop_assert_eq!(registry.find::<dyn Matcher>().map(|service| service.id()), first);
            let at_venue = filter(&format!("(&(all=true)(venue={venue}))"));
            let expected = list.iter().find(|(_, (_, other))| *other == venue).map(|((_, id), _)| *id);
            let found = registry.find_where::<dyn Matcher>(&at_venue).map(|service| service.id());
            prop_assert_eq!(found, expected);
        }
        let ids = |services: Vec<ServiceRef<dyn Matcher>>| -> Vec<u64> {
            services.iter().map(ServiceRef::id).collect()
        };
        let all: Vec<u64> = list.keys().map(|(_, id)| *id).collect();
        prop_assert_eq!(&ids(registry.find_all(None)), &all);
        prop_assert_eq!(&ids(registry.find_all(Some(&filter("(all=TRUE)")))), &all);
        prop_assert_eq!(&ids(registry.find_all(Some(&filter("(|(all=true)(no=1))")))), &all);
        drop(list);
        prop_assert_eq!(ids(registry.find_all(None)), Vec::<u64>::new());
        prop_assert_eq!(ids(registry.find_all(Some(&filter("(all=true)")))), Vec::<u64>::new());
    }
}

/// Readers look while others come and go: what is there throughout is always found, and what is found
/// can be called or says that it is gone.
#[test]
fn readers_find_what_is_there_throughout() {
    let registry = Registry::new();
    let stays = add(&registry, 1, props! { "venue" => "X" });
    let done = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (registry, done) = (registry.clone(), Arc::clone(&done));
        move || {
            let at_venue = filter("(venue=X)");
            let mut looks = 0_u64;
            while !done.load(Relaxed) || looks == 0 {
                let best = registry.find::<dyn Matcher>().expect("one is always there");
                let found = registry.find_where::<dyn Matcher>(&at_venue).expect("it stays");
                assert_eq!(found.id(), 1);
                assert_eq!(found.get().unwrap().number(), 1);
                if let Ok(service) = best.get() {
                    assert!(service.number() <= 2);
                }
                looks += 1;
            }
        }
    });
    for round in 0..1000_i64 {
        let passing =
            add(&registry, 2, props! { "venue" => "Y", "service.ranking" => round % 3 - 1 });
        stays.modify(props! { "venue" => "X", "service.ranking" => round % 2 }).unwrap();
        drop(passing);
    }
    done.store(true, Relaxed);
    reader.join().unwrap();
}

/// Counts each service's additions less its removals, which must be 0 or 1 at every moment.
#[derive(Default)]
struct Ledger {
    there: Mutex<BTreeMap<u64, i32>>,
    modified: AtomicUsize,
    wrong: AtomicUsize,
}

impl Ledger {
    fn count(&self, id: u64, change: i32) {
        let mut there = self.there.lock().unwrap();
        let count = there.entry(id).or_default();
        *count += change;
        if !(0..=1).contains(count) {
            self.wrong.fetch_add(1, Relaxed);
        }
    }

    fn ids(&self) -> Vec<u64> {
        let there = self.there.lock().unwrap();
        there.iter().filter(|(_, count)| **count == 1).map(|(id, _)| *id).collect()
    }
}

struct Watch(Arc<Ledger>);

impl Track<dyn Matcher> for Watch {
    fn added(&self, service: &ServiceRef<dyn Matcher>) {
        self.0.count(service.id(), 1);
    }

    fn modified(&self, _: &ServiceRef<dyn Matcher>) {
        self.0.modified.fetch_add(1, Relaxed);
    }

    fn removed(&self, service: &ServiceRef<dyn Matcher>) {
        self.0.count(service.id(), -1);
    }
}

#[test]
fn a_tracker_follows_what_matches() {
    let registry = Registry::new();
    let first = add(&registry, 1, props! { "venue" => "X" });
    let _other = add(&registry, 2, props! { "venue" => "Y" });
    let ledger = Arc::new(Ledger::default());
    let watch = Watch(Arc::clone(&ledger));
    let tracker = Tracker::open(&registry, Some(filter("(venue=X)")), watch);
    let best = |tracker: &Tracker<dyn Matcher>| tracker.get().map(|service| service.id());
    assert_eq!((ledger.ids(), best(&tracker)), (vec![1], Some(1)));
    let third = add(&registry, 3, props! { "venue" => "X", "service.ranking" => 1 });
    assert_eq!((ledger.ids(), best(&tracker)), (vec![1, 3], Some(3)));
    third.modify(props! { "venue" => "X", "service.ranking" => -1 }).unwrap();
    assert_eq!((ledger.modified.load(Relaxed), best(&tracker)), (1, Some(1)));
    first.modify(props! { "venue" => "Y" }).unwrap();
    assert_eq!((ledger.ids(), best(&tracker)), (vec![3], Some(3)));
    first.modify(props! { "venue" => "X" }).unwrap();
    assert_eq!((ledger.ids(), best(&tracker)), (vec![1, 3], Some(1)));
    assert_eq!((tracker.services().len(), first.use_count()), (2, 3));
    drop(third);
    assert_eq!(ledger.ids(), [1]);
    drop(tracker);
    assert_eq!((ledger.ids(), ledger.wrong.load(Relaxed)), (vec![], 0));
    assert_eq!(first.use_count(), 0);
}

/// Whoever waits is woken by the service that comes.
#[test]
fn a_tracker_waits() {
    let registry = Registry::new();
    let tracker: Tracker<dyn Matcher> = Tracker::open(&registry, None, ());
    assert_eq!(tracker.wait_for(Duration::ZERO), None);
    let comes = thread::scope(|scope| {
        let waiter = scope.spawn(|| tracker.wait_for(Duration::from_secs(60)));
        let comes = add(&registry, 1, props! {});
        assert_eq!(waiter.join().unwrap().map(|service| service.id()), Some(1));
        comes
    });
    drop(comes);
    assert_eq!(tracker.wait_for(Duration::ZERO), None);
}

/// Several threads register, modify and unregister while trackers open and close.
#[test]
fn trackers_miss_nothing_and_see_nothing_twice() {
    let registry = Registry::new();
    let ledgers: Vec<Arc<Ledger>> = thread::scope(|scope| {
        for thread in 0..2 {
            let registry = &registry;
            scope.spawn(move || {
                for round in 0..200_i64 {
                    let one = add(registry, 1, props! { "venue" => round % 2 });
                    let two = add(registry, 2, props! { "service.ranking" => round });
                    one.modify(props! { "venue" => (round + thread) % 2 }).unwrap();
                    drop((one, two));
                }
            });
        }
        let opened = (0..20).map(|_| {
            let ledger = Arc::new(Ledger::default());
            let watch = Watch(Arc::clone(&ledger));
            drop(Tracker::open(&registry, Some(filter("(!(venue=1))")), watch));
            ledger
        });
        opened.collect()
    });
    for ledger in ledgers {
        assert_eq!((ledger.ids(), ledger.wrong.load(Relaxed)), (vec![], 0));
    }
    assert_eq!(registry.panics(), 0);
}
