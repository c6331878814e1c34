//! Files that are not what their name says: each is refused, by name, with what to do. None of them
//! panics, hangs, or ends the process by SIGBUS.

mod segment_support;

use segment_support::{Place, name};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use strait_ipc::segment::{MapOptions, Segment};

/// What opening says about the file that `make` puts in place of a segment.
fn refused(make: impl FnOnce(&Path)) -> String {
    let place = Place::new();
    make(&name().path(&place.directory));
    let error = Segment::open(&place.directory, &name(), MapOptions::default()).unwrap_err();
    // `open_or_create` does not replace what it cannot read.
    let spec = strait_ipc::segment::SegmentSpec { channels: &[segment_support::channel()] };
    let same = Segment::open_or_create(&place.directory, &name(), &spec, MapOptions::default());
    assert_eq!(same.unwrap_err().to_string(), error.to_string());
    place.redact(&error.to_string())
}

/// What opening says about a good segment with these bytes changed.
fn patched(patches: &[(u64, &[u8])]) -> String {
    let place = Place::new();
    let path = place.open_or_create().path().to_owned();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    for (offset, bytes) in patches {
        file.write_all_at(bytes, *offset).unwrap();
    }
    let error = Segment::open(&place.directory, &name(), MapOptions::default()).unwrap_err();
    place.redact(&error.to_string())
}

