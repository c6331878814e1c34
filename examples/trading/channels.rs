//! The channels between the feed, the book builder and the recorder. The parts may come in any order.
//!
//! ```text
//! feed ══ events:   Event, plain, 48 bytes; broadcast ═══▶ book builder, recorder
//! feed ── expected: Expected, with strings and vectors ──▶ book builder
//! feed ◀─ orders:   Order, plain, 32 bytes; lanes ──────── book builder
//! feed ◀─ notes:    Note, an enum; lanes ───────────────── book builder, recorder
//! ```
//!
//! The matching engine, to which the book builder sends the same orders, is a service and not here: see
//! [`broker`](crate::broker).
//!
//! Nobody waits for anybody in a circle. The feed waits for whoever listens (they are `Slow::Gate`: they
//! lose nothing). The book builder would wait for the feed if its lane of orders were full, but it never
//! is: see [`ORDERS_CAPACITY`]. Its engine waits for nobody. The recorder speaks when all is sent.

use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use strait::rkyv::{deserialize, rancor};
use strait::{
    Broadcast, BroadcastReceiver, BroadcastSender, Domain, Join, Lanes, LanesReceiver, Receiver,
    RecvError, Sender, Services, Slow, Spsc, Wait,
};

use crate::answers::{Desk, Note, Record};
use crate::event::Event;
use crate::matcher::Order;
use crate::summary::Expected;
use crate::trader::ORDER_EVERY;

const EVENTS: &str = "events";
const EXPECTED: &str = "expected";
const ORDERS: &str = "orders";
const NOTES: &str = "notes";

/// The parts that listen to the feed.
const LISTENERS: u32 = 2;

/// Parts that run at once.
pub(crate) const PARTS: usize = 4;

/// Events on their way: 1 MiB of cells, half a millisecond's worth of a fast feed.
const EVENTS_CAPACITY: u64 = 1 << 14;

/// Events that the feed sends between two looks at the orders.
pub(crate) const BATCH: u64 = 64;

/// Orders on their way. When the feed has taken all there are, the book builder is behind by the ring of
/// events at most, and a batch comes on top of that before the feed looks again: what the book builder
/// orders in that many messages has room, so it never waits.
const ORDERS_CAPACITY: u64 = 1 << 5;

const _: () = assert!(
    ORDERS_CAPACITY > (EVENTS_CAPACITY + BATCH).div_ceil(ORDER_EVERY),
    "the feed and the book builder could wait for each other"
);

/// Expected books on their way.
const EXPECTED_CAPACITY: u64 = 1 << 8;

/// Room for one of them: a name, ten levels, and what belongs to them; or a count per type.
const EXPECTED_BYTES: usize = 512;

/// How often the feed looks for parts that have not come yet.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where the parts meet.
#[derive(Debug)]
pub(crate) struct Market {
    domain: Domain,
    wait: Wait,
}

/// What the feed has of the channels.
#[derive(Debug)]
pub(crate) struct FeedEnds {
    pub(crate) events: BroadcastSender<Event>,
    pub(crate) expected: Sender<Expected>,
    orders: LanesReceiver<Order>,
    notes: LanesReceiver<Note>,
}

/// What the book builder has of them.
#[derive(Debug)]
pub(crate) struct BuilderEnds {
    pub(crate) events: BroadcastReceiver<Event>,
    pub(crate) expected: Receiver<Expected>,
    pub(crate) orders: Sender<Order>,
    pub(crate) notes: Sender<Note>,
}

/// What the recorder has of them.
#[derive(Debug)]
pub(crate) struct RecorderEnds {
    pub(crate) events: BroadcastReceiver<Event>,
    pub(crate) notes: Sender<Note>,
}

impl Market {
    /// The market in the domain `name`. Its parts poll without pause if each has a core, and else leave
    /// theirs to the others while they wait.
    pub(crate) fn open(name: &str, cores: usize) -> anyhow::Result<Self> {
        let wait = if cores >= PARTS { Wait::BusySpin } else { Wait::Yield };
        Ok(Self { domain: Domain::open(name)?, wait })
    }

    /// The feed's ends. Returns when the others listen.
    pub(crate) fn join_as_feed(&self) -> anyhow::Result<FeedEnds> {
        let mut ends = FeedEnds {
            events: self.events().sender()?,
            expected: self.expected().sender()?,
            orders: self.orders().receiver()?,
            notes: self.notes().receiver()?,
        };
        ends.await_listeners()?;
        // Left from a day that broke off: no order of this one can have come.
        while ends.orders.drain(usize::MAX, |_, _| {}).is_ok() {}
        Ok(ends)
    }

