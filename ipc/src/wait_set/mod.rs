//! One wait for many things: channels, timers, deadlines, other descriptors.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`WaitSet`]: attach, wait, detach |
//! | [`source`] | what a side of a channel must tell to be waited for |
//! | `agenda` | what is due when |
//!
//! Descriptors wait in an `epoll`, level-triggered: a source that is not served is reported again, after
//! all others that are ready have had their turn. Everything that has to do with time is an agenda,
//! whose next entry bounds the wait: timers, deadlines, and the slice of each channel, at whose end the
//! kernel is asked whether the other side still lives.

mod agenda;
pub mod source;

use crate::channel::DescriptorError;
use agenda::{Agenda, Item};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::{Errno, read, write};
use source::{Source, Watch};
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use strait_pools::environment::Peer;

/// What was attached to a [`WaitSet`]. No two have the same key, not even one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A channel has a message or room, or the other side is gone; a descriptor is ready. There may be
    /// nothing after all: use calls that do not wait.
    Ready(Key),
    /// A timer's time has come; once, if it has come more than once since the last wait.
    Timer(Key),
    /// A source with a deadline has not been ready for that long.
    Missed(Key),
}

/// For what a foreign descriptor is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That there is something to read.
    Readable,
    /// That there is room to write.
    Writable,
}

/// Waits for many things at once.
///
/// Clones are the same set: while one thread waits, others attach and detach, and the wait goes on
/// with what is attached then.
///
/// *Serve each event for a bounded time*: take some messages of a channel that is ready, and not until
/// there are none. What is left is reported by the next wait, behind all other sources that are ready,
/// so no busy source keeps another from its turn.
///
/// ```
/// # use strait_ipc::channel::{Spsc, Wait};
/// # use strait_ipc::wait_set::{Event, WaitSet};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut sender, mut receiver) = Spsc::<u64>::unnamed("ticks").wait(Wait::Park).pair()?;
/// let set = WaitSet::new()?;
/// let ticks = set.attach(&mut receiver)?;
/// let second = set.attach_timer(Duration::from_secs(1))?;
/// sender.send(&7)?;
/// let mut events = Vec::new();
/// set.wait(&mut events, None)?;
/// for event in &events {
///     match *event {
///         Event::Ready(key) if key == ticks => {
///             receiver.drain(32, |tick| assert_eq!(*tick, 7))?;
///         }
///         Event::Timer(key) if key == second => println!("a second has passed"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WaitSet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    /// Made readable when the agenda has changed under a thread that waits.
    changed: OwnedFd,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    /// The key given out last; 0 is none.
    last: u64,
    by_key: BTreeMap<Key, Entry>,
    agenda: Agenda,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// How long it may stay silent.
    deadline: Option<Duration>,
}

#[derive(Debug)]
enum Kind {
    /// A duplicate of its descriptor, by which it leaves the epoll, whatever became of the original.
    Channel(OwnedFd, Watch),
    Descriptor(OwnedFd),
    Timer(Duration),
}

/// The token of `changed` in the epoll.
const CHANGED: u64 = 0;

/// Events fetched from the kernel at a time. The kernel puts those that it reported at the end of its
/// list, so more sources than these take turns.
const FETCHED: usize = 64;

impl WaitSet {
    /// A set with nothing in it.
    ///
    /// # Errors
    ///
    /// The system has no descriptor to spare.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let changed = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let token = epoll::EventData::new_u64(CHANGED);
        epoll::add(&epoll, &changed, token, epoll::EventFlags::IN)?;
        let shared = Shared { epoll, changed, entries: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Waits for a side of a channel: a receiver for messages, a sender for room. It is reported as
    /// ready once at the beginning; from then on, once a call that does not wait
    /// (`try_recv`, `drain`, `try_send`, …) has found nothing to do, it is reported when that changes.
    ///
    /// Detach it before it is dropped; otherwise the set holds a descriptor of its for nothing.
    ///
    /// # Errors
    ///
    /// The channel was made for sides that never sleep, or the system refuses.
    pub fn attach(&self, source: &mut impl Source) -> Result<Key, DescriptorError> {
        let attachment = source.attachment()?;
        let label = attachment.channel;
        let failed = |source| DescriptorError::System { channel: label.to_owned(), source };
        let own = attachment.descriptor.try_clone_to_owned().map_err(failed)?;
        let kind = Kind::Channel(own, attachment.watch);
        self.enter(kind, Interest::Readable).map_err(failed)
    }

    /// Waits for a descriptor of whatever else. The set waits for a duplicate of it.
    ///
    /// # Errors
    ///
    /// It is of a kind that cannot be waited for (such as a regular file), or the system refuses.
    pub fn attach_descriptor(&self, descriptor: impl AsFd, interest: Interest) -> io::Result<Key> {
        let own = descriptor.as_fd().try_clone_to_owned()?;
        self.enter(Kind::Descriptor(own), interest)
    }

    /// Reports every `period`, from one period from now on.
    ///
    /// # Errors
    ///
    /// The system refuses to wake a thread that waits already; or the period is zero.
    pub fn attach_timer(&self, period: Duration) -> io::Result<Key> {
        if period.is_zero() {
            let message = "a timer without a period would never let anybody wait";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.enter(Kind::Timer(period), Interest::Readable)
    }

    /// Reports [`Event::Missed`] each time the source has not been ready for so long; `None` ends
    /// that. `false` if it is not attached.
    pub fn set_deadline(&self, key: Key, within: Option<Duration>) -> bool {
        let mut entries = self.entries();
        let Entries { by_key, agenda, .. } = &mut *entries;
        let Some(entry) = by_key.get_mut(&key) else { return false };
        agenda.remove(key, Item::Deadline);
        entry.deadline = within;
        if let Some(within) = within {
            agenda.enter(key, Item::Deadline, Instant::now(), within);
        }
        drop(entries);
        self.shared.tell();
        true
    }

    /// Ends the wait for what was attached; `false` if it is not. No later wait reports it, nor does
    /// one that is under way, unless it has ended already.
    pub fn detach(&self, key: Key) -> bool {
        let mut entries = self.entries();
        let Some(entry) = entries.by_key.remove(&key) else { return false };
        for item in [Item::Timer, Item::Deadline, Item::Slice] {
            entries.agenda.remove(key, item);
        }
        if let Kind::Channel(descriptor, _) | Kind::Descriptor(descriptor) = entry.kind {
            // It was added under this descriptor, and nobody else closes or removes it.
            let _ = epoll::delete(&self.shared.epoll, &descriptor);
        }
        true
    }

    /// Waits until something happens, for `timeout` at most (`None`: without end), and puts what
    /// happened into `events`, in place of what was there. Empty after a timeout.
    ///
    /// Several threads may wait at a time; a source that stays ready is then reported to each.
    ///
    /// # Errors
    ///
    /// The system refuses to wait, which it does for no known reason.
    pub fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let now = Instant::now();
            let due = self.entries().agenda.next().into_iter().chain(end).min();
            self.fetch(events, due.map(|due| due.saturating_duration_since(now)))?;
            let now = Instant::now();
            self.entries().perform(events, now);
            if !events.is_empty() || end.is_some_and(|end| now >= end) {
                return Ok(());
            }
        }
    }

