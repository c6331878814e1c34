//! A service behind shared memory.

use crate::conformance::conformance;
use crate::matcher::{Exchange, Matcher, MatcherClient};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use strait::service::{Binding, Service, Streams};
use strait_ipc::calls::{Calls, ServeError};

#[test]
fn a_service_behind_shared_memory_conforms() {
    for parking in [false, true] {
        let calls = Calls::unnamed("matcher").schema(<dyn Matcher>::SUMMARY).arena(1 << 20);
        let calls = if parking { calls.parking() } else { calls };
        let (mut server, client) = calls.pair().unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (exchange, mut streams) = (Exchange::default(), Streams::default());
                let matcher: &dyn Matcher = &exchange;
                while !over.load(Relaxed) {
                    let slice = Some(Duration::from_millis(10));
                    match server.serve(slice, |request| matcher.dispatch(request, &mut streams)) {
                        Ok(()) | Err(ServeError::Timeout) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
            let summary = client.schema().to_owned();
            let binding = Binding::shared(Arc::new(client), &summary).unwrap();
            conformance(&MatcherClient::from(binding));
            over.store(true, Relaxed);
        });
    }
}
