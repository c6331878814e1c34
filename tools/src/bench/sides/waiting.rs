//! How Strait's sides wait, and on what kind of ring.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strait::{Spsc, Wait};

/// The strategies of [`Wait`], as they are called on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Poll all the time.
    #[default]
    BusySpin,
    /// Poll with pauses that double, then give the core away.
    Backoff,
    /// Give the core away between polls.
    Yield,
    /// Sleep at once.
    Park,
    /// Poll first if that pays, then sleep.
    Adaptive,
}

impl From<Strategy> for Wait {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::BusySpin => Wait::BusySpin,
            Strategy::Backoff => Wait::Backoff,
            Strategy::Yield => Wait::Yield,
            Strategy::Park => Wait::Park,
            Strategy::Adaptive => Wait::Adaptive,
        }
    }
}

/// How both sides of a channel wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct Waiting {
    /// How Strait's sides wait.
    #[arg(long = "wait", value_enum, default_value_t)]
    #[serde(rename = "wait")]
    pub strategy: Strategy,

    /// Pause instructions between two polls, where the strategy is to poll.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub pauses: u32,

    /// Measure a second channel beside the first, made for sides that may sleep.
    #[arg(long)]
    pub parking: bool,

    /// Whether they never look if the other side still exists.
    #[arg(skip)]
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unsliced: bool,
}

impl Waiting {
    /// Sides that sleep at once.
    pub const PARK: Self =
        Self { strategy: Strategy::Park, pauses: 0, parking: true, unsliced: false };
    /// Sides that poll before they sleep, if that pays.
    pub(in crate::bench) const ADAPTIVE: Self = Self { strategy: Strategy::Adaptive, ..Self::PARK };
    /// Sides that sleep until woken.
    pub(in crate::bench) const UNSLICED: Self = Self { unsliced: true, ..Self::PARK };

    /// Whether the sides do anything between two polls.
    pub(in crate::bench) fn pauses(self) -> bool {
        (self.strategy, self.pauses) != (Strategy::BusySpin, 0)
    }

    /// A channel whose sides wait like this.
    pub(super) fn on<T, V: strait::Trust>(self, channel: Spsc<T, V>) -> Spsc<T, V> {
        let channel = channel.wait(self.strategy.into()).pauses(self.pauses);
        let channel = if self.parking { channel.parking() } else { channel };
        if self.unsliced { channel.slice(Duration::MAX) } else { channel }
    }
}
