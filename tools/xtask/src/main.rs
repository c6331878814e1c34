//! Strait's own chores. `cargo xtask ci` is the gate; every step of it is also a command.
//!
//! | module | holds |
//! |---|---|
//! | `gate` | runs steps, times them, prints the summary |
//! | `workspace` | where the workspace is, and cargo commands in each of its builds |
//! | `process` | child processes with deadlines |
//! | `checks` | steps that are one or two cargo commands |
//! | `ledger` | every memory ordering of the sources against `loom-tests/ledger.toml` |
//! | `models` | the loom models, and the mutations that the ledger asks for |
//! | `probes` | the machine code of the hot paths |
//! | `dependencies` | size, licences and sources of the dependency tree |
//! | `examples` | runs every example once |
//! | `torture` | kills processes at every step and at random |
//! | `sanitize` | unit tests under AddressSanitizer and ThreadSanitizer |
//! | `compat` | an earlier revision's examples beside today's |

mod checks;
mod compat;
mod dependencies;
mod examples;
mod gate;
mod ledger;
mod models;
mod probes;
mod process;
mod sanitize;
mod torture;
mod workspace;

use clap::{Parser, Subcommand};
use gate::Step;
use std::process::ExitCode;
use workspace::Workspace;

/// Strait's chores: `ci` runs the whole gate, every other command one step of it.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// The gate: every step, stopping at the first that fails.
    Ci {
        /// Run the remaining steps after a failure as well.
        #[arg(long)]
        keep_going: bool,
    },
    /// Formatting.
    Fmt,
    /// Lints, in the plain, the loom and the counting build.
    Clippy,
    /// Unit, integration and documentation tests.
    Test,
    /// The API documentation, without warnings.
    Doc,
    /// The loom models.
    Loom {
        /// Then weaken every ordering that the ledger pins on a model and demand that it fails.
        #[arg(long)]
        mutations: bool,
        /// Only the mutations of this site, after its model alone.
        #[arg(long, value_name = "SITE", requires = "mutations")]
        site: Option<String>,
    },
    /// The orderings in the sources against the ordering ledger.
    Ledger {
        /// Print the table of sites and how each is shown to be needed.
        #[arg(long)]
        list: bool,
    },
    /// Budgets of atomic operations.
    Budgets,
    /// No locked instruction or full fence in the hot paths' machine code.
    Probes,
    /// Size, licences and sources of the dependency tree.
    Deps,
    /// Runs every example once.
    Examples,
    /// The `hello` examples of an earlier revision with today's: they understand each other, or one
    /// is refused by name.
    Compat {
        /// The earlier revision, if not the last tag.
        #[arg(long, value_name = "REV")]
        against: Option<String>,
    },
    /// Kills processes at every step and at random moments, and judges what the others saw.
    Torture {
        /// What to pass on (see `cargo xtask torture -- --help`); without any, the gate's.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The unit tests of pools and rings under AddressSanitizer and ThreadSanitizer, with a nightly
    /// toolchain, where there is one. No part of the gate.
    Sanitize,
    /// The tests of the program that measures Strait beside others. No part of the gate.
    Peers,
    /// Packages and builds every published crate as crates.io would.
    Package,
}

/// The gate, cheapest first.
const GATE: &[Step] = &[
    Step::new("fmt", checks::fmt),
    Step::new("ledger", ledger::check),
    Step::new("deps", dependencies::check),
    Step::new("clippy", checks::clippy),
    Step::new("test", checks::test),
    Step::new("doc", checks::doc),
    Step::new("loom", models::check),
    Step::new("mutations", models::mutate),
    Step::new("budgets", checks::budgets),
    Step::new("probes", probes::check),
    Step::new("examples", examples::check),
    Step::new("compat", compat::check),
    Step::new("torture", torture::check),
    Step::new("package", checks::package),
];

/// What is no part of the gate.
const BESIDE: &[Step] =
    &[Step::new("sanitize", sanitize::check), Step::new("peers", checks::peers)];

fn main() -> ExitCode {
    match perform(Cli::parse().chore) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the chore succeeded; a failed step has said why already.
fn perform(chore: Chore) -> anyhow::Result<bool> {
    let workspace = Workspace::find()?;
    let names: &[&str] = match chore {
        Chore::Ci { keep_going } => return Ok(gate::run(&workspace, GATE, keep_going)),
        Chore::Loom { mutations: true, site: Some(site) } => {
            println!("{}", models::mutate_site(&workspace, &site)?.note);
            return Ok(true);
        }
        Chore::Compat { against: Some(revision) } => {
            println!("{}", compat::against(&workspace, &revision)?.note);
            return Ok(true);
        }
        Chore::Torture { arguments } if !arguments.is_empty() => {
            return torture::run(&workspace, &arguments).map(|()| true);
        }
        Chore::Ledger { list: true } => return ledger::list(&workspace).map(|()| true),
        Chore::Fmt => &["fmt"],
        Chore::Clippy => &["clippy"],
        Chore::Test => &["test"],
        Chore::Doc => &["doc"],
        Chore::Loom { mutations: false, .. } => &["loom"],
        Chore::Loom { mutations: true, .. } => &["loom", "mutations"],
        Chore::Ledger { list: false } => &["ledger"],
        Chore::Budgets => &["budgets"],
        Chore::Probes => &["probes"],
        Chore::Deps => &["deps"],
        Chore::Examples => &["examples"],
        Chore::Torture { .. } => &["torture"],
        Chore::Compat { against: None } => &["compat"],
        Chore::Package => &["package"],
        Chore::Sanitize => &["sanitize"],
        Chore::Peers => &["peers"],
    };
    let all = GATE.iter().chain(BESIDE);
    let steps: Vec<Step> = all.filter(|step| names.contains(&step.name)).copied().collect();
    Ok(gate::run(&workspace, &steps, false))
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
