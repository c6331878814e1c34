//! A directory: what is offered is found by every process, the best first, and nothing else is.

mod child;
mod random;

use child::{Actor, Place, eventually, job, tell, wait_for_parent};
use random::Random;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use strait_ipc::channel::Spsc;
use strait_ipc::directory::{Directory, DirectoryError, DirectoryOptions, Entry, Offer, Offered};
use strait_ipc::segment::MapOptions;

const DOMAIN: &str = "test";

fn open(place: &Place) -> Directory {
    Directory::open(&place.directory, DOMAIN).unwrap()
}

fn small(place: &Place, entries: u64, entry_bytes: usize, members: u32) -> Directory {
    let options = DirectoryOptions { entries, entry_bytes, members, ..DirectoryOptions::default() };
    Directory::open_with(&place.directory, DOMAIN, &options).unwrap()
}

fn engine(ranking: i64, name: &str) -> Offer<'_> {
    Offer { interface: "engine", name, address: "orders", ranking, properties: b"tier=1" }
}

fn names(directory: &Directory) -> Vec<String> {
    let mut names = Vec::new();
    directory.for_each("engine", |entry| names.push(entry.name().to_owned())).unwrap();
    names
}

#[test]
fn the_best_offer_is_found_first() {
    let place = Place::new();
    let (here, there) = (open(&place), open(&place));
    let mut offered: Vec<Offered> = [(1, "a"), (5, "b"), (-5, "c"), (5, "d")]
        .map(|(ranking, name)| here.offer(&engine(ranking, name)).unwrap())
        .into();
    assert_eq!(names(&there), ["b", "d", "a", "c"]);
    let best = there.find("engine", |_| true).unwrap().unwrap();
    let said = (best.interface(), best.name(), best.address(), best.ranking(), best.properties());
    assert_eq!(said, ("engine", "b", "orders", 5, &b"tier=1"[..]));
    assert_eq!(best.id(), offered[1].id());
    assert!(there.is_current(&best) && there.is_alive(&best).unwrap());

    drop(offered.remove(1));
    assert!(!there.is_current(&best) && !there.is_alive(&best).unwrap());
    assert_eq!(names(&there), ["d", "a", "c"]);
    let low = there.find("engine", |entry| entry.ranking() < 0).unwrap().unwrap();
    assert_eq!(low.name(), "c");
    assert_eq!(there.find("engine", |_| false).unwrap(), None);
    assert_eq!(there.find("engin", |_| true).unwrap(), None);
    let ids: Vec<u64> = there.all().unwrap().iter().map(Entry::id).collect();
    assert_eq!(ids, [1, 3, 4]);
    offered.remove(0).withdraw().unwrap();
    assert_eq!(there.entries(), (1024, 2));
    drop((offered, here, there));
    place.assert_empty();
}

/// No channel of a user's can have the directory's name.
#[test]
fn its_name_is_its_own() {
    let place = Place::new();
    let channel = Spsc::<u64>::named(place.directory.clone(), DOMAIN, ".services");
    assert!(channel.sender().is_err());
}

#[test]
fn who_looks_on_sees_what_is_offered_and_offers_nothing() {
    let place = Place::new();
    assert!(Directory::observe(&place.directory, DOMAIN, None).is_err(), "there is none");
    let directory = open(&place);
    let observer = Directory::observe(&place.directory, DOMAIN, None).unwrap();
    let mut watch = observer.watch().unwrap();
    let offered = directory.offer(&engine(0, "one")).unwrap();
    assert!(watch.wait(None).unwrap());
    let found = observer.find("engine", |_| true).unwrap().unwrap();
    assert!(observer.is_alive(&found).unwrap());
    let refused = observer.offer(&engine(0, "two")).unwrap_err();
    assert!(matches!(refused, DirectoryError::ReadOnly { .. }), "{refused}");
    drop(offered);
    assert!(!observer.is_alive(&found).unwrap());
}

