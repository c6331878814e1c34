//! The three channels between the feed and the book builder. Either side may come first.
//!
//! ```text
//! feed ── events:   Event, plain, 48 bytes ──────────────▶ book builder
//! feed ── expected: Expected, with strings and vectors ──▶ book builder
//! feed ◀─ ready:    Ready, once the builder listens ────── book builder
//! ```

use anyhow::Context;
use strait::{Domain, Message, Receiver, Sender, Spsc, Wait};

use crate::event::Event;
use crate::summary::Expected;

const EVENTS: &str = "events";
const EXPECTED: &str = "expected";
const READY: &str = "ready";

/// Events on their way: 1 MiB of cells, half a millisecond's worth of a fast feed.
const EVENTS_CAPACITY: u64 = 1 << 14;

/// Expected books on their way.
const EXPECTED_CAPACITY: u64 = 1 << 8;

/// Room for one of them: a name, ten levels, and what belongs to them; or a count per type.
const EXPECTED_BYTES: usize = 512;

/// "The book builder listens": from here on the feed's clock runs.
#[derive(Clone, Copy, Debug, Message)]
#[repr(C)]
struct Ready {
    process: u32,
}

/// Where the parts meet.
#[derive(Debug)]
pub(crate) struct Market {
    domain: Domain,
    wait: Wait,
}

impl Market {
    /// The market in the domain `name`. Its parts poll without pause if each has a core.
    pub(crate) fn open(name: &str, cores: usize) -> anyhow::Result<Self> {
        let wait = if cores > 1 { Wait::BusySpin } else { Wait::Yield };
        Ok(Self { domain: Domain::open(name)?, wait })
    }

    /// The feed's ends. Returns when the book builder is ready.
    pub(crate) fn join_as_feed(&self) -> anyhow::Result<(Sender<Event>, Sender<Expected>)> {
        let (events, expected) = (self.events().sender()?, self.expected().sender()?);
        let mut ready = self.ready().receiver()?;
        ready.recv().context("the book builder left before it was ready")?;
        Ok((events, expected))
    }

    /// The book builder's ends.
    pub(crate) fn join_as_builder(&self) -> anyhow::Result<(Receiver<Event>, Receiver<Expected>)> {
        let (events, expected) = (self.events().receiver()?, self.expected().receiver()?);
        self.ready().sender()?.send(&Ready { process: std::process::id() })?;
        Ok((events, expected))
    }

    /// Removes what parts that were killed have left behind.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        for channel in [EVENTS, EXPECTED, READY] {
            self.domain.remove(channel)?;
        }
        Ok(())
    }

    fn events(&self) -> Spsc<Event> {
        self.domain.spsc(EVENTS).capacity(EVENTS_CAPACITY).wait(self.wait)
    }

    fn expected(&self) -> Spsc<Expected> {
        self.domain
            .spsc(EXPECTED)
            .capacity(EXPECTED_CAPACITY)
            .max_len(EXPECTED_BYTES)
            .wait(self.wait)
    }

    fn ready(&self) -> Spsc<Ready> {
        self.domain.spsc(READY).wait(self.wait)
    }
}
