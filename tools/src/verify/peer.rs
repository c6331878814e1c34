//! The other process: this program once more, on a core of its own, in one of a few roles.

use super::calls;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use strait::Domain;

/// How long anything may take that takes milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What the other process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Returns every message.
    Echo,
    /// Copies every message out.
    Copy,
    /// Adds up every message where it lies.
    Sum,
    /// Adds up small messages.
    Drain,
    /// Receives as the guide's listing does.
    Listing,
    /// Answers calls.
    Serve,
    /// Says how much memory it has, doing nothing.
    Idle,
    /// Says how much memory it has with a channel open.
    IdleWithChannel,
}

/// What the other process is told.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Orders {
    /// Be the other process of a measurement
    #[arg(long = "peer", value_name = "ROLE", hide = true)]
    pub(super) role: Option<Role>,
    /// Domain in which the two meet
    #[arg(long, hide = true, default_value = "")]
    pub(super) meet: String,
    /// Bytes per message
    #[arg(long, hide = true, default_value_t = 0)]
    pub(super) size: usize,
    /// Messages per round
    #[arg(long, hide = true, default_value_t = 0)]
    pub(super) count: u64,
    /// Processor to run on
    #[arg(long, hide = true, default_value_t = 0)]
    pub(super) core: usize,
}

/// A running peer. Dropped, it is killed if it still runs, and nothing of it stays behind.
#[derive(Debug)]
pub(super) struct Peer {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// The domain's name.
    pub(super) meet: String,
    pub(super) domain: Domain,
}

/// The channels that measurements use.
pub(super) const CHANNELS: [&str; 3] = ["there", "back", calls::CHANNEL];

impl Peer {
    /// Starts the peer, each process on a core of its own, and waits until it is ready.
    pub(super) fn start(role: Role, size: usize, count: u64, stdin: Stdio) -> Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let meet = format!("verify-{}-{number}", std::process::id());
        let (own_core, core) = cores()?;
        let role = role.to_possible_value().context("every role has a name")?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(["verify", "--peer", role.get_name(), "--meet", &meet])
            .args(["--size", &size.to_string(), "--count", &count.to_string()])
            .args(["--core", &core.to_string()])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the other process")?;
        let stdout = process.stdout.take().context("its output is not piped")?;
        let domain = Domain::open(&meet)?;
        let mut peer = Self { process, stdout: BufReader::new(stdout), meet, domain };
        pin(own_core)?;
        let mut line = String::new();
        peer.stdout.read_line(&mut line)?;
        ensure!(line.trim_end() == READY, "the other process did not start");
        Ok(peer)
    }

    /// Waits until the peer has ended in good order; returns what it said.
    pub(super) fn finish(mut self) -> Result<String> {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
            ensure!(started.elapsed() < PATIENCE, "the other process does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        ensure!(status.success(), "the other process failed ({status})");
        let mut said = String::new();
        self.stdout.read_to_string(&mut said)?;
        Ok(said)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // All of it does nothing after an end in good order.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for channel in CHANNELS {
            let _ = self.domain.remove(channel);
        }
    }
}

/// What the peer says when its channels are open.
const READY: &str = "ready";

/// Says so.
pub(super) fn ready() {
    println!("{READY}");
}

/// What the peer does first: it takes its core, and never outlives its parent.
pub(super) fn settle(core: usize) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    pin(core)
}

/// The processors that this process was started on.
pub(super) fn started_on() -> Result<&'static [usize]> {
    static STARTED_ON: OnceLock<Vec<usize>> = OnceLock::new();
    if STARTED_ON.get().is_none() {
        let set = sched_getaffinity(None)?;
        // Asked once, because it is narrowed below.
        let _ = STARTED_ON.set((0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect());
    }
    STARTED_ON.get().map(Vec::as_slice).context("the processors were not asked for")
}

/// Two of them, for a measurement.
fn cores() -> Result<(usize, usize)> {
    match started_on()? {
        [ours, theirs, ..] => Ok((*ours, *theirs)),
        _ => bail!("measurements between two processes need two processors"),
    }
}

/// Lets the calling thread run on all of them: it inherits a pin.
pub(super) fn roam() -> Result<()> {
    let mut all = CpuSet::new();
    started_on()?.iter().for_each(|&core| all.set(core));
    Ok(sched_setaffinity(None, &all)?)
}

fn pin(core: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}
