//! Builds and runs the killing of processes at every step, `tools/torture`.

use crate::gate::Outcome;
use crate::process::{output_of, succeed};
use crate::workspace::{Build, Workspace};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// In the gate: enough for every mark to be reached several times, in less than a minute.
const GATE: &[&[&str]] = &[
    &["--kills", "600", "--seed", "1"],
    &["--of", "broadcast", "--kills", "400", "--seed", "1"],
    &["--of", "latest", "--kills", "300", "--seed", "1"],
    &["--of", "lanes", "--kills", "300", "--seed", "1"],
    &["--of", "mpmc", "--kills", "300", "--seed", "1"],
    &["--of", "directory", "--kills", "300", "--seed", "1"],
    &["--of", "calls", "--kills", "300", "--seed", "1"],
];

/// The step of the gate.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let program = build(workspace)?;
    let (mut verdicts, mut skipped) = (Vec::new(), Vec::new());
    for arguments in GATE {
        let report = output_of(Command::new(&program).args(*arguments))?;
        print!("{report}");
        verdicts.push(report.lines().next_back().context("no report")?.to_owned());
        let lines = report.lines().filter(|line| line.starts_with("skipped "));
        skipped.extend(lines.map(str::to_owned));
    }
    Ok(Outcome { note: verdicts.join("; "), skipped })
}

/// Runs it with these arguments; an error unless nothing was found.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    succeed(Command::new(build(workspace)?).args(arguments))
}

/// The program, with fail points: in a target directory of its own, so that nothing else is built with
/// them.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target.join("torture");
    let profile = ["--profile", PROFILE];
    let arguments = ["build", "--quiet", "--package", PACKAGE, "--bin", PACKAGE];
    let arguments = [&arguments[..], &profile].concat();
    let mut cargo = workspace.cargo(Build::Plain, &arguments);
    succeed(cargo.args(["--features", "fail-points"]).env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join(PROFILE).join(PACKAGE))
}

const PACKAGE: &str = "strait-torture";
/// Optimised as what users get is, and sooner built.
const PROFILE: &str = "torture";
