//! Where each sender began, and with that, what was published.

use super::sessions::{Ended, Session};
use super::{Rule, Violation, named};
use crate::journal::Event;

/// A message that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) id: u64,
    /// Its sender's.
    pub(super) incarnation: u64,
    /// When its sender had the side.
    pub(super) opened: u64,
    /// When it was surely published; `None` if only its successor's beginning tells.
    pub(super) sent: Option<u64>,
}

/// What was published in one segment.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// By position.
    pub(super) messages: Vec<Message>,
    /// What the last sender was just publishing when it died: all of it was, or none.
    pub(super) pending: Vec<Message>,
}

/// What these sessions, in order, published; `None` if they contradict each other.
pub(super) fn published(
    sessions: &[&Session<'_>],
    violations: &mut Vec<Violation>,
) -> Option<Published> {
    let mut published = Published::default();
    let mut incarnation = 0;
    for session in sessions {
        let who = named(session.life);
        if session.incarnation <= incarnation {
            let seen = format!(
                "{who} is incarnation {}, after incarnation {incarnation}",
                session.incarnation
            );
            violations.push(Violation::new(Rule::Incarnation, seen));
        }
        incarnation = session.incarnation;
        resume(session, &mut published, violations)?;
        follow(session, &mut published, violations)?;
    }
    Some(published)
}

/// Settles by where this session began what became of its predecessor's last message or batch.
fn resume(
    session: &Session<'_>,
    published: &mut Published,
    violations: &mut Vec<Violation>,
) -> Option<()> {
    let without = published.messages.len() as u64;
    let with = without + published.pending.len() as u64;
    if session.position == with {
        published.messages.append(&mut published.pending);
        return Some(());
    }
    if session.position == without {
        published.pending.clear();
        return Some(());
    }
    let who = named(session.life);
    let inside = (without..with).contains(&session.position);
    let rule = if inside { Rule::Batch } else { Rule::Resume };
    let seen = format!("{who} began at {}, expected {without} or {with}", session.position);
    violations.push(Violation::new(rule, seen));
    None
}

/// Adds what the session published.
fn follow(
    session: &Session<'_>,
    published: &mut Published,
    violations: &mut Vec<Violation>,
) -> Option<()> {
    for record in session.records {
        let next = published.messages.len() as u64;
        match record.event {
            Event::Sending { id, position, count } => {
                if position != next {
                    let seen =
                        format!("{} sends at {position}, expected {next}", named(session.life));
                    violations.push(Violation::new(Rule::Resume, seen));
                    return None;
                }
                let (incarnation, opened) = (session.incarnation, session.opened);
                let message = |ahead| Message { id: id + ahead, incarnation, opened, sent: None };
                published.pending = (0..u64::from(count)).map(message).collect();
            }
            Event::NotSent => published.pending.clear(),
            Event::Sent { next } => {
                let sent = Some(record.time);
                let known = published.pending.drain(..).map(|message| Message { sent, ..message });
                published.messages.extend(known);
                if published.messages.len() as u64 != next {
                    let seen = format!("{} is at {next} after sending", named(session.life));
                    violations.push(Violation::new(Rule::Resume, seen));
                    return None;
                }
            }
            _ => {}
        }
    }
    // Whoever closed had told the outcome of everything before.
    if session.ended == Ended::Closed {
        published.pending.clear();
    }
    Some(())
}
