//! AddressSanitizer and ThreadSanitizer over the unit tests of pools and rings, where a nightly toolchain
//! is there to build them. Not in the gate: most machines have none.

use crate::gate::Outcome;
use crate::process::{output_of, succeed};
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

/// Something that looks over a program's shoulder.
#[derive(Clone, Copy, Debug)]
struct Sanitizer {
    name: &'static str,
    flag: &'static str,
    /// Whether the standard library has to be built with it, too, which takes its sources.
    rebuilds_std: bool,
}

const SANITIZERS: [Sanitizer; 2] = [
    Sanitizer { name: "AddressSanitizer", flag: "address", rebuilds_std: false },
    Sanitizer { name: "ThreadSanitizer", flag: "thread", rebuilds_std: true },
];

const TESTS: &[&str] = &["test", "--package", "strait-pools", "--package", "strait-ipc", "--lib"];

/// What rustup has installed, in its own words.
#[derive(Debug, Default)]
struct Installed {
    toolchains: String,
    /// Of the nightly toolchain.
    components: String,
}

impl Installed {
    /// Asks rustup. Where there is no rustup, nothing is installed.
    fn find() -> Self {
        let ask = |arguments: &[&str]| {
            output_of(Command::new("rustup").args(arguments)).unwrap_or_default()
        };
        let toolchains = ask(&["toolchain", "list"]);
        if !has_nightly(&toolchains) {
            return Self { toolchains, components: String::new() };
        }
        let components = ask(&["component", "list", "--installed", "--toolchain", "nightly"]);
        Self { toolchains, components }
    }

    /// Why a sanitizer cannot be used, if it cannot.
    fn obstacle(&self, sanitizer: Sanitizer) -> Option<&'static str> {
        if !has_nightly(&self.toolchains) {
            return Some("no nightly toolchain here: `rustup toolchain install nightly`");
        }
        let has_sources = self.components.lines().any(|line| line.starts_with("rust-src"));
        let missing = sanitizer.rebuilds_std && !has_sources;
        missing.then_some(
            "no sources of the standard library here: `rustup component add rust-src --toolchain \
             nightly`",
        )
    }
}

fn has_nightly(toolchains: &str) -> bool {
    toolchains.lines().any(|line| line.starts_with("nightly-"))
}

/// The chore: whatever can be run succeeds, and what cannot is counted as skipped.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    let installed = Installed::find();
    let (mut passed, mut skipped) = (Vec::new(), Vec::new());
    for sanitizer in SANITIZERS {
        match installed.obstacle(sanitizer) {
            Some(why) => skipped.push(format!("{}: {why}", sanitizer.name)),
            None => {
                run(workspace, sanitizer)?;
                passed.push(sanitizer.name);
            }
        }
    }
    let note = if passed.is_empty() { "nothing to run".to_owned() } else { passed.join(", ") };
    Ok(Outcome { note, skipped })
}

fn run(workspace: &Workspace, sanitizer: Sanitizer) -> Result<()> {
    // A target is named lest build scripts and macros be built with the sanitizer, too.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo"]).args(TESTS).args(["--target", &target]);
    if sanitizer.rebuilds_std {
        cargo.arg("-Zbuild-std");
    }
    let folder = format!("sanitize-{}", sanitizer.flag);
    succeed(
        cargo
            .current_dir(&workspace.root)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", format!("-Zsanitizer={}", sanitizer.flag))
            .env("CARGO_TARGET_DIR", workspace.target.join(folder)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE: &str = "stable-x86_64-unknown-linux-gnu (active, default)\n";
    const BOTH: &str = "stable-x86_64-unknown-linux-gnu\nnightly-x86_64-unknown-linux-gnu\n";

    fn obstacles(toolchains: &str, components: &str) -> [Option<&'static str>; 2] {
        let (toolchains, components) = (toolchains.to_owned(), components.to_owned());
        let installed = Installed { toolchains, components };
        SANITIZERS.map(|sanitizer| installed.obstacle(sanitizer))
    }

    #[test]
    fn what_is_missing_is_said_with_the_remedy() {
        for toolchains in ["", STABLE] {
            for why in obstacles(toolchains, "") {
                assert!(why.is_some_and(|why| why.contains("rustup toolchain install nightly")));
            }
        }
        let [address, thread] = obstacles(BOTH, "cargo-x86_64\nrustc-x86_64\n");
        assert_eq!(address, None);
        assert!(thread.is_some_and(|why| why.contains("rustup component add rust-src")));
        assert_eq!(obstacles(BOTH, "cargo-x86_64\nrust-src\n"), [None, None]);
    }
}
