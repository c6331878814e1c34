//! An observer's look at segments: what is there, who uses it, how much is unread, what is wrong.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Survey`]: what was found in one file |
//! | `side` | [`Side`]: who has a side of a channel, and how that process is |
//! | `flow` | [`Flow`]: what has gone through a channel, and what is in it |
//! | `offers` | [`OfferSurvey`]: what stands in a directory |
//!
//! The observer is in nobody's way: it takes no lock, maps nothing (a file that is truncated while it
//! looks must not end it) and writes nothing. It trusts nothing either: whatever a file says, the
//! look takes bounded time and memory. What cannot be used is still described, as far as it can be
//! read, beside the reason for which it would be refused.
//!
//! Sides move while they are looked at. Of a channel at rest everything here is exact; of one in
//! motion, numbers may stem from moments that are microseconds apart.

mod flow;
mod offers;
mod side;

pub use flow::{Flow, LaneFlow, Parts, ReaderFlow, Values};
pub use offers::OfferSurvey;
pub use side::Side;

use super::codec::{Birth, Channel, Contents, Reader};
use super::error::SegmentError;
use super::kernel;
use super::layout::{
    ChannelEntry, Header, KIND_CHANNELS, LAYOUT_VERSION, LIFECYCLE_BYTE, MAGIC, MAX_CHANNELS,
    MAX_ENDPOINTS, STATE_LIVE, STATE_RETIRED,
};
use super::name::{Directory, SegmentName};
use super::spec::{endpoints_of, table_bytes};
use crate::endpoint::Role;
use crate::ring::geometry::{Discipline, Geometry};
use crate::system::lock;
use rustix::fs::{AtFlags, CWD, FileType, OFlags, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What was found in one file that is called as segments are, or said to be one.
#[derive(Debug)]
pub struct Survey {
    /// The file.
    pub path: PathBuf,
    /// The user id and the name in the file's name, if it is called as segments are.
    pub name: Option<(u32, SegmentName)>,
    /// The file's owner.
    pub owner: u32,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Bytes of memory it takes. Fewer than [`bytes`](Self::bytes) if it has holes.
    pub allocated: u64,
    /// Whether a process has it open.
    pub usage: Usage,
    /// Its header, if it says that it is a segment, of whatever version.
    pub header: Option<HeaderSurvey>,
    /// Those of its channels that can be read.
    pub channels: Vec<ChannelSurvey>,
    /// Why [`Segment::open`](super::Segment::open) would refuse it; then what else is wrong with it.
    pub troubles: Vec<SegmentError>,
}

/// Whether a process has a segment open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// No process has.
    Unused,
    /// At least one has. How many cannot be known.
    Open,
    /// A process is removing it.
    Removing,
    /// That could not be asked.
    Unknown,
}

/// What a segment's header says, believed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderSurvey {
    /// The version of its layout. In others than [`LAYOUT_VERSION`], all that follows but the state
    /// may mean something else.
    pub layout_version: u32,
    /// Who made it, and when.
    pub birth: Birth,
    /// How many bytes it should have.
    pub total_bytes: u64,
    /// Whether it is in use or being removed.
    pub state: HeaderState,
    /// How many channels it should have.
    pub channel_count: u32,
}

/// Whether a segment is in use or being removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderState {
    /// It can be opened.
    Live,
    /// Its removal was decided; the next to open its name finishes it.
    Retired,
    /// A number without a meaning.
    Other(u32),
}

/// One channel of a segment.
#[derive(Clone, Debug)]
pub struct ChannelSurvey {
    /// What errors and tools call it.
    pub label: String,
    /// Describes the message type.
    pub schema: String,
    /// Identifies the message type.
    pub fingerprint: u128,
    /// Its ring.
    pub geometry: Geometry,
    /// Producers, then consumers, as far as they can be read.
    pub sides: Vec<Side>,
    /// What has gone through it; `None` if it cannot be read, the segment is damaged, or it is a directory.
    pub flow: Option<Flow>,
    /// What stands in a directory, the oldest first; `None` if it is none or cannot be read.
    pub offers: Option<Vec<OfferSurvey>>,
}

impl ChannelSurvey {
    /// The sides in this role.
    pub fn sides(&self, role: Role) -> impl Iterator<Item = &Side> {
        self.sides.iter().filter(move |side| side.role == role)
    }

    /// Messages that were sent and not read, if that can be known. A directory has none.
    pub fn unread(&self) -> Option<u64> {
        if self.offers.is_some() {
            return Some(0);
        }
        let flow = self.flow.as_ref()?;
        match &flow.parts {
            // There may be more.
            Parts::Values(values) if values.looked_at < self.geometry.capacity() => None,
            _ => flow.unread.ok(),
        }
    }