    /// The book builder's ends.
    pub(crate) fn join_as_builder(&self) -> anyhow::Result<BuilderEnds> {
        let events = self.listen()?;
        let (expected, orders) = (self.expected().receiver()?, self.orders().sender()?);
        let mut notes = self.notes().sender()?;
        notes.send(&Note::BookReady(std::process::id()))?;
        Ok(BuilderEnds { events, expected, orders, notes })
    }

    /// The recorder's ends.
    pub(crate) fn join_as_recorder(&self) -> anyhow::Result<RecorderEnds> {
        let (events, mut notes) = (self.listen()?, self.notes().sender()?);
        notes.send(&Note::RecordReady(std::process::id()))?;
        Ok(RecorderEnds { events, notes })
    }

    /// What processes of the domain offer each other, and this one itself.
    pub(crate) fn services(&self) -> anyhow::Result<Services> {
        Ok(self.domain.services()?)
    }

    /// How an engine waits for orders, of which there are few: if there is not a core for each part, it sleeps.
    pub(crate) fn wait_for_calls(&self) -> Wait {
        if self.wait == Wait::BusySpin { self.wait } else { Wait::Adaptive }
    }

    /// What a part does while it waits by itself: if there is not a core for each, it lets others have its.
    #[inline]
    pub(crate) fn pause(&self) {
        if self.wait == Wait::BusySpin {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }

    /// Removes what parts that were killed have left behind.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        for channel in [EVENTS, EXPECTED, ORDERS, NOTES] {
            self.domain.remove(channel)?;
        }
        // The directory goes with its last user.
        drop(self.services()?);
        Ok(())
    }

    /// From the next event on: what is left from a day that broke off concerns nobody.
    fn listen(&self) -> anyhow::Result<BroadcastReceiver<Event>> {
        Ok(self.events().receiver(Join::Newest, Slow::Gate)?)
    }

    fn events(&self) -> Broadcast<Event> {
        let events = self.domain.broadcast(EVENTS).readers(LISTENERS);
        events.capacity(EVENTS_CAPACITY).wait(self.wait)
    }

    fn expected(&self) -> Spsc<Expected> {
        let expected = self.domain.spsc(EXPECTED).max_len(EXPECTED_BYTES);
        expected.capacity(EXPECTED_CAPACITY).wait(self.wait)
    }

    fn orders(&self) -> Lanes<Order> {
        // One part orders so far.
        self.domain.lanes(ORDERS).senders(1).capacity(ORDERS_CAPACITY).wait(self.wait)
    }

    fn notes(&self) -> Lanes<Note> {
        self.domain.lanes(NOTES).senders(LISTENERS).wait(self.wait)
    }
}

