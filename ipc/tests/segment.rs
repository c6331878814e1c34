//! Segments: made complete, opened with suspicion, removed only when nobody uses them.

mod segment_support;

use rustix::fs::{Mode, SealFlags, fcntl_get_seals};
use segment_support::{
    Actor, Place, channel, eventually, job, name, redact_number, tell, wait_for_parent, word,
};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use strait_ipc::endpoint::{Endpoint, Role};
use strait_ipc::ring::geometry::{CellFormat, Geometry};
use strait_ipc::segment::{ChannelSpec, MapOptions, Removal, Segment, SegmentSpec};
use strait_pools::placement::MappedOne;
use strait_pools::sync::{AtomicU64, Ordering::Relaxed};

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "use" => {
            let segment = place.open_or_create();
            tell(&format!("{:x}", segment.birth().instance));
            wait_for_parent();
        }
        "attach" => {
            let segment = place.open_or_create();
            let slot = segment.channel(0).unwrap().sides(Role::Producer).start;
            let _endpoint = Endpoint::attach(&segment, slot, Role::Producer).unwrap();
            tell("attached");
            wait_for_parent();
        }
        "create under a mask" => {
            rustix::process::umask(Mode::from_raw_mode(0o777));
            drop(place.open_or_create());
        }
        "lock memory" => {
            let limit = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
            // SAFETY: reads one `rlimit`, changes this process only.
            unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
            let spec = SegmentSpec { channels: &[channel()] };
            let options = MapOptions { mlock: true, ..Default::default() };
            tell(&Segment::in_memory(&spec, options).unwrap_err().to_string());
        }
        "inherit" => {
            let number = std::env::var("STRAIT_TEST_FD").unwrap().parse().unwrap();
            // SAFETY: the parent left it open for us, and nothing else here knows of it.
            let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
            let segment = Segment::from_descriptor(descriptor, MapOptions::default()).unwrap();
            assert_eq!(segment.channel(0).unwrap().label(), "orders");
            word(&segment).store(4711, Relaxed);
            tell("written");
            wait_for_parent();
        }
        "small tmpfs" => tell(&on_a_small_tmpfs()),
        other => panic!("no such job: {other}"),
    }
}

#[test]
fn whoever_comes_second_finds_the_first_one_s_segment() {
    let place = Place::new();
    let first = place.open_or_create();
    word(&first).store(7, Relaxed);
    let other_shape = ChannelSpec {
        geometry: Geometry::new(1024, CellFormat::Dense).unwrap(),
        label: "other",
        ..channel()
    };
    let spec = SegmentSpec { channels: &[other_shape, channel()] };
    let second =
        Segment::open_or_create(&place.directory, &name(), &spec, MapOptions::default()).unwrap();
    assert_eq!(second.birth(), first.birth());
    assert_eq!(second.channels().len(), 1);
    let (found, asked) = (second.channel(0).unwrap(), channel());
    assert_eq!(found.label(), asked.label);
    assert_eq!(found.geometry(), asked.geometry);
    assert_eq!(found.fingerprint(), asked.fingerprint);
    assert_eq!(found.schema(), asked.schema);
    assert_eq!(found.producer_region().len(), asked.geometry.producer_bytes());
    assert_eq!(found.consumer_region().len(), asked.geometry.consumer_bytes());
    assert_eq!(word(&second).load(Relaxed), 7);
    assert_eq!(place.files(), [first.path()]);
}

#[test]
fn several_channels_do_not_overlap() {
    let dense = ChannelSpec {
        geometry: Geometry::new(1 << 12, CellFormat::Dense).unwrap(),
        label: "ticks",
        ..channel()
    };
    let spec = SegmentSpec { channels: &[channel(), dense, channel()] };
    let segment = Segment::in_memory(&spec, MapOptions::default()).unwrap();
    let mut ends = Vec::new();
    for info in segment.channels() {
        for region in [info.producer_region(), info.consumer_region()] {
            let start = region.base().as_ptr() as usize;
            ends.push((start, start + region.len()));
        }
    }
    ends.sort_unstable();
    assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ends:x?}");
    assert_eq!(segment.endpoint_count(), 6);
    assert_eq!(segment.channel(2).unwrap().sides(Role::Consumer), 5..6);
}