    /// Waits for descriptors, and adds those that are ready.
    fn fetch(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        let mut buffer = [const { MaybeUninit::<epoll::Event>::uninit() }; FETCHED];
        let timeout = timeout.and_then(|time| rustix::time::Timespec::try_from(time).ok());
        let fetched = match epoll::wait(&self.shared.epoll, &mut buffer, timeout.as_ref()) {
            Ok((fetched, _)) => fetched,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for event in fetched {
            match event.data.u64() {
                CHANGED => self.shared.hear(),
                key => events.push(Event::Ready(Key(key))),
            }
        }
        Ok(())
    }

    fn enter(&self, kind: Kind, interest: Interest) -> io::Result<Key> {
        let mut entries = self.entries();
        let Entries { last, by_key, agenda } = &mut *entries;
        *last += 1;
        let key = Key(*last);
        let now = Instant::now();
        match &kind {
            Kind::Channel(descriptor, _) | Kind::Descriptor(descriptor) => {
                let flags = match interest {
                    Interest::Readable => epoll::EventFlags::IN,
                    Interest::Writable => epoll::EventFlags::OUT,
                };
                let token = epoll::EventData::new_u64(key.0);
                epoll::add(&self.shared.epoll, descriptor, token, flags)?;
            }
            Kind::Timer(period) => agenda.enter(key, Item::Timer, now, *period),
        }
        if let Kind::Channel(_, watch) = &kind {
            agenda.enter(key, Item::Slice, now, watch.slice());
        }
        by_key.insert(key, Entry { kind, deadline: None });
        drop(entries);
        self.shared.tell();
        Ok(key)
    }

    /// No code of anybody else's runs under this lock, so a panic cannot have left it half done.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Leaves of the fetched events those whose sources are still attached, and adds what is due.
    fn perform(&mut self, events: &mut Vec<Event>, now: Instant) {
        let Self { by_key, agenda, .. } = self;
        events.retain(|event| match event {
            Event::Ready(key) => by_key.contains_key(key),
            Event::Timer(_) | Event::Missed(_) => false,
        });
        for event in events.iter() {
            let Event::Ready(key) = *event else { continue };
            let within = by_key.get(&key).and_then(|entry| entry.deadline);
            if let Some(within) = within {
                agenda.remove(key, Item::Deadline);
                agenda.enter(key, Item::Deadline, now, within);
            }
        }
        while let Some((due, key, item)) = agenda.take_due(now) {
            let Some(entry) = by_key.get(&key) else { continue };
            match (item, &entry.kind) {
                (Item::Timer, Kind::Timer(period)) => {
                    events.push(Event::Timer(key));
                    agenda.repeat(key, item, due, *period, now);
                }
                (Item::Slice, Kind::Channel(_, watch)) => {
                    if matches!(watch.probe(), Peer::Closed | Peer::Died) {
                        let ready = Event::Ready(key);
                        if !events.contains(&ready) {
                            events.push(ready);
                        }
                    }
                    agenda.enter(key, item, now, watch.slice());
                }
                (Item::Deadline, _) => {
                    events.push(Event::Missed(key));
                    agenda.repeat(key, item, due, entry.deadline.unwrap_or(Duration::MAX), now);
                }
                (Item::Timer | Item::Slice, _) => {}
            }
        }
    }
}

impl Shared {
    /// Has a thread that waits look at the agenda again.
    fn tell(&self) {
        // Refused only if it has been told 2^64 times and has not heard.
        let _ = write(&self.changed, &1_u64.to_ne_bytes());
    }

    fn hear(&self) {
        // Nothing there, if another thread has heard.
        let _ = read(&self.changed, &mut [0; 8]);
    }
}
