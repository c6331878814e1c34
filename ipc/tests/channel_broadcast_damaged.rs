//! Broadcast channels and latest values whose words somebody has overwritten: what is wrong is named, and
//! nothing else happens.

mod channel;

use channel::{Numbered, Place, SLICE, Tick};
use std::fs::File;
use std::os::unix::fs::FileExt;
use strait_ipc::channel::latest::ReadError;
use strait_ipc::channel::{
    Broadcast, Join, Latest, OnFull, OpenError, RecvError, SendError, Slow, Wait,
};

const CAPACITY: u64 = 4;
/// Bytes of a cell, its head included.
const STRIDE: u64 = 128;
const CELLS: u64 = 384;

fn channel(place: &Place) -> Broadcast<Tick> {
    let channel = Broadcast::named(place.directory.clone(), "test", "news");
    channel.capacity(CAPACITY).wait(Wait::Yield).slice(SLICE).on_full(OnFull::Fail)
}

/// The file of the only channel, with a way to its words. The offsets are stated here once more: they are
/// a format that other builds rely on.
struct Words {
    file: File,
    producer: u64,
    consumer: u64,
}

impl Words {
    fn of(place: &Place) -> Self {
        let file = File::options().read(true).write(true).open(&place.files()[0]).unwrap();
        let number = |offset: u64| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, 4096 + offset).unwrap();
            u64::from_le_bytes(bytes)
        };
        let (producer, consumer) = (number(24), number(32));
        Self { file, producer, consumer }
    }

    fn put(&self, offset: u64, value: u64) {
        self.file.write_all_at(&value.to_le_bytes(), offset).unwrap();
    }

    fn set_state(&self, index: u64, value: u64) {
        self.put(self.producer + CELLS + index * STRIDE, value);
    }

    fn set_meta(&self, index: u64, value: u64) {
        self.put(self.producer + CELLS + index * STRIDE + 8, value);
    }
}

/// Numbers that no ring stores, and some that it might.
const ODD: [u64; 8] = [0, 1, 7, 100, 1 << 40, 1 << 62, (1 << 63) - 1, u64::MAX];

#[test]
fn a_cursor_beyond_the_sender_is_named() {
    let place = Place::new();
    let mut sender = channel(&place).sender().unwrap();
    let _reader = channel(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    let words = Words::of(&place);
    words.put(words.consumer + 8, 77);
    for number in 0..CAPACITY + 1 {
        if let Err(error) = sender.send(&Tick::numbered(number)) {
            assert!(matches!(error, SendError::Corrupt(_)), "{error}");
            let text = error.to_string();
            assert!(text.contains("a reader's cursor is 77"), "{text}");
            return;
        }
    }
    panic!("nobody noticed");
}

#[test]
fn a_floor_and_a_hint_that_cannot_be_are_named() {
    let place = Place::new();
    let sender = channel(&place).sender().unwrap();
    let words = Words::of(&place);
    words.put(words.producer + 8, u64::MAX);
    let refused = channel(&place).receiver(Join::Oldest, Slow::Gate).map(|_| ());
    assert!(matches!(refused, Err(OpenError::Corrupt { .. })), "{refused:?}");
    words.put(words.producer + 8, 0);
    // So that the channel stays.
    let _observer = channel(&place).observer(Join::Oldest).unwrap();
    drop(sender);
    for hint in ODD {
        words.put(words.producer, hint);
        // Of a later lap, where the hint says that this one ends.
        words.set_state(hint % CAPACITY, hint.wrapping_mul(2).wrapping_add(99));
        match channel(&place).sender().map(|_| ()) {
            Err(OpenError::Corrupt { source, .. }) => assert_eq!(source.word, "published"),
            other => panic!("{hint}: {other:?}"),
        }
        words.set_state(hint % CAPACITY, 0);
    }
}

/// Whatever states and lengths say: readers come to an end, with an error or without.
#[test]
fn readers_survive_all_states_and_lengths() {
    let place = Place::new();
    let mut sender = channel(&place).sender().unwrap();
    let words = Words::of(&place);
    let mut named = 0;
    for state in ODD {
        for meta in [0, 96, 113, u64::from(u32::MAX), 1 << 32 | 96, u64::MAX] {
            for hint in [0, 2, 1 << 62, u64::MAX] {
                let mut readers = [
                    channel(&place).observer(Join::At(0)).unwrap(),
                    channel(&place).receiver(Join::At(0), Slow::Demote).unwrap(),
                ];
                words.set_state(0, state);
                words.set_meta(0, meta);
                words.put(words.producer, hint);
                for reader in &mut readers {
                    for _ in 0..4 {
                        match reader.try_recv().map(|_| ()) {
                            Ok(()) | Err(RecvError::Empty | RecvError::Overrun { .. }) => {}
                            Err(RecvError::Corrupt(_) | RecvError::Invalid(_)) => named += 1,
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
                words.set_state(0, 0);
                words.put(words.producer, 0);
            }
        }
    }
    assert!(named > 0, "nothing was ever wrong");
    // And all is well again.
    sender.send(&Tick::numbered(0)).unwrap();
    let mut reader = channel(&place).receiver(Join::Oldest, Slow::Gate).unwrap();
    assert_eq!(Tick::number(&reader.recv().unwrap()), 0);
    words.set_state(1, 2 * (1 + CAPACITY) + 2);
    let overtaken = reader.recv().map(|_| ());
    assert!(matches!(overtaken, Err(RecvError::Corrupt(_))), "{overtaken:?}");
}

#[test]
fn latest_values_survive_all_versions_and_lengths() {
    let place = Place::new();
    let channel = || Latest::<Tick>::named(place.directory.clone(), "test", "quotes").keys(1);
    let mut writer = channel().writer().unwrap();
    let mut reader = channel().reader().unwrap();
    writer.set(0, &Tick::numbered(1)).unwrap();
    let words = Words::of(&place);
    let key = words.producer + 256;
    for version in ODD {
        for meta in [0, 96, 113, u64::from(u32::MAX), 1 << 32 | 96, u64::MAX] {
            words.put(key, version);
            (0..4).for_each(|slot| words.put(key + 64 + slot * STRIDE + 8, meta));
            match reader.get(0).map(|value| value.is_some()) {
                Ok(found) => assert_eq!(found, version != 0),
                Err(ReadError::Invalid(_)) => assert_ne!(meta, 96),
                Err(other) => panic!("{other}"),
            }
            assert_eq!(writer.set(0, &Tick::numbered(1)), Ok(version.wrapping_add(1)));
        }
    }
}