    /// How many messages of the ring's capacity are in the way of further ones, if that can be known: of
    /// lanes in the fullest, of a broadcast behind the slowest reader that is waited for. A directory and
    /// latest values have none: nobody waits there.
    pub fn depth(&self) -> Option<u64> {
        let flow = self.flow.as_ref()?;
        let unread = flow.unread.ok()?;
        match &flow.parts {
            Parts::Pair => Some(unread),
            Parts::Lanes(lanes) => {
                Some(lanes.iter().filter_map(|lane| lane.unread.ok()).max().unwrap_or(0))
            }
            Parts::InHand(in_hand) => Some(unread.saturating_sub(*in_hand)),
            Parts::Readers(_) => Some(self.slowest().map_or(0, |reader| reader.behind)),
            Parts::Values(_) => None,
        }
    }

    /// Of lanes and of calls, what has gone through the ring of that sender, if there ever was one.
    pub fn lane(&self, sender: usize) -> Option<&LaneFlow> {
        let Parts::Lanes(lanes) = &self.flow.as_ref()?.parts else { return None };
        lanes.iter().find(|lane| lane.sender == sender)
    }

    /// Of a broadcast, the reader at that place, or the last one there.
    pub fn reader(&self, receiver: usize) -> Option<&ReaderFlow> {
        let Parts::Readers(readers) = &self.flow.as_ref()?.parts else { return None };
        readers.iter().find(|reader| reader.receiver == receiver)
    }

    /// Of a broadcast, the reader that is furthest behind, of those that the sender waits for and whose
    /// processes exist.
    pub fn slowest(&self) -> Option<&ReaderFlow> {
        match &self.flow.as_ref()?.parts {
            Parts::Readers(readers) => flow::broadcast::slowest(readers, &self.sides),
            _ => None,
        }
    }
}

/// Looks at every file in `directory` that is called as segments are, whoever made it; sorted by
/// name.
pub fn list(directory: &Directory) -> Result<Vec<Survey>, SegmentError> {
    let failed = |error| SegmentError::system(directory.path(), "list it")(error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory.path()).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_str().and_then(SegmentName::of_file).is_some() {
            // One that was removed meanwhile is not there.
            found.extend(Survey::of_path(&entry.path())?);
        }
    }
    found.sort_by_cached_key(|survey| {
        let (user, name) = survey.name.as_ref()?;
        Some((name.domain().to_owned(), name.channel().to_owned(), *user))
    });
    Ok(found)
}

/// Who has the segment at `path` open, in words.
pub(super) fn holders(path: &Path) -> String {
    let survey = Survey::of_path(path).ok().flatten();
    survey.map_or_else(|| UNATTACHED.to_owned(), |survey| survey.holders())
}

const UNATTACHED: &str = "a process that is not attached to any channel";

