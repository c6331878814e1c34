//! The ordering ledger: why each memory ordering in the concurrent modules is as strong as it is.
//!
//! `scan` finds the orderings in a source, `file` reads `loom-tests/ledger.toml`, `compare` holds
//! one against the other. `loom-tests/ledger.toml` itself opens with its format.

mod compare;
mod file;
mod scan;

pub(crate) use file::{Ledger, Mutation};

use crate::gate::Outcome;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;

/// The step of the gate: sources and ledger must agree.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let ledger = Ledger::read(workspace)?;
    let sources = scan_sources(workspace, &ledger)?;
    let faults = compare::faults(&ledger, &sources);
    if !faults.is_empty() {
        for fault in &faults {
            eprintln!("{fault}");
        }
        bail!("the ordering ledger and the sources disagree in {} places", faults.len());
    }
    let modelled = ledger.sites.values().filter(|entry| entry.model.is_some()).count();
    let relaxed: usize = ledger.relaxed.values().map(|entry| entry.count).sum();
    Ok(format!(
        "{} sites ({modelled} modelled, {} argued), {relaxed} relaxed, {} files",
        ledger.sites.len(),
        ledger.sites.len() - modelled,
        sources.len(),
    )
    .into())
}

/// Prints every site with its ordering, its place and what shows that it is needed.
pub(crate) fn list(workspace: &Workspace) -> Result<()> {
    let ledger = Ledger::read(workspace)?;
    for (file, found) in scan_sources(workspace, &ledger)? {
        if found.sites.is_empty() && found.relaxed.is_empty() {
            continue;
        }
        println!("{file} ({} relaxed)", found.relaxed.len());
        for site in &found.sites {
            let entry = ledger.sites.get(&site.name);
            println!(
                "  {:>4}  {:<32} {:<15} {}",
                site.line,
                site.name,
                site.ordering,
                entry.map_or("NOT IN THE LEDGER".to_owned(), file::Entry::evidence),
            );
        }
    }
    Ok(())
}

/// What the scanner found in each file, by path from the workspace's root.
fn scan_sources(
    workspace: &Workspace,
    ledger: &Ledger,
) -> Result<BTreeMap<String, scan::Findings>> {
    let mut sources = BTreeMap::new();
    for file in ledger.files_to_scan(workspace)? {
        let text = fs::read_to_string(workspace.root.join(&file))
            .with_context(|| format!("cannot read {file}"))?;
        let findings = scan::scan(&text).with_context(|| format!("cannot scan {file}"))?;
        sources.insert(file, findings);
    }
    Ok(sources)
}
