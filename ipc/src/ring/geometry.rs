//! A ring's geometry: who may write and read it, how many cells, of which format, with what store
//! besides, whether its sides may sleep, and how many bytes that takes.
//!
//! Geometry is chosen at creation, stored in the segment, read once at attach, validated here, and
//! kept privately from then on: nothing on the hot path trusts a length read from shared memory.

use super::lanes::Board;
use super::layout::{CellHead, ConsumerLines, DenseCell, ProducerLines};
use super::{answers, broadcast, directory, latest, mpmc};
use std::fmt;
use thiserror::Error;

/// Regions start on page boundaries, so that they can be mapped with different permissions.
pub const PAGE: usize = 4096;

/// Largest cell, in bytes. Bigger messages belong in an arena, not in a ring.
pub const MAX_CELL_BYTES: u32 = 1 << 20;

/// Longest message in the largest cell, in bytes.
pub const MAX_BODY_BYTES: usize = MAX_CELL_BYTES as usize - size_of::<CellHead>();

/// Largest ring region, in bytes.
pub const MAX_RING_BYTES: u64 = 1 << 38;

/// The two cell formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellFormat {
    /// 16-byte head, then the body: at least a cache line, and a multiple of 16 bytes.
    Wide {
        /// Size of the whole cell in bytes, head included.
        bytes: u32,
    },
    /// 8-byte state and 8-byte body, four cells to a cache line.
    Dense,
}

impl CellFormat {
    /// The wide cell for bodies of up to `body` bytes.
    ///
    /// Up to 48 bytes share one line with their head, so that a lone message costs one transfer.
    /// Larger cells follow each other at multiples of 16 bytes, sharing lines: in a stream it is
    /// the lines that cost. Where that would make a cell touch a line more than it must, it is
    /// rounded up to whole lines.
    pub fn wide_for(body: usize) -> Result<Self, GeometryError> {
        body.checked_add(size_of::<CellHead>())
            .and_then(|bytes| bytes.checked_next_multiple_of(16))
            .map(
                |bytes| {
                    if bytes < 64 || bytes % 64 == 48 { bytes.next_multiple_of(64) } else { bytes }
                },
            )
            .and_then(|bytes| u32::try_from(bytes).ok())
            .filter(|&bytes| bytes <= MAX_CELL_BYTES)
            .map(|bytes| Self::Wide { bytes })
            .ok_or(GeometryError::MessageBytes(body))
    }

    /// Distance from one cell to the next, in bytes.
    pub const fn stride(self) -> usize {
        match self {
            Self::Wide { bytes } => bytes as usize,
            Self::Dense => size_of::<DenseCell>(),
        }
    }

    /// Offset of the body in the cell, in bytes.
    pub const fn body_offset(self) -> usize {
        match self {
            Self::Wide { .. } => size_of::<CellHead>(),
            Self::Dense => 8,
        }
    }

    /// Room for a message, in bytes.
    pub const fn body_bytes(self) -> usize {
        self.stride() - self.body_offset()
    }
}

impl fmt::Display for CellFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wide { bytes } => write!(f, "{bytes} bytes"),
            Self::Dense => f.write_str("16 bytes (dense)"),
        }
    }
}

/// Most sides of one kind that a ring may have.
pub const MAX_SIDES: u32 = 256;

/// Who may write and read a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discipline {
    /// One producer, one consumer.
    #[default]
    Spsc,
    /// Several such rings side by side, with one consumer.
    Lanes {
        /// Producers at once, at most: each has a ring.
        senders: u32,
    },
    /// Producers and consumers at once; each message goes to one consumer.
    Mpmc {
        /// Producers at once, at most.
        senders: u32,
        /// Consumers at once, at most.
        receivers: u32,
    },
    /// One producer; each message goes to all consumers.
    Broadcast {
        /// Consumers that the producer knows of, at once, at most.
        readers: u32,
    },
    /// One producer; what counts is its latest message for each key.
    Latest,
    /// Lanes, with an [answer](super::answers) for each message.
    Calls {
        /// Producers at once, at most: each has a ring, and answers.
        clients: u32,
    },
    /// No messages, but entries: what processes offer, and others find. See [`directory`].
    Directory {
        /// Processes that offer something, at once, at most.
        members: u32,
    },
}

