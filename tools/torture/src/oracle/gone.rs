//! That only the dead were called dead, and that nobody hoards descriptors or mappings.

use super::sessions::Session;
use super::{End, Life, Rule, Violation, named};
use crate::journal::{Event, Side};

/// Judges every report that somebody is gone.
pub(super) fn judge(lives: &[Life], violations: &mut Vec<Violation>) {
    for life in lives {
        for record in &life.records {
            let Event::Gone { side, died, pid } = record.event else { continue };
            let report = Report { side, pid, time: record.time };
            let right = if died { report.dead(lives) } else { report.closed(lives) };
            if !right {
                let (rule, how) = if died {
                    (Rule::FalseDeath, "died, but it had not")
                } else {
                    (Rule::FalseClose, "closed, but it had not")
                };
                let seen = format!("{} was told that {} {pid} {how}", named(life), side.name());
                violations.push(Violation::new(rule, seen));
            }
        }
    }
}

struct Report {
    side: Side,
    pid: u32,
    time: u64,
}

impl Report {
    /// Those that may be meant.
    fn meant<'a>(&self, lives: &'a [Life]) -> impl Iterator<Item = &'a Life> {
        let (side, pid) = (self.side, self.pid);
        lives.iter().filter(move |life| life.part.side() == Some(side) && life.pid() == Some(pid))
    }

    fn dead(&self, lives: &[Life]) -> bool {
        let dead = |life: &Life| {
            let End::Killed { sent, .. } = life.end else { return false };
            sent.is_none_or(|sent| sent <= self.time) && life.last_word() <= self.time
        };
        if self.meant(lives).any(dead) {
            return true;
        }
        // One that died before it had written its id into the entry leaves its predecessor's there.
        let nameless = lives.iter().any(|life| {
            let side = life.part.side() == Some(self.side);
            side && dead(life) && life.died_opening().is_some()
        });
        nameless && self.closed(lives)
    }

    fn closed(&self, lives: &[Life]) -> bool {
        self.meant(lives).any(|life| {
            // One that failed closed on its way out, and is told of as a failure.
            let failed = matches!(life.end, End::Exited(code) if code != 0);
            let closing =
                |event, time| matches!(event, Event::Closing | Event::Closed) && time <= self.time;
            failed || life.records.iter().any(|record| closing(record.event, record.time))
        })
    }
}

/// Whoever reports what it holds must hold as much at the end of a session as at its beginning.
pub(super) fn hoards(sessions: &[Session<'_>], violations: &mut Vec<Violation>) {
    for session in sessions {
        let held = |event| match event {
            Event::Resources { descriptors, mappings } => Some((descriptors, mappings)),
            _ => None,
        };
        let mut held = session.records.iter().filter_map(|record| held(record.event));
        let Some(first) = held.next() else { continue };
        if let Some(last) = held.next_back().filter(|last| *last != first) {
            let seen = format!(
                "{} held {first:?} descriptors and mappings at first, {last:?} in the end",
                named(session.life)
            );
            violations.push(Violation::new(Rule::Hoard, seen));
        }
    }
}
