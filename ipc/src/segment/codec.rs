//! Header and channel table, from a spec to bytes and from bytes nobody vouches for to a validated
//! private copy.

use super::error::Fault;
use super::layout::{
    CELL_DENSE, CELL_WIDE, ChannelEntry, DISCIPLINE_BROADCAST, DISCIPLINE_CALLS,
    DISCIPLINE_DIRECTORY, DISCIPLINE_LANES, DISCIPLINE_LATEST, DISCIPLINE_MPMC, DISCIPLINE_SPSC,
    EndpointSlot, Header, KIND_CHANNELS, LAYOUT_VERSION, MAGIC, MAX_CHANNELS, MAX_ENDPOINTS,
    MAX_LABEL_BYTES, MAX_SCHEMA_BYTES, MAX_SEGMENT_BYTES, PARKING_ALLOWED, PARKING_NEVER,
    STATE_LIVE,
};
use super::spec::{Plan, SegmentSpec, endpoints_of, table_bytes};
use crate::ring::geometry::{CellFormat, Discipline, Geometry, PAGE, Store};
use std::mem::offset_of;

/// Who made a segment, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Random, never 0; tells this segment from any other that has or had its name.
    pub instance: u128,
    /// Effective user id of the creator.
    pub uid: u32,
    /// Process id of the creator, in its own pid namespace.
    pub pid: u32,
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    pub unix_ns: u64,
}

impl Birth {
    /// What a header says about it, believed or not.
    pub(super) fn read(header: Reader<'_>) -> Self {
        Self {
            instance: header.u128(offset_of!(Header, instance)),
            uid: header.u32(offset_of!(Header, creator_uid)),
            pid: header.u32(offset_of!(Header, creator_pid)),
            unix_ns: header.u64(offset_of!(Header, created_unix_ns)),
        }
    }
}

/// The validated header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) birth: Birth,
    pub(super) total_bytes: u64,
    pub(super) endpoint_table: u64,
    pub(super) endpoint_count: u32,
    channel_table: u64,
    channel_count: u32,
}

/// One validated channel entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) label: String,
    pub(super) geometry: Geometry,
    pub(super) fingerprint: u128,
    pub(super) schema: String,
    pub(super) producer_offset: u64,
    pub(super) consumer_offset: u64,
    pub(super) first_endpoint: u32,
}

/// Bytes before the endpoint table. The rest of a new segment is zeros.
pub(super) fn encode(spec: &SegmentSpec<'_>, plan: &Plan, birth: &Birth) -> Vec<u8> {
    // The tables of at most 1024 channels: some MiB, and pointers have 64 bits.
    #[allow(clippy::cast_possible_truncation)]
    let mut bytes = vec![0; plan.endpoint_table as usize];
    let (page, table) = bytes.split_at_mut(PAGE);
    let mut header = Writer(page);
    header.u64(offset_of!(Header, magic), MAGIC);
    header.u32(offset_of!(Header, layout_version), LAYOUT_VERSION);
    header.u32(offset_of!(Header, kind), KIND_CHANNELS);
    header.u128(offset_of!(Header, instance), birth.instance);
    header.u32(offset_of!(Header, creator_uid), birth.uid);
    header.u32(offset_of!(Header, creator_pid), birth.pid);
    header.u64(offset_of!(Header, created_unix_ns), birth.unix_ns);
    header.u64(offset_of!(Header, total_bytes), plan.total_bytes);
    header.u32(offset_of!(Header, state), STATE_LIVE);
    header.u32(offset_of!(Header, channel_count), plan.channel_count);
    header.u32(offset_of!(Header, endpoint_count), plan.endpoint_count);
    header.u64(offset_of!(Header, channel_table), plan.channel_table);
    header.u64(offset_of!(Header, endpoint_table), plan.endpoint_table);

    let entries = table.chunks_exact_mut(size_of::<ChannelEntry>());
    let mut first_endpoint = 0;
    for ((channel, &(producer, consumer)), bytes) in
        spec.channels.iter().zip(&plan.regions).zip(entries)
    {
        let (format, cell_bytes) = match channel.geometry.cell() {
            CellFormat::Wide { bytes } => (CELL_WIDE, bytes),
            CellFormat::Dense => (CELL_DENSE, 0),
        };
        let mut entry = Writer(bytes);
        let discipline = channel.geometry.discipline();
        let (producers, consumers) = discipline.sides();
        entry.u32(offset_of!(ChannelEntry, discipline), raw(discipline));
        entry.u32(offset_of!(ChannelEntry, producers), producers);
        entry.u32(offset_of!(ChannelEntry, consumers), consumers);
        entry.u32(offset_of!(ChannelEntry, cell_format), format);
        entry.u32(offset_of!(ChannelEntry, cell_bytes), cell_bytes);
        entry.u64(offset_of!(ChannelEntry, capacity), channel.geometry.capacity());
        let parking = if channel.geometry.parking() { PARKING_ALLOWED } else { PARKING_NEVER };
        entry.u32(offset_of!(ChannelEntry, parking), parking);
        match channel.geometry.store() {
            Store::None => {}
            Store::Arena { bytes } => entry.u64(offset_of!(ChannelEntry, arena_bytes), bytes),
            Store::Blocks { count, bytes } => {
                entry.u64(offset_of!(ChannelEntry, block_count), count);
                entry.u64(offset_of!(ChannelEntry, block_bytes), bytes);
            }
        }
        entry.u64(offset_of!(ChannelEntry, producer_offset), producer);
        entry.u64(offset_of!(ChannelEntry, consumer_offset), consumer);
        entry.u32(offset_of!(ChannelEntry, first_endpoint), first_endpoint);
        entry.u128(offset_of!(ChannelEntry, fingerprint), channel.fingerprint);
        entry.text(
            offset_of!(ChannelEntry, label_len),
            offset_of!(ChannelEntry, label),
            channel.label,
        );
        entry.text(
            offset_of!(ChannelEntry, schema_len),
            offset_of!(ChannelEntry, schema),
            channel.schema,
        );
        first_endpoint += endpoints_of(&channel.geometry);
    }
    bytes
}

