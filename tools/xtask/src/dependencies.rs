//! The dependency tree: how large it is for users, under which licences, from where.

use crate::gate::Outcome;
use crate::process;
use crate::workspace::{Build, Workspace};
use anyhow::{Context, Result, bail};
use cargo_metadata::{MetadataCommand, Package};
use spdx::{Expression, LicenseReq, ParseMode};
use std::collections::BTreeSet;

/// Crates that a user of `strait` with default features builds at most, `strait` included.
const MOST_RUNTIME_CRATES: usize = 40;

/// Too heavy for the default runtime tree.
const NOT_AT_RUNTIME: &[&str] = &["serde", "serde_core", "tokio"];

/// Licences that any crate may have.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Licences that only crates used in development may have.
const LICENCES_IN_DEVELOPMENT: &[&str] = &["MPL-2.0"];

/// The step of the gate.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let metadata = MetadataCommand::new().current_dir(&workspace.root).exec()?;
    let runtime = runtime_tree(workspace)?;
    let mut faults = Vec::new();
    if runtime.len() > MOST_RUNTIME_CRATES {
        faults.push(format!(
            "{} crates in the default runtime tree of strait, at most {MOST_RUNTIME_CRATES}: {}",
            runtime.len(),
            runtime.iter().cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    for name in NOT_AT_RUNTIME.iter().filter(|name| runtime.contains(**name)) {
        faults.push(format!("{name} is in the default runtime tree of strait"));
    }
    for package in &metadata.packages {
        faults.extend(package_faults(package, runtime.contains(package.name.as_str())));
    }
    if !faults.is_empty() {
        for fault in &faults {
            eprintln!("{fault}");
        }
        bail!("{} faults in the dependency tree", faults.len());
    }
    Ok(format!(
        "{} crates in the default runtime tree, {} licences checked",
        runtime.len(),
        metadata.packages.len()
    )
    .into())
}

/// Names of the crates that `strait` needs at runtime with default features on this platform.
///
/// From `cargo tree` and not from the metadata: those show the features of all members together.
fn runtime_tree(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let arguments = ["tree", "--package", "strait", "--edges", "normal", "--prefix", "none"];
    let tree = process::output_of(&mut workspace.cargo(Build::Plain, &arguments))?;
    Ok(crates_in(&tree))
}

/// The crates in the output of `cargo tree --prefix none`: lines that begin with a name.
fn crates_in(tree: &str) -> BTreeSet<String> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn package_faults(package: &Package, at_runtime: bool) -> Vec<String> {
    let named = format!("{} {}", package.name, package.version);
    let mut faults = Vec::new();
    let licence = match &package.license {
        None => Err("has no licence expression".to_owned()),
        Some(expression) => licence_fits(expression, at_runtime).map_err(|e| format!("{e:#}")),
    };
    match licence {
        Ok(true) => {}
        Ok(false) => faults.push(format!(
            "{named}: the licence {} is not allowed here",
            package.license.as_deref().unwrap_or_default()
        )),
        Err(problem) => faults.push(format!("{named} {problem}")),
    }
    if package.source.as_ref().is_some_and(|source| source.repr.starts_with("git+")) {
        faults.push(format!("{named} comes from a git repository"));
    }
    if *package.name == "libc" && (package.version.major, package.version.minor) != (0, 2) {
        faults.push(format!("{named}: only libc 0.2 has a stable interface"));
    }
    faults
}

/// Whether a licence expression leaves a choice that is allowed.
fn licence_fits(expression: &str, at_runtime: bool) -> Result<bool> {
    // LAX: older crates write "MIT/Apache-2.0".
    let parsed = Expression::parse_mode(expression, ParseMode::LAX)
        .with_context(|| format!("has the unreadable licence {expression}"))?;
    let allowed = |requirement: &LicenseReq| {
        let name = requirement.to_string();
        let name = name.as_str();
        LICENCES.contains(&name) || (!at_runtime && LICENCES_IN_DEVELOPMENT.contains(&name))
    };
    Ok(parsed.evaluate(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_with_a_choice_need_one_allowed() {
        for fits in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ] {
            assert!(licence_fits(fits, true).unwrap(), "{fits}");
        }
        for unfit in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT AND AGPL-3.0-only) OR LGPL-3.0-only",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(!licence_fits(unfit, false).unwrap(), "{unfit}");
        }
        assert!(licence_fits("as you like", false).is_err());
    }

    #[test]
    fn weak_copyleft_is_for_development_only() {
        assert!(licence_fits("MPL-2.0", false).unwrap());
        assert!(!licence_fits("MPL-2.0", true).unwrap());
    }

    #[test]
    fn a_tree_lists_a_crate_once() {
        let tree =
            "strait v0.1.0 (/src)\nlibc v0.2.1\nquote v1.0.0 (proc-macro)\nlibc v0.2.1 (*)\n";
        let expected = ["libc", "quote", "strait"].map(str::to_owned);
        assert_eq!(crates_in(tree), BTreeSet::from(expected));
    }
}
