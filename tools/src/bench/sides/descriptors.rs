//! What the kernel offers for waking another process: event counters, pipes and sockets, read until
//! something comes.

use super::{Subject, number, torn};
use crate::bench::exercise::Side;
use anyhow::{Result, bail, ensure};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{FdFlags, fcntl_setfd, read, write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// One side's descriptors.
///
/// A message is one word, its number plus one: an event counter that is not 0 can be read, once.
#[derive(Debug)]
pub struct Descriptors {
    /// What comes.
    pub read: OwnedFd,
    /// What goes.
    pub write: OwnedFd,
}

impl Descriptors {
    /// Both sides: this process's, and the one that the other process is going to inherit.
    ///
    /// # Errors
    ///
    /// The subject has none, or this process too many.
    pub fn connect(subject: Subject) -> Result<[Self; 2]> {
        let sides = match subject {
            Subject::Eventfd => {
                let there = eventfd(0, EventfdFlags::CLOEXEC)?;
                let back = eventfd(0, EventfdFlags::CLOEXEC)?;
                let here = Self { read: back.try_clone()?, write: there.try_clone()? };
                [here, Self { read: there, write: back }]
            }
            Subject::Pipe => {
                let ((from_here, there), (from_there, back)) = (std::io::pipe()?, std::io::pipe()?);
                [
                    Self { read: from_there.into(), write: there.into() },
                    Self { read: from_here.into(), write: back.into() },
                ]
            }
            Subject::Socket => {
                let (here, there) = UnixStream::pair()?;
                let both = |socket: UnixStream| -> Result<Self> {
                    Ok(Self { read: socket.try_clone()?.into(), write: socket.into() })
                };
                [both(here)?, both(there)?]
            }
            _ => bail!("{} has no descriptors", subject.name()),
        };
        for descriptor in [&sides[1].read, &sides[1].write] {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        Ok(sides)
    }

    /// Their numbers, by which the other process knows them.
    #[must_use]
    pub fn numbers(&self) -> [i32; 2] {
        [number(&self.read), number(&self.write)]
    }

    /// In the other process: those that it inherited under these numbers.
    #[must_use]
    pub fn inherited([read, write]: [i32; 2]) -> Self {
        // SAFETY: left open by the process that started this one, for this purpose alone.
        let read = unsafe { OwnedFd::from_raw_fd(read) };
        // SAFETY: as above.
        let write = unsafe { OwnedFd::from_raw_fd(write) };
        Self { read, write }
    }
}

impl Side for Descriptors {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let word = (number + 1).to_ne_bytes();
        ensure!(write(&self.write, &word)? == word.len(), "message {number} was written in part");
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let mut word = [0; 8];
        let whole = read(&self.read, &mut word)? == word.len();
        ensure!(whole && word == (number + 1).to_ne_bytes(), torn(number));
        Ok(())
    }

    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.read, PollFlags::IN)], Some(&now))? > 0;
        if ready {
            self.receive(number)?;
        }
        Ok(ready)
    }
}
