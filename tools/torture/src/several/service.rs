//! A service of which torture has several lives, and who looks in the end whether anything is left of them.

use super::actor::{Orders, insist, tell};
use crate::place::DOMAIN;
use anyhow::{Context, Result, ensure};
use std::ptr::copy_nonoverlapping;
use std::slice;
use std::time::Duration;
use strait_ipc::channel::OpenError;
use strait_ipc::channel::calls::{Answer, Calls, Client, Request, Status};
use strait_ipc::message::encode::Encode;
use strait_ipc::message::{Scratch, WriteError};
use strait_torture::calls::{answered, asked};
use strait_torture::fanout::Told;
use strait_torture::random::Random;

/// Answers as [`answered`] says.
pub(super) const ASK: u16 = 1;
/// Answers with as many bytes as its argument says.
const SIZED: u16 = 2;
/// The service closes.
const STOP: u16 = 3;

/// Clients that the service allows: so many that lanes are marked.
const CLIENTS: u32 = 20;
/// Bytes of large arguments, and of large answers, of each client.
const ARENA: u64 = 16 << 10;

/// Longer than anything takes.
pub(super) const HANG: Duration = Duration::from_secs(20);

/// Numbers as they are.
pub(super) struct Words<'a>(pub(super) &'a [u64]);

impl Encode for Words<'_> {
    unsafe fn encode(
        &self,
        body: *mut u8,
        room: usize,
        _scratch: &mut Scratch,
    ) -> Result<usize, WriteError> {
        let needed = size_of_val(self.0);
        if needed > room {
            return Err(WriteError::TooLarge { needed, room });
        }
        // SAFETY: the body is `room` writable bytes, which are nobody else's, and `needed` is no more.
        unsafe { copy_nonoverlapping(self.0.as_ptr().cast::<u8>(), body, needed) };
        Ok(needed)
    }
}

/// The words of a request or an answer that is held, aligned to 16.
pub(super) fn words<T: ?Sized>(_held: &T, start: *const u8, len: usize) -> &[u64] {
    // SAFETY: the bytes are not written while it is held; they are aligned to 16.
    unsafe { slice::from_raw_parts(start.cast(), len / size_of::<u64>()) }
}

impl Orders {
    /// The channel of one life of the service.
    pub(super) fn calls(&self, life: u64) -> Calls {
        let calls = Calls::named(self.directory(), DOMAIN, &format!("service-{life}"))
            .capacity(self.capacity)
            .wait(self.wait())
            .slice(Duration::from_millis(5));
        if self.large { calls.max_len(48).arena(ARENA) } else { calls.max_len(96) }
    }

    /// How many words an argument or an answer has at most.
    pub(super) fn most(&self) -> usize {
        if self.large { usize::try_from(ARENA).unwrap_or(0) / size_of::<u64>() } else { 9 }
    }
}

/// Serves until it is told to stop, or has handled as many requests as it was to.
pub(super) fn serve(orders: &Orders, mut random: Random) -> Result<()> {
    let mut server = insist(|| orders.calls(orders.life).clients(CLIENTS).server())?;
    tell(Told::Begun(orders.life));
    let (mut stopped, mut handled) = (false, 0);
    while !stopped && (orders.count == 0 || handled < orders.count) {
        server.serve(None, |request| match request.method() {
            STOP => stopped = true,
            SIZED => sized(request),
            _ => handle(request, orders.most(), &mut random),
        })?;
        handled += 1;
    }
    drop(server);
    tell(Told::Closed);
    Ok(())
}

fn handle(request: &mut Request<'_>, most: usize, random: &mut Random) {
    let words = words(request, request.as_ptr(), request.len());
    let Some(number) = words.first().copied().filter(|&number| *words == asked(number, most))
    else {
        return tell(Told::Torn);
    };
    tell(Told::Got(number, 0));
    if random.once_in(32) {
        std::thread::sleep(Duration::from_micros(random.below(300)));
    }
    request.answer(Status::Done, &Words(&answered(number, most)));
}

fn sized(request: &mut Request<'_>) {
    let words = words(request, request.as_ptr(), request.len());
    let len = words.first().map_or(0, |&len| usize::try_from(len).unwrap_or(0));
    request.answer(Status::Done, &Words(&vec![7; len / size_of::<u64>()]));
}

/// Uses all that the last service has for its clients, stops it, and clears away what is left of the others.
pub(super) fn settle(orders: &Orders) -> Result<()> {
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|_| insist(|| orders.calls(orders.life).client()))
        .collect::<Result<_>>()?;
    for client in &clients {
        use_all(orders, client)?;
    }
    let timeout = Some(HANG);
    if let Some(client) = clients.first() {
        client.call(STOP, &(), timeout).context("stopping the service")?;
    }
    drop(clients);
    for life in 1..=orders.life {
        loop {
            match orders.calls(life).clients(CLIENTS).server() {
                // Its sides are held until the kernel has buried them, and its server until it has closed.
                Err(OpenError::Over { .. } | OpenError::Attach(_)) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                made => break drop(made?),
            }
        }
    }
    tell(Told::Closed);
    Ok(())
}

/// All places of a client at once, and all its room, twice.
fn use_all(orders: &Orders, client: &Client) -> Result<()> {
    for _ in 0..2 {
        let timeout = Some(HANG);
        let started = (0..orders.capacity).map(|_| client.start(SIZED, &Words(&[8])));
        let started = started.collect::<Result<Vec<_>, _>>().context("a client's places")?;
        let answers = started.into_iter().map(|call| call.wait(timeout));
        let answers = answers.collect::<Result<Vec<Answer>, _>>().context("a client's answers")?;
        ensure!(answers.iter().all(|answer| answer.len() == 8), "an answer of another size");
        drop(answers);
        if orders.large {
            let all = client.call(SIZED, &Words(&[ARENA]), timeout).context("all large answers")?;
            ensure!(all.len() as u64 == ARENA, "a large answer of another size");
            drop(all);
            let mut large = vec![8; orders.most()];
            client.call(SIZED, &Words(&large), timeout).context("all large arguments")?;
            large.truncate(orders.most() / 2);
            client.call(SIZED, &Words(&large), timeout).context("half of large arguments")?;
        }
    }
    Ok(())
}
