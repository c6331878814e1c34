//! The other process: the same program, told what to do over its standard input, one JSON object a
//! line. Between exercises it sleeps in a read, so that its core is free for a peer's thread.

use super::clock::{self, Clock};
use super::exercise::{Exercise, Observed, Player, Role};
use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{BufRead, BufReader, Write};
use std::marker::PhantomData;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Serialize, Deserialize)]
struct Order<S> {
    core: usize,
    subject: S,
    exercise: Exercise,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Ready,
    Done(Observed),
    Failed(String),
}

const ENDED: &str = "the second process ended early";

/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// The other process, which has a side of each subject `S`. It is dismissed when dropped.
#[derive(Debug)]
pub struct Partner<S> {
    child: Child,
    /// `None` once it is dismissed.
    orders: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    subjects: PhantomData<fn(S)>,
}

impl<S: Serialize> Partner<S> {
    /// Starts this program once more, with `arguments` that make it call [`answer`], and tells it what
    /// it must know before it can do anything.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn spawn(arguments: &[&str], setup: &impl Serialize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the second process")?;
        let (orders, replies) = (child.stdin.take(), child.stdout.take());
        let replies = BufReader::new(replies.context("the second process has no output")?);
        let mut partner = Self { child, orders, replies, subjects: PhantomData };
        partner.tell(setup)?;
        Ok(partner)
    }

    /// Waits until it has opened its sides.
    ///
    /// # Errors
    ///
    /// It could not.
    pub fn ready(&mut self) -> Result<()> {
        match self.reply()? {
            Reply::Ready => Ok(()),
            other => bail!("the second process said {other:?} where it should have begun"),
        }
    }

    /// Has it begin an exercise on a core; it is waiting for the first message, or sends it, on
    /// return.
    fn begin(&mut self, core: usize, subject: S, exercise: Exercise) -> Result<()> {
        self.tell(&Order { core, subject, exercise })?;
        self.ready()
    }

    /// Both processes do `exercise`, this one with the side `here`; what this one saw, and the other.
    ///
    /// # Errors
    ///
    /// That of either side.
    pub fn play(
        &mut self,
        here: &mut dyn Player,
        core: usize,
        subject: S,
        exercise: Exercise,
        clock: Clock,
    ) -> Result<[Observed; 2]> {
        self.begin(core, subject, exercise)?;
        match here.play(&exercise, Role::Here, clock) {
            Ok(here) => Ok([here, self.finish()?]),
            // Its account of a failure is worth more than ours of the consequences.
            Err(error) => Err(self.failure().unwrap_or(error)),
        }
    }

    /// What it saw in the exercise that it was given.
    fn finish(&mut self) -> Result<Observed> {
        match self.reply()? {
            Reply::Done(observed) => Ok(observed),
            other => bail!("the second process said {other:?} where it should have finished"),
        }
    }

    /// Why it failed, if it has just said so.
    pub fn failure(&mut self) -> Option<anyhow::Error> {
        let patience = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        let said = poll(&mut [PollFd::new(self.replies.get_ref(), PollFlags::IN)], Some(&patience));
        if said.is_ok_and(|count| count > 0) { self.finish().err() } else { None }
    }

    fn tell(&mut self, what: &impl Serialize) -> Result<()> {
        put(self.orders.as_mut().context(ENDED)?, what).context(ENDED)
    }

    fn reply(&mut self) -> Result<Reply> {
        match take(&mut self.replies)?.context(ENDED)? {
            Reply::Failed(why) => Err(anyhow!("the second process failed: {why}")),
            reply => Ok(reply),
        }
    }
}

impl<S> Drop for Partner<S> {
    fn drop(&mut self) {
        // Nobody tells it anything any more: it closes its sides in good order and ends, or is stuck.
        self.orders = None;
        let began = Instant::now();
        while began.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process's sides of whatever is not in process.
pub struct Sides<S>(BTreeMap<S, Box<dyn Player>>);

impl<S: Ord> Default for Sides<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Debug> Debug for Sides<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<S: Ord + Copy + Debug> Sides<S> {
    /// Adds a subject's side.
    pub fn insert(&mut self, subject: S, side: Box<dyn Player>) {
        self.0.insert(subject, side);
    }

    /// The side of `subject`.
    ///
    /// # Errors
    ///
    /// It has none here.
    pub fn side(&mut self, subject: S) -> Result<&mut dyn Player> {
        let side = self.0.get_mut(&subject);
        Ok(&mut **side.with_context(|| format!("{subject:?} has no side here"))?)
    }
}

/// What the other process does: as it is told, until nobody tells it any more. `open` makes its sides of
/// what it was told first.
///
/// # Errors
///
/// The first order makes no sense: this is not a command for people.
pub fn answer<T: DeserializeOwned, S: DeserializeOwned + Ord + Copy + Debug>(
    open: impl FnOnce(T) -> Result<(Clock, Sides<S>)>,
) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let (mut orders, mut replies) = (std::io::stdin().lock(), std::io::stdout().lock());
    let setup = take(&mut orders)?.context("a benchmark starts this, not you")?;
    let (clock, mut sides) = match open(setup) {
        Ok(opened) => opened,
        Err(error) => return put(&mut replies, &reply(Err(error))),
    };
    put(&mut replies, &Reply::Ready)?;
    while let Some(Order { core, subject, exercise }) = take(&mut orders)? {
        clock::pin(core)?;
        put(&mut replies, &Reply::Ready)?;
        let played = sides.side(subject)?.play(&exercise, Role::There, clock);
        let failed = played.is_err();
        put(&mut replies, &reply(played.map(Reply::Done)))?;
        if failed {
            // That closes the channels, so the other side does not wait for ever.
            break;
        }
    }
    Ok(())
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
