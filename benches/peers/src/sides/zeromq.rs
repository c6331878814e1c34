//! ZeroMQ: a pair of sockets over `ipc://` that carries both ways. Each message is made where the library has
//! room for it and read where it came in; one thread of the library's in each process moves the bytes.

use super::kernel::{check_bytes, write_bytes};
use super::{PATIENCE, Place, on_any_core};
use anyhow::{Context as _, Result};
use strait_tools::bench::exercise::{Player, Role, Side};
use zmq::{Context, Message, PAIR, Socket};

/// One side of the pair. The socket goes before the last of its context, which waits for sockets.
struct Pair {
    socket: Socket,
    /// What came in last.
    message: Message,
    words: Vec<u64>,
}

pub(crate) fn open(place: Place<'_>) -> Result<Box<dyn Player>> {
    // The library's thread begins with the first socket.
    let socket = on_any_core(|| Ok(Context::new().socket(PAIR)?))?;
    let capacity = i32::try_from(place.case.capacity())?;
    socket.set_sndhwm(capacity)?;
    socket.set_rcvhwm(capacity)?;
    // Nobody waits for what a side that is gone has not read, nor for one that never comes.
    socket.set_linger(0)?;
    let patience = i32::try_from(PATIENCE.as_millis())?;
    socket.set_sndtimeo(patience)?;
    socket.set_rcvtimeo(patience)?;
    let address = format!("ipc://{}", place.directory.join("zeromq").display());
    match place.role {
        Role::Here => socket.bind(&address)?,
        Role::There => {
            // It tries again by itself until the other side is there.
            socket.set_reconnect_ivl(1)?;
            socket.connect(&address)?;
        }
    }
    let words = vec![0; place.case.words()];
    let mut pair = Pair { socket, message: Message::new(), words };
    pair.socket.send("", 0).context("the other side has not come")?;
    pair.socket.recv(&mut pair.message, 0).context("the other side has not come")?;
    Ok(Box::new(pair))
}

impl Side for Pair {
    fn send(&mut self, number: u64) -> Result<()> {
        let mut message = Message::with_size(8 * self.words.len());
        write_bytes(&mut message, number);
        self.socket.send(message, 0).with_context(|| format!("sending message {number}"))
    }

    fn receive(&mut self, number: u64) -> Result<()> {
        let received = self.socket.recv(&mut self.message, 0);
        received.with_context(|| format!("receiving message {number}"))?;
        check_bytes(&self.message, &mut self.words, number)
    }

    fn try_receive(&mut self, number: u64) -> Result<bool> {
        // Asleep until it comes.
        self.receive(number).map(|()| true)
    }
}
