//! A service of this process.

use crate::conformance::conformance;
use crate::matcher::{Exchange, MatcherClient, order};
use strait_tools::allocations::{CountingAllocator, count};

#[test]
fn a_service_of_this_process_conforms() {
    conformance(&MatcherClient::local(Exchange::default()));
}

#[test]
fn plain_calls_leave_the_heap_alone() {
    let client = MatcherClient::local(Exchange::default());
    assert_ne!(allocations(|| drop(client.upper("text"))), 0, "the counter counts");
    client.submit(&order(1)).unwrap();
    let made = allocations(|| {
        for _ in 0..100 {
            assert!(client.submit(&order(1)).is_err());
            assert_eq!(client.count(), Ok(1));
            client.cancel(2).unwrap();
            assert!(client.start().count().unwrap().wait().is_ok());
        }
    });
    assert_eq!(made, 0);
}

/// How many allocations this thread makes.
pub(crate) fn allocations(action: impl FnOnce()) -> u64 {
    count(action).0.expect("the allocator below counts")
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
