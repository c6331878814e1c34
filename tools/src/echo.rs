//! The service whose calls are measured: what comes in is looked at, and goes out again.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use strait::service::{Archived, Binding, CallError, Service, Streams};
use strait::{Message, rkyv, service};
use strait_ipc::calls::{Client, ServeError, Server};

/// Words of a call of 48 bytes.
pub(crate) const WORDS: usize = 6;
/// Words of one of 1 KiB.
pub(crate) const BLOCK: usize = 128;

#[service(name = "strait.Echo", version = 1)]
pub(crate) trait Echo {
    /// Nothing in, nothing out.
    #[method(1)]
    fn nothing(&self);

    /// 48 bytes in and out, all of them looked at.
    #[method(2)]
    fn words(&self, words: &[u64; WORDS]) -> Result<[u64; WORDS], Torn>;

    /// 1 KiB in and out.
    #[method(3)]
    fn block(&self, block: &[u64; BLOCK]) -> [u64; BLOCK];

    /// Any number of bytes in and out: copied out of the request, and then archived.
    #[method(4)]
    fn bytes(&self, bytes: &[u8]) -> Vec<u8>;

    /// Any number of bytes in; out come how many, and the last one.
    #[method(5)]
    fn last(&self, bytes: &[u8]) -> [u64; 2];

    /// A record of records in and out, with so many nanoseconds of work in between.
    #[method(6)]
    fn note(&self, note: &Archived<Note>, work_ns: u32) -> Note;

    /// The same bytes as [`words`](Self::words), of which nobody hears again.
    #[method(7, oneway)]
    fn tell(&self, words: &[u64; WORDS]);

    /// How much has been told.
    #[method(8)]
    fn told(&self) -> u64;
}

/// The words that came were not those of any number.
#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(u8)]
pub(crate) enum Torn {
    /// Each is one more than the one before.
    Words = 1,
}

/// A record of records.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, Message)]
#[rkyv(crate = rkyv, derive(Debug))]
pub(crate) struct Note {
    pub(crate) number: u64,
    pub(crate) author: String,
    pub(crate) lines: Vec<Line>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, Message)]
#[rkyv(crate = rkyv, derive(Debug))]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) quantity: u32,
}

/// The words of call `number`.
#[inline(always)]
pub(crate) fn words(number: u64) -> [u64; WORDS] {
    std::array::from_fn(|index| number.wrapping_add(index as u64))
}

/// The note with that number, of three lines, which takes 200 bytes.
pub(crate) fn note(number: u64) -> Note {
    let line = |text: &str| Line { text: text.to_owned(), quantity: 100 };
    let lines = ["alpha", "beta", "a longer one, of thirty letters"].map(line).into();
    Note { number, author: "NASDAQ:STRAIT.SX".to_owned(), lines }
}

/// Echoes, and counts what it is told.
#[derive(Debug, Default)]
pub(crate) struct Echoing {
    told: AtomicU64,
}

impl Echo for Echoing {
    #[inline]
    fn nothing(&self) {}

    #[inline]
    fn words(&self, words: &[u64; WORDS]) -> Result<[u64; WORDS], Torn> {
        if *words == self::words(words[0]) { Ok(*words) } else { Err(Torn::Words) }
    }

    fn block(&self, block: &[u64; BLOCK]) -> [u64; BLOCK] {
        *block
    }

    fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }

    fn last(&self, bytes: &[u8]) -> [u64; 2] {
        [bytes.len() as u64, bytes.last().copied().unwrap_or(0).into()]
    }

    fn note(&self, note: &Archived<Note>, work_ns: u32) -> Note {
        if work_ns > 0 {
            let (began, work) = (Instant::now(), Duration::from_nanos(work_ns.into()));
            while began.elapsed() < work {
                spin_loop();
            }
        }
        let lines = note.lines.iter().map(|line| Line {
            text: line.text.as_str().to_owned(),
            quantity: line.quantity.to_native(),
        });
        Note {
            number: note.number.to_native(),
            author: note.author.as_str().to_owned(),
            lines: lines.collect(),
        }
    }

    fn tell(&self, words: &[u64; WORDS]) {
        // Told by one dispatcher at a time.
        let told = self.told.load(Relaxed);
        self.told.store(told + u64::from(self.words(words).is_ok()), Relaxed);
    }

    fn told(&self) -> u64 {
        self.told.load(Relaxed)
    }
}

/// What a server says that it answers.
pub(crate) const SCHEMA: &str = <dyn Echo>::SUMMARY;

/// Calls the service behind a connection.
pub(crate) fn connect(client: Client) -> Result<EchoClient, CallError> {
    let summary = client.schema().to_owned();
    Ok(Binding::shared(Arc::new(client), &summary)?.into())
}

/// The service with its dispatcher.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) server: Server,
    echo: Echoing,
    streams: Streams,
}

impl Serving {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, echo: Echoing::default(), streams: Streams::default() }
    }

    /// Answers the next call, waiting for it; `false` if none came in time.
    #[inline(always)]
    pub(crate) fn serve(&mut self, timeout: Option<Duration>) -> Result<bool, ServeError> {
        let Self { server, echo, streams } = self;
        let echo: &dyn Echo = echo;
        match server.serve(timeout, |request| echo.dispatch(request, streams)) {
            Err(ServeError::Timeout) => Ok(false),
            served => served.map(|()| true),
        }
    }

    /// Answers the next call if there is one.
    #[inline(always)]
    pub(crate) fn try_serve(&mut self) -> Result<bool, ServeError> {
        let Self { server, echo, streams } = self;
        let echo: &dyn Echo = echo;
        server.try_serve(|request| echo.dispatch(request, streams))
    }

    /// Answers calls until there are none, and `over` says that there will be no more.
    pub(crate) fn serve_until(&mut self, over: impl Fn(&Server) -> bool) -> Result<(), ServeError> {
        while self.serve(Some(LULL))? || !over(&self.server) {}
        Ok(())
    }
}

/// How long a server without calls waits before it looks whether it is still wanted.
const LULL: Duration = Duration::from_millis(1);
