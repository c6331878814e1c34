//! The actors of channels with several senders or receivers: processes that die, and tell until then.

use super::{callers, offering, service, workers};
use crate::place::DOMAIN;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::time::Duration;
use strait_ipc::channel::latest::ReadError;
use strait_ipc::channel::{
    Broadcast, BroadcastReceiver, Join, Lanes, Latest, Mpmc, OpenError, RecvError, SendError, Slow,
    Wait,
};
use strait_ipc::endpoint::AttachError;
use strait_ipc::segment::Directory;
use strait_pools::marks::fail_points;
use strait_torture::fanout::{Body, Told};
use strait_torture::random::Random;

/// What an actor is told on its command line.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// `send`, `witness`, `gate` or `observe`; `write`, `watch` or `audit`; `put` or `take`; `submit`,
    /// `work` or `finish`; `offer`, `look`, `stare` or `stock`; `serve`, `call` or `settle`.
    pub(crate) part: String,
    pub(crate) directory: String,
    pub(crate) capacity: u64,
    /// Whether sides sleep.
    pub(crate) parking: bool,
    /// Whether what a dead receiver had in hand is lost.
    pub(crate) at_most_once: bool,
    /// Whether some arguments and answers do not fit into their cells.
    pub(crate) large: bool,
    /// The life of the service that it is, or begins with.
    pub(crate) life: u64,
    /// The number of its first message.
    pub(crate) first: u64,
    /// How many messages it sends before it closes; 0: it goes on until it is killed. Or how many it receives
    /// at once at times; or how many requests it handles, or turns it makes, before it closes.
    pub(crate) count: u64,
    /// Where it dies or dawdles, or nothing.
    pub(crate) arm: String,
}

impl Orders {
    pub(crate) fn words(&self) -> [String; 10] {
        let Self { capacity, parking, at_most_once, large, life, first, count, .. } = *self;
        let flags = [parking, at_most_once, large].map(u64::from);
        let [parking, once, large] = flags.map(|flag| flag.to_string());
        let [capacity, life, first, count] = [capacity, life, first, count].map(|n| n.to_string());
        let [part, directory, arm] = [&self.part, &self.directory, &self.arm].map(String::clone);
        [part, directory, capacity, parking, once, large, life, first, count, arm]
    }

    fn parse(words: &[String]) -> Result<Self> {
        let [part, directory, capacity, parking, once, large, life, first, count, arm] = words
        else {
            bail!("ten words are needed")
        };
        let (part, directory, arm) = (part.clone(), directory.clone(), arm.clone());
        let (capacity, life) = (capacity.parse()?, life.parse()?);
        let (first, count) = (first.parse()?, count.parse()?);
        let (parking, at_most_once, large) = (parking == "1", once == "1", large == "1");
        Ok(Self {
            part,
            directory,
            capacity,
            parking,
            at_most_once,
            large,
            life,
            first,
            count,
            arm,
        })
    }

    pub(super) fn directory(&self) -> Directory {
        Directory::from(self.directory.as_str())
    }

    pub(super) fn wait(&self) -> Wait {
        if self.parking { Wait::Park } else { Wait::Yield }
    }

    fn broadcast(&self) -> Broadcast<Body> {
        Broadcast::named(self.directory(), DOMAIN, "news")
            .capacity(self.capacity)
            .wait(self.wait())
            .slice(Duration::from_millis(5))
    }

    /// So many that lanes are marked.
    fn lanes(&self) -> Lanes<Body> {
        Lanes::named(self.directory(), DOMAIN, "fills")
            .senders(20)
            .capacity(self.capacity)
            .wait(self.wait())
            .slice(Duration::from_millis(5))
    }

    pub(super) fn mpmc(&self) -> Mpmc<Body> {
        let channel = Mpmc::named(self.directory(), DOMAIN, "work")
            .senders(4)
            .receivers(4)
            .capacity(self.capacity)
            .wait(self.wait());
        if self.at_most_once { channel.at_most_once() } else { channel }
    }

