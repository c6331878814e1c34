//! From a name, a type and a few choices to a sender or a receiver.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Channel`]: find the channel or make it, see that it is the one that was asked for |
//! | `choices` | what may be chosen for every channel |
//! | `content` | what the ring must know of the messages |
//! | [`kind`] | what may be chosen for those of one discipline |
//! | `lanes` | [`Lanes`]: take a side of a channel of lanes |
//! | `ring` | take over half of a single-producer single-consumer ring |
//! | `spsc` | [`Spsc`]: take a side of a single-producer single-consumer channel |
//! | `mpmc` | [`Mpmc`]: take a side of a channel with several on both |
//! | `broadcast` | [`Broadcast`]: send, receive or observe |
//! | `latest` | [`Latest`]: write or read |

mod broadcast;
mod choices;
mod content;
pub mod kind;
mod lanes;
mod latest;
mod mpmc;
mod ring;
mod spsc;

pub use broadcast::Broadcast;
pub(super) use content::Content;
use kind::Kind;
pub use lanes::Lanes;
pub use latest::Latest;
pub use mpmc::Mpmc;
pub(super) use ring::side_of;
pub use spsc::Spsc;

use crate::channel::bytes::Bytes;
use crate::channel::error::{OpenError, TypeMismatch};
use crate::channel::trust::{Checked, Trust};
use crate::channel::wait::{Patience, Wait};
use crate::message::{Difference, Fingerprint, Message, compare, type_name};
use crate::ring::geometry::{CellFormat, Geometry, GeometryError, Store};
use crate::segment::{
    ChannelInfo, ChannelSpec, Directory, MapOptions, NameError, Segment, SegmentError, SegmentName,
    SegmentSpec,
};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use strait_pools::environment::WaitSlice;

/// What a sender does when the ring is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFull {
    /// Wait for room.
    #[default]
    Block,
    /// Return [`SendError::Full`](super::SendError::Full).
    Fail,
    /// Drop the message that found the ring full, and count it.
    DropNewest,
}

/// Cells of a channel that was not given a capacity.
const DEFAULT_CAPACITY: u64 = 1024;

/// Bytes a body holds by default where messages vary in length: four lines, less the head.
const DEFAULT_VARIABLE_LEN: usize = 240;

/// A channel about to be opened: [`Spsc`] and the others of its kind.
///
/// Any side may come first: whoever does makes the channel, with the geometry it asked for or
/// the defaults; the others take it as they find it, and disagreement about what was *asked for* is
/// an error. `K` says of which discipline it is, and `T` is a message type, or [`Bytes`].
#[derive(Clone, Debug)]
#[must_use = "a channel is opened by `sender()`, `receiver()` and their like"]
pub struct Channel<K, T, V = Checked> {
    pub(super) kind: K,
    place: Place,
    capacity: Option<u64>,
    cell: Option<AskedCell>,
    schema: String,
    store: Store,
    pub(super) on_full: OnFull,
    wait: Option<Wait>,
    parking: bool,
    pauses: u32,
    spin: Option<Duration>,
    slice: WaitSlice,
    map: MapOptions,
    /// Whose channel to observe, if another user's.
    owner: Option<u32>,
    of: PhantomData<fn() -> (T, V)>,
}

/// Where the channel is.
#[derive(Clone, Debug)]
enum Place {
    Named(Directory, Result<SegmentName, NameError>),
    Unnamed(String),
    Local(String),
    Given(Arc<Segment>),
}

#[derive(Clone, Copy, Debug)]
enum AskedCell {
    MaxLen(usize),
    Dense,
}

impl<K: Kind, T, V: Trust> Channel<K, T, V> {
    /// The channel `channel` of `domain`, a file in `directory`.
    pub fn named(directory: Directory, domain: &str, channel: &str) -> Self {
        Self::at(Place::Named(directory, SegmentName::new(domain, channel)))
    }

    /// A channel without a name, for `segment` and `pair`. `label` is
    /// what errors call it.
    pub fn unnamed(label: &str) -> Self {
        Self::at(Place::Unnamed(label.to_owned()))
    }

    /// A channel between threads of this process, for `pair` and its like: without a file, a descriptor or
    /// a lock of the kernel's. All else is the same. `label` is what errors call it.
    pub fn local(label: &str) -> Self {
        Self::at(Place::Local(label.to_owned()))
    }

    /// The channel that `segment` holds, which came by `segment` or by descriptor.
    pub fn given(segment: Arc<Segment>) -> Self {
        Self::at(Place::Given(segment))
    }