/// What is refused says what to do.
#[test]
fn refusals_say_why() {
    let place = Place::new();
    let directory = small(&place, 2, 200, 1);
    let text = |offer: &Offer<'_>| place.redact(&directory.offer(offer).unwrap_err().to_string());
    insta::assert_snapshot!(text(&Offer::default()), @"an offer needs an interface, by which it is found");
    let long = [0; 117];
    let offer =
        Offer { interface: "engine", address: "orders", properties: &long, ..engine(0, "") };
    insta::assert_snapshot!(text(&offer), @"interface, name, address and properties of `engine` have 129 bytes, and there is room for 128 in an entry of [dir]/strait-[uid]-test+.services: shorten them, or end all users of the directory and open it first with `entry_bytes` of 257");
    let fits = directory.offer(&Offer { properties: &long[..116], ..offer }).unwrap();
    let _one = directory.offer(&engine(0, "one")).unwrap();
    let taken = directory.offer(&engine(1, "one")).unwrap_err();
    assert!(
        matches!(&taken, DirectoryError::NameTaken { holder, .. } if holder.pid == std::process::id())
    );
    assert!(
        taken.to_string().starts_with("`one` of interface `engine` is offered already, by pid ")
    );
    insta::assert_snapshot!(text(&engine(0, "two")), @"[dir]/strait-[uid]-test+.services: all 2 entries are in use: withdraw some, or end all users of the directory and open it first with more `entries`");
    // Another interface has names of its own.
    drop(fits);
    let _other = directory.offer(&Offer { interface: "book", ..engine(0, "one") }).unwrap();
    let crowded = open(&place).offer(&engine(0, "three")).unwrap_err().to_string();
    assert!(crowded.starts_with("`.services` already has its 1 producers: pid "), "{crowded}");

    let options = |entries, entry_bytes| DirectoryOptions {
        entries,
        entry_bytes,
        ..DirectoryOptions::default()
    };
    let refused = |options| {
        Directory::open_with(&place.directory, "other", &options).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(options(200_000, 512)), @"a directory of 262144 entries is none: 1 to 131072 are possible");
    insta::assert_snapshot!(refused(options(1, 128)), @"entries of 128 bytes are none: more than 128 are needed, a multiple of 64");
}

#[test]
fn what_is_no_directory_is_told() {
    let place = Place::new();
    let name = strait_ipc::segment::SegmentName::services(DOMAIN).unwrap();
    let channel = Spsc::<u64>::named(place.directory.clone(), DOMAIN, "flow");
    let _sender = channel.sender().unwrap();
    let flow = strait_ipc::segment::SegmentName::new(DOMAIN, "flow").unwrap();
    std::fs::hard_link(flow.path(&place.directory), name.path(&place.directory)).unwrap();
    let error = Directory::open(&place.directory, DOMAIN).unwrap_err().to_string();
    insta::assert_snapshot!(place.redact(&error), @"[dir]/strait-[uid]-test+.services: holds a channel of one sender and one receiver, and no directory: end its users and remove it");
    std::fs::remove_file(name.path(&place.directory)).unwrap();
}

/// Many offers of one interface, and as many interfaces: the best of each is found.
#[test]
fn a_hundred_thousand_offers() {
    let place = Place::new();
    let map = MapOptions { prefault: false, ..MapOptions::default() };
    let options =
        DirectoryOptions { entries: 100_000, entry_bytes: 192, map, ..DirectoryOptions::default() };
    let directory = Directory::open_with(&place.directory, DOMAIN, &options).unwrap();
    let mut offered = Vec::new();
    let half = 50_000;
    for number in 0..half {
        let offer = Offer { interface: "many", ranking: number % 1000, ..Offer::default() };
        offered.push(directory.offer(&offer).unwrap());
        let interface = format!("single.{number}");
        offered.push(directory.offer(&Offer { interface: &interface, ..offer }).unwrap());
    }
    let best = directory.find("many", |_| true).unwrap().unwrap();
    assert_eq!((best.ranking(), best.id()), (999, 2 * 999 + 1));
    let mut asked = 0;
    let low = directory.find("many", |entry| {
        asked += 1;
        entry.ranking() < 990
    });
    assert_eq!((low.unwrap().unwrap().ranking(), asked), (989, 501));
    for number in (0..half).step_by(997) {
        let found = directory.find(&format!("single.{number}"), |_| true).unwrap().unwrap();
        assert_eq!(found.ranking(), number % 1000);
    }
    assert_eq!(directory.entries(), (1 << 17, 100_000));
    let mut last = None;
    let mut count = 0;
    directory
        .for_each("many", |entry| {
            let key = (-entry.ranking(), entry.id());
            assert!(last < Some(key), "out of order");
            last = Some(key);
            count += 1;
        })
        .unwrap();
    assert_eq!(count, half);
    // To withdraw as many would take as long again.
    std::mem::forget(offered);
}

