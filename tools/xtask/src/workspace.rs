//! The workspace on disk, and cargo commands in each of its three builds.

use anyhow::{Context, Result};
use cargo_metadata::{Artifact, Message, MetadataCommand};
use std::env;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where the workspace and its build products are.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

/// Which atomics a build uses. Each build has a target directory of its own, so that switching
/// between them recompiles nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// `std`'s: what users get.
    Plain,
    /// loom's, for models.
    Loom,
    /// Counting ones, for operation budgets.
    Counting,
}

/// loom's bound on the pre-emptions of one execution.
pub(crate) const PREEMPTIONS: &str = "LOOM_MAX_PREEMPTIONS";

/// The bound: three, or what the environment says.
pub(crate) fn preemptions() -> OsString {
    env::var_os(PREEMPTIONS).unwrap_or_else(|| "3".into())
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata")?;
        Ok(Self { root: metadata.workspace_root.into(), target: metadata.target_directory.into() })
    }

    /// `cargo ARGUMENTS` for one build, run from the workspace's root.
    pub(crate) fn cargo(&self, build: Build, arguments: &[&str]) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(arguments).stdin(Stdio::null());
        let (cfg, folder) = match build {
            Build::Plain => return command,
            Build::Loom => ("loom", "loom"),
            Build::Counting => ("strait_counting", "counting"),
        };
        let flags = env::var("RUSTFLAGS").unwrap_or_default();
        command
            .env("RUSTFLAGS", format!("{flags} --cfg {cfg}").trim_start())
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("CARGO_TARGET_DIR", self.target.join(folder));
        if build == Build::Loom {
            command.env(PREEMPTIONS, preemptions());
        }
        command
    }

    /// Runs a building cargo command and returns the executables that it made.
    ///
    /// `arguments` must include a `--message-format=json…`.
    pub(crate) fn executables(&self, build: Build, arguments: &[&str]) -> Result<Vec<Artifact>> {
        let mut cargo = self.cargo(build, arguments);
        let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
        let stdout = child.stdout.take().context("cargo's output is not piped")?;
        let mut made = Vec::new();
        for message in Message::parse_stream(BufReader::new(stdout)) {
            if let Message::CompilerArtifact(artifact) = message? {
                made.extend(artifact.executable.is_some().then_some(artifact));
            }
        }
        let status = child.wait()?;
        anyhow::ensure!(status.success(), "cargo {} failed ({status})", arguments.join(" "));
        Ok(made)
    }
}
