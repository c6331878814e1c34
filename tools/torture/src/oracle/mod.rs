//! From journals and kills to violations: a pure function that knows nothing of Strait's code.
//!
//! | module | what is judged there |
//! |---|---|
//! | this one | how actors ended, and that no side had two holders at a time |
//! | `sessions` | an actor's records cut into the times for which it held a side |
//! | `senders` | where each sender began, and with that, what was published |
//! | `receivers` | that all of it arrived: whole, in order, and twice only where it may |
//! | `gone` | that only the dead were called dead, and that nobody hoards descriptors |

mod gone;
mod receivers;
mod senders;
mod sessions;
#[cfg(test)]
mod tests;

use crate::journal::{Event, Record};
use crate::spec::Part;
use sessions::{Ended, Session};
use std::fmt;

/// One actor's life as the supervisor saw it.
#[derive(Clone, Debug)]
pub struct Life {
    /// Its number among the actors of its channel.
    pub number: u32,
    /// What it was told to do.
    pub part: Part,
    /// How it ended.
    pub end: End,
    /// Everything it told, in order.
    pub records: Vec<Record>,
}

/// How an actor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By the SIGKILL that the plan meant for it.
    Killed {
        /// When the supervisor sent it; `None` if the actor killed itself at a mark.
        sent: Option<u64>,
        /// When it was seen to be dead.
        seen: u64,
    },
    /// By itself, with this status.
    Exited(i32),
    /// By a signal that nobody planned.
    Signalled(i32),
}

impl Life {
    /// Whether it was killed as planned.
    #[must_use]
    pub fn killed(&self) -> bool {
        matches!(self.end, End::Killed { .. })
    }

    /// When it last said something.
    fn last_word(&self) -> u64 {
        self.records.last().map_or(0, |record| record.time)
    }

    /// Its process id, in its own namespace.
    fn pid(&self) -> Option<u32> {
        self.records.iter().find_map(|record| match record.event {
            Event::Born { pid } => Some(pid),
            _ => None,
        })
    }

    /// Since when it was opening a side when it was killed, if it was.
    fn died_opening(&self) -> Option<u64> {
        let told = |event: &Event| {
            matches!(event, Event::Opening { .. } | Event::Opened { .. } | Event::Closed)
        };
        let last = self.records.iter().rev().find(|record| told(&record.event))?;
        (self.killed() && matches!(last.event, Event::Opening { .. })).then_some(last.time)
    }
}

/// What the promises are that a violation breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// An actor ends by the planned kill or with status 0.
    End,
    /// Every message arrives whole.
    Torn,
    /// What arrives was sent, at that position.
    Phantom,
    /// Every published message arrives.
    Lost,
    /// Positions are read one after the other.
    Order,
    /// Whoever takes a side over goes on where the last holder stopped.
    Resume,
    /// A batch arrives whole or not at all.
    Batch,
    /// A side has one holder at a time.
    Holders,
    /// Exactly the message that may come twice is marked.
    Redelivered,
    /// A message names the sender that sent it.
    Incarnation,
    /// Only the dead are said to have died.
    FalseDeath,
    /// Only who closed is said to have closed.
    FalseClose,
    /// No room for large messages is lost.
    Leak,
    /// Nobody collects descriptors or mappings.
    Hoard,
    /// Somebody who should get on gets on.
    Stuck,
    /// Nothing is left behind.
    Debris,
    /// What must be refused is refused.
    Refusal,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub rule: Rule,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    /// A broken promise, and what was seen of it.
    pub fn new(rule: Rule, seen: impl Into<String>) -> Self {
        Self { rule, seen: seen.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.seen)
    }
}

/// What the supervisor knows about a channel besides its journals.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Dense cells cannot tell who sent a message, unless it was the latest sender.
    pub dense: bool,
    /// The finale took place: everything must have arrived.
    pub finished: bool,
}

/// Every promise that these lives show to be broken.
#[must_use]
pub fn judge(case: Case, lives: &[Life]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for life in lives {
        if !life.killed() && life.end != End::Exited(0) {
            let seen = format!("{} ended by itself: {:?}", named(life), life.end);
            violations.push(Violation::new(Rule::End, seen));
        }
    }
    let sessions = sessions::of(lives);
    for session in &sessions {
        if session.ended == Ended::Vanished {
            let seen = format!("{} ended without closing", named(session.life));
            violations.push(Violation::new(Rule::End, seen));
        }
    }
    let mut instances: Vec<u64> = sessions.iter().map(|session| session.instance).collect();
    instances.sort_unstable();
    instances.dedup();
    for instance in instances {
        let of = |side| {
            let mut list: Vec<&Session> = sessions
                .iter()
                .filter(|session| session.instance == instance && session.side == side)
                .collect();
            list.sort_by_key(|session| session.opened);
            list
        };
        let senders = of(crate::journal::Side::Sender);
        let receivers = of(crate::journal::Side::Receiver);
        one_at_a_time(&senders, &mut violations);
        one_at_a_time(&receivers, &mut violations);
        if let Some(published) = senders::published(&senders, &mut violations) {
            receivers::judge(case, lives, &receivers, &published, &mut violations);
        }
    }
    gone::judge(lives, &mut violations);
    gone::hoards(&sessions, &mut violations);
    leaks(lives, &mut violations);
    violations
}

/// Nobody acts as holder after another has taken the side.
fn one_at_a_time(sessions: &[&Session<'_>], violations: &mut Vec<Violation>) {
    for pair in sessions.windows(2) {
        let last = pair[0].records.iter().rfind(|record| record.event != Event::Closed);
        if let Some(last) = last.filter(|last| last.time > pair[1].opened) {
            let (one, other) = (named(pair[0].life), named(pair[1].life));
            let seen = format!("{one} still told {:?} after {other} had the side", last.event);
            violations.push(Violation::new(Rule::Holders, seen));
        }
    }
}

/// When nobody has a message any more, all room for them is free.
fn leaks(lives: &[Life], violations: &mut Vec<Violation>) {
    for life in lives {
        for record in &life.records {
            let Event::Audited { free, of } = record.event else { continue };
            if free != of {
                let seen = format!("{} found {free} of {of} free in the end", named(life));
                violations.push(Violation::new(Rule::Leak, seen));
            }
        }
    }
}

/// "sender 12".
fn named(life: &Life) -> String {
    format!("{} {}", life.part.name(), life.number)
}
