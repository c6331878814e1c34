//! An actor's records, cut into the times for which it held a side.

use super::Life;
use crate::journal::{Event, Record, Side};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its holder was killed.
    Died,
    /// Its holder was killed while it closed: it died or it closed.
    DiedClosing,
    /// It was closed.
    Closed,
    /// Its holder ended by itself, without closing.
    Vanished,
}

/// The time for which an actor held a side of one segment.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) life: &'a Life,
    pub(super) side: Side,
    pub(super) instance: u64,
    /// Where it began.
    pub(super) position: u64,
    pub(super) incarnation: u64,
    /// When it began to open.
    pub(super) opening: u64,
    /// When it had the side.
    pub(super) opened: u64,
    /// Everything from then on.
    pub(super) records: &'a [Record],
    pub(super) ended: Ended,
}

/// Every session of every life.
pub(super) fn of(lives: &[Life]) -> Vec<Session<'_>> {
    let mut sessions = Vec::new();
    for life in lives {
        let mut opening = 0;
        for (index, record) in life.records.iter().enumerate() {
            match record.event {
                Event::Opening { .. } => opening = record.time,
                Event::Opened { side, instance, position, incarnation } => {
                    let rest = &life.records[index..];
                    let len = rest.iter().position(|record| record.event == Event::Closed);
                    let closing = rest.iter().any(|record| record.event == Event::Closing);
                    let ended = match (len, life.killed()) {
                        (Some(_), _) => Ended::Closed,
                        (None, true) if closing => Ended::DiedClosing,
                        (None, true) => Ended::Died,
                        (None, false) => Ended::Vanished,
                    };
                    let records = &rest[..len.map_or(rest.len(), |len| len + 1)];
                    let opened = record.time;
                    sessions.push(Session {
                        life,
                        side,
                        instance,
                        position,
                        incarnation,
                        opening,
                        opened,
                        records,
                        ended,
                    });
                }
                _ => {}
            }
        }
    }
    sessions
}