impl Contents {
    /// Validates a header against the size of the file it came from.
    pub(super) fn decode(page: &[u8], file_bytes: u64) -> Result<Self, Fault> {
        let header = Reader(page);
        let magic = header.u64(offset_of!(Header, magic));
        if magic != MAGIC {
            return Err(Fault::NotASegment(format!("it begins with {magic:#018x}")));
        }
        let version = header.u32(offset_of!(Header, layout_version));
        if version != LAYOUT_VERSION {
            return Err(Fault::foreign("layout version", LAYOUT_VERSION, version));
        }
        let kind = header.u32(offset_of!(Header, kind));
        if kind != KIND_CHANNELS {
            return Err(Fault::foreign("kind", format!("{KIND_CHANNELS} (channels)"), kind));
        }
        let features = [
            ("incompat features", offset_of!(Header, incompat)),
            ("ro_compat features", offset_of!(Header, ro_compat)),
        ];
        for (what, offset) in features {
            let bits = header.u64(offset);
            if bits != 0 {
                return Err(Fault::foreign(what, "none", format!("{bits:#x}")));
            }
        }
        let total_bytes = header.u64(offset_of!(Header, total_bytes));
        if total_bytes != file_bytes {
            let expected = format!("{total_bytes} bytes, as its header says");
            return Err(Fault::damaged("file size", expected, file_bytes));
        }
        if total_bytes > MAX_SEGMENT_BYTES {
            let expected = format!("at most {MAX_SEGMENT_BYTES} bytes");
            return Err(Fault::damaged("file size", expected, file_bytes));
        }
        let birth = Birth::read(header);
        if birth.instance == 0 {
            return Err(Fault::damaged("instance id", "a random number", 0));
        }
        let channel_count = header.u32(offset_of!(Header, channel_count));
        if !(1..=MAX_CHANNELS).contains(&channel_count) {
            let expected = format!("1 to {MAX_CHANNELS}");
            return Err(Fault::damaged("channel count", expected, channel_count));
        }
        let endpoint_count = header.u32(offset_of!(Header, endpoint_count));
        // Compared with what the channels have once those are known.
        if !(1..=MAX_ENDPOINTS).contains(&endpoint_count) {
            let expected = format!("1 to {MAX_ENDPOINTS}");
            return Err(Fault::damaged("endpoint count", expected, endpoint_count));
        }
        Ok(Self {
            birth,
            total_bytes,
            channel_table: header.u64(offset_of!(Header, channel_table)),
            channel_count,
            endpoint_table: header.u64(offset_of!(Header, endpoint_table)),
            endpoint_count,
        })
    }

