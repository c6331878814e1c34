//! Models of how a segment's name comes and goes, on the source that ships.
//!
//! The kernel is modelled as one mutex: each file operation is one indivisible step. An actor may
//! die right after any of its steps, or at a mark, which closes its files and so releases its locks.
//! Checked in every interleaving: whoever uses a segment holds the one the name leads to, not retired, until it
//! lets go; two users at a time hold the same; and afterwards the name can be opened again.
//!
//! That these checks can fail is itself checked, by kernels that break one promise each.

#![cfg(loom)]

use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use strait_ipc::segment::lifecycle::{self, Files, Removal};
use strait_loom_tests::deaths::marks_of;
use strait_pools::marks::{Mark, model::die_at};

/// More steps than an actor takes that opens or creates, and removes, when nobody is in its way.
/// (To finish another's removal first takes it 8 more.)
const STEPS: usize = 11;

/// A promise of the kernel that a model can be made to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// A name leads to a file even after it was removed.
    Linked,
    /// A retired segment does not look it.
    Retired,
    /// A name that is taken is given away.
    Link,
    /// A remover does not wait for users.
    Exclusive,
    /// A user does not wait for a remover.
    Shared,
}

#[derive(Debug, Default)]
struct Inode {
    retired: bool,
    /// Who has it locked, by number.
    shared: Vec<usize>,
    exclusive: Option<usize>,
}

impl Inode {
    fn locked(&self) -> bool {
        !self.shared.is_empty() || self.exclusive.is_some()
    }
}

/// What the kernel knows.
#[derive(Debug, Default)]
struct Disk {
    name: Option<usize>,
    inodes: Vec<Inode>,
    /// Inodes in use, once for each user.
    used: Vec<usize>,
    /// Whether somebody was found using a segment that the name does not lead to, or a retired one.
    /// Noted, and complained about at the end: a panic in a model's thread takes all others along.
    wrong: bool,
    /// Changes that may let an attempt succeed which failed before: a name given or taken, or a
    /// lock released, by that actor.
    changes: Vec<Option<usize>>,
}

impl Disk {
    fn check(&mut self) {
        let good = |&inode: &usize| self.name == Some(inode) && !self.inodes[inode].retired;
        self.wrong |= !self.used.iter().all(good);
    }

    /// Releases the lock that an actor has on an inode: it has one description of it at a time.
    fn unlock(&mut self, inode: usize, actor: usize) {
        let Inode { shared, exclusive, .. } = &mut self.inodes[inode];
        if shared.contains(&actor) || *exclusive == Some(actor) {
            shared.retain(|&other| other != actor);
            *exclusive = exclusive.filter(|&other| other != actor);
            self.changes.push(Some(actor));
        }
    }
}

/// The disk, and a bell that rings at each change.
#[derive(Default)]
struct Kernel {
    disk: Mutex<Disk>,
    changed: Condvar,
}

/// An open description.
struct File {
    kernel: Arc<Kernel>,
    owner: usize,
    inode: usize,
}

impl Drop for File {
    fn drop(&mut self) {
        // In one that dies at a mark, no destructor runs: see `Actor::live`.
        if !std::thread::panicking() {
            self.kernel.disk.lock().unwrap().unlock(self.inode, self.owner);
            self.kernel.changed.notify_all();
        }
    }
}

/// The actor died.
#[derive(Debug)]
struct Died;

struct Actor {
    kernel: Arc<Kernel>,
    number: usize,
    broken: Broken,
    life: Life,
    steps_left: Cell<usize>,
    /// How many changes there had been when the present attempt began.
    seen: Cell<usize>,
}

impl Actor {
    fn new(kernel: &Arc<Kernel>, number: usize, broken: Broken, life: Life) -> Self {
        let kernel = Arc::clone(kernel);
        let steps = if let Life::Steps(steps) = life { steps } else { usize::MAX };
        Self { kernel, number, broken, life, steps_left: Cell::new(steps), seen: Cell::new(0) }
    }

    /// One indivisible step; the actor may die right after it.
    fn step<R>(&self, work: impl FnOnce(&mut Disk) -> R) -> Result<R, Died> {
        let result = work(&mut self.kernel.disk.lock().unwrap());
        let left = self.steps_left.get() - 1;
        self.steps_left.set(left);
        if left == 0 { Err(Died) } else { Ok(result) }
    }

