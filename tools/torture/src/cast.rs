//! The actors as the supervisor sees them: processes, their pages, and what they tell.

use crate::actor::{PAGE, SEGMENT};
use crate::clock;
use crate::page::Page;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use strait_pools::marks::Mark;
use strait_torture::body;
use strait_torture::journal::{BYTES, Event, Record};
use strait_torture::oracle::{End, Life};
use strait_torture::spec::{Part, Spec};

/// What one actor told so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) records: Vec<Record>,
    /// It will tell no more: its process has ended.
    pub(crate) ended: bool,
    /// How many messages it received from which sender last.
    pub(crate) fed: (u32, u64),
}

impl Heard {
    fn hear(&mut self, record: Record) {
        if let Event::Took { id, .. } = record.event {
            let sender = body::actor(id);
            let before = if self.fed.0 == sender { self.fed.1 } else { 0 };
            self.fed = (sender, before + 1);
        }
        self.records.push(record);
    }

    /// Whether it told of such an event.
    pub(crate) fn told(&self, what: impl Fn(Event) -> bool) -> bool {
        self.records.iter().any(|record| what(record.event))
    }
}

/// Whether an actor has ended, for those who wait for it.
pub(crate) fn ended(number: usize) -> impl Fn(&[Heard]) -> Option<()> {
    move |heard| heard[number].ended.then_some(())
}

/// What all actors of a channel told, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Board {
    heard: Mutex<Vec<Heard>>,
    bell: Condvar,
}

impl Board {
    pub(crate) fn look(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `check` finds what it looks for, or until `patience` is over.
    pub(crate) fn wait<T>(
        &self,
        patience: Duration,
        check: impl Fn(&[Heard]) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + patience;
        let mut heard = self.look();
        loop {
            if let Some(found) = check(&heard) {
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now())?;
            // Not everything that is looked for rings the bell.
            let left = left.min(Duration::from_millis(1));
            let woken = self.bell.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner);
            heard = woken.0;
        }
    }

    fn listen(&self, number: usize, mut pipe: impl Read) {
        let mut bytes = vec![0; 1 << 14];
        let mut filled = 0;
        loop {
            let got = pipe.read(&mut bytes[filled..]).unwrap_or(0);
            filled += got;
            let (whole, _) = bytes[..filled].as_chunks::<BYTES>();
            let mut heard = self.look();
            for record in whole {
                // A record that is none would be seen as a gap in the journal.
                heard[number].hear(Record::decode(record).expect("a record or nothing"));
            }
            heard[number].ended = got == 0;
            drop(heard);
            self.bell.notify_all();
            if got == 0 {
                return;
            }
            let used = filled - filled % BYTES;
            bytes.copy_within(used..filled, 0);
            filled -= used;
        }
    }
}

/// A child process that was told to be an actor; killed when dropped.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) number: usize,
    pub(crate) page: Page,
    pub(crate) part: Part,
    child: Child,
    /// Its process id here; the child's, unless that is its host.
    pub(crate) pid: u32,
    reader: Option<JoinHandle<()>>,
    killed: Option<u64>,
    /// It slept in the kernel when it was killed.
    pub(crate) slept: bool,
}

/// How to start an actor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    /// The memory segment to inherit.
    pub(crate) segment: Option<&'a OwnedFd>,
    /// The user to run as.
    pub(crate) user: Option<u32>,
    /// In a pid namespace of its own.
    pub(crate) hosted: bool,
}

