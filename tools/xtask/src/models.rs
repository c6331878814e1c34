//! The loom models: that they hold, and that they notice each weakened ordering of the ledger.

use crate::gate::Outcome;
use crate::ledger::{Ledger, Mutation};
use crate::process::{self, Background, Ended};
use crate::workspace::{Build, PREEMPTIONS, Workspace, preemptions};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

const MODELS: &[&str] = &["--profile", "loom", "--package", "strait-loom-tests"];

/// No model runs this long; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The exit code of a test binary with a failed test.
const TEST_FAILED: i32 = 101;
/// A panic while panicking, which is how loom often ends a model that failed.
const ABORTED: i32 = 6;

/// The step of the gate: every model holds.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let models = Models::build(workspace)?;
    let names = models.names();
    ensure!(!names.is_empty(), "there are no models");
    let mut failed = Vec::new();
    for (name, ended) in names.iter().zip(side_by_side(&names, |name| models.run(name, None))) {
        let Ended { status, output } = ended?;
        if status.is_some_and(|status| status.success()) {
            println!("holds      {name}");
        } else {
            println!("FAILS      {name}\n{output}");
            failed.push(name.as_str());
        }
    }
    ensure!(failed.is_empty(), "{} models fail: {}", failed.len(), failed.join(", "));
    Ok(format!("{} models", names.len()).into())
}

/// Does the work for each item, as many at a time as there are cores: a model keeps one busy.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let index = next.fetch_add(1, Relaxed);
        items.get(index).map(|item| (index, work(item)))
    };
    let worker = || std::iter::from_fn(take).collect::<Vec<_>>();
    let workers = available_parallelism().map_or(1, NonZero::get);
    let mut done: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        running.into_iter().flat_map(|worker| worker.join().expect("a worker panicked")).collect()
    });
    done.sort_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The step of the gate: every mutation is caught. That the models hold without one is `check`.
pub(crate) fn mutate(workspace: &Workspace) -> Result<Outcome> {
    let mutations = Ledger::read(workspace)?.mutations();
    ensure!(!mutations.is_empty(), "the ledger pins no site on a model");
    catch_all(&Models::build(workspace)?, &mutations)
}

/// The mutations of one site, once its model is seen to hold.
pub(crate) fn mutate_site(workspace: &Workspace, site: &str) -> Result<Outcome> {
    let mut mutations = Ledger::read(workspace)?.mutations();
    mutations.retain(|mutation| mutation.site == site);
    let first = mutations.first();
    let first = first.with_context(|| format!("the ledger pins no site `{site}` on a model"))?;
    let models = Models::build(workspace)?;
    let sound = models.run(&first.model, None)?;
    ensure!(
        sound.status.is_some_and(|status| status.success()),
        "model {} does not hold unweakened:\n{}",
        first.model,
        sound.output
    );
    catch_all(&models, &mutations)
}

fn catch_all(models: &Models, mutations: &[Mutation]) -> Result<Outcome> {
    let mut escaped = Vec::new();
    let run = |mutation: &Mutation| models.run(&mutation.model, Some(&mutation.weaken));
    for (mutation, ended) in mutations.iter().zip(side_by_side(mutations, run)) {
        let verdict = judge(&ended?);
        let (caught, why) = match &verdict {
            Ok(evidence) => ("caught", evidence),
            Err(problem) => ("NOT CAUGHT", problem),
        };
        println!("{caught:<10} {:<40} {:<44} {why}", mutation.weaken, mutation.model);
        if verdict.is_err() {
            escaped.push(mutation.weaken.as_str());
        }
    }
    if !escaped.is_empty() {
        bail!(
            "{} of {} mutations were not caught: {}",
            escaped.len(),
            mutations.len(),
            escaped.join(", ")
        );
    }
    Ok(format!("{} mutations caught", mutations.len()).into())
}

