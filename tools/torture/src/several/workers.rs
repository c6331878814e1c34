//! The actors of channels with several senders and several receivers.

use super::actor::{Orders, dawdle, insist, numbers, tell};
use crate::clock::now;
use anyhow::{Result, bail};
use std::time::Duration;
use strait_ipc::channel::{RecvError, SendError};
use strait_torture::fanout::{Body, Told};
use strait_torture::random::Random;

/// Sends, one by one or a few at a time.
pub(super) fn submit(orders: &Orders, mut random: Random) -> Result<()> {
    let mut sender = insist(|| orders.mpmc().sender())?;
    let mut numbers = numbers(orders).peekable();
    while numbers.peek().is_some() {
        let few = if random.once_in(4) { 3 } else { 1 };
        let numbers: Vec<u64> = numbers.by_ref().take(few).collect();
        let bodies: Vec<Body> = numbers.iter().map(|&number| Body::of(number)).collect();
        numbers.iter().for_each(|&number| tell(Told::About(number, 0)));
        let mut sent = 0;
        while sent < numbers.len() {
            let result = match &bodies[sent..] {
                [one] => sender.send(one).map_err(|error| (0, error)),
                several => sender.send_all(several),
            };
            let more = match result {
                Ok(()) => numbers.len() - sent,
                Err((some, SendError::PeerDied(_))) => some,
                Err((_, other)) => bail!("sending: {other}"),
            };
            numbers[sent..][..more].iter().for_each(|&number| tell(Told::Sent(number, 0)));
            sent += more;
            if more == 0 {
                // There is no room, and all receivers are gone: the next ones make some.
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        dawdle(&mut random);
    }
    Ok(())
}

/// Receives one by one, or what is there if `orders` say how many; `to_the_end`, until all senders are gone.
pub(super) fn work(orders: &Orders, mut random: Random, to_the_end: bool) -> Result<()> {
    let mut receiver = insist(|| orders.mpmc().receiver())?;
    loop {
        let result = if orders.count > 0 && random.once_in(4) {
            // These do not say whether they are delivered again, and may be.
            let most = usize::try_from(orders.count)?;
            receiver.drain(most, |message| tell(body(message, Told::Again))).map(|_| ())
        } else {
            receiver.recv().map(|message| {
                let again = message.redelivered();
                tell(body(&message, if again { Told::Again } else { Told::Got }));
                // Held for a moment.
                dawdle(&mut random);
            })
        };
        match result {
            Ok(()) | Err(RecvError::Empty) => {}
            Err(RecvError::PeerDied(_) | RecvError::Closed(_)) if to_the_end => {
                tell(Told::Closed);
                return Ok(());
            }
            // The next ones are on their way.
            Err(RecvError::PeerDied(_) | RecvError::Closed(_)) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(other) => bail!("receiving: {other}"),
        }
    }
}

/// What is told of a message.
fn body(body: &Body, told: impl Fn(u64, u64) -> Told) -> Told {
    body.number().map_or(Told::Torn, |number| told(number, now()))
}
