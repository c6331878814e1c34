//! Rings and slots in every state that a file can have, among them those nobody would leave.

use super::*;
use crate::channel::Spsc;
use crate::endpoint::{Condition, Endpoint};
use crate::ring::geometry::CellFormat;
use crate::ring::spsc::Corrupt;
use crate::segment::layout::{ENDPOINT_ACTIVE, ENDPOINT_CLOSED, ENDPOINT_DEAD, EndpointSlot};
use crate::segment::{ChannelSpec, MapOptions, Segment, SegmentSpec};
use proptest::prelude::*;
use std::fs::OpenOptions;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(super) struct Place {
    keep: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let keep = tempfile::Builder::new().prefix("strait-test-").tempdir_in("/dev/shm").unwrap();
        Self { keep }
    }

    pub(super) fn directory(&self) -> Directory {
        Directory::from(self.keep.path())
    }

    fn segment(&self, geometry: Geometry) -> Segment {
        let channels = [ChannelSpec { label: "orders", geometry, fingerprint: 7, schema: "u64" }];
        let name = SegmentName::new("test", "orders").unwrap();
        let (spec, options) = (SegmentSpec { channels: &channels }, MapOptions::default());
        Segment::open_or_create(&self.directory(), &name, &spec, options).unwrap()
    }
}

fn wide(capacity: u64, bytes: u32) -> Geometry {
    Geometry::new(capacity, CellFormat::Wide { bytes }).unwrap()
}

/// A segment of one channel, and its file to write to.
struct Crafted {
    _place: Place,
    segment: Segment,
    file: File,
}

impl Crafted {
    fn new(geometry: Geometry) -> Self {
        let place = Place::new();
        let segment = place.segment(geometry);
        let file = OpenOptions::new().read(true).write(true).open(segment.path()).unwrap();
        Self { _place: place, segment, file }
    }

    fn put(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_le_bytes(), offset).unwrap();
    }

    fn look(&self) -> Survey {
        Survey::of_path(self.segment.path()).unwrap().unwrap()
    }

    // One channel: header, channel table, endpoint table, producer region, consumer region.
    fn producer(&self) -> u64 {
        3 * 4096
    }

    fn consumer(&self) -> u64 {
        self.producer() + self.segment.channels()[0].geometry().producer_bytes() as u64
    }

    fn set_state(&self, position: u64, state: u64) {
        let geometry = self.segment.channels()[0].geometry();
        let index = position % geometry.capacity();
        self.put(self.producer() + 256 + index * geometry.cell().stride() as u64, state);
    }

    fn set_words(&self, hint: u64, consumed: u64, cursor: u64) {
        self.put(self.producer(), hint);
        self.put(self.consumer(), consumed);
        self.put(self.consumer() + 128, cursor);
    }

    fn unread(&self) -> Result<u64, Corrupt> {
        self.look().channels[0].flow.as_ref().unwrap().unread
    }
}

#[test]
fn a_new_segment() {
    let crafted = Crafted::new(wide(16, 64));
    let survey = crafted.look();
    let (user, name) = survey.name.as_ref().unwrap();
    assert_eq!((*user, name.to_string().as_str()), (survey.owner, "test+orders"));
    assert_eq!((survey.bytes, survey.allocated), (20480, 20480));
    assert_eq!((survey.usage, survey.troubles.len()), (Usage::Open, 0));
    let header = survey.header.unwrap();
    assert_eq!((header.layout_version, header.state), (LAYOUT_VERSION, HeaderState::Live));
    assert_eq!((header.birth, header.total_bytes), (*crafted.segment.birth(), 20480));
    let channel = &survey.channels[0];
    assert_eq!((channel.label.as_str(), channel.fingerprint), ("orders", 7));
    assert_eq!((channel.schema.as_str(), channel.geometry), ("u64", wide(16, 64)));
    let flow = Flow {
        sent: 0,
        unread: Ok(0),
        consumed: 0,
        dropped: 0,
        producers: 0,
        consumers: 0,
        parts: Parts::Pair,
    };
    assert_eq!(channel.flow.as_ref(), Some(&flow));
    for role in [Role::Producer, Role::Consumer] {
        assert_eq!(channel.sides(role).next().unwrap().condition, Condition::Absent);
    }
    assert_eq!(survey.unread_messages(), Some(0));
}

#[test]
fn what_is_there_is_listed_by_name() {
    let place = Place::new();
    let options = MapOptions::default();
    let channels = [ChannelSpec { label: "x", geometry: wide(1, 64), fingerprint: 1, schema: "" }];
    let spec = SegmentSpec { channels: &channels };
    for (domain, channel) in [("b", "a"), ("a", "c"), ("a", "b")] {
        let name = SegmentName::new(domain, channel).unwrap();
        Segment::open_or_create(&place.directory(), &name, &spec, options).unwrap();
    }
    std::fs::write(place.keep.path().join("strait-x"), "").unwrap();
    let found = list(&place.directory()).unwrap();
    let names: Vec<String> =
        found.iter().map(|survey| survey.name.as_ref().unwrap().1.to_string()).collect();
    assert_eq!(names, ["a+b", "a+c", "b+a"]);
    assert!(found.iter().all(|survey| survey.usage == Usage::Unused));
    assert!(list(&Directory::from("/nowhere")).is_err());
    assert!(Survey::of_path(&place.keep.path().join("strait-y")).unwrap().is_none());
}

