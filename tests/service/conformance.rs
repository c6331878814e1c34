//! What a service does for its callers, wherever it is.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use strait::service::{CallError, Delivered};

use crate::matcher::{Ack, MatcherClient, Note, Refusal, Side, order, title};

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// All of it, of a service that has just begun.
pub(crate) fn conformance(client: &MatcherClient) {
    plain_values(client);
    rich_values(client);
    errors(client);
    one_way(client);
    later(client);
    batches(client);
    streams(client);
    streams_that_panic(client);
    threads(client);
    assert_eq!(client.streams().unwrap().id, 0, "no stream is left");
}

fn plain_values(client: &MatcherClient) {
    assert_eq!(client.count(), Ok(0));
    assert_eq!(client.submit(&order(1)), Ok(Ack { id: 1, known: 1 }));
    assert_eq!(client.submit(&order(2)), Ok(Ack { id: 2, known: 2 }));
    assert_eq!(client.count(), Ok(2));
    assert_eq!(client.check(order(3)), Ok(()));
    assert_eq!(client.clear(), Ok(()));
    assert_eq!(client.count(), Ok(0));
    let sum = client.sum(u8::MAX, u16::MAX, u32::MAX, u64::MAX, -1, &-2, &[i32::MIN, 3], i64::MIN);
    let unsigned = i128::from(u8::MAX) + i128::from(u16::MAX) + i128::from(u32::MAX);
    let expected = unsigned + i128::from(u64::MAX) + i128::from(i32::MIN) + i128::from(i64::MIN);
    assert_eq!(sum, Ok(expected));
}

fn rich_values(client: &MatcherClient) {
    let lines = ["short", "a line that is longer than what stands inline", ""];
    let note = Note { author: "λ".into(), lines: lines.map(String::from).to_vec() };
    let book = client.note(7, "Notes", &note).unwrap();
    // It stays as long as it is wanted, whatever is called meanwhile, and in other threads.
    let other = client.note(8, "", &note).unwrap();
    let (book, number) =
        std::thread::spawn(move || (book, other.number.to_native())).join().unwrap();
    assert_eq!((book.number.to_native(), number), (7, 8));
    assert_eq!(book.title.as_deref(), Some("Notes by λ"));
    let notes = book.notes.iter().map(|note| (&*note.0, note.1.to_native()));
    assert!(notes.eq(lines.into_iter().zip(0..)));
    for text in ["", "straße", &"x".repeat(3000)] {
        assert_eq!(*client.upper(text).unwrap(), *text.to_uppercase());
    }
}

fn errors(client: &MatcherClient) {
    let empty = crate::matcher::Order { quantity: 0, ..order(5) };
    assert_eq!(client.submit(&empty), Err(CallError::App(Refusal::Empty)));
    assert_eq!(client.check(empty), Err(CallError::App(Refusal::Empty)));
    assert!(client.submit(&order(5)).is_ok());
    let twice = client.submit(&order(5)).unwrap_err();
    assert_eq!((&twice, twice.delivered()), (&CallError::App(Refusal::Twice), Delivered::Yes));
    client.clear().unwrap();

    let sides = [Side::Buy, Side::Sell, Side::Buy];
    assert_eq!(client.total(&[1, 2, 4], &sides).unwrap(), 5);
    assert_eq!(client.total(&[], &[]).unwrap(), 0);
    match client.total(&[1, 2], &sides).unwrap_err() {
        CallError::App(error) => assert_eq!(&*error, "2 quantities and 3 sides"),
        other => panic!("{other:?}"),
    }
}

fn one_way(client: &MatcherClient) {
    client.submit(&order(1)).unwrap();
    client.cancel(1).unwrap();
    assert_eq!(client.count(), Ok(0), "calls of one client come in their order");
}