impl Discipline {
    /// Sides that write and sides that read, at most: each has an endpoint.
    pub const fn sides(self) -> (u32, u32) {
        match self {
            Self::Spsc => (1, 1),
            Self::Lanes { senders } => (senders, 1),
            Self::Mpmc { senders, receivers } => (senders, receivers),
            Self::Broadcast { readers } => (1, readers),
            Self::Latest => (1, 0),
            Self::Calls { clients } => (clients, 1),
            Self::Directory { members } => (members, 0),
        }
    }

    /// Whether there are none of its sides that read: readers take no endpoint.
    const fn is_read_by_anybody(self) -> bool {
        matches!(self, Self::Latest | Self::Directory { .. })
    }
}

impl fmt::Display for Discipline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spsc => f.write_str("one sender and one receiver"),
            Self::Lanes { senders } => {
                write!(f, "{senders} senders with a ring each, and one receiver")
            }
            Self::Mpmc { senders, receivers } => {
                write!(f, "{senders} senders and {receivers} receivers")
            }
            Self::Broadcast { readers } => write!(f, "one sender and {readers} readers of all"),
            Self::Latest => f.write_str("one sender of latest values"),
            Self::Calls { clients } => {
                write!(f, "{clients} clients and one server that answers them")
            }
            Self::Directory { members } => write!(f, "{members} members of a directory"),
        }
    }
}

/// A validated ring geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    discipline: Discipline,
    capacity: u64,
    cell: CellFormat,
    parking: bool,
    store: Store,
}

/// Where messages lie that do not stand in their cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// There are none.
    #[default]
    None,
    /// In an arena: see [`arena`](super::arena).
    Arena {
        /// Bytes, whole pages.
        bytes: u64,
    },
    /// All of them in blocks: see [`blocks`](super::blocks).
    Blocks {
        /// How many, a power of two.
        count: u64,
        /// Bytes per block, a multiple of 64.
        bytes: u64,
    },
}

impl Store {
    /// Bytes of the owner words in front of the blocks, whole pages.
    pub const fn words(self) -> u64 {
        match self {
            Self::Blocks { count, .. } => (count * 8).next_multiple_of(PAGE as u64),
            Self::None | Self::Arena { .. } => 0,
        }
    }

    /// Bytes of the whole, whole pages.
    const fn bytes(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Arena { bytes } => bytes,
            Self::Blocks { count, bytes } => {
                self.words() + (count * bytes).next_multiple_of(PAGE as u64)
            }
        }
    }

    /// Bytes of the longest message; 0 if there is none.
    pub const fn longest(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Arena { bytes } | Self::Blocks { bytes, .. } => bytes,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Arena { bytes } => write!(f, "an arena of {bytes} bytes"),
            Self::Blocks { count, bytes } => write!(f, "{count} blocks of {bytes} bytes"),
        }
    }
}

