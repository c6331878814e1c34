//! The supervisor's command line.

use clap::{Parser, ValueEnum};

/// Kills Strait's processes at every step and at random moments, and judges what the others saw.
#[derive(Clone, Debug, Parser)]
#[command(name = "strait-torture", bin_name = "cargo xtask torture")]
pub(crate) struct Options {
    /// On which channels.
    #[arg(long, value_enum, default_value_t = Of::Pairs)]
    pub(crate) of: Of,
    /// How many processes to kill, at least.
    #[arg(long, default_value_t = 1000)]
    pub(crate) kills: u64,
    /// What all choices follow from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Only this round of the seed.
    #[arg(long)]
    pub(crate) round: Option<u64>,
    /// Print the report as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the directory of a round with violations where it is, and name it.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Rounds at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=2))]
    pub(crate) jobs: u64,
}

/// On which channels processes are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Of {
    /// Those of one sender and one receiver.
    Pairs,
    /// Those whose messages go to all receivers. Without `--json`, `--keep` and `--jobs`.
    Broadcast,
    /// Those of latest values. Likewise.
    Latest,
    /// Those of many senders and one receiver. Likewise.
    Lanes,
    /// Those of many senders and many receivers, each of whose messages goes to one. Likewise.
    Mpmc,
    /// Directories, in which processes offer things and find them. Likewise.
    Directory,
    /// Those of calls: one server, and clients that call it. Likewise.
    Calls,
}
