//! The bytes of a segment. Layout version 4; every offset is asserted below.
//!
//! ```text
//! page 0          Header
//! page 1          ChannelEntry 0      4096 B each: geometry, fingerprint, label, schema text
//!  …              ChannelEntry 1, …
//! next page       EndpointSlot 0      256 B each: who is attached; 2 slots to an SPSC channel
//!  …              EndpointSlot 1, …
//! next page       channel 0: producer region, then consumer region    whole pages
//!  …              channel 1: …
//!
//! Header (the creator writes it before the segment has a name; later only `state` changes)
//!   0    magic            written last      56   creator_uid
//!   8    layout_version                     60   creator_pid
//!   12   kind                               64   created_unix_ns
//!   16   compat                             72   total_bytes
//!   24   ro_compat                          80   state
//!   32   incompat                           84   channel_count
//!   40   instance, 16 B                     88   endpoint_count
//!                                           96   channel_table, 104 endpoint_table
//!
//! ChannelEntry (the creator writes it)      EndpointSlot (line 0: whoever holds its lock writes it)
//!   0    discipline                           0    state: epoch << 8 | ENDPOINT_*
//!   4    cell_format                          8    role
//!   8    cell_bytes                           12   pid
//!   12   label_len                            16   attached_unix_ns
//!   16   capacity                             24   ended_unix_ns
//!   24   producer_offset                      32   program, 32 B
//!   32   consumer_offset                      128  (reserved line: record in hand, intent)
//!   40   first_endpoint
//!   44   schema_len
//!   48   fingerprint, 16 B
//!   64   label, 128 B
//!   192  parking, 196 producers
//!   200  arena_bytes
//!   208  block_count, 216 block_bytes
//!   224  consumers
//!   2048 schema, 2048 B
//! ```
//!
//! Feature bits say what a program must know. `compat`: nothing; `ro_compat`: needed to write;
//! `incompat`: needed to read. Version 4 defines none, so any in the last two is refused.
//!
//! Header and entries are read once, into private memory, and validated there. Integers are
//! little-endian. Magic and `state` keep their place in every layout version, so that any program
//! can remove a segment it cannot read.

use std::mem::offset_of;
use strait_pools::region::Shared;
use strait_pools::sync::{AtomicU32, AtomicU64};

/// The first eight bytes of every segment.
pub const MAGIC: u64 = u64::from_le_bytes(*b"STRAIT\r\n");
/// The version of everything on this page.
pub const LAYOUT_VERSION: u32 = 4;
/// [`Header::kind`] of a segment that holds channels.
pub const KIND_CHANNELS: u32 = 1;
/// [`Header::state`] of a segment in use.
pub const STATE_LIVE: u32 = 0;
/// [`Header::state`] of a segment whose removal was decided and has to be finished.
pub const STATE_RETIRED: u32 = 1;
/// [`ChannelEntry::cell_format`]: wide cells.
pub const CELL_WIDE: u32 = 1;
/// [`ChannelEntry::cell_format`]: dense cells.
pub const CELL_DENSE: u32 = 2;
/// [`ChannelEntry::parking`]: the ring's sides never sleep.
pub const PARKING_NEVER: u32 = 0;
/// [`ChannelEntry::parking`]: the ring's sides may sleep, and are woken.
pub const PARKING_ALLOWED: u32 = 1;
/// Longest label of a channel, in bytes.
pub const MAX_LABEL_BYTES: usize = 128;
/// Longest schema text of a channel, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 2048;
/// Most endpoints in a segment: their numbers, counted from 1, have 16 bits.
pub const MAX_ENDPOINTS: u32 = 65_535;
/// [`ChannelEntry::discipline`]: one producer, one consumer.
pub const DISCIPLINE_SPSC: u32 = 1;
/// [`ChannelEntry::discipline`]: several such rings with one consumer.
pub const DISCIPLINE_LANES: u32 = 2;
/// [`ChannelEntry::discipline`]: several producers, several consumers.
pub const DISCIPLINE_MPMC: u32 = 3;
/// [`ChannelEntry::discipline`]: one producer, all messages to all consumers.
pub const DISCIPLINE_BROADCAST: u32 = 4;
/// [`ChannelEntry::discipline`]: one producer, the latest value of each key.
pub const DISCIPLINE_LATEST: u32 = 5;
/// [`ChannelEntry::discipline`]: lanes, with an answer for each message.
pub const DISCIPLINE_CALLS: u32 = 7;
/// [`ChannelEntry::discipline`]: no messages, but what processes offer.
pub const DISCIPLINE_DIRECTORY: u32 = 6;
/// Most channels in a segment.
pub const MAX_CHANNELS: u32 = 1024;
/// Largest segment, in bytes.
pub const MAX_SEGMENT_BYTES: u64 = 1 << 40;

