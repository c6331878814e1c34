//! Endpoints: one holder at a time, and the truth about it when it is killed, paused or forked.

mod segment_support;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use segment_support::{Actor, Place, eventually, job, name, tell, wait_for_parent};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use strait_ipc::endpoint::{AttachError, Condition, Endpoint, PeerView, Predecessor, Role};
use strait_ipc::ring::geometry::Discipline;
use strait_ipc::segment::layout::endpoint_byte;
use strait_ipc::segment::{ChannelSpec, MapOptions, Segment, SegmentSpec};
use strait_ipc::system::{lock, process};
use strait_pools::environment::{Liveness, Peer};

fn producer(segment: &Segment) -> Result<Endpoint, AttachError> {
    let slot = segment.channel(0).unwrap().sides(Role::Producer).start;
    Endpoint::attach(segment, slot, Role::Producer)
}

fn view(segment: &Arc<Segment>) -> PeerView {
    PeerView::new(segment, segment.channel(0).unwrap().sides(Role::Producer).start).unwrap()
}

/// A segment in which a child holds the producer's side.
fn held(what: &str) -> (Place, Arc<Segment>, Actor) {
    let place = Place::new();
    let segment = Arc::new(place.open_or_create());
    let mut holder = Actor::spawn(what, &place);
    assert_eq!(holder.hear(), "attached");
    (place, segment, holder)
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    let segment = place.open_or_create();
    let endpoint = producer(&segment).unwrap();
    match what.as_str() {
        "hold" => {
            tell("attached");
            wait_for_parent();
        }
        "fork" => {
            // SAFETY: the test harness's other thread only waits; the child ends by `_exit`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // Until it is killed; not for ever, in case nobody does.
                std::thread::sleep(2 * segment_support::HANG);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(0) };
            }
            tell("attached");
            tell(&child.to_string());
            wait_for_parent();
        }
        "use in a child" => {
            // SAFETY: as above.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let code = in_a_forked_child(segment, endpoint, &place);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(code) };
            }
            let mut status = 0;
            // SAFETY: `child` is our child, and `status` is ours to write.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            let exited = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
            tell(&exited.map_or("died".to_owned(), |code| code.to_string()));
            wait_for_parent();
        }
        other => panic!("no such job: {other}"),
    }
}

/// What a forked child finds in its hands; 0 if that is right, else which check failed.
fn in_a_forked_child(segment: Segment, endpoint: Endpoint, place: &Place) -> i32 {
    if !endpoint.forked() || !segment.guard().forked() {
        return 1;
    }
    if !matches!(producer(&segment), Err(AttachError::Forked)) {
        return 2;
    }
    let segment = Arc::new(segment);
    if !matches!(PeerView::new(&segment, 0), Err(AttachError::Forked)) {
        return 3;
    }
    // Where the segment was, the child may have something else, which is not to be unmapped.
    let address = segment.channel(0).unwrap().producer_region().base().as_ptr();
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: a mere hint: no existing mapping is touched.
    let mapped = unsafe { mmap_anonymous(address.cast(), 4096, access, flags) };
    if mapped != Ok(address.cast()) {
        return 7;
    }
    drop(endpoint);
    drop(segment);
    // SAFETY: just mapped; were it unmapped by now, the child would end by SIGSEGV.
    unsafe { address.write_volatile(1) };
    // What it opens itself is its own, and the parent's side is still the parent's.
    let Ok(own) = Segment::open(&place.directory, &name(), MapOptions::default()) else {
        return 4;
    };
    if own.guard().forked() || !matches!(producer(&own), Err(AttachError::Held { .. })) {
        return 5;
    }
    let slot = own.channel(0).unwrap().sides(Role::Consumer).start;
    match Endpoint::attach(&own, slot, Role::Consumer) {
        Ok(endpoint) if !endpoint.forked() => 0,
        _ => 6,
    }
}

