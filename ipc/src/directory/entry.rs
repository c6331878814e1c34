//! What is offered and what is found, and how both stand in an entry.

use crate::ring::directory::layout::{EntryHead, LINE};
use crate::ring::directory::{Damaged, Found, Key, NewEntry, Place, Words};
use crate::ring::geometry::CellFormat;
use crate::segment::ChannelInfo;
use std::cmp::Reverse;
use std::fmt;
use strait_pools::placement::{Mapped, MappedMany, MappedOne};
use strait_pools::sync::AtomicU64;
use strait_pools::sync::Ordering::Relaxed;

/// What a process offers. All of it together, but the ranking, has to fit an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer<'a> {
    /// What it is, as who looks for it calls it. Not empty.
    pub interface: &'a str,
    /// What this one is called among those of its interface; empty if it is one of many. A name is
    /// offered by one process at a time.
    pub name: &'a str,
    /// Where it is called: a channel of the domain.
    pub address: &'a str,
    /// The higher, the earlier it is found.
    pub ranking: i64,
    /// Whatever else there is to know, in bytes that mean something to those who look for it.
    pub properties: &'a [u8],
}

impl Offer<'_> {
    /// Its parts, in the order in which they stand in an entry.
    fn parts(&self) -> [&[u8]; 4] {
        let Self { interface, name, address, properties, .. } = self;
        [interface.as_bytes(), name.as_bytes(), address.as_bytes(), properties]
    }

    /// Bytes of an entry that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.parts().iter().map(|part| part.len()).fold(0, usize::saturating_add)
    }

    pub(super) fn new_entry(&self, owner: (u64, u64)) -> NewEntry {
        let (interface, name) = (hash(self.interface), name_hash(self.interface, self.name));
        NewEntry { interface, name, ranking: self.ranking, owner }
    }
}

/// A private copy of an offer, as it was when it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) place: Place,
    key: Key,
    pub(super) owner: Owner,
    /// Where interface, name and address end in the bytes; the properties are the rest.
    ends: [usize; 3],
    bytes: Vec<u8>,
}

/// Who offers something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// Which of the members.
    pub(super) member: u64,
    /// Which holder of that member's endpoint.
    pub(super) epoch: u64,
}

impl Entry {
    /// One to read offers into.
    pub(super) fn empty() -> Self {
        Self {
            place: Place { index: 0, state: 0 },
            key: Key { interface: 0, ranking: Reverse(0), id: 0 },
            owner: Owner::default(),
            ends: [0; 3],
            bytes: Vec::new(),
        }
    }

    fn text(&self, from: usize, to: usize) -> &str {
        // Looked at when it was read.
        self.bytes.get(from..to).map_or("", |bytes| str::from_utf8(bytes).unwrap_or_default())
    }

    /// What it is.
    pub fn interface(&self) -> &str {
        self.text(0, self.ends[0])
    }

    /// What it is called among those of its interface; empty if it has no name.
    pub fn name(&self) -> &str {
        self.text(self.ends[0], self.ends[1])
    }

    /// Where it is called.
    pub fn address(&self) -> &str {
        self.text(self.ends[1], self.ends[2])
    }

    /// Whatever else its process said of it.
    pub fn properties(&self) -> &[u8] {
        self.bytes.get(self.ends[2]..).unwrap_or_default()
    }

    /// The higher, the earlier it is found.
    pub fn ranking(&self) -> i64 {
        self.key.ranking.0
    }

    /// Which offer of the directory's life it is: no two have the same, and later ones have higher ones.
    pub fn id(&self) -> u64 {
        self.key.id
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id())
            .field("interface", &self.interface())
            .field("name", &self.name())
            .field("address", &self.address())
            .field("ranking", &self.ranking())
            .field("properties", &self.properties().len())
            .finish_non_exhaustive()
    }
}

/// The words of a directory in mapped memory, and the bytes of its entries.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) words: Words<Mapped>,
    /// Bytes of an entry behind its head.
    pub(super) room: usize,
}

