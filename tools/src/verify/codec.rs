//! The guide's message formats beside ours: one record, written and read by each.
//!
//! Reading means: check what has to be checked, then look at every field. A format that decodes
//! does it into memory of its own; one that does not looks where the bytes lie.

use super::flat::Flat;
use super::judge::{Beside, Unit};
use super::lab::{Lab, effort, median, once};
use anyhow::{Result, ensure};
use prost::Message as _;
use std::hint::black_box;
use std::time::Instant;
use strait_ipc::message::{Scratch, access_checked, access_unchecked, write};

/// The guide's request, with the fields it has in its three listings.
#[derive(
    Clone,
    PartialEq,
    prost::Message,
    serde::Serialize,
    serde::Deserialize,
    strait::rkyv::Archive,
    strait::rkyv::Serialize,
    strait::Message,
)]
#[rkyv(crate = strait::rkyv)]
pub(super) struct Request {
    #[prost(int32, tag = "1")]
    pub(super) id: i32,
    #[prost(string, tag = "2")]
    pub(super) kind: String,
    #[prost(string, tag = "3")]
    pub(super) data: String,
}

/// What every reader has to arrive at: something of every field.
pub(super) fn digest(id: i32, kind: &str, data: &str) -> u64 {
    let text = |text: &str| text.bytes().next().map_or(0, u64::from) + text.len() as u64;
    u64::from(id.unsigned_abs()) + text(kind) + text(data)
}

/// A format, with a place for one record.
pub(super) trait Format {
    /// Writes the record to the place; returns its length in bytes.
    fn write(&mut self, request: &Request) -> Result<usize>;
    /// Reads the record that was written last.
    fn read(&self) -> Result<u64>;
}

#[derive(Default)]
struct Json(Vec<u8>);

impl Format for Json {
    fn write(&mut self, request: &Request) -> Result<usize> {
        self.0.clear();
        serde_json::to_writer(&mut self.0, request)?;
        Ok(self.0.len())
    }

    fn read(&self) -> Result<u64> {
        let Request { id, kind, data } = serde_json::from_slice(&self.0)?;
        Ok(digest(id, &kind, &data))
    }
}

#[derive(Default)]
struct Protobuf(Vec<u8>);

impl Format for Protobuf {
    fn write(&mut self, request: &Request) -> Result<usize> {
        self.0.clear();
        request.encode(&mut self.0)?;
        Ok(self.0.len())
    }

    fn read(&self) -> Result<u64> {
        let Request { id, kind, data } = Request::decode(self.0.as_slice())?;
        Ok(digest(id, &kind, &data))
    }
}

/// Bytes of a place for one archive.
const ROOM: usize = 1024;

#[repr(C, align(16))]
struct Place([u8; ROOM]);

/// Ours: the archive as a channel builds it in its cell, and reads it there.
struct Archive<const CHECKED: bool> {
    place: Box<Place>,
    len: usize,
    scratch: Scratch,
}

impl<const CHECKED: bool> Default for Archive<CHECKED> {
    fn default() -> Self {
        Self { place: Box::new(Place([0; ROOM])), len: 0, scratch: Scratch::for_body(ROOM) }
    }
}

impl<const CHECKED: bool> Format for Archive<CHECKED> {
    fn write(&mut self, request: &Request) -> Result<usize> {
        let body = self.place.0.as_mut_ptr();
        // SAFETY: the place is 16-aligned, has that much room, and is borrowed mutably.
        self.len = unsafe { write(request, body, ROOM, &mut self.scratch)? };
        Ok(self.len)
    }

    fn read(&self) -> Result<u64> {
        let body = self.place.0.as_ptr();
        let archive = if CHECKED {
            // SAFETY: the place is 16-aligned, initialised, and borrowed.
            unsafe { access_checked::<Request>(body, self.len, ROOM) }.ok()
        } else {
            // SAFETY: as above, and `write` has put an archive of that length there.
            unsafe { access_unchecked::<Request>(body, self.len, ROOM) }
        };
        let Some(archive) = archive else { anyhow::bail!("what was written cannot be read") };
        Ok(digest(archive.id.to_native(), &archive.kind, &archive.data))
    }
}

/// One format's costs for one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    bytes: f64,
    write_ns: f64,
    read_ns: f64,
}

/// The costs of all formats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codecs {
    json: Cost,
    protobuf: Cost,
    flatbuffers: Cost,
    ours: Cost,
    ours_unchecked: Cost,
}

