//! The latest value of each key.

use super::{Flow, Parts, sum, word};
use crate::ring::latest::layout::HeadLines;
use crate::segment::codec::{Channel, Reader};
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;

/// The latest values that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// How many keys were looked at: of very many, or of very large values, the first ones.
    pub looked_at: u64,
    /// How many of these have a value.
    pub set: u64,
    /// How often each of them was set, for the first [`Values::SHOWN`].
    pub versions: Vec<u64>,
}

impl Values {
    /// So many keys are told of one by one.
    pub const SHOWN: usize = 64;
}

/// Bytes of keys and values that are read.
const BYTES: u64 = 1 << 20;

/// Keys that are looked at however large they are: each takes a call of the kernel then.
const LARGE: u64 = 256;

/// Its flow.
pub(super) fn read(file: &File, channel: &Channel) -> io::Result<Flow> {
    let (keys, stride) = (channel.geometry.capacity(), channel.geometry.stride());
    let start = channel.producer_offset + channel.geometry.cells_offset() as u64;
    let incarnation = channel.producer_offset + offset_of!(HeadLines, incarnation) as u64;
    let at_once = keys.min(BYTES / stride as u64);
    let versions: Vec<u64> = if at_once >= keys.min(LARGE) {
        // At most BYTES.
        let mut bytes = vec![0; usize::try_from(at_once).unwrap_or(0) * stride];
        file.read_exact_at(&mut bytes, start)?;
        bytes.chunks_exact(stride).map(|key| Reader(key).u64(0)).collect()
    } else {
        let version = |key| word(file, start + key * stride as u64);
        (0..keys.min(LARGE)).map(version).collect::<io::Result<_>>()?
    };
    let set = versions.iter().filter(|&&version| version != 0).count() as u64;
    Ok(Flow {
        sent: sum(versions.iter().copied()),
        unread: Ok(set),
        consumed: 0,
        dropped: 0,
        producers: word(file, incarnation)?,
        consumers: 0,
        parts: Parts::Values(Values {
            looked_at: versions.len() as u64,
            set,
            versions: versions.into_iter().take(Values::SHOWN).collect(),
        }),
    })
}
