//! The other process: the same program, told what to do over its standard input, one JSON object a
//! line. Between exercises it sleeps in a read, so that its core is free for a peer's thread.

use super::clock::{self, Clock};
use super::exercise::{Exercise, Observed, Player, Role};
use super::sides::call::{Answering, Calling};
use super::sides::descriptors::Descriptors;
use super::sides::lines::Lines;
use super::sides::memory::Memory;
use super::sides::{self, Boxed, Channels, Messages, Subject, Waiting};
use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use strait::Segment;

/// What the other process must know before it can do anything.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// This process, and its descriptors of the yardsticks and of each pair of channels.
    pub(super) process: u32,
    pub(super) lines: i32,
    pub(super) memory: Option<i32>,
    pub(super) calls: Option<i32>,
    pub(super) channels: Vec<(Subject, Waiting, [i32; 2])>,
    /// What the other process inherits under the same numbers.
    pub(super) inherited: Vec<(Subject, [i32; 2])>,
    pub(super) messages: Messages,
    pub(super) clock: Clock,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    core: usize,
    subject: Subject,
    exercise: Exercise,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Ready,
    Done(Observed),
    Failed(String),
}

const ENDED: &str = "the second process ended early";

/// The other process, killed when dropped.
#[derive(Debug)]
pub(super) struct Partner {
    child: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Partner {
    pub(super) fn spawn(setup: &Setup) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bench", "partner"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the second process")?;
        let (orders, replies) = (child.stdin.take(), child.stdout.take());
        let orders = orders.context("the second process has no input")?;
        let replies = replies.context("the second process has no output")?;
        let mut partner = Self { child, orders, replies: BufReader::new(replies) };
        put(&mut partner.orders, setup)?;
        partner.expect_ready()?;
        Ok(partner)
    }

    /// Has it begin an exercise on a core; it is waiting for the first message, or sends it, on
    /// return.
    pub(super) fn begin(
        &mut self,
        core: usize,
        subject: Subject,
        exercise: Exercise,
    ) -> Result<()> {
        put(&mut self.orders, &Order { core, subject, exercise }).context(ENDED)?;
        self.expect_ready()
    }

    fn expect_ready(&mut self) -> Result<()> {
        match self.reply()? {
            Reply::Ready => Ok(()),
            other => bail!("the second process said {other:?} where it should have begun"),
        }
    }

    /// What it saw in the exercise that it was given.
    pub(super) fn finish(&mut self) -> Result<Observed> {
        match self.reply()? {
            Reply::Done(observed) => Ok(observed),
            other => bail!("the second process said {other:?} where it should have finished"),
        }
    }

    /// Why it failed, if it has just said so.
    pub(super) fn failure(&mut self) -> Option<anyhow::Error> {
        let patience = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        let said = poll(&mut [PollFd::new(self.replies.get_ref(), PollFlags::IN)], Some(&patience));
        if said.is_ok_and(|count| count > 0) { self.finish().err() } else { None }
    }

    fn reply(&mut self) -> Result<Reply> {
        match take(&mut self.replies)?.context(ENDED)? {
            Reply::Failed(why) => Err(anyhow!("the second process failed: {why}")),
            reply => Ok(reply),
        }
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process's sides of whatever is not in process.
pub(super) struct Sides(BTreeMap<Subject, Boxed>);

impl Sides {
    pub(super) fn open(
        channels: &[(Subject, Channels)],
        descriptors: Vec<(Subject, Descriptors)>,
        lines: &File,
        memory: Option<&File>,
        calls: Option<&Arc<Segment>>,
        messages: &Messages,
        role: Role,
    ) -> Result<Self> {
        let lines = Lines::map(lines)?;
        let mut sides: BTreeMap<Subject, Boxed> = BTreeMap::new();
        sides.insert(Subject::Raw, Box::new(lines.bare(role)));
        sides.insert(Subject::Line, Box::new(lines.loaded(role)));
        sides.insert(Subject::Futex, Box::new(lines.sleeping(role, false)?));
        sides.insert(Subject::FutexTimed, Box::new(lines.sleeping(role, true)?));
        if let Some(file) = memory {
            sides.insert(Subject::Memory, Box::new(Memory::map(file, messages.size, role)?));
        }
        if let Some(segment) = calls {
            sides.insert(
                Subject::Call,
                match role {
                    Role::Here => Box::new(Calling::open(segment)?),
                    Role::There => Box::new(Answering::open(segment)?),
                },
            );
        }
        for (subject, descriptors) in descriptors {
            sides.insert(subject, Box::new(descriptors));
        }
        for (subject, channels) in channels {
            sides.insert(*subject, messages.open(channels, role)?);
        }
        Ok(Self(sides))
    }

    /// The side of `subject`, unless that is in process.
    pub(super) fn side(&mut self, subject: Subject) -> Result<&mut dyn Player> {
        let side = self.0.get_mut(&subject);
        Ok(&mut **side.with_context(|| format!("{} has no side here", subject.name()))?)
    }
}

/// What the other process does: as it is told, until nobody tells it any more.
///
/// # Errors
///
/// The first order makes no sense: this is not a command for people.
pub(super) fn main() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (mut orders, mut replies) = (std::io::stdin().lock(), std::io::stdout().lock());
    let setup: Setup = take(&mut orders)?.context("`strait bench` starts this, not you")?;
    let mut sides = match prepare(&setup) {
        Ok(sides) => sides,
        Err(error) => return put(&mut replies, &reply(Err(error))),
    };
    put(&mut replies, &Reply::Ready)?;
    while let Some(Order { core, subject, exercise }) = take(&mut orders)? {
        clock::pin(core)?;
        put(&mut replies, &Reply::Ready)?;
        let side = sides.side(subject)?;
        let played = side.play(&exercise, Role::There, setup.clock);
        let failed = played.is_err();
        put(&mut replies, &reply(played.map(Reply::Done)))?;
        if failed {
            // That closes the channels, so the other side does not wait for ever.
            break;
        }
    }
    Ok(())
}

fn prepare(setup: &Setup) -> Result<Sides> {
    let borrow = |descriptor| sides::borrow(setup.process, descriptor);
    let channels = setup.channels.iter().map(|&(subject, waiting, [there, back])| {
        Ok((subject, Channels::of(borrow(there)?, borrow(back)?, waiting)?))
    });
    let channels = channels.collect::<Result<Vec<_>>>()?;
    let inherited = setup.inherited.iter();
    let descriptors =
        inherited.map(|&(subject, numbers)| (subject, Descriptors::inherited(numbers))).collect();
    let (lines, memory) = (borrow(setup.lines)?, setup.memory.map(borrow).transpose()?);
    let calls = setup.calls.map(|calls| sides::map(borrow(calls)?)).transpose()?;
    let (memory, calls) = (memory.as_ref(), calls.as_ref());
    Sides::open(&channels, descriptors, &lines, memory, calls, &setup.messages, Role::There)
}

fn reply(result: Result<Reply>) -> Reply {
    result.unwrap_or_else(|error| Reply::Failed(format!("{error:#}")))
}

fn put(to: &mut impl Write, value: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)?;
    Ok(to.flush()?)
}

/// The next line, unless there is none.
fn take<T: DeserializeOwned>(from: &mut impl BufRead) -> Result<Option<T>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