/// The lifecycle lock: every opener holds it shared, a remover exclusively. Far beyond any file's
/// end, because a lock needs no byte behind it and must not look like a lock of data.
pub const LIFECYCLE_BYTE: u64 = 1 << 62;

/// The lock of an endpoint: held exclusively by whoever is attached.
pub const fn endpoint_byte(slot: u32) -> u64 {
    LIFECYCLE_BYTE + 1 + slot as u64
}

/// The first page.
#[allow(missing_docs)]
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    pub magic: u64,
    pub layout_version: u32,
    pub kind: u32,
    pub compat: u64,
    pub ro_compat: u64,
    pub incompat: u64,
    pub instance: [u64; 2],
    pub creator_uid: u32,
    pub creator_pid: u32,
    pub created_unix_ns: u64,
    pub total_bytes: u64,
    pub state: u32,
    pub channel_count: u32,
    pub endpoint_count: u32,
    pub reserved: u32,
    pub channel_table: u64,
    pub endpoint_table: u64,
}

/// One channel.
#[allow(missing_docs)]
#[derive(Debug)]
#[repr(C)]
pub struct ChannelEntry {
    pub discipline: u32,
    pub cell_format: u32,
    pub cell_bytes: u32,
    pub label_len: u32,
    pub capacity: u64,
    pub producer_offset: u64,
    pub consumer_offset: u64,
    pub first_endpoint: u32,
    pub schema_len: u32,
    pub fingerprint: [u64; 2],
    pub label: [u8; MAX_LABEL_BYTES],
    pub parking: u32,
    pub producers: u32,
    pub arena_bytes: u64,
    pub block_count: u64,
    pub block_bytes: u64,
    pub consumers: u32,
    pub reserved0: u32,
    pub reserved: [u64; 227],
    pub schema: [u8; MAX_SCHEMA_BYTES],
}

/// The low byte of an endpoint's [state](field@EndpointSlot::state): nobody has ever attached.
pub const ENDPOINT_FREE: u64 = 0;
/// Somebody holds the lock and is filling in the entry, or died doing so.
pub const ENDPOINT_ATTACHING: u64 = 1;
/// Attached; without a lock, its process died.
pub const ENDPOINT_ACTIVE: u64 = 2;
/// Left in good order.
pub const ENDPOINT_CLOSED: u64 = 3;
/// Its process ended without closing, and somebody noticed.
pub const ENDPOINT_DEAD: u64 = 4;
/// Longest program name kept in an endpoint's entry, in bytes.
pub const MAX_PROGRAM_BYTES: usize = 32;