    /// Where the channel table is and how long, in bytes; inside the file.
    pub(super) fn channel_table(&self) -> Result<(u64, usize), Fault> {
        let bytes = table_bytes(self.channel_count, size_of::<ChannelEntry>());
        let end = self.channel_table.checked_add(bytes);
        if end.is_none_or(|end| end > self.total_bytes) {
            let expected = format!("{bytes} bytes within {}", self.total_bytes);
            return Err(Fault::damaged("channel table", expected, self.channel_table));
        }
        // At most 4 MiB.
        #[allow(clippy::cast_possible_truncation)]
        Ok((self.channel_table, bytes as usize))
    }

    /// Validates the channel table, and that nothing in the segment overlaps.
    pub(super) fn decode_channels(&self, table: &[u8]) -> Result<Vec<Channel>, Fault> {
        let entries = table.chunks_exact(size_of::<ChannelEntry>());
        let mut endpoints = 0;
        let mut channels = Vec::new();
        for (entry, index) in entries.zip(0..) {
            let channel = Channel::decode(Reader(entry), index)?;
            if channel.first_endpoint != endpoints {
                let subject = format!("first endpoint of channel {index}");
                return Err(Fault::damaged(subject, endpoints, channel.first_endpoint));
            }
            // At most 1024 channels of 512.
            endpoints += endpoints_of(&channel.geometry);
            channels.push(channel);
        }
        if endpoints != self.endpoint_count {
            return Err(Fault::damaged("endpoint count", endpoints, self.endpoint_count));
        }
        let mut parts = vec![
            (0, PAGE as u64, "header".to_owned()),
            (
                self.channel_table,
                table_bytes(self.channel_count, size_of::<ChannelEntry>()),
                "channel table".to_owned(),
            ),
            (
                self.endpoint_table,
                table_bytes(self.endpoint_count, size_of::<EndpointSlot>()),
                "endpoint table".to_owned(),
            ),
        ];
        for channel in &channels {
            let (geometry, label) = (&channel.geometry, &channel.label);
            let producer = geometry.producer_bytes() as u64;
            let consumer = geometry.consumer_bytes() as u64;
            parts.push((
                channel.producer_offset,
                producer,
                format!("producer region of `{label}`"),
            ));
            parts.push((
                channel.consumer_offset,
                consumer,
                format!("consumer region of `{label}`"),
            ));
        }
        parts.sort_by_key(|&(start, ..)| start);
        let mut free = 0;
        for (start, len, what) in parts {
            let end = start.checked_add(len).filter(|&end| end <= self.total_bytes);
            let Some(end) = end.filter(|_| start >= free && start.is_multiple_of(PAGE as u64))
            else {
                let expected = format!(
                    "{len} bytes on a page boundary between {free} and {}",
                    self.total_bytes
                );
                return Err(Fault::damaged(what, expected, format!("offset {start}")));
            };
            free = end;
        }
        Ok(channels)
    }
}

