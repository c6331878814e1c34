//! Whether all room for large messages is free when nobody has any.

use super::keeper::Keeping;
use super::sender::outcome;
use super::sides::{self, How, ReceiveSide, SendSide};
use super::{Actor, channel};
use anyhow::{Result, bail};
use std::time::Duration;
use strait_ipc::channel::{OpenError, RecvError, SendError};
use strait_ipc::endpoint::AttachError;
use strait_torture::body;
use strait_torture::journal::{Event, Side};

/// Takes the receiving side, then the other, reads what is left, and looks.
pub(super) fn audit(actor: &mut Actor) -> Result<()> {
    let side = Side::Receiver;
    actor.tell(Event::Opening { side });
    let Some(mut receiver) = actor.open(side, || sides::receiver(&actor.spec, || {}))? else {
        return Ok(());
    };
    receiver.keep(Keeping::Nothing);
    let instance = channel::instance(&actor.spec)?;
    actor.tell(Event::Opened { side, instance, position: receiver.position(), incarnation: 0 });
    let side = Side::Sender;
    actor.tell(Event::Opening { side });
    let mut sender = loop {
        // Whoever still sends may be waiting for room.
        drain(actor, receiver.as_mut())?;
        match sides::sender(&actor.spec) {
            Ok(sender) => break sender,
            Err(OpenError::Attach(AttachError::Held { .. })) => {}
            Err(error) => bail!("cannot open the sender: {error}"),
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    let (position, incarnation) = (sender.position(), sender.incarnation());
    actor.tell(Event::Opened { side, instance, position, incarnation });
    drain(actor, receiver.as_mut())?;
    let (free, of) = match actor.spec.blocks {
        0 => (sender.has_all_room().into(), 1),
        blocks => (free_blocks(actor, sender.as_mut(), receiver.as_mut())?, blocks),
    };
    actor.tell(Event::Audited { free, of });
    actor.tell(Event::Closing);
    receiver.close(&mut |event| actor.tell(event));
    drop(sender);
    actor.tell(Event::Closed);
    Ok(())
}

/// Receives a message if there is one.
fn receive(actor: &Actor, receiver: &mut dyn ReceiveSide) -> Result<bool> {
    let position = receiver.position();
    match receiver.receive(How::AtOnce, &mut |event| actor.tell(event)) {
        Ok(()) => {
            actor.tell(Event::Released { position });
            Ok(true)
        }
        Err(RecvError::Empty | RecvError::Closed(_) | RecvError::PeerDied(_)) => Ok(false),
        Err(other) => bail!("cannot receive: {other}"),
    }
}

fn drain(actor: &Actor, receiver: &mut dyn ReceiveSide) -> Result<()> {
    while receive(actor, receiver)? {}
    Ok(())
}

/// How many messages can be kept at a time.
fn free_blocks(
    actor: &mut Actor,
    sender: &mut dyn SendSide,
    receiver: &mut dyn ReceiveSide,
) -> Result<u64> {
    receiver.keep(Keeping::All);
    let mut free = 0;
    // One more than there are would be wrong as well.
    while free <= actor.spec.blocks {
        let id = body::id(actor.spec.number, actor.sequence);
        actor.tell(Event::Sending { id, position: sender.position(), count: 1 });
        let result = sender.send(How::AtOnce, id);
        let full = result == Err(SendError::Full);
        outcome(actor, sender, result)?;
        if full || !receive(actor, receiver)? {
            break;
        }
        free += 1;
    }
    Ok(free)
}