#[test]
fn files_that_were_never_segments() {
    insta::assert_snapshot!(refused(|path| fs::write(path, "").unwrap()), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it has 0 bytes, the header of a segment alone has 4096; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(refused(|path| fs::write(path, [0xa5; 10_000]).unwrap()), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it begins with 0xa5a5a5a5a5a5a5a5; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(refused(|path| symlink("/etc/passwd", path).unwrap()), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it is a symbolic link; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(refused(|path| fs::create_dir(path).unwrap()), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it is a directory; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(refused(|path| rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap()), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it is not a regular file (Fifo); if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(refused(|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it is a socket or device; if nothing else needs the file, remove it by hand");
    // A hole a terabyte wide: refused by its header, not mapped.
    insta::assert_snapshot!(refused(|path| File::create(path).unwrap().set_len(1 << 40).unwrap()), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it begins with 0x0000000000000000; if nothing else needs the file, remove it by hand");
}

#[test]
fn segments_of_other_versions() {
    insta::assert_snapshot!(patched(&[(8, &[7])]), @"[dir]/strait-[uid]-test+orders: made by another version of Strait: layout version: this program knows 4, the segment has 7; use the same version on both sides, or end its users and remove it");
    insta::assert_snapshot!(patched(&[(12, &[9])]), @"[dir]/strait-[uid]-test+orders: made by another version of Strait: kind: this program knows 1 (channels), the segment has 9; use the same version on both sides, or end its users and remove it");
    insta::assert_snapshot!(patched(&[(32, &[0b101])]), @"[dir]/strait-[uid]-test+orders: made by another version of Strait: incompat features: this program knows none, the segment has 0x5; use the same version on both sides, or end its users and remove it");
    insta::assert_snapshot!(patched(&[(24, &[0b10])]), @"[dir]/strait-[uid]-test+orders: made by another version of Strait: ro_compat features: this program knows none, the segment has 0x2; use the same version on both sides, or end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096, &[9])]), @"[dir]/strait-[uid]-test+orders: made by another version of Strait: discipline of channel 0: this program knows 1 (SPSC) to 6 (directory), the segment has 9; use the same version on both sides, or end its users and remove it");
    insta::assert_snapshot!(patched(&[(4100, &[3])]), @"[dir]/strait-[uid]-test+orders: made by another version of Strait: cell format of channel 0: this program knows 1 (wide) or 2 (dense), the segment has 3; use the same version on both sides, or end its users and remove it");
}

#[test]
fn features_one_need_not_know_are_no_reason_to_refuse() {
    let place = Place::new();
    let path = place.open_or_create().path().to_owned();
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(&[0xff], 16).unwrap();
    Segment::open(&place.directory, &name(), MapOptions::default()).unwrap();
}

#[test]
fn damaged_segments() {
    insta::assert_snapshot!(patched(&[(84, &[0])]), @"[dir]/strait-[uid]-test+orders: damaged: channel count: expected 1 to 1024, found 0; end its users and remove it");
    insta::assert_snapshot!(patched(&[(88, &[3])]), @"[dir]/strait-[uid]-test+orders: damaged: endpoint count: expected 2, found 3; end its users and remove it");
    insta::assert_snapshot!(patched(&[(88, &[0xff; 4])]), @"[dir]/strait-[uid]-test+orders: damaged: endpoint count: expected 1 to 65535, found 4294967295; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 196, &[2])]), @"[dir]/strait-[uid]-test+orders: damaged: number of sides of channel 0: expected one sender and one receiver, found 2 and 1; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096, &[3]), (4096 + 196, &[0xff; 4])]), @"[dir]/strait-[uid]-test+orders: damaged: geometry of channel 0: expected a possible ring, found a ring cannot have 4294967295 senders and 1 receivers: 1 to 256 of each kind are possible; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 40, &[1])]), @"[dir]/strait-[uid]-test+orders: damaged: first endpoint of channel 0: expected 0, found 1; end its users and remove it");
    insta::assert_snapshot!(patched(&[(40, &[0; 16])]), @"[dir]/strait-[uid]-test+orders: damaged: instance id: expected a random number, found 0; end its users and remove it");
    insta::assert_snapshot!(patched(&[(96, &[0xff; 8])]), @"[dir]/strait-[uid]-test+orders: damaged: channel table: expected 4096 bytes within 20480, found 18446744073709551615; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 16, &[3])]), @"[dir]/strait-[uid]-test+orders: damaged: geometry of channel 0: expected a possible ring, found capacity 3 is not a power of two: ask for 4 instead; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 24, &[1])]), @"[dir]/strait-[uid]-test+orders: damaged: producer region of `orders`: expected 4096 bytes on a page boundary between 12288 and 20480, found offset 12289; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 33, &[0x30])]), @"[dir]/strait-[uid]-test+orders: damaged: consumer region of `orders`: expected 4096 bytes on a page boundary between 16384 and 20480, found offset 12288; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 64, &[0xff])]), @"[dir]/strait-[uid]-test+orders: damaged: label of channel 0: expected 1 to 128 bytes of UTF-8, found none; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 44, &[0xff, 0xff])]), @"[dir]/strait-[uid]-test+orders: damaged: schema text of channel 0: expected up to 2048 bytes of UTF-8, found none; end its users and remove it");
    insta::assert_snapshot!(patched(&[(4096 + 40, &[2])]), @"[dir]/strait-[uid]-test+orders: damaged: first endpoint of channel 0: expected 0, found 2; end its users and remove it");
}

#[test]
fn truncated_segments() {
    let truncated = |bytes: u64| {
        let place = Place::new();
        let path = place.open_or_create().path().to_owned();
        OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
        let error = Segment::open(&place.directory, &name(), MapOptions::default()).unwrap_err();
        place.redact(&error.to_string())
    };
    insta::assert_snapshot!(truncated(8192), @"[dir]/strait-[uid]-test+orders: damaged: file size: expected 20480 bytes, as its header says, found 8192; end its users and remove it");
    insta::assert_snapshot!(truncated(100), @"[dir]/strait-[uid]-test+orders: not a Strait segment: it has 100 bytes, the header of a segment alone has 4096; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(truncated(1 << 20), @"[dir]/strait-[uid]-test+orders: damaged: file size: expected 20480 bytes, as its header says, found 1048576; end its users and remove it");
}

#[test]
fn holes_are_filled_before_anything_touches_them() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let path = place.open_or_create().path().to_owned();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&file, punch, 12288, 8192).unwrap();
    assert!(file.metadata().unwrap().blocks() * 512 < 20480);
    let options = MapOptions { prefault: false, ..MapOptions::default() };
    let _segment = Segment::open(&place.directory, &name(), options).unwrap();
    assert!(file.metadata().unwrap().blocks() * 512 >= 20480);
}

#[test]
fn a_file_of_another_user_is_refused() {
    let place = Place::new();
    let path = place.open_or_create().path().to_owned();
    if let Err(error) = std::os::unix::fs::chown(&path, Some(65534), None) {
        eprintln!("a_file_of_another_user_is_refused: skipped: cannot give a file away: {error}");
        return;
    }
    // SAFETY: no pointers, and it cannot fail.
    let own = unsafe { libc::geteuid() };
    let expected = format!(
        "belongs to user id 65534, this process runs as {own}: segments are shared only within one \
         user; remove the file as its owner, or run as that user"
    );
    for mode in [0o600, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = Segment::open(&place.directory, &name(), MapOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {expected}", path.display()));
        assert!(Segment::remove(&place.directory, &name()).is_err());
    }
    assert!(path.exists());
}
