//! The child processes: each holds a side of a channel, or tries to, and tells what happens to it.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | what an actor has: its spec, its page, its voice |
//! | `channel` | the channel that the spec describes, and the kinds of messages |
//! | `sides` | one way to use the four kinds of channels |
//! | `sender`, `receiver` | holding a side: open, use, close |
//! | `keeper` | a receiver that keeps some of its messages |
//! | `auditor` | whether all room for large messages is free in the end |
//! | `others` | those that hold none: intruders, foreigners, makers, hosts, idlers |
//! | `children` | leaving a child behind |

mod auditor;
mod channel;
mod children;
mod keeper;
mod others;
mod receiver;
mod sender;
mod sides;

use crate::clock;
use crate::page::{Page, Request, Stop};
use anyhow::{Context, Result, bail};
use rustix::fd::BorrowedFd;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use strait_ipc::channel::OpenError;
use strait_ipc::channel::error::Gone;
use strait_ipc::endpoint::AttachError;
use strait_pools::marks::{Mark, fail_points};
use strait_torture::journal::{Event, Record, Side};
use strait_torture::random::Random;
use strait_torture::spec::{Part, Spec};

pub(crate) use others::{host, idle};
use sides::How;

/// The descriptor at which an actor inherits its page.
pub(crate) const PAGE: i32 = 3;
/// The descriptor at which it inherits its memory segment, if it has one.
pub(crate) const SEGMENT: i32 = 4;

/// Lives an actor's life, as the words say.
pub(crate) fn run(words: &[String]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let spec = Spec::parse(words).map_err(anyhow::Error::msg)?;
    // SAFETY: the supervisor passed its page at this descriptor, and nobody closes it.
    let page = unsafe { BorrowedFd::borrow_raw(PAGE) };
    let page: &'static Page = Box::leak(Box::new(Page::map(page).context("the page")?));
    fail_points::watch(page.at());
    for &arm in &spec.arms {
        fail_points::arm(arm);
    }
    let random = Random::new(spec.seed);
    let mut actor = Actor {
        spec,
        page,
        random,
        requests: 0,
        sequence: 0,
        batch_arm: None,
        slow: 0,
        told: None,
    };
    actor.tell(Event::Born { pid: std::process::id() });
    match actor.spec.part {
        Part::Holder(Side::Sender) => sender::live(&mut actor),
        Part::Holder(Side::Receiver) | Part::Standby => receiver::live(&mut actor),
        Part::Intruder(side) => others::intrude(&mut actor, side),
        Part::Maker => others::make(&mut actor),
        Part::Foreigner => others::trespass(&mut actor),
        Part::Auditor => auditor::audit(&mut actor),
    }
}

/// An actor: what it was told, and its ways to be told more and to tell.
pub(crate) struct Actor {
    spec: Spec,
    page: &'static Page,
    random: Random,
    /// Requests of the page that were looked at.
    requests: u32,
    /// The sequence number of its next message.
    sequence: u64,
    /// A pass of `producer-in-batch` to die at, as soon as a batch is long enough to be cut there.
    batch_arm: Option<u32>,
    /// So many operations are still to be done slowly.
    slow: u64,
    /// The last holder of the other side that was told to be gone.
    told: Option<(bool, u32, u64)>,
}

impl Actor {
    /// Writes a record to the pipe. What is written whole is read, whatever happens afterwards.
    fn tell(&self, event: Event) {
        let record = Record { time: clock::now(), event };
        // SAFETY: the pipe is this process's standard output, which is not closed here.
        let mut pipe = ManuallyDrop::new(unsafe { File::from_raw_fd(1) });
        // Without anybody to listen there is nothing to do here.
        if pipe.write_all(&record.encode()).is_err() {
            std::process::exit(1);
        }
    }

    /// An operation is over: whoever dies now, dies outside.
    fn outside(&self) {
        self.page.at().store(0, SeqCst);
    }

    fn stop(&self) -> Stop {
        self.page.stop()
    }

    /// Does what the page asks for.
    fn obey(&mut self) -> Result<()> {
        match self.page.request(&mut self.requests) {
            Request::None => return Ok(()),
            Request::Arm(Mark::ProducerInBatch, pass) => self.batch_arm = Some(pass),
            Request::Arm(mark, pass) => arm(mark, pass),
            Request::Fork => self.fork()?,
            Request::Exec => self.exec()?,
        }
        self.tell(Event::Obeyed);
        Ok(())
    }

