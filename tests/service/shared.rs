//! A service behind shared memory.

use crate::conformance::conformance;
use crate::local::allocations;
use crate::matcher::{Exchange, Matcher, MatcherClient, order};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use strait::service::{Binding, CallError, Delivered, Service, Streams};
use strait_ipc::calls::{Calls, ServeError};

/// Does something with a client of a service that another thread serves; what that thread allocated meanwhile, after
/// `warm_up`.
fn with_service(
    calls: Calls,
    warm_up: impl FnOnce(&MatcherClient),
    test: impl FnOnce(&MatcherClient),
) -> u64 {
    let (mut server, client) = calls.schema(<dyn Matcher>::SUMMARY).pair().unwrap();
    let [measured, over] = [AtomicBool::new(false), AtomicBool::new(false)];
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let (exchange, mut streams) = (Exchange::default(), Streams::default());
            let matcher: &dyn Matcher = &exchange;
            let mut serve_until = |over: &AtomicBool| {
                while !over.load(Relaxed) {
                    let slice = Some(Duration::from_millis(10));
                    match server.serve(slice, |request| matcher.dispatch(request, &mut streams)) {
                        Ok(()) | Err(ServeError::Timeout) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            };
            serve_until(&measured);
            allocations(|| serve_until(&over))
        });
        let summary = client.schema().to_owned();
        let client = MatcherClient::from(Binding::shared(Arc::new(client), &summary).unwrap());
        warm_up(&client);
        measured.store(true, Relaxed);
        test(&client);
        over.store(true, Relaxed);
        serving.join().unwrap()
    })
}

#[test]
fn a_service_behind_shared_memory_conforms() {
    for parking in [false, true] {
        let calls = Calls::unnamed("matcher").arena(1 << 20);
        let calls = if parking { calls.parking() } else { calls };
        with_service(calls, |_| {}, conformance);
    }
}

/// In this process a panic unwinds into the caller; here it is an answer, and the next call is served.
#[test]
fn a_panic_is_an_answer() {
    with_service(
        Calls::unnamed("matcher"),
        |_| {},
        |client| {
            let panicked = client.panic("a panic that this test asks for").unwrap_err();
            assert_eq!(panicked, CallError::Panicked { service: "test.Matcher".into() });
            assert_eq!(panicked.delivered(), Delivered::Yes);
            assert_eq!(client.count(), Ok(0));
        },
    );
}

#[test]
fn plain_calls_leave_the_heaps_of_both_sides_alone() {
    let order = order(1);
    let there = with_service(
        Calls::unnamed("matcher"),
        |client| {
            client.submit(&order).unwrap();
            // The server's own list grows to its usual length.
            client.cancel(1).unwrap();
        },
        |client| {
            let here = allocations(|| {
                for _ in 0..100 {
                    client.submit(&order).unwrap();
                    assert!(client.submit(&order).is_err());
                    assert_eq!(client.count(), Ok(1));
                    client.cancel(1).unwrap();
                    assert!(client.start().count().unwrap().wait().is_ok());
                }
            });
            assert_eq!(here, 0, "on the caller's side");
        },
    );
    assert_eq!(there, 0, "on the service's side");
}
