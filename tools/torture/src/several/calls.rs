//! Rounds of a service that dies and lives again, and its callers.

use super::actor::Orders;
use super::{Actor, CLOSING, Round, Sum};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use strait_pools::marks::Mark;
use strait_torture::calls::{THREAD_SHIFT, judge};
use strait_torture::fanout::Who;
use strait_torture::random::Random;

/// Numbers of the threads of a process.
const THREADS: u64 = 2;

/// Marks that a server passes.
const OF_SERVERS: [&str; 4] = ["answer-", "consumer-", "lanes-", "crowd-woken"];
/// Marks that a caller passes.
const OF_CALLERS: [&str; 5] = ["call-", "producer-", "takeover-", "lane-", "crowd-noted"];

fn is_of(mark: Option<Mark>, prefixes: &[&str]) -> bool {
    mark.is_some_and(|mark| prefixes.iter().any(|prefix| mark.name().starts_with(prefix)))
}

impl Round {
    /// A round of calls. What is wrong.
    pub(super) fn calls(&mut self, random: &mut Random, sum: &mut Sum) -> Result<Vec<String>> {
        self.large = random.once_in(2);
        if self.deaths.contains(&Some(Mark::TakeoverErased)) {
            // Room for a batch.
            self.capacity = self.capacity.max(2);
        }
        self.next = 1 << THREAD_SHIFT;
        let mut lives = Vec::new();
        let mut witness = Actor::spawn(Who::Sender, &self.caller())?;
        let mut server = Actor::spawn(Who::Gated, &self.orders("serve"))?;
        for death in self.deaths.clone() {
            // One that closes does so after as much.
            let count = if death.is_some_and(|mark| CLOSING.contains(&mark)) { 30 } else { 0 };
            let server_dies =
                is_of(death, &OF_SERVERS) || !is_of(death, &OF_CALLERS) && random.once_in(2);
            if server_dies {
                lives.push(self.bury(server, None, random, sum)?);
                self.life += 1;
                let orders = Orders { count, ..self.orders("serve") };
                let victim = self.armed(Who::Gated, orders, death, random)?;
                let caller = Actor::spawn(Who::Sender, &self.caller())?;
                lives.push(self.bury(victim, death, random, sum)?);
                self.life += 1;
                server = Actor::spawn(Who::Gated, &self.orders("serve"))?;
                lives.push(self.bury(caller, None, random, sum)?);
                continue;
            }
            if death == Some(Mark::TakeoverErased) {
                // A predecessor that leaves something to erase.
                let in_batch = Some(Mark::ProducerInBatch);
                let orders = self.caller();
                let before = self.armed(Who::Sender, orders, in_batch, random)?;
                lives.push(self.bury(before, in_batch, random, sum)?);
            }
            let orders = Orders { count, ..self.caller() };
            let victim = self.armed(Who::Sender, orders, death, random)?;
            let other = Actor::spawn(Who::Sender, &self.caller())?;
            lives.push(self.bury(victim, death, random, sum)?);
            lives.push(self.bury(other, None, random, sum)?);
        }
        // It has called the last server, too.
        std::thread::sleep(Duration::from_millis(20));
        let pid = Pid::from_child(&witness.child);
        kill_process(pid, Signal::TERM)?;
        witness.finish().context("a caller from the beginning to the end")?;
        lives.push(witness.told()?);
        let mut settler = Actor::spawn(Who::Observing, &self.orders("settle"))?;
        let settled = settler.finish().context("all that a client may use");
        let stopped = server.finish().context("the last server");
        lives.push(server.told()?);
        let mut wrong = judge(&lives);
        let failed = [settled, stopped].into_iter().filter_map(Result::err);
        wrong.extend(failed.map(|error| format!("{error:#}")));
        let left =
            self.place.files()?.into_iter().map(|file| format!("{} is left", file.display()));
        wrong.extend(left);
        Ok(wrong)
    }

    /// The orders of a process that calls, with numbers of its own.
    fn caller(&mut self) -> Orders {
        let orders = self.orders("call");
        self.next += THREADS << THREAD_SHIFT;
        orders
    }
}
