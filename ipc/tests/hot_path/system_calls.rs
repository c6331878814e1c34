//! A million messages between two processes that the kernel kills for any system call but `exit`; and looks into
//! a directory by one.

use crate::child::Place;
use crate::exchange::between_two_processes;
use crate::messages::{Numbered, Order, Tick};
use crate::processes::{all_end_well, end, verdict};
use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter, sock_fprog};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{self, Write};
use std::mem::offset_of;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use strait_ipc::directory::{Directory, Offer};

/// Roles of children.
pub(crate) const EXCHANGE: &str = "without-system-calls";
pub(crate) const READ_CLOCK: &str = "reads-the-clock";
pub(crate) const DISOBEY: &str = "makes-a-system-call";
pub(crate) const LOOK_UP: &str = "looks-things-up";

/// `AUDIT_ARCH_*`: system calls have other numbers elsewhere.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// From now on, any system call of this thread but `exit` ends the process with SIGSYS. The other
/// threads of a test binary only wait for this one.
fn forbid_system_calls() -> io::Result<()> {
    let code =
        |parts: [u32; 3]| u16::try_from(parts.iter().fold(0, |code, part| code | part)).unwrap();
    let load = |offset: usize| {
        let k = u32::try_from(offset).unwrap();
        sock_filter { code: code([BPF_LD, BPF_W, BPF_ABS]), jt: 0, jf: 0, k }
    };
    let equal = |k: u32, jt, jf| sock_filter { code: code([BPF_JMP, BPF_JEQ, BPF_K]), jt, jf, k };
    let answer = |k| sock_filter { code: code([BPF_RET, BPF_K, 0]), jt: 0, jf: 0, k };
    let number = |call: libc::c_long| u32::try_from(call).unwrap();

    // Jumps count the instructions that they leave out.
    let mut program = [
        load(offset_of!(libc::seccomp_data, arch)),
        equal(ARCHITECTURE, 0, 4),
        load(offset_of!(libc::seccomp_data, nr)),
        equal(number(libc::SYS_exit_group), 1, 0),
        equal(number(libc::SYS_exit), 0, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let len = u16::try_from(program.len()).unwrap();
    let program = sock_fprog { len, filter: program.as_mut_ptr() };

    // A process that is killed for a system call would otherwise leave its memory in a file.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // SAFETY: takes no pointers; without it only root may install filters.
    succeeded(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the kernel copies the program, which lives until the call returns.
    succeeded(unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    })
}

fn succeeded(returned: i32) -> io::Result<()> {
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn forbid_or_end() {
    if let Err(error) = forbid_system_calls() {
        eprintln!("cannot forbid system calls: {error}");
        end(verdict::UNABLE);
    }
}

/// Watches an exchange.
pub(crate) fn without(work: &mut dyn FnMut() -> bool) -> ! {
    forbid_or_end();
    end(if work() { verdict::RIGHT } else { verdict::WRONG })
}

/// A child that reads the clock.
pub(crate) fn read_clock() {
    let read = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the time is ours to write.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) == 0 }
    };
    // The first time, the C library may have to find out how.
    let found = read();
    forbid_or_end();
    end(if found && read() { verdict::RIGHT } else { verdict::WRONG });
}

/// A child that is told not to, and does.
pub(crate) fn disobey() {
    forbid_or_end();
    // SAFETY: has no effect, and cannot fail but by death.
    unsafe { libc::getppid() };
    end(verdict::RIGHT);
}

/// A child that looks things up in a directory.
pub(crate) fn look_up(place: &Place) {
    let directory = Directory::open(&place.directory, "test").unwrap();
    let engine = Offer { interface: "engine", ..Offer::default() };
    let offers: Vec<_> =
        (0..100).map(|ranking| directory.offer(&Offer { ranking, ..engine }).unwrap()).collect();
    let look = || {
        let best = directory.find("engine", |entry| entry.ranking() < 90).unwrap().unwrap();
        let none = directory.find("book", |_| true).unwrap();
        best.ranking() == 89 && none.is_none() && directory.is_current(&best)
    };
    // The first time, the heap may have to ask for memory.
    let found = look();
    forbid_or_end();
    let right = found && (0..1000).all(|_| look());
    // Withdrawing them would take system calls.
    std::mem::forget((offers, directory));
    end(if right { verdict::RIGHT } else { verdict::WRONG })
}

fn alone(role: &str) -> Result<(), ExitStatus> {
    let roles = [(role.to_owned(), Stdio::null())];
    all_end_well(&Place::new(), roles).map_err(|(_, status)| status)
}

/// Why this system cannot tell, if it cannot. Said aloud: past the test harness, which would keep it
/// to itself.
fn skipped(test: &str) -> bool {
    let reason = match alone(READ_CLOCK) {
        Ok(()) => return false,
        Err(status) if status.code() == Some(verdict::UNABLE) => {
            "seccomp filters are not to be had"
        }
        Err(status) if status.signal() == Some(libc::SIGSYS) => {
            "reading the clock is a system call"
        }
        Err(status) => panic!("a process that reads the clock: {status}"),
    };
    let _ = writeln!(io::stderr(), "{test}: skipped: {reason}");
    true
}

#[test]
fn plain_messages_need_no_system_call() {
    if !skipped("plain_messages_need_no_system_call") {
        assert_eq!(between_two_processes(EXCHANGE, Tick::NAME), Ok(()));
    }
}

#[test]
fn rich_messages_need_no_system_call() {
    if !skipped("rich_messages_need_no_system_call") {
        assert_eq!(between_two_processes(EXCHANGE, Order::NAME), Ok(()));
    }
}

#[test]
fn looking_things_up_needs_no_system_call() {
    if !skipped("looking_things_up_needs_no_system_call") {
        alone(LOOK_UP).unwrap();
    }
}

#[test]
fn a_system_call_would_be_noticed() {
    if !skipped("a_system_call_would_be_noticed") {
        let status = alone(DISOBEY).unwrap_err();
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
    }
}
