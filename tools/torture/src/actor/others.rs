//! Those that hold no side: intruders, foreigners, makers, hosts of pid namespaces, idlers.

use super::Actor;
use super::children::linger;
use super::sides;
use crate::clock;
use crate::page::Stop;
use anyhow::{Result, bail, ensure};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;
use strait_ipc::channel::OpenError;
use strait_ipc::endpoint::AttachError;
use strait_ipc::segment::SegmentError;
use strait_ipc::segment::kernel::NamedFile;
use strait_ipc::segment::lifecycle;
use strait_torture::journal::{Event, Record, Side};

/// Tries to take a side that a stopped process holds.
pub(super) fn intrude(actor: &mut Actor, side: Side) -> Result<()> {
    let result = match side {
        Side::Sender => sides::sender(&actor.spec).map(drop),
        Side::Receiver => sides::receiver(&actor.spec, || {}).map(drop),
    };
    match result {
        Err(OpenError::Attach(AttachError::Held { .. })) => actor.tell(Event::Refused),
        Err(other) => bail!("an intruder got another answer: {other}"),
        Ok(()) => bail!("an intruder was let in"),
    }
    Ok(())
}

/// Tries to open another user's channel: with the kernel's means, and with Strait's.
pub(super) fn trespass(actor: &mut Actor) -> Result<()> {
    let path = actor.spec.directory.clone();
    let opened = File::options().read(true).write(true).open(&path).map_err(|error| error.kind());
    ensure!(opened.is_err_and(|kind| kind == ErrorKind::PermissionDenied), "the file was opened");
    let files = NamedFile::new(path.into(), Duration::from_secs(5));
    match lifecycle::open(&files) {
        Err(SegmentError::Foreign { .. }) => actor.tell(Event::Refused),
        Err(other) => bail!("a foreigner got another answer: {other}"),
        Ok(_) => bail!("a foreigner opened the channel"),
    }
    Ok(())
}

/// Makes a memory segment, and keeps it until the supervisor has a descriptor of its own.
pub(super) fn make(actor: &mut Actor) -> Result<()> {
    let segment = sides::segment(&actor.spec)?;
    let descriptor = segment.descriptor()?;
    actor.tell(Event::Made { descriptor: descriptor.as_raw_fd().cast_unsigned() });
    while actor.stop() == Stop::No {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A program with nothing to do, that keeps what it inherited; the first process of a pid namespace
/// ends with its parent.
pub(crate) fn idle(words: &[String]) -> ! {
    if words.first().is_some_and(|word| word == FIRST) {
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
    linger()
}

/// Tells an idler that it is the first process of a pid namespace.
const FIRST: &str = "first";

/// Starts an actor in a pid namespace of its own, and ends as the actor does.
///
/// The first process of a namespace does not die of its own SIGKILL, so an idler comes first.
pub(crate) fn host(words: &[String]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: the journal's pipe; dropped below, before the actor ends.
    let mut journal = unsafe { File::from_raw_fd(1) };
    let mut tell = |event| {
        let record = Record { time: clock::now(), event };
        journal.write_all(&record.encode())
    };
    // SAFETY: this process has one thread, and no descriptor table is unshared.
    if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWPID) } {
        ensure!(error == rustix::io::Errno::PERM, "a pid namespace: {error}");
        tell(Event::NoNamespace)?;
        return Ok(());
    }
    let mut first = Command::new("/proc/self/exe")
        .args(["idle", FIRST])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut actor = Command::new("/proc/self/exe").arg("actor").args(words).spawn()?;
    tell(Event::Hosting { pid: actor.id() })?;
    drop(journal);
    let status = actor.wait()?;
    first.kill()?;
    first.wait()?;
    if let Some(signal) = status.signal() {
        // SAFETY: no pointers; this process ends as the actor did.
        unsafe { libc::raise(signal) };
    }
    std::process::exit(status.code().unwrap_or(1));
}
