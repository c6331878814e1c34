//! Leaving a child behind: forked, or running another program with inherited descriptors.

use super::Actor;
use crate::place::{CHANNEL, DOMAIN};
use anyhow::{Result, ensure};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, Stdio};
use strait_ipc::segment::{Directory, MapOptions, Segment, SegmentName};
use strait_torture::journal::Event;

/// Seconds after which a child ends that nobody ended.
const LIFE: u32 = 60;

impl Actor {
    /// Forks a child that holds whatever it inherits, and does nothing.
    pub(super) fn fork(&self) -> Result<()> {
        // SAFETY: this process has one thread; the child only closes its copy of the journal's pipe
        // and sleeps.
        let child = unsafe { libc::fork() };
        ensure!(child >= 0, "fork: {}", std::io::Error::last_os_error());
        if child == 0 {
            for output in [1, 2] {
                // SAFETY: the end of what is told is seen when the last copy of a pipe is closed.
                unsafe { libc::close(output) };
            }
            linger();
        }
        self.tell(Event::Child { pid: child.cast_unsigned() });
        Ok(())
    }

    /// Starts a program that inherits a descriptor of the segment, made for that purpose.
    pub(super) fn exec(&self) -> Result<()> {
        let segment = match self.spec.directory.as_str() {
            "" => {
                // SAFETY: the supervisor passed the segment at this descriptor, and nobody closes it.
                let inherited = unsafe { BorrowedFd::borrow_raw(super::SEGMENT) };
                let own = inherited.try_clone_to_owned()?;
                Segment::from_descriptor(own, MapOptions::default())?
            }
            directory => {
                let name = SegmentName::new(DOMAIN, CHANNEL)?;
                Segment::open(&Directory::from(directory), &name, MapOptions::default())?
            }
        };
        let descriptor = segment.descriptor()?;
        let flags = fcntl_getfd(&descriptor)?;
        fcntl_setfd(descriptor.as_fd(), flags.difference(FdFlags::CLOEXEC))?;
        let child = Command::new("/proc/self/exe")
            .arg("idle")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        drop((descriptor, segment));
        self.outside();
        self.tell(Event::Child { pid: child.id() });
        Ok(())
    }
}

/// Does nothing until killed.
pub(super) fn linger() -> ! {
    // SAFETY: no pointers; the process ends by the alarm if by nothing else.
    unsafe { libc::alarm(LIFE) };
    loop {
        // SAFETY: no pointers.
        unsafe { libc::pause() };
    }
}
