//! Any sequence of calls on a channel does what it would do to a queue of limited length.

mod channel;

use channel::{Numbered, Order, Place, Tick};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;
use strait_ipc::channel::{OnFull, Receiver, RecvError, SendError, Sender};

const NAME: &str = "flow";

#[derive(Clone, Debug)]
enum Call {
    TrySend,
    /// Under the policy to drop what does not fit.
    Send,
    /// So many pushes, published or not.
    Batch(usize, bool),
    Loan(bool),
    TryRecv,
    Drain(usize),
    CloseSender,
    CloseReceiver,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        4 => Just(Call::TrySend),
        2 => Just(Call::Send),
        3 => (0..10_usize, any::<bool>()).prop_map(|(pushes, publish)| Call::Batch(pushes, publish)),
        2 => any::<bool>().prop_map(Call::Loan),
        6 => Just(Call::TryRecv),
        2 => (0..6_usize).prop_map(Call::Drain),
        1 => Just(Call::CloseSender),
        1 => Just(Call::CloseReceiver),
    ];
    vec(call, 1..120)
}

/// The channel, and the queue it should be. A side that was closed is opened by its next call.
struct Pair<T: Numbered> {
    place: Place,
    capacity: usize,
    sender: Option<Sender<T>>,
    receiver: Option<Receiver<T>>,
    queue: VecDeque<u64>,
    /// Positions.
    sent: u64,
    received: u64,
    dropped: u64,
    /// How often a sender was opened, and where the present one began.
    senders: (u64, u64),
}

impl<T: Numbered> Pair<T> {
    fn new(capacity: usize) -> Self {
        let place = Place::new();
        let mut pair = Self {
            place,
            capacity,
            sender: None,
            receiver: None,
            queue: VecDeque::new(),
            sent: 0,
            received: 0,
            dropped: 0,
            senders: (0, 0),
        };
        pair.sender();
        pair
    }

    fn sender(&mut self) -> &mut Sender<T> {
        if self.sender.is_none() {
            self.renew_if_gone();
            let open = self.place.spsc::<T>(NAME).capacity(self.capacity as u64);
            let sender = open.on_full(OnFull::DropNewest).sender().unwrap();
            self.senders = (self.senders.0 + 1, self.sent);
            assert_eq!((sender.position(), sender.dropped()), (self.sent, self.dropped));
            self.sender = Some(sender);
        }
        self.sender.as_mut().unwrap()
    }

    fn receiver(&mut self) -> &mut Receiver<T> {
        if self.receiver.is_none() {
            self.renew_if_gone();
            let open = self.place.spsc::<T>(NAME).capacity(self.capacity as u64);
            let receiver = open.receiver().unwrap();
            assert_eq!((receiver.position(), receiver.dropped()), (self.received, self.dropped));
            assert_eq!(receiver.sender_incarnation(), self.senders);
            self.receiver = Some(receiver);
        }
        self.receiver.as_mut().unwrap()
    }

    /// With both sides closed, a channel is there if and only if it has unread messages; the next to
    /// open makes a new one.
    fn renew_if_gone(&mut self) {
        if self.sender.is_some() || self.receiver.is_some() {
            return;
        }
        assert_eq!(self.place.files().is_empty(), self.queue.is_empty());
        if self.queue.is_empty() {
            (self.sent, self.received, self.dropped, self.senders) = (0, 0, 0, (0, 0));
        }
    }

    fn full(&self) -> bool {
        self.queue.len() == self.capacity
    }

    fn sent_one(&mut self) {
        self.queue.push_back(self.sent);
        self.sent += 1;
    }

    fn received_one(&mut self, number: u64) {
        assert_eq!(Some(number), self.queue.pop_front());
        self.received += 1;
    }

    /// What an empty channel says: nobody closed, or nobody is there any more.
    fn is_right_about_nothing(&self, error: &RecvError) -> bool {
        let closed = self.sender.is_none() && self.senders.0 > 0;
        match error {
            RecvError::Empty => self.queue.is_empty() && !closed,
            RecvError::Closed(_) => self.queue.is_empty() && closed,
            _ => false,
        }
    }

    fn call(&mut self, call: &Call) {
        // Opened before anything is expected of it: the channel may begin anew.
        match call {
            Call::TrySend | Call::Send | Call::Batch(..) | Call::Loan(_) => _ = self.sender(),
            Call::TryRecv | Call::Drain(_) => _ = self.receiver(),
            Call::CloseSender | Call::CloseReceiver => {}
        }
        match *call {
            Call::TrySend => {
                let message = T::numbered(self.sent);
                let result = self.sender().try_send(&message);
                assert_eq!(result, if self.full() { Err(SendError::Full) } else { Ok(()) });
                if result.is_ok() {
                    self.sent_one();
                }
            }
            Call::Send => {
                let message = T::numbered(self.sent);
                self.sender().send(&message).unwrap();
                if self.full() { self.dropped += 1 } else { self.sent_one() }
            }
            Call::Batch(pushes, publish) => self.batch(pushes, publish),
            Call::Loan(publish) => {
                let (full, message) = (self.full(), T::numbered(self.sent));
                match self.sender().loan() {
                    Ok(loan) if publish => loan.publish(&message).unwrap(),
                    Ok(_) => return assert!(!full),
                    Err(error) => return assert_eq!((error, full), (SendError::Full, true)),
                }
                self.sent_one();
            }
            Call::TryRecv => {
                let position = self.received;
                let result = self.receiver().try_recv().map(|message| {
                    assert_eq!(message.position(), position);
                    T::number(&message)
                });
                match result {
                    Ok(number) => self.received_one(number),
                    Err(error) => assert!(self.is_right_about_nothing(&error), "{error}"),
                }
            }
            Call::Drain(limit) => self.drain(limit),
            Call::CloseSender => self.sender = None,
            Call::CloseReceiver => self.receiver = None,
        }
    }

    fn batch(&mut self, pushes: usize, publish: bool) {
        let (first, free) = (self.sent, self.capacity - self.queue.len());
        let mut batch = self.sender().batch();
        for (index, number) in (first..).take(pushes).enumerate() {
            let result = batch.push(&T::numbered(number));
            assert_eq!(result, if index < free { Ok(()) } else { Err(SendError::Full) });
        }
        let count = pushes.min(free);
        if publish {
            assert_eq!(batch.publish(), count);
            (0..count).for_each(|_| self.sent_one());
        }
    }

    fn drain(&mut self, limit: usize) {
        let mut numbers = vec![];
        let result = self.receiver().drain(limit, |archived| numbers.push(T::number(archived)));
        let expected = limit.min(self.queue.len());
        match result {
            Ok(handled) => assert_eq!((handled, numbers.len()), (expected, expected)),
            Err(error) => assert!(limit > 0 && self.is_right_about_nothing(&error), "{error}"),
        }
        numbers.into_iter().for_each(|number| self.received_one(number));
    }
}

fn behaves_like_a_queue<T: Numbered>(capacity: u32, calls: &[Call]) {
    let mut pair = Pair::<T>::new(1 << capacity);
    for call in calls {
        pair.call(call);
    }
    while !pair.queue.is_empty() {
        pair.call(&Call::TryRecv);
    }
    pair.call(&Call::CloseSender);
    pair.call(&Call::CloseReceiver);
    pair.place.assert_empty();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn plain_messages(capacity in 0..4_u32, calls in calls()) {
        behaves_like_a_queue::<Tick>(capacity, &calls);
    }

    #[test]
    fn rich_messages(capacity in 0..4_u32, calls in calls()) {
        behaves_like_a_queue::<Order>(capacity, &calls);
    }
}