impl Channel {
    /// Validates one entry by itself.
    pub(super) fn decode(entry: Reader<'_>, index: u32) -> Result<Self, Fault> {
        let subject = |what: &str| format!("{what} of channel {index}");
        let label = entry.text(
            offset_of!(ChannelEntry, label_len),
            offset_of!(ChannelEntry, label),
            MAX_LABEL_BYTES,
        );
        let label = label
            .filter(|label| !label.is_empty())
            .ok_or_else(|| Fault::damaged(subject("label"), "1 to 128 bytes of UTF-8", "none"))?;
        let schema = entry.text(
            offset_of!(ChannelEntry, schema_len),
            offset_of!(ChannelEntry, schema),
            MAX_SCHEMA_BYTES,
        );
        let schema = schema.ok_or_else(|| {
            Fault::damaged(subject("schema text"), "up to 2048 bytes of UTF-8", "none")
        })?;
        let discipline = discipline(entry).map_err(|raw| {
            Fault::foreign(subject("discipline"), "1 (SPSC) to 6 (directory)", raw)
        })?;
        let sides = (
            entry.u32(offset_of!(ChannelEntry, producers)),
            entry.u32(offset_of!(ChannelEntry, consumers)),
        );
        if sides != discipline.sides() {
            let found = format!("{} and {}", sides.0, sides.1);
            return Err(Fault::damaged(subject("number of sides"), discipline, found));
        }
        let cell = match entry.u32(offset_of!(ChannelEntry, cell_format)) {
            CELL_WIDE => {
                CellFormat::Wide { bytes: entry.u32(offset_of!(ChannelEntry, cell_bytes)) }
            }
            CELL_DENSE => CellFormat::Dense,
            other => {
                return Err(Fault::foreign(subject("cell format"), "1 (wide) or 2 (dense)", other));
            }
        };
        let blocks = Store::Blocks {
            count: entry.u64(offset_of!(ChannelEntry, block_count)),
            bytes: entry.u64(offset_of!(ChannelEntry, block_bytes)),
        };
        let store = match (entry.u64(offset_of!(ChannelEntry, arena_bytes)), blocks) {
            (0, Store::Blocks { count: 0, bytes: 0 }) => Store::None,
            (0, blocks) => blocks,
            (bytes, Store::Blocks { count: 0, bytes: 0 }) => Store::Arena { bytes },
            (bytes, _) => {
                return Err(Fault::damaged(
                    subject("store"),
                    "an arena or blocks",
                    format!("an arena of {bytes} bytes and blocks"),
                ));
            }
        };
        let geometry = Geometry::new(entry.u64(offset_of!(ChannelEntry, capacity)), cell)
            .and_then(|geometry| geometry.with_discipline(discipline)?.with_store(store))
            .map_err(|error| Fault::damaged(subject("geometry"), "a possible ring", error))?;
        let parking = match entry.u32(offset_of!(ChannelEntry, parking)) {
            PARKING_NEVER => false,
            PARKING_ALLOWED => true,
            other => {
                let known = "0 (never) or 1 (allowed)";
                return Err(Fault::foreign(subject("parking"), known, other));
            }
        };
        Ok(Self {
            label: label.to_owned(),
            geometry: geometry.with_parking(parking),
            fingerprint: entry.u128(offset_of!(ChannelEntry, fingerprint)),
            schema: schema.to_owned(),
            producer_offset: entry.u64(offset_of!(ChannelEntry, producer_offset)),
            consumer_offset: entry.u64(offset_of!(ChannelEntry, consumer_offset)),
            first_endpoint: entry.u32(offset_of!(ChannelEntry, first_endpoint)),
        })
    }
}

fn raw(discipline: Discipline) -> u32 {
    match discipline {
        Discipline::Spsc => DISCIPLINE_SPSC,
        Discipline::Lanes { .. } => DISCIPLINE_LANES,
        Discipline::Mpmc { .. } => DISCIPLINE_MPMC,
        Discipline::Broadcast { .. } => DISCIPLINE_BROADCAST,
        Discipline::Latest => DISCIPLINE_LATEST,
        Discipline::Calls { .. } => DISCIPLINE_CALLS,
        Discipline::Directory { .. } => DISCIPLINE_DIRECTORY,
    }
}

/// The discipline that an entry tells of; its number, if there is no such.
fn discipline(entry: Reader<'_>) -> Result<Discipline, u32> {
    let producers = entry.u32(offset_of!(ChannelEntry, producers));
    let consumers = entry.u32(offset_of!(ChannelEntry, consumers));
    match entry.u32(offset_of!(ChannelEntry, discipline)) {
        DISCIPLINE_SPSC => Ok(Discipline::Spsc),
        DISCIPLINE_LANES => Ok(Discipline::Lanes { senders: producers }),
        DISCIPLINE_MPMC => Ok(Discipline::Mpmc { senders: producers, receivers: consumers }),
        DISCIPLINE_BROADCAST => Ok(Discipline::Broadcast { readers: consumers }),
        DISCIPLINE_LATEST => Ok(Discipline::Latest),
        DISCIPLINE_CALLS => Ok(Discipline::Calls { clients: producers }),
        DISCIPLINE_DIRECTORY => Ok(Discipline::Directory { members: producers }),
        unknown => Err(unknown),
    }
}