#[test]
fn only_the_owner_may_open_it_whatever_the_mask() {
    let place = Place::new();
    Actor::spawn("create under a mask", &place).finish();
    let mode = std::fs::metadata(&place.files()[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_segment_that_is_missing_is_an_error() {
    let place = Place::new();
    let error = Segment::open(&place.directory, &name(), MapOptions::default()).unwrap_err();
    let text = place.redact(&error.to_string());
    insta::assert_snapshot!(text, @"[dir]/strait-[uid]-test+orders: there is no such segment: create it first, or check domain and user");
    assert!(!Segment::remove(&place.directory, &name()).unwrap());
}

#[test]
fn a_segment_in_use_is_not_removed() {
    let place = Place::new();
    let mut user = Actor::spawn("use", &place);
    user.hear();
    let refused = |expected: &str| {
        let error = Segment::remove(&place.directory, &name()).unwrap_err().to_string();
        let text = place.redact(&error);
        let own = std::env::current_exe().unwrap();
        let program = own.file_name().unwrap().to_str().unwrap();
        let program: String = program.chars().take(32).collect();
        assert_eq!(redact_number(&text.replace(&program, "[program]"), "pid "), expected);
    };
    refused(
        "[dir]/strait-[uid]-test+orders: cannot be removed: in use by a process that is not \
         attached to any channel; end that use first",
    );
    let mut holder = Actor::spawn("attach", &place);
    holder.hear();
    refused(
        "[dir]/strait-[uid]-test+orders: cannot be removed: in use by pid [n] [program]; end that \
         use first",
    );
    user.kill();
    holder.kill();
    assert!(Segment::remove(&place.directory, &name()).unwrap());
    assert!(place.files().is_empty());
}

#[test]
fn more_than_there_is_room_for_is_refused_at_once() {
    let place = Place::new();
    let geometry = Geometry::new(1 << 18, CellFormat::Wide { bytes: 1 << 20 }).unwrap();
    let spec = SegmentSpec { channels: &[ChannelSpec { geometry, ..channel() }] };
    let error = Segment::open_or_create(&place.directory, &name(), &spec, MapOptions::default())
        .unwrap_err();
    let text = place.redact(&error.to_string());
    let text = redact_number(&text, "bytes and ");
    insta::assert_snapshot!(text, @"[dir]: the segment needs 274877927424 bytes and [n] are free: make it smaller (fewer or smaller cells), remove unused segments, or enlarge the file system (for /dev/shm: `mount -o remount,size=…`)");
    assert!(place.files().is_empty());
}

/// In a mount namespace of its own: a 1 MiB tmpfs takes one small segment, but no large one.
fn on_a_small_tmpfs() -> String {
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    // SAFETY: only this thread's view of mounts changes, and no descriptor table is unshared.
    if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) } {
        return format!("skipped: no mount namespace: {error}");
    }
    let (none, root) = (c"none".as_ptr(), c"/".as_ptr());
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let nothing = std::ptr::null();
    // SAFETY: strings that end in zero; the change is confined to this thread's namespace.
    if unsafe { libc::mount(none, root, nothing, private, nothing.cast()) } != 0 {
        return format!("skipped: no private mounts: {}", std::io::Error::last_os_error());
    }
    let (kind, size) = (c"tmpfs".as_ptr(), c"size=1m".as_ptr());
    // SAFETY: as above.
    if unsafe { libc::mount(kind, c"/mnt".as_ptr(), kind, 0, size.cast()) } != 0 {
        return format!("skipped: no tmpfs: {}", std::io::Error::last_os_error());
    }
    let place = Place::at("/mnt");
    drop(place.open_or_create());
    let geometry = Geometry::new(1 << 14, CellFormat::Wide { bytes: 64 }).unwrap();
    let spec = SegmentSpec { channels: &[ChannelSpec { geometry, ..channel() }] };
    let other = strait_ipc::segment::SegmentName::new("test", "large").unwrap();
    let refused = Segment::open_or_create(&place.directory, &other, &spec, MapOptions::default());
    refused.map_or_else(|error| error.to_string(), |_| "a segment larger than the tmpfs".into())
}

#[test]
fn a_full_tmpfs_is_an_error_at_creation() {
    let place = Place::new();
    let told = Actor::spawn("small tmpfs", &place).hear();
    if told.starts_with("skipped") {
        eprintln!("a_full_tmpfs_is_an_error_at_creation: {told}");
        return;
    }
    assert!(told.starts_with("/mnt: the segment needs 1069056 bytes and "), "{told}");
}

#[test]
fn a_directory_must_be_fit_for_segments() {
    let refused = |directory: &str| {
        let spec = SegmentSpec { channels: &[channel()] };
        let made =
            Segment::open_or_create(&directory.into(), &name(), &spec, MapOptions::default());
        made.unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused("/proc"), @"/proc: its file system has no unnamed files (O_TMPFILE), without which a half-made segment could be seen: use a tmpfs such as /dev/shm");
    insta::assert_snapshot!(refused("/nowhere"), @"/nowhere: cannot make a file in it: No such file or directory (os error 2)");
}

#[test]
fn memory_that_may_not_be_locked_is_named_with_its_limit() {
    let place = Place::new();
    // Root may lock what it likes. The child is another user, if we may choose.
    // SAFETY: no pointers, and it cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let mut child = Actor::spawn_with("lock memory", &place, |command| {
        use std::os::unix::process::CommandExt;
        if root {
            command.uid(65534);
        }
    });
    insta::assert_snapshot!(child.hear(), @"memfd: 20480 bytes cannot be locked in memory, the limit (RLIMIT_MEMLOCK) is 4096: raise it (`ulimit -l`, LimitMEMLOCK= of the service) or do not ask for locked memory");
}

