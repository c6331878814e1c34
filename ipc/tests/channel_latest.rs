//! Latest values: whole, never older than before, and there whatever happens to their writer.

mod channel;

use channel::{Actor, Numbered, Order, Place, SLICE, Tick, job, tell, text};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use strait_ipc::channel::latest::{ReadError, SetError};
use strait_ipc::channel::{Latest, LatestReader, Wait};

const KEYS: u64 = 8;

fn channel<T>(place: &Place) -> Latest<T> {
    Latest::named(place.directory.clone(), "test", "quotes").wait(Wait::Yield).slice(SLICE)
}

fn number<T: Numbered>(reader: &mut LatestReader<T>, key: u64) -> Option<u64> {
    let value = reader.get(key).unwrap()?;
    assert_eq!(T::number(&value), value.version() * 100 + key, "another key's, or another version");
    Some(value.version())
}

fn values_are_read_back<T: Numbered>() {
    let place = Place::new();
    let mut writer = channel::<T>(&place).keys(KEYS).writer().unwrap();
    let reader = channel::<T>(&place).reader().unwrap();
    let observer = channel::<T>(&place).observer().unwrap();
    for mut reader in [reader, observer] {
        let before = reader.get(3).unwrap().map_or(0, |value| value.version());
        for version in before + 1..before + 10 {
            for key in (0..KEYS).filter(|key| key % 3 == 0) {
                assert_eq!(writer.set(key, &T::numbered(version * 100 + key)), Ok(version));
                assert_eq!(number(&mut reader, key), Some(version));
            }
        }
        assert_eq!(number(&mut reader, 1), None, "never set");
        let last = before + 9;
        assert!(reader.get_if_newer(3, last).unwrap().is_none());
        assert_eq!(reader.get_if_newer(3, last - 1).unwrap().unwrap().version(), last);
        let no_key = ReadError::NoSuchKey { key: KEYS, keys: KEYS };
        assert_eq!(reader.get(KEYS).map(|_| ()), Err(no_key));
    }
    assert_eq!(
        writer.set(KEYS, &T::numbered(0)),
        Err(SetError::NoSuchKey { key: KEYS, keys: KEYS })
    );
}

#[test]
fn plain_values_are_read_back() {
    values_are_read_back::<Tick>();
}

#[test]
fn rich_values_are_read_back() {
    values_are_read_back::<Order>();
}

#[test]
fn values_stay_when_everybody_has_left() {
    let place = Place::new();
    drop(channel::<u64>(&place).keys(KEYS).writer().unwrap());
    place.assert_empty();
    let mut writer = channel::<u64>(&place).keys(KEYS).writer().unwrap();
    writer.set(5, &7).unwrap();
    drop(writer);
    let mut reader = channel::<u64>(&place).reader().unwrap();
    let value = reader.get(5).unwrap().unwrap();
    assert_eq!((value.to_native(), value.version()), (7, 1));
    assert!(matches!(reader.wait_changed(5, 1, None).map(|_| ()), Err(ReadError::Closed(_))));
    drop(reader);
    let mut writer = channel::<u64>(&place).writer().unwrap();
    assert_eq!(writer.set(5, &8), Ok(2));
    assert_eq!(writer.incarnation(), 2);
    let second = text(channel::<u64>(&place).writer(), &place);
    assert!(second.starts_with("`quotes` already has a producer: "), "{second}");
}

/// Values that are set as fast as can be are read whole, and never go back.
#[test]
fn values_under_the_writers_hands_are_whole() {
    const VALUES: u64 = 100_000;
    let segment = Arc::new(Latest::<Tick>::unnamed("quotes").keys(1).segment().unwrap());
    let mut writer = Latest::<Tick>::given(segment.clone()).writer().unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = Latest::<Tick>::given(segment.clone()).reader().unwrap();
            scope.spawn(move || {
                let mut last = 0;
                while last < VALUES {
                    match reader.get(0) {
                        Ok(None) | Err(ReadError::Contended) => {}
                        Ok(Some(value)) => {
                            assert_eq!(Tick::number(&value), value.version());
                            assert!(value.version() >= last, "back in time");
                            last = value.version();
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
        for number in 1..=VALUES {
            assert_eq!(writer.set(0, &Tick::numbered(number)), Ok(number));
        }
    });
}

#[test]
fn a_change_is_waited_for() {
    for wait in [Wait::Park, Wait::Yield] {
        let channel = Latest::<u64>::unnamed("quotes").keys(2);
        let segment = Arc::new(channel.wait(wait).segment().unwrap());
        // So long that a wake-up that is lost is noticed.
        let open = || {
            let slice = Duration::from_secs(20);
            Latest::<u64>::given(segment.clone()).wait(wait).slice(slice)
        };
        let started = std::time::Instant::now();
        let (mut writer, mut reader) = (open().writer().unwrap(), open().reader().unwrap());
        let short = Some(Duration::from_millis(3));
        assert_eq!(reader.wait_changed(1, 0, short).map(|_| ()), Err(ReadError::Timeout));
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut version = 0;
                while version < 1000 {
                    version = reader.wait_changed(1, version, None).unwrap().version();
                }
            });
            for number in 0..1000 {
                writer.set(1, &number).unwrap();
                if number % 100 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        assert!(started.elapsed() < Duration::from_secs(19), "a wake-up was lost");
    }
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((_, place)) = job() else { return };
    let mut writer = channel::<Tick>(&place).keys(KEYS).writer().unwrap();
    tell("writing");
    let mut reader = channel::<Tick>(&place).reader().unwrap();
    let first = |key| reader.get(key).unwrap().map_or(0, |value| value.version());
    let mut versions: Vec<u64> = (0..KEYS).map(first).collect();
    loop {
        for (key, version) in (0..).zip(&mut versions) {
            *version += 1;
            assert_eq!(writer.set(key, &Tick::numbered(*version * 100 + key)), Ok(*version));
        }
    }
}

/// A writer is killed at any moment, again and again: every key has a whole value that is no older than
/// what was read before.
#[test]
fn writers_are_killed_at_any_moment() {
    let place = Place::new();
    let mut reader = channel::<Tick>(&place).keys(KEYS).reader().unwrap();
    let mut last = vec![0; KEYS.try_into().unwrap()];
    let mut look = |reader: &mut LatestReader<Tick>| {
        for (key, last) in (0..).zip(&mut last) {
            let version = match reader.get(key) {
                Err(ReadError::Contended) | Ok(None) => continue,
                Ok(Some(value)) => {
                    assert_eq!(Tick::number(&value), value.version() * 100 + key);
                    value.version()
                }
                Err(other) => panic!("{other}"),
            };
            assert!(version >= *last, "back in time");
            *last = version;
        }
    };
    for round in 0..60 {
        let mut writer = Actor::spawn("write", &place);
        assert_eq!(writer.hear(), "writing");
        (0..round * 37 % 1000).for_each(|_| look(&mut reader));
        writer.kill();
        look(&mut reader);
    }
    let died = reader.wait_changed(0, last[0], None).map(|_| ());
    assert!(matches!(died, Err(ReadError::PeerDied(_))), "{died:?}");
}
