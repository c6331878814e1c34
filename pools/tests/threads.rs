//! Pinned threads: what is asked of them is done, messages arrive in order, and none is left behind.

use rustix::thread::sched_getaffinity;
use std::alloc::Layout;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread::{ThreadId, current, yield_now};
use strait_pools::pool::{Fallback, HeapOptions, ThreadHeap};
use strait_pools::threads::{Context, Lock, Numa, NumaMemory, PinnedThread, Refusal, SendError};

/// A core that this process may use.
fn a_core() -> usize {
    let allowed = sched_getaffinity(None).unwrap();
    (0..1024).rfind(|&core| allowed.is_set(core)).unwrap()
}

fn until_told(context: &mut Context) {
    while !context.should_stop() {
        yield_now();
    }
}

#[test]
fn a_thread_is_on_its_core_and_nowhere_else() {
    let core = a_core();
    let thread =
        PinnedThread::builder().core(core).name("pinned").spawn(|context: &mut Context| {
            let allowed = sched_getaffinity(None).unwrap();
            (allowed.count(), (0..1024).find(|&core| allowed.is_set(core)), context.set_up().core())
        });
    let thread = thread.unwrap();
    assert_eq!((thread.name(), thread.set_up().core()), ("pinned", Some(core)));
    assert_eq!(thread.join().unwrap(), (1, Some(core), Some(core)));
}

#[test]
fn a_core_that_is_not_there_is_refused_by_number() {
    let ran = Arc::new(AtomicBool::new(false));
    for core in [1023, 1_000_000] {
        let ran = Arc::clone(&ran);
        let refused = PinnedThread::builder()
            .name("md")
            .core(core)
            .spawn(move |_: &mut Context| ran.store(true, SeqCst))
            .unwrap_err();
        let text = refused.to_string();
        assert!(text.starts_with(&format!("thread `md` asked for core {core} and got ")), "{text}");
        assert!(text.contains("cpuset"), "{text}");
        assert!(matches!(&refused.refusal, Refusal::Core { got, .. } if !got.numbers().is_empty()));
    }
    assert!(!ran.load(SeqCst), "the body of a refused thread ran");
}

#[test]
fn whoever_is_content_with_less_is_told_of_what_is_missing() {
    let thread = PinnedThread::builder().core(1023).best_effort().spawn(until_told).unwrap();
    assert_eq!(thread.set_up().core(), None);
    let refused: Vec<String> = thread.set_up().refused().iter().map(Refusal::to_string).collect();
    assert!(refused.len() == 1 && refused[0].contains("core 1023"), "{refused:?}");
}

#[test]
fn what_nobody_asked_for_is_not_done() {
    let thread = PinnedThread::builder().spawn(until_told).unwrap();
    let set_up = thread.set_up();
    assert_eq!((set_up.core(), set_up.scheduler(), set_up.locked()), (None, None, None));
    assert_eq!(set_up.numa(), NumaMemory::Inherited);
    assert!(set_up.refused().is_empty());
}

/// A machine with one node says that there was nothing to do; one with more, what was chosen.
#[test]
fn memory_is_local_or_said_to_need_nothing() {
    let thread = PinnedThread::builder().numa(Numa::Local).spawn(until_told).unwrap();
    let online = std::fs::read_to_string("/sys/devices/system/node/online");
    let one_node = online.map_or(true, |list| list.trim().parse::<u32>().is_ok());
    let expected = if one_node { NumaMemory::OneNode } else { NumaMemory::Chosen(Numa::Local) };
    assert_eq!(thread.set_up().numa(), expected);
}

#[test]
fn messages_arrive_in_the_order_of_sending() {
    const MESSAGES: u32 = 10_000;
    let mut thread = PinnedThread::builder()
        .mailbox(8)
        .spawn(|context: &mut Context<u32>| {
            let mut received = Vec::new();
            loop {
                let last = context.should_stop();
                received.extend(context.mailbox());
                if last {
                    return received;
                }
                yield_now();
            }
        })
        .unwrap();
    for message in 0..MESSAGES {
        while let Err(error) = thread.send(message) {
            assert!(matches!(error, SendError::Full { capacity: 8, .. }), "{error}");
            assert_eq!(error.into_message(), message);
            yield_now();
        }
    }
    // The last are still in the mailbox when the thread is told to stop.
    assert!(thread.shutdown().unwrap().into_iter().eq(0..MESSAGES));
}

#[test]
fn a_full_mailbox_says_whose_it_is() {
    let mut thread = PinnedThread::builder()
        .name("busy")
        .mailbox(2)
        .spawn(|context: &mut Context<u8>| {
            while !context.should_stop() {
                yield_now();
            }
        })
        .unwrap();
    thread.send(1).unwrap();
    thread.send(2).unwrap();
    let text = thread.send(3).unwrap_err().to_string();
    assert_eq!(text, "the mailbox of thread `busy` is full: 2 messages wait in it");
}

