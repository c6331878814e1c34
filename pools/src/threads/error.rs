//! What can go wrong with a thread, in words that say what to do about it.

use super::list::List;
use super::numa::Numa;
use super::scheduler::Scheduler;
use super::stack::Lock;
use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// A thread did not begin its work.
#[derive(Debug, Error)]
#[error("thread `{thread}` {refusal}")]
pub struct SpawnError {
    /// The thread's name.
    pub thread: String,
    /// Why not.
    #[source]
    pub refusal: Refusal,
}

/// What the system, or the warm-up, did not do.
#[derive(Debug, Error)]
pub enum Refusal {
    /// There is no thread at all.
    #[error("was not started: {0}")]
    NotStarted(#[source] io::Error),
    /// The core is not there, or not for this process.
    #[error(
        "asked for core {asked} and got {got}: the machine has no such core, or a control group's \
         cpuset or `taskset` keeps this process off it"
    )]
    Core {
        /// The core asked for.
        asked: usize,
        /// The cores that the thread may run on.
        got: List,
    },
    /// The scheduling class is not for this process.
    #[error("asked for {asked} and was refused ({source}): {}", scheduler_remedy(*.asked, *.limit))]
    Scheduler {
        /// The class asked for.
        asked: Scheduler,
        /// RLIMIT_RTPRIO; `None` is no limit.
        limit: Option<u64>,
        /// What the kernel said.
        source: io::Error,
    },
    /// Memory cannot be locked.
    #[error(
        "asked to lock {} and was refused ({source}): {}",
        locked(*.asked, *.bytes),
        lock_remedy(*.limit)
    )]
    Lock {
        /// The memory asked for.
        asked: Lock,
        /// How much that is, if known.
        bytes: Option<u64>,
        /// RLIMIT_MEMLOCK in bytes; `None` is no limit.
        limit: Option<u64>,
        /// What the kernel said.
        source: io::Error,
    },
    /// The C library does not say where the stack is.
    #[error("cannot find its stack: {0}")]
    Stack(#[source] io::Error),
    /// There is no such memory node.
    #[error("asked for memory node {asked}, but has {online}: see `numactl --hardware`")]
    NoSuchNode {
        /// The node asked for.
        asked: usize,
        /// The nodes there are.
        online: List,
    },
    /// The memory node cannot be chosen.
    #[error(
        "asked for memory of {asked:?} and was refused ({source}): a container may forbid the system \
         call set_mempolicy"
    )]
    Numa {
        /// The memory asked for.
        asked: Numa,
        /// What the kernel said.
        source: io::Error,
    },
    /// The warm-up panicked.
    #[error("panicked while it warmed up: {message}")]
    WarmUp {
        /// The panic's message.
        message: String,
    },
    /// A pool of no workers would never do a job.
    #[error("has an empty list of cores to run on")]
    NoCores,
}

fn scheduler_remedy(asked: Scheduler, limit: Option<u64>) -> String {
    let priority = u64::from(asked.priority());
    let real_time = matches!(asked, Scheduler::Fifo(_) | Scheduler::RoundRobin(_));
    if real_time && !(1..=99).contains(&priority) {
        return "priorities are 1 to 99".to_owned();
    }
    match limit {
        Some(limit) if limit < priority => format!(
            "RLIMIT_RTPRIO is {limit} for a program without CAP_SYS_NICE; raise the limit (`ulimit \
             -r {priority}`, `LimitRTPRIO={priority}` in a systemd unit) or give the program the \
             capability (`setcap cap_sys_nice=ep PROGRAM`)"
        ),
        _ => "RLIMIT_RTPRIO allows it, so look at the control group, whose cpu.rt_runtime_us may \
              be 0, and at CAP_SYS_NICE"
            .to_owned(),
    }
}

fn locked(asked: Lock, bytes: Option<u64>) -> String {
    match (asked, bytes) {
        (Lock::Stack, Some(bytes)) => format!("its stack of {} KiB", bytes / 1024),
        (Lock::Stack, None) => "its stack".to_owned(),
        (Lock::Everything, _) => "all memory of the process".to_owned(),
    }
}

fn lock_remedy(limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!(
            "RLIMIT_MEMLOCK is {} KiB for a process without CAP_IPC_LOCK; raise the limit (`ulimit \
             -l`, `LimitMEMLOCK=` in a systemd unit), give the program the capability (`setcap \
             cap_ipc_lock=ep PROGRAM`), or ask for a smaller stack",
            limit / 1024
        ),
        None => "RLIMIT_MEMLOCK sets no limit, so the machine is short of memory".to_owned(),
    }
}

/// A thread, or a job on it, panicked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("thread `{thread}` panicked: {message}")]
pub struct Panicked {
    /// The thread's name.
    pub thread: String,
    /// The panic's message.
    pub message: String,
}

/// What a panic said.
pub(super) fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no message)").to_owned()
}

/// A message did not go into a thread's mailbox; here it is.
#[derive(Clone, PartialEq, Eq, Error)]
pub enum SendError<M> {
    /// The thread has not emptied it.
    #[error("the mailbox of thread `{thread}` is full: {capacity} messages wait in it")]
    Full {
        /// What was to be sent.
        message: M,
        /// The thread's name.
        thread: Arc<str>,
        /// How many messages its mailbox holds.
        capacity: usize,
    },
    /// The thread has returned, or panicked.
    #[error("thread `{thread}` has ended")]
    Ended {
        /// What was to be sent.
        message: M,
        /// The thread's name.
        thread: Arc<str>,
    },
}

impl<M> SendError<M> {
    /// What was to be sent.
    pub fn into_message(self) -> M {
        match self {
            Self::Full { message, .. } | Self::Ended { message, .. } => message,
        }
    }
}

/// The message need not be printable.
impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(asked: Scheduler, limit: Option<u64>) -> String {
        let source = io::Error::from_raw_os_error(libc::EPERM);
        Refusal::Scheduler { asked, limit, source }.to_string()
    }

    #[test]
    fn a_refused_class_names_the_limit_and_the_remedy() {
        let error = refused(Scheduler::Fifo(50), Some(10));
        for part in ["SCHED_FIFO at priority 50", "RLIMIT_RTPRIO is 10", "CAP_SYS_NICE"] {
            assert!(error.contains(part), "no {part} in: {error}");
        }
        assert!(refused(Scheduler::RoundRobin(5), Some(10)).contains("cpu.rt_runtime_us"));
        assert!(refused(Scheduler::Fifo(0), Some(0)).contains("priorities are 1 to 99"));
        assert!(refused(Scheduler::Fifo(50), None).contains("control group"));
    }

    #[test]
    fn a_refused_lock_names_the_limit_and_the_remedy() {
        let refused = |asked, bytes, limit| {
            let source = io::Error::from_raw_os_error(libc::ENOMEM);
            Refusal::Lock { asked, bytes, limit, source }.to_string()
        };
        let error = refused(Lock::Stack, Some(2 << 20), Some(65536));
        for part in ["its stack of 2048 KiB", "RLIMIT_MEMLOCK is 64 KiB", "CAP_IPC_LOCK"] {
            assert!(error.contains(part), "no {part} in: {error}");
        }
        assert!(refused(Lock::Everything, None, None).contains("short of memory"));
    }

    #[test]
    fn panics_say_what_they_said() {
        assert_eq!(message_of(&"plain"), "plain");
        assert_eq!(message_of(&"formatted".to_owned()), "formatted");
        assert_eq!(message_of(&7_u8), "(no message)");
    }
}
