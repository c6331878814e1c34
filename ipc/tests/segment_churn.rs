//! Twenty processes open, use, close and remove one segment while they are killed: at random, and
//! after every single step of the protocol. Whatever happens, a name leads to one good segment or to
//! none, nobody uses one that was removed, no side has two holders, and nothing is left behind.

mod random;
mod segment_support;

use random::Random;
use segment_support::{Actor, Place, channel, eventually, job, name, tell, word};
use std::cell::Cell;
use std::fs::File;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use strait_ipc::endpoint::{AttachError, Endpoint, Predecessor, Role};
use strait_ipc::segment::kernel::NamedFile;
use strait_ipc::segment::layout::Header;
use strait_ipc::segment::lifecycle::{self, Files};
use strait_ipc::segment::{
    Directory, MapOptions, Removal, Segment, SegmentError, SegmentName, SegmentSpec,
};
use strait_ipc::system::file;
use strait_pools::sync::Ordering;

const PROCESSES: usize = 20;
const KILLS: usize = 400;

/// The kernel's files, until this process kills itself right after one of its steps.
struct Mortal {
    files: NamedFile,
    steps_left: Cell<u64>,
}

impl Mortal {
    fn step<T>(&self, result: T) -> T {
        self.steps_left.set(self.steps_left.get() - 1);
        if self.steps_left.get() == 0 {
            // SAFETY: no pointers; this process ends here.
            unsafe { libc::raise(libc::SIGKILL) };
        }
        result
    }
}

impl Files for Mortal {
    type File = File;
    type Error = SegmentError;

    fn open(&self) -> Result<Option<File>, SegmentError> {
        self.step(self.files.open())
    }
    fn link(&self, file: &File) -> Result<bool, SegmentError> {
        self.step(self.files.link(file))
    }
    fn unlink(&self, file: &File) -> Result<(), SegmentError> {
        self.step(self.files.unlink(file))
    }
    fn lock_shared(&self, file: &File) -> Result<bool, SegmentError> {
        self.step(self.files.lock_shared(file))
    }
    fn lock_exclusive(&self, file: &File) -> Result<bool, SegmentError> {
        self.step(self.files.lock_exclusive(file))
    }
    fn linked(&self, file: &File) -> Result<bool, SegmentError> {
        self.step(self.files.linked(file))
    }
    fn retired(&self, file: &File) -> Result<bool, SegmentError> {
        self.step(self.files.retired(file))
    }
    fn retire(&self, file: &File) -> Result<(), SegmentError> {
        self.step(self.files.retire(file))
    }
    fn pause(&self) -> Result<(), SegmentError> {
        self.step(self.files.pause())
    }
}

/// Opens and removes over and over, and dies at the `steps`-th step.
fn live_for(steps: u64, directory: &Directory) -> ! {
    let files = NamedFile::new(name().path(directory), segment_support::HANG);
    let mortal = Mortal { files, steps_left: Cell::new(steps) };
    loop {
        // A good segment to be linked: made under a name of this process's own.
        let own = SegmentName::new("test", &format!("own-{}", std::process::id())).unwrap();
        let made = || {
            let spec = SegmentSpec { channels: &[channel()] };
            let segment = Segment::open_or_create(directory, &own, &spec, MapOptions::default())?;
            let copy = file::unnamed(directory.path()).unwrap();
            std::io::copy(&mut File::open(segment.path()).unwrap(), &mut &copy).unwrap();
            segment.close(|_| true)?;
            Ok(copy)
        };
        drop(lifecycle::open_or_create(&mortal, made).unwrap());
        lifecycle::remove(&mortal, |_| Ok(true)).unwrap();
    }
}

