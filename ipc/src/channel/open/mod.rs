//! From a name, a type and a few choices to a sender or a receiver.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Spsc`]: find the channel or make it, see that it is the one that was asked for, take a side |
//! | `choices` | what may be chosen |
//! | `content` | what the ring must know of the messages |

mod choices;
mod content;

pub(super) use content::Content;

use crate::channel::bytes::{Bytes, BytesReceiver, BytesSender, Supply};
use crate::channel::error::{OpenError, TypeMismatch};
use crate::channel::link::{Cells, Link, map_blocks, map_ring};
use crate::channel::receiver::Receiver;
use crate::channel::ringing::ringer;
use crate::channel::sender::Sender;
use crate::channel::standby::Standby;
use crate::channel::trust::{Checked, Trust};
use crate::channel::wait::{Patience, Wait};
use crate::endpoint::{Endpoint, Predecessor, Role};
use crate::message::{Difference, Fingerprint, Message, compare, type_name};
use crate::ring::blocks::{Blocks, Owner};
use crate::ring::geometry::{CellFormat, Geometry, GeometryError, Store};
use crate::ring::parking::Ringer;
use crate::ring::spsc::{Consumer, Producer, Words};
use crate::segment::{
    ChannelInfo, ChannelSpec, Directory, Discipline, MapOptions, NameError, Segment, SegmentName,
    SegmentSpec,
};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use strait_pools::environment::WaitSlice;
use strait_pools::placement::Mapped;

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

/// A single-producer single-consumer channel about to be opened.
///
/// Either side may come first: whoever does makes the channel, with the geometry it asked for or
/// the defaults; the other takes it as it finds it, and disagreement about what was *asked for* is
/// an error. `T` is a message type, or [`Bytes`].
#[derive(Debug)]
#[must_use = "a channel is opened by `sender()` or `receiver()`"]
pub struct Spsc<T, V = Checked> {
    place: Place,
    capacity: Option<u64>,
    cell: Option<AskedCell>,
    schema: String,
    store: Store,
    on_full: OnFull,
    wait: Option<Wait>,
    parking: bool,
    pauses: u32,
    spin: Option<Duration>,
    slice: WaitSlice,
    map: MapOptions,
    of: PhantomData<fn() -> (T, V)>,
}

/// Where the channel is.
#[derive(Clone, Debug)]
enum Place {
    Named(Directory, Result<SegmentName, NameError>),
    Unnamed(String),
    Given(Arc<Segment>),
}

#[derive(Clone, Copy, Debug)]
enum AskedCell {
    MaxLen(usize),
    Dense,
}

impl<T, V: Trust> Spsc<T, V> {
    /// The channel `channel` of `domain`, a file in `directory`.
    pub fn named(directory: Directory, domain: &str, channel: &str) -> Self {
        Self::at(Place::Named(directory, SegmentName::new(domain, channel)))
    }

    /// A channel without a name, for [`segment`](Spsc::segment) and [`pair`](Spsc::pair). `label` is
    /// what errors call it.
    pub fn unnamed(label: &str) -> Self {
        Self::at(Place::Unnamed(label.to_owned()))
    }

    /// The only channel of `segment`, which came by [`segment`](Spsc::segment) or by descriptor.
    pub fn given(segment: Arc<Segment>) -> Self {
        Self::at(Place::Given(segment))
    }

    fn at(place: Place) -> Self {
        Self {
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
            of: PhantomData,
        }
    }

    fn label(&self) -> String {
        match &self.place {
            Place::Named(_, Ok(name)) => name.channel().to_owned(),
            Place::Named(_, Err(_)) => String::new(),
            Place::Unnamed(label) => label.clone(),
            Place::Given(segment) => {
                segment.channels().first().map(|info| info.label().to_owned()).unwrap_or_default()
            }
        }
    }

