//! Running steps one after the other, and the table that sums them up.

use crate::workspace::Workspace;
use anyhow::Result;
use std::time::{Duration, Instant};

/// What a step that succeeded has to say.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// One line for the summary; may be empty.
    pub(crate) note: String,
    /// What was not checked, and why.
    pub(crate) skipped: Vec<String>,
}

impl From<String> for Outcome {
    fn from(note: String) -> Self {
        Self { note, skipped: Vec::new() }
    }
}

/// A named part of the gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    run: fn(&Workspace) -> Result<Outcome>,
}

impl Step {
    pub(crate) const fn new(name: &'static str, run: fn(&Workspace) -> Result<Outcome>) -> Self {
        Self { name, run }
    }
}

/// Runs `steps` in order and prints the summary; true if all succeeded.
pub(crate) fn run(workspace: &Workspace, steps: &[Step], keep_going: bool) -> bool {
    let started = Instant::now();
    let mut lines = Vec::new();
    let mut skipped = Vec::new();
    let mut failures = 0;
    for step in steps {
        if failures > 0 && !keep_going {
            lines.push(line(step.name, "not run", None, ""));
            continue;
        }
        println!("==> {}", step.name);
        let began = Instant::now();
        let result = (step.run)(workspace);
        let took = Some(began.elapsed());
        match result {
            Ok(outcome) => {
                lines.push(line(step.name, "ok", took, &outcome.note));
                skipped.extend(outcome.skipped.iter().map(|what| format!("{}: {what}", step.name)));
            }
            Err(error) => {
                eprintln!("error: {}: {error:#}", step.name);
                failures += 1;
                lines.push(line(step.name, "FAILED", took, ""));
            }
        }
        println!("<== {}", lines[lines.len() - 1]);
    }
    println!("\n{}", lines.join("\n"));
    println!("{} skipped{}", skipped.len(), if skipped.is_empty() { "" } else { ":" });
    for what in &skipped {
        println!("  {what}");
    }
    let verdict = if failures == 0 { "passed" } else { "FAILED" };
    println!("{verdict} in {:.1} s", started.elapsed().as_secs_f64());
    failures == 0
}

fn line(name: &str, verdict: &str, took: Option<Duration>, note: &str) -> String {
    let took = took.map_or(String::new(), |took| format!("{:.1} s", took.as_secs_f64()));
    format!("{name:<10} {verdict:<8} {took:>8}  {note}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_failure_stops_the_gate_unless_told_to_keep_going() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        const STEPS: &[Step] = &[
            Step::new("fails", |_| bail!("on purpose")),
            Step::new("counts", |_| {
                RUNS.fetch_add(1, Ordering::Relaxed);
                Ok(Outcome::default())
            }),
        ];
        let workspace = Workspace { root: PathBuf::new(), target: PathBuf::new() };
        assert!(!run(&workspace, STEPS, false));
        assert_eq!(RUNS.load(Ordering::Relaxed), 0);
        assert!(!run(&workspace, STEPS, true));
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        assert!(run(&workspace, &STEPS[1..], false));
    }
}