/// Why a geometry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A ring has one side of each kind at least, and [`MAX_SIDES`] at most.
    #[error("a ring cannot have {0}: 1 to {MAX_SIDES} of each kind are possible")]
    Sides(Discipline),
    /// The capacity is 0 or not a power of two.
    #[error("capacity {0} is not a power of two{next}", next = suggestion(*.0))]
    Capacity(u64),
    /// The cell size is not a multiple of 16 between 64 and [`MAX_CELL_BYTES`].
    #[error("cell size {0} is not a multiple of 16 between 64 and {MAX_CELL_BYTES} bytes")]
    CellBytes(u32),
    /// No cell holds messages of that many bytes.
    #[error(
        "messages of {0} bytes do not fit the largest cell, which holds {MAX_BODY_BYTES} bytes"
    )]
    MessageBytes(usize),
    /// A directory has no more entries than links can name.
    #[error("a directory of {0} entries is none: 1 to {most} are possible", most = directory::layout::MAX_ENTRIES)]
    Entries(u64),
    /// An entry of a directory has room for its head at least, and is whole lines.
    #[error(
        "entries of {0} bytes are none: more than {head} are needed, a multiple of {line}",
        head = size_of::<directory::layout::EntryHead>(), line = directory::layout::LINE
    )]
    EntryBytes(usize),
    /// Dense cells have no room to tell where a message lies.
    #[error("dense cells hold their messages themselves: leave out `dense()`, or {0}")]
    DenseStore(Store),
    /// An arena is whole pages; blocks are a power of two, and multiples of 64 bytes.
    #[error(
        "there cannot be {0}: an arena is whole pages of {PAGE} bytes, and blocks are a power of two \
         in number and multiples of 64 in size"
    )]
    Store(Store),
    /// Rings of several readers or receivers have neither dense cells nor, so far, room for messages elsewhere.
    #[error("a ring of {discipline} has wide cells that hold their messages themselves{instead}")]
    Several {
        /// The ring's sides.
        discipline: Discipline,
        /// What to do instead.
        instead: &'static str,
    },
    /// The ring would be larger than [`MAX_RING_BYTES`].
    #[error(
        "{capacity} cells of {stride} bytes{} exceed the largest ring, {MAX_RING_BYTES} bytes",
        if *store == Store::None { String::new() } else { format!(" and {store}") }
    )]
    TooLarge {
        /// Cells asked for.
        capacity: u64,
        /// Bytes per cell.
        stride: usize,
        /// What was asked for besides.
        store: Store,
    },
}

fn suggestion(capacity: u64) -> String {
    let next = capacity.checked_next_power_of_two();
    next.filter(|&next| next <= MAX_RING_BYTES / 16)
        .map_or_else(String::new, |next| format!(": ask for {next} instead"))
}

impl Geometry {
    /// Checks and keeps a geometry, of a single-producer single-consumer ring whose sides never sleep.
    pub fn new(capacity: u64, cell: CellFormat) -> Result<Self, GeometryError> {
        if !capacity.is_power_of_two() {
            return Err(GeometryError::Capacity(capacity));
        }
        if let CellFormat::Wide { bytes } = cell
            && (!(64..=MAX_CELL_BYTES).contains(&bytes) || !bytes.is_multiple_of(16))
        {
            return Err(GeometryError::CellBytes(bytes));
        }
        let bytes = capacity.checked_mul(cell.stride() as u64);
        if bytes.is_none_or(|bytes| bytes > MAX_RING_BYTES) {
            return Err(GeometryError::TooLarge {
                capacity,
                stride: cell.stride(),
                store: Store::None,
            });
        }
        let discipline = Discipline::Spsc;
        Ok(Self { discipline, capacity, cell, parking: false, store: Store::None })
    }

    /// The same, of a ring with these sides.
    pub fn with_discipline(self, discipline: Discipline) -> Result<Self, GeometryError> {
        let (writers, readers) = discipline.sides();
        let least = u32::from(!discipline.is_read_by_anybody());
        if !(1..=MAX_SIDES).contains(&writers) || !(least..=MAX_SIDES).contains(&readers) {
            return Err(GeometryError::Sides(discipline));
        }
        let geometry = Self { discipline, ..self };
        let wide = geometry.holds_its_messages() || geometry.answers();
        if wide && self.cell == CellFormat::Dense {
            return Err(GeometryError::Several { discipline, instead: ": leave out `dense()`" });
        }
        if let Discipline::Directory { .. } = discipline {
            geometry.check_directory()?;
        }
        geometry.bounded()
    }