    fn geometry(&self, content: &Content<'_>) -> Result<Geometry, OpenError> {
        let format = || match self.cell {
            Some(AskedCell::Dense) => Ok(CellFormat::Dense),
            Some(AskedCell::MaxLen(len)) => CellFormat::wide_for(len),
            None => CellFormat::wide_for(content.usual),
        };
        let geometry = format()
            .and_then(|cell| Geometry::new(self.capacity.unwrap_or(DEFAULT_CAPACITY), cell))
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
            Place::Unnamed(label) => Err(OpenError::Unnamed { channel: label.clone() }),
            Place::Named(directory, name) => {
                let name = name.as_ref().map_err(NameError::clone)?;
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
        let mismatch = |what, asked: String, found: String| {
            Err(OpenError::GeometryMismatch { channel: channel.clone(), what, asked, found })
        };
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

    /// The segment of the channel, found or made, once it is seen to be the one asked for.
    fn find(&self, content: &Content<'_>) -> Result<Arc<Segment>, OpenError> {
        let segment = self.find_or_make(content)?;
        self.agree(channel_of(&segment)?, content)?;
        Ok(segment)
    }

    /// Takes a side of the channel at once.
    fn attach(
        &self,
        role: Role,
        content: &Content<'_>,
    ) -> Result<(Arc<Segment>, Endpoint), OpenError> {
        let segment = self.find(content)?;
        let endpoint = Endpoint::attach(&segment, channel_of(&segment)?.endpoint(role), role)?;
        Ok((segment, endpoint))
    }

    /// What a side needs besides its half of the ring.
    fn tie(
        &self,
        segment: Arc<Segment>,
        endpoint: Endpoint,
        role: Role,
        content: &Content<'_>,
    ) -> Result<Opened, OpenError> {
        let info = channel_of(&segment)?;
        let peer = info.endpoint(role.other());
        // SAFETY: the link keeps the segment mapped, and lives beside the ring's sides.
        let (words, cells) = unsafe { map_ring(info, content.least) };
        let me = Owner::new(info.endpoint(role), endpoint.epoch());
        // SAFETY: as above; what is kept keeps the segment mapped as well.
        let blocks = unsafe { map_blocks(info) }.map(|blocks| (blocks, me));
        let channel = info.label().to_owned();
        let parking = info.geometry().parking();
        let fitting = if parking { Wait::Adaptive } else { Wait::BusySpin };
        let wait = self.wait.unwrap_or(fitting);
        let patience = Patience::new(wait, self.pauses, self.spin, self.slice);
        let link = Link::new(segment, endpoint, peer, channel, patience, parking)?;
        let ringer = parking.then(ringer);
        Ok(Opened { words, cells, blocks, link, ringer })
    }

    fn open_sender(&self, content: &Content<'_>) -> Result<BytesSender, OpenError> {
        let role = Role::Producer;
        let (segment, endpoint) = self.attach(role, content)?;
        let opened = self.tie(segment, endpoint, role, content)?;
        let Opened { words, cells, blocks, link, ringer } = opened;
        let taken = Producer::take_over(words, ringer).and_then(|mut producer| {
            let supply = Supply::adopt(&mut producer, &cells, blocks)?;
            Ok((producer, supply))
        });
        match taken {
            Ok((producer, supply)) => {
                Ok(BytesSender::new(producer, cells, supply, self.on_full, link))
            }
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }

    fn open_receiver(&self, content: &Content<'_>) -> Result<BytesReceiver, OpenError> {
        let (segment, endpoint) = self.attach(Role::Consumer, content)?;
        self.receive(segment, endpoint, content)
    }

    /// Takes the receiving half of the ring over. The endpoint is held.
    pub(super) fn receive(
        &self,
        segment: Arc<Segment>,
        endpoint: Endpoint,
        content: &Content<'_>,
    ) -> Result<BytesReceiver, OpenError> {
        let died = matches!(endpoint.predecessor(), Predecessor::Died { .. });
        let role = Role::Consumer;
        let opened = self.tie(segment, endpoint, role, content)?;
        let Opened { words, cells, blocks, link, ringer } = opened;
        match Consumer::take_over(words, died, ringer) {
            Ok(consumer) => Ok(BytesReceiver::new(consumer, cells, blocks, link)),
            Err(source) => Err(OpenError::Corrupt { channel: link.abandon(), source }),
        }
    }

    fn make_segment(&self, content: &Content<'_>) -> Result<Segment, OpenError> {
        let label = self.label();
        let channels = [spec(&label, self.geometry(content)?, content)];
        Ok(Segment::in_memory(&SegmentSpec { channels: &channels }, self.map)?)
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
    ChannelSpec {
        label,
        discipline: Discipline::Spsc,
        geometry,
        fingerprint: content.fingerprint.bits(),
        schema: content.schema,
    }
}

/// An attached channel before its side is taken over.
struct Opened {
    words: Words<Mapped>,
    cells: Cells,
    /// With the name by which this side owns some of them.
    blocks: Option<(Blocks<Mapped>, Owner)>,
    link: Link,
    /// On channels whose sides may sleep.
    ringer: Option<Ringer>,
}

impl<T: Message, V: Trust> Spsc<T, V> {
    pub(super) fn content() -> Content<'static> {
        let root = size_of::<T::Archived>();
        Content {
            fingerprint: T::FINGERPRINT,
            schema: T::SCHEMA,
            least: root,
            usual: if T::PLAIN { root } else { root.max(DEFAULT_VARIABLE_LEN) },
            fixed: T::PLAIN,
        }
    }

    /// Opens the sending side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]: the role is taken by a live process, the channel was made for another
    /// type or geometry, the segment is not one, or the system refused.
    pub fn sender(self) -> Result<Sender<T>, OpenError> {
        Ok(Sender::new(self.open_sender(&Self::content())?))
    }

    /// Opens the receiving side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Spsc::sender).
    pub fn receiver(self) -> Result<Receiver<T, V>, OpenError> {
        Ok(Receiver::new(self.open_receiver(&Self::content())?))
    }

    /// Opens the channel to become its receiver when the present one closes or dies.
    ///
    /// # Errors
    ///
    /// As for [`sender`](Spsc::sender), except that nobody has the role yet.
    pub fn standby(self) -> Result<Standby<T, V>, OpenError> {
        Ok(Standby::new(self.find(&Self::content())?, self))
    }

    /// Makes a segment without a name that holds this one channel, to hand to another process by
    /// its [`descriptor`](Segment::descriptor). Both sides open it with [`Spsc::given`].
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&Self::content())
    }

    /// Both sides at once, in a segment without a name: for two threads of this process.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Spsc::segment).
    pub fn pair(self) -> Result<(Sender<T>, Receiver<T, V>), OpenError> {
        let content = Self::content();
        let both = Self { place: Place::Given(Arc::new(self.make_segment(&content)?)), ..self };
        let sender = Sender::new(both.open_sender(&content)?);
        Ok((sender, Receiver::new(both.open_receiver(&content)?)))
    }
}

impl<V: Trust> Spsc<Bytes, V> {
    /// What the bytes mean, in at most 2048 bytes of text: both sides must state the same.
    pub fn schema(mut self, text: &str) -> Self {
        text.clone_into(&mut self.schema);
        self
    }

