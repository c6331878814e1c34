//! The steps of a plan.

use super::{Stage, Trouble};
use crate::cast::ended;
use crate::page::{Request, Stop};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::time::Duration;
use strait_pools::marks::Mark;
use strait_pools::marks::fail_points::{Action, FailPoint};
use strait_torture::journal::{Event, Side};
use strait_torture::oracle::{Rule, Violation};
use strait_torture::plan::{Heir, Setting, Step};
use strait_torture::spec::Part;
use strait_torture::tally::{Count, Span};

/// Death at the first pass of a mark.
fn fatal(mark: Mark) -> Vec<FailPoint> {
    vec![FailPoint { mark, pass: 1, action: Action::Kill }]
}

impl Stage<'_> {
    /// Does what a step says.
    pub(crate) fn perform(&mut self, step: Step) -> Result<(), Trouble> {
        if let Step::Churned { side, mark, moment } = step {
            return self.churned(side, mark, moment);
        }
        self.settle()?;
        match step {
            Step::Flowing { side, mark, pass } => self.flowing(side, mark, pass),
            Step::Succeeding { side, mark, times } => self.succeeding(side, mark, times),
            Step::Erasing => self.erasing(),
            Step::Sweeping { side, times } => self.sweeping(side, times),
            Step::Noticing { side, mark } => self.noticing(side, mark),
            Step::NoticingLate { side, mark } => self.noticing_late(side, mark),
            Step::Closing { side, mark } => self.closing(side, mark),
            Step::Removing { mark } => self.removing(mark),
            Step::Creating { side, mark } => self.creating(side, mark),
            Step::Random { side, moment, heir } => self.random(side, moment, heir),
            Step::Both { moment } => {
                let first = self.random.pick(&[Side::Sender, Side::Receiver]);
                self.kill_holder(first, moment)?;
                self.kill_holder(first.other(), 0).map(drop)
            }
            Step::Paused { side, milliseconds, killed } => self.paused(side, milliseconds, killed),
            Step::Orphaned { side, exec } => self.orphaned(side, exec),
            Step::Churned { .. } | Step::Intrusion => Ok(()),
        }
    }

    fn flowing(&mut self, side: Side, mark: Mark, pass: u32) -> Result<(), Trouble> {
        let Some(victim) = self.holder(side).take() else { return Ok(()) };
        victim.page.ask(Request::Arm(mark, pass));
        self.dies_at(victim, mark)
    }

    fn succeeding(&mut self, side: Side, mark: Mark, times: u32) -> Result<(), Trouble> {
        let by_standby = self.round.setting == Setting::Standby
            && side == Side::Receiver
            && mark != Mark::SegmentOpened;
        let moment = self.random.below(1500);
        let mut left = times;
        if by_standby {
            let standby = self.start(Part::Standby, fatal(mark))?;
            self.hear(&standby, "a standby", |event| event == Event::StandingBy)?;
            self.kill_holder(side, moment)?;
            self.dies_at(standby, mark)?;
            left -= 1;
        } else {
            self.kill_holder(side, moment)?;
        }
        for _ in 0..left {
            let successor = self.start(Part::Holder(side), fatal(mark))?;
            self.dies_at(successor, mark)?;
        }
        Ok(())
    }

    fn erasing(&mut self) -> Result<(), Trouble> {
        self.flowing(Side::Sender, Mark::ProducerInBatch, 1)?;
        let successor = self.start(Part::Holder(Side::Sender), fatal(Mark::TakeoverErased))?;
        self.dies_at(successor, Mark::TakeoverErased)
    }

    fn sweeping(&mut self, side: Side, times: u32) -> Result<(), Trouble> {
        let by_standby = self.round.setting == Setting::Standby && side == Side::Receiver;
        let standby = if by_standby {
            let standby = self.start(Part::Standby, fatal(Mark::BlockSwept))?;
            self.hear(&standby, "a standby", |event| event == Event::StandingBy)?;
            Some(standby)
        } else {
            None
        };
        match side {
            Side::Sender => {
                let mark = self.random.pick(&[Mark::BlockTaken, Mark::ProducerWritten]);
                self.flowing(side, mark, 1)?;
            }
            Side::Receiver => {
                let pass = self.random.between(1, 12);
                self.flowing(side, Mark::BlockRead, u32::try_from(pass)?)?;
            }
        }
        let left = if standby.is_some() { times - 1 } else { times };
        if let Some(standby) = standby {
            self.dies_at(standby, Mark::BlockSwept)?;
        }
        for _ in 0..left {
            let successor = self.start(Part::Holder(side), fatal(Mark::BlockSwept))?;
            self.dies_at(successor, Mark::BlockSwept)?;
        }
        Ok(())
    }

    fn noticing(&mut self, side: Side, mark: Mark) -> Result<(), Trouble> {
        let Some(prober) = self.holder(side).take() else { return Ok(()) };
        self.arm(&prober, mark, 1)?;
        self.kill_holder(side.other(), 0)?;
        self.dies_at(prober, mark)
    }

    fn noticing_late(&mut self, side: Side, mark: Mark) -> Result<(), Trouble> {
        // The one that could notice goes first.
        self.kill_holder(side.other(), 0)?;
        self.kill_holder(side, 0)?;
        let successor = self.start(Part::Holder(side), fatal(mark))?;
        self.dies_at(successor, mark)
    }

    fn closing(&mut self, side: Side, mark: Mark) -> Result<(), Trouble> {
        let Some(victim) = self.holder(side).take() else { return Ok(()) };
        self.arm(&victim, mark, 1)?;
        victim.page.ask_to_stop(Stop::Now);
        self.dies_at(victim, mark)
    }

    fn removing(&mut self, mark: Mark) -> Result<(), Trouble> {
        let Some(last) = self.receiver.take() else { return Ok(()) };
        self.arm(&last, mark, 1)?;
        self.close(Side::Sender, Stop::Now)?;
        last.page.ask_to_stop(Stop::Drained);
        self.dies_at(last, mark)
    }

    fn creating(&mut self, side: Side, mark: Mark) -> Result<(), Trouble> {
        self.close_all()?;
        let creator = self.start(Part::Holder(side), fatal(mark))?;
        self.dies_at(creator, mark)?;
        if mark == Mark::SegmentComplete && self.path().exists() {
            let seen = "a segment has its name before its creator gave it one";
            return Err(Trouble::Broken(Violation::new(Rule::Debris, seen)));
        }
        Ok(())
    }

    fn random(&mut self, side: Side, moment: u64, heir: Heir) -> Result<(), Trouble> {
        let (part, spans) = match heir {
            Heir::Fresh => {
                let death = self.kill_holder(side, moment)?;
                self.settle()?;
                self.measure(death, side, None);
                return Ok(());
            }
            Heir::AtTheDoor => (Part::Holder(side), (Span::Door, Span::DoorFromKill)),
            Heir::StandingBy => (Part::Standby, (Span::Standby, Span::StandbyFromKill)),
        };
        let heir = self.start(part, Vec::new())?;
        self.hear(&heir, "an heir to wait for the side", |event| {
            matches!(event, Event::Held { .. } | Event::StandingBy)
        })?;
        std::thread::sleep(Duration::from_micros(moment));
        let Some(victim) = self.holder(side).take() else { return Ok(()) };
        let death = self.kill(victim, side, Some(&heir))?;
        *self.holder(side) = Some(heir);
        self.settle()?;
        if part == Part::Standby {
            self.tally.count(Count::StandbyTakeovers);
        }
        self.measure(death, side, Some(spans));
        Ok(())
    }

    fn paused(&mut self, side: Side, milliseconds: u64, killed: bool) -> Result<(), Trouble> {
        let Some(victim) = self.holder(side).take() else { return Ok(()) };
        victim.signal(Signal::STOP)?;
        self.wait("a process to stand still", &[], |_| {
            (victim.run_state() == Some('T')).then_some(())
        })?;
        let intruder = self.start(Part::Intruder(side), Vec::new())?;
        std::thread::sleep(Duration::from_millis(milliseconds));
        self.refused(intruder, Count::Intrusions)?;
        if killed {
            self.tally.count(Count::PausedThenKilled);
            return self.kill(victim, side, None).map(drop);
        }
        victim.signal(Signal::CONT)?;
        self.tally.count(Count::Paused);
        *self.holder(side) = Some(victim);
        Ok(())
    }

    /// Waits for the end of an actor that must have been refused.
    fn refused(&mut self, actor: crate::cast::Actor, count: Count) -> Result<(), Trouble> {
        let number = actor.number;
        self.wait("an answer to somebody who must be refused", &[], ended(number))?;
        self.bury(actor, None)?;
        let told = self
            .lives
            .last()
            .is_some_and(|life| life.records.iter().any(|record| record.event == Event::Refused));
        if !told {
            let seen = format!("actor {number} was not refused; what it got is told above");
            return Err(Trouble::Broken(Violation::new(Rule::Refusal, seen)));
        }
        self.tally.count(count);
        Ok(())
    }

    fn orphaned(&mut self, side: Side, exec: bool) -> Result<(), Trouble> {
        let Some(victim) = self.holder(side).take() else { return Ok(()) };
        self.ask(&victim, if exec { Request::Exec } else { Request::Fork })?;
        let child = self.wait("a child", &[&victim], |heard| {
            heard[victim.number].records.iter().rev().find_map(|record| match record.event {
                Event::Child { pid } => Pid::from_raw(pid.cast_signed()),
                _ => None,
            })
        })?;
        let result = self.kill(victim, side, None).and_then(|_| self.settle());
        // It lived on all the time, or nothing is shown.
        let lived = test_kill_process(child).is_ok();
        let _ = kill_process(child, Signal::KILL);
        result?;
        if lived {
            self.tally.count(if exec { Count::Execs } else { Count::Forks });
        }
        Ok(())
    }

    /// A user tries to open the channel of another stage's user.
    pub(crate) fn trespass(&mut self, other: &mut Stage<'_>) -> Result<(), Trouble> {
        other.settle()?;
        let mut spec = self.spec(Part::Foreigner, Vec::new());
        spec.directory = other.path().display().to_string();
        let start = crate::cast::Start { segment: None, user: self.user, hosted: false };
        let foreigner = crate::cast::Actor::start(&spec, start, &self.board)?;
        self.refused(foreigner, Count::Foreigners)
    }
}
