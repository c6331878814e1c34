//! A forked child has a copy of its parent's senders and receivers, and no part in their channels:
//! every call says so, and dropping them closes nothing.

mod channel;

use channel::{HANG, Numbered, Order, Place, Tick};
use strait_ipc::channel::{Bytes, OpenError, RecvError, SendError};
use strait_ipc::endpoint::AttachError;

const NAME: &str = "flow";

/// Runs `check` in a forked child, and expects it to be true.
///
/// The child has one thread only, and the C library makes its allocator fit for use there.
#[track_caller]
fn in_child(check: impl FnOnce() -> bool) {
    // SAFETY: the child takes no lock that another thread might have held, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        let right = check();
        // SAFETY: ends the child at once, without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!right)) };
    }
    let mut status = 0;
    // SAFETY: `child` is our child, and `status` is ours to write.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "the child was killed by signal {}", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "it was not as expected in the child");
}

#[test]
fn a_sender_is_dead_in_the_child() {
    let place = Place::new();
    let mut sender = place.spsc::<Order>(NAME).capacity(4).sender().unwrap();
    sender.send(&Order::numbered(0)).unwrap();
    in_child(|| {
        let order = Order::numbered(1);
        sender.try_send(&order) == Err(SendError::Forked)
            && sender.send(&order) == Err(SendError::Forked)
            && sender.send_timeout(&order, HANG) == Err(SendError::Forked)
            && sender.send_all(&[order]) == Err((0, SendError::Forked))
            && sender.loan().map(drop) == Err(SendError::Forked)
            && sender.batch().push(&Order::numbered(1)) == Err(SendError::Forked)
            && sender.batch().publish() == 0
            && sender.dropped() == 0
            && sender.channel() == NAME
    });
    assert_eq!(sender.position(), 1);
    sender.send(&Order::numbered(1)).unwrap();
}

#[test]
fn the_parent_goes_on_when_the_child_has_dropped_its_copies() {
    let place = Place::new();
    let mut sender = place.spsc::<Order>(NAME).capacity(4).sender().unwrap();
    let receiver = place.spsc::<Order>(NAME).receiver().unwrap();
    sender.send(&Order::numbered(0)).unwrap();
    // Options, so that the child can drop its copies while the parent keeps the originals.
    let (mut sender, mut receiver) = (Some(sender), Some(receiver));
    in_child(|| {
        drop(sender.take());
        drop(receiver.take());
        true
    });
    let (mut sender, mut receiver) = (sender.unwrap(), receiver.unwrap());
    sender.send(&Order::numbered(1)).unwrap();
    for number in 0..2 {
        assert_eq!(Order::number(&receiver.recv().unwrap()), number);
    }
    assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    drop(sender);
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    drop(receiver);
    place.assert_empty();
}

#[test]
fn a_receiver_is_dead_in_the_child() {
    let place = Place::new();
    let mut sender = place.spsc::<Tick>(NAME).capacity(4).sender().unwrap();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    sender.send(&Tick::numbered(0)).unwrap();
    in_child(|| {
        receiver.try_recv().map(drop) == Err(RecvError::Forked)
            && receiver.recv().map(drop) == Err(RecvError::Forked)
            && receiver.recv_timeout(HANG).map(drop) == Err(RecvError::Forked)
            && receiver.drain(1, |_| ()) == Err(RecvError::Forked)
            && receiver.position() == 0
            && receiver.dropped() == 0
            && receiver.sender_incarnation() == (0, 0)
    });
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
}

#[test]
fn byte_endpoints_are_dead_in_the_child() {
    let place = Place::new();
    let mut sender = place.spsc::<Bytes>(NAME).schema("raw").sender().unwrap();
    let mut receiver = place.spsc::<Bytes>(NAME).schema("raw").receiver().unwrap();
    in_child(|| {
        sender.claim(1).map(drop) == Err(SendError::Forked)
            && sender.try_claim(1).map(drop) == Err(SendError::Forked)
            && receiver.poll().map(drop) == Err(RecvError::Forked)
            && receiver.recv().map(drop) == Err(RecvError::Forked)
            && sender.dropped() == 0
            && receiver.sender_incarnation() == (0, 0)
    });
}

#[test]
fn the_child_may_open_what_the_parent_does_not_hold() {
    let place = Place::new();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    in_child(|| {
        let held = matches!(
            place.spsc::<Tick>(NAME).receiver(),
            Err(OpenError::Attach(AttachError::Held { .. }))
        );
        let sent = place.spsc::<Tick>(NAME).sender().unwrap().try_send(&Tick::numbered(0));
        held && sent == Ok(())
    });
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
}

#[test]
fn the_peer_of_a_process_that_died_sees_it_though_a_forked_child_lives() {
    let place = Place::new();
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    // SAFETY: as in `in_child`.
    let parent = unsafe { libc::fork() };
    if parent == 0 {
        let _sender = place.spsc::<Tick>(NAME).sender().unwrap();
        // SAFETY: as in `in_child`; the grandchild ends with its alarm.
        if unsafe { libc::fork() } == 0 {
            // SAFETY: no pointers.
            unsafe { libc::alarm(2) };
            // SAFETY: no pointers.
            unsafe { libc::pause() };
        }
        // SAFETY: ends this process without closing anything.
        unsafe { libc::_exit(0) };
    }
    let died = receiver.recv_timeout(HANG).map(drop).unwrap_err();
    assert!(
        matches!(&died, RecvError::PeerDied(gone) if gone.holder.pid == parent.cast_unsigned())
    );
    // SAFETY: our child; its status is of no interest.
    unsafe { libc::waitpid(parent, std::ptr::null_mut(), 0) };
}