/// Opens, checks, attaches, and closes in one way or another, until killed.
fn live(mut random: Random, place: &Place) -> ! {
    loop {
        let segment = place.open_or_create();
        // It holds the lifecycle lock: the name must lead to what is mapped, and stay so.
        assert_eq!(named_instance(&segment), segment.birth().instance, "opened after its removal");
        match Endpoint::attach(&segment, 0, Role::Producer) {
            Ok(endpoint) => hold(&segment, &endpoint, &mut random),
            Err(AttachError::Held { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(named_instance(&segment), segment.birth().instance, "removed while in use");
        match random.below(3) {
            0 => drop(segment),
            1 => drop(segment.close(|_| true).unwrap()),
            _ => assert_ne!(segment.close(|_| false).unwrap(), Removal::Removed),
        }
    }
}

/// The instance id in the file that the segment's name leads to.
fn named_instance(segment: &Segment) -> u128 {
    let mut bytes = [0; 16];
    let file = File::open(segment.path()).expect("a segment in use has its name");
    file.read_exact_at(&mut bytes, offset_of!(Header, instance) as u64).unwrap();
    u128::from_le_bytes(bytes)
}

/// Nobody else may have written here since we took the side, unless it died doing so.
fn hold(segment: &Segment, endpoint: &Endpoint, random: &mut Random) {
    let owner = word(segment);
    let found = owner.swap(std::process::id().into(), Ordering::Relaxed);
    let clean = !matches!(endpoint.predecessor(), Predecessor::Died { .. });
    assert!(found == 0 || !clean, "process {found} holds the same side");
    std::thread::sleep(Duration::from_micros(random.below(200)));
    let found = owner.swap(0, Ordering::Relaxed);
    assert_eq!(found, u64::from(std::process::id()), "another process took the side");
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    tell("ready");
    let (kind, number) = what.split_once(' ').unwrap();
    let number = number.parse().unwrap();
    match kind {
        "live" => live(Random(number), &place),
        "steps" => live_for(number, &place.directory),
        other => panic!("no such job: {other}"),
    }
}

/// The name leads to a good segment or to none, a new user is welcome, and then nothing is left.
fn assert_recovered(place: &Place) {
    assert!(place.files().len() <= 1, "left behind: {:?}", place.files());
    let segment = place.open_or_create();
    let endpoint = Endpoint::attach(&segment, 0, Role::Producer).unwrap();
    drop(endpoint);
    assert_eq!(segment.close(|_| true).unwrap(), Removal::Removed);
    assert!(place.files().is_empty(), "left behind: {:?}", place.files());
}

#[test]
fn twenty_processes_killed_at_random() {
    let place = Place::new();
    let mut random = Random(0x5eed);
    let spawn = |random: &mut Random| {
        let job = format!("live {}", random.below(u64::MAX) | 1);
        let mut actor = Actor::spawn(&job, &place);
        actor.hear();
        actor
    };
    let mut actors: Vec<Actor> = (0..PROCESSES).map(|_| spawn(&mut random)).collect();
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_micros(random.below(3000)));
        // Fewer than twenty.
        let victim = usize::try_from(random.below(PROCESSES as u64)).unwrap();
        actors[victim].kill();
        actors[victim] = spawn(&mut random);
    }
    actors.iter_mut().for_each(Actor::kill);
    assert_recovered(&place);
}

#[test]
fn a_death_after_every_step() {
    // A round of creation and removal has 9 steps, one that opens what is there has more.
    for steps in 1..=24 {
        let place = Place::new();
        let mut survivor = Actor::spawn("live 77", &place);
        let mut victims: Vec<Actor> =
            (0..3).map(|more| Actor::spawn(&format!("steps {}", steps + more), &place)).collect();
        for victim in &mut victims {
            assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
        }
        survivor.kill();
        // What a victim made for itself, in case it died in between.
        for victim in &victims {
            let own = SegmentName::new("test", &format!("own-{}", victim.pid())).unwrap();
            eventually("its lock's release", || Segment::remove(&place.directory, &own).is_ok());
        }
        assert_recovered(&place);
    }
}
