//! Services between processes: found by rank and filter, called in place, and what callers learn when the
//! one they call is gone.

#[path = "../ipc/tests/child/mod.rs"]
mod child;

use child::{Actor, HANG, Place, eventually, job, tell, wait_for_parent};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use strait::registry::Filter;
use strait::service::{CallError, Delivered, Results};
use strait::services::{FindError, Serving};
use strait::{Domain, Services, Wait, props, service};
use strait_pools::threads::PinnedThread;

/// Says which process it is in, and counts.
#[service(name = "test.Teller", version = 1)]
trait Teller {
    #[method(1)]
    fn pid(&self) -> u32;
    #[method(2)]
    fn next(&self) -> u64;
    /// Tells the parent, and does not come back.
    #[method(3)]
    fn hang(&self) -> u64;
    #[method(4, oneway)]
    fn skip(&self, count: u64);
    /// Without end.
    #[method(5)]
    fn numbers(&self) -> Results<u64>;
}

#[derive(Default)]
struct Counter(AtomicU64, Arc<AtomicU64>);

/// Streams that are open.
struct Open(Arc<AtomicU64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Teller for Counter {
    fn pid(&self) -> u32 {
        std::process::id()
    }
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }
    fn hang(&self) -> u64 {
        tell("hanging");
        wait_for_parent();
        0
    }
    fn skip(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }
    fn numbers(&self) -> Results<u64> {
        self.1.fetch_add(1, Relaxed);
        let open = Open(Arc::clone(&self.1));
        Box::new((0..).inspect(move |_| {
            let _held = &open;
        }))
    }
}

fn services(place: &Place) -> Services {
    Domain::open_in(place.path(), "test").unwrap().services().unwrap()
}

fn open(services: &Services, name: &str, ranking: i64) -> Serving<dyn Teller> {
    let properties = props! { "service.ranking" => ranking, "venue" => name };
    let serve = services.serve::<dyn Teller>(Arc::<Counter>::default(), properties);
    serve.name(name).wait(Wait::Adaptive).open().unwrap()
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let services = services(&place);
    let (name, ranking) = what.split_once(' ').unwrap();
    if name == "stream" {
        let mut numbers = services.find::<dyn Teller>().unwrap().numbers().unwrap();
        assert_eq!(numbers.next().unwrap(), Ok(0));
        tell("streaming");
        wait_for_parent();
        return;
    }
    let mut serving = open(&services, name, ranking.parse().unwrap());
    tell("open");
    loop {
        serving.serve(None).unwrap();
    }
}

fn serve(place: &Place, name: &str, ranking: i64) -> Actor {
    let mut actor = Actor::spawn(&format!("{name} {ranking}"), place);
    actor.hear();
    actor
}

#[test]
fn the_best_one_is_found_wherever_it_is() {
    let place = Place::new();
    let services = services(&place);
    let nobody = services.find::<dyn Teller>().unwrap_err();
    insta::assert_snapshot!(nobody, @"no process of the domain `test` offers `test.Teller`");
    let x: Filter = "(venue=X)".parse().unwrap();
    insta::assert_snapshot!(services.find_where::<dyn Teller>(&x).unwrap_err(), @"no process of the domain `test` offers `test.Teller` with (venue=X)");

    let (one, two) = (serve(&place, "X", 1), serve(&place, "Y", 2));
    assert_eq!(services.find::<dyn Teller>().unwrap().pid(), Ok(two.pid()));
    assert_eq!(services.find_where::<dyn Teller>(&x).unwrap().pid(), Ok(one.pid()));
    // One of this process comes before those that are as good.
    let here = services.register::<dyn Teller>(
        "here",
        Arc::<Counter>::default(),
        props! { "service.ranking" => 2 },
    );
    let here = here.unwrap();
    assert_eq!(services.find::<dyn Teller>().unwrap().pid(), Ok(std::process::id()));
    here.modify(props! { "service.ranking" => "1" }).unwrap();
    assert_eq!(services.find::<dyn Teller>().unwrap().pid(), Ok(two.pid()));
}

#[test]
fn what_is_offered_from_here_is_called_directly() {
    let place = Place::new();
    let services = services(&place);
    // Nobody serves it.
    let serving = open(&services, "X", 0);
    let client = services.find::<dyn Teller>().unwrap();
    assert_eq!(client.next(), Ok(0));
    assert!(format!("{client:?}").contains("Local"), "{client:?}");
    drop(serving);
    let gone = client.next().unwrap_err();
    let service = "test.Teller".into();
    let withdrawn = CallError::Unregistered { service, delivered: Delivered::No };
    assert_eq!(gone, withdrawn);
    assert!(services.find::<dyn Teller>().is_err());
    drop((client, services));
    place.assert_empty();
}

