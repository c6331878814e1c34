//! Models of an endpoint whose holder dies: who notices it, at a time with others and with the
//! successor, and who dies doing so.
//!
//! Whoever takes a side is the main thread: see `endpoint`.

#![cfg(loom)]

use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use strait_ipc::endpoint::Predecessor;
use strait_ipc::endpoint::slot::State;
use strait_ipc::segment::layout::{ENDPOINT_ACTIVE, ENDPOINT_CLOSED, ENDPOINT_DEAD};
use strait_loom_tests::deaths::marks_of;
use strait_loom_tests::explore;
use strait_loom_tests::ring::{Receiver, Ring, Sender};
use strait_loom_tests::side::Side;
use strait_pools::environment::Peer;
use strait_pools::marks::Mark::{self, EndpointClosed, EndpointLocked};
use strait_pools::marks::model::die_at;

/// A side that one process had before, and left in good order.
fn left_once() -> Arc<Side> {
    let side = Arc::new(Side::default());
    side.attach();
    side.leave();
    side
}

/// Its second holder dies at `mark`. Returns how it must be found.
fn second_dies_at(side: &Side, mark: Mark) -> (u64, u64) {
    side.die_at(mark, || {
        side.attach();
        side.leave();
    });
    match mark {
        EndpointLocked => (1, ENDPOINT_CLOSED),
        EndpointClosed => (2, ENDPOINT_CLOSED),
        _ => (2, ENDPOINT_DEAD),
    }
}

fn spawn_probe(side: &Arc<Side>) -> JoinHandle<(State, u64)> {
    let side = Arc::clone(side);
    thread::spawn(move || (side.probe(), side.ended()))
}

fn stands(state: State) -> (u64, u64) {
    (state.epoch(), state.status())
}

/// Two notice the end of a holder that died at `mark`, while a successor comes if there is one.
fn holder_dies(mark: Mark, succeeded: bool) {
    loom::model(move || {
        let side = left_once();
        let first_end = side.ended();
        let end = second_dies_at(&side, mark);
        let noted = side.ended();
        let probes = [spawn_probe(&side), spawn_probe(&side)];
        let successor = succeeded.then(|| side.attach());
        let probes = probes.map(|probe| probe.join().unwrap());

        let alive = (end.0 + 1, ENDPOINT_ACTIVE);
        if let Some((predecessor, epoch)) = successor {
            let expected = match end.1 {
                ENDPOINT_CLOSED => Predecessor::Closed,
                _ => Predecessor::Died { pid: std::process::id() },
            };
            assert_eq!((predecessor, epoch), (expected, alive.0));
            assert_eq!(stands(side.slot.state()), alive, "a successor was buried");
        } else {
            assert_eq!(stands(side.slot.state()), end);
        }
        for (state, ended) in probes {
            if stands(state) == end {
                assert_eq!(ended, side.ended(), "an end has two moments");
            } else {
                // Somebody had the lock.
                assert!(succeeded && state.standing() == Peer::Alive, "told {state:?}");
            }
        }
        if end.1 == ENDPOINT_DEAD {
            assert!(side.ended() > first_end, "the moment is of an earlier end");
        } else {
            assert_eq!(side.ended(), noted, "a good end was noticed again");
        }
    });
}

#[test]
fn holders_die() {
    for &mark in marks_of("burial::holders_die") {
        holder_dies(mark, false);
        holder_dies(mark, true);
    }
}

/// One looks at a side while its holder leaves in good order, and the next one comes and dies at
/// `mark`.
fn holder_dies_under_observation(mark: Mark) {
    loom::model(move || {
        let side = Arc::new(Side::default());
        let probe = spawn_probe(&side);
        side.attach();
        side.leave();
        let first_end = side.ended();
        let end = second_dies_at(&side, mark);
        let (state, ended) = probe.join().unwrap();
        match state.standing() {
            Peer::Died => {
                assert_eq!(stands(state), end, "one that left in good order was buried");
                assert!(ended > first_end, "the moment is of an earlier end");
            }
            Peer::Closed => assert!(state.epoch() == 1 || stands(state) == end),
            Peer::Absent | Peer::Alive => {}
        }
        assert_eq!(stands(side.probe()), end);
        assert!(end.1 != ENDPOINT_DEAD || side.ended() > first_end);
    });
}

#[test]
fn holders_die_under_observation() {
    for &mark in marks_of("burial::holders_die") {
        holder_dies_under_observation(mark);
    }
}

/// Whoever buries a holder dies at `mark` as well, while another does the same; then one looks, or
/// one takes the side.
fn burier_dies(mark: Mark, succeeded: bool) {
    loom::model(move || {
        let side = left_once();
        let first_end = side.ended();
        side.attach_and_die();
        let other = spawn_probe(&side);
        let died = die_at(mark, 0, || side.probe()).is_none();
        if succeeded {
            let (predecessor, epoch) = side.attach();
            let expected = Predecessor::Died { pid: std::process::id() };
            assert_eq!((predecessor, epoch), (expected, 3));
        } else {
            assert_eq!(stands(side.probe()), (2, ENDPOINT_DEAD));
        }
        let ended = side.ended();
        assert!(ended > first_end, "the moment is of an earlier end");
        let (told, told_ended) = other.join().unwrap();
        assert_eq!(ended, side.ended(), "the moment of an end was moved");
        if stands(told) == (2, ENDPOINT_DEAD) {
            assert_eq!(told_ended, ended, "an end has two moments");
        } else {
            assert!(succeeded && told.standing() == Peer::Alive, "told {told:?}");
        }
        let expected = if succeeded { (3, ENDPOINT_ACTIVE) } else { (2, ENDPOINT_DEAD) };
        assert_eq!(stands(side.slot.state()), expected);
        // Unless the other was there first, and left nothing to be done.
        assert!(died || stands(told) == (2, ENDPOINT_DEAD), "no burier passed {mark:?}");
    });
}