/// Unread messages of a ring of 8 whose cells hold these states, for hint, consumed and cursor.
fn unread_of(states: [u64; 8], (hint, consumed, cursor): (u64, u64, u64)) -> Result<u64, String> {
    let crafted = Crafted::new(wide(8, 64));
    crafted.set_words(hint, consumed, cursor);
    (0..8).zip(states).for_each(|(position, state)| crafted.set_state(position, state));
    crafted.unread().map_err(|corrupt| corrupt.to_string())
}

#[test]
fn unread_messages_are_counted_where_the_hint_lags() {
    assert_eq!(unread_of([0; 8], (0, 0, 0)), Ok(0));
    assert_eq!(unread_of([1, 2, 3, 0, 0, 0, 0, 0], (0, 0, 0)), Ok(3));
    assert_eq!(unread_of([1, 2, 3, 0, 0, 0, 0, 0], (3, 0, 1)), Ok(2));
    assert_eq!(unread_of([1, 2, 3, 0, 0, 0, 0, 0], (0, 0, 3)), Ok(0));
    // A batch that fills the ring, whose producer died before it stored the hint.
    assert_eq!(unread_of([1, 2, 3, 4, 5, 6, 7, 8], (0, 0, 0)), Ok(8));
    // The second lap: cells 3 to 7 are of the first.
    assert_eq!(unread_of([9, 10, 11, 4, 5, 6, 7, 8], (8, 4, 6)), Ok(5));
    assert_eq!(unread_of([9, 10, 11, 4, 5, 6, 7, 8], (8, 8, 11)), Ok(0));
    // Far along.
    let base = 8 << 40;
    let later = [1, 2, 3, 4, 5, 6, 7, 0].map(|state| if state == 0 { base } else { base + state });
    assert_eq!(unread_of(later, (base + 4, base - 1, base + 2)), Ok(5));
}

#[test]
fn what_a_dead_batch_left_behind_a_hole_does_not_count() {
    // Back to front: 4 to 7 are stored, 3 is missing.
    assert_eq!(unread_of([1, 2, 3, 0, 5, 6, 7, 8], (0, 0, 0)), Ok(3));
    assert_eq!(unread_of([1, 2, 3, 0, 5, 6, 7, 8], (3, 0, 3)), Ok(0));
    assert_eq!(unread_of([0, 2, 3, 4, 5, 6, 7, 8], (0, 0, 0)), Ok(0));
    // The same, one lap later.
    assert_eq!(unread_of([9, 10, 3, 12, 13, 6, 7, 8], (8, 5, 5)), Ok(5));
}

#[test]
fn words_that_contradict_each_other_are_named() {
    let text = |words| unread_of([0; 8], words).unwrap_err();
    insta::assert_snapshot!(text((0, 0, 9)), @"the ring's words contradict each other: cursor is 9, which position 0 rules out");
    insta::assert_snapshot!(text((0, 5, 4)), @"the ring's words contradict each other: cursor is 4, which position 5 rules out");
    insta::assert_snapshot!(text((9, 0, 0)), @"the ring's words contradict each other: published is 9, which position 0 rules out");
    insta::assert_snapshot!(unread_of([77, 0, 0, 0, 0, 0, 0, 0], (0, 0, 0)).unwrap_err(), @"the ring's words contradict each other: state is 77, which position 0 rules out");
    let crafted = Crafted::new(wide(8, 64));
    crafted.set_words(0, 0, 1000);
    assert_eq!(crafted.look().unread_messages(), None);
    assert!(crafted.look().troubles.is_empty(), "the segment can be opened");
}

#[test]
fn rings_are_read_in_pieces_and_around_their_end() {
    let dense = Geometry::new(1 << 13, CellFormat::Dense).unwrap();
    for geometry in [wide(1 << 11, 64), wide(1 << 7, 2064), wide(4, 1 << 18), dense] {
        let crafted = Crafted::new(geometry);
        let capacity = geometry.capacity();
        let cursor = 5 * capacity + capacity / 2 + 1;
        crafted.set_words(cursor, cursor, cursor);
        let published = cursor + capacity - 1;
        (cursor..published).for_each(|position| crafted.set_state(position, position + 1));
        assert_eq!(crafted.unread(), Ok(capacity - 1), "{geometry:?}");
        crafted.set_state(published, published + 1);
        assert_eq!(crafted.unread(), Ok(capacity), "{geometry:?}");
        let hole = cursor + capacity / 2;
        crafted.set_state(hole, 0);
        assert_eq!(crafted.unread(), Ok(capacity / 2), "{geometry:?}");
    }
}

