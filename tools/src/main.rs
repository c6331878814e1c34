//! The `strait` command.

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use strait_tools::allocations::CountingAllocator;
use strait_tools::{bench, doctor, examples, manual, operate, verify};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Shows and removes Strait's channels, and measures them on this machine.
#[derive(Debug, Parser)]
#[command(name = "strait", version, after_help = examples::STRAIT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What channels there are: who has them open, and how much is unread.
    #[command(after_help = examples::LIST)]
    List(operate::ListOptions),
    /// Everything about one channel, or what is wrong with it.
    #[command(after_help = examples::INSPECT)]
    Inspect(operate::InspectOptions),
    /// All channels, live: how much goes through, how full they are, who holds up whom.
    #[command(after_help = examples::TOP)]
    Top(operate::TopOptions),
    /// Removes channels that no process has open, with whatever messages are left in them.
    #[command(after_help = examples::CLEAN)]
    Clean(operate::CleanOptions),
    /// Whether this machine is set up for shared memory of low latency, and what mends it.
    #[command(after_help = examples::DOCTOR)]
    Doctor(doctor::Options),
    /// Round trips, one-way latency and streams between two pinned processes.
    #[command(subcommand, after_help = examples::BENCH)]
    Bench(bench::Command),
    /// The performance guide's figures, each with ours beside it.
    #[command(after_help = examples::VERIFY)]
    Verify(verify::Options),
    /// A script that completes this command's words in a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions(manual::CompletionsOptions),
    /// The manual: its first page, or all of them into a directory.
    #[command(after_help = examples::MAN)]
    Man(manual::ManOptions),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // 1 says that `doctor` found a problem, not that it could not look.
    let failure = if matches!(command, Command::Doctor(_)) { 2 } else { 1 };
    match run(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(failure)
        }
    }
}

/// Whether all is well with what was looked at.
fn run(command: Command) -> Result<bool> {
    match command {
        Command::List(options) => operate::list(&options)?,
        Command::Inspect(options) => operate::inspect(&options)?,
        Command::Top(options) => operate::top(&options)?,
        Command::Clean(options) => operate::clean(&options)?,
        Command::Doctor(options) => return doctor::command(&options),
        Command::Bench(command) => bench::command(command)?,
        Command::Verify(options) => verify::command(&options)?,
        Command::Completions(options) => manual::completions(&Cli::command(), &options)?,
        Command::Man(options) => manual::man(&Cli::command(), &options)?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Each visible command with the words that lead to it.
    fn visible(command: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
        let below = command.get_subcommands().filter(|below| !below.is_hide_set());
        let below =
            below.flat_map(|below| visible(below, &format!("{words} {}", below.get_name())));
        std::iter::once((words.to_owned(), command.clone())).chain(below).collect()
    }

    /// The commands in an `Examples:` part: lines set in by two blanks, up to the explanation.
    fn examples(help: &str) -> Vec<&str> {
        let part = help.split_once("Examples:\n").map_or("", |(_, part)| part);
        let lines = part.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        lines.map(|line| line.trim_start().split("  ").next().unwrap_or("")).collect()
    }

    #[test]
    fn every_command_has_examples_that_it_understands() {
        for (words, command) in visible(&Cli::command(), "strait") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = examples(&help);
            assert!(!examples.is_empty(), "`{words} --help` has no examples");
            assert!(examples.iter().any(|example| example.starts_with(&words)), "{words}");
            for example in examples {
                // What follows is the shell's.
                let example = example.split(['>', '|']).next().unwrap_or("");
                let parsed = Cli::try_parse_from(example.split_whitespace());
                assert!(parsed.is_ok(), "{words}: `{example}`: {}", parsed.unwrap_err());
            }
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{words}: too wide");
        }
    }

    #[test]
    fn every_visible_command_is_completed_and_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let written = manual::write_pages(&Cli::command(), folder.path()).unwrap();
        let commands = visible(&Cli::command(), "strait");
        let expected = commands
            .iter()
            .map(|(words, _)| folder.path().join(format!("{}.1", words.replace(' ', "-"))));
        let mut expected: Vec<_> = expected.collect();
        expected.sort();
        assert_eq!(written, expected);
        for (words, command) in commands {
            let path = folder.path().join(format!("{}.1", words.replace(' ', "-")));
            let page = std::fs::read_to_string(path).unwrap();
            assert!(page.contains(".SH EXAMPLES\n"), "{page}");
            assert!(!page.contains("partner"), "{page}");
            for example in examples(&command.get_after_help().unwrap().to_string()) {
                assert!(page.replace('\\', "").contains(example), "`{example}` in {page}");
            }
        }
    }

    #[test]
    fn scripts_know_every_visible_command() {
        for shell in <manual::Shell as clap::ValueEnum>::value_variants() {
            let script = String::from_utf8(manual::script(&Cli::command(), *shell)).unwrap();
            for (words, _) in visible(&Cli::command(), "strait") {
                let name = words.rsplit(' ').next().unwrap();
                assert!(script.contains(name), "no {name} for {shell}");
            }
            assert!(script.contains("keep-unread"), "{shell}");
            assert!(!script.contains("partner"), "{shell}");
        }
    }
}
