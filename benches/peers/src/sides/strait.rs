//! Strait's broadcast and services, as programs use them: in a domain, by name, whichever side comes first.

use super::parcel::check;
use super::{Place, by_words};
use crate::case::{Case, LONG};
use anyhow::{Context, Result, bail, ensure};
use std::sync::Arc;
use std::time::Duration;
use strait::service::{CallError, Outcome, Pending, Reply};
use strait::{
    Broadcast, BroadcastReceiver, BroadcastSender, Domain, Join, Serving, Slow, props, service,
};
use strait_tools::bench::exercise::{Player, Role, Side};
use strait_tools::bench::sides::payload::{sum, sum_of, word, words};
use strait_tools::bench::sides::torn;

fn domain(place: &Place<'_>) -> Result<Domain> {
    Ok(Domain::open_in(place.directory, "peers")?)
}

pub(crate) fn broadcast(place: Place<'_>) -> Result<Box<dyn Player>> {
    by_words!(place.case, WORDS => Ok(Box::new(Ends::<WORDS>::open(place)?)), {
        bail!("a broadcast holds its messages in cells")
    })
}

/// The sender there, the receivers here.
enum Ends<const WORDS: usize> {
    Receivers { first: BroadcastReceiver<[u64; WORDS]>, more: Vec<BroadcastReceiver<[u64; WORDS]>> },
    Sender(BroadcastSender<[u64; WORDS]>),
}

impl<const WORDS: usize> Ends<WORDS> {
    fn open(place: Place<'_>) -> Result<Self> {
        let Place { case, role, .. } = place;
        let readers = case.workload.readers();
        let channel = || -> Result<Broadcast<[u64; WORDS]>> {
            let channel = domain(&place)?.broadcast::<[u64; WORDS]>("peers");
            let readers = u32::try_from(readers)?;
            Ok(channel.capacity(case.capacity() as u64).readers(readers))
        };
        if role == Role::There {
            return Ok(Self::Sender(channel()?.sender()?));
        }
        let receiver = || Ok(channel()?.receiver(Join::Oldest, Slow::Gate)?);
        let mut more = (0..readers).map(|_| receiver()).collect::<Result<Vec<_>>>()?;
        Ok(Self::Receivers { first: more.remove(0), more })
    }
}

impl<const WORDS: usize> Side for Ends<WORDS> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let Self::Sender(sender) = self else { bail!("the sender is the other side") };
        Ok(sender.send(&words(number))?)
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let Self::Receivers { first, more } = self else {
            bail!("the receivers are the other side")
        };
        check(&first.recv()?.map(|word| word.to_native()), number, WORDS)?;
        for receiver in more {
            check(&receiver.recv()?.map(|word| word.to_native()), number, WORDS)?;
        }
        Ok(())
    }

    fn try_receive(&mut self, number: u64) -> Result<bool> {
        self.receive(number).map(|()| true)
    }
}

/// What is asked for is what comes back.
#[service(name = "peers.Echo", version = 1)]
trait Echo {
    #[method(1)]
    fn word(&self, words: &[u64; 1]) -> [u64; 1];

    #[method(2)]
    fn line(&self, words: &[u64; 8]) -> [u64; 8];

    #[method(3)]
    fn page(&self, words: &[u64; 128]) -> [u64; 128];

    #[method(4)]
    fn long(&self, words: &[u64]) -> Vec<u64>;
}

struct Echoing;

impl Echo for Echoing {
    #[inline]
    fn word(&self, words: &[u64; 1]) -> [u64; 1] {
        *words
    }

    #[inline]
    fn line(&self, words: &[u64; 8]) -> [u64; 8] {
        *words
    }

    #[inline]
    fn page(&self, words: &[u64; 128]) -> [u64; 128] {
        *words
    }

    fn long(&self, words: &[u64]) -> Vec<u64> {
        words.to_vec()
    }
}

