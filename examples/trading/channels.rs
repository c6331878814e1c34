//! The three channels between the feed and the book builder. Either side may come first.
//!
//! ```text
//! feed ── events:   Event, plain, 48 bytes ──────────────▶ book builder
//! feed ── expected: Expected, with strings and vectors ──▶ book builder
//! feed ◀─ ready:    Ready, once the builder listens ────── book builder
//! ```

use anyhow::Context;
use strait::{Domain, Message, Receiver, Sender};

use crate::event::Event;
use crate::summary::Expected;

/// Events on their way: 0.75 MiB, half a millisecond's worth of a fast feed.
const EVENTS: u64 = 1 << 14;

/// Expected books on their way.
const BOOKS: u64 = 1 << 8;

/// Room for one of them: a name, ten levels, and what belongs to them; or a count per type.
const BOOK_BYTES: usize = 512;

/// "The book builder listens": from here on the feed's clock runs.
#[derive(Clone, Copy, Debug, Message)]
#[repr(C)]
struct Ready {
    process: u32,
}

/// The feed's ends. Returns when the book builder is ready.
pub(crate) fn of_feed(domain: &Domain) -> anyhow::Result<(Sender<Event>, Sender<Expected>)> {
    let events = domain.spsc("events").capacity(EVENTS).sender()?;
    let expected = domain.spsc("expected").capacity(BOOKS).max_len(BOOK_BYTES).sender()?;
    let mut ready: Receiver<Ready> = domain.spsc("ready").receiver()?;
    ready.recv().context("the book builder left before it was ready")?;
    Ok((events, expected))
}

/// The book builder's ends.
pub(crate) fn of_builder(domain: &Domain) -> anyhow::Result<(Receiver<Event>, Receiver<Expected>)> {
    let events = domain.spsc("events").capacity(EVENTS).receiver()?;
    let expected = domain.spsc("expected").capacity(BOOKS).max_len(BOOK_BYTES).receiver()?;
    let mut ready: Sender<Ready> = domain.spsc("ready").sender()?;
    ready.send(&Ready { process: std::process::id() }).context("the feed left at once")?;
    Ok((events, expected))
}