    fn at(place: Place) -> Self {
        Self {
            kind: K::default(),
            place,
            capacity: None,
            cell: None,
            schema: String::new(),
            store: Store::None,
            on_full: OnFull::default(),
            wait: None,
            parking: false,
            pauses: 0,
            spin: None,
            slice: WaitSlice::default(),
            map: MapOptions::default(),
            owner: None,
            of: PhantomData,
        }
    }

    pub(super) fn label(&self) -> String {
        match &self.place {
            Place::Named(_, Ok(name)) => name.channel().to_owned(),
            Place::Named(_, Err(_)) => String::new(),
            Place::Unnamed(label) | Place::Local(label) => label.clone(),
            Place::Given(segment) => {
                segment.channels().first().map(|info| info.label().to_owned()).unwrap_or_default()
            }
        }
    }

    pub(super) fn geometry(&self, content: &Content<'_>) -> Result<Geometry, OpenError> {
        let format = || match self.cell {
            Some(AskedCell::Dense) => Ok(CellFormat::Dense),
            Some(AskedCell::MaxLen(len)) => CellFormat::wide_for(len),
            None => CellFormat::wide_for(content.usual),
        };
        let geometry = format()
            .and_then(|cell| Geometry::new(self.capacity.unwrap_or(DEFAULT_CAPACITY), cell))
            .and_then(|geometry| geometry.with_discipline(self.kind.discipline()))
            .and_then(|geometry| geometry.with_store(self.store));
        let geometry = geometry.map_err(|source: GeometryError| OpenError::Geometry {
            channel: self.label(),
            source,
        })?;
        // Asked before anything is made: a refusal must not leave a channel of that geometry behind.
        content.fits(geometry, &self.label())?;
        Ok(geometry.with_parking(self.asks_for_parking()))
    }

    fn asks_for_parking(&self) -> bool {
        self.parking || self.wait.is_some_and(Wait::sleeps)
    }

    fn find_or_make(&self, content: &Content<'_>) -> Result<Arc<Segment>, OpenError> {
        let geometry = self.geometry(content)?;
        match &self.place {
            Place::Given(segment) => Ok(Arc::clone(segment)),
            Place::Unnamed(label) | Place::Local(label) => {
                Err(OpenError::Unnamed { channel: label.clone() })
            }
            Place::Named(directory, name) => {
                let name = name.as_ref().map_err(NameError::clone)?;
                let own = rustix::process::geteuid().as_raw();
                if let Some(owner) = self.owner.filter(|&owner| owner != own) {
                    let path = name.path_of(directory, owner);
                    return Err(SegmentError::Foreign { path, owner, own }.into());
                }
                let channels = [spec(name.channel(), geometry, content)];
                let spec = SegmentSpec { channels: &channels };
                Ok(Arc::new(Segment::open_or_create(directory, name, &spec, self.map)?))
            }
        }
    }

    /// Whether the channel that exists is the one that was asked for.
    fn agree(&self, info: &ChannelInfo, content: &Content<'_>) -> Result<(), OpenError> {
        let channel = info.label().to_owned();
        let found = Fingerprint::from_bits(info.fingerprint());
        if found != content.fingerprint {
            return Err(OpenError::TypeMismatch(Box::new(TypeMismatch {
                channel,
                expected: type_name(content.schema).to_owned(),
                expected_fingerprint: content.fingerprint,
                found: type_name(info.schema()).to_owned(),
                found_fingerprint: found,
                // The texts of byte channels are in their users' words, and need no grammar.
                difference: compare(content.schema, info.schema())
                    .err()
                    .filter(|difference| !matches!(difference, Difference::Unreadable { .. })),
            })));
        }
        let geometry = info.geometry();
        let discipline = geometry.discipline();
        let mismatch = |what, asked: String, found: String| {
            Err(OpenError::GeometryMismatch { channel: channel.clone(), what, asked, found })
        };
        if !self.kind.accepts(discipline) {
            let asked = self.kind.discipline().to_string();
            return mismatch("sides:", asked, discipline.to_string());
        }
        if let Some(asked) = self.capacity.filter(|&asked| asked != geometry.capacity()) {
            return mismatch("capacity", asked.to_string(), geometry.capacity().to_string());
        }
        if self.cell.is_some() {
            let asked = self.geometry(content)?.cell();
            if asked != geometry.cell() {
                return mismatch("cells of", asked.to_string(), geometry.cell().to_string());
            }
        }
        if self.store != Store::None && self.store != geometry.store() {
            return mismatch(
                "room for large messages:",
                self.store.to_string(),
                geometry.store().to_string(),
            );
        }
        if self.asks_for_parking() && !geometry.parking() {
            let (asked, found) = ("sides that may sleep", "never sleep");
            return mismatch("sides that", asked.to_owned(), found.to_owned());
        }
        content.fits(geometry, &channel)
    }

