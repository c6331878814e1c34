//! Aeron: an exclusive publication each way over `aeron:ipc`. The media driver, which moves the limits up to which
//! senders may go, is a thread of this side's process that sleeps when there is nothing to do.
//!
//! Messages that fit into one fragment are claimed and written in place; longer ones are offered, which cuts them up,
//! and put together again.

use super::kernel::{check_bytes, write_bytes};
use super::{PATIENCE, Place, on_any_core, patiently};
use anyhow::{Context, Result, ensure};
use rusteron_client::{
    Aeron, AeronContext, AeronExclusivePublication, AeronFragmentClosureAssembler, AeronHeader,
    AeronOfferError, AeronSubscription, Handlers, IntoCString,
};
use rusteron_media_driver::bindings::aeron_threading_mode_enum::AERON_THREADING_MODE_SHARED;
use rusteron_media_driver::{AeronDriver, AeronDriverContext};
use std::ffi::CStr;
use std::path::Path;
use strait_tools::bench::exercise::{Player, Role, Side};

const CHANNEL: &CStr = c"aeron:ipc";

/// Bytes of a term, of which there are three each way: a message may have an eighth of one.
const TERM: usize = 8 << 20;

/// How many fragments are read at once, as in its samples.
const FRAGMENTS: usize = 10;

/// One side. In the order in which they go: the driver has what the client uses.
struct Ends {
    publication: AeronExclusivePublication,
    subscription: AeronSubscription,
    /// Of messages that are longer than a fragment.
    assembler: Option<AeronFragmentClosureAssembler>,
    inbox: Inbox,
    bytes: Vec<u8>,
    /// Polls that found nothing.
    misses: u16,
    _client: Aeron,
    _driver: Option<AeronDriver>,
}

/// What has come in.
struct Inbox {
    /// The number of the next message to come.
    next: u64,
    words: Vec<u64>,
    outcome: Result<()>,
}

impl Inbox {
    #[inline(always)]
    fn take(&mut self, bytes: &[u8], _: AeronHeader) {
        if self.outcome.is_ok() {
            self.outcome = check_bytes(bytes, &mut self.words, self.next);
            self.next += 1;
        }
    }
}

pub(crate) fn open(place: Place<'_>) -> Result<Box<dyn Player>> {
    let directory = place.directory.join("aeron");
    // The library's threads begin here.
    let (driver, client) = on_any_core(|| {
        let driver = (place.role == Role::Here).then(|| drive(&directory)).transpose()?;
        Ok((driver, connect(&directory)?))
    })?;
    let [out, back] = place.ways().map(|way| if way == "there" { 1 } else { 2 });
    let subscription = client
        .async_add_subscription(CHANNEL, back, Handlers::NONE, Handlers::NONE)?
        .poll_blocking(PATIENCE)?;
    let publication = client.async_add_exclusive_publication(CHANNEL, out)?;
    let publication = publication.poll_blocking(PATIENCE)?;
    patiently("the other side", || {
        Ok((publication.is_connected() && subscription.is_connected()).then_some(()))
    })?;
    let long = place.case.size > publication.max_payload_length()?;
    Ok(Box::new(Ends {
        publication,
        subscription,
        assembler: long.then(AeronFragmentClosureAssembler::new).transpose()?,
        inbox: Inbox { next: 0, words: vec![0; place.case.words()], outcome: Ok(()) },
        bytes: vec![0; place.case.size],
        misses: 0,
        _client: client,
        _driver: driver,
    }))
}

/// Starts the media driver.
fn drive(directory: &Path) -> Result<AeronDriver> {
    let context = AeronDriverContext::new()?;
    context.set_dir(&directory.to_string_lossy().into_c_string())?;
    context.set_dir_delete_on_shutdown(true)?;
    context.set_threading_mode(AERON_THREADING_MODE_SHARED)?;
    context.set_ipc_term_buffer_length(TERM)?;
    context.set_term_buffer_sparse_file(false)?;
    let driver = AeronDriver::new(&context).context("the media driver")?;
    driver.start(false).context("the media driver")?;
    Ok(driver)
}

/// Connects to the media driver, once it is there.
fn connect(directory: &Path) -> Result<Aeron> {
    let context = AeronContext::new()?;
    context.set_dir(&directory.to_string_lossy().into_c_string())?;
    context.set_pre_touch_mapped_memory(true)?;
    // Its own ends the process.
    context.set_error_handler(Some(|_: i32, what: &str| eprintln!("  aeron: {what}")))?;
    let client = Aeron::new(&context).context("no media driver")?;
    client.start()?;
    Ok(client)
}

impl Ends {
    #[inline(always)]
    fn try_send(&mut self, number: u64) -> Result<(), AeronOfferError> {
        if self.assembler.is_some() {
            return self.publication.offer(&self.bytes).map(drop);
        }
        let mut claim = self.publication.try_claim_owned(self.bytes.len())?;
        write_bytes(claim.data(), number);
        claim.commit().map(drop).map_err(AeronOfferError::Error)
    }
}

impl Side for Ends {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        if self.assembler.is_some() {
            write_bytes(&mut self.bytes, number);
        }
        loop {
            match self.try_send(number) {
                Ok(()) => return Ok(()),
                Err(AeronOfferError::AdminAction) => {}
                // The driver may need this core.
                Err(AeronOfferError::BackPressured) => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let Self { inbox, subscription, .. } = self;
        // Several may have come at once.
        if number < inbox.next {
            return Ok(true);
        }
        inbox.next = number;
        match &mut self.assembler {
            Some(assembler) => assembler.poll(subscription, inbox, Inbox::take, FRAGMENTS)?,
            None => subscription.poll_fn(|bytes, header| inbox.take(bytes, header), FRAGMENTS)?,
        };
        std::mem::replace(&mut inbox.outcome, Ok(()))?;
        if number < inbox.next {
            return Ok(true);
        }
        self.misses = self.misses.wrapping_add(1);
        ensure!(self.misses != 0 || subscription.is_connected(), "the other side is gone");
        Ok(false)
    }
}
