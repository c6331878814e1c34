//! One call at a time through shared memory, and what it stands beside.

use super::{FLOW_PER_TRIP, Place, TRIPS_PER_MIB, plain};
use crate::bench::clock;
use crate::bench::exercise::{Role, Side};
use crate::bench::several::Body;
use crate::bench::sides::lines::{self, Lines};
use crate::echo::{self, BLOCK, EchoClient};
use anyhow::{Result, anyhow, ensure};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use strait::Spsc;
use strait_ipc::calls::Calls;

/// A counter bounced between two cache lines, each of which one side writes.
pub(super) fn lines(place: &Place) -> Result<f64> {
    let file = File::from(memfd_create("strait-yardstick", MemfdFlags::CLOEXEC)?);
    file.set_len(lines::BYTES)?;
    let line = |role| Ok::<_, anyhow::Error>(Lines::map(&file)?.bare(role));
    place.bounce(
        || line(Role::Here),
        |here, number| {
            here.send(number)?;
            here.receive(number)
        },
        || line(Role::There),
        |there, number| {
            there.receive(number)?;
            there.send(number)
        },
    )
}

/// 48 bytes there through one channel and back through another.
pub(super) fn channels(place: &Place) -> Result<f64> {
    let (mut there, mut arrives) = Spsc::<Body>::unnamed("bench").pair()?;
    let (mut back, mut returns) = Spsc::<Body>::unnamed("bench").pair()?;
    place.bounce(
        || Ok(()),
        |(), number| {
            there.send(&Body::of(number))?;
            ensure!(returns.recv()?.number() == number, "another message came back");
            Ok(())
        },
        || Ok(()),
        |(), number| {
            ensure!(arrives.recv()?.number() == number, "another message arrived");
            Ok(back.send(&Body::of(number))?)
        },
    )
}

impl Place {
    fn trips(&self) -> u64 {
        self.count / FLOW_PER_TRIP
    }

    /// Nanoseconds per round trip between a side here and one on the other core, each made where it is used.
    fn bounce<H, T>(
        &self,
        here: impl FnOnce() -> Result<H>,
        mut go: impl FnMut(&mut H, u64) -> Result<()>,
        there: impl FnOnce() -> Result<T> + Send,
        mut echo: impl FnMut(&mut T, u64) -> Result<()> + Send,
    ) -> Result<f64> {
        let (trips, all) = (self.trips(), Self::with_warm_up(self.trips()));
        let mut here = here()?;
        std::thread::scope(|scope| {
            let echoing = scope.spawn(move || -> Result<()> {
                clock::pin(self.far)?;
                let mut there = there()?;
                (0..all).try_for_each(|number| echo(&mut there, number))
            });
            let per_trip = self.per_call(trips, |number| go(&mut here, number));
            echoing.join().map_err(|_| anyhow!("the echo panicked"))??;
            per_trip
        })
    }

    /// A call that is made again and again.
    fn repeated(
        &self,
        calls: Calls,
        trips: u64,
        mut call: impl FnMut(&EchoClient, u64) -> Result<()>,
    ) -> Result<f64> {
        self.with_client(calls, |client| self.per_call(trips, |number| call(client, number)))
    }
}

pub(super) fn nothing(place: &Place) -> Result<f64> {
    place.repeated(plain(), place.trips(), |client, _| Ok(client.nothing()?))
}

/// 48 bytes in and out.
pub(super) fn words(place: &Place) -> Result<f64> {
    place.repeated(plain(), place.trips(), |client, number| {
        let back = client.words(&echo::words(number))?;
        ensure!(back == echo::words(number), "the answer to another call");
        Ok(())
    })
}

/// 1 KiB in and out, in cells that hold it.
pub(super) fn block(place: &Place) -> Result<f64> {
    let calls = plain().max_len(8 * BLOCK);
    place.repeated(calls, place.trips(), |client, number| {
        let back = client.block(&[number; BLOCK])?;
        ensure!(back == [number; BLOCK], "the answer to another call");
        Ok(())
    })
}

/// 1 MiB in and out, by way of the arena; every byte that comes back is compared.
pub(super) fn bytes(place: &Place) -> Result<f64> {
    let mut bytes = vec![0; 1 << 20];
    let calls = plain().capacity(16).arena(8 << 20);
    place.repeated(calls, place.trips().div_ceil(TRIPS_PER_MIB), |client, number| {
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        ensure!(client.bytes(&bytes)?.as_slice() == bytes, "the answer to another call");
        Ok(())
    })
}

/// A record of records in and out, archived on either side and validated on the other.
pub(super) fn note(place: &Place) -> Result<f64> {
    let note = echo::note(7);
    place.repeated(plain().max_len(496), place.trips(), |client, _| {
        let back = client.note(&note, 0)?;
        ensure!(back.number.to_native() == 7 && back.lines.len() == 3, "another note");
        Ok(())
    })
}
