//! The `strait` command.

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use strait_tools::{bench, verify};

#[global_allocator]
static ALLOCATOR: verify::CountingAllocator = verify::CountingAllocator;

/// Measures Strait's channels on this machine.
#[derive(Debug, Parser)]
#[command(name = "strait", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Round trips, one-way latency and streams between two pinned processes.
    #[command(subcommand)]
    Bench(bench::Command),
    /// The performance guide's figures, each with ours beside it.
    Verify(verify::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
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
