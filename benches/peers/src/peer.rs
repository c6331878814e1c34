//! Who is measured, and in which cases.

use crate::case::{Case, LONG, Workload};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A way to send messages.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// Strait's channel of one sender and one receiver, both polling.
    Strait,
    /// The same, whose sides sleep at once.
    StraitAsleep,
    /// Calls of a service of Strait's.
    StraitService,
    /// Strait's broadcast.
    StraitBroadcast,
    /// Strait's channel of several senders and receivers.
    StraitMpmc,
    /// Bare cache lines, which carry nothing.
    Raw,
    /// rtrb, message by message.
    Rtrb,
    /// rtrb, in chunks.
    RtrbChunks,
    /// crossbeam's `ArrayQueue`.
    ArrayQueue,
    /// crossbeam's channel.
    Crossbeam,
    /// kanal's channel.
    Kanal,
    /// disruptor-rs.
    Disruptor,
    /// ringfire, lossless; of long messages, its arena, which is lossy.
    Ringfire,
    /// iceoryx2, publish-subscribe.
    Iceoryx2,
    /// iceoryx2, request-response.
    Iceoryx2Calls,
    /// ipc-channel's byte channel.
    IpcChannel,
    /// Event counters.
    Eventfd,
    /// Pipes.
    Pipe,
    /// A pair of Unix stream sockets.
    Socket,
    /// ZeroMQ's PAIR sockets.
    #[cfg(feature = "zeromq")]
    ZeroMq,
    /// Aeron's IPC publications.
    #[cfg(feature = "aeron")]
    Aeron,
}

use Peer::{
    ArrayQueue, Crossbeam, Disruptor, Eventfd, Iceoryx2, Iceoryx2Calls, IpcChannel, Kanal, Pipe,
    Raw, Ringfire, Rtrb, RtrbChunks, Socket, Strait, StraitAsleep, StraitBroadcast, StraitMpmc,
    StraitService,
};

/// Peers that are not built by default: the feature, and what it needs.
pub(crate) const OPTIONAL: [(&str, &str); 2] = [
    ("zeromq", "a C++ compiler, with which its crate builds libzmq: `apt-get install g++`"),
    (
        "aeron",
        "cmake 3.30 or later, a C++ compiler, libclang, libbsd, libuuid and rustfmt: `apt-get install \
         g++ make libclang-dev libbsd-dev uuid-dev`, `pip install 'cmake>=3.30,<4'`; its \
         media driver is one more thread, on the same cores if there are only two",
    ),
];

impl Peer {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// Its name on the command line, in tables and in JSON; the crate that it comes from; what it is, and how it is
    /// used here.
    fn facts(self) -> (&'static str, Option<&'static str>, &'static str) {
        let ours = Some("strait");
        match self {
            Strait => (
                "strait",
                ours,
                "`spsc`: plain messages by value; of more than 1 KiB, written and read where they lie",
            ),
            StraitAsleep => ("strait-asleep", ours, "`spsc` with `Wait::Park`"),
            StraitService => (
                "strait-service",
                ours,
                "a `#[service]`: plain arguments by value; of more than 1 KiB, `&[u64]` in and `Vec<u64>` out",
            ),
            StraitBroadcast => {
                ("strait-broadcast", ours, "`broadcast`, receivers that the sender waits for")
            }
            StraitMpmc => (
                "strait-mpmc",
                ours,
                "`mpmc`, `Wait::Backoff`, between threads here; survives the death of any side",
            ),
            Raw => ("raw", None, "a counter in a cache line each way: nothing is carried"),
            Rtrb => (
                "rtrb",
                Some("rtrb"),
                "`push` and `pop`; of more than 1 KiB, one chunk for each message",
            ),
            RtrbChunks => ("rtrb-chunks", Some("rtrb"), "`write_chunk_uninit` and `read_chunk`"),
            ArrayQueue => (
                "array-queue",
                Some("crossbeam-queue"),
                "`push` and `pop`, polled; of more than 1 KiB, a `Box` for each message",
            ),
            Crossbeam => (
                "crossbeam",
                Some("crossbeam-channel"),
                "`bounded`, `send` and `recv`; of more than 1 KiB, a `Box` for each message; fan-out: a channel \
                 for each receiver",
            ),
            Kanal => (
                "kanal",
                Some("kanal"),
                "`bounded`, `send` and `recv`; of more than 1 KiB, a `Box` for each message",
            ),
            Disruptor => (
                "disruptor",
                Some("disruptor"),
                "`build_single_producer`, `BusySpin`, `EventPoller`; events written and read in place",
            ),
            Ringfire => (
                "ringfire",
                Some("ringfire"),
                "`LosslessBackpressure`, `try_recv` with `spin_loop`; of more than 1 KiB, its arena, which is \
                 lossy, and so in no stream",
            ),
            Iceoryx2 => (
                "iceoryx2",
                Some("iceoryx2"),
                "`ipc::Service`, `loan_uninit` and `receive` polled; but for round trips, no overflow, and a buffer \
                 like the others'; of more \
                 than 1 KiB, slices",
            ),
            Iceoryx2Calls => (
                "iceoryx2-calls",
                Some("iceoryx2"),
                "`ipc::Service` `request_response`, polled; of more than 1 KiB, slices",
            ),
            IpcChannel => ("ipc-channel", Some("ipc-channel"), "`bytes_channel`"),
            Eventfd => ("eventfd", None, "`eventfd`, a blocking `read`: 8 bytes"),
            Pipe => ("pipe", None, "`pipe`, a blocking `read`"),
            Socket => ("socket", None, "`socketpair` of Unix streams, a blocking `read`"),
            #[cfg(feature = "zeromq")]
            Peer::ZeroMq => (
                "zeromq",
                Some("zmq"),
                "PAIR sockets over `ipc://`, a blocking `recv`; one I/O thread in each process",
            ),
            #[cfg(feature = "aeron")]
            Peer::Aeron => (
                "aeron",
                Some("rusteron-client"),
                "exclusive publications over `aeron:ipc`, `try_claim` and `poll`; of more than 1 KiB, \
                 `offer` and a fragment assembler; the media driver a thread, `SHARED`, backing off",
            ),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.facts().0
    }

    pub(crate) fn package(self) -> Option<&'static str> {
        self.facts().1
    }