/// Whether a model that ran on a weakened ordering noticed: its complaint, or why that is no catch.
///
/// A hang or a model out of bounds shows nothing: the model must state what goes wrong.
fn judge(ended: &Ended) -> Result<String, String> {
    let Some(status) = ended.status else {
        return Err(format!("hung for {} s and was killed", PATIENCE.as_secs()));
    };
    if status.success() {
        return Err("the model still holds".to_owned());
    }
    if ended.output.contains("Model exceeded maximum number of") {
        return Err("the model ran out of loom's bounds".to_owned());
    }
    if status.code() != Some(TEST_FAILED) && status.signal() != Some(ABORTED) {
        return Err(format!("the model broke off: {status}"));
    }
    // "thread … panicked at PLACE:", and the message on the next line.
    let mut lines = ended.output.lines().skip_while(|line| !line.contains("panicked at"));
    Ok(lines.nth(1).unwrap_or("failed without a message").chars().take(100).collect())
}

/// The built test binaries of the models.
struct Models {
    binaries: BTreeMap<String, Binary>,
}

struct Binary {
    path: PathBuf,
    tests: BTreeSet<String>,
}

impl Models {
    fn build(workspace: &Workspace) -> Result<Self> {
        let arguments =
            [&["test", "--no-run", "--message-format=json-render-diagnostics"], MODELS].concat();
        let mut binaries = BTreeMap::new();
        for artifact in workspace.executables(Build::Loom, &arguments)? {
            let path: PathBuf = artifact.executable.context("no executable")?.into();
            let list = process::output_of(Command::new(&path).args(["--list", "--format=terse"]))?;
            let tests = list.lines().filter_map(|line| line.strip_suffix(": test"));
            let tests = tests.map(str::to_owned).collect();
            binaries.insert(artifact.target.name, Binary { path, tests });
        }
        Ok(Self { binaries })
    }

    /// Every model, as `test_binary::test_name`.
    fn names(&self) -> Vec<String> {
        let names = self.binaries.iter().flat_map(|(name, binary)| {
            binary.tests.iter().map(move |test| format!("{name}::{test}"))
        });
        names.collect()
    }

    /// Runs `test_binary::test_name`, with a site weakened if `weaken` names one.
    fn run(&self, model: &str, weaken: Option<&str>) -> Result<Ended> {
        let (binary, test) = model.split_once("::").context("a model is test_binary::test_name")?;
        // With --exact, a name that matches nothing would pass.
        let binary = self.binaries.get(binary).filter(|binary| binary.tests.contains(test));
        let binary = binary.with_context(|| format!("there is no model {model}"))?;
        let mut command = Command::new(&binary.path);
        command
            .args(["--exact", test, "--test-threads=1"])
            .env(PREEMPTIONS, preemptions())
            .env_remove("STRAIT_WEAKEN");
        if let Some(weaken) = weaken {
            command.env("STRAIT_WEAKEN", weaken);
        }
        Background::start(&mut command)?.wait_until(Instant::now() + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn ended(raw_status: Option<i32>, output: &str) -> Ended {
        Ended { status: raw_status.map(ExitStatus::from_raw), output: output.to_owned() }
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(side_by_side(&items, |item| item * 2), (0..200).step_by(2).collect::<Vec<_>>());
        assert_eq!(side_by_side(&[], |item: &u32| *item), Vec::<u32>::new());
    }

    #[test]
    fn only_a_failed_test_is_a_catch() {
        let panic =
            "running 1 test\nthread 'main' panicked at a.rs:1:2:\nread a torn word\nnote: …";
        assert_eq!(judge(&ended(Some(101 << 8), panic)), Ok("read a torn word".to_owned()));
        assert!(judge(&ended(Some(6), panic)).is_ok(), "aborted by a second panic");
        assert!(judge(&ended(Some(0), "ok")).is_err(), "survived");
        assert!(judge(&ended(None, panic)).is_err(), "hung");
        assert!(judge(&ended(Some(11), "")).is_err(), "a segmentation fault");
        assert!(judge(&ended(Some(2 << 8), "")).is_err(), "not a test's exit code");
        let endless = "panicked at path.rs:\nModel exceeded maximum number of branches. This is";
        assert!(judge(&ended(Some(101 << 8), endless)).is_err(), "out of bounds");
    }
}
