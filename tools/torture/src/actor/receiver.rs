//! Holding the receiving side: open or stand by, receive, close; once or over and over.

use super::Actor;
use super::sides::{self, How, ReceiveSide};
use crate::page::Stop;
use anyhow::{Result, bail};
use std::time::Duration;
use strait_ipc::channel::RecvError;
use strait_torture::journal::{Event, Side};

/// Lives as a receiver, or stands by until it is one.
pub(super) fn live(actor: &mut Actor) -> Result<()> {
    actor.hold(
        Side::Receiver,
        |actor| {
            sides::receiver(&actor.spec, || {
                actor.outside();
                actor.tell(Event::StandingBy);
            })
        },
        |receiver| (receiver.position(), 0),
        |actor, receiver| session(actor, receiver.as_mut()),
        |actor, receiver| receiver.close(&mut |event| actor.tell(event)),
    )
}

/// Receives until told to stop, or as much as a session has.
fn session(actor: &mut Actor, receiver: &mut dyn ReceiveSide) -> Result<()> {
    let until = actor.end_of_session(receiver.position());
    let mut fruitless = 0;
    while actor.stop() != Stop::Now && receiver.position() < until && fruitless < 40 {
        actor.obey()?;
        actor.dawdle();
        let how = match actor.random.below(4) {
            0 => How::AtOnce,
            1 | 2 if actor.spec.patient => How::Waiting,
            _ => actor.limited(),
        };
        let position = receiver.position();
        let result = receiver.receive(how, &mut |took| {
            actor.outside();
            actor.tell(took);
        });
        actor.outside();
        match result {
            Ok(()) => actor.tell(Event::Released { position }),
            Err(RecvError::Empty | RecvError::Timeout) => {
                std::thread::sleep(Duration::from_micros(actor.random.below(100)));
            }
            Err(RecvError::Closed(gone)) => {
                actor.gone(Side::Sender, false, &gone);
                if actor.stop() == Stop::Drained {
                    break;
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(RecvError::PeerDied(gone)) => {
                actor.gone(Side::Sender, true, &gone);
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(other) => bail!("cannot receive: {other}"),
        }
        if receiver.position() == position && actor.spec.session > 0 {
            fruitless += 1;
        }
    }
    Ok(())
}
