//! The guide's message formats beside ours: one record, written and read by each.
//!
//! Reading means: check what has to be checked, then look at every field. A format that decodes
//! does it into memory of its own; one that does not looks where the bytes lie.

use super::flat;
use super::judge::{Beside, Unit};
use super::lab::{Lab, ROUNDS, effort, median, once};
use anyhow::{Result, ensure};
use prost::Message as _;
use std::hint::black_box;
use std::time::Instant;
use strait::rkyv::util::AlignedVec;
use strait_ipc::message::{MAX_ALIGN, Scratch, access_checked, access_unchecked, write};

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

/// What every reader has to arrive at.
pub(super) fn digest(id: i32, kind: &str, data: &str) -> u64 {
    let ends = |text: &str| text.bytes().next().map_or(0, u64::from) + text.len() as u64;
    // Any bits of the number will do.
    u64::from(id.cast_unsigned()) + ends(kind) + ends(data)
}

/// One format's costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    name: &'static str,
    bytes: f64,
    write_ns: f64,
    read_ns: f64,
}

/// The costs of all formats, measured in turn.
#[derive(Clone, Debug)]
pub(super) struct Codecs {
    json: Cost,
    protobuf: Cost,
    flatbuffers: Cost,
    ours: Cost,
    ours_unchecked: Cost,
}

/// A format: write the record to `bytes`, and read it from there.
struct Format<'a> {
    name: &'static str,
    write: Box<dyn FnMut(&Request, &mut AlignedVec<MAX_ALIGN>) -> Result<()> + 'a>,
    read: fn(&[u8]) -> Result<u64>,
}

/// Longest record that a place is kept for.
const ROOM: usize = 1024;

fn json() -> Format<'static> {
    Format {
        name: "JSON",
        write: Box::new(|request, bytes| Ok(serde_json::to_writer(bytes, request)?)),
        read: |bytes| {
            let Request { id, kind, data } = serde_json::from_slice(bytes)?;
            Ok(digest(id, &kind, &data))
        },
    }
}

fn protobuf() -> Format<'static> {
    let mut buffer = Vec::with_capacity(ROOM);
    Format {
        name: "Protocol Buffers",
        write: Box::new(move |request, bytes| {
            buffer.clear();
            request.encode(&mut buffer)?;
            bytes.extend_from_slice(&buffer);
            Ok(())
        }),
        read: |bytes| {
            let Request { id, kind, data } = Request::decode(bytes)?;
            Ok(digest(id, &kind, &data))
        },
    }
}
