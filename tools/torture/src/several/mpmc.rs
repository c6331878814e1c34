//! Rounds of channels of which two send and two receive at a time.

use super::actor::Orders;
use super::{Actor, Round, Sum};
use anyhow::{Context, Result};
use std::time::Duration;
use strait_pools::marks::Mark;
use strait_torture::fanout::{Told, Who};
use strait_torture::mpmc::judge;
use strait_torture::random::Random;

/// Between the numbers of two that send at once.
const APART: u64 = 1 << 32;

/// Marks that only those pass who deliver at least once.
const WITH_HANDS: [Mark; 3] = [Mark::TakingNoted, Mark::TakingDone, Mark::HeirCleared];

/// Where one that lives dawdles, at times: so long that others look whether it is dead.
fn slow(marks: &[Mark], random: &mut Random) -> String {
    let (mark, pass) = (random.pick(marks).name(), random.between(1, 6));
    let delay = random.between(500, 12_000);
    if random.once_in(3) { format!("{mark}:{pass}:delay={delay}") } else { String::new() }
}

/// Those who lived and died in a round.
#[derive(Default)]
struct Graves {
    lives: Vec<(Who, Vec<Told>)>,
    /// How each of them died.
    how: Vec<String>,
}

impl Graves {
    fn push(&mut self, life: (Who, Vec<Told>), how: &str) {
        let last = life.1.last().map_or(String::new(), |told| format!(", last {told:?}"));
        self.how.push(format!("  life {}: {:?}, {how}{last}", self.lives.len(), life.0));
        self.lives.push(life);
    }
}

impl Round {
    /// A round of a channel of many senders and receivers. What is wrong.
    pub(super) fn queue(&mut self, random: &mut Random, sum: &mut Sum) -> Result<Vec<String>> {
        self.at_most_once = random.once_in(3);
        let mut graves = Graves::default();
        let result = self.queue_lives(random, sum, &mut graves);
        let mut wrong = judge(&graves.lives, self.at_most_once);
        if let Err(error) = result {
            wrong.insert(0, format!("{error:#}"));
        }
        if !wrong.is_empty() {
            graves.how.iter().for_each(|how| eprintln!("{how}"));
        }
        Ok(wrong)
    }

    fn queue_lives(
        &mut self,
        random: &mut Random,
        sum: &mut Sum,
        graves: &mut Graves,
    ) -> Result<()> {
        for death in self.deaths.clone() {
            let passes = |mark: &Mark| {
                let with_hands = !self.at_most_once || !WITH_HANDS.contains(mark);
                with_hands && (self.parking || !mark.name().starts_with("crowd-"))
            };
            let death = death.filter(passes);
            match death {
                Some(Mark::HoleSkipped) => self.hole(random, sum, graves)?,
                Some(mark @ (Mark::HeirCopied | Mark::HeirCleared | Mark::HeirReady)) => {
                    self.heir(mark, random, sum, graves)?;
                }
                _ => self.scene(death, random, sum, graves)?,
            }
        }
        let others = [self.worker(None, random)?, self.worker(None, random)?];
        let count = 2 * self.capacity + 3;
        let mut sender = Actor::spawn(Who::Sender, &Orders { count, ..self.orders("submit") })?;
        sender.finish().context("the last sender")?;
        graves.push(sender.told()?, "closed");
        for other in others {
            self.fell(other, None, random, sum, graves)?;
        }
        let mut last = Actor::spawn(Who::Gated, &self.orders("finish"))?;
        let finished = last.finish().context("the last receiver");
        graves.push(last.told()?, "to the end");
        finished
    }

    /// A receiver that takes one message at a time, or several at times.
    fn worker(&self, death: Option<Mark>, random: &mut Random) -> Result<Actor> {
        let count = if random.once_in(2) { random.between(1, 5) } else { 0 };
        // So that each is another chance.
        let first = self.next + random.below(APART);
        let arm = slow(&[Mark::TakingIntended, Mark::TakingClaimed, Mark::TakingCopied], random);
        self.armed(Who::Gated, Orders { arm, count, first, ..self.orders("work") }, death, random)
    }

    /// Two senders, of which the first dies at a mark.
    fn senders(&self, death: Option<Mark>, random: &mut Random) -> Result<[Actor; 2]> {
        let first = self.armed(Who::Sender, self.orders("submit"), death, random)?;
        let arm = slow(&[Mark::TicketIntended, Mark::TicketClaimed, Mark::TicketWritten], random);
        let other = Orders { arm, first: self.next + APART, ..self.orders("submit") };
        Ok([first, Actor::spawn(Who::Sender, &other)?])
    }

