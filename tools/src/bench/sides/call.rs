//! Calls of a service: this side calls, the other one answers.

use super::torn;
use crate::bench::exercise::Side;
use crate::echo::{self, EchoClient, SCHEMA, Serving, Torn, WORDS};
use anyhow::{Result, ensure};
use std::sync::Arc;
use strait::Segment;
use strait::service::Pending;
use strait_ipc::calls::Calls;

/// Bytes of what goes in and comes out.
pub(in crate::bench) const SIZE: usize = 8 * WORDS;

/// Memory for calls of [`SIZE`] bytes.
pub(in crate::bench) fn segment() -> Result<Segment> {
    Ok(Calls::unnamed("bench").max_len(SIZE).clients(1).schema(SCHEMA).segment()?)
}

/// The side that calls. What is sent and received by itself is a call that is looked for.
pub(in crate::bench) struct Calling {
    client: EchoClient,
    pending: Option<Pending<[u64; WORDS], Torn>>,
}

impl Calling {
    pub(in crate::bench) fn open(segment: &Arc<Segment>) -> Result<Self> {
        let client = Calls::given(Arc::clone(segment)).schema(SCHEMA).client()?;
        Ok(Self { client: echo::connect(client)?, pending: None })
    }
}

impl Side for Calling {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        self.pending = Some(self.client.start().words(&echo::words(number))?);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, number: u64) -> Result<()> {
        let Some(pending) = self.pending.take() else { return Err(torn(number)) };
        ensure!(pending.wait()? == echo::words(number), torn(number));
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Some(answer) = self.pending.as_mut().and_then(Pending::try_wait) else {
            return Ok(false);
        };
        ensure!(answer? == echo::words(number), torn(number));
        Ok(true)
    }

    #[inline(always)]
    fn round_trip(&mut self, number: u64) -> Result<()> {
        ensure!(self.client.words(&echo::words(number))? == echo::words(number), torn(number));
        Ok(())
    }
}

/// The side that answers, with what it receives; sending is done then.
pub(in crate::bench) struct Answering(Serving);

impl Answering {
    pub(in crate::bench) fn open(segment: &Arc<Segment>) -> Result<Self> {
        Ok(Self(Serving::new(Calls::given(Arc::clone(segment)).schema(SCHEMA).server()?)))
    }
}

impl Side for Answering {
    #[inline(always)]
    fn send(&mut self, _number: u64) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, _number: u64) -> Result<()> {
        self.0.serve(None)?;
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, _number: u64) -> Result<bool> {
        Ok(self.0.try_serve()?)
    }
}