impl Actor {
    /// Starts one, whose number is the next on the board.
    pub(crate) fn start(spec: &Spec, start: Start<'_>, board: &Arc<Board>) -> Result<Self> {
        let (page, file) = Page::make()?;
        let mut command = Command::new("/proc/self/exe");
        command.arg(if start.hosted { "host" } else { "actor" }).args(spec.words());
        // A group of its own: an interrupt from the terminal is for the supervisor.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        if let Some(user) = start.user {
            command.uid(user).gid(user);
        }
        // Away from the numbers at which the actor expects them.
        let far = |fd: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(fd, 10);
        let page_file = far(std::os::fd::AsFd::as_fd(&file))?;
        let segment = start.segment.map(|fd| far(std::os::fd::AsFd::as_fd(fd))).transpose()?;
        let pass = move || {
            pass_on(page_file.as_raw_fd(), PAGE)?;
            segment.as_ref().map_or(Ok(()), |segment| pass_on(segment.as_raw_fd(), SEGMENT))
        };
        // SAFETY: between fork and exec it makes two system calls and allocates nothing.
        unsafe { command.pre_exec(pass) };
        let mut child = command.spawn().context("an actor")?;
        let pipe = child.stdout.take().context("an actor's pipe")?;
        let number = usize::try_from(spec.number)?;
        board.look().resize_with(number + 1, Heard::default);
        let reader = std::thread::spawn({
            let board = Arc::clone(board);
            move || board.listen(number, pipe)
        });
        let (part, pid) = (spec.part, child.id());
        Ok(Self {
            number,
            page,
            part,
            child,
            pid,
            reader: Some(reader),
            killed: None,
            slept: false,
        })
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed()).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("signal to {}", self.pid))
    }

    /// How the kernel has it: `R` if it runs or could, `S` if it sleeps, `T` if it was stopped.
    pub(crate) fn run_state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.chars().next()
    }

    /// Whether it sleeps in the kernel until the other side wakes it.
    pub(crate) fn asleep(&self) -> bool {
        self.page.mark() == Some(Mark::SleepBegun) && self.run_state() == Some('S')
    }

    /// Kills it; returns when that was.
    pub(crate) fn kill(&mut self) -> Result<u64> {
        self.slept = self.asleep();
        let now = clock::now();
        self.killed = Some(now);
        self.signal(Signal::KILL)?;
        Ok(now)
    }

    /// Waits for its end, which is certain to come. Returns its life, and the mark that it passed last,
    /// if that was within an operation.
    ///
    /// A SIGKILL is as planned if the supervisor sent it, or if the actor was `armed` with that mark.
    pub(crate) fn collect(
        mut self,
        board: &Board,
        armed: Option<Mark>,
    ) -> Result<(Life, Option<Mark>)> {
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_| anyhow::anyhow!("an actor told what is no record"))?;
        }
        let status = self.child.wait()?;
        let at = self.page.mark();
        let seen = clock::now();
        let at_the_mark = armed.is_some() && armed == at;
        let end = match (status.signal(), status.code()) {
            (Some(libc::SIGKILL), _) if self.killed.is_some() || at_the_mark => {
                End::Killed { sent: self.killed, seen }
            }
            (Some(signal), _) => End::Signalled(signal),
            (None, code) => End::Exited(code.unwrap_or(-1)),
        };
        let records = std::mem::take(&mut board.look()[self.number].records);
        let number = u32::try_from(self.number)?;
        Ok((Life { number, part: self.part, end, records }, at))
    }

    /// What it is doing, for whoever wants to know why it does nothing.
    pub(crate) fn state(&self, heard: &Heard) -> String {
        let read = |what: &str| {
            let mut text = String::new();
            let file = File::open(format!("/proc/{}/{what}", self.pid));
            let _ = file.and_then(|mut file| file.read_to_string(&mut text));
            text
        };
        let status = read("status");
        let state = status.lines().find(|line| line.starts_with("State")).unwrap_or("State: ?");
        let last = heard.records.last().map(|record| record.event);
        format!(
            "{} {} (pid {}): {state}, in {}, stack {:?}, at mark {:?}, last told {last:?}",
            self.part.name(),
            self.number,
            self.pid,
            read("wchan"),
            read("stack").lines().next(),
            self.page.mark(),
        )
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        if self.reader.is_some() {
            let _ = self.signal(Signal::KILL);
            // A host ends by itself, once it has ended the rest of its namespace.
            let hosted = self.pid != self.child.id();
            for _ in 0..1000 {
                if !hosted || !matches!(self.child.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the child, before `exec`: makes a descriptor inheritable at this number.
fn pass_on(from: i32, to: i32) -> std::io::Result<()> {
    // SAFETY: no pointers; `to` is not in use in a child that is about to call exec.
    if unsafe { libc::dup2(from, to) } < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}
