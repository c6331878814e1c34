//! What is true of every channel, whatever its discipline: of channels between the threads of one process
//! and of those that lie in a segment, for plain messages and for rich ones, in their cells and too
//! large for them, between sides that poll and sides that sleep.
//!
//! A discipline takes part by saying how its sides are opened and what they do ([`Discipline`]). What one of
//! them promises beyond this, its own tests show.

mod bytes;
#[path = "../channel/mod.rs"]
mod channel;
mod disciplines;
mod large;

use bytes::MpmcBytes;
use channel::{HANG, Numbered, Order, Place, Tick};
use disciplines::{Broadcast, Discipline, Lanes, Latest, Mpmc, Receives, Sends, Spsc};
use large::{Bulk, Slab};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use strait_ipc::channel::{OnFull, RecvError, SendError};
use strait_ipc::message::Message;
use strait_ipc::segment::Segment;

/// Messages that a channel holds.
const CAPACITY: u64 = 4;

/// Where a channel lies.
enum Where {
    /// In memory that this process alone has.
    Local(Arc<Segment>),
    /// In a named segment.
    Shared(Place),
}

/// Where messages stand, and how sides wait.
#[derive(Clone, Copy)]
struct Shape {
    max_len: usize,
    /// For messages that do not stand in their cells, where the discipline has such a place.
    arena: Option<u64>,
    /// Whether sides sleep.
    asleep: bool,
}

const INLINE: Shape = Shape { max_len: 1_024, arena: None, asleep: false };
const LARGE: Shape = Shape { max_len: 64, arena: Some(128 << 10), ..INLINE };
const ASLEEP: Shape = Shape { asleep: true, ..INLINE };

/// A channel that can be opened again and again.
struct Opened<D: Discipline, T: Message> {
    shape: Shape,
    place: Where,
    _of: std::marker::PhantomData<(D, T)>,
}

impl<D: Discipline, T: Numbered> Opened<D, T> {
    fn local(shape: Shape) -> Self {
        let segment = Arc::new(D::segment::<T>(shape));
        Self { shape, place: Where::Local(segment), _of: std::marker::PhantomData }
    }

    fn shared(shape: Shape) -> Self {
        let place = Where::Shared(Place::new());
        Self { shape, place, _of: std::marker::PhantomData }
    }

    fn sender(&self, on_full: OnFull) -> D::Sender<T> {
        D::sender(&self.place, self.shape, on_full)
    }

    fn receiver(&self) -> D::Receiver<T> {
        D::receiver(&self.place, self.shape)
    }

    fn pair(&self) -> (D::Sender<T>, D::Receiver<T>) {
        let receiver = self.receiver();
        (self.sender(OnFull::Block), receiver)
    }
}

/// The number of the next message, waiting for it.
#[track_caller]
fn next<T: Numbered>(receiver: &mut impl Receives<T>) -> u64 {
    receiver.receive(Some(HANG)).unwrap()
}

fn one_by_one<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    let (mut sender, mut receiver) = channel.pair();
    // Several times around the ring.
    for number in 1..5 * CAPACITY {
        sender.send(&T::numbered(number)).unwrap();
        assert_eq!(next(&mut receiver), number);
    }
}

fn in_order_between_threads<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    let (mut sender, mut receiver) = channel.pair();
    let count = 500;
    thread::scope(|scope| {
        scope.spawn(move || (1..=count).for_each(|n| sender.send(&T::numbered(n)).unwrap()));
        let mut last = 0;
        while last < count {
            let number = match receiver.receive(Some(HANG)) {
                Ok(number) => number,
                Err(error) => panic!("after {last}: {error}"),
            };
            match D::KEEPS_ALL {
                true => assert_eq!(number, last + 1),
                false => assert!(number > last, "{number} after {last}"),
            }
            last = number;
        }
    });
}

fn nothing_is_there<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    let (mut sender, mut receiver) = channel.pair();
    for round in 1..4 {
        assert!(matches!(receiver.receive(None), Err(RecvError::Empty)));
        let short = Some(Duration::from_millis(1));
        assert!(matches!(receiver.receive(short), Err(RecvError::Timeout)));
        sender.send(&T::numbered(round)).unwrap();
        assert_eq!(next(&mut receiver), round);
    }
}

fn what_was_sent_before_the_end_is_read<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    let (mut sender, mut receiver) = channel.pair();
    for number in 1..3 {
        sender.send(&T::numbered(number)).unwrap();
        if !D::KEEPS_ALL {
            assert_eq!(next(&mut receiver), number);
        }
    }
    drop(sender);
    if D::KEEPS_ALL {
        assert_eq!((next(&mut receiver), next(&mut receiver)), (1, 2));
    }
    for _ in 0..2 {
        let end = receiver.receive(Some(HANG)).unwrap_err();
        assert!(matches!(end, RecvError::Closed(_)), "{end}");
        let name = format!("pid {}", std::process::id());
        assert!(end.to_string().contains(&name), "it names who closed: {end}");
    }
}

fn a_successor_goes_on<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    let mut receiver = channel.receiver();
    for number in 1..4 {
        let mut sender = channel.sender(OnFull::Block);
        sender.send(&T::numbered(number)).unwrap();
        drop(sender);
        assert_eq!(next(&mut receiver), number);
        assert!(matches!(receiver.receive(None), Err(RecvError::Closed(_))));
    }
}

