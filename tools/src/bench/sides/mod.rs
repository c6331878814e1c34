//! What is measured, and what it is measured against.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Subject`]: the list; [`Messages`]: their type and size; opening both ends |
//! | [`payload`] | the messages: every word written, every word read and checked |
//! | `waiting` | how the sides of Strait's channels wait |
//! | [`lines`] | the yardstick: bare cache lines, and lines with a payload |
//! | `memory` | the yardstick of long messages: buffers written and read in turn |
//! | `futex` | the yardstick of sides that sleep: bare words and the kernel |
//! | [`descriptors`] | what else wakes a process: event counters, pipes, sockets |
//! | `typed` | Strait's typed channels |
//! | `call` | calls of a service of Strait's |
//! | `bytes` | Strait's byte channels, for lengths that have no type here |
//! | `peers` | rtrb, between threads |

mod bytes;
pub(super) mod call;
pub mod descriptors;
mod futex;
pub mod lines;
pub(super) mod memory;
pub mod payload;
mod peers;
mod typed;
mod waiting;

pub use waiting::{Strategy, Waiting};

use super::exercise::{Player, Role};
use anyhow::{Result, anyhow, bail};
use payload::{Payload, Rich};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use strait::{Bytes, Segment, Spsc};
use strait_ipc::ring::geometry::MAX_BODY_BYTES;
use strait_ipc::segment::MapOptions;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A channel of Strait's.
    Strait,
    /// Another one, whose sides may sleep, though they do as those of the first.
    StraitParking,
    /// Another one, whose sides poll before they sleep, if that pays.
    StraitAdaptive,
    /// Another one, whose sides sleep until woken, and never look whether the other still exists.
    StraitUnsliced,
    /// Calls of a service of Strait's.
    Call,
    /// Bare cache lines: the yardstick.
    Raw,
    /// 48 bytes in the cache line that announces them, without a ring.
    Line,
    /// Memory written by one side and read by the other, two buffers each way: the yardstick of long
    /// messages.
    Memory,
    /// rtrb between two threads, message by message.
    Rtrb,
    /// rtrb between two threads, in chunks.
    RtrbChunks,
    /// Bare words to sleep on: the yardstick of sides that sleep.
    Futex,
    /// The same, woken by the kernel in any case when a slice is over.
    FutexTimed,
    /// Event counters.
    Eventfd,
    /// Pipes.
    Pipe,
    /// A pair of Unix stream sockets.
    Socket,
}

impl Subject {
    /// Its name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Subject::Strait => "strait",
            Subject::StraitParking => "strait-parking",
            Subject::StraitAdaptive => "strait-adaptive",
            Subject::StraitUnsliced => "strait-unsliced",
            Subject::Call => "call",
            Subject::Raw => "raw",
            Subject::Line => "line",
            Subject::Memory => "memory",
            Subject::Rtrb => "rtrb",
            Subject::RtrbChunks => "rtrb-chunks",
            Subject::Futex => "futex",
            Subject::FutexTimed => "futex-timed",
            Subject::Eventfd => "eventfd",
            Subject::Pipe => "pipe",
            Subject::Socket => "socket",
        }
    }

    /// Whether it goes through descriptors, which the other process inherits.
    pub(super) fn has_descriptors(self) -> bool {
        matches!(self, Subject::Eventfd | Subject::Pipe | Subject::Socket)
    }

    /// Whether its two sides are threads of this process, not two processes.
    #[must_use]
    pub fn in_process(self) -> bool {
        matches!(self, Subject::Rtrb | Subject::RtrbChunks)
    }
}

/// The kind of message that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Words in a row, copied as they are.
    Pod,
    /// A string and a vector beside a number: an archive, serialised in place and validated.
    Rich,
}

/// What the messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Bytes per message.
    pub size: usize,
    /// What is in them.
    pub kind: Kind,
    /// Whether the channels have dense cells, four to a cache line.
    pub dense: bool,
}

/// Does `$then` with `$words` a constant, if the messages have one of the sizes that have a type
/// here; else `$otherwise`.
macro_rules! by_words {
    ($messages:expr, $words:ident => $then:expr, $otherwise:expr) => {
        by_words!(@ $messages, $words, $then, $otherwise, 1 2 4 6 7 8 16 32 64 128)
    };
    (@ $messages:expr, $words:ident, $then:expr, $otherwise:expr, $($count:literal)*) => {
        match $messages.size / 8 {
            $($count => {
                const $words: usize = $count;
                $then
            })*
            _ => $otherwise,
        }
    };
}

/// An object that plays one side.
pub type Boxed = Box<dyn Player>;

