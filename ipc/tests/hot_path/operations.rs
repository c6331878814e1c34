//! Every operation of the hot path, each on a ring in the state that it is about.
//!
//! One list, so that whatever is measured is measured of all of them.

use crate::messages::{Numbered, unnamed};
use std::time::Duration;
use strait_ipc::channel::{OnFull, Receiver, RecvError, SendError, Sender, Spsc};

/// Cells of the ring: a batch is neither half of it, where the sender leaves a hint, nor less than
/// an eighth, where the receiver reports.
pub(crate) const CAPACITY: u64 = 256;

/// Messages in a batch.
pub(crate) const BATCH: usize = 32;

/// Never reached: no operation below waits.
const LONG: Duration = Duration::from_secs(3600);

/// One operation, and the ring it finds.
pub(crate) struct Operation<T: Numbered> {
    pub(crate) name: &'static str,
    on_full: OnFull,
    /// Messages sent before.
    sent: u64,
    /// How many of those have been received.
    received: u64,
    /// Does it, given the next messages to send; whether it ended as it should.
    run: fn(&mut Sender<T>, &mut Receiver<T>, &[T]) -> bool,
}

impl<T: Numbered> Operation<T> {
    const fn on_empty_ring(
        name: &'static str,
        run: fn(&mut Sender<T>, &mut Receiver<T>, &[T]) -> bool,
    ) -> Self {
        Self { name, on_full: OnFull::Block, sent: 0, received: 0, run }
    }

    /// Prepares a ring of its own and does the operation inside `meter`.
    pub(crate) fn measure<M>(
        &self,
        meter: impl FnOnce(&mut dyn FnMut() -> bool) -> (bool, M),
    ) -> M {
        self.measure_on(unnamed::<T>(CAPACITY), meter)
    }

    /// The same on a ring of `channel`, which has [`CAPACITY`].
    pub(crate) fn measure_on<M>(
        &self,
        channel: Spsc<T>,
        meter: impl FnOnce(&mut dyn FnMut() -> bool) -> (bool, M),
    ) -> M {
        let (mut sender, mut receiver) = channel.on_full(self.on_full).pair().unwrap();
        let mut message = T::first();
        for number in 0..self.sent {
            message.become_number(number);
            sender.try_send(&message).unwrap();
        }
        for _ in 0..self.received {
            receiver.try_recv().unwrap();
        }
        let messages: Vec<T> = (self.sent..).take(BATCH).map(numbered).collect();
        let mut run = || (self.run)(&mut sender, &mut receiver, &messages);
        let (right, measured) = meter(&mut run);
        assert!(right, "{} of {} messages went wrong", self.name, T::NAME);
        measured
    }
}

fn numbered<T: Numbered>(number: u64) -> T {
    let mut message = T::first();
    message.become_number(number);
    message
}

/// The list.
pub(crate) fn operations<T: Numbered>() -> Vec<Operation<T>> {
    let filled = |name, on_full, run| Operation { name, on_full, sent: CAPACITY, received: 0, run };
    let stocked = |name, received, run| Operation {
        name,
        on_full: OnFull::Block,
        sent: BATCH as u64,
        received,
        run,
    };
    let drained = BATCH as u64;
    vec![
        Operation::on_empty_ring("send", |sender, _, messages| sender.send(&messages[0]).is_ok()),
        Operation::on_empty_ring("try_send", |sender, _, messages| {
            sender.try_send(&messages[0]).is_ok()
        }),
        Operation::on_empty_ring("send_timeout", |sender, _, messages| {
            sender.send_timeout(&messages[0], LONG).is_ok()
        }),
        Operation::on_empty_ring("send_all of 32", |sender, _, messages| {
            sender.send_all(messages).is_ok()
        }),
        Operation::on_empty_ring("batch of 32", |sender, _, messages| {
            let mut batch = sender.batch();
            messages.iter().all(|message| batch.push(message).is_ok()) && batch.publish() == BATCH
        }),
        Operation::on_empty_ring("batch of 32, dropped", |sender, _, messages| {
            let mut batch = sender.batch();
            messages.iter().all(|message| batch.push(message).is_ok())
        }),
        Operation::on_empty_ring("loan, published", |sender, _, messages| {
            sender.loan().is_ok_and(|loan| loan.publish(&messages[0]).is_ok())
        }),
        Operation::on_empty_ring("loan, dropped", |sender, _, _| sender.loan().is_ok()),
        filled("try_send, full", OnFull::Block, |sender, _, messages| {
            matches!(sender.try_send(&messages[0]), Err(SendError::Full))
        }),
        filled("send, full, fails", OnFull::Fail, |sender, _, messages| {
            matches!(sender.send(&messages[0]), Err(SendError::Full))
        }),
        filled("send, full, drops", OnFull::DropNewest, |sender, _, messages| {
            sender.send(&messages[0]).is_ok()
        }),
        stocked("recv", 0, |_, receiver, _| {
            receiver.recv().is_ok_and(|message| T::is_number(&message, 0))
        }),
        stocked("try_recv", 0, |_, receiver, _| {
            receiver.try_recv().is_ok_and(|message| T::is_number(&message, 0))
        }),
        stocked("recv_timeout", 0, |_, receiver, _| {
            receiver.recv_timeout(LONG).is_ok_and(|message| T::is_number(&message, 0))
        }),
        stocked("drain of 32", 0, |_, receiver, _| drains(receiver, BATCH)),
        stocked("drain of 32, asked for more", 0, |_, receiver, _| drains(receiver, usize::MAX)),
        Operation::on_empty_ring("try_recv, empty", |_, receiver, _| {
            matches!(receiver.try_recv(), Err(RecvError::Empty))
        }),
        stocked("try_recv, empty, progress reported", drained, |_, receiver, _| {
            matches!(receiver.try_recv(), Err(RecvError::Empty))
        }),
        Operation {
            name: "try_recv, empty, progress to report",
            on_full: OnFull::Block,
            sent: 1,
            received: 1,
            run: |_, receiver, _| matches!(receiver.try_recv(), Err(RecvError::Empty)),
        },
    ]
}

fn drains<T: Numbered>(receiver: &mut Receiver<T>, limit: usize) -> bool {
    let (mut number, mut right) = (0, true);
    let drained = receiver.drain(limit, |message| {
        right &= T::is_number(message, number);
        number += 1;
    });
    right && drained == Ok(BATCH)
}
