//! Models of the registry, on the source that ships: look-ups and trackers beside changes. That what is
//! read is not dropped meanwhile is the business of `snapshot`.

#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use strait::props;
use strait::registry::{Filter, Interface, Properties, Registration, Registry};
use strait::registry::{ServiceRef, Track, Tracker};
use strait_loom_tests::explore;

trait Number: Send + Sync {
    fn number(&self) -> u32;
}

impl Interface for dyn Number {
    const NAME: &'static str = "model.Number";
}

impl Number for u32 {
    fn number(&self) -> u32 {
        *self
    }
}

fn add(registry: &Registry, number: u32, properties: Properties) -> Registration {
    registry.register::<dyn Number>("number", Arc::new(number), properties).unwrap()
}

/// One looks up while the only service goes: it finds that or none, and knows afterwards that it went.
#[test]
fn a_look_up_meets_an_end() {
    explore(2, || {
        let registry = Registry::new();
        let registration = add(&registry, 7, props! {});
        let looking = thread::spawn({
            let registry = registry.clone();
            move || {
                let found = registry.find::<dyn Number>();
                if let Some(Ok(service)) = found.as_ref().map(ServiceRef::get) {
                    assert_eq!(service.number(), 7);
                }
                found
            }
        });
        drop(registration);
        assert!(registry.find::<dyn Number>().is_none());
        let found = looking.join().unwrap();
        assert!(found.is_none_or(|service| service.get().is_err()));
    });
}

/// A service changes its rank, past another one: by its venue it is found throughout, and so is one of
/// the two as the best.
#[test]
fn a_service_is_found_while_it_changes() {
    explore(2, || {
        let registry = Registry::new();
        let moves = add(&registry, 1, props! { "venue" => "X" });
        let _stays = add(&registry, 2, props! { "venue" => "X" });
        let looking = thread::spawn({
            let registry = registry.clone();
            let filter: Filter = "(&(venue=X)(service.id=1))".parse().unwrap();
            move || {
                assert!(registry.find::<dyn Number>().is_some());
                assert_eq!(registry.find_where::<dyn Number>(&filter).unwrap().id(), 1);
            }
        });
        moves.modify(props! { "venue" => "X", "service.ranking" => -1 }).unwrap();
        assert_eq!(registry.find::<dyn Number>().unwrap().id(), 2);
        looking.join().unwrap();
    });
}

/// What was added, less what was removed.
struct Count(Arc<AtomicU32>);

impl Track<dyn Number> for Count {
    fn added(&self, _: &ServiceRef<dyn Number>) {
        assert_eq!(self.0.fetch_add(1, Relaxed), 0, "added twice");
    }

    fn removed(&self, _: &ServiceRef<dyn Number>) {
        assert_eq!(self.0.fetch_sub(1, Relaxed), 1, "removed twice");
    }
}

/// A tracker opens while the service comes.
#[test]
fn a_tracker_meets_a_registration() {
    explore(2, || {
        let registry = Registry::new();
        let coming = thread::spawn({
            let registry = registry.clone();
            move || add(&registry, 7, props! {})
        });
        let count = Arc::new(AtomicU32::new(0));
        let tracker = Tracker::open(&registry, None, Count(Arc::clone(&count)));
        let registration = coming.join().unwrap();
        assert_eq!((count.load(Relaxed), registry.panics()), (1, 0));
        assert_eq!(tracker.get().unwrap().get().unwrap().number(), 7);
        drop(registration);
        assert!(tracker.get().is_none());
        assert_eq!((count.load(Relaxed), registry.panics()), (0, 0));
    });
}

/// A tracker opens while the service goes, and closes.
#[test]
fn a_tracker_meets_an_end() {
    explore(2, || {
        let registry = Registry::new();
        let registration = add(&registry, 7, props! {});
        let going = thread::spawn(move || drop(registration));
        let count = Arc::new(AtomicU32::new(0));
        let tracker = Tracker::open(&registry, None, Count(Arc::clone(&count)));
        drop(tracker);
        going.join().unwrap();
        assert_eq!((count.load(Relaxed), registry.panics()), (0, 0));
    });
}