/// Watchers sleep until something changes, in whatever process.
#[test]
fn watchers_are_woken() {
    let place = Place::new();
    let directory = open(&place);
    // Without its slice it would sleep for ever if it were not woken.
    let mut watch = directory.watch().unwrap().slice(Duration::from_secs(3600));
    assert!(!watch.changed().unwrap());
    assert!(!watch.wait(Some(Duration::from_millis(1))).unwrap());
    let mut child = Actor::spawn("offer one", &place);
    assert!(watch.wait(None).unwrap());
    assert_eq!(names(&directory), ["one"]);
    assert_eq!(child.hear(), "offered");
    child.go_on();
    assert!(watch.wait(None).unwrap());
    assert_eq!(names(&directory), [""; 0]);
    child.finish();
    assert!(!watch.changed().unwrap());
}

/// What a dead process offered vanishes when it is looked at, and with it all else that it offered.
#[test]
fn offers_of_the_dead_vanish_when_they_are_probed() {
    let place = Place::new();
    let mut child = Actor::spawn("offer one two", &place);
    child.hear();
    let directory = open(&place);
    assert_eq!(names(&directory), ["one", "two"]);
    let found = directory.find("engine", |_| true).unwrap().unwrap();
    assert_eq!(directory.process(&found).map(|holder| holder.pid), Some(child.pid()));
    child.pause();
    assert!(directory.is_alive(&found).unwrap(), "a paused process is alive");
    child.resume();
    child.kill();
    eventually("the death", || !directory.is_alive(&found).unwrap());
    assert_eq!(names(&directory), [""; 0]);
    assert_eq!(directory.process(&found), None);
    assert_eq!(directory.entries(), (1024, 0));
}

/// The one who watches notices a death by itself.
#[test]
fn offers_of_the_dead_vanish_while_somebody_watches() {
    let place = Place::new();
    let directory = open(&place);
    let mut watch = directory.watch().unwrap();
    let mut child = Actor::spawn("offer one", &place);
    assert!(watch.wait(None).unwrap());
    child.hear();
    child.kill();
    assert!(watch.wait(None).unwrap());
    assert_eq!(names(&directory), [""; 0]);
}

/// The name of one that died is free at once, and so is its room.
#[test]
fn the_names_and_room_of_the_dead_are_taken_over() {
    let place = Place::new();
    let directory = small(&place, 2, 512, 2);
    let mut child = Actor::spawn("offer one two", &place);
    child.hear();
    let taken = directory.offer(&engine(0, "one")).unwrap_err();
    assert!(
        matches!(&taken, DirectoryError::NameTaken { holder, .. } if holder.pid == child.pid())
    );
    assert!(matches!(directory.offer(&engine(0, "three")), Err(DirectoryError::Full { .. })));
    child.kill();
    let mut offered = Vec::new();
    eventually("the name", || {
        directory.offer(&engine(0, "one")).map(|one| offered.push(one)).is_ok()
    });
    offered.push(directory.offer(&engine(0, "three")).unwrap());
    assert_eq!(names(&directory), ["one", "three"]);
    let found = directory.find("engine", |_| true).unwrap().unwrap();
    assert!(directory.is_alive(&found).unwrap());
}

