//! What stands in a directory, read from its file.

use super::{Side, read_array};
use crate::endpoint::Condition;
use crate::ring::directory::layout::EntryHead;
use crate::segment::codec::{Channel, Reader};
use crate::segment::kernel::printable;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;

/// Something that a process offers in a directory, or offered when it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferSurvey {
    /// Which offer of the directory's life it is.
    pub id: u64,
    /// What it is.
    pub interface: String,
    /// What it is called; empty if it has no name.
    pub name: String,
    /// Where it is called.
    pub address: String,
    /// The higher, the earlier it is found.
    pub ranking: i64,
    /// Bytes of its properties.
    pub property_bytes: usize,
    /// Whose it is, among the members; `None` if that one's place has another by now.
    pub member: Option<usize>,
    /// How that process is doing.
    pub condition: Condition,
}

/// Bytes of entries that are read at once.
const CHUNK: usize = 1 << 20;

impl OfferSurvey {
    /// Looks at all entries of a directory in a validated segment. One that changes meanwhile is left out.
    pub(super) fn read_all(
        file: &File,
        channel: &Channel,
        sides: &[Side],
    ) -> io::Result<Vec<Self>> {
        let geometry = channel.geometry;
        let (stride, start) =
            (geometry.stride(), channel.producer_offset + geometry.cells_offset() as u64);
        let at_once = (CHUNK / stride).max(1);
        let mut offers = Vec::new();
        for first in (0..geometry.capacity()).step_by(at_once) {
            let count = (geometry.capacity() - first).min(at_once as u64);
            let offset = start + first * stride as u64;
            // No more than a chunk, or one entry.
            let mut bytes = vec![0; usize::try_from(count).unwrap_or(0) * stride];
            file.read_exact_at(&mut bytes, offset)?;
            for (entry, index) in bytes.chunks_exact(stride).zip(0_u64..) {
                let state = Reader(entry).u64(offset_of!(EntryHead, state));
                if state & 1 == 0 {
                    continue;
                }
                let again = read_array(file, Some(offset + index * stride as u64))?;
                if u64::from_le_bytes(again) == state {
                    offers.push(Self::decode(entry, sides));
                }
            }
        }
        offers.sort_by_key(|offer| offer.id);
        Ok(offers)
    }

    fn decode(entry: &[u8], sides: &[Side]) -> Self {
        let words = Reader(entry);
        let word = |offset| words.u64(offset);
        let [interface, name, address, properties] =
            [0, 4, 8, 12].map(|part| words.u32(offset_of!(EntryHead, lens) + part) as usize);
        let mut rest = entry.get(size_of::<EntryHead>()..).unwrap_or_default();
        // What is too long is cut.
        let mut text = |len: usize| {
            let (text, behind) = rest.split_at(len.min(rest.len()));
            rest = behind;
            printable(&String::from_utf8_lossy(text))
        };
        let (interface, name, address) = (text(interface), text(name), text(address));
        let epoch = word(offset_of!(EntryHead, epoch));
        let member = usize::try_from(word(offset_of!(EntryHead, owner))).ok();
        let side =
            |&member: &usize| sides.get(member).is_some_and(|side| side.holder.epoch == epoch);
        let member = member.filter(side);
        Self {
            id: word(offset_of!(EntryHead, id)),
            interface,
            name,
            address,
            ranking: word(offset_of!(EntryHead, ranking)).cast_signed(),
            property_bytes: properties.min(rest.len()),
            condition: member.map_or(Condition::Died, |member| sides[member].condition),
            member,
        }
    }
}