    /// Holds a side, once or over and over: opens it, uses it for a session, and closes it. `place`
    /// tells position and incarnation, and `close` lets go of it.
    fn hold<S>(
        &mut self,
        side: Side,
        open: impl Fn(&Self) -> Result<S, OpenError>,
        place: impl Fn(&S) -> (u64, u64),
        session: impl Fn(&mut Self, &mut S) -> Result<()>,
        close: impl Fn(&Self, S),
    ) -> Result<()> {
        while self.stop() == Stop::No {
            self.tell(Event::Opening { side });
            let Some(mut held) = self.open(side, || open(self))? else { break };
            let instance = channel::instance(&self.spec)?;
            let (position, incarnation) = place(&held);
            self.tell(Event::Opened { side, instance, position, incarnation });
            self.count_resources()?;
            session(self, &mut held)?;
            self.count_resources()?;
            self.tell(Event::Closing);
            close(self, held);
            self.outside();
            self.tell(Event::Closed);
            if self.spec.session == 0 || self.spec.part == Part::Standby {
                break;
            }
            self.rest();
        }
        Ok(())
    }

    /// The call for those that are not to wait for ever. Without slices they do: otherwise the limit
    /// would make up for a wake-up that was lost.
    fn limited(&self) -> How {
        if self.spec.slice == 0 { How::Waiting } else { How::Limited }
    }

    /// The position at which a session that begins at this one ends.
    fn end_of_session(&mut self, position: u64) -> u64 {
        match self.spec.session {
            0 => u64::MAX,
            most => position + 1 + self.random.below(most),
        }
    }

    /// Opens a side by `open`, asking again while another holds it; `None` if told to stop meanwhile.
    fn open<S>(&self, side: Side, open: impl Fn() -> Result<S, OpenError>) -> Result<Option<S>> {
        let mut refused = false;
        loop {
            let opened = open();
            self.outside();
            match opened {
                Ok(opened) => return Ok(Some(opened)),
                Err(OpenError::Attach(AttachError::Held { .. })) => {
                    if !refused {
                        self.tell(Event::Held { side });
                        refused = true;
                    }
                    if self.stop() != Stop::No {
                        return Ok(None);
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(error) => bail!("cannot open the {}: {error}", side.name()),
            }
        }
    }

    /// The other side's holder is gone, as an error said: told once for each.
    fn gone(&mut self, side: Side, died: bool, gone: &Gone) {
        let this = (died, gone.holder.pid, gone.holder.epoch);
        if self.told != Some(this) {
            self.told = Some(this);
            self.tell(Event::Gone { side, died, pid: gone.holder.pid });
        }
    }

    /// What this process holds, for the comparison of before and after.
    fn count_resources(&self) -> Result<()> {
        let descriptors = std::fs::read_dir("/proc/self/fd")?.count();
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let names: &[&str] = match self.spec.directory.as_str() {
            "" => &["/memfd:strait"],
            directory => &[directory],
        };
        let named = |line: &&str| names.iter().any(|name| line.contains(name));
        let mappings = u32::try_from(maps.lines().filter(named).count())?;
        self.tell(Event::Resources { descriptors: u32::try_from(descriptors)?, mappings });
        Ok(())
    }

    /// Between two sessions: long enough for all to be away at times.
    fn rest(&mut self) {
        std::thread::sleep(Duration::from_micros(self.random.below(4000)));
    }

    /// A short while, so that the journals stay readable. Where sides may sleep, a longer one for some
    /// operations in a row every now and then: the other side runs out of messages, or of room.
    fn dawdle(&mut self) {
        if self.spec.parking && self.random.once_in(40) {
            self.slow = self.random.between(4, 40);
        }
        if self.slow > 0 {
            self.slow -= 1;
            std::thread::sleep(Duration::from_micros(self.random.between(100, 600)));
        }
        let microseconds = self.random.below(30);
        let until = clock::now() + 1000 * microseconds;
        while clock::now() < until {
            std::hint::spin_loop();
        }
    }
}

/// Arms a mark to kill this process, from now on.
fn arm(mark: Mark, pass: u32) {
    let action = fail_points::Action::Kill;
    fail_points::arm(fail_points::FailPoint { mark, pass: pass.into(), action });
}