    fn fell(
        &mut self,
        actor: Actor,
        death: Option<Mark>,
        random: &mut Random,
        sum: &mut Sum,
        graves: &mut Graves,
    ) -> Result<()> {
        let missed = sum.missed;
        let life = self.bury(actor, death, random, sum)?;
        match death.map(Mark::name) {
            Some(mark) if sum.missed == missed => graves.push(life, mark),
            Some(mark) => graves.push(life, &format!("killed, did not get to {mark}")),
            None => graves.push(life, "killed"),
        }
        Ok(())
    }

    /// All of them are killed, in any order.
    fn fell_all(
        &mut self,
        actors: impl IntoIterator<Item = Actor>,
        random: &mut Random,
        sum: &mut Sum,
        graves: &mut Graves,
    ) -> Result<()> {
        let mut actors: Vec<Actor> = actors.into_iter().collect();
        while !actors.is_empty() {
            let any = usize::try_from(random.below(actors.len() as u64))?;
            self.fell(actors.swap_remove(any), None, random, sum, graves)?;
        }
        Ok(())
    }

    /// Somebody dies at a mark that everybody passes, or at random, and has a successor.
    fn scene(
        &mut self,
        death: Option<Mark>,
        random: &mut Random,
        sum: &mut Sum,
        graves: &mut Graves,
    ) -> Result<()> {
        let sender_dies = match death.map(Mark::name) {
            Some(mark) if mark.starts_with("ticket-") => true,
            Some(mark) if !mark.starts_with("crowd-") => false,
            _ => random.once_in(2),
        };
        let (at_sender, at_receiver) = if sender_dies { (death, None) } else { (None, death) };
        let receivers = [self.worker(at_receiver, random)?, self.worker(None, random)?];
        let ([receiver, one], [sender, other]) = (receivers, self.senders(at_sender, random)?);
        let (victim, beside) = if sender_dies { (sender, receiver) } else { (receiver, sender) };
        self.fell(victim, death, random, sum, graves)?;
        let successor = if sender_dies {
            Actor::spawn(Who::Sender, &self.orders("submit"))?
        } else {
            self.worker(None, random)?
        };
        self.fell_all([beside, one, other, successor], random, sum, graves)
    }

    /// A sender leaves a hole, and the receiver that marks it dies. It is the only one: others would do it as
    /// well. They come afterwards.
    fn hole(&mut self, random: &mut Random, sum: &mut Sum, graves: &mut Graves) -> Result<()> {
        let skipped = Some(Mark::HoleSkipped);
        let left = Some(random.pick(&[Mark::TicketClaimed, Mark::TicketWritten]));
        let victim = self.worker(skipped, random)?;
        let [sender, other] = self.senders(left, random)?;
        self.fell(sender, left, random, sum, graves)?;
        self.fell(victim, skipped, random, sum, graves)?;
        let receivers = [self.worker(None, random)?, self.worker(None, random)?];
        self.fell_all(receivers.into_iter().chain([other]), random, sum, graves)
    }

    /// A receiver leaves a message, and its heir dies.
    fn heir(
        &mut self,
        mark: Mark,
        random: &mut Random,
        sum: &mut Sum,
        graves: &mut Graves,
    ) -> Result<()> {
        use Mark::{TakingClaimed, TakingCopied, TakingFreed, TakingNoted};
        let left = match mark {
            Mark::HeirCleared => random.pick(&[TakingNoted, TakingFreed]),
            _ if self.at_most_once => random.pick(&[TakingClaimed, TakingCopied]),
            _ => random.pick(&[TakingClaimed, TakingCopied, TakingNoted, TakingFreed]),
        };
        // On a side of its own, or its predecessor's.
        let beside = mark == Mark::HeirCleared || mark == Mark::HeirCopied && random.once_in(2);
        let before = if beside { Some(self.worker(Some(mark), random)?) } else { None };
        if beside {
            // It is there by now.
            std::thread::sleep(Duration::from_millis(10));
        }
        let dead = self.worker(Some(left), random)?;
        let senders = self.senders(None, random)?;
        self.fell(dead, Some(left), random, sum, graves)?;
        let victim = match before {
            Some(victim) => victim,
            None => self.worker(Some(mark), random)?,
        };
        self.fell(victim, Some(mark), random, sum, graves)?;
        let receivers = [self.worker(None, random)?, self.worker(None, random)?];
        self.fell_all(receivers.into_iter().chain(senders), random, sum, graves)
    }
}
