//! A peer at work in one case: both of its sides, and the process that has the other one. Each has a process of
//! its own, so that whatever becomes of one is nothing to the others.

use crate::case::Case;
use crate::peer::Peer;
use crate::sides::{self, Place};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::PathBuf;
use strait_tools::bench::clock::Clock;
use strait_tools::bench::exercise::{Exercise, Observed, Player, Role};
use strait_tools::bench::partner::{self, Partner, Sides};
use strait_tools::bench::play_threads;
use strait_tools::bench::sides::{borrow, number};
use tempfile::TempDir;

/// What the other process must know before it can open its side.
#[derive(Debug, Serialize, Deserialize)]
struct Setup {
    case: Case,
    peer: Peer,
    clock: Clock,
    /// Where both meet.
    directory: PathBuf,
    /// This process, and its descriptors that the other one is to open.
    process: u32,
    borrowed: Vec<i32>,
    /// What the other process has inherited under the same numbers.
    inherited: Option<[i32; 2]>,
}

/// Both sides of a peer.
pub(crate) struct Contestant {
    pub(crate) peer: Peer,
    clock: Clock,
    /// The number of the next message. Numbers are never used again.
    next: u64,
    both: Both,
}

enum Both {
    Threads([Box<dyn Player + Send>; 2]),
    /// In the order in which they go: the other process closes its side while this one still has its own.
    Processes {
        partner: Partner<Peer>,
        here: Box<dyn Player>,
        _directory: TempDir,
    },
}

impl Contestant {
    /// Opens both sides.
    pub(crate) fn open(case: Case, peer: Peer, clock: Clock) -> Result<Self> {
        let both = if peer.in_process() {
            Both::Threads(sides::threads(peer, case)?)
        } else {
            Self::processes(case, peer, clock)?
        };
        Ok(Self { peer, clock, next: 0, both })
    }

    fn processes(case: Case, peer: Peer, clock: Clock) -> Result<Both> {
        let directory = tempfile::Builder::new().prefix("strait-peers-").tempdir_in("/dev/shm")?;
        let mut held = sides::prepare(peer, case)?;
        let setup = Setup {
            case,
            peer,
            clock,
            directory: directory.path().to_owned(),
            process: std::process::id(),
            borrowed: held.files.iter().map(number).collect(),
            inherited: held.ends.as_ref().map(|[_, there]| there.numbers()),
        };
        let mut partner = Partner::spawn(&["--partner"], &setup)?;
        let near = held.ends.take().map(|[near, _]| near);
        let place = Place { case, role: Role::Here, directory: directory.path() };
        // Its account of a failure is worth more than ours of the consequences.
        let here = match sides::open(peer, place, &held.files, near) {
            Ok(here) => here,
            Err(error) => return Err(partner.failure().unwrap_or(error)),
        };
        partner.ready()?;
        Ok(Both::Processes { partner, here, _directory: directory })
    }

    /// From which message on the next exercise is.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Both sides do `exercise`, of so many messages; what each saw.
    pub(crate) fn play(
        &mut self,
        exercise: Exercise,
        messages: u64,
        far_core: usize,
    ) -> Result<[Observed; 2]> {
        self.next += messages;
        match &mut self.both {
            Both::Threads(sides) => play_threads(sides, &exercise, self.clock, far_core),
            Both::Processes { partner, here, .. } => {
                partner.play(here.as_mut(), far_core, self.peer, exercise, self.clock)
            }
        }
    }
}

/// What the other process does.
pub(crate) fn answer() -> Result<()> {
    partner::answer(|setup: Setup| {
        let Setup { case, peer, clock, directory, process, borrowed, inherited } = setup;
        let files = borrowed.into_iter().map(|file| borrow(process, file));
        let files = files.collect::<Result<Vec<File>>>()?;
        let ends = inherited.map(sides::inherited);
        let place = Place { case, role: Role::There, directory: &directory };
        let side = sides::open(peer, place, &files, ends).context("opening its side")?;
        let mut sides = Sides::default();
        sides.insert(peer, side);
        Ok((clock, sides))
    })
}