/// Who comes first makes it, and who is last removes it.
#[test]
fn either_side_comes_first() {
    let place = Place::new();
    let mut offerer = Actor::spawn("offer one", &place);
    offerer.hear();
    assert_eq!(names(&open(&place)), ["one"]);
    let directory = open(&place);
    offerer.go_on();
    offerer.finish();
    let mut offerer = Actor::spawn("offer two", &place);
    offerer.hear();
    assert_eq!(names(&directory), ["two"]);
    drop(directory);
    offerer.go_on();
    offerer.finish();
    place.assert_empty();
}

/// Whatever stands in its words, nothing hangs, and nothing is read or written that is none of it.
#[test]
fn words_of_the_directory_are_not_trusted() {
    const ENTRIES: u64 = 16;
    let place = Place::new();
    let name = strait_ipc::segment::SegmentName::services(DOMAIN).unwrap();
    let (mut random, mut failed) = (Random(7), 0);
    for _ in 0..200 {
        let directory = small(&place, ENTRIES, 256, 4);
        let offers: Vec<Offered> =
            (0..12).map(|ranking| directory.offer(&engine(ranking % 3, "")).unwrap()).collect();
        let best = directory.find("engine", |_| true).unwrap().unwrap();
        let file = File::options().write(true).open(name.path(&place.directory)).unwrap();
        // Behind header, channels and endpoints: the directory's own words.
        let start = 3 * 4096;
        let words = (file.metadata().unwrap().len() - start) / 8;
        for _ in 0..random.below(40) {
            let at = start + 8 * random.below(words);
            let value = match random.below(3) {
                0 => random.below(2 * ENTRIES),
                1 => random.below(2 * ENTRIES) << 32 | random.below(2 * ENTRIES),
                _ => random.below(u64::MAX),
            };
            file.write_all_at(&value.to_le_bytes(), at).unwrap();
        }
        let results = [
            directory.find("engine", |_| false).err(),
            directory.all().err(),
            directory.is_alive(&best).err(),
            directory.offer(&engine(1, "one")).err(),
            directory.sweep().err(),
        ];
        for error in results.into_iter().flatten() {
            failed += 1;
            let told = error.to_string();
            assert!(told.contains(".services"), "{told}");
        }
        drop((offers, directory));
        let _ = std::fs::remove_file(name.path(&place.directory));
    }
    assert_ne!(failed, 0, "nothing was damaged");
}

#[test]
fn a_forked_child_has_neither_directory_nor_offers() {
    let place = Place::new();
    let mut child = Actor::spawn("fork", &place);
    assert_eq!(child.hear(), "forked: true true true");
    let directory = open(&place);
    assert_eq!(names(&directory), ["one"], "the child's end is not the parent's");
    child.go_on();
    child.finish();
    assert_eq!(names(&directory), [""; 0]);
}

#[test]
fn actor() {
    let Some((job, place)) = job() else { return };
    let mut words = job.split(' ');
    let job = words.next().unwrap();
    let directory = open(&place);
    match job {
        "offer" => {
            let offered: Vec<Offered> =
                words.map(|name| directory.offer(&engine(0, name)).unwrap()).collect();
            tell("offered");
            wait_for_parent();
            drop(offered);
        }
        "fork" => {
            let offered = directory.offer(&engine(0, "one")).unwrap();
            // SAFETY: the child is single-threaded from here, and ends by `_exit`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let forked = |error| matches!(error, DirectoryError::Forked);
                let found = directory.find("engine", |_| true).is_err_and(forked);
                let made = directory.offer(&engine(0, "two")).is_err_and(forked);
                drop(offered);
                let again = open(&place).find("engine", |_| true).unwrap().is_some();
                tell(&format!("forked: {found} {made} {again}"));
                drop(directory);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: our own child, and a word of our own.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            wait_for_parent();
            drop(offered);
        }
        other => panic!("{other} is nothing to do"),
    }
}
