//! How a segment's name comes and goes, step by step.
//!
//! Nothing here starts a process, not even to print a snapshot: until its `exec` a child has all its
//! parent's descriptors, and so for a moment the locks of whatever another test is just opening.

mod segment_support;

use segment_support::{Place, name, word};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::Duration;
use strait_ipc::segment::kernel::NamedFile;
use strait_ipc::segment::layout::{LIFECYCLE_BYTE, STATE_RETIRED};
use strait_ipc::segment::lifecycle::{self, Files};
use strait_ipc::segment::{MapOptions, Removal, Segment, SegmentError};
use strait_ipc::system::lock;
use strait_pools::sync::Ordering::Relaxed;

fn files(place: &Place, patience: Duration) -> NamedFile {
    NamedFile::new(name().path(&place.directory), patience)
}

#[test]
fn nothing_is_seen_before_the_name() {
    let place = Place::new();
    let files = files(&place, Duration::from_secs(5));
    let half_made = strait_ipc::system::file::unnamed(place.directory.path()).unwrap();
    half_made.set_len(1 << 16).unwrap();
    assert!(place.files().is_empty());
    assert!(lifecycle::open(&files).unwrap().is_none());
    let segment = place.open_or_create();
    // And the name is not given twice.
    assert!(!strait_ipc::system::file::link(&half_made, segment.path()).unwrap());
    drop(half_made);
    assert_eq!(place.files(), [segment.path()]);
}

#[test]
fn the_last_one_to_close_removes_it_if_it_may_go() {
    let place = Place::new();
    let first = place.open_or_create();
    let second = place.open_or_create();
    assert_eq!(first.close(|_| panic!("in use: not asked")).unwrap(), Removal::InUse);
    word(&second).store(9, Relaxed);
    assert_eq!(second.close(|segment| word(segment).load(Relaxed) == 0).unwrap(), Removal::Kept);
    let third = place.open_or_create();
    assert_eq!(word(&third).load(Relaxed), 9, "kept with what was in it");
    assert_eq!(third.close(|segment| word(segment).load(Relaxed) == 9).unwrap(), Removal::Removed);
    assert!(place.files().is_empty());
}

#[test]
fn only_the_named_instance_is_removed() {
    let place = Place::new();
    let old = place.open_or_create().birth().instance;
    assert!(Segment::remove(&place.directory, &name()).unwrap());
    let removed = |instance| {
        Segment::remove_if_unused(&place.directory, &name(), instance, |_| true).unwrap()
    };
    assert_eq!(removed(old), Removal::Absent);
    let new = place.open_or_create().birth().instance;
    assert_ne!(new, old);
    assert_eq!(removed(old), Removal::Kept);
    assert_eq!(removed(new), Removal::Removed);
}

#[test]
fn a_removal_that_was_begun_is_finished_by_the_next() {
    let retire = |place: &Place| {
        let segment = place.open_or_create();
        let instance = segment.birth().instance;
        let file = OpenOptions::new().write(true).open(segment.path()).unwrap();
        file.write_all_at(&STATE_RETIRED.to_le_bytes(), 80).unwrap();
        instance
    };
    let place = Place::new();
    let old = retire(&place);
    assert_ne!(place.open_or_create().birth().instance, old);
    retire(&place);
    let missing = Segment::open(&place.directory, &name(), MapOptions::default()).unwrap_err();
    assert!(matches!(missing, SegmentError::Missing { .. }), "{missing}");
    assert!(place.files().is_empty());
}

#[test]
fn a_paused_remover_is_an_error_in_the_end() {
    let place = Place::new();
    let path = place.open_or_create().path().to_owned();
    let remover = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    assert!(lock::try_lock(&remover, LIFECYCLE_BYTE, lock::Mode::Exclusive).unwrap());
    let error = lifecycle::open(&files(&place, Duration::from_millis(20))).unwrap_err().to_string();
    let (_, text) = error.split_once(": ").unwrap();
    assert!(text.starts_with("another process has been removing it for "), "{text}");
    assert!(text.contains("look for a paused one"), "{text}");
}

#[test]
fn a_name_that_leads_elsewhere_by_now_is_followed() {
    let place = Place::new();
    let old = place.open_or_create();
    let (path, instance) = (old.path().to_owned(), old.birth().instance);
    // What no Strait process does: the name is taken away under a user.
    fs::remove_file(&path).unwrap();
    let new = place.open_or_create();
    assert_ne!(new.birth().instance, instance);
    assert_eq!(old.close(|_| true).unwrap(), Removal::InUse);
    assert_eq!(place.files(), [path]);
}

#[test]
fn a_segment_of_another_version_can_be_removed_and_a_foreign_file_not() {
    let place = Place::new();
    let path = place.open_or_create().path().to_owned();
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[77], 8).unwrap();
    assert!(Segment::remove(&place.directory, &name()).unwrap());
    assert!(!path.exists());
    // Where a segment says RETIRED, this one has a 1, too; it is still no segment.
    let mut garbage = [0; 8192];
    garbage[80] = 1;
    fs::write(&path, garbage).unwrap();
    let error = Segment::remove(&place.directory, &name()).unwrap_err().to_string();
    assert!(error.contains("not a Strait segment: it begins with 0x00"), "{error}");
    assert!(Segment::open(&place.directory, &name(), MapOptions::default()).is_err());
    assert!(path.exists());
}

#[test]
fn a_file_knows_whether_the_name_still_leads_to_it() {
    let place = Place::new();
    let files = files(&place, Duration::from_secs(5));
    place.open_or_create();
    let old = files.open().unwrap().unwrap();
    assert!(files.linked(&old).unwrap());
    assert!(Segment::remove(&place.directory, &name()).unwrap());
    assert!(!files.linked(&old).unwrap());
    place.open_or_create();
    assert!(!files.linked(&old).unwrap(), "another has the name");
}