/// Little-endian integers into a buffer that holds the whole structure.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn u32(&mut self, offset: usize, value: u32) {
        self.0[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }
    fn u64(&mut self, offset: usize, value: u64) {
        self.0[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    fn u128(&mut self, offset: usize, value: u128) {
        self.0[offset..offset + 16].copy_from_slice(&value.to_le_bytes());
    }
    /// A text whose length was checked when the segment was planned.
    fn text(&mut self, len_offset: usize, offset: usize, text: &str) {
        #[allow(clippy::cast_possible_truncation)]
        self.u32(len_offset, text.len() as u32);
        self.0[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    }
}

/// Little-endian integers out of a buffer; what lies beyond its end reads as 0.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(self, offset: usize) -> [u8; N] {
        self.0.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
    pub(super) fn u32(self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }
    pub(super) fn u64(self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }
    fn u128(self, offset: usize) -> u128 {
        u128::from_le_bytes(self.array(offset))
    }
    fn text(self, len_offset: usize, offset: usize, limit: usize) -> Option<&'a str> {
        let len = usize::try_from(self.u32(len_offset)).ok().filter(|&len| len <= limit)?;
        std::str::from_utf8(self.0.get(offset..offset + len)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::spec::ChannelSpec;

    const BIRTH: Birth = Birth { instance: 7 << 64 | 9, uid: 1000, pid: 42, unix_ns: 1 << 60 };

    fn specs() -> [ChannelSpec<'static>; 2] {
        let wide = Geometry::new(1024, CellFormat::Wide { bytes: 128 }).unwrap();
        let wide = wide.with_store(Store::Arena { bytes: 1 << 20 }).unwrap();
        let dense = Geometry::new(16, CellFormat::Dense).unwrap().with_parking(true);
        let spec = |label, geometry, schema| ChannelSpec {
            label,
            geometry,
            fingerprint: u128::MAX - 5,
            schema,
        };
        [spec("orders", wide, "struct Order"), spec("ticks", dense, "")]
    }

    fn image() -> (Vec<u8>, u64) {
        let channels = specs();
        let spec = SegmentSpec { channels: &channels };
        let plan = Plan::new(&spec).unwrap();
        (encode(&spec, &plan, &BIRTH), plan.total_bytes)
    }

    fn decode(bytes: &[u8], size: u64) -> Result<(Contents, Vec<Channel>), Fault> {
        let contents = Contents::decode(&bytes[..PAGE], size)?;
        let (offset, len) = contents.channel_table()?;
        let offset = usize::try_from(offset).unwrap();
        // A hostile table may lie beyond the part of the file this test has.
        let table = bytes.get(offset..offset.saturating_add(len)).unwrap_or(&[]);
        let channels = contents.decode_channels(table)?;
        Ok((contents, channels))
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (bytes, size) = image();
        let (contents, channels) = decode(&bytes, size).unwrap();
        assert_eq!(contents.birth, BIRTH);
        assert_eq!(contents.total_bytes, size);
        assert_eq!(channels.len(), 2);
        for (channel, spec) in channels.iter().zip(specs()) {
            assert_eq!(channel.label, spec.label);
            assert_eq!(channel.schema, spec.schema);
            assert_eq!(channel.geometry, spec.geometry);
            assert_eq!(channel.fingerprint, spec.fingerprint);
        }
        assert_eq!(channels[1].first_endpoint, 2);
        assert_eq!(size, channels[1].consumer_offset + 4096);
    }

    #[test]
    fn every_damaged_byte_is_refused_or_harmless() {
        let (good, size) = image();
        let (_, channels) = decode(&good, size).unwrap();
        for position in (0..128).chain(PAGE..PAGE + 256) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[position] = value;
                let Ok((contents, found)) = decode(&bytes, size) else { continue };
                assert_eq!(contents.total_bytes, size);
                for (found, channel) in found.iter().zip(&channels) {
                    let end = found.producer_offset + found.geometry.producer_bytes() as u64;
                    assert!(end <= size && found.consumer_offset + 4096 <= size);
                    assert_eq!(found.first_endpoint, channel.first_endpoint);
                }
            }
        }
    }

    #[test]
    fn overlapping_regions_are_refused() {
        let (mut bytes, size) = image();
        let offset = offset_of!(ChannelEntry, producer_offset);
        let first = Reader(&bytes[PAGE..]).u64(offset);
        Writer(&mut bytes[2 * PAGE..]).u64(offset, first);
        let error = decode(&bytes, size).unwrap_err().to_string();
        assert!(error.contains("region of `"), "{error}");
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let [spec, _] = specs();
        let text = |channels: &[ChannelSpec<'_>]| {
            Plan::new(&SegmentSpec { channels }).unwrap_err().to_string()
        };
        insta::assert_snapshot!(text(&[]), @"a segment holds 1 to 1024 channels, not 0");
        insta::assert_snapshot!(text(&[ChannelSpec { label: "", ..spec }]), @"channel label `` has 0 bytes: 1 to 128 are allowed");
        let long = "x".repeat(2049);
        insta::assert_snapshot!(text(&[ChannelSpec { schema: &long, ..spec }]), @"the schema text of channel `orders` has 2049 bytes: at most 2048 are allowed; shorten field names or nest less");
    }
}