impl Messages {
    /// Whether such messages can be sent.
    ///
    /// # Errors
    ///
    /// A sentence on what to ask for instead.
    pub fn check(&self) -> Result<()> {
        let Self { size, kind, dense } = *self;
        match kind {
            Kind::Pod if size == 0 || !size.is_multiple_of(8) => {
                bail!("plain messages are words: {size} is not a multiple of 8")
            }
            Kind::Rich if size < 48 => bail!("a rich message takes at least 48 bytes, not {size}"),
            _ if dense && (size, kind) != (8, Kind::Pod) => {
                bail!("dense cells hold 8 bytes: ask for --size 8")
            }
            _ => Ok(()),
        }
    }

    /// Whether they are too long for any cell, and lie in the ring's arena.
    #[must_use]
    pub fn in_arena(&self) -> bool {
        self.size > MAX_BODY_BYTES
    }

    /// Messages that a ring holds: 1024, or what 2 MiB hold, but at least 4; in an arena, what 4 MiB hold,
    /// but at least 2.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        const RING_BYTES: u64 = 2 << 20;
        let (room, least) = if self.in_arena() { (2 * RING_BYTES, 2) } else { (RING_BYTES, 4) };
        let fit = room / (self.size as u64).max(1);
        1 << fit.clamp(least, 1024).ilog2()
    }

    /// Bytes of an arena that holds as many as the ring, each on whole cache lines.
    fn arena_bytes(&self) -> u64 {
        (self.size as u64).next_multiple_of(64).saturating_mul(self.capacity())
    }

    /// Bytes of memory that a run takes with so many of Strait's channels: both directions of each, those
    /// of one peer at a time, and bare memory.
    pub(super) fn memory_bytes(&self, channels: usize) -> u64 {
        let size = self.size as u64;
        let rings = 2 * (channels as u64 + u64::from(self.suit_peers()));
        let bare = if self.suit_memory() { size.saturating_mul(4) } else { 0 };
        size.saturating_mul(self.capacity()).saturating_mul(rings).saturating_add(bare)
    }

    /// How a message is held, in words.
    #[must_use]
    pub fn description(&self) -> String {
        let Self { size, kind, dense } = *self;
        match kind {
            Kind::Rich => format!("{size} B, a string and a vector"),
            Kind::Pod if dense => format!("{size} B in dense cells"),
            Kind::Pod if self.in_arena() => {
                format!("{size} B in an arena, through the byte endpoint")
            }
            Kind::Pod => by_words!(self, WORDS => format!("{} B", 8 * WORDS),
                format!("{size} B through the byte endpoint")),
        }
    }

    /// Whether the peer can carry them: it has no serialisation.
    #[must_use]
    pub fn suit_peers(&self) -> bool {
        self.kind == Kind::Pod
    }

    /// What Strait is measured beside. Where no type has their length, both ways of the peer are one.
    pub(super) fn peers(&self) -> impl Iterator<Item = Subject> {
        [
            (Subject::Memory, self.suit_memory()),
            (Subject::Rtrb, self.suit_peers() && !self.in_arena()),
            (Subject::RtrbChunks, self.suit_peers()),
        ]
        .into_iter()
        .filter_map(|(subject, suits)| suits.then_some(subject))
    }

    /// Whether memory decides how fast they are, so that they are measured beside it.
    fn suit_memory(&self) -> bool {
        const LONG: usize = 64 << 10;
        self.kind == Kind::Pod && self.size >= LONG
    }

    fn typed<T: Payload>(&self, channels: &Channels, role: Role) -> Result<Boxed> {
        Ok(Box::new(typed::Typed::<T>::open(channels, self.size, role)?))
    }

    /// Opens one side of a pair of channels.
    ///
    /// # Errors
    ///
    /// They were made for other messages, or the side is taken.
    pub fn open(&self, channels: &Channels, role: Role) -> Result<Boxed> {
        match self.kind {
            Kind::Rich => self.typed::<Rich>(channels, role),
            Kind::Pod => by_words!(self,
                WORDS => self.typed::<[u64; WORDS]>(channels, role),
                Ok(Box::new(bytes::InPlace::open(channels, self.size, role)?))),
        }
    }

    /// Both sides of rtrb, message by message or in chunks.
    ///
    /// # Errors
    ///
    /// The messages are more than memory has room for.
    pub fn peer(&self, subject: Subject) -> Result<[Box<dyn Player + Send>; 2]> {
        let capacity = usize::try_from(self.capacity())?;
        let chunks = subject == Subject::RtrbChunks;
        Ok(by_words!(self,
            WORDS => peers::connect(capacity).map(|(producer, consumer)| -> Box<dyn Player + Send> {
                if chunks {
                    Box::new(peers::Chunks::<WORDS>(producer, consumer))
                } else {
                    Box::new(peers::Single::<WORDS>(producer, consumer))
                }
            }),
            {
                let words = self.size / 8;
                peers::connect(words * capacity).map(|(producer, consumer)| {
                    Box::new(peers::WordChunks { words, producer, consumer }) as Box<_>
                })
            }
        ))
    }

    fn segment(&self, waiting: Waiting) -> Result<Segment> {
        fn typed<T: Payload>(messages: &Messages, waiting: Waiting) -> Result<Segment> {
            let channel = Spsc::<T>::unnamed("bench").capacity(messages.capacity());
            let channel = waiting.on(channel);
            Ok(match (messages.dense, messages.kind) {
                (true, _) => channel.dense(),
                (false, Kind::Rich) if messages.in_arena() => channel.arena(messages.arena_bytes()),
                (false, Kind::Rich) => channel.max_len(messages.size),
                (false, Kind::Pod) => channel,
            }
            .segment()?)
        }
        match self.kind {
            Kind::Rich => typed::<Rich>(self, waiting),
            Kind::Pod => by_words!(self, WORDS => typed::<[u64; WORDS]>(self, waiting), {
                let channel = Spsc::<Bytes>::unnamed("bench").capacity(self.capacity());
                let channel = waiting.on(channel);
                let channel = if self.in_arena() {
                    channel.arena(self.arena_bytes())
                } else {
                    channel.max_len(self.size)
                };
                Ok(channel.segment()?)
            }),
        }
    }
}

