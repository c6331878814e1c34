//! How actors go: at marks and at random moments; and how long it takes until others get on.

use super::{GUARD, Stage, Trouble};
use crate::cast::{Actor, Heard, ended};
use crate::page::Request;
use crate::{clock, locks};
use std::time::Duration;
use strait_pools::marks::Mark;
use strait_torture::journal::{Event, Side};
use strait_torture::oracle::{End, Life, Rule, Violation};
use strait_torture::plan::Sleep;
use strait_torture::tally::{self, Count, Span};

/// How long an armed actor has to come to its mark.
const MARK_PATIENCE: Duration = Duration::from_secs(1);

/// When a side became free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    /// When its holder was killed.
    pub(super) sent: u64,
    /// When its lock was first seen to be free; `None` if an heir was faster than the supervisor's eyes.
    pub(super) free: Option<u64>,
}

impl Stage<'_> {
    /// Waits for an actor's end and keeps its life. Counts its death, if it was one.
    pub(super) fn bury(&mut self, actor: Actor, armed: Option<Mark>) -> Result<(), Trouble> {
        let slept = actor.slept;
        let peer = actor.part.side().and_then(|side| self.holder(side.other()).as_ref());
        let leaves_asleep = armed.is_some_and(tally::wakes) && peer.is_some_and(Actor::asleep);
        let (life, at) = actor.collect(&self.board, armed)?;
        match (life.end, armed) {
            (End::Killed { sent: Some(_), .. }, _) => {
                self.tally.count(Count::AtRandom);
                if at.is_some() {
                    self.tally.count(Count::Inside);
                }
                if slept && at == Some(Mark::SleepBegun) {
                    self.tally.count(Count::Asleep);
                }
                if armed.is_some() {
                    self.tally.count(Count::Missed);
                }
            }
            (End::Killed { sent: None, .. }, Some(mark)) => {
                self.tally.kill_at(mark);
                if self.round.sleep != Sleep::Never && tally::wakes(mark) {
                    self.tally.count(Count::Wakers);
                    self.tally.add(Count::LeavingAsleep, leaves_asleep.into());
                }
            }
            (End::Exited(0), Some(_)) => self.tally.count(Count::Missed),
            _ => {}
        }
        if let (End::Killed { .. }, Some(side)) = (life.end, life.part.side()) {
            self.died[side as usize] = true;
            self.count_kept(&life);
        }
        self.lives.push(life);
        Ok(())
    }

    /// Counts what a receiver kept when it was killed.
    fn count_kept(&mut self, life: &Life) {
        let count = |what: fn(Event) -> bool| {
            life.records.iter().filter(|record| what(record.event)).count() as u64
        };
        let kept = count(|event| matches!(event, Event::Kept { .. }));
        let left = kept - count(|event| matches!(event, Event::GivesBack { .. }));
        self.tally.add(Count::Keepers, (left > 0).into());
        self.tally.add(Count::LeftKept, left);
    }

    /// Waits until an armed actor has killed itself; kills it if it does not come to its mark.
    pub(super) fn dies_at(&mut self, mut actor: Actor, mark: Mark) -> Result<(), Trouble> {
        if self.board.wait(MARK_PATIENCE, ended(actor.number)).is_none() {
            actor = self.stirring(actor)?;
            actor.kill()?;
        }
        self.bury(actor, Some(mark))?;
        self.only_the_channel()
    }

    /// Makes sure that an actor which does not come to its mark is none that sleeps for good beside
    /// another that does: its death would hide that, because its heir wakes whoever sleeps.
    fn stirring(&mut self, actor: Actor) -> Result<Actor, Trouble> {
        let sides = (actor.part.side(), self.round.sleep);
        let (Some(side), Sleep::Endless) = sides else { return Ok(actor) };
        let Some(peer) = self.holder(side.other()).as_ref() else { return Ok(actor) };
        let both = [actor.number, peer.number];
        let news = |heard: &[Heard]| {
            let told = both.map(|number| heard[number].records.len());
            (told, both.map(|number| heard[number].ended))
        };
        let before = news(&self.board.look());
        // Where it is told of, if it is stuck.
        *self.holder(side) = Some(actor);
        self.wait("one of two that may sleep to do something", &[], |heard| {
            (news(heard) != before).then_some(())
        })?;
        self.holder(side).take().ok_or_else(|| anyhow::anyhow!("an actor is lost").into())
    }

    /// Arms a mark of a living actor, and waits until it has done so.
    pub(super) fn arm(&self, actor: &Actor, mark: Mark, pass: u32) -> Result<(), Trouble> {
        self.ask(actor, Request::Arm(mark, pass))
    }

    /// Asks a living actor for something, and waits until it is done. (It may die at once of what it
    /// was armed with.)
    pub(super) fn ask(&self, actor: &Actor, request: Request) -> Result<(), Trouble> {
        let number = actor.number;
        let obeyed = |records: &[strait_torture::journal::Record]| {
            records.iter().filter(|record| record.event == Event::Obeyed).count()
        };
        let before = obeyed(&self.board.look()[number].records);
        actor.page.ask(request);
        self.wait("an actor to do what it is asked", &[], |heard| {
            let heard = &heard[number];
            (heard.ended || obeyed(&heard.records) > before).then_some(())
        })
    }

    /// Kills the holder of a side after so many microseconds, and waits until the side is free.
    pub(super) fn kill_holder(&mut self, side: Side, moment: u64) -> Result<Death, Trouble> {
        std::thread::sleep(Duration::from_micros(moment));
        let Some(actor) = self.holder(side).take() else {
            return Err(anyhow::anyhow!("nobody holds the {}", side.name()).into());
        };
        self.kill(actor, side, None)
    }

    /// Kills an actor that holds a side, and waits until the side is free, or `heir` has it.
    pub(super) fn kill(
        &mut self,
        mut actor: Actor,
        side: Side,
        heir: Option<&Actor>,
    ) -> Result<Death, Trouble> {
        let file = self.file()?;
        let sent = actor.kill()?;
        let opened = |event| matches!(event, Event::Opened { .. });
        let mut looks = 0_u32;
        let free = loop {
            if !locks::held(&file, side)? {
                break Some(clock::now());
            }
            looks += 1;
            if looks.is_multiple_of(64) {
                let heard = self.board.look();
                if heir.is_some_and(|heir| heard[heir.number].told(opened)) {
                    break None;
                }
                drop(heard);
                if clock::now() - sent > u64::try_from(GUARD.as_nanos()).unwrap_or(u64::MAX) {
                    let what = format!("the {}'s lock to be released after its death", side.name());
                    return Err(self.stuck(&what));
                }
            }
        };
        if let Some(free) = free {
            self.tally.took(Span::Release, free - sent);
        }
        self.bury(actor, None)?;
        self.only_the_channel()?;
        Ok(Death { sent, free })
    }

    /// Nothing may be in the directory but the channels.
    pub(super) fn only_the_channel(&self) -> Result<(), Trouble> {
        for path in self.place.files()? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let right = name.is_some_and(|name| name.ends_with("-torture+flow"));
            if !right {
                let seen = format!("{} is left behind", path.display());
                return Err(Trouble::Broken(Violation::new(Rule::Debris, seen)));
            }
        }
        Ok(())
    }

    /// Measures how long it took from a death to the survivor's notice and the heir's first message.
    pub(super) fn measure(&mut self, death: Death, side: Side, heir: Option<(Span, Span)>) {
        let heard = self.board.look();
        let (survivor, successor) = match side {
            Side::Sender => (&self.receiver, &self.sender),
            Side::Receiver => (&self.sender, &self.receiver),
        };
        let first = |actor: &Option<Actor>, what: &dyn Fn(Event) -> bool| {
            let records = &heard[actor.as_ref()?.number].records;
            let after = records.iter().filter(|record| record.time > death.sent);
            after.into_iter().find(|record| what(record.event)).map(|record| record.time)
        };
        let told =
            move |event| matches!(event, Event::Gone { died: true, side: of, .. } if of == side);
        let got_on = |event| matches!(event, Event::Took { .. } | Event::Sent { .. });
        let noticed = first(survivor, &told);
        let successful = heir.and_then(|_| first(successor, &got_on));
        drop(heard);
        let since = |from: Option<u64>, to: Option<u64>| to?.checked_sub(from?);
        // Without slices the heir tells the survivor, whenever it comes.
        let noticed = noticed.filter(|_| self.round.sleep != Sleep::Endless);
        if let Some(time) = since(death.free, noticed) {
            self.tally.took(Span::Noticed, time);
        }
        let Some((from_release, from_kill)) = heir else { return };
        if let Some(time) = since(death.free, successful) {
            self.tally.took(from_release, time);
        }
        if let Some(time) = since(Some(death.sent), successful) {
            self.tally.took(from_kill, time);
        }
    }
}
