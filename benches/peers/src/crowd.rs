//! Several senders and receivers of one queue, as threads on two cores: what is sent reaches one of them.

use crate::case::{Case, Workload};
use crate::peer::Peer;
use crate::sides::parcel::{Parcel, Pop, Push, check};
use anyhow::{Result, anyhow, bail, ensure};
use crossbeam_queue::ArrayQueue;
use crossbeam_utils::Backoff;
use std::sync::{Arc, Barrier};
use strait::{Mpmc, MpmcReceiver, MpmcSender, Wait};
use strait_tools::bench::clock::{self, ticks};

/// Words of a message.
const WORDS: usize = 8;

type Message = [u64; WORDS];

const CAPACITY: usize = 1024;

/// The number of the message after which a receiver stops.
const LAST: u64 = u64::MAX - WORDS as u64;

/// Sends `count` messages from `sides` senders to as many receivers; ticks from the first to the last one.
pub(crate) fn run(peer: Peer, sides: usize, count: u64, cores: (usize, usize)) -> Result<u64> {
    debug_assert_eq!(WORDS, Case { workload: Workload::Mpmc2, size: 64 }.words());
    match peer {
        Peer::StraitMpmc => {
            let most = u32::try_from(sides)?;
            let channel = || Mpmc::<Message>::unnamed("peers").wait(Wait::Backoff);
            let channel = channel().senders(most).receivers(most).capacity(CAPACITY as u64);
            let segment = Arc::new(channel.segment()?);
            let given = || Mpmc::<Message>::given(Arc::clone(&segment)).wait(Wait::Backoff);
            let senders = (0..sides).map(|_| Ok(given().sender()?)).collect::<Result<Vec<_>>>()?;
            let receivers = (0..sides).map(|_| Ok(given().receiver()?));
            exchange(senders, receivers.collect::<Result<_>>()?, count, cores)
        }
        Peer::ArrayQueue => {
            let queue = Patient(Arc::new(ArrayQueue::new(CAPACITY)));
            exchange(vec![queue.clone(); sides], vec![queue; sides], count, cores)
        }
        Peer::Crossbeam => {
            let (sender, receiver) = crossbeam_channel::bounded::<Message>(CAPACITY);
            exchange(vec![sender; sides], vec![receiver; sides], count, cores)
        }
        Peer::Kanal => {
            let (sender, receiver) = kanal::bounded::<Message>(CAPACITY);
            exchange(vec![sender; sides], vec![receiver; sides], count, cores)
        }
        _ => bail!("{} is not for several", peer.name()),
    }
}

fn exchange<I, O>(
    senders: Vec<I>,
    receivers: Vec<O>,
    count: u64,
    cores: (usize, usize),
) -> Result<u64>
where
    I: Push<Message> + Send,
    O: Pop<Message> + Send,
{
    let sides = senders.len() as u64;
    let each = count / sides;
    let begin = Barrier::new(senders.len() + receivers.len());
    let core = |index: usize| if index.is_multiple_of(2) { cores.0 } else { cores.1 };
    std::thread::scope(|scope| {
        let sending = senders.into_iter().enumerate().map(|(index, mut into)| {
            let begin = &begin;
            scope.spawn(move || -> Result<u64> {
                clock::pin(core(index))?;
                begin.wait();
                let began = ticks();
                for number in 0..each {
                    into.push(Message::build(number, WORDS))?;
                }
                // All of the others' may be on their way still: what was sent before is received before.
                into.push(Message::build(LAST, WORDS))?;
                Ok(began)
            })
        });
        let sending: Vec<_> = sending.collect();
        let receiving = receivers.into_iter().enumerate().map(|(index, mut out)| {
            let begin = &begin;
            scope.spawn(move || -> Result<(u64, u64)> {
                // Across from the sender of that number.
                clock::pin(core(index + 1))?;
                begin.wait();
                let mut got = 0;
                loop {
                    let message = out.pop()?;
                    if message.words()[0] == LAST {
                        return Ok((got, ticks()));
                    }
                    check(message.words(), message.words()[0], WORDS)?;
                    got += 1;
                }
            })
        });
        let receiving: Vec<_> = receiving.collect();
        let panicked = |_| anyhow!("a side panicked");
        let began = sending.into_iter().map(|side| side.join().map_err(panicked)?);
        let began = began.collect::<Result<Vec<u64>>>()?.into_iter().min().unwrap_or(0);
        let ended = receiving.into_iter().map(|side| side.join().map_err(panicked)?);
        let ended = ended.collect::<Result<Vec<(u64, u64)>>>()?;
        let got: u64 = ended.iter().map(|(got, _)| got).sum();
        ensure!(got == each * sides, "{} messages were sent, and {got} received", each * sides);
        Ok(ended.iter().map(|(_, at)| *at).max().unwrap_or(began).saturating_sub(began))
    })
}

impl Push<Message> for MpmcSender<Message> {
    #[inline(always)]
    fn push(&mut self, message: Message) -> Result<()> {
        Ok(self.send(&message)?)
    }
}

impl Pop<Message> for MpmcReceiver<Message> {
    #[inline(always)]
    fn pop(&mut self) -> Result<Message> {
        Ok(self.recv()?.map(|word| word.to_native()))
    }
}

/// An array queue whose sides give their core away: there are more of them than cores.
#[derive(Clone)]
struct Patient(Arc<ArrayQueue<Message>>);

impl Push<Message> for Patient {
    #[inline(always)]
    fn push(&mut self, mut message: Message) -> Result<()> {
        let backoff = Backoff::new();
        while let Err(refused) = ArrayQueue::push(&self.0, message) {
            message = refused;
            backoff.snooze();
        }
        Ok(())
    }
}

impl Pop<Message> for Patient {
    #[inline(always)]
    fn pop(&mut self) -> Result<Message> {
        let backoff = Backoff::new();
        loop {
            if let Some(message) = ArrayQueue::pop(&self.0) {
                return Ok(message);
            }
            backoff.snooze();
        }
    }
}
