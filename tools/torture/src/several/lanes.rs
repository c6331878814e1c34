//! Rounds of channels of many senders, of which two send at a time, and one receiver.

use super::actor::Orders;
use super::{Actor, Round, Sum};
use anyhow::{Context, Result};
use strait_pools::marks::Mark;
use strait_torture::fanout::Who;
use strait_torture::lanes::judge;
use strait_torture::random::Random;

/// Between the numbers of two that send at once.
const APART: u64 = 1 << 32;

impl Round {
    /// A round of a channel of lanes. What is wrong.
    pub(super) fn lanes(&mut self, random: &mut Random, sum: &mut Sum) -> Result<Vec<String>> {
        let mut lives = Vec::new();
        for death in self.deaths.clone() {
            let of_senders = |mark: Mark| {
                let name = mark.name();
                ["producer-", "takeover-", "lane-"].iter().any(|prefix| name.starts_with(prefix))
            };
            let sender_dies = death.map_or_else(|| random.once_in(2), of_senders);
            let (at_sender, at_receiver) = if sender_dies { (death, None) } else { (None, death) };
            let receiver = self.victim(Who::Gated, "take", at_receiver, random)?;
            let sender = self.victim(Who::Sender, "put", at_sender, random)?;
            let other = Orders { first: self.next + APART, ..self.orders("put") };
            let other = Actor::spawn(Who::Sender, &other)?;
            if sender_dies {
                lives.push(self.bury(sender, at_sender, random, sum)?);
                lives.push(self.bury(receiver, at_receiver, random, sum)?);
            } else {
                lives.push(self.bury(receiver, at_receiver, random, sum)?);
                lives.push(self.bury(sender, at_sender, random, sum)?);
            }
            lives.push(self.bury(other, None, random, sum)?);
        }
        let count = 2 * self.capacity + 3;
        let last = self.next + count - 1;
        let finish = Orders { count: last, ..self.orders("take") };
        let mut receiver = Actor::spawn(Who::Gated, &finish)?;
        let mut sender = Actor::spawn(Who::Sender, &Orders { count, ..self.orders("put") })?;
        sender.finish().context("the last sender")?;
        receiver.finish().context("the last receiver")?;
        lives.push(sender.told()?);
        lives.push(receiver.told()?);
        Ok(judge(&lives))
    }
}