#[test]
fn a_side_is_held_by_one() {
    let (_place, segment, holder) = held("hold");
    let error = producer(&segment).unwrap_err();
    let AttachError::Held { channel, role, holder: Some(found) } = &error else {
        panic!("{error}")
    };
    assert_eq!((channel.as_str(), *role, found.pid), ("orders", Role::Producer, holder.pid()));
    let program: String = process::program_name().chars().take(32).collect();
    assert_eq!(found.program, program);
    let text = error.to_string().replace(&format!("{} {program}", found.pid), "[pid] [program]");
    let (text, time) = text.split_once(", since ").unwrap();
    assert_eq!(text, "`orders` already has a producer: pid [pid] [program]");
    let digits: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert!(["00:00:00 UTC", "0000-00-00 00:00:00 UTC"].contains(&digits.as_str()), "{time}");
    let now = process::unix_nanoseconds();
    assert!(found.since_unix_ns <= now && now - found.since_unix_ns < 60_000_000_000);
}

#[test]
fn one_process_cannot_take_a_side_twice_either() {
    let place = Place::new();
    let (first, second) = (place.open_or_create(), place.open_or_create());
    let held = producer(&first).unwrap();
    assert!(matches!(producer(&first), Err(AttachError::Held { .. })));
    assert!(matches!(producer(&second), Err(AttachError::Held { .. })));
    let other = first.channel(0).unwrap().sides(Role::Consumer).start;
    Endpoint::attach(&second, other, Role::Consumer).unwrap();
    drop(held);
    producer(&second).unwrap();
}

#[test]
fn whoever_is_attaching_has_no_name_yet() {
    let place = Place::new();
    let segment = place.open_or_create();
    let attaching = File::options().read(true).write(true).open(segment.path()).unwrap();
    let slot = segment.channel(0).unwrap().sides(Role::Producer).start;
    assert!(lock::try_lock(&attaching, endpoint_byte(slot), lock::Mode::Exclusive).unwrap());
    let error = producer(&segment).unwrap_err();
    insta::assert_snapshot!(error, @"`orders` already has a producer: a process that is attaching just now");
}

#[test]
fn an_endpoint_that_does_not_exist_is_an_error() {
    let place = Place::new();
    let segment = Arc::new(place.open_or_create());
    let error = Endpoint::attach(&segment, 2, Role::Consumer).unwrap_err();
    insta::assert_snapshot!(error, @"there is no endpoint 2: the segment has 2, counted from 0");
    assert!(PeerView::new(&segment, u32::MAX).is_err());
}

#[test]
fn leaving_in_good_order_is_seen() {
    let place = Place::new();
    let segment = Arc::new(place.open_or_create());
    let peer = view(&segment);
    assert_eq!((peer.glance(), peer.probe()), (Peer::Absent, Peer::Absent));
    let first = producer(&segment).unwrap();
    assert_eq!((first.predecessor(), first.epoch()), (Predecessor::None, 1));
    assert_eq!((peer.glance(), peer.probe()), (Peer::Alive, Peer::Alive));
    assert_eq!(peer.details().pid, std::process::id());
    drop(first);
    assert_eq!((peer.glance(), peer.probe()), (Peer::Closed, Peer::Closed));
    let second = producer(&segment).unwrap();
    assert_eq!((second.predecessor(), second.epoch()), (Predecessor::Closed, 2));
}

#[test]
fn an_endpoint_outlives_the_segment_value_it_came_from() {
    let place = Place::new();
    let segment = place.open_or_create();
    let endpoint = producer(&segment).unwrap();
    drop(segment);
    let segment = place.open_or_create();
    assert!(matches!(producer(&segment), Err(AttachError::Held { .. })));
    drop(endpoint);
    assert_eq!(producer(&segment).unwrap().predecessor(), Predecessor::Closed);
}

#[test]
fn a_killed_holder_is_dead_and_its_side_free() {
    let (_place, segment, mut holder) = held("hold");
    let (peer, pid) = (view(&segment), holder.pid());
    assert_eq!(peer.condition(), Condition::Alive);
    holder.kill();
    assert_eq!(peer.glance(), Peer::Alive, "memory alone cannot tell");
    eventually("the lock's release", || peer.probe() == Peer::Died);
    assert_eq!(peer.glance(), Peer::Died, "who noticed said so for all");
    assert_eq!(peer.condition(), Condition::Died);
    let died = peer.details();
    assert_eq!(died.pid, pid);
    assert!(died.ended_unix_ns.unwrap() > died.since_unix_ns);
    let _ = view(&segment).probe();
    assert_eq!(peer.details(), died, "a death is noted once");
    let successor = producer(&segment).unwrap();
    assert_eq!(successor.predecessor(), Predecessor::Died { pid });
    assert_eq!((successor.epoch(), peer.probe()), (2, Peer::Alive));
    assert_eq!(peer.details().ended_unix_ns, None);
}