    fn latest(&self) -> Latest<Body> {
        Latest::named(self.directory(), DOMAIN, "quotes")
            .keys(self.capacity)
            .wait(self.wait())
            .slice(Duration::from_millis(5))
    }
}

/// What is written whole is read, whatever happens afterwards.
pub(super) fn tell(told: Told) {
    // SAFETY: the pipe is this process's standard output, which is not closed here.
    let mut pipe = ManuallyDrop::new(unsafe { File::from_raw_fd(1) });
    if pipe.write_all(&told.encode()).is_err() {
        std::process::exit(1);
    }
}

/// Lives an actor's life.
pub(crate) fn run(words: &[String]) -> Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let orders = Orders::parse(words)?;
    if !orders.arm.is_empty() {
        fail_points::arm(orders.arm.parse()?);
    }
    let random = Random::new(orders.first);
    match orders.part.as_str() {
        "serve" => service::serve(&orders, random),
        "call" => callers::call(&orders, random),
        "settle" => service::settle(&orders),
        "submit" => workers::submit(&orders, random),
        "work" => workers::work(&orders, random, false),
        "finish" => workers::work(&orders, random, true),
        "offer" => offering::offer_things(&orders, random),
        "look" => offering::look(&orders, random),
        "stare" => offering::stare(&orders),
        "stock" => offering::take_stock(&orders),
        "put" => put(&orders, random),
        "take" => take_all(&orders),
        "send" => send(&orders, random),
        "witness" => receive(&orders, false),
        "gate" => receive(&orders, true),
        "observe" => observe(&orders),
        "write" => write(&orders, random),
        "watch" => watch(&orders),
        "audit" => audit(&orders),
        other => bail!("there is no part {other}"),
    }
}

/// Opens a side by `open`, asking again while another has it: the kernel releases a dead one's lock in its
/// own time.
pub(super) fn insist<S>(open: impl Fn() -> Result<S, OpenError>) -> Result<S> {
    loop {
        match open() {
            Err(OpenError::Attach(AttachError::Held { .. } | AttachError::AllHeld { .. })) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            opened => return opened.context("opening"),
        }
    }
}

/// Sends in a lane.
fn put(orders: &Orders, mut random: Random) -> Result<()> {
    let mut sender = insist(|| orders.lanes().sender())?;
    for number in numbers(orders) {
        tell(Told::About(number, 0));
        let position = sender.position();
        loop {
            match sender.send(&Body::of(number)) {
                Ok(()) => break,
                // It has no room, and the receiver is gone: the next one makes some.
                Err(SendError::PeerDied(_)) => std::thread::sleep(Duration::from_micros(200)),
                Err(other) => bail!("sending: {other}"),
            }
        }
        tell(Told::Sent(number, position));
        dawdle(&mut random);
    }
    Ok(())
}

/// Receives from all lanes; to the end, if there is a last message.
fn take_all(orders: &Orders) -> Result<()> {
    let mut receiver = insist(|| orders.lanes().receiver())?;
    let mut is_last = false;
    loop {
        match receiver.recv() {
            Ok(message) => match message.number() {
                Some(number) => {
                    is_last |= orders.count == number;
                    tell(Told::Got(number, message.position()));
                }
                None => tell(Told::Torn),
            },
            Err(RecvError::PeerDied(_) | RecvError::Closed(_)) if is_last => {
                tell(Told::Closed);
                return Ok(());
            }
            Err(RecvError::PeerDied(_) | RecvError::Closed(_)) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(other) => bail!("receiving: {other}"),
        }
    }
}

/// So that others get a processor, and sleep at times.
pub(super) fn dawdle(random: &mut Random) {
    if random.once_in(16) {
        std::thread::sleep(Duration::from_micros(random.below(300)));
    }
}

