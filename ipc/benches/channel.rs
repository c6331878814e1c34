//! What a channel costs within one thread, where no cache line travels: the instructions alone.
//!
//! Between two processes the lines dominate; `strait bench` measures that, with percentiles, which
//! a mean per iteration cannot give.
//!
//! `cargo bench -p strait-ipc [-- FILTER]`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use strait_ipc::channel::{Receiver, Sender, Spsc};
use strait_ipc::message::{MAX_ALIGN, Message, Scratch, access_checked, access_unchecked, write};
use strait_macros::Message;

/// Fills a cache line together with its head; every bit pattern is valid.
#[derive(Clone, Copy, Debug, Message)]
#[message(crate = strait_ipc)]
#[repr(C)]
struct Plain {
    words: [u64; 6],
}

/// An order whose symbol of 8 characters is a string of its own.
#[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[message(crate = strait_ipc)]
struct Order {
    id: u64,
    price: i64,
    quantity: u32,
    symbol: String,
}

/// Strings and lists that lie apart in memory.
#[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, Message)]
#[message(crate = strait_ipc)]
struct Nested {
    account: String,
    tags: Vec<String>,
    fills: Vec<u32>,
}

const PLAIN: Plain = Plain { words: [1, 2, 3, 4, 5, 6] };

/// Messages of a batch.
const BATCH: usize = 32;

fn order() -> Order {
    Order { id: 7, price: 1_012_500, quantity: 300, symbol: "ABCDEFGH".to_owned() }
}

fn nested() -> Nested {
    Nested {
        account: "an account with a name of some length".to_owned(),
        tags: ["opening", "auction", "retail price improvement"].map(str::to_owned).into(),
        fills: (0..16).collect(),
    }
}

fn pair<T: Message>() -> (Sender<T>, Receiver<T>) {
    Spsc::<T>::unnamed("bench").pair().expect("there is memory for a channel")
}

/// Sends a message and receives it, on one thread.
fn exchange(c: &mut Criterion) {
    let mut group = c.benchmark_group("exchange");

    let (mut sender, mut receiver) = pair::<Plain>();
    group.bench_function("plain 48 B", |b| {
        b.iter(|| {
            sender.send(black_box(&PLAIN)).expect("there is room");
            receiver.recv().expect("a message is there").words[5]
        });
    });
    group.bench_function("plain 48 B, loaned", |b| {
        b.iter(|| {
            let loan = sender.loan().expect("there is room");
            loan.publish(black_box(&PLAIN)).expect("it fits");
            receiver.recv().expect("a message is there").words[5]
        });
    });

    let dense = Spsc::<u64>::unnamed("bench").dense().pair();
    let (mut sender, mut receiver) = dense.expect("there is memory for a channel");
    group.bench_function("dense 8 B", |b| {
        b.iter(|| {
            sender.send(black_box(&7)).expect("there is room");
            receiver.recv().expect("a message is there").to_native()
        });
    });

    let (mut sender, mut receiver) = pair::<Order>();
    let message = order();
    group.bench_function("order with a string", |b| {
        b.iter(|| {
            sender.send(black_box(&message)).expect("there is room");
            receiver.recv().expect("a message is there").symbol.len()
        });
    });
    group.finish();
}

/// Publishes a batch and drains it.
fn batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch");
    group.throughput(Throughput::Elements(BATCH as u64));
    let (mut sender, mut receiver) = pair::<Plain>();
    group.bench_function("plain 48 B", |b| {
        b.iter(|| {
            let mut batch = sender.batch();
            for _ in 0..BATCH {
                batch.push(black_box(&PLAIN)).expect("there is room");
            }
            batch.publish();
            let mut sum = 0;
            let drained = receiver.drain(BATCH, |message| sum += message.words[5]);
            assert_eq!(drained.expect("the batch is there"), BATCH);
            sum
        });
    });
    group.finish();
}

/// Room for the messages below.
const ROOM: usize = 512;

/// Memory as a cell gives it.
#[repr(C, align(16))]
struct Body([u8; ROOM]);

const _: () = assert!(align_of::<Body>() == MAX_ALIGN);

fn build<T: Message>(message: &T, body: &mut Body, scratch: &mut Scratch) -> usize {
    let start = body.0.as_mut_ptr();
    // SAFETY: the body is aligned for archives, has that much room, and is borrowed mutably.
    unsafe { write(message, start, ROOM, scratch) }.expect("it fits")
}

/// Builds a message's archive where it will lie.
fn serialize(c: &mut Criterion) {
    fn one<T: Message>(c: &mut Criterion, name: &str, message: &T) {
        let (mut body, mut scratch) = (Body([0; ROOM]), Scratch::for_body(ROOM));
        c.benchmark_group("serialize").bench_function(name, |b| {
            b.iter(|| build(black_box(message), black_box(&mut body), &mut scratch));
        });
    }
    one(c, "plain 48 B", &PLAIN);
    one(c, "order with a string", &order());
    one(c, "nested", &nested());
}

/// Refers to a message in place: checked, as receivers do it by default, and unchecked.
fn access(c: &mut Criterion) {
    fn one<T: Message>(c: &mut Criterion, name: &str, message: &T) {
        let mut body = Body([0; ROOM]);
        let len = build(message, &mut body, &mut Scratch::for_body(ROOM));
        let mut group = c.benchmark_group("access");
        group.bench_function(format!("{name}, checked"), |b| {
            b.iter(|| {
                let start = black_box(&body).0.as_ptr();
                // SAFETY: the body is aligned, initialised and borrowed.
                let archived = unsafe { access_checked::<T>(start, black_box(len), ROOM) };
                std::ptr::from_ref(archived.expect("it is an archive"))
            });
        });
        group.bench_function(format!("{name}, unchecked"), |b| {
            b.iter(|| {
                let start = black_box(&body).0.as_ptr();
                // SAFETY: as above, and `build` has put an archive of that length there.
                let archived = unsafe { access_unchecked::<T>(start, black_box(len), ROOM) };
                std::ptr::from_ref(archived.expect("it has the length of an archive"))
            });
        });
    }
    one(c, "plain 48 B", &PLAIN);
    one(c, "order with a string", &order());
    one(c, "nested", &nested());
}

criterion_group!(benches, exchange, batch, serialize, access);
criterion_main!(benches);
