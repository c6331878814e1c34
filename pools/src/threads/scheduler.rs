//! How a thread competes for its core.

use super::error::Refusal;
use rustix::process::{Resource, getrlimit};
use std::fmt;
use std::io;

/// A scheduling class, with its priority where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// The usual one: cores are shared out fairly.
    Other,
    /// As `Other`, for work that may be late.
    Batch,
    /// Only when nobody else wants the core.
    Idle,
    /// Real time, 1 to 99: before all of the above and of lower priorities, until it waits.
    Fifo(u8),
    /// As `Fifo`, taking turns with those of equal priority.
    RoundRobin(u8),
}

impl Scheduler {
    fn policy(self) -> libc::c_int {
        match self {
            Self::Other => libc::SCHED_OTHER,
            Self::Batch => libc::SCHED_BATCH,
            Self::Idle => libc::SCHED_IDLE,
            Self::Fifo(_) => libc::SCHED_FIFO,
            Self::RoundRobin(_) => libc::SCHED_RR,
        }
    }

    /// The real-time priority; 0 has none.
    pub(super) fn priority(self) -> u8 {
        match self {
            Self::Other | Self::Batch | Self::Idle => 0,
            Self::Fifo(priority) | Self::RoundRobin(priority) => priority,
        }
    }

    /// Puts the calling thread into this class.
    pub(super) fn apply(self) -> Result<(), Refusal> {
        let priority = libc::c_int::from(self.priority());
        let parameters = libc::sched_param { sched_priority: priority };
        const THIS_THREAD: libc::c_long = 0;
        // The call itself, since not every C library passes it on.
        // SAFETY: the kernel reads `parameters`, which outlives the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_sched_setscheduler,
                THIS_THREAD,
                libc::c_long::from(self.policy()),
                &raw const parameters,
            )
        };
        if result == 0 {
            return Ok(());
        }
        let source = io::Error::last_os_error();
        Err(Refusal::Scheduler { asked: self, limit: limit(), source })
    }
}

/// The highest real-time priority without a capability; `None` if there is no limit.
fn limit() -> Option<u64> {
    getrlimit(Resource::Rtprio).current
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other => write!(f, "SCHED_OTHER"),
            Self::Batch => write!(f, "SCHED_BATCH"),
            Self::Idle => write!(f, "SCHED_IDLE"),
            Self::Fifo(priority) => write!(f, "SCHED_FIFO at priority {priority}"),
            Self::RoundRobin(priority) => write!(f, "SCHED_RR at priority {priority}"),
        }
    }
}
