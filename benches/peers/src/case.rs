//! What is measured: a way to use a channel, and a size of messages.

use crate::peer::Peer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A way to use a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// A message there and one back, one at a time: the closed loop. Sides poll.
    RoundTrip,
    /// Half of one between sides that sleep until woken.
    Asleep,
    /// A request there and a response back, one at a time.
    Calls,
    /// A message every so often, timed from when it was due: the open loop.
    Paced,
    /// As many messages as go through, one by one.
    Stream,
    /// The same in batches of [`BATCH`].
    Batches,
    /// As many as go through to one receiver, which reads them all.
    #[serde(rename = "fan-out-1")]
    FanOut1,
    /// The same to eight receivers, which take turns on one core.
    #[serde(rename = "fan-out-8")]
    FanOut8,
    /// As many as go from one sender to one receiver, through what is made for several.
    #[serde(rename = "mpmc-1")]
    Mpmc1,
    /// The same from two senders to two receivers, of which each message reaches one.
    #[serde(rename = "mpmc-2")]
    Mpmc2,
}

/// Messages in a batch.
pub(crate) const BATCH: u64 = 32;

/// Messages per second of [`Workload::Paced`]: every peer but those that sleep has room to spare.
pub(crate) const PACE: f64 = 100_000.0;

impl Workload {
    pub(crate) const ALL: [Self; 10] = [
        Self::RoundTrip,
        Self::Asleep,
        Self::Calls,
        Self::Paced,
        Self::Stream,
        Self::Batches,
        Self::FanOut1,
        Self::FanOut8,
        Self::Mpmc1,
        Self::Mpmc2,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round-trip",
            Self::Asleep => "asleep",
            Self::Calls => "calls",
            Self::Paced => "paced",
            Self::Stream => "stream",
            Self::Batches => "batches",
            Self::FanOut1 => "fan-out-1",
            Self::FanOut8 => "fan-out-8",
            Self::Mpmc1 => "mpmc-1",
            Self::Mpmc2 => "mpmc-2",
        }
    }

    /// What it is, for a heading.
    pub(crate) fn title(self) -> String {
        match self {
            Self::RoundTrip => "Round trip, both sides polling".to_owned(),
            Self::Asleep => {
                "Hop between sides that sleep until woken: half a round trip".to_owned()
            }
            Self::Calls => "Request and response".to_owned(),
            Self::Paced => {
                format!("One way, {PACE} messages a second, timed from when each was due")
            }
            Self::Stream => "Stream, message by message".to_owned(),
            Self::Batches => format!("Stream in batches of {BATCH}"),
            Self::FanOut1 => "Fan-out to one receiver".to_owned(),
            Self::FanOut8 => {
                "Fan-out to eight receivers on one core, each reading everything".to_owned()
            }
            Self::Mpmc1 => "Many to many: one sender, one receiver".to_owned(),
            Self::Mpmc2 => "Many to many: two senders and two receivers on two cores".to_owned(),
        }
    }

    /// What the others are compared with.
    pub(crate) fn ours(self) -> Peer {
        match self {
            Self::RoundTrip | Self::Paced | Self::Stream | Self::Batches => Peer::Strait,
            Self::Asleep => Peer::StraitAsleep,
            Self::Calls => Peer::StraitService,
            Self::FanOut1 | Self::FanOut8 => Peer::StraitBroadcast,
            Self::Mpmc1 | Self::Mpmc2 => Peer::StraitMpmc,
        }
    }

    /// Whether times are measured; else rates.
    pub(crate) fn is_latency(self) -> bool {
        matches!(self, Self::RoundTrip | Self::Asleep | Self::Calls | Self::Paced)
    }

    /// Receivers that each read everything.
    pub(crate) fn readers(self) -> usize {
        if self == Self::FanOut8 { 8 } else { 1 }
    }

    /// Sizes of messages, in bytes.
    fn sizes(self) -> &'static [usize] {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;
        match self {
            Self::RoundTrip | Self::Stream | Self::Calls => &[8, 64, KIB, 64 * KIB, MIB],
            Self::Asleep => &[8, 64, KIB, 64 * KIB],
            Self::Paced => &[64, KIB],
            Self::Batches => &[8, 64, KIB],
            Self::FanOut1 | Self::FanOut8 => &[64, KIB],
            Self::Mpmc1 | Self::Mpmc2 => &[64],
        }
    }
}

/// A workload with messages of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) workload: Workload,
    /// Bytes per message: a multiple of 8.
    pub(crate) size: usize,
}

/// Messages of more bytes than these are not moved by value.
pub(crate) const LONG: usize = 1 << 10;

impl Case {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of =
            |workload: Workload| workload.sizes().iter().map(move |&size| Self { workload, size });
        Workload::ALL.into_iter().flat_map(of)
    }

    /// Everybody who can do it.
    pub(crate) fn peers(self) -> impl Iterator<Item = Peer> {
        Peer::all().filter(move |peer| peer.can(self))
    }

    /// "round-trip/64".
    pub(crate) fn name(self) -> String {
        format!("{}/{}", self.workload.name(), self.size)
    }

    pub(crate) fn words(self) -> usize {
        self.size / 8
    }

    /// Messages that a ring holds: 1024, or what 2 MiB hold, but at least 4.
    pub(crate) fn capacity(self) -> usize {
        let fit = (2 << 20) / self.size;
        1 << fit.clamp(4, 1024).ilog2()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// "64 B", "1 KiB", "1 MiB".
pub(crate) fn bytes(size: usize) -> String {
    match size {
        0x10_0000.. => format!("{} MiB", size >> 20),
        0x400.. => format!("{} KiB", size >> 10),
        _ => format!("{size} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_case_has_a_name_of_its_own_and_somebody_beside_ours() {
        let names: BTreeSet<String> = Case::all().map(Case::name).collect();
        assert_eq!(names.len(), Case::all().count());
        for case in Case::all() {
            let peers: Vec<Peer> = case.peers().collect();
            assert!(peers.contains(&case.workload.ours()), "{case}: {peers:?}");
            assert!(peers.len() > 1, "{case}: {peers:?}");
        }
    }

    #[test]
    fn rings_hold_a_power_of_two() {
        let capacity = |size| Case { workload: Workload::Stream, size }.capacity();
        assert_eq!([8, 1024, 65_536, 1 << 20].map(capacity), [1024, 1024, 32, 4]);
        assert_eq!([64, 1024, 1 << 16, 1 << 20].map(bytes), ["64 B", "1 KiB", "64 KiB", "1 MiB"]);
    }
}
