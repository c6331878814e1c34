//! A directory for one test's channels, and the command run in it.

use crate::actor::Actor;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use strait::Domain;

/// Tests that have one run one after another. A child process has all descriptors of its parent from
/// its creation until its `exec`: for that moment a segment would seem to be in use that is not.
static ALONE: Mutex<()> = Mutex::new(());

/// A directory on tmpfs that vanishes with the test.
pub(crate) struct Place {
    keep: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What the command said.
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = tempfile::Builder::new().prefix("strait-test-").tempdir_in("/dev/shm").unwrap();
        Self { keep, _alone: alone }
    }

    pub(crate) fn path(&self) -> &Path {
        self.keep.path()
    }

    /// A domain, opened in this process.
    pub(crate) fn domain(&self, name: &str) -> Domain {
        Domain::open_in(self.path(), name).unwrap()
    }

    /// The file of a channel of domain `test`.
    pub(crate) fn file(&self, channel: &str) -> PathBuf {
        self.path().join(format!("strait-{}-test+{channel}", user()))
    }

    /// Files that are left, by name.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap().path())).collect();
        names.sort();
        names
    }

    /// A channel of domain `test` that nobody has open, with three unread messages.
    pub(crate) fn leave(&self, channel: &str) -> File {
        Actor::new("sender", channel, self).close();
        OpenOptions::new().read(true).write(true).open(self.file(channel)).unwrap()
    }

    /// A channel of domain `test` whose only message was read by a process that was killed then.
    pub(crate) fn leave_read(&self, channel: &str) {
        let domain = self.domain("test");
        let mut sender = domain.spsc::<crate::Tick>(channel).capacity(16).sender().unwrap();
        sender.send(&crate::tick(0)).unwrap();
        let receiver = Actor::new("receiver", channel, self);
        drop(sender);
        receiver.kill();
    }

    /// Runs the command in this directory.
    pub(crate) fn strait(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
        command.args(arguments).arg("--directory").arg(self.path());
        command
    }

    /// What it prints, without what differs from run to run.
    pub(crate) fn shows(&self, arguments: &[&str]) -> String {
        let said = self.strait(arguments);
        assert!(said.ok, "{}", said.err);
        self.redact(&said.out)
    }

    /// What it says in place of doing it.
    pub(crate) fn refuses(&self, arguments: &[&str]) -> String {
        let said = self.strait(arguments);
        assert!(!said.ok, "{}", said.out);
        self.redact(&said.err)
    }

    /// The object it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.strait(&[arguments, &["--json"]].concat());
        assert!(said.ok, "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    }

    /// The objects it prints, one in each line.
    pub(crate) fn json_lines(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let said = self.strait(&[arguments, &["--json"]].concat());
        assert!(said.ok, "{}", said.err);
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Replaces directory, user, processes, instances and moments; several blanks become one, and a
    /// table's rules none.
    pub(crate) fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.path().display().to_string(), "[dir]");
        let text = text.replace(&format!("strait-{}-", user()), "strait-[uid]-");
        let is_rule = |line: &&str| line.starts_with(['┌', '╞', '└']);
        let lines = text.lines().filter(|line| !is_rule(line)).map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let redacted = (0..words.len()).map(|index| {
                let before = index.checked_sub(1).map_or("", |before| words[before]);
                redact_word(before, words[index])
            });
            redacted.filter(|word| word != "[date]").collect::<Vec<_>>().join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn redact_word(before: &str, word: &str) -> String {
    let bare = word.trim_matches(['`', ',']);
    if before == "pid" || Actor::is_pid(bare) {
        return word.replace(bare, "[pid]");
    }
    let only = |allowed: fn(char) -> bool| !word.is_empty() && word.chars().all(allowed);
    let own = [user().to_string(), format!("{},", user())];
    if only(|c| c.is_ascii_hexdigit()) && word.len() == 32 {
        "[instance]".to_owned()
    } else if only(|c| c.is_ascii_digit() || c == ':') && word.matches(':').count() == 2 {
        "[time]".to_owned()
    } else if only(|c| c.is_ascii_digit() || c == '-') && word.matches('-').count() == 2 {
        // Before the time, unless it is today's.
        "[date]".to_owned()
    } else if ["user", "owner"].contains(&before) && own.iter().any(|own| own == word) {
        "[uid]".to_owned()
    } else {
        word.to_owned()
    }
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

/// This process's effective user id.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

// The offsets are stated here once more: they are a format that other builds rely on.

/// Where the first channel's producer region is.
pub(crate) fn producer(file: &File) -> u64 {
    number(file, 4096 + 24)
}

/// Where the first channel's consumer region is.
pub(crate) fn consumer(file: &File) -> u64 {
    number(file, 4096 + 32)
}

fn number(file: &File, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, offset).unwrap();
    u64::from_le_bytes(bytes)
}