#[test]
fn a_thread_of_its_own_serves() {
    let place = Place::new();
    let (there, here) = (services(&place), services(&place));
    let serving = open(&there, "X", 0);
    let thread = serving.spawn(PinnedThread::builder().name("teller")).unwrap();
    let client = here.find::<dyn Teller>().unwrap();
    assert!(format!("{client:?}").contains("Shared"), "{client:?}");
    assert_eq!([client.next(), client.next()], [Ok(0), Ok(1)]);
    let again = here.find::<dyn Teller>().unwrap();
    // What was asked before the end is answered.
    let waiting: Vec<_> = (0..10).map(|_| again.start().next().unwrap()).collect();
    thread.stop().unwrap();
    for (number, call) in (2..).zip(waiting) {
        assert_eq!(call.wait(), Ok(number));
    }
    let gone = client.next().unwrap_err();
    assert!(matches!(gone, CallError::Unregistered { delivered: Delivered::No, .. }), "{gone:?}");
    drop((client, again, here, there));
    place.assert_empty();
}

#[test]
fn a_server_that_is_killed_is_told_of_and_replaced() {
    let place = Place::new();
    let services = services(&place);
    let (mut best, next) = (serve(&place, "X", 2), serve(&place, "Y", 1));
    let client = services.find::<dyn Teller>().unwrap();
    let (hanging, behind) = (client.start().hang().unwrap(), client.start().next().unwrap());
    assert_eq!(best.hear(), "hanging");
    best.kill();
    let died = |delivered| {
        Err(CallError::PeerDied { service: "test.Teller".into(), pid: best.pid(), delivered })
    };
    let (maybe, no) = (died(Delivered::Maybe), died(Delivered::No));
    assert_eq!(hanging.wait(), maybe);
    assert_eq!(behind.wait(), no);
    assert!(matches!(client.next(), Err(CallError::PeerDied { delivered: Delivered::No, .. })));
    // The next look-up finds the next best.
    let client = services.find::<dyn Teller>().unwrap();
    assert_eq!(client.pid(), Ok(next.pid()));
    // Its name is free at once.
    let again = serve(&place, "X", 2);
    assert_eq!(services.find::<dyn Teller>().unwrap().pid(), Ok(again.pid()));
}

#[test]
fn what_a_dead_server_leaves_is_removed_by_who_looks_for_it() {
    let place = Place::new();
    let services = services(&place);
    let mut server = serve(&place, "X", 0);
    assert_eq!(place.files().len(), 2, "the directory, and the calls");
    server.kill();
    assert!(matches!(services.find::<dyn Teller>(), Err(FindError::None { .. })));
    assert_eq!(place.files().len(), 1, "the directory");
    drop(services);
    place.assert_empty();
}

#[test]
fn the_streams_of_a_client_that_is_killed_are_dropped() {
    let place = Place::new();
    let services = services(&place);
    let counter = Arc::<Counter>::default();
    let streams = Arc::clone(&counter.1);
    let serving =
        services.serve::<dyn Teller>(counter, props! {}).wait(Wait::Adaptive).open().unwrap();
    let thread = serving.spawn(PinnedThread::builder()).unwrap();
    let mut client = Actor::spawn("stream 0", &place);
    assert_eq!((client.hear(), streams.load(Relaxed)), ("streaming".to_owned(), 1));
    client.kill();
    eventually("the end of its stream", || streams.load(Relaxed) == 0);
    thread.stop().unwrap();
}

#[test]
fn one_is_waited_for() {
    let place = Place::new();
    let (there, here) = (services(&place), services(&place));
    let none = here.wait_for::<dyn Teller>(None, Duration::from_millis(20));
    assert!(matches!(none, Err(FindError::None { .. })));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| here.wait_for::<dyn Teller>(None, HANG).unwrap().next());
        let serving = open(&there, "X", 0).spawn(PinnedThread::builder()).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(0));
        serving.stop().unwrap();
    });
    // One of this process alone.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| here.wait_for::<dyn Teller>(None, HANG).unwrap().next());
        let counter = Arc::<Counter>::default();
        let _registered = here.register::<dyn Teller>("late", counter, props! {}).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(0));
    });
}

#[test]
fn a_name_is_offered_once() {
    let place = Place::new();
    let services = services(&place);
    let _actor = serve(&place, "X", 0);
    let taken = services
        .serve::<dyn Teller>(Arc::<Counter>::default(), props! {})
        .name("X")
        .open()
        .unwrap_err();
    assert!(taken.to_string().contains("X"), "{taken}");
    assert!(services.registry().find::<dyn Teller>().is_none(), "it is not registered either");
}
