//! Real channels of every discipline, seen from outside; and those whose words make no sense.

use super::super::tests::Place;
use super::super::{ChannelSurvey, list};
use super::*;
use crate::channel::calls::{Calls, Status};
use crate::channel::{Broadcast, Join, Lanes, Latest, Mpmc, OnFull, RecvError, Slow, Spsc};
use crate::endpoint::{Condition, Endpoint, Role};
use crate::ring::geometry::{CellFormat, Geometry};
use crate::segment::{ChannelSpec, MapOptions, Segment, SegmentName, SegmentSpec};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

impl Place {
    /// The only channel there is.
    fn look(&self) -> ChannelSurvey {
        list(&self.directory()).unwrap().remove(0).channels.remove(0)
    }

    fn flow(&self) -> Flow {
        self.look().flow.unwrap()
    }

    /// Writes a word of the only channel.
    fn put(&self, offset: u64, value: u64) {
        let path: PathBuf = list(&self.directory()).unwrap().remove(0).path;
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&value.to_le_bytes(), offset).unwrap();
    }

    fn readers(&self) -> Vec<ReaderFlow> {
        let Parts::Readers(readers) = self.flow().parts else { panic!("no broadcast") };
        readers
    }
}

/// Of a segment of one channel with so few sides that their table is one page.
const PRODUCER: u64 = 3 * 4096;

#[test]
fn what_a_pair_has_sent_is_read_or_not() {
    let place = Place::new();
    let open = || Spsc::<u64>::named(place.directory(), "test", "orders").capacity(16);
    let (mut sender, mut receiver) = (open().sender().unwrap(), open().receiver().unwrap());
    (0..5).for_each(|number| sender.send(&number).unwrap());
    (0..2).for_each(|_| drop(receiver.recv().unwrap()));
    let flow = place.flow();
    assert_eq!((flow.sent, flow.consumed, flow.unread), (5, 2, Ok(3)));
    assert_eq!(flow.parts, Parts::Pair);
}

#[test]
fn lanes_tell_which_sender_fills() {
    let place = Place::new();
    let open = || {
        let lanes = Lanes::<u64>::named(place.directory(), "test", "fills").capacity(4);
        lanes.senders(3).on_full(OnFull::DropNewest)
    };
    let (mut one, mut other) = (open().sender().unwrap(), open().sender().unwrap());
    let mut receiver = open().receiver().unwrap();
    one.send(&1).unwrap();
    drop(receiver.recv().unwrap());
    (0..7).for_each(|number| other.send(&number).unwrap());
    let flow = place.flow();
    assert_eq!((flow.sent, flow.consumed, flow.unread, flow.dropped), (5, 1, Ok(4), 3));
    assert_eq!(place.look().depth(), Some(4), "of the fullest");
    let lane = |sender, sent, unread, dropped| LaneFlow { sender, sent, unread, dropped };
    assert_eq!(flow.parts, Parts::Lanes(vec![lane(0, 1, Ok(0), 0), lane(1, 4, Ok(4), 3)]));
}

#[test]
fn calls_under_way_are_those_sent_and_not_answered() {
    let place = Place::new();
    let open = || Calls::named(place.directory(), "test", "engine").clients(2);
    let mut server = open().server().unwrap();
    let client = open().client().unwrap();
    let asked = [1_u64, 2, 3].map(|number| client.start(1, &number).unwrap());
    server.serve(None, |request| request.answer(Status::Done, &7_u64)).unwrap();
    let flow = place.flow();
    assert_eq!((flow.sent, flow.consumed, flow.unread), (3, 1, Ok(2)));
    let seen_while_handled = |request: &mut crate::channel::calls::Request<'_>| {
        assert_eq!(place.flow().unread, Ok(2), "one in hand is under way");
        request.answer(Status::Done, &7_u64);
    };
    server.serve(None, seen_while_handled).unwrap();
    assert_eq!(place.flow().unread, Ok(1));
    drop(asked);
}

#[test]
fn hands_of_receivers_count() {
    let place = Place::new();
    let open = || Mpmc::<u64>::named(place.directory(), "test", "work").senders(2).receivers(2);
    let (mut sender, mut receiver) = (open().sender().unwrap(), open().receiver().unwrap());
    (0..5).for_each(|number| sender.send(&number).unwrap());
    drop(receiver.recv().unwrap());
    let in_hand = receiver.recv().unwrap();
    let flow = place.flow();
    assert_eq!((flow.sent, flow.consumed, flow.unread), (5, 1, Ok(4)));
    assert_eq!((flow.producers, flow.consumers), (1, 1));
    assert_eq!(flow.parts, Parts::InHand(1));
    assert_eq!(place.look().depth(), Some(3), "what is in hand has left the ring");
    drop(in_hand);
}

