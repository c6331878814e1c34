//! Steps that are little more than a cargo command.

use crate::gate::Outcome;
use crate::process;
use crate::workspace::{Build, Workspace};
use anyhow::{Context, Result, ensure};
use cargo_metadata::MetadataCommand;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Its optional features need what a fresh machine has not: another messaging system each.
const PEERS: &str = "strait-peers";

pub(crate) fn fmt(workspace: &Workspace) -> Result<Outcome> {
    process::succeed(&mut workspace.cargo(Build::Plain, &["fmt", "--all", "--check"]))?;
    Ok(Outcome::default())
}

/// Code behind `cfg(loom)` and `cfg(strait_counting)` is invisible to the plain build, so each of
/// the three builds is linted.
pub(crate) fn clippy(workspace: &Workspace) -> Result<Outcome> {
    const LINTED: &[(Build, &[&str])] = &[
        (Build::Plain, &["--workspace", "--exclude", PEERS, "--all-targets", "--all-features"]),
        (Build::Plain, &["--package", PEERS, "--all-targets"]),
        (Build::Loom, &["--package", "strait-pools", "--lib"]),
        (Build::Loom, &["--package", "strait-ipc", "--lib"]),
        (Build::Loom, &["--package", "strait-loom-tests", "--all-targets"]),
        (Build::Counting, &["--package", "strait-pools", "--lib", "--test", "pool_budgets"]),
        (Build::Counting, &["--package", "strait-ipc", "--lib", "--test", "budgets"]),
    ];
    for (build, targets) in LINTED {
        let arguments = [&["clippy"], *targets, &["--", "-D", "warnings"]].concat();
        process::succeed(&mut workspace.cargo(*build, &arguments))?;
    }
    Ok("plain, loom and counting builds".to_owned().into())
}

/// With the optional features that add code; that everything builds without them is for `package`. The peers
/// are linted here, and tested by [`peers`]: to build half a dozen other libraries takes a minute.
pub(crate) fn test(workspace: &Workspace) -> Result<Outcome> {
    let all_but_peers = ["--workspace", "--exclude", PEERS, "--features=strait/tokio"];
    run_tests(workspace, Build::Plain, &all_but_peers)
}

pub(crate) fn peers(workspace: &Workspace) -> Result<Outcome> {
    run_tests(workspace, Build::Plain, &["--package", PEERS])
}

pub(crate) fn budgets(workspace: &Workspace) -> Result<Outcome> {
    let packages = ["--package", "strait-pools", "--package", "strait-ipc"];
    let tests = ["--test", "pool_budgets", "--test", "budgets"];
    run_tests(workspace, Build::Counting, &[packages, tests].concat())
}

/// `cargo test ARGUMENTS`, its output passed on, with the number of tests run and ignored.
///
/// No test at all is an error: a file that lost its tests must not pass in silence.
pub(crate) fn run_tests(
    workspace: &Workspace,
    build: Build,
    arguments: &[&str],
) -> Result<Outcome> {
    let mut cargo = workspace.cargo(build, &[&["test"], arguments].concat());
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo's output is not piped")?;
    let (mut passed, mut ignored) = (0, 0);
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        if let Some((ran, left_out)) = test_counts(&line) {
            passed += ran;
            ignored += left_out;
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "cargo test {} failed ({status})", arguments.join(" "));
    ensure!(passed > 0, "cargo test {} ran no test", arguments.join(" "));
    let skipped = if ignored > 0 { vec![format!("{ignored} ignored tests")] } else { Vec::new() };
    Ok(Outcome { note: format!("{passed} tests"), skipped })
}

/// Passed and ignored tests from a test binary's closing line.
fn test_counts(line: &str) -> Option<(usize, usize)> {
    let counts = line.strip_prefix("test result: ")?;
    let number_of = |what: &str| {
        let part = counts.split(['.', ';']).find_map(|part| part.trim().strip_suffix(what));
        part?.trim().parse().ok()
    };
    Some((number_of(" passed")?, number_of(" ignored")?))
}

pub(crate) fn doc(workspace: &Workspace) -> Result<Outcome> {
    let mut cargo = workspace.cargo(Build::Plain, &["doc", "--workspace", "--no-deps"]);
    process::succeed(cargo.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::default())
}

/// Assembles every published crate, and builds those that programs use from their archives alone. The command is
/// not built once more: what it is made with would take minutes to compile again, and its archive is its whole
/// folder.
pub(crate) fn package(workspace: &Workspace) -> Result<Outcome> {
    // Cargo takes a published package of one version to be always the same, so nothing of an earlier
    // run may be left: neither what it built nor what it unpacked.
    let target = workspace.target.join("dry-run");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    forget_unpacked()?;
    const PUBLISH: &[&str] = &["publish", "--dry-run", "--workspace", "--allow-dirty"];
    for more in [&["--no-verify"][..], &["--exclude", "strait-tools"]] {
        let mut cargo = workspace.cargo(Build::Plain, &[PUBLISH, more].concat());
        process::succeed(cargo.env("CARGO_TARGET_DIR", &target))?;
    }
    Ok(Outcome::default())
}

/// Removes what earlier dry runs unpacked in cargo's own folder.
fn forget_unpacked() -> Result<()> {
    let metadata = MetadataCommand::new().exec().context("cargo metadata")?;
    // <registry>/src/<index>/<package>/Cargo.toml
    let bought = metadata.packages.iter().find(|package| package.source.is_some());
    let unpacked = bought.and_then(|package| package.manifest_path.ancestors().nth(3));
    let Some(unpacked) = unpacked else { return Ok(()) };
    for index in fs::read_dir(unpacked)? {
        let index = index?;
        // A registry without a host name: one that cargo made in a folder, for a dry run.
        if index.file_name().to_string_lossy().starts_with('-') {
            for package in metadata.workspace_packages() {
                let copy = index.path().join(format!("{}-{}", package.name, package.version));
                if copy.exists() {
                    fs::remove_dir_all(&copy)?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_from_the_closing_line() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 4 filtered out; \
                    finished in 0.25s";
        assert_eq!(test_counts(line), Some((12, 3)));
        assert_eq!(test_counts("test ring::wraps ... ok"), None);
        assert_eq!(test_counts("running 3 tests"), None);
    }
}
