//! The other process: the same program, told what to do over its standard input, one JSON object a
//! line. Between exercises it sleeps in a read, so that its core is free for a peer's thread.

use super::clock::{self, Clock};
use super::exercise::{Exercise, Observed, Player, Role};
use super::sides::lines::Lines;
use super::sides::{self, Boxed, Channels, Messages, Subject};
use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the other process must know before it can do anything.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// This process, and its descriptors of the yardstick and the two channels.
    pub(super) process: u32,
    pub(super) lines: i32,
    pub(super) there: i32,
    pub(super) back: i32,
    pub(super) core: usize,
    pub(super) messages: Messages,
    pub(super) clock: Clock,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
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

    /// Has it begin an exercise; it is waiting for the first message, or sends it, on return.
    pub(super) fn begin(&mut self, subject: Subject, exercise: Exercise) -> Result<()> {
        put(&mut self.orders, &Order { subject, exercise }).context(ENDED)?;
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

/// Both processes' sides of whatever is not in process.
pub(super) struct Sides {
    strait: Boxed,
    raw: Boxed,
    line: Boxed,
}

impl Sides {
    pub(super) fn open(
        channels: &Channels,
        lines: &std::fs::File,
        messages: &Messages,
        role: Role,
    ) -> Result<Self> {
        let lines = Lines::map(lines)?;
        let (raw, line) = (Box::new(lines.bare(role)), Box::new(lines.loaded(role)));
        Ok(Self { strait: messages.open(channels, role)?, raw, line })
    }

    /// The side of `subject`, unless that is in process.
    pub(super) fn side(&mut self, subject: Subject) -> Result<&mut dyn Player> {
        match subject {
            Subject::Strait => Ok(&mut *self.strait),
            Subject::Raw => Ok(&mut *self.raw),
            Subject::Line => Ok(&mut *self.line),
            Subject::Rtrb | Subject::RtrbChunks => bail!("{} is in process", subject.name()),
        }
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
    while let Some(Order { subject, exercise }) = take(&mut orders)? {
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
    clock::pin(setup.core)?;
    let borrow = |descriptor| sides::borrow(setup.process, descriptor);
    let channels = Channels::of(borrow(setup.there)?, borrow(setup.back)?)?;
    Sides::open(&channels, &borrow(setup.lines)?, &setup.messages, Role::There)
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
