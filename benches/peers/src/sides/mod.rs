//! The ends of each peer, used as its own documentation says.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | which peer has which |
//! | [`parcel`] | messages whose ownership goes along, and queues of them |
//! | [`queues`] | crossbeam's and kanal's queues |
//! | [`disruptor`] | disruptor-rs |
//! | [`iceoryx`] | iceoryx2: publish-subscribe, and requests with responses |
//! | [`ringfire`] | ringfire |
//! | [`kernel`] | pipes, sockets and event counters |
//! | [`ipc_channel`] | ipc-channel |
//! | `zeromq` | ZeroMQ, if that feature is on |
//! | `aeron` | Aeron, if that feature is on |
//! | [`strait`] | Strait's broadcast, its many-to-many channel, and its services |
//!
//! Strait's pair, rtrb and the bare lines are those of `strait bench`.

#[cfg(feature = "aeron")]
pub(crate) mod aeron;
pub(crate) mod disruptor;
pub(crate) mod iceoryx;
pub(crate) mod ipc_channel;
pub(crate) mod kernel;
pub(crate) mod parcel;
pub(crate) mod queues;
pub(crate) mod ringfire;
pub(crate) mod strait;
#[cfg(feature = "zeromq")]
pub(crate) mod zeromq;

use crate::case::{Case, Workload};
use crate::peer::Peer;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};
use strait_tools::bench::exercise::{Player, Role};
use strait_tools::bench::shared;
use strait_tools::bench::sides::descriptors::Descriptors;
use strait_tools::bench::sides::lines::{self, Lines};
use strait_tools::bench::sides::{Channels, Kind, Messages, Subject, Waiting};

/// Where one side of a peer meets the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) case: Case,
    pub(crate) role: Role,
    /// A folder in shared memory that is nobody else's.
    pub(crate) directory: &'a Path,
}

impl Place<'_> {
    /// What this side sends on, and what it receives on.
    pub(crate) fn ways(&self) -> [&'static str; 2] {
        match self.role {
            Role::Here => ["there", "back"],
            Role::There => ["back", "there"],
        }
    }
}

/// Does `$then` with `$words` a constant, if messages have one of the sizes that are moved by value; else
/// `$otherwise`.
macro_rules! by_words {
    ($case:expr, $words:ident => $then:expr, $otherwise:expr) => {
        match $case.words() {
            1 => {
                const $words: usize = 1;
                $then
            }
            8 => {
                const $words: usize = 8;
                $then
            }
            128 => {
                const $words: usize = 128;
                $then
            }
            _ => $otherwise,
        }
    };
}
pub(crate) use by_words;

/// How long one side waits for the other to open.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `attempt` returns, once it returns something: the other side may not be there yet.
pub(crate) fn patiently<R>(
    what: &str,
    mut attempt: impl FnMut() -> Result<Option<R>>,
) -> Result<R> {
    let began = Instant::now();
    loop {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        if began.elapsed() > PATIENCE {
            bail!("{what} has not come within {} seconds", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Does `what` where this thread may run on any core: threads inherit where theirs may, and those that a library
/// begins should leave the cores alone on which the sides are timed, if there are others.
#[cfg(any(feature = "aeron", feature = "zeromq"))]
pub(crate) fn on_any_core<R>(what: impl FnOnce() -> Result<R>) -> Result<R> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let before = sched_getaffinity(None)?;
    let mut any = CpuSet::new();
    for core in 0..CpuSet::MAX_CPU {
        any.set(core);
    }
    sched_setaffinity(None, &any)?;
    let done = what();
    sched_setaffinity(None, &before)?;
    done
}

/// What this process has before the other one begins.
#[derive(Default)]
pub(crate) struct Held {
    /// Memory that the other process opens as well.
    pub(crate) files: Vec<File>,
    /// What is inherited: this side's and the other's.
    pub(crate) ends: Option<[Descriptors; 2]>,
}

/// What the other process must be given.
pub(crate) fn prepare(peer: Peer, case: Case) -> Result<Held> {
    let ends = |subject| -> Result<Held> {
        Ok(Held { ends: Some(Descriptors::connect(subject)?), ..Held::default() })
    };
    match peer {
        Peer::Raw => Ok(Held { files: vec![shared("peers-raw", lines::BYTES)?], ends: None }),
        Peer::Strait | Peer::StraitAsleep => {
            let channels = Channels::new(&messages(case), waiting(peer))?;
            Ok(Held { files: channels.descriptors()?.map(File::from).into(), ends: None })
        }
        Peer::Eventfd => ends(Subject::Eventfd),
        Peer::Pipe => ends(Subject::Pipe),
        Peer::Socket => ends(Subject::Socket),
        _ => Ok(Held::default()),
    }
}

/// In the other process: what it inherited under these numbers.
pub(crate) fn inherited(numbers: [i32; 2]) -> Descriptors {
    Descriptors::inherited(numbers)
}

fn messages(case: Case) -> Messages {
    Messages { size: case.size, kind: Kind::Pod, dense: false }
}

fn waiting(peer: Peer) -> Waiting {
    if peer == Peer::StraitAsleep { Waiting::PARK } else { Waiting::default() }
}

/// One process's side of a peer.
pub(crate) fn open(
    peer: Peer,
    place: Place<'_>,
    files: &[File],
    ends: Option<Descriptors>,
) -> Result<Box<dyn Player>> {
    let Place { case, role, .. } = place;
    match peer {
        Peer::Raw => {
            let file = files.first().context("no lines")?;
            Ok(Box::new(Lines::map(file)?.bare(role)))
        }
        Peer::Strait | Peer::StraitAsleep => {
            let [there, back] = files else { bail!("no channels") };
            let channels = Channels::of(there.try_clone()?, back.try_clone()?, waiting(peer))?;
            messages(case).open(&channels, role)
        }
        Peer::StraitService => strait::service(place),
        Peer::StraitBroadcast => strait::broadcast(place),
        Peer::Ringfire => ringfire::open(place),
        Peer::Iceoryx2 => iceoryx::publish_subscribe(place),
        Peer::Iceoryx2Calls => iceoryx::calls(place),
        Peer::IpcChannel => ipc_channel::open(place),
        Peer::Eventfd => Ok(Box::new(ends.context("no counters")?)),
        Peer::Pipe | Peer::Socket => {
            Ok(Box::new(kernel::Bytes::new(ends.context("no descriptors")?, case)))
        }
        #[cfg(feature = "zeromq")]
        Peer::ZeroMq => zeromq::open(place),
        #[cfg(feature = "aeron")]
        Peer::Aeron => aeron::open(place),
        _ => bail!("{} is not between processes", peer.name()),
    }
}

/// Both sides of a peer within a process.
pub(crate) fn threads(peer: Peer, case: Case) -> Result<[Box<dyn Player + Send>; 2]> {
    match peer {
        Peer::Rtrb => messages(case).peer(Subject::Rtrb),
        Peer::RtrbChunks => messages(case).peer(Subject::RtrbChunks),
        Peer::ArrayQueue => Ok(queues::array_queue(case)),
        Peer::Crossbeam if matches!(case.workload, Workload::FanOut1 | Workload::FanOut8) => {
            Ok(queues::crossbeam_each(case))
        }
        Peer::Crossbeam => Ok(queues::crossbeam(case)),
        Peer::Kanal => Ok(queues::kanal(case)),
        Peer::Disruptor => Ok(disruptor::connect(case)),
        _ => bail!("{} is not within a process", peer.name()),
    }
}
