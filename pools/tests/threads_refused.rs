//! What the system refuses to a program without privileges, and grants to one with them.
//!
//! Limits are the process's, so these tests have a program of their own, in which they are the lowest
//! from the first test on. Capabilities are a thread's: a thread that gave them up, and those it
//! starts, are those of an unprivileged program.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use std::sync::Once;
use std::thread;
use strait_pools::threads::{Builder, Context, Lock, PinnedThread, Scheduler};

fn lower_the_limits() {
    static LOWERED: Once = Once::new();
    LOWERED.call_once(|| {
        for resource in [Resource::Rtprio, Resource::Memlock] {
            let maximum = getrlimit(resource).maximum;
            setrlimit(resource, Rlimit { current: Some(0), maximum }).unwrap();
        }
    });
}

/// Runs `test` without the capabilities to pass over limits.
fn unprivileged<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    lower_the_limits();
    let without = move || {
        let mut sets = capabilities(None).unwrap();
        let gone = CapabilitySet::SYS_NICE | CapabilitySet::IPC_LOCK;
        sets.effective.remove(gone);
        sets.permitted.remove(gone);
        set_capabilities(None, sets).unwrap();
        test()
    };
    thread::spawn(without).join().unwrap()
}

/// Whether this program may pass over limits.
fn privileged(by: CapabilitySet) -> bool {
    lower_the_limits();
    capabilities(None).unwrap().effective.contains(by)
}

fn refusal_of(builder: Builder) -> String {
    unprivileged(move || builder.spawn(|_: &mut Context| ()).unwrap_err().to_string())
}

/// The scheduling class and priority of the calling thread, as the kernel has them.
fn class() -> (libc::c_int, libc::c_int) {
    let mut parameters = libc::sched_param { sched_priority: -1 };
    // SAFETY: `parameters` has room for what is written.
    assert_eq!(unsafe { libc::sched_getparam(0, &raw mut parameters) }, 0);
    // SAFETY: it touches no memory.
    (unsafe { libc::sched_getscheduler(0) }, parameters.sched_priority)
}

#[test]
fn real_time_is_refused_with_limit_and_remedy() {
    let text = refusal_of(PinnedThread::builder().name("md").scheduler(Scheduler::Fifo(50)));
    for part in [
        "thread `md` asked for SCHED_FIFO at priority 50",
        "Operation not permitted",
        "RLIMIT_RTPRIO is 0",
        "CAP_SYS_NICE",
        "ulimit -r 50",
        "LimitRTPRIO=50",
    ] {
        assert!(text.contains(part), "no {part} in: {text}");
    }
}

#[test]
fn a_lock_is_refused_with_limit_and_remedy() {
    for (lock, what) in
        [(Lock::Stack, "its stack of 256 KiB"), (Lock::Everything, "all memory of the process")]
    {
        let builder = PinnedThread::builder().name("md").stack_size(256 * 1024).mlock(lock);
        let text = refusal_of(builder);
        for part in [
            "thread `md` asked to lock ",
            what,
            "RLIMIT_MEMLOCK is 0 KiB",
            "CAP_IPC_LOCK",
            "LimitMEMLOCK=",
        ] {
            assert!(text.contains(part), "no {part} in: {text}");
        }
    }
}

#[test]
fn best_effort_notes_each_refusal() {
    let refused = unprivileged(|| {
        let builder = PinnedThread::builder().scheduler(Scheduler::Fifo(1)).mlock(Lock::Stack);
        let thread = builder.best_effort().spawn(|_: &mut Context| class()).unwrap();
        let set_up = thread.set_up();
        assert_eq!((set_up.scheduler(), set_up.locked()), (None, None));
        let refused = set_up.refused().len();
        (refused, thread.join().unwrap())
    });
    assert_eq!(refused, (2, (libc::SCHED_OTHER, 0)));
}

#[test]
fn a_modest_class_needs_no_privilege() {
    let class = unprivileged(|| {
        let builder = PinnedThread::builder().scheduler(Scheduler::Batch);
        builder.spawn(|_: &mut Context| class()).unwrap().join().unwrap()
    });
    assert_eq!(class, (libc::SCHED_BATCH, 0));
}

/// A container may have root without the capability; then this is the refusal's text again.
#[test]
fn real_time_is_granted_to_who_may_have_it() {
    for (asked, expected) in [
        (Scheduler::Fifo(5), (libc::SCHED_FIFO, 5)),
        (Scheduler::RoundRobin(3), (libc::SCHED_RR, 3)),
    ] {
        let thread = PinnedThread::builder().scheduler(asked).spawn(|_: &mut Context| class());
        match thread {
            Ok(thread) => {
                assert_eq!(thread.set_up().scheduler(), Some(asked));
                assert_eq!(thread.join().unwrap(), expected);
            }
            Err(refused) if privileged(CapabilitySet::SYS_NICE) => {
                assert!(refused.to_string().contains("cpu.rt_runtime_us"), "{refused}");
            }
            Err(refused) => assert!(refused.to_string().contains("RLIMIT_RTPRIO"), "{refused}"),
        }
    }
}

#[test]
fn a_priority_out_of_range_is_told_so() {
    let text = refusal_of(PinnedThread::builder().scheduler(Scheduler::Fifo(100)));
    assert!(text.contains("priorities are 1 to 99"), "{text}");
}