pub(super) fn numbers(orders: &Orders) -> impl Iterator<Item = u64> {
    let count = if orders.count == 0 { u64::MAX } else { orders.count };
    (orders.first..).take(usize::try_from(count).unwrap_or(usize::MAX))
}

fn send(orders: &Orders, mut random: Random) -> Result<()> {
    let mut sender = insist(|| orders.broadcast().sender())?;
    for number in numbers(orders) {
        tell(Told::About(number, 0));
        let position = sender.bytes().position();
        sender.send(&Body::of(number))?;
        tell(Told::Sent(number, position));
        dawdle(&mut random);
    }
    Ok(())
}

/// Receives what comes; `true` once the sender has closed.
fn take(receiver: &mut BroadcastReceiver<Body>) -> Result<bool> {
    match receiver.recv() {
        Ok(message) => match message.number() {
            Some(number) => tell(Told::Got(number, message.position())),
            None => tell(Told::Torn),
        },
        Err(RecvError::Overrun { lost }) => tell(Told::Lost(lost)),
        // The next one is on its way.
        Err(RecvError::PeerDied(_)) => std::thread::sleep(Duration::from_micros(200)),
        Err(RecvError::Closed(_)) => {
            tell(Told::Closed);
            return Ok(true);
        }
        Err(other) => bail!("receiving: {other}"),
    }
    Ok(false)
}

/// Is waited for; leaves and comes back again and again if `restless`.
fn receive(orders: &Orders, restless: bool) -> Result<()> {
    loop {
        let mut receiver = insist(|| orders.broadcast().receiver(Join::Oldest, Slow::Gate))?;
        tell(Told::Begun(receiver.bytes().position()));
        for turn in 0_u64.. {
            if take(&mut receiver)? {
                return Ok(());
            }
            if restless && turn > 20 {
                break;
            }
        }
    }
}

fn observe(orders: &Orders) -> Result<()> {
    let mut receiver = orders.broadcast().observer(Join::Oldest)?;
    tell(Told::Begun(receiver.bytes().position()));
    while !take(&mut receiver)? {}
    Ok(())
}

fn write(orders: &Orders, mut random: Random) -> Result<()> {
    let mut writer = insist(|| orders.latest().writer())?;
    for number in numbers(orders) {
        let key = random.below(orders.capacity);
        tell(Told::About(number, key));
        writer.set(key, &Body::of(number))?;
        tell(Told::Sent(number, key));
        dawdle(&mut random);
    }
    Ok(())
}

/// Looks at all values all the time: they are whole, and never older than before. Killed in the end.
fn watch(orders: &Orders) -> Result<()> {
    let mut reader = orders.latest().reader()?;
    let mut last = vec![(0, 0); usize::try_from(orders.capacity)?];
    loop {
        for (key, last) in (0..).zip(&mut last) {
            let now = match reader.get(key) {
                Ok(None) | Err(ReadError::Contended) => continue,
                Ok(Some(value)) => (value.version(), value.number()),
                Err(other) => bail!("reading: {other}"),
            };
            match now {
                (version, Some(number)) if version >= last.0 && number >= last.1 => {
                    *last = (version, number);
                }
                _ => tell(Told::Torn),
            }
        }
        match reader.wait_changed(0, last[0].0, Some(Duration::from_micros(500))).map(|_| ()) {
            Ok(()) | Err(ReadError::Timeout | ReadError::Contended) => {}
            Err(ReadError::PeerDied(_) | ReadError::Closed(_)) => {
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(other) => bail!("waiting: {other}"),
        }
    }
}

/// Tells every value.
fn audit(orders: &Orders) -> Result<()> {
    let mut reader = orders.latest().observer()?;
    for key in 0..orders.capacity {
        if let Some(value) = reader.get(key)? {
            tell(value.number().map_or(Told::Torn, |number| Told::Got(number, key)));
        }
    }
    Ok(())
}