#[test]
fn sides_are_as_their_slots_and_locks_say() {
    let crafted = Crafted::new(wide(8, 64));
    let slot = |index: u64| 2 * 4096 + index * 256;
    let condition = |role| crafted.look().channels[0].sides(role).next().unwrap().condition;
    let producer = Endpoint::attach(&crafted.segment, 0, Role::Producer).unwrap();
    assert_eq!(condition(Role::Producer), Condition::Alive);
    assert_eq!(condition(Role::Consumer), Condition::Absent);
    let holder = crafted.look().channels[0].sides(Role::Producer).next().unwrap().holder.clone();
    assert_eq!((holder.pid, holder.epoch, holder.ended_unix_ns), (std::process::id(), 1, None));
    assert!(crafted.look().holders().starts_with(&format!("pid {} ", holder.pid)));
    drop(producer);
    assert_eq!(condition(Role::Producer), Condition::Closed);
    assert_eq!(crafted.look().holders(), "a process that is not attached to any channel");
    for (state, expected) in [
        (ENDPOINT_CLOSED, Condition::Closed),
        (ENDPOINT_DEAD, Condition::Died),
        // No lock belongs to it.
        (ENDPOINT_ACTIVE, Condition::Died),
        (77, Condition::Died),
    ] {
        crafted.put(slot(1), 3 << 8 | state);
        assert_eq!(condition(Role::Consumer), expected, "{state}");
        let side = crafted.look().channels[0].sides(Role::Consumer).next().unwrap().clone();
        assert_eq!(side.holder.epoch, 3);
    }
    assert_eq!(size_of::<EndpointSlot>(), 256);
}

/// Of a ring in motion, numbers may stem from different moments, but they make sense.
#[test]
fn a_ring_in_motion_is_not_called_damaged() {
    let place = Place::new();
    let open = || Spsc::<u64>::named(place.directory(), "test", "orders").capacity(16);
    let (mut sender, mut receiver) = (open().sender().unwrap(), open().receiver().unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let _ = sender.try_send(&1);
            }
        });
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let _ = receiver.try_recv().map(drop);
            }
        });
        for _ in 0..5_000 {
            let survey = &list(&place.directory()).unwrap()[0];
            let flow = survey.channels[0].flow.as_ref().unwrap();
            // Else the other threads would wait for ever for the panic to be seen.
            if !matches!(flow.unread, Ok(0..=16)) {
                stop.store(true, Relaxed);
                panic!("{flow:?}");
            }
        }
        stop.store(true, Relaxed);
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the header, the tables and the ring's words hold, the observer comes back, and says
    /// of a segment that nothing is wrong with it only if it can be opened.
    #[test]
    fn hostile_bytes_do_no_harm(
        words in prop::collection::vec((0..5 * 512_u64, any_word()), 1..12),
        bytes in prop::collection::vec((8..4096 + 256_u64, any::<u8>()), 0..4),
        size in prop_oneof![4 => Just(None), 1 => (0..30_000_u64).prop_map(Some)],
    ) {
        let place = Place::new();
        let path = place.segment(wide(16, 64)).path().to_owned();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for (index, word) in words {
            file.write_all_at(&word.to_le_bytes(), 8 * index).unwrap();
        }
        for (offset, byte) in bytes {
            file.write_all_at(&[byte], offset).unwrap();
        }
        size.map_or(Ok(()), |size| file.set_len(size)).unwrap();
        let survey = &list(&place.directory()).unwrap()[0];
        let _ = (survey.holders(), survey.unread_messages());
        let retired = survey.header.is_some_and(|header| header.state == HeaderState::Retired);
        let name = &survey.name.as_ref().unwrap().1;
        let opened = Segment::open(&place.directory(), name, MapOptions::default());
        match (&survey.troubles[..], opened) {
            ([], Ok(segment)) => prop_assert_eq!(survey.channels.len(), segment.channels().len()),
            ([], Err(error)) => prop_assert!(retired, "{}", error),
            ([trouble, ..], Err(error)) => {
                prop_assert!(retired || trouble.to_string() == error.to_string());
            }
            ([trouble, ..], Ok(_)) => prop_assert!(false, "{} can be opened", trouble),
        }
    }
}

/// Words that counts, offsets and positions might be, and any others.
fn any_word() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 2, 16, 17, 4095, 4096, 8192, 1 << 32, (1 << 32) - 1, i64::MAX as u64];
    prop_oneof![
        2 => prop::sample::select(edges.to_vec()),
        1 => (0..64_u32).prop_map(|shift| 1 << shift),
        1 => (0..64_u64).prop_map(|below| u64::MAX - below),
        1 => any::<u64>(),
    ]
}