#[test]
fn a_memory_segment_is_sealed_and_passed_on() {
    let spec = SegmentSpec { channels: &[channel()] };
    let segment = Segment::in_memory(&spec, MapOptions::default()).unwrap();
    let descriptor = segment.descriptor().unwrap();
    let seals = fcntl_get_seals(&descriptor).unwrap();
    assert!(seals.contains(SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL));
    assert!(rustix::fs::ftruncate(&descriptor, 4096).is_err());
    assert!(rustix::fs::ftruncate(&descriptor, 1 << 20).is_err());

    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::empty()).unwrap();
    let place = Place::new();
    let mut child = Actor::spawn_with("inherit", &place, |command| {
        command.env("STRAIT_TEST_FD", descriptor.as_raw_fd().to_string());
    });
    assert_eq!(child.hear(), "written");
    assert_eq!(word(&segment).load(Relaxed), 4711);
    let bytes = segment.bytes();
    assert_eq!(segment.close(|_| true).unwrap(), Removal::Absent);
    // The descriptor alone keeps it, after both mappings are gone.
    child.kill();
    let again = Segment::from_descriptor(descriptor, MapOptions::default()).unwrap();
    assert_eq!((word(&again).load(Relaxed), again.bytes()), (4711, bytes));
}

#[test]
fn a_descriptor_without_seals_is_refused() {
    let refused = |descriptor: OwnedFd| {
        Segment::from_descriptor(descriptor, MapOptions::default()).unwrap_err().to_string()
    };
    let open_memory = strait_ipc::system::file::memory("open").unwrap();
    open_memory.set_len(1 << 16).unwrap();
    insta::assert_snapshot!(refused(open_memory.into()), @"the descriptor is not a memory file sealed against shrinking (seals: none): send the one that `Segment::descriptor` gives");
    let (pipe, _writer) = std::io::pipe().unwrap();
    insta::assert_snapshot!(refused(pipe.into()), @"the descriptor is not a memory file sealed against shrinking (seals: Invalid argument (os error 22)): send the one that `Segment::descriptor` gives");

    let sealed = strait_ipc::system::file::memory("sealed").unwrap();
    sealed.set_len(1 << 16).unwrap();
    rustix::fs::fcntl_add_seals(&sealed, SealFlags::SHRINK).unwrap();
    insta::assert_snapshot!(refused(sealed.into()), @"memfd: not a Strait segment: it begins with 0x0000000000000000; if nothing else needs the file, remove it by hand");
}

#[test]
fn a_killed_user_s_lock_goes_with_it() {
    let place = Place::new();
    let mut user = Actor::spawn("use", &place);
    let instance = user.hear();
    assert!(Segment::remove(&place.directory, &name()).is_err());
    user.kill();
    eventually("the lock's release", || Segment::remove(&place.directory, &name()).is_ok());
    assert_ne!(format!("{:x}", place.open_or_create().birth().instance), instance);
}

#[test]
fn a_mapping_reads_the_file() {
    let place = Place::new();
    let segment = place.open_or_create();
    let region = segment.channel(0).unwrap().consumer_region();
    // SAFETY: used while the segment is open.
    let lines = unsafe { MappedOne::<AtomicU64>::new(&region, 0) }.unwrap();
    lines.store(0x0123_4567_89ab_cdef, Relaxed);
    let bytes = std::fs::read(segment.path()).unwrap();
    assert_eq!(bytes.len(), segment.bytes());
    assert_eq!(bytes[bytes.len() - 4096..][..8], 0x0123_4567_89ab_cdef_u64.to_le_bytes());
}
