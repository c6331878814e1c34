//! Sides that are awaited, under tokio and under a runtime of another kind.
#![cfg(feature = "tokio")]

mod channel;

use channel::{Actor, HANG, Numbered, Order, Place, job, tell, wait_for_parent};
use futures_util::{SinkExt, StreamExt};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use strait_ipc::channel::{
    AsyncReceiver, AsyncSender, DescriptorError, Receiver, RecvError, SendError, Sender, Spsc,
};
use tokio::time::timeout;

const MESSAGES: u64 = 500;

fn pair() -> (Sender<Order>, Receiver<Order>) {
    let channel = Spsc::<Order>::unnamed("pair").capacity(4).max_len(1000).parking();
    channel.slice(Duration::MAX).pair().unwrap()
}

fn run<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(HANG, work).await.expect("it ends") })
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    assert_eq!(what, "send-slowly");
    let channel = place.spsc::<Order>("orders").max_len(1000).parking();
    let mut sender = channel.slice(Duration::MAX).sender().unwrap();
    tell("open");
    for number in 0..50 {
        std::thread::sleep(Duration::from_micros(300));
        sender.send(&Order::numbered(number)).unwrap();
    }
    wait_for_parent();
}

#[test]
fn both_sides_are_awaited_in_one_thread() {
    let (sender, receiver) = pair();
    run(async {
        let mut sender = AsyncSender::tokio(sender).unwrap();
        let mut receiver = AsyncReceiver::tokio(receiver).unwrap();
        let sending = async move {
            for number in 0..MESSAGES {
                sender.send(&Order::numbered(number)).await.unwrap();
            }
        };
        let receiving = async move {
            for number in 0..MESSAGES {
                assert_eq!(Order::number(&receiver.recv().await.unwrap()), number);
            }
            assert!(matches!(receiver.recv().await, Err(RecvError::Closed(_))));
        };
        tokio::join!(sending, receiving);
    });
}

#[test]
fn messages_of_another_process_are_awaited() {
    let place = Place::new();
    let mut child = Actor::spawn("send-slowly", &place);
    assert_eq!(child.hear(), "open");
    let channel = place.spsc::<Order>("orders").max_len(1000).parking();
    let receiver = channel.slice(Duration::from_millis(5)).receiver().unwrap();
    run(async {
        let mut receiver = AsyncReceiver::tokio(receiver).unwrap();
        for number in 0..50 {
            assert_eq!(Order::number(&receiver.recv().await.unwrap()), number);
        }
        child.kill();
        assert!(matches!(receiver.recv().await, Err(RecvError::PeerDied(_))));
    });
}

#[test]
fn a_stream_ends_when_the_sender_has_closed() {
    let (sender, receiver) = pair();
    run(async {
        let mut sink = AsyncSender::tokio(sender).unwrap();
        let stream = AsyncReceiver::tokio(receiver).unwrap().into_stream(Order::number);
        let sending = async move {
            for number in 0..MESSAGES {
                sink.feed(Order::numbered(number)).await.unwrap();
            }
            sink.close().await.unwrap();
            drop(sink);
        };
        let numbers = async { stream.map(Result::unwrap).collect::<Vec<u64>>().await };
        let ((), numbers) = tokio::join!(sending, numbers);
        assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    });
}

#[test]
fn a_sink_learns_that_nobody_receives() {
    let (sender, receiver) = pair();
    run(async {
        let mut sink = AsyncSender::tokio(sender).unwrap();
        drop(receiver);
        for number in 0..4 {
            sink.send(&Order::numbered(number)).await.unwrap();
        }
        assert!(matches!(sink.feed(Order::numbered(4)).await, Err(SendError::Closed(_))));
    });
}

#[test]
fn a_future_that_is_dropped_has_taken_nothing() {
    let (sender, receiver) = pair();
    run(async {
        let mut sender = AsyncSender::tokio(sender).unwrap();
        let mut receiver = AsyncReceiver::tokio(receiver).unwrap();
        for number in 0..4 {
            for _ in 0..3 {
                let brief = timeout(Duration::from_millis(1), receiver.recv()).await;
                assert!(brief.is_err(), "nothing was sent");
            }
            sender.send(&Order::numbered(number)).await.unwrap();
            assert_eq!(Order::number(&receiver.recv().await.unwrap()), number);
        }
    });
}

#[test]
fn any_runtime_will_do() {
    let (mut sender, receiver) = pair();
    let mut receiver = AsyncReceiver::new(receiver, |descriptor| {
        let watched = async_io::Async::new_nonblocking(descriptor)?;
        Ok(Box::new(move |cx| watched.poll_readable(cx)))
    })
    .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..MESSAGES {
                if number % 50 == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                sender.send(&Order::numbered(number)).unwrap();
            }
        });
        async_io::block_on(async {
            for number in 0..MESSAGES {
                assert_eq!(Order::number(&receiver.recv().await.unwrap()), number);
            }
        });
    });
    // And none at all, for those who poll by hand.
    let mut cx = Context::from_waker(Waker::noop());
    assert!(receiver.poll_recv(&mut cx).is_pending());
    sender.send(&Order::numbered(7)).unwrap();
    let Poll::Ready(order) = receiver.poll_recv(&mut cx) else { panic!("it was sent") };
    assert_eq!(Order::number(&order.unwrap()), 7);
    drop(sender);
    let mut receiver = receiver.into_inner();
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
}

#[test]
fn a_runtime_that_fails_is_told_of() {
    let (_sender, receiver) = pair();
    let failure = std::io::ErrorKind::BrokenPipe;
    let broken = |_| Ok(Box::new(move |_: &mut Context<'_>| Poll::Ready(Err(failure.into()))) as _);
    let mut receiver = AsyncReceiver::new(receiver, broken).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(failed) = pin!(receiver.recv()).poll(&mut cx) else { panic!("no failure") };
    assert_eq!(failed.unwrap_err(), RecvError::Runtime(failure));
}

#[test]
fn channels_whose_sides_never_sleep_cannot_be_awaited() {
    let (sender, receiver) = Spsc::<u64>::unnamed("pair").pair().unwrap();
    run(async {
        let refused = AsyncReceiver::tokio(receiver).unwrap_err();
        assert!(matches!(refused, DescriptorError::NeverSleeps { .. }));
        assert!(AsyncSender::tokio(sender).is_err());
    });
}
