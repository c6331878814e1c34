//! Models of what a thread may conclude from being told to stop. Mailboxes and queues are others'
//! crates, with models of their own.

#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use strait_pools::threads::StopFlag;

/// An owner sends its last message and asks its thread to stop. The thread that sees the wish finds
/// the message.
#[test]
fn who_is_told_to_stop_sees_what_was_done_before() {
    loom::model(|| {
        let shared = Arc::new((StopFlag::new(), UnsafeCell::new(0)));
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (stop, message) = &*shared;
                if stop.is_asked() {
                    // SAFETY: loom checks that nobody writes it meanwhile.
                    assert_eq!(message.with(|message| unsafe { *message }), 1);
                }
            }
        });
        let (stop, message) = &*shared;
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        message.with_mut(|message| unsafe { *message = 1 });
        stop.ask();
        thread.join().unwrap();
    });
}
