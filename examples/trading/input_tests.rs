//! Good files in all their forms, bad ones and what is said about them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;

/// A day of 3,000 messages, 0.1 MB.
fn day() -> Vec<u8> {
    let mut bytes = Vec::new();
    Day::new(3_000, 1).write_some(&mut bytes, usize::MAX);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Every message of a file with this content, loaded in stretches of so many bytes.
fn read(content: &[u8], stretch_bytes: usize) -> Result<Vec<u8>, InputError> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("day.itch");
    std::fs::write(&path, content).unwrap();
    read_path(&path, stretch_bytes)
}

fn read_path(path: &Path, stretch_bytes: usize) -> Result<Vec<u8>, InputError> {
    let mut input = Input::open_in_stretches(path, stretch_bytes)?;
    let mut bytes = Vec::new();
    while input.load()? {
        bytes.extend_from_slice(input.stretch());
    }
    Ok(bytes)
}

/// What is said about a bad file, whose directory differs from run to run.
fn complaint(content: &[u8]) -> String {
    complaint_about(read(content, STRETCH_BYTES))
}

fn complaint_about(result: Result<Vec<u8>, InputError>) -> String {
    let text = result.expect_err("the file is bad").to_string();
    let (before, path) = text.split_once('`').unwrap();
    let (path, after) = path.split_once('`').unwrap();
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    format!("{before}`{name}`{after}")
}

#[test]
fn plain_gzip_and_any_stretch_give_the_same_messages() {
    let day = day();
    for content in [day.clone(), gzip(&day)] {
        for stretch_bytes in [100, 4_096, day.len(), STRETCH_BYTES] {
            assert!(read(&content, stretch_bytes).unwrap() == day, "{stretch_bytes}");
        }
    }
    // Two gzip files one after the other are one.
    let (first, second) = day.split_at(5_000);
    assert!(read(&[gzip(first), gzip(second)].concat(), 4_096).unwrap() == day);
}

#[test]
fn lengths_of_zero_are_those_of_the_types() {
    let mut without_lengths = Vec::new();
    for message in itch::messages(&day()) {
        without_lengths.extend([0, 0]);
        without_lengths.extend(message);
    }
    let read = read(&without_lengths, 4_096).unwrap();
    assert!(itch::messages(&read).eq(itch::messages(&day())));
}

#[test]
fn a_last_length_of_zero_ends_the_session() {
    let day = day();
    let mut ended = day.clone();
    ended.extend([0, 0]);
    assert!(read(&ended, STRETCH_BYTES).unwrap() == day);
}

#[test]
fn a_file_cut_within_a_message() {
    let day = day();
    assert_snapshot!(complaint(&day[..day.len() - 5]), @"`day.itch` ends in the middle of a message: a message of type `S` at byte 93987 needs 14 bytes with its length prefix, and only 9 of them are there; the file was cut short: fetch it again");
    assert_snapshot!(complaint(&day[..1]), @"`day.itch` ends in the middle of a message: the message at byte 0 needs 3 bytes with its length prefix, and only 1 of them are there; the file was cut short: fetch it again");
}

#[test]
fn an_unknown_type() {
    let mut day = day();
    day[2 + 14] = b'z';
    assert_snapshot!(complaint(&day), @"`day.itch` is not ITCH 5.0 at byte 14: unknown message type `z`; expected are messages with a length of two bytes before each (BinaryFILE), plain or gzip: check where the file comes from, and fetch it again if it was good before");
}

#[test]
fn a_length_that_is_not_that_of_the_type() {
    let mut day = day();
    day[1 + 14] = 13;
    assert_snapshot!(complaint(&day), @"`day.itch` is not ITCH 5.0 at byte 14: the length prefix says 13 bytes, but a message of type `S` has 12; expected are messages with a length of two bytes before each (BinaryFILE), plain or gzip: check where the file comes from, and fetch it again if it was good before");
}

#[test]
fn an_empty_file() {
    assert_snapshot!(complaint(&[]), @"`day.itch` is empty: there is no message at byte 0; it was probably not fetched completely: fetch it again");
    assert_snapshot!(complaint(&gzip(&[])), @"`day.itch` is empty: there is no message at byte 0; it was probably not fetched completely: fetch it again");
}

#[test]
fn garbage_that_is_no_gzip() {
    assert_snapshot!(complaint(b"PK\x03\x04 this is another kind of archive"), @"`day.itch` is not ITCH 5.0 at byte 0: unknown message type 0x03; expected are messages with a length of two bytes before each (BinaryFILE), plain or gzip: check where the file comes from, and fetch it again if it was good before");
}

#[test]
fn a_damaged_and_a_cut_gzip_file() {
    let whole = gzip(&day());
    assert_snapshot!(complaint(&[&whole[..10], &[0xff; 90]].concat()), @"cannot decompress `day.itch` (after byte 0 of its content): corrupt deflate stream; the gzip file is damaged or cut short: test it with `gzip -t` and fetch it again");
    assert_snapshot!(complaint(&whole[..whole.len() - 3]), @"cannot decompress `day.itch` (after byte 94001 of its content): unexpected end of file; the gzip file is damaged or cut short: test it with `gzip -t` and fetch it again");
}

#[test]
fn files_that_cannot_be_read() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing.itch");
    assert_snapshot!(complaint_about(read_path(&missing, 100)), @"cannot read `missing.itch` (at byte 0): No such file or directory (os error 2); name a readable file of ITCH 5.0 messages, plain or gzip, with --itch FILE, or leave the option out for a synthetic day");
    let folder = directory.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    assert_snapshot!(complaint_about(read_path(&folder, 100)), @"cannot read `folder` (at byte 0): Is a directory (os error 21); name a readable file of ITCH 5.0 messages, plain or gzip, with --itch FILE, or leave the option out for a synthetic day");
}
