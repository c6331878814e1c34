//! Threads with a place of their own, and pools of workers.
//!
//! ```text
//! owner                                       thread
//! ┌──────────────────┐      ┌──────┐          ┌──────────────────────────────┐
//! │ PinnedThread     ├─────►│ stop │─────────►│ Context                      │
//! │   send(message)  │      ├──────┤          │   should_stop()              │
//! │   stop, shutdown ├─────►│ ring │─────────►│   mailbox()                  │
//! │   join, drop     │      └──────┘          │   set_up()                   │
//! └────────▲─────────┘    rtrb, bounded       └──────────────┬───────────────┘
//!          └────────── result, or the message of a panic ────┘
//! ```
//!
//! A [`PinnedThread`] is set up before it runs anything of its user's: pinned to a core, its stack
//! locked and touched, its scheduling class and memory node chosen, as far as the [`Builder`] was
//! asked to; then warmed up. `spawn` returns when all that is done. What the system refuses is the
//! error of `spawn`, names the limit and says how to raise it; nothing is left out silently.
//!
//! A [`WorkerPool`] is a number of such threads that take jobs from one bounded queue.
//!
//! | file | what it holds |
//! |---|---|
//! | `builder.rs` | what may be asked of a thread, and the set-up that does it |
//! | `pinned.rs` | the two ends of a running thread |
//! | `workers.rs` | a pool of them |
//! | `affinity.rs`, `scheduler.rs`, `stack.rs`, `numa.rs` | the system calls, one file per matter |
//! | `list.rs` | the kernel's lists of processors and nodes |
//! | `error.rs` | what can go wrong |
//! | `stop.rs` | the flag |
//!
//! # Orderings
//!
//! | store | pairs with | makes visible |
//! |---|---|---|
//! | `asked`, Release (`threads.stop`) | `asked`, Acquire (`threads.should_stop`) | all that the owner did before, messages it sent included |
//!
//! The mailbox is `rtrb`'s ring and brings its own orderings; so does the workers' queue,
//! `crossbeam-channel`'s.
//!
//! # When a thread dies here
//!
//! A *pinned thread* that panics unwinds: its end of the mailbox goes, so that the owner's next `send`
//! says the thread has ended, and `join` or `shutdown` returns the panic's message. A panic in the
//! warm-up is an error of `spawn`. A *job* that panics is counted and its message kept; its worker
//! goes on with the next. An *owner* that panics drops its handles, which stop their threads and wait
//! for them, as any drop does. A thread that does not look at `should_stop` keeps its owner waiting.

#[cfg(not(loom))]
mod affinity;
#[cfg(not(loom))]
mod builder;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod list;
#[cfg(not(loom))]
mod numa;
#[cfg(not(loom))]
mod pinned;
#[cfg(not(loom))]
mod scheduler;
#[cfg(not(loom))]
mod stack;
mod stop;
#[cfg(not(loom))]
mod workers;

#[cfg(not(loom))]
pub use self::{
    builder::{Builder, SetUp},
    error::{Panicked, Refusal, SendError, SpawnError},
    list::List,
    numa::{Numa, NumaMemory},
    pinned::{Context, PinnedThread},
    scheduler::Scheduler,
    stack::Lock,
    workers::{Full, Job, Panics, WorkerPool, Workers},
};
pub use stop::StopFlag;
