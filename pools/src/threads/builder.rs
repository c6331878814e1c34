//! What may be asked of a thread, and how it is done.

use super::error::{Refusal, SpawnError, message_of};
use super::numa::{self, Numa, NumaMemory};
use super::pinned::{Context, PinnedThread};
use super::scheduler::Scheduler;
use super::stack::{self, Lock, LockedStack};
use super::{affinity, stop::StopFlag};
use crate::pool::{HeapOptions, ThreadHeap};
use rtrb::RingBuffer;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread;

/// Messages that a mailbox holds unless told otherwise.
const MAILBOX: usize = 64;

type WarmUp = Arc<dyn Fn() + Send + Sync>;

/// What a thread should be like. What is not asked for is as with any other thread.
#[derive(Clone)]
pub struct Builder {
    name: String,
    core: Option<usize>,
    scheduler: Option<Scheduler>,
    lock: Option<Lock>,
    numa: Option<Numa>,
    stack_size: Option<usize>,
    prefault: bool,
    mailbox: usize,
    pools: Option<HeapOptions>,
    warm_up: Option<WarmUp>,
    best_effort: bool,
}

/// What was done for a thread before its work began.
#[derive(Debug)]
pub struct SetUp {
    core: Option<usize>,
    scheduler: Option<Scheduler>,
    locked: Option<Lock>,
    numa: NumaMemory,
    refused: Vec<Refusal>,
}

impl SetUp {
    /// The core to which the thread is pinned, if it is.
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// The scheduling class into which it was put, if it was.
    pub fn scheduler(&self) -> Option<Scheduler> {
        self.scheduler
    }

    /// The memory that was locked, if any was.
    pub fn locked(&self) -> Option<Lock> {
        self.locked
    }

    /// What became of the wish for a node's memory.
    pub fn numa(&self) -> NumaMemory {
        self.numa
    }