impl FeedEnds {
    /// Hands the orders that are there to `desk`, when `sent` messages are sent. Does not wait.
    pub(crate) fn take_orders(&mut self, desk: &mut Desk, sent: u64) -> Result<(), RecvError> {
        match self.orders.drain(usize::MAX, |_, order| desk.take(order, sent)) {
            // Who has left is asked after when the day is over: it goes on for the others.
            Ok(_) | Err(RecvError::Empty | RecvError::Closed(_) | RecvError::PeerDied(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Hears the others out once the day is over, of which `sent` was sent. Returns what was recorded when
    /// both are done, if the recorder told.
    pub(crate) fn hear_out(
        &mut self,
        desk: &mut Desk,
        sent: Record,
    ) -> anyhow::Result<Option<Record>> {
        loop {
            match self.orders.recv() {
                Ok(order) => desk.take(&order, sent.messages),
                Err(RecvError::Closed(_)) => break,
                Err(error) => return Err(error).context("the book builder left before the end"),
            }
        }
        let mut recorded = None;
        loop {
            match self.notes.recv() {
                Ok(note) => {
                    if let Note::Recorded(record) = deserialize::<_, rancor::Error>(&*note)? {
                        recorded = Some(record);
                    }
                }
                // The others do not depend on the recorder.
                Err(RecvError::Closed(_) | RecvError::PeerDied(_)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(recorded)
    }

    fn await_listeners(&mut self) -> anyhow::Result<()> {
        let (mut book, mut record) = (false, false);
        while !(book && record) {
            let note = match self.notes.recv() {
                Ok(note) => deserialize::<_, rancor::Error>(&*note)?,
                // One that came has left again; perhaps another comes.
                Err(RecvError::Closed(_) | RecvError::PeerDied(_)) => {
                    thread::sleep(LOOK_EVERY);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match note {
                Note::BookReady(process) => book |= self.is_there(process),
                Note::RecordReady(process) => record |= self.is_there(process),
                Note::Recorded(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a process that left a note is still there.
    fn is_there(&self, process: u32) -> bool {
        (0..self.notes.lanes())
            .filter_map(|lane| self.notes.peer(lane))
            .any(|peer| peer.condition().lives() && peer.details().pid == process)
    }
}

/// Waits for the day to begin, and returns the event that says so.
pub(crate) fn opening(events: &mut BroadcastReceiver<Event>) -> anyhow::Result<Event> {
    let event = *events.recv().context("the feed left before the day began")?;
    ensure!(
        event.begins_day(),
        "the day has begun without this part: start it before the feed has all it waits for"
    );
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Books;
    use crate::trader::Trader;

    fn market(test: &str) -> Market {
        let domain = format!("test-{}-{test}", std::process::id());
        Market::open(&domain, 1).unwrap()
    }

    fn add(sequence: u64) -> Event {
        let (kind, side, shares) = (b'A', b'B', 10);
        Event { sequence, kind, side, order: sequence, price: 7, shares, ..Event::default() }
    }

    #[test]
    fn a_builder_that_is_as_far_behind_as_it_can_be_never_finds_its_lane_full() {
        let market = market("lane");
        let (mut book, _record) =
            (market.join_as_builder().unwrap(), market.join_as_recorder().unwrap());
        let mut feed = market.join_as_feed().unwrap();
        let (mut books, mut trader) = (Books::new().unwrap(), Trader::default());
        let mut desk = Desk::new();
        for sequence in 0..10 * EVENTS_CAPACITY {
            let event = add(sequence);
            books.apply(&event).unwrap();
            if let Some(order) = trader.consider(&event, &books) {
                book.orders.try_send(&order).expect("there is room");
            }
            // All that a ring of events and a batch can prompt is there before it is taken.
            if (sequence + 1).is_multiple_of(EVENTS_CAPACITY + BATCH) {
                feed.take_orders(&mut desk, sequence + 1).unwrap();
            }
        }
        feed.take_orders(&mut desk, 10 * EVENTS_CAPACITY).unwrap();
        let heard = desk.close(Record::default(), None);
        assert_eq!((heard.orders, heard.disorderly), (trader.ordered(), 0));
        assert_eq!(heard.orders, 10 * EVENTS_CAPACITY / ORDER_EVERY);
    }

    #[test]
    fn a_part_that_comes_too_late_is_told() {
        let market = market("late");
        let (mut book, mut record) =
            (market.join_as_builder().unwrap(), market.join_as_recorder().unwrap());
        let mut feed = market.join_as_feed().unwrap();
        let opening_of_day = Event::schedule(0, 0, 0);
        feed.events.send(&opening_of_day).unwrap();
        assert_eq!(opening(&mut book.events).unwrap(), opening_of_day);
        assert_eq!(opening(&mut record.events).unwrap(), opening_of_day);
        drop(record);
        let mut late = market.join_as_recorder().unwrap();
        feed.events.send(&add(0)).unwrap();
        let error = opening(&mut late.events).unwrap_err().to_string();
        assert!(error.contains("the day has begun without this part"), "{error}");
        drop((feed, book, late));
        market.remove().unwrap();
    }

    #[test]
    fn listeners_that_left_before_the_feed_came_do_not_count() {
        let market = market("left");
        let mut gone = market.notes().sender().unwrap();
        for note in [Note::BookReady(u32::MAX), Note::RecordReady(u32::MAX)] {
            gone.send(&note).unwrap();
        }
        drop(gone);
        thread::scope(|scope| {
            let feed = scope.spawn(|| market.join_as_feed().unwrap());
            thread::sleep(20 * LOOK_EVERY);
            assert!(!feed.is_finished());
            let _others = (market.join_as_builder().unwrap(), market.join_as_recorder().unwrap());
            feed.join().unwrap();
        });
        market.remove().unwrap();
    }
}
