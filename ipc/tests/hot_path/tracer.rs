//! A tracer: its child stops at each system call until told to go on, so that none goes unnoticed and
//! two children do what they do in a known order.

use crate::child::{Actor, eventually, tell};
use crate::processes::{end, verdict};
use libc::{PTRACE_DETACH, PTRACE_GET_SYSCALL_INFO, PTRACE_O_TRACESYSGOOD, PTRACE_SETOPTIONS};
use libc::{PTRACE_SYSCALL, PTRACE_TRACEME, pid_t};
use std::fs::read_to_string;
use std::mem::{MaybeUninit, size_of};

/// A system call, as far as sides of a channel make any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Sleeps on a futex.
    FutexWait,
    /// Wakes who sleeps on one.
    FutexWake,
    /// Ends the process.
    Exit,
    /// Another one, by its number.
    Other(u64),
}

impl Call {
    fn new(number: u64, operation: u64) -> Self {
        let operation = i32::try_from(operation).unwrap_or(-1);
        match i64::try_from(number) {
            Ok(libc::SYS_exit_group) => Self::Exit,
            Ok(libc::SYS_futex) if operation == libc::FUTEX_WAIT => Self::FutexWait,
            Ok(libc::SYS_futex) if operation == libc::FUTEX_WAKE => Self::FutexWake,
            _ => Self::Other(number),
        }
    }
}

/// In a child: gives this thread into the hands of the parent, and stops until it goes on.
pub(crate) fn submit() {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: looks at no memory.
    if unsafe { libc::ptrace(PTRACE_TRACEME, 0, nothing, nothing) } != 0 {
        end(verdict::UNABLE);
    }
    tell(&rustix::thread::gettid().as_raw_nonzero().to_string());
    // SAFETY: stops this thread and does nothing else.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// A child whose system calls are seen. Only the thread that started it can trace it.
#[derive(Debug)]
pub(crate) struct Traced {
    actor: Actor,
    thread: pid_t,
}

impl Traced {
    /// Waits until a child has submitted. It stands still.
    pub(crate) fn new(mut actor: Actor) -> Self {
        let thread = actor.hear().parse().unwrap();
        let traced = Self { actor, thread };
        assert_eq!(traced.stopped(), libc::SIGSTOP);
        traced.request(PTRACE_SETOPTIONS, PTRACE_O_TRACESYSGOOD);
        traced
    }

    fn request(&self, request: libc::c_uint, number: libc::c_int) {
        let (nothing, number) = (std::ptr::null_mut::<libc::c_void>(), libc::c_long::from(number));
        // SAFETY: a request that looks at no memory, about a thread that stands still.
        let result = unsafe { libc::ptrace(request, self.thread, nothing, number) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }

    /// Waits until it stands still, and says what stopped it.
    fn stopped(&self) -> libc::c_int {
        let mut status = 0;
        eventually("a stop", || {
            let how = libc::__WALL | libc::WNOHANG;
            // SAFETY: the status is ours to write.
            unsafe { libc::waitpid(self.thread, &raw mut status, how) == self.thread }
        });
        assert!(libc::WIFSTOPPED(status), "it ended: {status:#x}");
        libc::WSTOPSIG(status)
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.request(PTRACE_SYSCALL, 0);
    }

    /// Waits until it is about to make a system call, or has just made one.
    fn at_call(&self) {
        assert_eq!(self.stopped(), libc::SIGTRAP | 0x80, "a signal");
    }

    /// The system call that it is about to make, once it is.
    pub(crate) fn call(&self) -> Call {
        self.at_call();
        let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
        let size = size_of::<libc::ptrace_syscall_info>();
        // SAFETY: the information is ours to write, and so long.
        let written =
            unsafe { libc::ptrace(PTRACE_GET_SYSCALL_INFO, self.thread, size, info.as_mut_ptr()) };
        assert!(written > 0, "{}", std::io::Error::last_os_error());
        // SAFETY: zeroed, then written in part by the kernel; any bytes are valid.
        let info = unsafe { info.assume_init() };
        assert_eq!(info.op, libc::PTRACE_SYSCALL_INFO_ENTRY, "about to make a call");
        // SAFETY: that is what the kernel has written, by its own account.
        let entry = unsafe { info.u.entry };
        Call::new(entry.nr, entry.args[1])
    }

    /// Lets it run to its next system call.
    pub(crate) fn run_to_call(&self) -> Call {
        self.resume();
        self.call()
    }

    /// Waits until the call that it was let into is over. It stands still.
    pub(crate) fn return_from_call(&self) {
        self.at_call();
    }

    /// Waits until the call that it was let into has put it to sleep.
    pub(crate) fn falls_asleep(&self) {
        let path = format!("/proc/{}/task/{}/stat", self.actor.pid(), self.thread);
        eventually("sleep", || {
            let state = read_to_string(&path).unwrap();
            state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
        });
    }

    /// Lets it end, which it must do well.
    pub(crate) fn finish(mut self) {
        self.request(PTRACE_DETACH, 0);
        self.actor.finish();
    }
}
