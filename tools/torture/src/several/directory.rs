//! Rounds of directories, in which two processes offer, one looks and one watches at a time, besides those who
//! do so from the beginning to the end.

use super::actor::Orders;
use super::{Actor, Round, Sum};
use anyhow::{Result, ensure};
use strait_pools::marks::Mark;
use strait_torture::directory::judge;
use strait_torture::fanout::Who;
use strait_torture::random::Random;

/// Between the numbers of two that offer at once.
const APART: u64 = 1 << 32;

/// Marks that those pass, too, who withdraw what the dead offered.
const OF_BURIALS: [Mark; 5] = [
    Mark::DirectoryBegun,
    Mark::DirectoryUnlinked,
    Mark::DirectoryGone,
    Mark::DirectoryCounted,
    Mark::DirectoryWoken,
];

impl Round {
    /// A round of a directory. What is wrong.
    pub(super) fn directory(&mut self, random: &mut Random, sum: &mut Sum) -> Result<Vec<String>> {
        // Small ones are full at times.
        self.capacity = random.pick(&[4, 8, 64]);
        let mut eye = Actor::spawn(Who::Observing, &self.orders("look"))?;
        let mut watcher = Actor::spawn(Who::Observing, &self.orders("stare"))?;
        let mut lives = Vec::new();
        for death in self.deaths.clone() {
            let other = Orders { first: self.next + APART, ..self.orders("offer") };
            let other = Actor::spawn(Who::Sender, &other)?;
            let buries = death.is_some_and(|mark| OF_BURIALS.contains(&mark)) && random.once_in(3);
            let (who, part) = match death {
                Some(Mark::CrowdNoted) => (Who::Observing, "stare"),
                _ if buries => (Who::Observing, "look"),
                Some(_) => (Who::Sender, "offer"),
                None if random.once_in(4) => (Who::Observing, random.pick(&["look", "stare"])),
                None => (Who::Sender, "offer"),
            };
            let victim = self.armed(who, self.orders(part), death, random)?;
            if buries {
                // It has something to bury as soon as the other is dead.
                lives.push(self.bury(other, None, random, sum)?);
                lives.push(self.bury(victim, death, random, sum)?);
            } else {
                lives.push(self.bury(victim, death, random, sum)?);
                lives.push(self.bury(other, None, random, sum)?);
            }
            // Numbers of two lives never meet.
            self.next += 2 * APART;
        }
        let mut last = Actor::spawn(Who::Gated, &self.orders("stock"))?;
        let finished = eye.finish().and_then(|()| watcher.finish());
        let ended = last.child.try_wait()?;
        last.kill()?;
        ensure!(ended.is_none(), "the last one ended with {ended:?}");
        finished?;
        lives.push(eye.told()?);
        lives.push(watcher.told()?);
        Ok(judge(&lives))
    }
}