fn later(client: &MatcherClient) {
    let mut calls = client.start();
    let first = calls.submit(&order(1)).unwrap();
    let second = calls.submit(&order(1)).unwrap();
    calls.cancel(1).unwrap();
    let mut count = calls.count().unwrap();
    let text = calls.upper("a").unwrap();
    drop(calls.upper("an answer that nobody takes").unwrap());
    // In whatever order.
    assert_eq!(*text.wait().unwrap(), *"A");
    assert_eq!(second.wait(), Err(CallError::App(Refusal::Twice)));
    assert_eq!(first.wait(), Ok(Ack { id: 1, known: 1 }));
    let began = Instant::now();
    let answer = loop {
        match count.try_wait() {
            Some(answer) => break answer,
            None => assert!(began.elapsed() < PATIENCE),
        }
        std::thread::yield_now();
    };
    assert_eq!(answer, Ok(0));
    assert_eq!(*block_on(client.start().upper("b").unwrap()).unwrap(), *"B");
    let refused = client.start().check(crate::matcher::Order { quantity: 0, ..order(1) }).unwrap();
    assert_eq!(block_on(refused), Err(CallError::App(Refusal::Empty)));
}

fn batches(client: &MatcherClient) {
    let calls = client.batch(|calls| {
        let first = calls.submit(&order(1))?;
        calls.cancel(1)?;
        Ok([first, calls.submit(&order(1))?, calls.submit(&order(2))?])
    });
    let known = calls.unwrap().map(|call| call.wait().unwrap().known);
    assert_eq!(known, [1, 1, 2]);
    client.clear().unwrap();
}

fn streams(client: &MatcherClient) {
    assert!(client.orders(5, 5).unwrap().next().is_none());
    // Of one chunk, of just as much as a chunk holds, and of several.
    for count in [1, 256, 1000] {
        let orders = client.orders(0, count).unwrap().map(Result::unwrap);
        assert!(orders.eq((0..count).map(order)));
    }
    for (count, length) in [(3, 10), (40, 1000), (3, 20_000)] {
        let books = client.titles(count, length).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let titles = books.iter().map(|book| book.title.as_deref().unwrap().to_owned());
        assert!(titles.eq((0..count).map(|number| title(number, length))));
    }
    assert_eq!(client.streams().unwrap().id, 0);

    // What is not asked for is not made, but for the rest of a chunk.
    let made = client.streams().unwrap().known;
    let mut many = client.orders(0, 1_000_000).unwrap();
    let mut others = client.orders(7, 1_000_000).unwrap();
    assert_eq!(many.next().unwrap(), Ok(order(0)));
    assert_eq!(others.next().unwrap(), Ok(order(7)));
    assert_eq!(many.next().unwrap(), Ok(order(1)));
    let seen = client.streams().unwrap();
    assert_eq!(seen.id, 2);
    assert!((3..=512).contains(&(seen.known - made)), "{}", seen.known - made);
    drop(many);
    drop(others);
    assert_eq!(client.streams().unwrap().id, 0);
}

fn streams_that_panic(client: &MatcherClient) {
    // What came before arrives.
    let mut falling = client.falling(300).unwrap();
    for number in (1..=300).rev() {
        assert_eq!(falling.next().unwrap(), Ok(1000 / number));
    }
    assert!(matches!(falling.next(), Some(Err(CallError::Panicked { .. }))));
    assert!(falling.next().is_none());
    let first = client.falling(0).unwrap().next();
    assert!(matches!(first, Some(Err(CallError::Panicked { .. }))));
    assert_eq!(*client.upper("it goes on").unwrap(), *"IT GOES ON");
}

fn threads(client: &MatcherClient) {
    std::thread::scope(|scope| {
        for thread in 0..3_u32 {
            let client = client.clone();
            scope.spawn(move || {
                for call in 0..50 {
                    let text = format!("thread {thread}, call {call}");
                    assert_eq!(*client.upper(&text).unwrap(), *text.to_uppercase());
                }
            });
        }
    });
}

/// A runtime for one future.
fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let began = Instant::now();
    loop {
        match std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => assert!(began.elapsed() < PATIENCE),
        }
        std::thread::park_timeout(PATIENCE);
    }
}
