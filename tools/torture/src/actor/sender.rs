//! Holding the sending side: open, send, close; once or over and over.

use super::sides::{self, How, SendSide};
use super::{Actor, arm};
use crate::page::Stop;
use anyhow::{Result, bail};
use std::time::Duration;
use strait_ipc::channel::SendError;
use strait_pools::marks::Mark;
use strait_torture::body;
use strait_torture::journal::{Event, Side};

/// Lives as a sender.
pub(super) fn live(actor: &mut Actor) -> Result<()> {
    actor.hold(
        Side::Sender,
        |actor| sides::sender(&actor.spec),
        |sender| (sender.position(), sender.incarnation()),
        |actor, sender| session(actor, sender.as_mut()),
        |_, sender| drop(sender),
    )
}

/// Sends until told to stop, or as much as a session has.
fn session(actor: &mut Actor, sender: &mut dyn SendSide) -> Result<()> {
    let until = actor.end_of_session(sender.position());
    // A session whose messages nobody reads ends as well.
    let mut fruitless = 0;
    while actor.stop() == Stop::No && sender.position() < until && fruitless < 40 {
        actor.obey()?;
        actor.dawdle();
        let before = sender.position();
        let batch = actor.spec.batch;
        if batch > 1 && (actor.batch_arm.is_some() || actor.random.once_in(2)) {
            let count = actor.random.between(2, batch);
            send_batch(actor, sender, count)?;
        } else {
            send_one(actor, sender)?;
        }
        if sender.position() == before && actor.spec.session > 0 {
            fruitless += 1;
        }
    }
    Ok(())
}

fn send_one(actor: &mut Actor, sender: &mut dyn SendSide) -> Result<()> {
    let how = match actor.random.below(4) {
        0 => How::AtOnce,
        1 if actor.spec.patient => How::Waiting,
        2 if actor.spec.patient => How::Loan,
        _ => actor.limited(),
    };
    let id = body::id(actor.spec.number, actor.sequence);
    let position = sender.position();
    actor.tell(Event::Sending { id, position, count: 1 });
    let result = sender.send(how, id);
    actor.outside();
    outcome(actor, sender, result)
}

fn send_batch(actor: &mut Actor, sender: &mut dyn SendSide, count: u64) -> Result<()> {
    let id = body::id(actor.spec.number, actor.sequence);
    let position = sender.position();
    if actor.batch_arm.is_some() {
        // Until there is room for two.
        std::thread::sleep(Duration::from_micros(300));
    }
    let given_up = actor.batch_arm.is_none() && actor.random.once_in(16);
    let mut announced = false;
    let mut batch_arm = actor.batch_arm;
    let result = sender.batch(id, count, &mut |count| {
        actor.outside();
        if given_up {
            return false;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        // Cut it in two, if it has two parts; a later one will.
        if let Some(pass) = batch_arm.filter(|_| count > 1 || actor.spec.capacity == 1) {
            arm(Mark::ProducerInBatch, pass.min(count - 1).max(1));
            batch_arm = None;
        }
        actor.tell(Event::Sending { id, position, count });
        announced = true;
        true
    });
    actor.outside();
    actor.batch_arm = batch_arm;
    if announced || result.is_err() {
        return outcome(actor, sender, result);
    }
    Ok(())
}

/// Tells what became of a message or a batch.
pub(super) fn outcome(
    actor: &mut Actor,
    sender: &mut dyn SendSide,
    result: Result<(), SendError>,
) -> Result<()> {
    match result {
        Ok(()) => {
            actor.sequence += 64;
            actor.tell(Event::Sent { next: sender.position() });
        }
        Err(error) => {
            actor.tell(Event::NotSent);
            match error {
                SendError::Full | SendError::Timeout => {
                    std::thread::sleep(Duration::from_micros(actor.random.below(100)));
                }
                SendError::Closed(gone) => nobody(actor, false, &gone),
                SendError::PeerDied(gone) => nobody(actor, true, &gone),
                other => bail!("cannot send: {other}"),
            }
        }
    }
    Ok(())
}

/// The receiver is gone, and the ring is full: the next will come.
fn nobody(actor: &mut Actor, died: bool, gone: &strait_ipc::channel::error::Gone) {
    actor.gone(Side::Receiver, died, gone);
    std::thread::sleep(Duration::from_micros(100));
}