impl Map {
    /// The words in a directory's region.
    ///
    /// # Safety
    ///
    /// The segment stays mapped for as long as they are used; if it is mapped for reading alone, nothing is
    /// stored.
    ///
    /// # Panics
    ///
    /// Never: the segment's regions were cut to the geometry's sizes.
    pub(super) unsafe fn new(info: &ChannelInfo) -> Self {
        use crate::ring::directory::layout::{TAKEN, buckets_offset, names_offset, taken_words};
        const CUT: &str = "regions are cut to the geometry when the segment is opened";
        let (region, geometry) = (info.producer_region(), info.geometry());
        let entries = geometry.capacity();
        let window = |offset| region.window(offset, region.len() - offset).expect(CUT);
        // SAFETY: the caller keeps the segment mapped.
        let head = unsafe { MappedOne::new(&region, 0) };
        // SAFETY: as above.
        let taken = unsafe { MappedMany::new(&window(TAKEN), 8, taken_words(entries)) };
        // SAFETY: as above.
        let buckets = unsafe { MappedMany::new(&window(buckets_offset(entries)), 32, entries) };
        // SAFETY: as above.
        let names = unsafe { MappedMany::new(&window(names_offset(entries)), 4, entries) };
        let (start, stride) = (geometry.cells_offset(), geometry.stride());
        // SAFETY: as above.
        let table = unsafe { MappedMany::new(&window(start), stride, entries) };
        let words = Words {
            head: head.expect(CUT),
            taken: taken.expect(CUT),
            buckets: buckets.expect(CUT),
            names: names.expect(CUT),
            entries: table.expect(CUT),
        };
        Self { words, room: stride - size_of::<EntryHead>() }
    }

    /// The bytes of an entry, in words that others may write.
    fn body(&self, index: u64) -> &[AtomicU64] {
        // SAFETY: an entry begins with its head.
        let start = unsafe { self.words.entries.address(index).add(size_of::<EntryHead>()) };
        // SAFETY: behind its head an entry has `room` bytes, whole lines, which are mapped for as long as the
        // words are; every bit pattern is a valid atomic.
        unsafe { std::slice::from_raw_parts(start.cast().as_ptr(), self.room / 8) }
    }

    /// Writes what is offered into an entry that is not live. It fits.
    pub(super) fn write(&self, index: u64, head: &EntryHead, offer: &Offer<'_>) {
        let parts = offer.parts();
        // The room in an entry is less than MAX_CELL_BYTES.
        let [interface, name, address, properties] = parts.map(|part| part.len() as u64);
        head.lens[0].store(interface | name << 32, Relaxed);
        head.lens[1].store(address | properties << 32, Relaxed);
        let mut bytes = parts.into_iter().flatten().copied();
        for word in &self.body(index)[..offer.bytes().div_ceil(8)] {
            let eight = [(); 8].map(|()| bytes.next().unwrap_or(0));
            word.store(u64::from_le_bytes(eight), Relaxed);
        }
    }

    /// Copies an offer; `None` if it does not stand any more.
    pub(super) fn read(&self, found: &Found, entry: &mut Entry) -> Result<Option<()>, Damaged> {
        let Found { place, key } = *found;
        let copied = self.words.read(place, |head| {
            let owner = Owner { member: head.owner.load(Relaxed), epoch: head.epoch.load(Relaxed) };
            let lens = [&head.lens[0], &head.lens[1]].map(|word| word.load(Relaxed));
            let parts = [lens[0] & HALF, lens[0] >> 32, lens[1] & HALF, lens[1] >> 32];
            // Four of 32 bits.
            let bytes = usize::try_from(parts.iter().sum::<u64>()).unwrap_or(usize::MAX);
            let words = self.body(place.index).iter().take(bytes.div_ceil(8));
            entry.bytes.clear();
            words.for_each(|word| entry.bytes.extend(word.load(Relaxed).to_le_bytes()));
            (owner, lens, parts, bytes)
        });
        let Some((owner, lens, parts, bytes)) = copied else { return Ok(None) };
        let damaged = |word, found| Damaged { word, entry: place.index, found };
        if bytes > self.room {
            return Err(damaged("lens", lens[0]));
        }
        entry.bytes.truncate(bytes);
        let mut end = 0;
        for (place, part) in entry.ends.iter_mut().zip(parts) {
            let start = end;
            // No more than the sum, which was just seen to be small.
            end += usize::try_from(part).unwrap_or(0);
            if entry.bytes.get(start..end).is_none_or(|text| str::from_utf8(text).is_err()) {
                return Err(damaged("text", start as u64));
            }
            *place = end;
        }
        (entry.place, entry.key, entry.owner) = (place, key, owner);
        Ok(Some(()))
    }
}

const HALF: u64 = 0xffff_ffff;

/// The format of entries of so many bytes at least, their heads included.
pub(super) fn entry_format(bytes: usize) -> CellFormat {
    let bytes = bytes.checked_next_multiple_of(LINE).and_then(|bytes| u32::try_from(bytes).ok());
    // What is too large is refused with the rest of the geometry.
    CellFormat::Wide { bytes: bytes.unwrap_or(u32::MAX) }
}

/// FNV-1a: the same in every program, whoever compiled it.
pub(super) fn hash(text: &str) -> u64 {
    extend(0xcbf2_9ce4_8422_2325, text)
}

/// Of interface and name, and not 0; 0 if there is no name.
fn name_hash(interface: &str, name: &str) -> u64 {
    if name.is_empty() { 0 } else { extend(extend(hash(interface), "\0"), name).max(1) }
}

fn extend(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