    fn name_changed(&self, disk: &mut Disk, name: Option<usize>) {
        disk.name = name;
        disk.changes.push(None);
        self.kernel.changed.notify_all();
    }

    fn description(&self, inode: usize) -> File {
        File { kernel: Arc::clone(&self.kernel), owner: self.number, inode }
    }

    fn create(&self) -> Result<File, Died> {
        let inode = self.step(|disk| {
            disk.inodes.push(Inode::default());
            disk.inodes.len() - 1
        })?;
        Ok(self.description(inode))
    }

    /// Lives until it is done, or dies.
    fn live(&self) -> Result<Removal, Died> {
        let Life::Until(mark) = self.life else { return self.use_and_remove() };
        die_at(mark, 0, || self.use_and_remove()).unwrap_or_else(|| {
            DEATHS[mark as usize].fetch_add(1, Relaxed);
            let mut disk = self.kernel.disk.lock().unwrap();
            (0..disk.inodes.len()).for_each(|inode| disk.unlock(inode, self.number));
            self.kernel.changed.notify_all();
            Err(Died)
        })
    }

    /// Opens or creates, uses, lets go, and removes if nobody else uses it.
    fn use_and_remove(&self) -> Result<Removal, Died> {
        let file = lifecycle::open_or_create(self, || self.create())?;
        {
            let mut disk = self.kernel.disk.lock().unwrap();
            disk.used.push(file.inode);
            disk.check();
        }
        thread::yield_now();
        {
            let mut disk = self.kernel.disk.lock().unwrap();
            disk.check();
            let own = disk.used.iter().position(|&inode| inode == file.inode).unwrap();
            disk.used.swap_remove(own);
        }
        drop(file);
        lifecycle::remove(self, |_| Ok(true))
    }
}

impl Files for Actor {
    type File = File;
    type Error = Died;

    fn open(&self) -> Result<Option<File>, Died> {
        let name = self.step(|disk| {
            self.seen.set(disk.changes.len());
            disk.name
        })?;
        Ok(name.map(|inode| self.description(inode)))
    }

    fn link(&self, file: &File) -> Result<bool, Died> {
        self.step(|disk| {
            let free = disk.name.is_none() || self.broken == Broken::Link;
            if free {
                self.name_changed(disk, Some(file.inode));
            }
            free
        })
    }

    fn unlink(&self, _: &File) -> Result<(), Died> {
        self.step(|disk| self.name_changed(disk, None))
    }

    fn lock_shared(&self, file: &File) -> Result<bool, Died> {
        self.step(|disk| {
            let inode = &mut disk.inodes[file.inode];
            let free = inode.exclusive.is_none() || self.broken == Broken::Shared;
            if free {
                inode.shared.push(self.number);
            }
            free
        })
    }

    fn lock_exclusive(&self, file: &File) -> Result<bool, Died> {
        self.step(|disk| {
            let inode = &mut disk.inodes[file.inode];
            let unused = inode.shared.is_empty() || self.broken == Broken::Exclusive;
            let free = unused && inode.exclusive.is_none();
            if free {
                inode.exclusive = Some(self.number);
            }
            free
        })
    }

    fn linked(&self, file: &File) -> Result<bool, Died> {
        self.step(|disk| disk.name == Some(file.inode) || self.broken == Broken::Linked)
    }

    fn retired(&self, file: &File) -> Result<bool, Died> {
        self.step(|disk| disk.inodes[file.inode].retired && self.broken != Broken::Retired)
    }

    fn retire(&self, file: &File) -> Result<(), Died> {
        self.step(|disk| disk.inodes[file.inode].retired = true)
    }

    /// Waits for a change, other than that this actor released a lock. If there can be none, loom
    /// reports a deadlock: an attempt may fail only because of somebody who will act.
    fn pause(&self) -> Result<(), Died> {
        let mut disk = self.kernel.disk.lock().unwrap();
        while disk.changes[self.seen.get()..].iter().all(|&actor| actor == Some(self.number)) {
            disk = self.kernel.changed.wait(disk).unwrap();
        }
        Ok(())
    }
}