    pub(crate) fn about(self) -> &'static str {
        self.facts().2
    }

    /// Whether it is Strait.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Strait | StraitAsleep | StraitService | StraitBroadcast | StraitMpmc)
    }

    /// Whether its two sides are threads of one process, not two processes.
    pub(crate) fn in_process(self) -> bool {
        matches!(self, StraitMpmc | Rtrb | RtrbChunks | ArrayQueue | Crossbeam | Kanal | Disruptor)
    }

    /// What its two sides are.
    pub(crate) fn between(self) -> &'static str {
        if self.in_process() { "threads" } else { "processes" }
    }

    /// Whether it is measured in that case.
    pub(crate) fn can(self, case: Case) -> bool {
        let long = case.size > LONG;
        if self == Raw {
            // It carries nothing, however long.
            return matches!(case.workload, Workload::RoundTrip | Workload::Paced)
                && case.size <= 64;
        }
        // With optional ones left out, some arms would be all there is.
        match case.workload {
            Workload::RoundTrip => match self {
                Strait | Rtrb | ArrayQueue | Crossbeam | Kanal | Disruptor | Ringfire
                | Iceoryx2 => true,
                #[cfg(feature = "aeron")]
                Peer::Aeron => true,
                _ => false,
            },
            Workload::Asleep => match self {
                Eventfd => case.size == 8,
                StraitAsleep | Pipe | Socket | IpcChannel => true,
                #[cfg(feature = "zeromq")]
                Peer::ZeroMq => true,
                _ => false,
            },
            Workload::Calls => matches!(self, StraitService | Iceoryx2Calls),
            Workload::Paced => match self {
                Strait | Rtrb | ArrayQueue | Crossbeam | Kanal | Disruptor | Ringfire
                | Iceoryx2 | Pipe | Socket | IpcChannel => true,
                #[cfg(feature = "zeromq")]
                Peer::ZeroMq => true,
                #[cfg(feature = "aeron")]
                Peer::Aeron => true,
                _ => false,
            },
            Workload::Stream => match self {
                Ringfire => !long,
                Strait | Rtrb | ArrayQueue | Crossbeam | Kanal | Disruptor | Iceoryx2 | Pipe
                | Socket | IpcChannel => true,
                #[cfg(feature = "zeromq")]
                Peer::ZeroMq => true,
                #[cfg(feature = "aeron")]
                Peer::Aeron => true,
                _ => false,
            },
            Workload::Batches => matches!(self, Strait | RtrbChunks | Disruptor | Ringfire),
            Workload::FanOut1 | Workload::FanOut8 => {
                matches!(self, StraitBroadcast | Crossbeam | Disruptor | Ringfire | Iceoryx2)
            }
            Workload::Mpmc1 | Workload::Mpmc2 => {
                matches!(self, StraitMpmc | ArrayQueue | Crossbeam | Kanal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn everybody_has_a_name_and_a_case() {
        let names: BTreeSet<&str> = Peer::all().map(Peer::name).collect();
        assert_eq!(names.len(), Peer::all().count());
        for peer in Peer::all() {
            assert!(Case::all().any(|case| peer.can(case)), "{peer:?}");
        }
    }
}
