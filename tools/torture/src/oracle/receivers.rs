//! That everything published arrived: whole, in order, and twice only where it may.

use super::senders::{Message, Published};
use super::sessions::{Ended, Session};
use super::{Case, End, Life, Rule, Violation, named};
use crate::body;
use crate::journal::{Event, Side};

/// A message as it was received.
struct Took {
    time: u64,
    id: u64,
    position: u64,
    redelivered: bool,
    incarnation: Option<u64>,
    whole: bool,
}

/// Judges the receivers of one segment, in order.
pub(super) fn judge(
    case: Case,
    lives: &[Life],
    sessions: &[&Session<'_>],
    published: &Published,
    violations: &mut Vec<Violation>,
) {
    let mut judge = Judge {
        case,
        lives,
        sessions,
        published,
        violations,
        taken: vec![0; published.messages.len() + published.pending.len()],
        // Where the next receiver may begin.
        starts: vec![0],
    };
    for index in 0..sessions.len() {
        judge.session(index);
    }
    judge.sum_up();
}

struct Judge<'a> {
    case: Case,
    lives: &'a [Life],
    sessions: &'a [&'a Session<'a>],
    published: &'a Published,
    violations: &'a mut Vec<Violation>,
    /// How often each position was received.
    taken: Vec<u32>,
    starts: Vec<u64>,
}

impl Judge<'_> {
    fn broken(&mut self, rule: Rule, session: &Session<'_>, seen: String) {
        self.violations.push(Violation::new(rule, format!("{} {seen}", named(session.life))));
    }

    fn session(&mut self, index: usize) {
        let session = self.sessions[index];
        if !self.starts.contains(&session.position) {
            let seen = format!("began at {}, expected one of {:?}", session.position, self.starts);
            self.broken(Rule::Resume, session, seen);
        }
        let (mut next, mut in_hand, mut first) = (session.position, false, true);
        for record in session.records {
            match record.event {
                Event::Took { id, position, redelivered, incarnation, whole } => {
                    let took =
                        Took { time: record.time, id, position, redelivered, incarnation, whole };
                    if position != next || in_hand {
                        let seen = format!("received position {position}, expected {next}");
                        self.broken(Rule::Order, session, seen);
                    }
                    self.message(index, &took, first);
                    (next, in_hand, first) = (position, true, false);
                }
                Event::Released { position } => (next, in_hand) = (position + 1, false),
                Event::GivesBack { id, position, whole: false } => {
                    let seen =
                        format!("kept position {position} (id {id:#x}) and found it changed");
                    self.broken(Rule::Torn, session, seen);
                }
                _ => {}
            }
        }
        // One that died with a message in hand had released it or not.
        let died = session.ended != Ended::Closed;
        self.starts = if in_hand && died { vec![next, next + 1] } else { vec![next] };
    }

    fn sent_at(&self, position: u64) -> Option<Message> {
        let index = usize::try_from(position).ok()?;
        let Published { messages, pending } = self.published;
        messages.get(index).or_else(|| pending.get(index - messages.len())).copied()
    }

    fn message(&mut self, index: usize, took: &Took, first: bool) {
        let (session, position) = (self.sessions[index], took.position);
        if !took.whole {
            let seen = format!("received a torn message at {position} (id {:#x})", took.id);
            self.broken(Rule::Torn, session, seen);
            return;
        }
        let Some(message) = self.sent_at(position).filter(|message| message.id == took.id) else {
            let sent = self.sent_at(position).map(|message| message.id);
            let seen = format!("received {:#x} at {position}, where was sent {sent:#x?}", took.id);
            self.broken(Rule::Phantom, session, seen);
            return;
        };
        self.incarnation(session, took, &message);
        let place = usize::try_from(position).ok().and_then(|place| self.taken.get_mut(place));
        let before = place.map_or(0, |times| std::mem::replace(times, *times + 1));
        self.redelivery(index, took, &message, before > 0, first);
    }

    fn incarnation(&mut self, session: &Session<'_>, took: &Took, message: &Message) {
        let right = match took.incarnation {
            Some(incarnation) => incarnation == message.incarnation,
            None => self.case.dense && self.has_successor(message, took.time),
        };
        if !right {
            let seen = format!(
                "was told that {:?} sent position {}, which {} did",
                took.incarnation, took.position, message.incarnation
            );
            self.broken(Rule::Incarnation, session, seen);
        }
    }

    /// Whether a later sender may have begun before that time.
    fn has_successor(&self, message: &Message, time: u64) -> bool {
        let sender = body::actor(message.id);
        self.lives.iter().any(|life| {
            let other = life.number != sender;
            life.records.iter().any(|record| {
                let opening = record.event == Event::Opening { side: Side::Sender };
                opening && record.time < time && (other || record.time > message.opened)
            })
        })
    }

    fn redelivery(
        &mut self,
        index: usize,
        took: &Took,
        message: &Message,
        again: bool,
        first: bool,
    ) {
        let (session, position) = (self.sessions[index], took.position);
        if took.redelivered && !(first && self.may_be_marked(index)) {
            let seen = format!("found position {position} marked though nobody died with it");
            self.broken(Rule::Redelivered, session, seen);
        }
        let previous = index.checked_sub(1).map(|index| self.sessions[index]);
        let died = previous.is_some_and(|previous| previous.ended == Ended::Died);
        // It was there before the successor came: the dead one may have read it.
        let there = message.sent.is_some_and(|sent| sent < session.opening);
        if !took.redelivered && (again || first && died && there) {
            let what = if again { "a second time" } else { "which a dead one may have read," };
            let seen = format!("received position {position} {what} without a mark");
            self.broken(Rule::Redelivered, session, seen);
        }
    }

    /// Whether a receiver may have died at the position where this session began.
    fn may_be_marked(&self, index: usize) -> bool {
        let session = self.sessions[index];
        let mut since = 0;
        for before in self.sessions[..index].iter().rev() {
            if before.ended != Ended::Closed {
                return true;
            }
            let released = |event: Event| matches!(event, Event::Released { .. });
            let last = before.records.iter().rfind(|record| released(record.event));
            if let Some(last) = last {
                since = last.time;
                break;
            }
        }
        // One that was killed while opening may have had the side.
        self.lives.iter().any(|life| {
            let opening = life.part.side() == Some(Side::Receiver) && life.died_opening().is_some();
            let End::Killed { seen, .. } = life.end else { return false };
            opening && seen > since && life.last_word() < session.opened
        })
    }

    fn sum_up(&mut self) {
        if !self.case.finished {
            return;
        }
        let certain = self.published.messages.len();
        let lost: Vec<usize> = (0..certain).filter(|&at| self.taken[at] == 0).collect();
        if let Some(first) = lost.first() {
            let seen = format!("{} of {certain} messages, the first at {first}", lost.len());
            self.violations.push(Violation::new(Rule::Lost, seen));
        }
        let arrived = self.taken[certain..].iter().filter(|&&times| times > 0).count();
        if arrived > 0 && arrived < self.published.pending.len() {
            let count = self.published.pending.len();
            let seen = format!("{arrived} of a batch of {count} at {certain}");
            self.violations.push(Violation::new(Rule::Batch, seen));
        }
    }
}