    /// What the system refused to a thread that is content with less
    /// ([`best_effort`](Builder::best_effort)).
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            name: "strait".to_owned(),
            core: None,
            scheduler: None,
            lock: None,
            numa: None,
            stack_size: None,
            prefault: false,
            mailbox: MAILBOX,
            pools: None,
            warm_up: None,
            best_effort: false,
        }
    }

    /// The name, in errors and in what the system shows (which cuts it after 15 bytes). "strait"
    /// unless given.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Pins the thread to this core, numbered as the kernel does.
    #[must_use]
    pub fn core(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// Puts the thread into a scheduling class.
    ///
    /// A real-time thread that spins keeps everything else off its core, the kernel's own threads
    /// included: leave it a core that nobody needs.
    #[must_use]
    pub fn scheduler(mut self, scheduler: Scheduler) -> Self {
        self.scheduler = Some(scheduler);
        self
    }

    /// Keeps memory from being paged out.
    #[must_use]
    pub fn mlock(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Chooses the node from which memory comes that the thread touches first, from before its
    /// warm-up.
    #[must_use]
    pub fn numa(mut self, numa: Numa) -> Self {
        self.numa = Some(numa);
        self
    }

    /// Bytes of stack.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Touches every page of the stack, so that no depth of calls has to wait for one. (A locked
    /// stack is touched anyway.)
    #[must_use]
    pub fn prefault_stack(mut self) -> Self {
        self.prefault = true;
        self
    }

    /// How many messages the mailbox holds; 64 unless given, and at least one.
    #[must_use]
    pub fn mailbox(mut self, messages: usize) -> Self {
        self.mailbox = messages.max(1);
        self
    }

    /// Gives the thread's own [heap](ThreadHeap) a name, a limit, and what to do beyond.
    #[must_use]
    pub fn pools(mut self, options: HeapOptions) -> Self {
        self.pools = Some(options);
        self
    }

    /// Runs this on the thread, set up as asked, before [`spawn`](Self::spawn) returns: to touch the
    /// memory and to run the code that should be warm.
    #[must_use]
    pub fn warm_up(mut self, warm_up: impl Fn() + Send + Sync + 'static) -> Self {
        self.warm_up = Some(Arc::new(warm_up));
        self
    }

    /// Goes on without what the system refuses, and notes it in [`SetUp::refused`].
    #[must_use]
    pub fn best_effort(mut self) -> Self {
        self.best_effort = true;
        self
    }

    /// Starts the thread, sets it up, warms it up, and lets it run `body`.
    ///
    /// # Errors
    ///
    /// The thread cannot be started, or the system refuses something that was asked for, or the
    /// warm-up panics. `body` has then not been called, and the thread has ended.
    ///
    /// # Panics
    ///
    /// If the name holds a zero byte.
    pub fn spawn<M, R, F>(self, body: F) -> Result<PinnedThread<M, R>, SpawnError>
    where
        M: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&mut Context<M>) -> R + Send + 'static,
    {
        let name: Arc<str> = self.name.as_str().into();
        let refused = |refusal| SpawnError { thread: name.to_string(), refusal };
        let stop = Arc::new(StopFlag::new());
        let (outbox, mailbox) = RingBuffer::new(self.mailbox);
        let (report, reported) = mpsc::sync_channel(1);

        let mut system = thread::Builder::new().name(self.name.clone());
        if let Some(bytes) = self.stack_size {
            system = system.stack_size(bytes);
        }
        let (thread_name, thread_stop) = (Arc::clone(&name), Arc::clone(&stop));
        let run = move || {
            // The stack is locked until this returns or unwinds.
            let (set_up, _locked) = match self.set_up() {
                Ok(done) => done,
                Err(refusal) => {
                    // The owner waits for this.
                    let _ = report.send(Err(refusal));
                    return None;
                }
            };
            if let Some(options) = self.pools {
                // Of a thread that has just begun, nobody has used the heap.
                let _ = ThreadHeap::configure(options);
            }
            if let Some(warm_up) = &self.warm_up {
                warm_up();
            }
            let set_up = Arc::new(set_up);
            let _ = report.send(Ok(Arc::clone(&set_up)));
            let stop = thread_stop;
            Some(body(&mut Context { name: thread_name, set_up, stop, mailbox }))
        };
        let handle = system.spawn(run).map_err(|error| refused(Refusal::NotStarted(error)))?;
        match reported.recv() {
            Ok(Ok(set_up)) => Ok(PinnedThread::new(name, set_up, stop, outbox, handle)),
            Ok(Err(refusal)) => {
                // It has nothing left to do.
                let _ = handle.join();
                Err(refused(refusal))
            }
            Err(mpsc::RecvError) => {
                let message = match handle.join() {
                    Err(payload) => message_of(&*payload),
                    Ok(_) => "it ended without a word".to_owned(),
                };
                Err(refused(Refusal::WarmUp { message }))
            }
        }
    }

    /// On the new thread: everything that was asked for, in an order that helps. Memory comes from
    /// the core's node once the thread is there; a real-time class is last, lest the rest of the
    /// set-up runs in it.
    fn set_up(&self) -> Result<(SetUp, Option<LockedStack>), Refusal> {
        let mut refused = Vec::new();
        let mut done_or_noted = |outcome: Result<(), Refusal>| match outcome {
            Err(refusal) if !self.best_effort => Err(refusal),
            Err(refusal) => {
                refused.push(refusal);
                Ok(false)
            }
            Ok(()) => Ok(true),
        };
        let mut core = None;
        if let Some(asked) = self.core
            && done_or_noted(affinity::pin(asked))?
        {
            core = Some(asked);
        }
        let mut numa = NumaMemory::Inherited;
        if let Some(asked) = self.numa {
            done_or_noted(numa::prefer(asked).map(|chosen| numa = chosen))?;
        }
        let (mut locked, mut locked_stack) = (None, None);
        if let Some(asked) = self.lock
            && done_or_noted(stack::lock(asked).map(|stack| locked_stack = stack))?
        {
            locked = Some(asked);
        }
        if self.prefault {
            done_or_noted(stack::touch())?;
        }
        let mut scheduler = None;
        if let Some(asked) = self.scheduler
            && done_or_noted(asked.apply())?
        {
            scheduler = Some(asked);
        }
        Ok((SetUp { core, scheduler, locked, numa, refused }, locked_stack))
    }

    /// The name, for a pool to number its workers by.
    pub(super) fn base_name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("core", &self.core)
            .field("scheduler", &self.scheduler)
            .field("lock", &self.lock)
            .field("numa", &self.numa)
            .field("best_effort", &self.best_effort)
            .finish_non_exhaustive()
    }
}