/// The caller here, the service there.
pub(crate) fn service(place: Place<'_>) -> Result<Box<dyn Player>> {
    let services = domain(&place)?.services()?;
    let Case { size, .. } = place.case;
    if place.role == Role::There {
        let serving = services.serve::<dyn Echo>(Arc::new(Echoing), props! {}).clients(1);
        // An answer is read while the next is asked for.
        let serving = serving.max_len(size.min(LONG)).large(4 * size as u64);
        return Ok(Box::new(Answering(serving.open()?)));
    }
    let client = services.wait_for::<dyn Echo>(None, Duration::from_secs(10))?;
    Ok(match place.case.words() {
        1 => Box::new(Calling::new(client, [0; 1])),
        8 => Box::new(Calling::new(client, [0; 8])),
        128 => Box::new(Calling::new(client, [0; 128])),
        words => Box::new(Calling::new(client, vec![0; words])),
    })
}

/// What goes out with a call, and comes back.
trait Asked: Outcome + AsMut<[u64]> {
    fn call(&self, client: &EchoClient) -> Result<Self::Returned, CallError>;
    fn start(&self, client: &EchoClient) -> Result<Pending<Self>, CallError>;
    /// That it is message `number`.
    fn check(returned: &Self::Returned, number: u64, words: usize) -> Result<()>;
}

macro_rules! asked {
    ($($words:literal $method:ident)*) => {$(
        impl Asked for [u64; $words] {
            #[inline(always)]
            fn call(&self, client: &EchoClient) -> Result<Self, CallError> {
                client.$method(self)
            }

            #[inline(always)]
            fn start(&self, client: &EchoClient) -> Result<Pending<Self>, CallError> {
                client.start().$method(self)
            }

            #[inline(always)]
            fn check(returned: &Self, number: u64, words: usize) -> Result<()> {
                check(returned, number, words)
            }
        }
    )*};
}

asked!(1 word 8 line 128 page);

impl Asked for Vec<u64> {
    #[inline(always)]
    fn call(&self, client: &EchoClient) -> Result<Reply<Self>, CallError> {
        client.long(self)
    }

    #[inline(always)]
    fn start(&self, client: &EchoClient) -> Result<Pending<Self>, CallError> {
        client.start().long(self)
    }

    #[inline(always)]
    fn check(returned: &Reply<Self>, number: u64, words: usize) -> Result<()> {
        let read = sum(returned.iter().map(|word| word.to_native()));
        ensure!(returned.len() == words && read == sum_of(number, words), torn(number));
        Ok(())
    }
}

struct Calling<T: Asked> {
    client: EchoClient,
    asked: T,
    pending: Option<Pending<T>>,
}

impl<T: Asked> Calling<T> {
    fn new(client: EchoClient, asked: T) -> Self {
        Self { client, asked, pending: None }
    }

    /// The words of message `number`, to be asked; how many they are.
    #[inline(always)]
    fn fill(&mut self, number: u64) -> usize {
        let words = self.asked.as_mut();
        for (index, slot) in words.iter_mut().enumerate() {
            *slot = word(number, index);
        }
        words.len()
    }
}

impl<T: Asked> Side for Calling<T> {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        self.fill(number);
        self.pending = Some(self.asked.start(&self.client)?);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let pending = self.pending.take().context("nothing was asked")?;
        let words = self.asked.as_mut().len();
        T::check(&pending.wait()?, number, words)
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let pending = self.pending.as_mut().context("nothing was asked")?;
        let Some(answer) = pending.try_wait() else { return Ok(false) };
        let words = self.asked.as_mut().len();
        T::check(&answer?, number, words).map(|()| true)
    }

    #[inline(always)]
    fn round_trip(&mut self, number: u64) -> Result<()> {
        let words = self.fill(number);
        T::check(&self.asked.call(&self.client)?, number, words)
    }
}

/// Answers what it receives; sending is done then.
struct Answering(Serving<dyn Echo>);

impl Side for Answering {
    #[inline(always)]
    fn send(&mut self, _number: u64) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, _number: u64) -> Result<()> {
        ensure!(self.0.serve(None)?, "a call was refused");
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, _number: u64) -> Result<bool> {
        Ok(self.0.try_serve()?)
    }
}