#[test]
fn a_paused_holder_keeps_its_side() {
    let (_place, segment, holder) = held("hold");
    let peer = view(&segment);
    holder.pause();
    eventually("the pause", || peer.condition() == Condition::Paused);
    assert_eq!(peer.probe(), Peer::Alive);
    assert!(matches!(producer(&segment), Err(AttachError::Held { .. })));
    holder.resume();
    eventually("its end", || peer.condition() == Condition::Alive);
}

#[test]
fn a_forked_child_has_neither_side_nor_segment_and_its_end_takes_nothing() {
    let place = Place::new();
    let segment = Arc::new(place.open_or_create());
    let mut parent = Actor::spawn("use in a child", &place);
    assert_eq!(parent.hear(), "0", "which check in `in_a_forked_child` failed");
    // The child is gone; its parent still holds the side.
    let peer = view(&segment);
    assert_eq!(peer.probe(), Peer::Alive);
    assert!(matches!(producer(&segment), Err(AttachError::Held { .. })));
    parent.go_on();
    parent.finish();
    assert_eq!(peer.probe(), Peer::Closed);
}

#[test]
fn a_forked_child_does_not_keep_a_dead_parent_s_side() {
    let (_place, segment, mut parent) = held("fork");
    let child: i32 = parent.hear().parse().unwrap();
    let peer = view(&segment);
    assert_eq!(peer.probe(), Peer::Alive);
    parent.kill();
    eventually("the lock's release", || peer.probe() == Peer::Died);
    // SAFETY: the process our child left behind; signal 0 only asks whether it exists.
    assert_eq!(unsafe { libc::kill(child, 0) }, 0, "the child must outlive the check");
    producer(&segment).unwrap();
    // SAFETY: as above; it sleeps until it is killed.
    unsafe { libc::kill(child, libc::SIGKILL) };
}

#[test]
fn nobody_who_closes_is_ever_taken_for_dead() {
    let place = Place::new();
    let segment = Arc::new(place.open_or_create());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let segment = place.open_or_create();
            for _ in 0..3000 {
                drop(producer(&segment).unwrap());
            }
            done.store(true, Ordering::Relaxed);
        });
        let peer = view(&segment);
        while !done.load(Ordering::Relaxed) {
            assert_ne!(peer.probe(), Peer::Died);
        }
    });
}

/// A segment with a channel for two senders and one receiver.
fn several_sides() -> Segment {
    let sides = Discipline::Mpmc { senders: 2, receivers: 1 };
    let channel = segment_support::channel();
    let geometry = channel.geometry.with_discipline(sides).unwrap();
    let spec = SegmentSpec { channels: &[ChannelSpec { geometry, ..channel }] };
    Segment::in_memory(&spec, MapOptions::default()).unwrap()
}

#[test]
fn of_several_sides_the_first_free_one_is_taken() {
    let segment = several_sides();
    let info = segment.channel(0).unwrap();
    assert_eq!((info.sides(Role::Producer), info.sides(Role::Consumer)), (0..2, 2..3));
    let take = |role| Endpoint::attach_any(&segment, info, role);
    let (first, endpoint) = take(Role::Producer).unwrap();
    let (second, _other) = take(Role::Producer).unwrap();
    assert_eq!((first, second), (0, 1));
    let (receiver, _receiver) = take(Role::Consumer).unwrap();
    assert_eq!(receiver, 0);
    drop(endpoint);
    let (again, endpoint) = take(Role::Producer).unwrap();
    assert_eq!((again, endpoint.epoch()), (0, 2));
}

#[test]
fn that_all_sides_are_taken_is_an_error_that_names_who_has_them() {
    let segment = several_sides();
    let info = segment.channel(0).unwrap();
    let take = || Endpoint::attach_any(&segment, info, Role::Producer);
    let _both = (take().unwrap(), take().unwrap());
    let error = take().unwrap_err().to_string();
    let pid = format!("pid {} endpoint", std::process::id());
    assert!(error.starts_with("`orders` already has its 2 producers: "), "{error}");
    assert_eq!(error.matches(&pid).count(), 2, "{error}");
}
