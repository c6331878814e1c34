//! Calls of a service: in the same process, where a client stands before a virtual call, and through
//! shared memory, beside two bare cache lines and a pair of channels.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | what is measured, and the targets |
//! | `local` | calls that stay in the thread |
//! | `trips` | one call at a time through shared memory, and what it stands beside |
//! | `flow` | many calls under way |
//!
//! What is called one at a time is timed in blocks, of which the median counts; what flows, as a whole.
//! Caller and server are threads, each with a core; where there are eight callers they share one of the
//! two, give it away while they wait, and say what the server and its lanes take, not what eight cores
//! could do.

mod flow;
mod local;
mod trips;

use super::Figure::{Added, Ratio, Time};
use super::{Row, Target, in_turn};
use crate::bench::clock::{self, Clock, ticks};
use crate::bench::statistics::median;
use crate::echo::{self, EchoClient, SCHEMA, Serving};
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use strait::Wait;
use strait_ipc::calls::Calls;

pub(super) const RATIOS: &[super::Ratio] = &[
    ("local, nothing, client", "local, nothing, Arc<dyn>"),
    ("local, 48 B, client", "local, 48 B, Arc<dyn>"),
    ("local, 1 KiB, client", "local, 1 KiB, Arc<dyn>"),
    ("local, 1 MiB in, client", "local, 1 MiB in, Arc<dyn>"),
    ("local, 1 MiB in and out, client", "local, 1 MiB in and out, Arc<dyn>"),
    ("shared, nothing", LINES),
    ("shared, 48 B", LINES),
    ("shared, 48 B", CHANNELS),
    ("shared, 1 KiB", LINES),
    ("shared, a record", LINES),
    ("shared, 48 B, 32 under way", "shared, 48 B"),
    ("shared, 48 B, batches of 32", "shared, 48 B, 32 under way"),
    ("shared, 48 B, 8 clients", "shared, 48 B, 32 under way"),
];

/// Names of what calls stand beside.
const LINES: &str = "two bare lines";
const CHANNELS: &str = "two SPSC channels, 48 B";

pub(super) const TARGETS: &[Target] = &[
    (Ratio("local, nothing, client", "local, nothing, Arc<dyn>"), 1.2),
    (Ratio("local, 48 B, client", "local, 48 B, Arc<dyn>"), 1.2),
    (Added("local, nothing, client", "local, nothing, Arc<dyn>"), 2.5),
    (Added("local, 48 B, client", "local, 48 B, Arc<dyn>"), 2.5),
    (Ratio("shared, 48 B", LINES), 1.25),
    // 10 million calls a second in a process, 20,000 between two, one at a time and as many under way as
    // are asked for.
    (Time("local, 48 B, client"), 100.0),
    (Time("shared, 48 B, 10,000 under way"), 100.0),
    (Time("shared, 48 B"), 50_000.0),
    (Time("shared, 48 B, 1,000 under way"), 50_000.0),
];

/// Finds nanoseconds per call.
type Measure = fn(&Place) -> Result<f64>;

/// What is measured, and how.
const MEASURED: &[(&str, Measure)] = &[
    (LINES, trips::lines),
    (CHANNELS, trips::channels),
    ("shared, nothing", trips::nothing),
    ("shared, 48 B", trips::words),
    ("shared, 1 KiB", trips::block),
    ("shared, 1 MiB in and out", trips::bytes),
    ("shared, a record", trips::note),
    ("shared, 48 B, 32 under way", |place| flow::pipelined(place, 32)),
    ("shared, 48 B, 1,000 under way", |place| flow::pipelined(place, 1000)),
    ("shared, 48 B, 10,000 under way", |place| flow::pipelined(place, 10_000)),
    ("shared, 48 B, batches of 32", flow::batches),
    ("shared, 48 B, 8 clients", |place| flow::clients(place, 8)),
    ("shared, 48 B, one-way", flow::one_way),
];

/// Where, and how much.
struct Place {
    /// Calls where many are under way.
    count: u64,
    near: usize,
    far: usize,
    clock: Clock,
}

/// For one round trip, so many calls of a flow, and for one call of 1 MiB so many round trips: rounds are
/// to last about as long.
const FLOW_PER_TRIP: u64 = 8;
const TRIPS_PER_MIB: u64 = 512;

/// Calls between two clock readings, unless that leaves less than so many blocks.
const BLOCK: u64 = 256;
const LEAST_BLOCKS: u64 = 32;

/// Everything once, beginning with another each time.
pub(super) fn round(
    turn: u64,
    count: u64,
    (near, far): (usize, usize),
    clock: Clock,
) -> Result<Row> {
    let place = Place { count, near, far, clock };
    let mut row = local::round(&place)?;
    for (name, measure) in in_turn(turn, MEASURED) {
        row.insert(name, measure(&place)?);
    }
    Ok(row)
}

/// The channel of calls of 48 bytes.
fn plain() -> Calls {
    Calls::unnamed("bench").max_len(48).clients(1)
}

impl Place {
    /// Nanoseconds per call of about `count`, made by `call` after some that are not timed, which is given
    /// their number: the median of blocks without clock readings inside. What kept a thread from its core
    /// is in few of them.
    fn per_call(&self, count: u64, mut call: impl FnMut(u64) -> Result<()>) -> Result<f64> {
        let (all, block) = (Self::with_warm_up(count), (count / LEAST_BLOCKS).clamp(1, BLOCK));
        let mut number = all - count;
        (0..number).try_for_each(&mut call)?;
        let mut blocks = Vec::new();
        while number < all {
            let end = all.min(number + block);
            let began = ticks();
            (number..end).try_for_each(&mut call)?;
            blocks.push(self.clock.ns(ticks() - began) / (end - number) as f64);
            number = end;
        }
        median(&blocks).context("nothing was called")
    }

    /// How many calls are made if `count` are timed.
    fn with_warm_up(count: u64) -> u64 {
        count + count / 8 + 1
    }

    /// What `measure` finds with one client, which polls, of a server on the other core.
    fn with_client(
        &self,
        calls: Calls,
        measure: impl FnOnce(&EchoClient) -> Result<f64>,
    ) -> Result<f64> {
        self.with_server(calls, |connect| measure(&connect(Wait::BusySpin)?))
    }

    /// The same, of as many clients as are made, each of which waits as it is told.
    fn with_server(
        &self,
        calls: Calls,
        measure: impl FnOnce(&(dyn Fn(Wait) -> Result<EchoClient> + Sync)) -> Result<f64>,
    ) -> Result<f64> {
        let segment = Arc::new(calls.schema(SCHEMA).segment()?);
        let given = || Calls::given(Arc::clone(&segment)).schema(SCHEMA);
        let server = given().server()?;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| -> Result<()> {
                clock::pin(self.far)?;
                Ok(Serving::new(server).serve_until(|_| over.load(Relaxed))?)
            });
            let measured = measure(&|wait| Ok(echo::connect(given().wait(wait).client()?)?));
            over.store(true, Relaxed);
            serving.join().map_err(|_| anyhow!("the server panicked"))??;
            measured
        })
    }
}