/// A pair of channels, one for each direction, in memory without a name: nothing is left behind
/// however the run ends.
#[derive(Debug)]
pub struct Channels {
    waiting: Waiting,
    there: Arc<Segment>,
    back: Arc<Segment>,
}

impl Channels {
    /// New ones.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub fn new(messages: &Messages, waiting: Waiting) -> Result<Self> {
        let segment = || Ok::<_, anyhow::Error>(Arc::new(messages.segment(waiting)?));
        Ok(Self { waiting, there: segment()?, back: segment()? })
    }

    /// Those of another process, from two of its descriptors.
    ///
    /// # Errors
    ///
    /// They are no channels.
    pub fn of(there: File, back: File, waiting: Waiting) -> Result<Self> {
        Ok(Self { waiting, there: map(there)?, back: map(back)? })
    }

    /// How their sides wait.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Descriptors for the other process to open.
    ///
    /// # Errors
    ///
    /// This process has too many.
    pub fn descriptors(&self) -> Result<[OwnedFd; 2]> {
        Ok([self.there.descriptor()?, self.back.descriptor()?])
    }

    /// The segment that a side sends on, and the one that it receives on.
    fn ends(&self, role: Role) -> (Arc<Segment>, Arc<Segment>) {
        let (there, back) = (Arc::clone(&self.there), Arc::clone(&self.back));
        match role {
            Role::Here => (there, back),
            Role::There => (back, there),
        }
    }
}

/// The segment behind another process's descriptor.
pub(super) fn map(file: File) -> Result<Arc<Segment>> {
    Ok(Arc::new(Segment::from_descriptor(OwnedFd::from(file), MapOptions::default())?))
}

/// A descriptor of another process of this user.
///
/// # Errors
///
/// It cannot be opened.
pub fn borrow(process: u32, descriptor: i32) -> Result<File> {
    let path = format!("/proc/{process}/fd/{descriptor}");
    let file = File::options().read(true).write(true).open(&path);
    file.map_err(|error| anyhow!("cannot open {path}: {error}"))
}

/// The number of a descriptor, for [`borrow`].
pub fn number(descriptor: &impl AsRawFd) -> i32 {
    descriptor.as_raw_fd()
}

/// What is said of a message that is another than its number says.
#[cold]
#[must_use]
pub fn torn(number: u64) -> anyhow::Error {
    anyhow!("message {number} was lost, repeated or torn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_holds_a_few_of_the_longest_messages() {
        for (size, capacity, arena) in [
            (48, 1024, false),
            (1024, 1024, false),
            (64 << 10, 32, false),
            (MAX_BODY_BYTES, 4, false),
            (1 << 20, 4, true),
            (3 << 20, 2, true),
            (64 << 20, 2, true),
        ] {
            let messages = Messages { size, kind: Kind::Pod, dense: false };
            assert_eq!((messages.capacity(), messages.in_arena()), (capacity, arena), "{size}");
        }
        let longest = Messages { size: 64 << 20, kind: Kind::Pod, dense: false };
        assert_eq!(longest.arena_bytes(), 128 << 20);
        assert_eq!(longest.memory_bytes(1), (4 + 4 + 4) * (64 << 20));
    }
}
