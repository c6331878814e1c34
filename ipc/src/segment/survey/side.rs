//! A side of a channel, seen from outside.

use super::read_array;
use crate::endpoint::{Condition, Holder, Role};
use crate::segment::codec::Reader;
use crate::segment::layout::{EndpointSlot, endpoint_byte};
use crate::system::lock;
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use strait_pools::environment::Peer;
use strait_pools::sync::Ordering::Relaxed;

/// Who has a side of a channel, or had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Which side.
    pub role: Role,
    /// How its holder is doing.
    pub condition: Condition,
    /// Its holder, or the last one. All zero before the first.
    pub holder: Holder,
}

/// Looks at a slot that changes between them. A damaged slot must not keep the observer.
const ATTEMPTS: u32 = 16;

impl Side {
    /// Looks at the endpoints `slots` of the table that begins at `table`, as far as they can be read.
    pub(super) fn read_all(
        file: &File,
        table: u64,
        slots: Range<u32>,
        role: impl Fn(u32) -> Role,
    ) -> Vec<Self> {
        // At once: most of them are nobody's. A channel has a few hundred at most.
        let mut bytes = vec![0; slots.len() * SLOT];
        let first = table.checked_add(u64::from(slots.start) * SLOT as u64);
        let read = first.is_some_and(|first| file.read_exact_at(&mut bytes, first).is_ok());
        let known = bytes.chunks_exact(SLOT).map(|entry| read.then(|| decode(entry)));
        let sides = slots.zip(known);
        sides.filter_map(|(slot, entry)| Self::read(file, table, slot, role(slot), entry)).collect()
    }

    /// Looks at endpoint `slot`, of which a copy may be there; `None` if it cannot be read.
    fn read(
        file: &File,
        table: u64,
        slot: u32,
        role: Role,
        known: Option<EndpointSlot>,
    ) -> Option<Self> {
        let offset = table.checked_add(u64::from(slot) * SLOT as u64);
        let mut entry = known.or_else(|| copy(file, offset).ok())?;
        let mut held = true;
        for _ in 0..ATTEMPTS {
            let before = entry.state();
            match before.standing() {
                // One word tells all of it.
                Peer::Absent => break,
                // Between two looks at a state that stays: what is true of the lock is so of this holder.
                // When in doubt it lives.
                Peer::Alive => held = lock::is_held(file, endpoint_byte(slot)).unwrap_or(true),
                Peer::Closed | Peer::Died => {}
            }
            entry = copy(file, offset).ok()?;
            if entry.state() == before {
                break;
            }
        }
        let state = entry.state();
        let holder = entry.holder(state).unwrap_or_default();
        let standing = match state.standing() {
            // Nobody has noticed its death, and an observer does not say so to others.
            Peer::Alive if !held => Peer::Died,
            standing => standing,
        };
        let condition = Condition::of(standing, || holder.pid);
        Some(Self { role, condition, holder })
    }

    /// "pid 4711 feed-handler": its holder, if there has been one.
    pub fn who(&self) -> Option<String> {
        let paused = if self.condition == Condition::Paused { " (paused)" } else { "" };
        let Holder { pid, program, .. } = &self.holder;
        (self.condition != Condition::Absent).then(|| format!("pid {pid} {program}{paused}"))
    }
}

const SLOT: usize = size_of::<EndpointSlot>();

/// A private copy of a slot's entry.
fn copy(file: &File, offset: Option<u64>) -> io::Result<EndpointSlot> {
    let bytes: [u8; SLOT] = read_array(file, offset)?;
    Ok(decode(&bytes))
}

fn decode(bytes: &[u8]) -> EndpointSlot {
    let words = Reader(bytes);
    let entry = EndpointSlot::default();
    entry.state.store(words.u64(offset_of!(EndpointSlot, state)), Relaxed);
    entry.role.store(words.u32(offset_of!(EndpointSlot, role)), Relaxed);
    entry.pid.store(words.u32(offset_of!(EndpointSlot, pid)), Relaxed);
    let attached = words.u64(offset_of!(EndpointSlot, attached_unix_ns));
    entry.attached_unix_ns.store(attached, Relaxed);
    entry.ended_unix_ns.store(words.u64(offset_of!(EndpointSlot, ended_unix_ns)), Relaxed);
    for (index, word) in entry.program.iter().enumerate() {
        word.store(words.u64(offset_of!(EndpointSlot, program) + 8 * index), Relaxed);
    }
    entry
}