#[test]
fn readers_of_a_broadcast_are_seen_each() {
    let place = Place::new();
    let open = || {
        let channel = Broadcast::<u64>::named(place.directory(), "test", "news").capacity(8);
        channel.readers(3).on_full(OnFull::DropNewest)
    };
    let mut sender = open().sender().unwrap();
    assert_eq!((place.flow().sent, place.flow().unread, place.readers()), (0, Ok(0), vec![]));
    let mut demoted = open().receiver(Join::Newest, Slow::Demote).unwrap();
    let _observer = open().observer(Join::Newest).unwrap();
    (0..20).for_each(|number| sender.send(&number).unwrap());
    let flow = place.flow();
    assert_eq!((flow.sent, flow.unread, flow.dropped), (20, Ok(8), 0), "nobody is waited for");
    assert_eq!((place.look().depth(), place.look().slowest()), (Some(0), None));
    let RecvError::Overrun { lost } = demoted.recv().unwrap_err() else { panic!("not overrun") };

    let mut gating = open().receiver(Join::Newest, Slow::Gate).unwrap();
    (20..30).for_each(|number| sender.send(&number).unwrap());
    assert_eq!(*gating.recv().unwrap(), 20);
    let flow = place.flow();
    let behind = 28 - 21;
    assert_eq!((flow.sent, flow.unread, flow.dropped), (28, Ok(behind), 2));
    assert_eq!((flow.producers, flow.consumers), (1, 2));
    let told = ReaderFlow {
        receiver: 0,
        present: true,
        waited_for: false,
        cursor: lost,
        behind: 28 - lost,
        most_behind: place.readers()[0].most_behind,
        waits: 0,
        lost,
    };
    let waited_for = ReaderFlow {
        receiver: 1,
        present: true,
        waited_for: true,
        cursor: 21,
        behind,
        most_behind: 8,
        waits: 0,
        lost: 0,
    };
    assert_eq!(place.readers(), [told, waited_for]);
    assert_eq!((place.look().depth(), place.look().slowest()), (Some(behind), Some(&waited_for)));
    drop(gating);
    let gone = place.readers()[1];
    assert_eq!((gone.present, gone.waited_for, gone.cursor), (false, false, 21));
}

#[test]
fn the_sender_says_how_often_it_waited() {
    let place = Place::new();
    let open = || Broadcast::<u64>::named(place.directory(), "test", "news").capacity(4).readers(1);
    let mut sender = open().sender().unwrap();
    let mut reader = open().receiver(Join::Newest, Slow::Gate).unwrap();
    (0..4).for_each(|number| sender.send(&number).unwrap());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || sender.send(&4).map(|()| sender));
        while place.readers()[0].waits == 0 {
            std::thread::yield_now();
        }
        assert_eq!(place.flow().unread, Ok(4));
        drop(reader.recv().unwrap());
        drop(waiting.join().unwrap().unwrap());
    });
    assert_eq!((place.readers()[0].waits, place.flow().sent), (1, 5));
}

/// One that asked for what was gone is told of that: nothing is lost that is not counted.
#[test]
fn what_was_gone_when_a_reader_came_is_lost() {
    let place = Place::new();
    let open = || Broadcast::<u64>::named(place.directory(), "test", "news").capacity(4).readers(2);
    let mut sender = open().sender().unwrap();
    (0..10).for_each(|number| sender.send(&number).unwrap());
    for (slow, place_of) in [(Slow::Gate, 0), (Slow::Demote, 1)] {
        let mut reader = open().receiver(Join::At(1), slow).unwrap();
        let RecvError::Overrun { lost } = reader.recv().unwrap_err() else { panic!("not told") };
        assert_eq!((lost > 0, place.readers()[place_of].lost), (true, lost));
        // Its place is not free for the next one before.
        std::mem::forget(reader);
    }
}