#[test]
fn buriers_die() {
    for &mark in marks_of("burial::buriers_die") {
        burier_dies(mark, false);
        burier_dies(mark, true);
    }
}

/// How a successor of the buried one ends.
#[derive(Clone, Copy)]
enum End {
    NotYet,
    /// It leaves, in another of its threads.
    Left,
    /// It dies, and another process notices.
    Died,
}

/// The second holder has died and is buried, and a successor has come and ends. Returns the moment
/// of the first of the two ends, and whoever brings about the second.
fn second_dies_and_third_ends(side: &Arc<Side>, end: End) -> (u64, JoinHandle<()>) {
    assert_eq!(stands(side.probe()), (2, ENDPOINT_DEAD));
    let death = side.ended();
    side.attach();
    if matches!(end, End::Died) {
        side.release();
    }
    let other = thread::spawn({
        let side = Arc::clone(side);
        move || match end {
            End::NotYet => {}
            End::Left => side.leave(),
            End::Died => assert_eq!(stands(side.probe()), (3, ENDPOINT_DEAD)),
        }
    });
    (death, other)
}

/// Somebody has seen a holder's lock gone, and buries it any time later: the successor and its end
/// are as if that had not happened.
fn slow_burier(end: End) {
    loom::model(move || {
        let side = left_once();
        side.attach_and_die();
        let seen = side.slot.state();
        let slow = thread::spawn({
            let side = Arc::clone(&side);
            move || (side.slot.bury(seen), side.ended())
        });
        let (death, other) = second_dies_and_third_ends(&side, end);
        other.join().unwrap();
        let ended = side.ended();
        let (told, told_ended) = slow.join().unwrap();
        assert_eq!(side.ended(), ended, "the moment of an end was moved");
        if stands(told) == (2, ENDPOINT_DEAD) {
            assert!(told_ended == death || told_ended == ended, "an end has two moments");
        }
        let (status, later) = match end {
            End::NotYet => (ENDPOINT_ACTIVE, false),
            End::Left => (ENDPOINT_CLOSED, true),
            End::Died => (ENDPOINT_DEAD, true),
        };
        assert_eq!(stands(side.slot.state()), (3, status));
        assert!(if later { ended > death } else { ended == death }, "the moment of another end");
    });
}

#[test]
fn a_slow_burier_harms_no_successor() {
    for end in [End::NotYet, End::Left, End::Died] {
        slow_burier(end);
    }
}

/// Whoever is told of an end is told its moment, not that of the next one.
fn end_is_told(end: End) {
    explore(2, move || {
        let side = left_once();
        side.attach_and_die();
        let reader = thread::spawn({
            let side = Arc::clone(&side);
            move || {
                let state = side.slot.state();
                Some((state.epoch(), side.slot.holder(state)?.ended_unix_ns?))
            }
        });
        let (death, other) = second_dies_and_third_ends(&side, end);
        other.join().unwrap();
        if let Some((epoch, ended)) = reader.join().unwrap() {
            let expected = if epoch == 2 { death } else { side.ended() };
            assert_eq!(ended, expected, "told of the end of {epoch}");
        }
    });
}

#[test]
fn an_end_is_told_with_its_moment() {
    end_is_told(End::Left);
    end_is_told(End::Died);
}

/// The same with the one that dies and its successor's successor: epochs do not come back.
#[test]
fn a_burier_that_sleeps_through_two_successions_harms_nobody() {
    loom::model(|| {
        let side = left_once();
        side.attach_and_die();
        let seen = side.slot.state();
        let slow = thread::spawn({
            let side = Arc::clone(&side);
            move || side.slot.bury(seen)
        });
        assert!(matches!(side.attach_and_die(), (Predecessor::Died { .. }, 3)));
        assert!(matches!(side.attach(), (Predecessor::Died { .. }, 4)));
        let ended = side.ended();
        slow.join().unwrap();
        assert_eq!(stands(side.slot.state()), (4, ENDPOINT_ACTIVE));
        assert_eq!(side.ended(), ended, "the moment of an end was moved");
    });
}

/// A sender publishes its last message and dies; somebody notices. Whoever reads that in the slot,
/// and then finds the ring empty, may say that everything was read.
#[test]
fn nothing_turns_up_after_the_burial() {
    loom::model(|| {
        let side = Arc::new(Side::default());
        let ring = Ring::new(1);
        let mut sender = Sender::new(&ring);
        let mut receiver = Receiver::new(&ring, false);
        side.attach();
        let burier = spawn_probe(&side);
        let reader = thread::spawn({
            let side = Arc::clone(&side);
            move || {
                if side.slot.standing() == Peer::Died {
                    assert!(receiver.try_receive(), "lost at the burial");
                }
            }
        });
        sender.send_until(1);
        side.release();
        burier.join().unwrap();
        reader.join().unwrap();
    });
}
