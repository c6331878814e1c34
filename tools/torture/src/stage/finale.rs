//! The end of a round: everything arrives, all close, and nothing is left behind.

use super::{GUARD, Stage, Trouble};
use crate::cast::{Heard, ended};
use crate::page::Stop;
use crate::{clock, locks};
use std::collections::HashSet;
use strait_torture::journal::{Event, Side};
use strait_torture::oracle::{Case, End, Life, Rule, Violation, judge};
use strait_torture::plan::{Setting, Sleep};
use strait_torture::spec::{Kind, Part};
use strait_torture::tally::{Count, Tally};

impl Stage<'_> {
    /// A sender and a receiver that nobody kills; then the channel is given up.
    pub(crate) fn finale(&mut self) -> Result<(), Trouble> {
        for (_, actor) in &self.crowd {
            actor.page.ask_to_stop(Stop::Now);
        }
        while let Some((_, actor)) = self.crowd.pop() {
            self.ends(actor)?;
        }
        self.settle()?;
        self.audit()?;
        self.close_all()
    }

    /// Somebody reads what is left and finds all room for large messages to be free.
    fn audit(&mut self) -> Result<(), Trouble> {
        let kind = self.round.kind;
        if !kind.has_arena() && kind != Kind::Kept {
            return Ok(());
        }
        let auditor = self.start(Part::Auditor, Vec::new())?;
        // The receiver first: whoever sends is in nobody's way while there is somebody who reads.
        self.close(Side::Receiver, Stop::Now)?;
        self.hear(&auditor, "an auditor to receive", |event| {
            matches!(event, Event::Opened { side: Side::Receiver, .. })
        })?;
        self.close(Side::Sender, Stop::Now)?;
        self.ends(auditor)?;
        self.tally.count(Count::Audits);
        Ok(())
    }

    /// Waits for the good end of an actor that was told to stop.
    fn ends(&mut self, actor: crate::cast::Actor) -> Result<(), Trouble> {
        if let Err(stuck) = self.wait("an actor to close", &[], ended(actor.number)) {
            // Among the living, so that it is told what it does.
            self.crowd.push((Side::Sender, actor));
            return Err(match stuck {
                Trouble::Broken(_) => self.stuck("an actor to close"),
                failed => failed,
            });
        }
        self.bury(actor, None)
    }

    /// A holder closes its side.
    pub(super) fn close(&mut self, side: Side, stop: Stop) -> Result<(), Trouble> {
        let Some(actor) = self.holder(side).take() else { return Ok(()) };
        actor.page.ask_to_stop(stop);
        self.ends(actor)
    }

    /// Both close, when all was read: the channel is gone.
    pub(super) fn close_all(&mut self) -> Result<(), Trouble> {
        self.close(Side::Sender, Stop::Now)?;
        self.close(Side::Receiver, Stop::Drained)?;
        if let Some(memory) = &self.memory {
            let file = memory.try_clone()?.into();
            for side in [Side::Sender, Side::Receiver] {
                if locks::held(&file, side)? {
                    let seen = format!("the {}'s lock is held by nobody", side.name());
                    return Err(Trouble::Broken(Violation::new(Rule::Debris, seen)));
                }
            }
        } else if self.path().exists() {
            let seen = format!("{} is left behind, all read and all closed", self.path().display());
            return Err(Trouble::Broken(Violation::new(Rule::Debris, seen)));
        }
        self.only_the_channel()
    }

    /// Judges everything that was told. All actors have ended.
    pub(crate) fn verdict(mut self, finished: bool) -> (Tally, Vec<Violation>) {
        if !finished {
            self.break_off();
        }
        let case = Case { dense: self.round.kind == Kind::Dense, finished };
        self.violations.extend(judge(case, &self.lives));
        let kills = self.tally.kills();
        let setting = match self.round.setting {
            Setting::Memory => Some(Count::OnMemory),
            Setting::Churn => Some(Count::InChurn),
            Setting::Namespaces if self.hosted => Some(Count::InNamespaces),
            Setting::Users if self.user.is_some() => Some(Count::AmongUsers),
            _ => None,
        };
        if let Some(setting) = setting {
            self.tally.add(setting, kills);
        }
        if self.round.kind.has_arena() {
            self.tally.add(Count::WithArenas, kills);
        }
        if self.round.kind == Kind::Kept {
            self.tally.add(Count::WithBlocks, kills);
        }
        if self.round.sleep != Sleep::Never {
            self.tally.add(Count::OnParking, kills);
        }
        if self.round.sleep == Sleep::Endless {
            self.tally.add(Count::WithoutSlices, kills);
        }
        self.count_journals();
        (self.tally, self.violations)
    }

    /// Ends everybody in the middle of a round, and keeps what they told.
    fn break_off(&mut self) {
        (self.sender, self.receiver) = (None, None);
        self.crowd.clear();
        let all = |heard: &[Heard]| heard.iter().all(|heard| heard.ended).then_some(());
        let _ = self.board.wait(GUARD, all);
        for (number, (heard, &part)) in self.board.look().iter_mut().zip(&self.parts).enumerate() {
            let records = std::mem::take(&mut heard.records);
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            if !records.is_empty() {
                let end = End::Killed { sent: None, seen: clock::now() };
                self.lives.push(Life { number, part, end, records });
            }
        }
    }

    fn count_journals(&mut self) {
        let mut instances = HashSet::new();
        for life in &self.lives {
            let (mut sending, mut resources, mut deaths) = (0, 0, 0);
            for record in &life.records {
                match record.event {
                    Event::Opened { instance, .. } => {
                        instances.insert(instance);
                        self.tally.count(Count::Sessions);
                        (resources, deaths) = (0, 0);
                    }
                    Event::Sending { count, .. } => sending = u64::from(count),
                    Event::Sent { .. } => self.tally.add(Count::Sent, sending),
                    Event::Took { redelivered, .. } => {
                        self.tally.count(Count::Received);
                        self.tally.add(Count::Redelivered, redelivered.into());
                    }
                    Event::GivesBack { .. } => self.tally.count(Count::GivenBack),
                    Event::Gone { died: true, .. } => {
                        self.tally.count(Count::Deaths);
                        deaths += 1;
                    }
                    Event::Gone { died: false, .. } => self.tally.count(Count::Closes),
                    Event::Resources { .. } => {
                        resources += 1;
                        if resources == 2 && deaths > 0 {
                            self.tally.count(Count::Compared);
                        }
                    }
                    _ => {}
                }
            }
        }
        self.tally.add(Count::Segments, instances.len() as u64);
    }
}