#[test]
fn damaged_words_of_a_broadcast_are_named() {
    let place = Place::new();
    let open = || Broadcast::<u64>::named(place.directory(), "test", "news").capacity(8).readers(2);
    let mut sender = open().sender().unwrap();
    let _reader = open().receiver(Join::Newest, Slow::Gate).unwrap();
    (0..3).for_each(|number| sender.send(&number).unwrap());
    let segment = list(&place.directory()).unwrap().remove(0);
    let consumer = PRODUCER + segment.channels[0].geometry.producer_bytes() as u64;
    let unread = || place.flow().unread.map_err(|corrupt| corrupt.to_string());
    place.put(consumer + 8, 1 << 40);
    insta::assert_snapshot!(unread().unwrap_err(), @"the ring's words contradict each other: a reader's cursor is 1099511627776, which position 3 rules out");
    place.put(consumer + 8, 3);
    assert_eq!(unread(), Ok(0));
    place.put(PRODUCER, u64::MAX - 3);
    insta::assert_snapshot!(unread().unwrap_err(), @"the ring's words contradict each other: published is 18446744073709551612, which position 0 rules out");
    // Nothing keeps the observer, nor overflows.
    for word in [1, 1 << 62, (1 << 62) - 8, 1 << 63] {
        place.put(PRODUCER, word);
        (0..8).for_each(|cell| place.put(PRODUCER + 384 + 64 * cell, u64::MAX));
        (0..32).for_each(|at| place.put(consumer + 8 * at, u64::MAX));
        let _ = (unread(), place.look().unread());
    }
}

#[test]
fn latest_values_are_counted_by_key() {
    let place = Place::new();
    let open = || Latest::<u64>::named(place.directory(), "test", "marks").keys(4);
    let mut writer = open().writer().unwrap();
    for (key, value) in [(1, 10), (1, 11), (3, 12)] {
        writer.set(key, &value).unwrap();
    }
    let flow = place.flow();
    assert_eq!((flow.sent, flow.unread, flow.producers), (3, Ok(2), 1));
    let versions = vec![0, 2, 0, 1];
    assert_eq!(flow.parts, Parts::Values(Values { looked_at: 4, set: 2, versions }));
    assert_eq!((place.look().unread(), place.look().depth()), (Some(2), None));
    place.put(PRODUCER + 256, u64::MAX);
    assert_eq!(place.flow().sent, u64::MAX, "no sum overflows");
}

#[test]
fn of_very_many_keys_and_of_large_ones_the_first_are_looked_at() {
    for (keys, value, looked_at) in [(1 << 16, 8, (1 << 20) / 320), (512, 1 << 16, 256)] {
        let place = Place::new();
        let open = || {
            let values = Latest::<u64>::named(place.directory(), "test", "marks").keys(keys);
            values.max_len(value)
        };
        let mut writer = open().writer().unwrap();
        writer.set(0, &1).unwrap();
        writer.set(looked_at - 1, &1).unwrap();
        writer.set(looked_at, &1).unwrap();
        let Parts::Values(values) = place.flow().parts else { panic!("no latest values") };
        assert_eq!((values.looked_at, values.set, values.versions.len()), (looked_at, 2, 64));
        assert_eq!(place.look().unread(), None, "there may be more");
    }
}

/// Wherever the hint is: what is found by halving is what is found cell by cell.
#[test]
fn few_cells_are_read_of_a_sender_that_lives() {
    let place = Place::new();
    let geometry = Geometry::new(64, CellFormat::Wide { bytes: 64 }).unwrap();
    let channels = [ChannelSpec { label: "orders", geometry, fingerprint: 7, schema: "u64" }];
    let name = SegmentName::new("test", "orders").unwrap();
    let spec = SegmentSpec { channels: &channels };
    let open = || Segment::open_or_create(&place.directory(), &name, &spec, MapOptions::default());
    let segment = open().unwrap();
    let consumer = PRODUCER + geometry.producer_bytes() as u64;
    let begin = 5 * 64 + 17;
    for position in begin - 64..begin {
        place.put(PRODUCER + 256 + position % 64 * 64, position + 1);
    }
    for (offset, word) in [(PRODUCER, begin), (consumer, begin), (consumer + 128, begin)] {
        place.put(offset, word);
    }
    for published in 0..=64 {
        if published > 0 {
            let position = begin + published - 1;
            place.put(PRODUCER + 256 + position % 64 * 64, position + 1);
        }
        let walked = place.flow();
        let producer = Endpoint::attach(&segment, 0, Role::Producer).unwrap();
        assert_eq!(place.look().sides[0].condition, Condition::Alive);
        let halved = place.flow();
        assert_eq!((walked.unread, &walked), (Ok(published), &halved));
        drop(producer);
    }
}