    /// Refuses what cannot be a directory.
    fn check_directory(&self) -> Result<(), GeometryError> {
        let bytes = self.stride();
        if self.capacity > directory::layout::MAX_ENTRIES {
            return Err(GeometryError::Entries(self.capacity));
        }
        if bytes <= size_of::<directory::layout::EntryHead>()
            || !bytes.is_multiple_of(directory::layout::LINE)
        {
            return Err(GeometryError::EntryBytes(bytes));
        }
        Ok(())
    }

    /// Refuses what is larger than the largest ring: several side by side count as one.
    fn bounded(self) -> Result<Self, GeometryError> {
        let Self { capacity, store, .. } = self;
        let stride = self.stride();
        let too_large = GeometryError::TooLarge { capacity, stride, store };
        // First, so that what follows does not overflow.
        let cells = capacity.checked_mul(stride as u64).filter(|&bytes| bytes <= MAX_RING_BYTES);
        cells.ok_or(too_large)?;
        let bytes = (self.ring_bytes() as u64).checked_mul(u64::from(self.rings()));
        if bytes.is_none_or(|bytes| bytes > MAX_RING_BYTES) { Err(too_large) } else { Ok(self) }
    }

    /// Who may write and read.
    pub const fn discipline(&self) -> Discipline {
        self.discipline
    }

    /// The same, with a place for messages that do not stand in their cells.
    pub fn with_store(self, store: Store) -> Result<Self, GeometryError> {
        let Self { capacity, cell, .. } = self;
        if store != Store::None && cell == CellFormat::Dense {
            return Err(GeometryError::DenseStore(store));
        }
        if store != Store::None && self.holds_its_messages() {
            let (discipline, instead) = (self.discipline, ": ask for a larger `max_len()`");
            return Err(GeometryError::Several { discipline, instead });
        }
        if self.answers() && matches!(store, Store::Blocks { .. }) {
            let (discipline, instead) = (self.discipline, ", or in an arena: leave out `blocks()`");
            return Err(GeometryError::Several { discipline, instead });
        }
        let stride = self.stride();
        let too_large = GeometryError::TooLarge { capacity, stride, store };
        match store {
            Store::None => {}
            Store::Arena { bytes } if bytes == 0 || !bytes.is_multiple_of(PAGE as u64) => {
                return Err(GeometryError::Store(store));
            }
            Store::Blocks { count, bytes }
                if !count.is_power_of_two() || bytes == 0 || !bytes.is_multiple_of(64) =>
            {
                return Err(GeometryError::Store(store));
            }
            Store::Arena { .. } => {}
            // So that what follows does not overflow.
            Store::Blocks { count, bytes } => {
                if count.checked_mul(bytes).is_none_or(|bytes| bytes > MAX_RING_BYTES) {
                    return Err(too_large);
                }
            }
        }
        if store.bytes() > MAX_RING_BYTES - capacity * stride as u64 {
            return Err(too_large);
        }
        Self { store, ..self }.bounded()
    }

    /// Where messages lie that do not stand in their cells.
    pub const fn store(&self) -> Store {
        self.store
    }

    /// Where the cells begin in the producer's region, behind the lines of its discipline.
    pub const fn cells_offset(&self) -> usize {
        match self.discipline {
            Discipline::Spsc | Discipline::Lanes { .. } | Discipline::Calls { .. } => {
                size_of::<ProducerLines>()
            }
            Discipline::Mpmc { senders, .. } => mpmc::layout::producer_lines(senders),
            Discipline::Broadcast { .. } => size_of::<broadcast::layout::HeadLines>(),
            Discipline::Latest => size_of::<latest::layout::HeadLines>(),
            Discipline::Directory { .. } => directory::layout::entries_offset(self.capacity),
        }
    }

    /// Distance from one cell to the next, in bytes; of latest values, from one key to the next.
    pub const fn stride(&self) -> usize {
        match self.discipline {
            Discipline::Latest => latest::layout::key_stride(self.cell.stride()),
            _ => self.cell.stride(),
        }
    }

    /// Whether each message has an answer.
    pub const fn answers(&self) -> bool {
        matches!(self.discipline, Discipline::Calls { .. })
    }