impl Survey {
    /// Looks at one file; `None` if there is none of that name.
    ///
    /// # Errors
    ///
    /// Not even the file's kind and owner can be found out.
    pub fn of_path(path: &Path) -> Result<Option<Self>, SegmentError> {
        let stat = match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(SegmentError::system(path, "inspect it")(error.into())),
        };
        let mut survey = Self::unread(path);
        survey.owner = stat.st_uid;
        survey.bytes = u64::try_from(stat.st_size).unwrap_or(0);
        survey.allocated = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        // Others are not even opened, for that may have effects.
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            survey.troubles.push(SegmentError::invalid(path)(kernel::not_regular(kind)));
            return Ok(Some(survey));
        }
        match kernel::open_file(path, OFlags::RDONLY) {
            Ok(None) => return Ok(None),
            Ok(Some(file)) => survey.read(&file)?,
            Err(error) => survey.troubles.push(error),
        }
        Ok(Some(survey))
    }

    /// Looks at a file that is open already, at `path`. Does not see locks of that description.
    pub(super) fn of_file(file: &File, path: &Path) -> Result<Self, SegmentError> {
        let mut survey = Self::unread(path);
        survey.read(file)?;
        Ok(survey)
    }

    /// What its name tells.
    fn unread(path: &Path) -> Self {
        let file_name = path.file_name().and_then(|name| name.to_str());
        Self {
            path: path.to_owned(),
            name: file_name.and_then(SegmentName::of_file),
            owner: 0,
            bytes: 0,
            allocated: 0,
            usage: Usage::Unknown,
            header: None,
            channels: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Adds what the file tells.
    fn read(&mut self, file: &File) -> Result<(), SegmentError> {
        let path = self.path.clone();
        let data = file.metadata().map_err(SegmentError::system(&path, "inspect it"))?;
        (self.owner, self.bytes) = (data.uid(), data.len());
        self.allocated = data.blocks().saturating_mul(512);
        self.troubles.extend(kernel::check_owner(file, &path).err());
        self.usage = Usage::of(file);
        match kernel::read_header(file) {
            Ok((page, size)) => self.read_contents(file, &page, size),
            Err(error) => {
                self.troubles.push(SegmentError::system(&path, "read its header")(error));
            }
        }
        Ok(())
    }

    fn read_contents(&mut self, file: &File, page: &[u8], size: u64) {
        let path = &self.path;
        let mut invalid = |fault| self.troubles.push(SegmentError::invalid(path)(fault));
        if let Err(fault) = kernel::check_length(size) {
            return invalid(fault);
        }
        let header = Reader(page);
        self.header = HeaderSurvey::read(header);
        let count = header.u32(offset_of!(Header, channel_count)).min(MAX_CHANNELS);
        let bytes = table_bytes(count, size_of::<ChannelEntry>());
        let table = read_up_to(file, header.u64(offset_of!(Header, channel_table)), bytes, size);
        let validated = Contents::decode(page, size).and_then(|contents| {
            contents.channel_table()?;
            contents.decode_channels(&table)
        });
        let whole = validated.is_ok();
        validated.map_or_else(invalid, drop);

        let known = |header: &HeaderSurvey| header.layout_version == LAYOUT_VERSION;
        if !self.header.as_ref().is_some_and(known)
            || header.u32(offset_of!(Header, kind)) != KIND_CHANNELS
        {
            return;
        }
        let endpoints = header.u64(offset_of!(Header, endpoint_table));
        let entries = table.chunks_exact(size_of::<ChannelEntry>()).zip(0..);
        let channels = entries.filter_map(|(entry, index)| {
            let channel = Channel::decode(Reader(entry), index).ok()?;
            let first = channel.first_endpoint.min(MAX_ENDPOINTS);
            let producers = first + channel.geometry.discipline().sides().0;
            let sides = first..first + endpoints_of(&channel.geometry);
            let role = |slot| if slot < producers { Role::Producer } else { Role::Consumer };
            let sides = Side::read_all(file, endpoints, sides, role);
            // In a damaged segment, a thousand rings might lie in the same place.
            let flow = if whole { Flow::read(file, &channel, &sides).ok().flatten() } else { None };
            let is_directory =
                matches!(channel.geometry.discipline(), Discipline::Directory { .. });
            let offers = (whole && is_directory)
                .then(|| OfferSurvey::read_all(file, &channel, &sides).ok())
                .flatten();
            Some(ChannelSurvey {
                sides,
                flow,
                offers,
                label: channel.label,
                schema: channel.schema,
                fingerprint: channel.fingerprint,
                geometry: channel.geometry,
            })
        });
        self.channels = channels.collect();
    }

    /// Messages that were sent and not read, in all channels; `None` unless that is known of all.
    /// Those in a retired segment do not count: they were given up when that was decided.
    pub fn unread_messages(&self) -> Option<u64> {
        let retired = self.header?.state == HeaderState::Retired;
        if retired || !self.troubles.is_empty() {
            return None;
        }
        self.channels.iter().map(ChannelSurvey::unread).sum()
    }

    /// The sides whose processes exist, paused ones included.
    pub fn attached(&self) -> impl Iterator<Item = &Side> {
        let sides = self.channels.iter().flat_map(|channel| &channel.sides);
        sides.filter(|side| side.condition.lives())
    }

    /// "pid 4711 feed-handler, pid …": who has it open, as far as that is known.
    pub fn holders(&self) -> String {
        let mut found: Vec<String> = self.attached().filter_map(Side::who).collect();
        found.dedup();
        match self.usage {
            Usage::Removing => "a process that is removing it".to_owned(),
            _ if found.is_empty() => UNATTACHED.to_owned(),
            _ => found.join(", "),
        }
    }
}

impl Usage {
    /// Asks about the lifecycle lock.
    fn of(file: &File) -> Self {
        match (lock::is_held(file, LIFECYCLE_BYTE), lock::is_taken(file, LIFECYCLE_BYTE)) {
            (Ok(true), _) => Self::Removing,
            (Ok(false), Ok(true)) => Self::Open,
            (Ok(false), Ok(false)) => Self::Unused,
            (Err(_), _) | (_, Err(_)) => Self::Unknown,
        }
    }
}

impl HeaderSurvey {
    fn read(header: Reader<'_>) -> Option<Self> {
        if header.u64(offset_of!(Header, magic)) != MAGIC {
            return None;
        }
        Some(Self {
            layout_version: header.u32(offset_of!(Header, layout_version)),
            birth: Birth::read(header),
            total_bytes: header.u64(offset_of!(Header, total_bytes)),
            state: match header.u32(offset_of!(Header, state)) {
                STATE_LIVE => HeaderState::Live,
                STATE_RETIRED => HeaderState::Retired,
                other => HeaderState::Other(other),
            },
            channel_count: header.u32(offset_of!(Header, channel_count)),
        })
    }
}

/// As many of the `len` bytes from `offset` on as a file of `size` bytes has.
fn read_up_to(file: &File, offset: u64, len: u64, size: u64) -> Vec<u8> {
    let len = len.min(size.saturating_sub(offset));
    // A table: 4 MiB at most.
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

/// The bytes at `offset`, all of them.
fn read_array<const N: usize>(file: &File, offset: Option<u64>) -> io::Result<[u8; N]> {
    let offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
