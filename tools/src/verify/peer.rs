//! The other process: this program once more, on a core of its own, in one of a few roles.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io::Read;
use std::process::{Child, Command, Stdio};
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
}

/// A running peer. Dropped, it is killed if it still runs, and nothing of it stays behind.
#[derive(Debug)]
pub(super) struct Peer {
    process: Child,
    pub(super) domain: Domain,
}

/// The channels that measurements use.
pub(super) const CHANNELS: [&str; 2] = ["there", "back"];

impl Peer {
    /// Starts the peer and pins both processes.
    pub(super) fn start(role: Role, size: usize, count: u64, stdin: Stdio) -> Result<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let domain = format!("verify-{}-{number}", std::process::id());
        let role = role.to_possible_value().context("every role has a name")?;
        let process = Command::new(std::env::current_exe()?)
            .args(["verify", "--peer", role.get_name(), "--meet", &domain])
            .args(["--size", &size.to_string(), "--count", &count.to_string()])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the other process")?;
        let peer = Self { process, domain: Domain::open(&domain)? };
        pin(0)?;
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
        if let Some(mut stdout) = self.process.stdout.take() {
            stdout.read_to_string(&mut said)?;
        }
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

/// What the peer does first: it takes the second core, and never outlives its parent.
pub(super) fn settle() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    pin(1)
}

/// Pins this process to the `number`th of the processors it started with, if there are so many.
fn pin(number: usize) -> Result<()> {
    static ALLOWED: std::sync::OnceLock<Vec<usize>> = std::sync::OnceLock::new();
    let allowed = match ALLOWED.get() {
        Some(allowed) => allowed,
        None => {
            let set = sched_getaffinity(None)?;
            ALLOWED.get_or_init(|| (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
        }
    };
    if let Some(&cpu) = allowed.get(number) {
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only)?;
    }
    Ok(())
}
