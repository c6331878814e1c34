//! A service with methods of every form, over plain and rich types.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use strait::service::{Archived, Results};
use strait::{Message, rkyv, service};

#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(C)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) price: i64,
    pub(crate) quantity: u32,
    pub(crate) side: Side,
    pub(crate) reserved: [u8; 3],
    pub(crate) levels: [u64; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(u8)]
pub(crate) enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(C)]
pub(crate) struct Ack {
    pub(crate) id: u64,
    pub(crate) known: u64,
}

/// An error that is plain.
#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(u8)]
pub(crate) enum Refusal {
    Empty = 1,
    Twice = 2,
}

/// Nothing says how it would be deserialised.
#[derive(Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[rkyv(crate = rkyv, derive(Debug))]
pub(crate) struct Note {
    pub(crate) author: String,
    pub(crate) lines: Vec<String>,
}

#[derive(Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[rkyv(crate = rkyv, derive(Debug))]
pub(crate) struct Book {
    pub(crate) number: u32,
    pub(crate) title: Option<String>,
    pub(crate) notes: Vec<(String, u64)>,
}

#[service(name = "test.Matcher", version = 1)]
pub(crate) trait Matcher {
    /// Plain in, plain out, with an error of its own.
    #[method(1)]
    fn submit(&self, order: &Order) -> Result<Ack, Refusal>;

    /// Nobody waits.
    #[method(2, oneway)]
    fn cancel(&self, id: u64);

    /// Variable in, variable out.
    #[method(3)]
    fn note(&self, book: u32, text: &str, note: &Archived<Note>) -> Book;

    /// A stream of plain results.
    #[method(4)]
    fn orders(&self, from: u64, to: u64) -> Results<Order>;

    /// A stream of others.
    #[method(5)]
    fn titles(&self, count: u32, length: u32) -> Results<Book>;

    /// A stream that fails when it comes to 0.
    #[method(12)]
    fn falling(&self, from: u64) -> Results<u64>;

    /// How many streams are open, and how often a result was asked for.
    #[method(13)]
    fn streams(&self) -> Ack;

    /// Nothing in, plain out.
    #[method(6)]
    fn count(&self) -> u64;

    /// Nothing in, nothing out.
    #[method(7)]
    fn clear(&self);

    /// A row in, an error that is not plain.
    #[method(8)]
    fn total(&self, quantities: &[u32], sides: &[Side]) -> Result<u64, String>;

    /// Nothing out, or an error.
    #[method(9)]
    fn check(&self, order: Order) -> Result<(), Refusal>;

    /// Text alone, both ways.
    #[method(10)]
    fn upper(&self, text: &str) -> String;

    /// As many arguments as there can be.
    #[method(11)]
    #[allow(clippy::too_many_arguments, reason = "as many as there can be")]
    fn sum(&self, a: u8, b: u16, c: u32, d: u64, e: i8, f: &i16, g: &[i32], r#type: i64) -> i128;

    /// Fails as it should not. The highest number there is.
    #[method(1000)]
    fn panic(&self, message: &str) -> u64;
}

/// Keeps the orders it was given.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    orders: Mutex<Vec<Order>>,
    streams: Arc<Streams>,
}

/// What streams did.
#[derive(Debug, Default)]
struct Streams {
    open: AtomicU64,
    made: AtomicU64,
}

/// Results of a stream, counted.
struct Counted<I>(I, Arc<Streams>);

impl<I> Counted<I> {
    fn new(results: I, streams: &Arc<Streams>) -> Box<Self> {
        streams.open.fetch_add(1, Relaxed);
        Box::new(Self(results, Arc::clone(streams)))
    }
}

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.1.made.fetch_add(1, Relaxed);
        self.0.next()
    }
}

impl<I> Drop for Counted<I> {
    fn drop(&mut self) {
        self.1.open.fetch_sub(1, Relaxed);
    }
}

/// The order with that number.
pub(crate) fn order(id: u64) -> Order {
    let side = if id.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    Order { id, price: -10_025, quantity: 100, side, reserved: [0; 3], levels: [id, 1, u64::MAX] }
}

/// The title with that number, of that length.
pub(crate) fn title(number: u32, length: u32) -> String {
    format!("{number}{}", "-".repeat(length as usize))
}

impl Matcher for Exchange {
    fn submit(&self, order: &Order) -> Result<Ack, Refusal> {
        self.check(*order)?;
        let mut orders = self.orders.lock().unwrap();
        orders.push(*order);
        Ok(Ack { id: order.id, known: orders.len() as u64 })
    }

    fn cancel(&self, id: u64) {
        self.orders.lock().unwrap().retain(|order| order.id != id);
    }

    fn note(&self, book: u32, text: &str, note: &Archived<Note>) -> Book {
        let notes = note.lines.iter().zip(0..).map(|(line, index)| (line.to_string(), index));
        let title = (!text.is_empty()).then(|| format!("{text} by {}", note.author));
        Book { number: book, title, notes: notes.collect() }
    }

    fn orders(&self, from: u64, to: u64) -> Results<Order> {
        Counted::new((from..to).map(order), &self.streams)
    }

    fn titles(&self, count: u32, length: u32) -> Results<Book> {
        let book = move |number| Book { number, title: Some(title(number, length)), notes: vec![] };
        Counted::new((0..count).map(book), &self.streams)
    }

    fn falling(&self, from: u64) -> Results<u64> {
        Counted::new((0..=from).rev().map(|number| 1000 / number), &self.streams)
    }

    fn streams(&self) -> Ack {
        let Streams { open, made } = &*self.streams;
        Ack { id: open.load(Relaxed), known: made.load(Relaxed) }
    }

    fn count(&self) -> u64 {
        self.orders.lock().unwrap().len() as u64
    }

    fn clear(&self) {
        self.orders.lock().unwrap().clear();
    }

    fn total(&self, quantities: &[u32], sides: &[Side]) -> Result<u64, String> {
        if quantities.len() != sides.len() {
            return Err(format!("{} quantities and {} sides", quantities.len(), sides.len()));
        }
        let bought = |(quantity, side): (&u32, &Side)| match side {
            Side::Buy => u64::from(*quantity),
            Side::Sell => 0,
        };
        Ok(quantities.iter().zip(sides).map(bought).sum())
    }

    fn check(&self, order: Order) -> Result<(), Refusal> {
        let known = self.orders.lock().unwrap().iter().any(|other| other.id == order.id);
        match order.quantity {
            0 => Err(Refusal::Empty),
            _ if known => Err(Refusal::Twice),
            _ => Ok(()),
        }
    }

    fn upper(&self, text: &str) -> String {
        text.to_uppercase()
    }

    fn sum(&self, a: u8, b: u16, c: u32, d: u64, e: i8, f: &i16, g: &[i32], r#type: i64) -> i128 {
        let unsigned = i128::from(a) + i128::from(b) + i128::from(c) + i128::from(d);
        let signed = i128::from(e) + i128::from(*f) + i128::from(r#type);
        unsigned + signed + g.iter().copied().map(i128::from).sum::<i128>()
    }

    fn panic(&self, message: &str) -> u64 {
        panic!("{message}");
    }
}
