//! The `strait` command.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use strait_tools::allocations::CountingAllocator;
use strait_tools::{bench, operate, verify};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Shows and removes Strait's channels, and measures them on this machine.
#[derive(Debug, Parser)]
#[command(name = "strait", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What channels there are: who has them open, and how much is unread.
    List(operate::ListOptions),
    /// Everything about one channel, or what is wrong with it.
    Inspect(operate::InspectOptions),
    /// All channels, live: how much goes through, how full they are, who holds up whom.
    Top(operate::TopOptions),
    /// Removes channels that no process has open, with whatever messages are left in them.
    Clean(operate::CleanOptions),
    /// Round trips, one-way latency and streams between two pinned processes.
    #[command(subcommand)]
    Bench(bench::Command),
    /// The performance guide's figures, each with ours beside it.
    Verify(verify::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::List(options) => operate::list(&options),
        Command::Inspect(options) => operate::inspect(&options),
        Command::Top(options) => operate::top(&options),
        Command::Clean(options) => operate::clean(&options),
        Command::Bench(command) => bench::command(command),
        Command::Verify(options) => verify::command(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