fn measure<F: Format + Default>(request: &Request) -> Result<Cost> {
    const ROUNDS: usize = 15;
    const RECORDS: u64 = effort(20_000);
    let mut format = F::default();
    let bytes = format.write(request)?;
    let expected = digest(request.id, &request.kind, &request.data);
    ensure!(format.read()? == expected, "a format reads another record than was written");
    let per_record = |start: Instant| start.elapsed().as_nanos() as f64 / RECORDS as f64;
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..RECORDS {
            black_box(format.write(black_box(request))?);
        }
        writes.push(per_record(start));
        let start = Instant::now();
        for _ in 0..RECORDS {
            black_box(black_box(&format).read()?);
        }
        reads.push(per_record(start));
    }
    Ok(Cost { bytes: bytes as f64, write_ns: median(writes), read_ns: median(reads) })
}

/// The record: the guide's, with a text of 100 characters as its data.
fn request() -> Request {
    Request {
        id: 12345,
        kind: "request".to_owned(),
        data: "lorem ipsum ".repeat(9)[..100].to_owned(),
    }
}

fn codecs(lab: &mut Lab) -> Result<Codecs> {
    let first = lab.codecs.is_none();
    let codecs = once(&mut lab.codecs, || {
        let request = request();
        Ok(Codecs {
            json: measure::<Json>(&request)?,
            protobuf: measure::<Protobuf>(&request)?,
            flatbuffers: measure::<Flat>(&request)?,
            ours: measure::<Archive<true>>(&request)?,
            ours_unchecked: measure::<Archive<false>>(&request)?,
        })
    })?;
    if first {
        for (name, Cost { bytes, write_ns, read_ns }) in [
            ("JSON", codecs.json),
            ("Protocol Buffers", codecs.protobuf),
            ("FlatBuffers, verified", codecs.flatbuffers),
            ("ours, checked", codecs.ours),
            ("ours, unchecked", codecs.ours_unchecked),
        ] {
            let [write, read] = [write_ns, read_ns].map(|ns| Unit::Nanoseconds.words(ns));
            lab.note(format!("{name}: written in {write}, read in {read}, {bytes} bytes"));
        }
    }
    Ok(codecs)
}

type Column = fn(&Codecs) -> (Cost, Cost);

fn beside(lab: &mut Lab, pick: Column, cost: fn(&Cost) -> f64) -> Result<Beside> {
    let (ours, other) = pick(&codecs(lab)?);
    Ok(Beside { ours: cost(&ours), other: cost(&other) })
}

const JSON: Column = |codecs| (codecs.ours, codecs.json);
const PROTOBUF: Column = |codecs| (codecs.ours, codecs.protobuf);
const FLATBUFFERS: Column = |codecs| (codecs.ours, codecs.flatbuffers);

/// Nanoseconds to write and read a record.
pub(super) fn beside_json(lab: &mut Lab) -> Result<Beside> {
    beside(lab, JSON, |cost| cost.write_ns + cost.read_ns)
}

/// Nanoseconds to write and read a record.
pub(super) fn beside_protobuf(lab: &mut Lab) -> Result<Beside> {
    beside(lab, PROTOBUF, |cost| cost.write_ns + cost.read_ns)
}

/// Bytes of a record.
pub(super) fn size_beside_protobuf(lab: &mut Lab) -> Result<Beside> {
    beside(lab, PROTOBUF, |cost| cost.bytes)
}

/// Nanoseconds to check a record and read it in place.
pub(super) fn reading_beside_flatbuffers(lab: &mut Lab) -> Result<Beside> {
    beside(lab, FLATBUFFERS, |cost| cost.read_ns)
}

/// Nanoseconds to write a record.
pub(super) fn writing_beside_flatbuffers(lab: &mut Lab) -> Result<Beside> {
    beside(lab, FLATBUFFERS, |cost| cost.write_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_returns_what_was_written() {
        fn check<F: Format + Default>() {
            let request = request();
            let mut format = F::default();
            assert!(format.write(&request).unwrap() > 100);
            let expected = digest(request.id, &request.kind, &request.data);
            assert_eq!(format.read().unwrap(), expected);
            // Written over by another one.
            format.write(&Request { id: 1, kind: "x".into(), data: String::new() }).unwrap();
            assert_eq!(format.read().unwrap(), digest(1, "x", ""));
        }
        assert_eq!(request().data.len(), 100);
        check::<Json>();
        check::<Protobuf>();
        check::<Flat>();
        check::<Archive<true>>();
        check::<Archive<false>>();
    }
}