    /// The same channel, in a segment that holds it.
    pub(super) fn in_segment(self, segment: Arc<Segment>) -> Self {
        Self { place: Place::Given(segment), ..self }
    }

    /// The segment of the channel, found or made, once it is seen to be the one asked for.
    pub(super) fn find(&self, content: &Content<'_>) -> Result<Arc<Segment>, OpenError> {
        let segment = self.find_or_make(content)?;
        self.agree(channel_of(&segment)?, content)?;
        Ok(segment)
    }

    /// The segment of a channel that somebody else has made, whatever is in its messages.
    pub(super) fn find_made(&self) -> Result<Arc<Segment>, OpenError> {
        let segment = match &self.place {
            Place::Given(segment) => Arc::clone(segment),
            Place::Unnamed(label) | Place::Local(label) => {
                return Err(OpenError::Unnamed { channel: label.clone() });
            }
            Place::Named(directory, name) => {
                let name = name.as_ref().map_err(NameError::clone)?;
                Arc::new(Segment::open(directory, name, self.map)?)
            }
        };
        let info = channel_of(&segment)?;
        let found = info.geometry().discipline();
        if !self.kind.accepts(found) {
            let (asked, found) = (self.kind.discipline().to_string(), found.to_string());
            let channel = info.label().to_owned();
            return Err(OpenError::GeometryMismatch { channel, what: "sides:", asked, found });
        }
        Ok(segment)
    }

    /// Removes the channel if nobody has it open.
    pub(super) fn remove(&self) -> Result<(), OpenError> {
        if let Place::Named(directory, Ok(name)) = &self.place {
            Segment::remove(directory, name)?;
        }
        Ok(())
    }

    /// How a side of a channel waits whose sides may sleep, or not.
    pub(super) fn patience(&self, parking: bool) -> Patience {
        let fitting = if parking { Wait::Adaptive } else { Wait::BusySpin };
        let wait = self.wait.unwrap_or(fitting);
        Patience::new(wait, self.pauses, self.spin, self.slice)
    }

    pub(in crate::channel) fn make_segment(
        &self,
        content: &Content<'_>,
    ) -> Result<Segment, OpenError> {
        let label = self.label();
        let channels = [spec(&label, self.geometry(content)?, content)];
        let make = match self.place {
            Place::Local(_) => Segment::local,
            _ => Segment::in_memory,
        };
        Ok(make(&SegmentSpec { channels: &channels }, self.map)?)
    }
}

/// The one channel of the segment.
pub(super) fn channel_of(segment: &Segment) -> Result<&ChannelInfo, OpenError> {
    match segment.channels() {
        [info] => Ok(info),
        others => Err(OpenError::ChannelCount(others.len())),
    }
}

fn spec<'a>(label: &'a str, geometry: Geometry, content: &Content<'a>) -> ChannelSpec<'a> {
    ChannelSpec { label, geometry, fingerprint: content.fingerprint.bits(), schema: content.schema }
}

impl<K: Kind, T: Message, V: Trust> Channel<K, T, V> {
    pub(in crate::channel) fn typed() -> Content<'static> {
        let root = size_of::<T::Archived>();
        Content {
            fingerprint: T::FINGERPRINT,
            schema: T::SCHEMA,
            least: root,
            usual: if T::PLAIN { root } else { root.max(DEFAULT_VARIABLE_LEN) },
            fixed: T::PLAIN,
        }
    }
}

impl<K: Kind, V: Trust> Channel<K, Bytes, V> {
    /// What the bytes mean, in at most 2048 bytes of text: both sides must state the same.
    pub fn schema(mut self, text: &str) -> Self {
        text.clone_into(&mut self.schema);
        self
    }

    pub(in crate::channel) fn bytes(&self) -> Content<'_> {
        let dense = matches!(self.cell, Some(AskedCell::Dense));
        Content {
            fingerprint: Fingerprint::of(&self.schema),
            schema: &self.schema,
            least: if dense { 8 } else { 0 },
            usual: DEFAULT_VARIABLE_LEN,
            fixed: dense,
        }
    }
}
