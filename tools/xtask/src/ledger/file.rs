//! `loom-tests/ledger.toml`.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Where the ledger lies, from the workspace's root.
pub(crate) const PATH: &str = "loom-tests/ledger.toml";

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    /// Globs of the files with concurrent code.
    scan: Vec<String>,
    /// Globs of files among them that are left out.
    #[serde(default)]
    exclude: Vec<String>,
    /// By site name.
    #[serde(default)]
    pub(crate) sites: BTreeMap<String, Entry>,
    /// By file.
    #[serde(default)]
    pub(crate) relaxed: BTreeMap<String, Relaxed>,
}

/// One named ordering.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) file: String,
    /// `Acquire`, `Release`, `AcqRel`, `SeqCst`, or one of these as `fence(…)`.
    pub(crate) ordering: String,
    /// The model that fails without this ordering: `test_binary::test_name`.
    pub(crate) model: Option<String>,
    /// The mutations of an `AcqRel`: each keeps only the named half.
    #[serde(default)]
    pub(crate) keep: Vec<Half>,
    /// Why the ordering is needed, or may stay, where no model shows it.
    pub(crate) argument: Option<String>,
}

/// Half of an `AcqRel`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Half {
    Acquire,
    Release,
}

/// The relaxed accesses of one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relaxed {
    pub(crate) count: usize,
    pub(crate) reason: String,
}

/// A weakened ordering, and the model that must not survive it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mutation {
    pub(crate) site: String,
    /// The value of `STRAIT_WEAKEN`.
    pub(crate) weaken: String,
    pub(crate) model: String,
}

impl Ledger {
    /// Reads the workspace's ledger.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let text = fs::read_to_string(workspace.root.join(PATH))
            .with_context(|| format!("cannot read {PATH}"))?;
        Self::parse(&text)
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).with_context(|| format!("cannot parse {PATH}"))
    }

    /// Every mutation that the ledger claims some model to catch.
    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        let mut mutations = Vec::new();
        for (site, entry) in &self.sites {
            let Some(model) = &entry.model else { continue };
            let mut add = |weaken: String| {
                mutations.push(Mutation { site: site.clone(), weaken, model: model.clone() });
            };
            if entry.keep.is_empty() {
                add(site.clone());
            }
            for half in &entry.keep {
                match half {
                    Half::Acquire => add(format!("{site}:acquire")),
                    Half::Release => add(format!("{site}:release")),
                }
            }
        }
        mutations
    }

    /// The files that the globs name, relative to the workspace's root, in order.
    pub(super) fn files_to_scan(&self, workspace: &Workspace) -> Result<Vec<String>> {
        let excluded = self
            .exclude
            .iter()
            .map(|glob| glob::Pattern::new(glob).with_context(|| format!("{PATH}: {glob}")))
            .collect::<Result<Vec<_>>>()?;
        let root = glob::Pattern::escape(&workspace.root.to_string_lossy());
        let mut files = BTreeSet::new();
        for pattern in &self.scan {
            for path in glob::glob(&format!("{root}/{pattern}"))
                .with_context(|| format!("{PATH}: {pattern}"))?
            {
                let path = path?;
                let file = path.strip_prefix(&workspace.root)?.to_string_lossy().into_owned();
                if !excluded.iter().any(|glob| glob.matches(&file)) {
                    files.insert(file);
                }
            }
        }
        Ok(files.into_iter().collect())
    }
}

impl Entry {
    /// What shows that the ordering is needed, in one line.
    pub(super) fn evidence(&self) -> String {
        match (&self.model, &self.argument) {
            (Some(model), Some(_)) => format!("model {model}, and argument"),
            (Some(model), None) => format!("model {model}"),
            (None, Some(argument)) => format!("argument: {}", argument.trim()),
            (None, None) => "NOTHING".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_asks_for_one_mutation_or_one_per_half() {
        let ledger = Ledger::parse(
            r#"
            scan = []
            [sites]
            "a.load" = { file = "a.rs", ordering = "Acquire", model = "a::load" }
            "a.swap" = { file = "a.rs", ordering = "AcqRel", model = "a::swap", keep = ["acquire", "release"] }
            "a.last" = { file = "a.rs", ordering = "Release", argument = "…" }
            "#,
        )
        .unwrap();
        let weakened: Vec<_> = ledger.mutations().into_iter().map(|m| m.weaken).collect();
        assert_eq!(weakened, ["a.load", "a.swap:acquire", "a.swap:release"]);
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        assert!(
            Ledger::parse("scan = []\n[sites]\nx = { file = \"\", ordering = \"\", mdel = \"\" }")
                .is_err()
        );
    }

    #[test]
    fn a_site_cannot_be_entered_twice() {
        let entry = r#"{ file = "a.rs", ordering = "Acquire", model = "a::b" }"#;
        assert!(Ledger::parse(&format!("scan = []\n[sites]\nx = {entry}\nx = {entry}")).is_err());
    }
}
