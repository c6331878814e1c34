//! Child processes: must succeed, or must end before a deadline.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a command in the foreground; an error unless it succeeds.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a command and returns what it printed on stdout; an error unless it succeeds.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(output.status.success(), "{} failed ({})", shown(command), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("output of {}", shown(command)))
}

/// The command as one would type it, without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A child in the background, both its outputs kept in one file.
///
/// A file and not a pipe: a grandchild that outlives a killed child would keep a pipe open.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    output: File,
}

/// How a background child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if it was killed at the deadline.
    pub(crate) status: Option<ExitStatus>,
    /// Everything it printed.
    pub(crate) output: String,
}

impl Background {
    /// Starts the command.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let output = tempfile::tempfile().context("a temporary file for a child's output")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()
            .with_context(|| format!("cannot start {}", shown(command)))?;
        Ok(Self { child, output })
    }

    /// Waits for its end; kills it at the deadline.
    pub(crate) fn wait_until(mut self, deadline: Instant) -> Result<Ended> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break Some(status);
            }
            if Instant::now() >= deadline {
                self.child.kill()?;
                self.child.wait()?;
                break None;
            }
            thread::sleep(Duration::from_millis(5));
        };
        self.output.rewind()?;
        let mut bytes = Vec::new();
        self.output.read_to_end(&mut bytes)?;
        Ok(Ended { status, output: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Ended {
        let child = Background::start(Command::new("sh").args(["-c", script])).unwrap();
        child.wait_until(Instant::now() + patience).unwrap()
    }

    #[test]
    fn both_outputs_and_the_status_are_kept() {
        let ended = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60));
        assert_eq!(ended.status.and_then(|status| status.code()), Some(3));
        assert_eq!(ended.output, "out\nerr\n");
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let ended = shell("echo before; exec sleep 600", Duration::from_millis(300));
        assert!(ended.status.is_none());
        assert_eq!(ended.output, "before\n");
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = succeed(Command::new("sh").args(["-c", "exit 7"])).unwrap_err();
        assert!(error.to_string().contains("sh -c exit 7 failed"), "{error}");
    }
}