    /// Whether cells are wide and hold their messages themselves.
    const fn holds_its_messages(&self) -> bool {
        !matches!(
            self.discipline,
            Discipline::Spsc | Discipline::Lanes { .. } | Discipline::Calls { .. }
        )
    }

    /// Where the store begins in the producer's region.
    pub const fn store_offset(&self) -> usize {
        // `new` bounded the product by MAX_RING_BYTES, and pointers have 64 bits.
        #[allow(clippy::cast_possible_truncation)]
        let cells = self.capacity as usize * self.stride();
        (self.cells_offset() + cells).next_multiple_of(PAGE)
    }

    /// The same, of a ring whose sides may sleep (see [`parking`](super::parking)) or may not.
    #[must_use]
    pub const fn with_parking(self, parking: bool) -> Self {
        Self { parking, ..self }
    }

    /// Whether the ring's sides may sleep.
    pub const fn parking(&self) -> bool {
        self.parking
    }

    /// Number of cells, a power of two.
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The cells' format.
    pub const fn cell(&self) -> CellFormat {
        self.cell
    }

    /// Bytes of the region only producers write: of each ring its lines, the cells, the store. Whole
    /// pages.
    pub const fn producer_bytes(&self) -> usize {
        self.rings() as usize * self.ring_bytes()
    }

    /// How many rings lie side by side.
    pub const fn rings(&self) -> u32 {
        match self.discipline {
            Discipline::Lanes { senders } => senders,
            Discipline::Calls { clients } => clients,
            _ => 1,
        }
    }

    /// From one ring to the next in the producers' region.
    pub const fn ring_bytes(&self) -> usize {
        // `with_store` bounded it by MAX_RING_BYTES, and pointers have 64 bits.
        #[allow(clippy::cast_possible_truncation)]
        let store = self.store.bytes() as usize;
        self.store_offset() + store
    }

    /// Where the consumer's lines of one of the rings are in the consumers' region.
    pub const fn consumer_offset(&self, ring: u32) -> usize {
        let board = match self.discipline {
            Discipline::Lanes { .. } | Discipline::Calls { .. } => size_of::<Board>(),
            _ => 0,
        };
        board + ring as usize * size_of::<ConsumerLines>()
    }

    /// Where the answers to one of the clients are in the consumers' region.
    pub const fn answers_offset(&self, client: u32) -> usize {
        let lines = self.consumer_offset(self.rings()).next_multiple_of(PAGE);
        lines + client as usize * self.answers_bytes()
    }

    /// Bytes of the answers to one client: cells, and room for large ones.
    pub const fn answers_bytes(&self) -> usize {
        // `bounded` found as much to fit the producers' region, and pointers have 64 bits.
        #[allow(clippy::cast_possible_truncation)]
        let store = self.store.bytes() as usize;
        self.answers_room() + store
    }

    /// Where the room for large ones begins among the answers to one client.
    pub const fn answers_room(&self) -> usize {
        // As above.
        #[allow(clippy::cast_possible_truncation)]
        let capacity = self.capacity as usize;
        answers::layout::room_offset(capacity, self.cell.stride())
    }

    /// Bytes of the region only consumers write. Whole pages.
    pub const fn consumer_bytes(&self) -> usize {
        let bytes = match self.discipline {
            Discipline::Spsc => size_of::<ConsumerLines>(),
            Discipline::Lanes { .. } => self.consumer_offset(self.rings()),
            Discipline::Mpmc { receivers, .. } => {
                mpmc::layout::consumer_bytes(receivers, self.cell.stride())
            }
            Discipline::Broadcast { readers } => {
                readers.next_power_of_two() as usize * size_of::<broadcast::layout::ReaderLines>()
            }
            Discipline::Calls { clients } => self.answers_offset(clients),
            Discipline::Latest | Discipline::Directory { .. } => 0,
        };
        bytes.next_multiple_of(PAGE)
    }
}
