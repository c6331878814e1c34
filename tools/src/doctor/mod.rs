//! `strait doctor`: whether this machine is set up for shared memory of low latency.
//!
//! It reads what any user may read, and changes nothing. Every finding has a name, what was found, a
//! verdict, why it matters and, where there is one, the command that mends it. What cannot be read is
//! unknown, never guessed.
//!
//! | file | what it holds |
//! |---|---|
//! | `finding.rs` | what is said of one thing |
//! | `machine.rs` | what is looked at: files below a root, and what system calls tell |
//! | `memory.rs` | where segments lie, and what becomes of their pages |
//! | `cores.rs` | which cores there are, and what takes them away |
//! | `processes.rs` | containers, namespaces, core dumps, users that log out |
//! | `kernel.rs` | clocks, mitigations, hypervisors |
//! | `guide.rs` | the performance guide's settings and limits |
//! | `measure.rs` | which cores are near each other, and how often each is taken away |
//! | `show.rs` | the page |

mod cores;
mod finding;
mod guide;
mod kernel;
mod machine;
mod measure;
mod memory;
mod processes;
mod show;
#[cfg(test)]
mod tests;

pub(crate) use finding::{Finding, Verdict};
pub(crate) use machine::{Limit, Machine, Process};

use crate::environment::{Environment, environment};
use anyhow::{Context, Result};
use measure::Measured;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to look at, and how to tell.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where the channels' files are
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    directory: PathBuf,
    /// Tell notes in full as well, and what is in order
    #[arg(short, long, conflicts_with = "json")]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Let warnings count as problems
    #[arg(long)]
    strict: bool,
    /// Measure for a second at most, fewer cores
    #[arg(long)]
    quick: bool,
    /// Measure nothing
    #[arg(long, conflicts_with = "quick")]
    no_measure: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Whether there is no problem, nor with `--strict` a warning.
    healthy: bool,
    directory: &'a Path,
    counts: BTreeMap<&'static str, usize>,
    findings: &'a [Finding],
    measured: Option<&'a Measured>,
    environment: &'a Environment,
}

/// Looks at everything and prints what it found; returns whether the machine is healthy.
///
/// # Errors
///
/// There is no such directory, or a measurement fails.
pub fn command(options: &Options) -> Result<bool> {
    let process = Process::here(&options.directory)?;
    let machine = Machine { root: Path::new("/"), process };
    let mut findings = audit(&machine);
    let measured = if options.no_measure {
        None
    } else {
        let effort = if options.quick { measure::QUICK } else { measure::FULL };
        let measured = measure::measure(&machine.process.cores, effort)
            .context("cannot measure; --no-measure leaves that out")?;
        findings.extend(in_group(show::MEASURED, measure::findings(&measured)));
        Some(measured)
    };
    let environment = environment();
    let healthy = healthy(&findings, options.strict);
    let text = if options.json {
        let report = Report {
            healthy,
            directory: &machine.process.directory,
            counts: counts(&findings),
            findings: &findings,
            measured: measured.as_ref(),
            environment: &environment,
        };
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        show::page(&findings, measured.as_ref(), &environment, options.all)
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(healthy)
}

/// All that can be said without measuring.
pub(crate) fn audit(machine: &Machine<'_>) -> Vec<Finding> {
    let all = |checks: &[fn(&Machine<'_>) -> Finding]| {
        checks.iter().map(|check| check(machine)).collect::<Vec<_>>()
    };
    [
        in_group("shared memory", all(memory::CHECKS)),
        in_group("cores", all(cores::CHECKS)),
        in_group("processes", all(processes::CHECKS)),
        in_group("clock and kernel", all(kernel::CHECKS)),
        in_group("limits", guide::limits(machine)),
        in_group("network and System V: nothing to shared memory", guide::others(machine)),
    ]
    .concat()
}

fn in_group(group: &'static str, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.iter_mut().for_each(|finding| finding.group = group);
    findings
}

fn healthy(findings: &[Finding], strict: bool) -> bool {
    let worst = if strict { Verdict::Warning } else { Verdict::Problem };
    findings.iter().all(|finding| finding.verdict > worst)
}

fn counts(findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let of = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    Verdict::ALL.into_iter().map(|verdict| (verdict.word(), of(verdict))).collect()
}