fn a_full_channel_loses_nothing<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    if !D::KEEPS_ALL {
        return;
    }
    let mut receiver = channel.receiver();
    let mut sender = channel.sender(OnFull::Fail);
    let mut sent = 0;
    loop {
        match sender.send(&T::numbered(sent + 1)) {
            Ok(()) => sent += 1,
            Err(SendError::Full) => break,
            Err(error) => panic!("{error}"),
        }
        assert!(sent <= CAPACITY);
    }
    assert!(sent > 0);
    assert!(matches!(sender.try_send(&T::numbered(0)), Err(SendError::Full)));
    for number in 1..=sent {
        assert_eq!(next(&mut receiver), number);
    }
    assert!(matches!(receiver.receive(None), Err(RecvError::Empty)));
    sender.try_send(&T::numbered(sent + 1)).unwrap();
    assert_eq!(next(&mut receiver), sent + 1);
}

fn a_sender_that_waits_for_room_gets_it<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    let (mut sender, mut receiver) = channel.pair();
    let count = 3 * CAPACITY;
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            (1..=count).for_each(|number| sender.send(&T::numbered(number)).unwrap());
        });
        if D::KEEPS_ALL {
            // It is full by now, mostly.
            thread::sleep(Duration::from_millis(2));
            (1..=count).for_each(|number| assert_eq!(next(&mut receiver), number));
        }
        sending.join().unwrap();
    });
}

fn a_sender_learns_that_nobody_will_make_room<D: Discipline, T: Numbered>(channel: &Opened<D, T>) {
    if !D::TELLS_SENDERS {
        return;
    }
    let (mut sender, receiver) = channel.pair();
    let gone = thread::scope(|scope| {
        let sending = scope.spawn(move || {
            loop {
                if let Err(error) = sender.send(&T::numbered(1)) {
                    break error;
                }
            }
        });
        thread::sleep(Duration::from_millis(2));
        drop(receiver);
        sending.join().unwrap()
    });
    assert!(matches!(gone, SendError::Closed(_)), "{gone}");
}

fn a_message_that_never_fits_is_refused<D: Discipline>(channel: &Opened<D, Bulk>) {
    let (mut sender, mut receiver) = channel.pair();
    let error = sender.send(&Bulk { number: 1, words: vec![1; 1 << 17] }).unwrap_err();
    assert!(error.to_string().contains("bytes"), "it names the sizes: {error}");
    // And nothing is in the way of the next.
    sender.send(&Bulk::numbered(2)).unwrap();
    assert_eq!(next(&mut receiver), 2);
}

/// The checks of one discipline at one place, of one type.
macro_rules! checks {
    ($discipline:ty, $place:ident, $name:ident: $message:ty = $shape:expr) => {
        mod $name {
            use super::*;

            fn channel() -> Opened<$discipline, $message> {
                Opened::$place($shape)
            }

            checks!(@tests one_by_one in_order_between_threads nothing_is_there
                what_was_sent_before_the_end_is_read a_successor_goes_on
                a_full_channel_loses_nothing a_sender_that_waits_for_room_gets_it
                a_sender_learns_that_nobody_will_make_room);
        }
    };
    (@tests $($test:ident)*) => {
        $(#[test]
        fn $test() {
            super::super::super::$test(&channel());
        })*
    };
}

/// All checks of all disciplines.
macro_rules! conformance {
    ($($name:ident: $discipline:ty;)*) => {$(
        mod $name {
            use super::*;
            conformance!(@at local, $discipline);
            conformance!(@at shared, $discipline);
        }
    )*};
    (@at $place:ident, $discipline:ty) => {
        mod $place {
            use super::*;
            checks!($discipline, $place, plain: Tick = INLINE);
            checks!($discipline, $place, asleep: Tick = ASLEEP);
            checks!($discipline, $place, rich: Order = INLINE);
            checks!($discipline, $place, plain_large: Slab = LARGE);
            checks!($discipline, $place, rich_large: Bulk = LARGE);

            #[test]
            fn a_message_that_never_fits_is_refused() {
                super::super::a_message_that_never_fits_is_refused(
                    &Opened::<$discipline, Bulk>::$place(LARGE),
                );
            }
        }
    };
}

conformance! {
    spsc: Spsc;
    lanes: Lanes;
    mpmc: Mpmc;
    mpmc_bytes: MpmcBytes;
    broadcast: Broadcast;
    latest: Latest;
}

/// A type by another name is refused at every discipline, by name.
#[test]
fn another_type_is_refused() {
    fn refused<D: Discipline>() {
        let place = Where::Shared(Place::new());
        let _receiver = D::receiver::<Tick>(&place, INLINE);
        let error = D::try_sender::<Order>(&place, INLINE).err().map(|error| error.to_string());
        let error = error.expect("a sender of another type");
        assert!(error.contains("`Tick`") && error.contains("`Order`"), "{error}");
    }
    refused::<Spsc>();
    refused::<Lanes>();
    refused::<Mpmc>();
    refused::<MpmcBytes>();
    refused::<Broadcast>();
    refused::<Latest>();
}

/// So is a discipline.
#[test]
fn another_discipline_is_refused() {
    let place = Where::Shared(Place::new());
    let _receiver = Broadcast::receiver::<Tick>(&place, INLINE);
    for error in [
        Spsc::try_sender::<Tick>(&place, INLINE).err().map(|error| error.to_string()),
        Lanes::try_sender::<Tick>(&place, INLINE).err().map(|error| error.to_string()),
        Mpmc::try_sender::<Tick>(&place, INLINE).err().map(|error| error.to_string()),
        Latest::try_sender::<Tick>(&place, INLINE).err().map(|error| error.to_string()),
    ] {
        let error = error.expect("a sender of another discipline");
        assert!(error.contains("readers of all") && error.contains("asked for"), "{error}");
    }
}
