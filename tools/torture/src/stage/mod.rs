//! One channel, its actors, and what is done to them.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | actors come, and messages flow |
//! | `deaths` | actors go: at marks, at random moments, and how long until others get on |
//! | `steps` | the steps of a plan |
//! | `churn` | a crowd that opens and closes all the time |
//! | `finale` | the end of a round: all arrives, all close, nothing is left |

mod churn;
mod deaths;
mod finale;
mod steps;

use crate::cast::{Actor, Board, Heard, Start};
use crate::locks;
use crate::page::Stop;
use crate::place::Place;
use anyhow::{Context, Result};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use strait_pools::marks::Mark;
use strait_pools::marks::fail_points::{Action, FailPoint};
use strait_torture::journal::{Event, Side};
use strait_torture::oracle::{Life, Rule, Violation};
use strait_torture::plan::{Round, Setting, Sleep};
use strait_torture::random::Random;
use strait_torture::spec::{Kind, Part, Spec, Waiting};
use strait_torture::tally::{Count, Tally};

/// Who should get on and does not within this time is stuck.
const GUARD: Duration = Duration::from_secs(20);

/// Messages that must get through before anything is called an exchange.
const FLOW: u64 = 3;

/// So many microseconds at each pass.
fn dawdling_at(mark: Mark, microseconds: u64) -> FailPoint {
    FailPoint { mark, pass: 1, action: Action::Delay(Duration::from_micros(microseconds)) }
}

/// Why a round is over before its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A promise was broken.
    Broken(Violation),
    /// The supervisor itself failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// One channel of a round.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    round: &'a Round,
    place: &'a Place,
    user: Option<u32>,
    hosted: bool,
    random: Random,
    board: Arc<Board>,
    sender: Option<Actor>,
    receiver: Option<Actor>,
    crowd: Vec<(Side, Actor)>,
    memory: Option<OwnedFd>,
    /// What each actor was told to be, by number.
    parts: Vec<Part>,
    /// Of sender and receiver: whether the last one died.
    died: [bool; 2],
    pub(crate) lives: Vec<Life>,
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<Violation>,
}

impl<'a> Stage<'a> {
    /// A channel that nobody has opened yet.
    pub(crate) fn new(
        round: &'a Round,
        place: &'a Place,
        user: Option<u32>,
    ) -> Result<Self, Trouble> {
        let mut stage = Self {
            round,
            place,
            user,
            hosted: round.setting == Setting::Namespaces,
            random: Random::derived(round.seed, user.unwrap_or(0).into()),
            board: Arc::default(),
            sender: None,
            receiver: None,
            crowd: Vec::new(),
            memory: None,
            parts: Vec::new(),
            died: [false; 2],
            lives: Vec::new(),
            tally: Tally::default(),
            violations: Vec::new(),
        };
        if round.setting == Setting::Memory {
            stage.make_memory()?;
        }
        Ok(stage)
    }

    /// Has somebody make a memory segment, and keeps a description of it to pass on.
    fn make_memory(&mut self) -> Result<(), Trouble> {
        let maker = self.start(Part::Maker, Vec::new())?;
        let descriptor = self.wait("a memory segment", &[&maker], |heard| {
            heard[maker.number].records.iter().find_map(|record| match record.event {
                Event::Made { descriptor } => Some(descriptor),
                _ => None,
            })
        })?;
        self.memory = Some(locks::opened_by(maker.pid, descriptor)?);
        maker.page.ask_to_stop(Stop::Now);
        self.bury(maker, None)
    }

    /// The file of the channel, to look at its locks.
    fn file(&self) -> Result<File> {
        match &self.memory {
            Some(memory) => Ok(memory.try_clone()?.into()),
            None => File::open(self.path()).context("the channel's file"),
        }
    }

    fn path(&self) -> PathBuf {
        self.place.file(self.user.unwrap_or(rustix::process::geteuid().as_raw()))
    }

    fn holder(&mut self, side: Side) -> &mut Option<Actor> {
        match side {
            Side::Sender => &mut self.sender,
            Side::Receiver => &mut self.receiver,
        }
    }

    /// Starts an actor. It dawdles at some of the marks of its exchange.
    fn start(&mut self, part: Part, arms: Vec<FailPoint>) -> Result<Actor, Trouble> {
        let spec = self.spec(part, arms);
        let hosted = self.hosted && matches!(part, Part::Holder(_));
        let start = Start { segment: self.memory.as_ref(), user: self.user, hosted };
        let mut actor = Actor::start(&spec, start, &self.board)?;
        if hosted {
            let pid = self.wait("a pid namespace", &[&actor], |heard| {
                heard[actor.number].records.iter().find_map(|record| match record.event {
                    Event::Hosting { pid } => Some(Some(pid)),
                    Event::NoNamespace => Some(None),
                    _ => None,
                })
            })?;
            let Some(pid) = pid else {
                self.tally.skip("two pid namespaces: they take root's privileges".to_owned());
                self.hosted = false;
                self.bury(actor, None)?;
                return self.start(part, spec.arms);
            };
            actor.pid = pid;
        }
        Ok(actor)
    }