    pub(super) fn content(&self) -> Content<'_> {
        let dense = matches!(self.cell, Some(AskedCell::Dense));
        Content {
            fingerprint: Fingerprint::of(&self.schema),
            schema: &self.schema,
            least: if dense { 8 } else { 0 },
            usual: DEFAULT_VARIABLE_LEN,
            fixed: dense,
        }
    }

    /// Opens the sending side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn sender(self) -> Result<BytesSender, OpenError> {
        self.open_sender(&self.content())
    }

    /// Opens the receiving side, making the channel if it does not exist.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn receiver(self) -> Result<BytesReceiver, OpenError> {
        self.open_receiver(&self.content())
    }

    /// Opens the channel to become its receiver when the present one closes or dies.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn standby(self) -> Result<Standby<Bytes, V>, OpenError> {
        Ok(Standby::new(self.find(&self.content())?, self))
    }

    /// Makes a segment without a name that holds this one channel, to hand to another process by
    /// its [`descriptor`](Segment::descriptor).
    ///
    /// # Errors
    ///
    /// The geometry is refused, or there is no memory.
    pub fn segment(self) -> Result<Segment, OpenError> {
        self.make_segment(&self.content())
    }

    /// Both sides at once, in a segment without a name: for two threads of this process.
    ///
    /// # Errors
    ///
    /// As for [`segment`](Spsc::segment).
    pub fn pair(self) -> Result<(BytesSender, BytesReceiver), OpenError> {
        let segment = Place::Given(Arc::new(self.make_segment(&self.content())?));
        let both = Self { place: segment, ..self };
        let sender = both.open_sender(&both.content())?;
        Ok((sender, both.open_receiver(&both.content())?))
    }
}
