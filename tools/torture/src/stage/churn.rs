//! A crowd that opens, uses and closes a channel all the time, and is killed doing so.

use super::{FLOW, Stage, Trouble};
use crate::cast::{Actor, Heard, Start, ended};
use crate::page::Request;
use std::time::Duration;
use strait_pools::marks::Mark;
use strait_torture::journal::{Event, Side};
use strait_torture::spec::Part;

/// Messages of a session, at most.
const SESSION: u64 = 12;

/// Others that are killed, at most, until one that is to notice a death has noticed one.
const SACRIFICES: u32 = 30;

impl Stage<'_> {
    /// Starts one of the crowd.
    fn join(&mut self, side: Side) -> Result<(), Trouble> {
        let mut spec = self.spec(Part::Holder(side), Vec::new());
        spec.session = SESSION;
        let start = Start { segment: None, user: None, hosted: false };
        let actor = Actor::start(&spec, start, &self.board)?;
        self.crowd.push((side, actor));
        Ok(())
    }

    /// Takes one of the crowd out of it.
    fn leave(&mut self, side: Side) -> Option<Actor> {
        let mine = |(_, (of, _)): &(usize, &(Side, Actor))| *of == side;
        let members: Vec<usize> =
            self.crowd.iter().enumerate().filter(mine).map(|(index, _)| index).collect();
        let index = (!members.is_empty()).then(|| self.random.pick(&members))?;
        Some(self.crowd.swap_remove(index).1)
    }

    /// One of the crowd dies, another joins, and messages flow.
    pub(super) fn churned(
        &mut self,
        side: Side,
        mark: Option<(Mark, u32)>,
        moment: u64,
    ) -> Result<(), Trouble> {
        if self.crowd.is_empty() {
            let third = self.random.pick(&[Side::Sender, Side::Receiver]);
            for side in [Side::Sender, Side::Receiver, third] {
                self.join(side)?;
            }
            self.flows()?;
        }
        let Some(mut victim) = self.leave(side) else { return Ok(()) };
        match mark {
            Some((mark, pass)) => {
                victim.page.ask(Request::Arm(mark, pass));
                if mark.name().starts_with("burial-") {
                    self.sacrifice(&victim)?;
                }
                self.dies_at(victim, mark)?;
            }
            None => {
                std::thread::sleep(Duration::from_micros(moment));
                victim.kill()?;
                self.bury(victim, None)?;
            }
        }
        self.join(side)?;
        self.flows()
    }

    /// Kills others until the armed one has noticed a death.
    fn sacrifice(&mut self, armed: &Actor) -> Result<(), Trouble> {
        for _ in 0..SACRIFICES {
            let side = self.random.pick(&[Side::Sender, Side::Receiver]);
            let Some(mut victim) = self.leave(side) else { continue };
            victim.kill()?;
            self.bury(victim, None)?;
            self.join(side)?;
            if self.board.wait(Duration::from_millis(20), ended(armed.number)).is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Waits until messages get through, whoever sends and receives them.
    fn flows(&self) -> Result<(), Trouble> {
        let took = |event| matches!(event, Event::Took { .. });
        let numbers: Vec<usize> = self.crowd.iter().map(|(_, actor)| actor.number).collect();
        let count = |heard: &[Heard]| {
            let records = numbers.iter().flat_map(|&number| &heard[number].records);
            records.filter(|record| took(record.event)).count() as u64
        };
        let before = count(&self.board.look());
        let needed: Vec<&Actor> = self.crowd.iter().map(|(_, actor)| actor).collect();
        self.wait("messages in a churned channel", &needed, |heard| {
            (count(heard) >= before + FLOW).then_some(())
        })
    }
}
