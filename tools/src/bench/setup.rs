//! How both processes of a run come to have a side of everything that is measured.

use super::clock::Clock;
use super::exercise::Role;
use super::partner::{self, Sides};
use super::sides::call::{Answering, Calling};
use super::sides::descriptors::Descriptors;
use super::sides::lines::Lines;
use super::sides::memory::Memory;
use super::sides::{self, Channels, Messages, Subject, Waiting};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::sync::Arc;
use strait::Segment;

/// What the other process must know before it can do anything.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// This process, and its descriptors of the yardsticks and of each pair of channels.
    pub(super) process: u32,
    pub(super) lines: i32,
    pub(super) memory: Option<i32>,
    pub(super) calls: Option<i32>,
    pub(super) channels: Vec<(Subject, Waiting, [i32; 2])>,
    /// What the other process inherits under the same numbers.
    pub(super) inherited: Vec<(Subject, [i32; 2])>,
    pub(super) messages: Messages,
    pub(super) clock: Clock,
}

/// One process's sides of whatever is not in process.
pub(super) fn open(
    channels: &[(Subject, Channels)],
    descriptors: Vec<(Subject, Descriptors)>,
    lines: &File,
    memory: Option<&File>,
    calls: Option<&Arc<Segment>>,
    messages: &Messages,
    role: Role,
) -> Result<Sides<Subject>> {
    let lines = Lines::map(lines)?;
    let mut sides = Sides::default();
    sides.insert(Subject::Raw, Box::new(lines.bare(role)));
    sides.insert(Subject::Line, Box::new(lines.loaded(role)));
    sides.insert(Subject::Futex, Box::new(lines.sleeping(role, false)?));
    sides.insert(Subject::FutexTimed, Box::new(lines.sleeping(role, true)?));
    if let Some(file) = memory {
        sides.insert(Subject::Memory, Box::new(Memory::map(file, messages.size, role)?));
    }
    if let Some(segment) = calls {
        sides.insert(
            Subject::Call,
            match role {
                Role::Here => Box::new(Calling::open(segment)?),
                Role::There => Box::new(Answering::open(segment)?),
            },
        );
    }
    for (subject, descriptors) in descriptors {
        sides.insert(subject, Box::new(descriptors));
    }
    for (subject, channels) in channels {
        sides.insert(*subject, messages.open(channels, role)?);
    }
    Ok(sides)
}

/// The other process's sides.
fn prepare(setup: &Setup) -> Result<Sides<Subject>> {
    let borrow = |descriptor| sides::borrow(setup.process, descriptor);
    let channels = setup.channels.iter().map(|&(subject, waiting, [there, back])| {
        Ok((subject, Channels::of(borrow(there)?, borrow(back)?, waiting)?))
    });
    let channels = channels.collect::<Result<Vec<_>>>()?;
    let inherited = setup.inherited.iter();
    let descriptors =
        inherited.map(|&(subject, numbers)| (subject, Descriptors::inherited(numbers))).collect();
    let (lines, memory) = (borrow(setup.lines)?, setup.memory.map(borrow).transpose()?);
    let calls = setup.calls.map(|calls| sides::map(borrow(calls)?)).transpose()?;
    let (memory, calls) = (memory.as_ref(), calls.as_ref());
    open(&channels, descriptors, &lines, memory, calls, &setup.messages, Role::There)
}

/// What the other process does.
///
/// # Errors
///
/// As for [`partner::answer`].
pub(super) fn answer() -> Result<()> {
    partner::answer(|setup: Setup| Ok((setup.clock, prepare(&setup)?)))
}