    fn spec(&mut self, part: Part, mut arms: Vec<FailPoint>) -> Spec {
        let number = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        self.parts.push(part);
        let round = self.round;
        let Round { setting, kind, capacity, blocks, sleep, .. } = *round;
        let churning = setting == Setting::Churn && part.side().is_some();
        self.dawdle(part, churning, &mut arms);
        let random = &mut self.random;
        let directory = match self.memory {
            Some(_) => String::new(),
            None if part == Part::Maker => String::new(),
            None => self.place.path().display().to_string(),
        };
        Spec {
            part,
            number,
            directory,
            kind,
            capacity,
            blocks,
            parking: sleep != Sleep::Never,
            wait: part.side().map_or(Waiting::Yield, |side| round.waiting(side, random)),
            slice: if sleep == Sleep::Endless { 0 } else { random.between(200, 3000) },
            seed: random.any(),
            batch: capacity.clamp(2, 8),
            session: 0,
            // Byte channels notice a death only where they wait without a limit.
            patient: !churning && (kind.is_bytes() || random.once_in(2)),
            arms,
        }
    }

    /// Has an actor dawdle at some of the marks that it may pass, and is not armed with.
    fn dawdle(&mut self, part: Part, churning: bool, arms: &mut Vec<FailPoint>) {
        let random = &mut self.random;
        let exchanging: &[Mark] = match part.side() {
            Some(Side::Sender) => &[
                Mark::ProducerClaimed,
                Mark::ProducerWritten,
                Mark::ProducerPublished,
                Mark::ProducerInBatch,
            ],
            Some(Side::Receiver) => {
                &[Mark::ConsumerInHand, Mark::ConsumerMoved, Mark::ConsumerTold]
            }
            None => &[],
        };
        let blocks: &[Mark] = match part.side() {
            Some(Side::Sender) if self.round.kind == Kind::Kept => {
                &[Mark::BlockTaken, Mark::BlockSwept]
            }
            Some(Side::Receiver) if self.round.kind == Kind::Kept => {
                &[Mark::BlockClaimed, Mark::BlockRead, Mark::BlockSwept]
            }
            _ => &[],
        };
        let sleeping: &[Mark] = if self.round.sleep == Sleep::Never {
            &[]
        } else {
            &[Mark::SleepNoted, Mark::SleepBegun, Mark::WakeNoted]
        };
        let opening: &[Mark] = if churning {
            &[
                Mark::EndpointLocked,
                Mark::EndpointSigning,
                Mark::EndpointClosing,
                Mark::EndpointClosed,
                Mark::SegmentComplete,
                Mark::SegmentNamed,
                Mark::SegmentOpened,
                Mark::RemovalLocked,
                Mark::RemovalRetired,
            ]
        } else {
            &[]
        };
        for &mark in exchanging.iter().chain(blocks).chain(sleeping).chain(opening) {
            if !arms.iter().any(|arm| arm.mark == mark) && !random.once_in(4) {
                arms.push(dawdling_at(mark, random.between(50, 250)));
            }
        }
        // Some are slow to note a death: by then, the dead one has a successor.
        for mark in [Mark::BurialBegun, Mark::BurialDated] {
            if !arms.iter().any(|arm| arm.mark == mark) && random.once_in(4) {
                arms.push(dawdling_at(mark, random.between(1000, 8000)));
            }
        }
    }

    /// Waits until `check` finds what it looks for. None of `needed` may end meanwhile.
    fn wait<T>(
        &self,
        what: &str,
        needed: &[&Actor],
        check: impl Fn(&[Heard]) -> Option<T>,
    ) -> Result<T, Trouble> {
        let found = self.board.wait(GUARD, |heard| {
            check(heard).map(Ok).or_else(|| {
                let ended = needed.iter().find(|actor| heard[actor.number].ended);
                ended.map(|actor| Err(actor.number))
            })
        });
        match found {
            Some(Ok(found)) => Ok(found),
            Some(Err(number)) => {
                let seen = format!("actor {number} ended while it was needed for: {what}");
                Err(Trouble::Broken(Violation::new(Rule::End, seen)))
            }
            None => Err(self.stuck(what)),
        }
    }

    fn stuck(&self, what: &str) -> Trouble {
        let heard = self.board.look();
        let actors = self.sender.iter().chain(&self.receiver);
        let actors = actors.chain(self.crowd.iter().map(|(_, actor)| actor));
        let states: Vec<String> = actors.map(|actor| actor.state(&heard[actor.number])).collect();
        let seconds = GUARD.as_secs();
        let seen = format!("{what}: not in {seconds} s\n    {}", states.join("\n    "));
        Trouble::Broken(Violation::new(Rule::Stuck, seen))
    }

    /// Waits until an actor has told of such an event.
    fn hear(
        &self,
        actor: &Actor,
        what: &str,
        event: impl Fn(Event) -> bool,
    ) -> Result<(), Trouble> {
        self.wait(what, &[actor], |heard| heard[actor.number].told(&event).then_some(()))
    }

    /// Makes sure of a sender and a receiver between whom messages flow.
    fn settle(&mut self) -> Result<(), Trouble> {
        for side in [Side::Sender, Side::Receiver] {
            if self.holder(side).is_none() {
                let actor = self.start(Part::Holder(side), Vec::new())?;
                *self.holder(side) = Some(actor);
            }
        }
        let (Some(sender), Some(receiver)) = (&self.sender, &self.receiver) else { return Ok(()) };
        let number = u32::try_from(sender.number)?;
        self.wait(
            "messages from the present sender to the present receiver",
            &[sender, receiver],
            |heard| {
                let (from, messages) = heard[receiver.number].fed;
                (from == number && messages >= FLOW).then_some(())
            },
        )?;
        let restarts = self.died.iter().filter(|&&died| died).count() as u64;
        self.tally.add(Count::Restarts, restarts);
        self.died = [false; 2];
        Ok(())
    }
}
