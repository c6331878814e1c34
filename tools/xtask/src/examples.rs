//! Runs the root package's examples, each once.

use crate::gate::Outcome;
use crate::process::Background;
use crate::workspace::{Build, Workspace};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Processes that run beside each other, each `[example, argument…]`, until all have succeeded.
type Run = &'static [&'static [&'static str]];

/// Every example must be in one of these runs.
const RUNS: &[Run] = &[
    &[&["hello_receiver"], &["hello_sender"]],
    &[&["hello_service"]],
    &[&["hello_service", "serve"], &["hello_service", "call"]],
    &[&["sleeping_receiver"], &["sleeping_sender"]],
    &[&["epoll_receiver"], &["sleeping_sender"]],
    &[&["wait_set_receiver"], &["sleeping_sender"]],
    &[&["tokio_receiver"], &["sleeping_sender"]],
    &[&["trading", "--messages", "200000", "--json"]],
    &[&["trading", "--messages", "20000", "--in-process", "--json"]],
];

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The step of the gate.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    // As `test` builds them, which has done it: with other features, all would be compiled again.
    let arguments = [
        "build",
        "--workspace",
        "--examples",
        "--features=strait/tokio",
        "--message-format=json-render-diagnostics",
    ];
    let mut executables = BTreeMap::new();
    let folder = workspace.root.join("examples");
    for artifact in workspace.executables(Build::Plain, &arguments)? {
        if !artifact.target.src_path.starts_with(&folder) {
            continue;
        }
        let path: PathBuf = artifact.executable.context("no executable")?.into();
        executables.insert(artifact.target.name, path);
    }
    for name in executables.keys() {
        let runs = RUNS.iter().any(|run| run.iter().any(|words| words[0] == name));
        ensure!(runs, "example {name} is never run: add it to RUNS in tools/xtask/src/examples.rs");
    }
    for run in RUNS {
        perform(run, &executables)?;
    }
    Ok(format!("{} examples in {} runs", executables.len(), RUNS.len()).into())
}

fn perform(run: Run, executables: &BTreeMap<String, PathBuf>) -> Result<()> {
    let began = Instant::now();
    let mut started = Vec::new();
    for words in run {
        let executable = executables.get(words[0]);
        let executable = executable.with_context(|| format!("there is no example {}", words[0]))?;
        let child = Background::start(Command::new(executable).args(&words[1..]))?;
        started.push((words.join(" "), child));
    }
    // All are waited for before the first failure is told, so that none is left behind.
    let mut ended = Vec::new();
    for (words, child) in started {
        ended.push((words, child.wait_until(began + PATIENCE)?));
    }
    for (words, ended) in ended {
        println!("{words} ({:.1} s)", began.elapsed().as_secs_f64());
        let output = ended.output;
        let status = ended.status.with_context(|| {
            format!("{words} was killed after {} s, having said:\n{output}", PATIENCE.as_secs())
        })?;
        ensure!(status.success(), "{words} failed ({status}), having said:\n{output}");
    }
    Ok(())
}