#[test]
fn a_panic_is_reported_with_thread_and_message() {
    let mut thread = PinnedThread::builder()
        .name("md")
        .spawn(|context: &mut Context<()>| {
            let code = context.mailbox().count() + 7;
            panic!("bad tick {code}");
        })
        .unwrap();
    while !thread.is_finished() {
        yield_now();
    }
    let text = thread.send(()).unwrap_err().to_string();
    assert_eq!(text, "thread `md` has ended");
    let panicked = thread.join().map(|(): ()| ()).unwrap_err();
    assert_eq!(panicked.to_string(), "thread `md` panicked: bad tick 7");
}

#[test]
fn dropping_stops_and_waits() {
    let ended = Arc::new(AtomicBool::new(false));
    let thread = PinnedThread::builder().spawn({
        let ended = Arc::clone(&ended);
        move |context: &mut Context| {
            until_told(context);
            ended.store(true, SeqCst);
        }
    });
    drop(thread.unwrap());
    assert!(ended.load(SeqCst));
}

#[test]
fn a_thread_is_warm_before_its_owner_goes_on() {
    let warm = Arc::new(AtomicU32::new(0));
    let on: Arc<std::sync::Mutex<Option<ThreadId>>> = Arc::default();
    let warm_up = {
        let (warm, on) = (Arc::clone(&warm), Arc::clone(&on));
        move || {
            *on.lock().unwrap() = Some(current().id());
            warm.fetch_add(1, SeqCst);
        }
    };
    let thread =
        PinnedThread::builder().warm_up(warm_up).spawn(|_: &mut Context| current().id()).unwrap();
    assert_eq!(warm.load(SeqCst), 1);
    let warmed = on.lock().unwrap().take();
    assert_eq!(Some(thread.join().unwrap()), warmed, "warmed up on another thread");
}

#[test]
fn a_thread_s_own_pools_keep_to_their_limit() {
    // One chunk of small blocks, and nothing from the system.
    let options = HeapOptions::new("md").limit(128 << 10).fallback(Fallback::Refuse);
    let thread = PinnedThread::builder().pools(options).spawn(|_: &mut Context| {
        let taken = |bytes| ThreadHeap.take(Layout::array::<u8>(bytes).unwrap()).is_ok();
        (taken(64), taken(1_024), ThreadHeap::statistics().bytes)
    });
    let (small, medium, bytes) = thread.unwrap().join().unwrap();
    assert_eq!((small, medium), (true, false));
    assert!((64..=128 << 10).contains(&bytes), "{bytes}");
}

#[test]
fn a_panic_in_the_warm_up_is_an_error_of_spawning() {
    let refused = PinnedThread::builder()
        .name("cold")
        .warm_up(|| panic!("no table"))
        .spawn(|_: &mut Context| ())
        .unwrap_err();
    assert_eq!(refused.to_string(), "thread `cold` panicked while it warmed up: no table");
}

/// Locked kibibytes of this process.
fn locked_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// No other test of this program locks memory.
#[test]
fn a_stack_is_locked_while_its_thread_runs() {
    const STACK: usize = 256 * 1024;
    let thread = PinnedThread::builder()
        .stack_size(STACK)
        .mlock(Lock::Stack)
        .spawn(|context: &mut Context| {
            let locked = locked_kib();
            until_told(context);
            locked
        })
        .unwrap();
    assert_eq!(thread.set_up().locked(), Some(Lock::Stack));
    let locked = thread.shutdown().unwrap();
    assert!(locked >= STACK as u64 / 1024, "{locked} KiB are locked");
    assert_eq!(locked_kib(), 0, "still locked after the thread has ended");
}

/// Minor page faults of the calling thread.
fn faults() -> i64 {
    // SAFETY: a struct of integers, for which zeroes are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` has room for what is written.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_minflt
}

#[inline(never)]
fn descend(pages: usize) {
    let page = [1_u8; 4096];
    if pages > 0 {
        descend(pages - 1);
    }
    black_box(&page);
}

#[test]
fn a_touched_stack_costs_no_faults() {
    let faults_of = |builder: strait_pools::threads::Builder| {
        // Half of the stack; a debug build's frames are twice as large as the page in them.
        let body = |_: &mut Context| {
            let before = faults();
            descend(100);
            faults() - before
        };
        builder.stack_size(2 << 20).spawn(body).unwrap().join().unwrap()
    };
    let (cold, warm) =
        (faults_of(PinnedThread::builder()), faults_of(PinnedThread::builder().prefault_stack()));
    assert!(warm < 10, "{warm} faults on a touched stack, {cold} on another");
}