/// One endpoint: a side of a channel, and who has it.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub struct EndpointSlot {
    /// `ENDPOINT_*` in the low byte; above it the epoch: how many times somebody attached. One word,
    /// so that who notices a death can never take a successor for the one that died.
    pub state: AtomicU64,
    /// [`Role`](crate::endpoint::Role) of whoever attached last.
    pub role: AtomicU32,
    /// Process id, in its own pid namespace.
    pub pid: AtomicU32,
    /// When it attached, in nanoseconds since 1970.
    pub attached_unix_ns: AtomicU64,
    /// When the last one to leave closed, or was noticed to be dead; in nanoseconds since 1970. The
    /// lowest bit is that of its epoch.
    pub ended_unix_ns: AtomicU64,
    /// Its program's name, UTF-8, padded with zeros.
    pub program: [AtomicU64; MAX_PROGRAM_BYTES / 8],
    #[cfg(not(loom))]
    line0: [AtomicU64; 8],
    #[cfg(not(loom))]
    line1: [AtomicU64; 16],
}

// SAFETY: repr(C), atomics only, zero is valid, nothing to drop.
unsafe impl Shared for EndpointSlot {}

// Loom's atomics are larger; only the real ones have a layout to keep.
#[cfg(not(loom))]
const _: () = {
    assert!(size_of::<EndpointSlot>() == 256);
    assert!(offset_of!(EndpointSlot, state) == 0);
    assert!(offset_of!(EndpointSlot, role) == 8);
    assert!(offset_of!(EndpointSlot, pid) == 12);
    assert!(offset_of!(EndpointSlot, attached_unix_ns) == 16);
    assert!(offset_of!(EndpointSlot, ended_unix_ns) == 24);
    assert!(offset_of!(EndpointSlot, program) == 32);
    assert!(offset_of!(EndpointSlot, line1) == 128);
};

const _: () = {
    assert!(size_of::<Header>() == 112);
    assert!(offset_of!(Header, magic) == 0);
    assert!(offset_of!(Header, layout_version) == 8);
    assert!(offset_of!(Header, kind) == 12);
    assert!(offset_of!(Header, compat) == 16);
    assert!(offset_of!(Header, ro_compat) == 24);
    assert!(offset_of!(Header, incompat) == 32);
    assert!(offset_of!(Header, instance) == 40);
    assert!(offset_of!(Header, creator_uid) == 56);
    assert!(offset_of!(Header, creator_pid) == 60);
    assert!(offset_of!(Header, created_unix_ns) == 64);
    assert!(offset_of!(Header, total_bytes) == 72);
    assert!(offset_of!(Header, state) == 80);
    assert!(offset_of!(Header, channel_count) == 84);
    assert!(offset_of!(Header, endpoint_count) == 88);
    assert!(offset_of!(Header, channel_table) == 96);
    assert!(offset_of!(Header, endpoint_table) == 104);

    assert!(size_of::<ChannelEntry>() == 4096);
    assert!(offset_of!(ChannelEntry, discipline) == 0);
    assert!(offset_of!(ChannelEntry, cell_format) == 4);
    assert!(offset_of!(ChannelEntry, cell_bytes) == 8);
    assert!(offset_of!(ChannelEntry, label_len) == 12);
    assert!(offset_of!(ChannelEntry, capacity) == 16);
    assert!(offset_of!(ChannelEntry, producer_offset) == 24);
    assert!(offset_of!(ChannelEntry, consumer_offset) == 32);
    assert!(offset_of!(ChannelEntry, first_endpoint) == 40);
    assert!(offset_of!(ChannelEntry, schema_len) == 44);
    assert!(offset_of!(ChannelEntry, fingerprint) == 48);
    assert!(offset_of!(ChannelEntry, label) == 64);
    assert!(offset_of!(ChannelEntry, parking) == 192);
    assert!(offset_of!(ChannelEntry, producers) == 196);
    assert!(offset_of!(ChannelEntry, arena_bytes) == 200);
    assert!(offset_of!(ChannelEntry, block_count) == 208);
    assert!(offset_of!(ChannelEntry, block_bytes) == 216);
    assert!(offset_of!(ChannelEntry, consumers) == 224);
    assert!(offset_of!(ChannelEntry, schema) == 2048);
};