/// What the name leads to at first.
#[derive(Clone, Copy, Debug)]
enum Start {
    Nothing,
    Segment,
    Retired,
}

const STARTS: [Start; 3] = [Start::Nothing, Start::Segment, Start::Retired];

/// How long an actor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// Until it is done.
    Full,
    /// For so many steps.
    Steps(usize),
    /// Until it passes a mark.
    Until(Mark),
}

/// How many died at each mark, by its number.
static DEATHS: [AtomicUsize; 80] = [const { AtomicUsize::new(0) }; 80];

/// Each actor lives its life; then the name must be as good as new.
fn explore(start: Start, actors: &'static [Life], broken: Broken) {
    let most = if actors.len() > 2 { 2 } else { 3 };
    strait_loom_tests::explore(most, move || {
        let mut disk = Disk::default();
        if !matches!(start, Start::Nothing) {
            let retired = matches!(start, Start::Retired);
            disk.inodes.push(Inode { retired, ..Inode::default() });
            disk.name = Some(0);
        }
        let kernel = Arc::new(Kernel { disk: Mutex::new(disk), changed: Condvar::new() });
        let threads: Vec<_> = (0..)
            .zip(actors)
            .map(|(number, &life)| {
                let actor = Actor::new(&kernel, number, broken, life);
                thread::spawn(move || (life, actor.live()))
            })
            .collect();
        let last = Actor::new(&kernel, threads.len(), broken, Life::Full);
        for thread in threads {
            let (life, result) = thread.join().unwrap();
            assert!(result.is_ok() || life != Life::Full, "an actor failed that did not die");
        }
        {
            let disk = kernel.disk.lock().unwrap();
            assert!(!disk.wrong, "somebody used a segment that was not the one");
            assert!(!disk.inodes.iter().any(Inode::locked));
        }
        assert_eq!(last.live().unwrap(), Removal::Removed);
        assert_eq!(kernel.disk.lock().unwrap().name, None);
    });
}

/// Explores an actor that dies at each of its steps in turn, beside one that does not.
fn explore_deaths(start: Start, broken: Broken) {
    for steps in 1..STEPS + 8 {
        explore(start, Vec::leak(vec![Life::Steps(steps), Life::Full]), broken);
    }
}

#[test]
fn two_come_and_go() {
    for start in STARTS {
        explore(start, &[Life::Full, Life::Full], Broken::Nothing);
    }
}

#[test]
fn three_come_and_go() {
    // A retired one is left out: two who wait for the third to let go of it wake each other, and
    // loom, which need not be fair, lets them do so for ever.
    for start in [Start::Nothing, Start::Segment] {
        explore(start, &[Life::Full, Life::Full, Life::Full], Broken::Nothing);
    }
}

#[test]
fn one_dies_at_each_step() {
    for start in STARTS {
        explore_deaths(start, Broken::Nothing);
    }
}

#[test]
fn one_dies_at_each_mark() {
    for &mark in marks_of("lifecycle::one_dies_at_each_mark") {
        for start in STARTS {
            explore(start, Vec::leak(vec![Life::Until(mark), Life::Full]), Broken::Nothing);
        }
        assert!(DEATHS[mark as usize].load(Relaxed) > 0, "nobody ever passed {mark:?}");
    }
}

#[test]
fn two_die_at_each_step() {
    for start in STARTS {
        for first in 1..STEPS {
            for second in first..STEPS {
                explore(
                    start,
                    Vec::leak(vec![Life::Steps(first), Life::Steps(second)]),
                    Broken::Nothing,
                );
            }
        }
    }
}

#[test]
fn broken_kernels_are_noticed() {
    let fails = |what: Broken, explore: &dyn Fn()| {
        let result = catch_unwind(AssertUnwindSafe(explore));
        assert!(result.is_err(), "{what:?}: the models do not depend on it");
    };
    for broken in [Broken::Linked, Broken::Link, Broken::Exclusive, Broken::Shared] {
        fails(broken, &|| {
            for start in STARTS {
                explore(start, &[Life::Full, Life::Full], broken);
            }
        });
    }
    fails(Broken::Retired, &|| explore_deaths(Start::Segment, Broken::Retired));
}
