//! The compatibility test: the `hello` examples of an earlier revision beside today's.
//!
//! Old and new meet on one channel, in both directions and both orders: whoever comes first makes
//! the segment, in its own layout. Either all messages arrive, or the second is refused by an error
//! that names the layout version or the features that differ, and the first does not notice.

use crate::gate::Outcome;
use crate::process::{self, Background, Ended};
use crate::workspace::{Build, Workspace};
use anyhow::{Context, Result, ensure};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How many messages `hello_sender` sends.
const MESSAGES: usize = 10;

/// Two programs that take longer hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a refusal names: the parts of a segment's header that tell layouts apart.
const DIFFERENCES: [&str; 3] = ["layout version", "incompat features", "ro_compat features"];

/// The step of the gate: with the last tag.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    match last_tag(&workspace.root) {
        Ok(tag) => against(workspace, &tag),
        Err(reason) => {
            let reason = format!("no earlier revision: {reason}");
            println!("skipped: {reason}");
            Ok(Outcome { note: String::new(), skipped: vec![reason] })
        }
    }
}

/// The same with any revision that git knows.
pub(crate) fn against(workspace: &Workspace, revision: &str) -> Result<Outcome> {
    let commit = format!("{revision}^{{commit}}");
    let commit = git(&workspace.root, &["rev-parse", "--verify", "--end-of-options", &commit])
        .with_context(|| format!("no revision {revision} to test with"))?;
    let old = Programs::build(&checkout(workspace, &commit)?)?;
    let new = Programs::build(workspace)?;
    println!("old: {revision} ({}), new: the working tree", &commit[..commit.len().min(12)]);
    let mut exchanged = 0;
    let pairs = [
        ("old sender, new receiver", &old.sender, &new.receiver),
        ("new sender, old receiver", &new.sender, &old.receiver),
    ];
    for (pair, sender, receiver) in pairs {
        for first in [First::Sender, First::Receiver] {
            let result = meet(sender, receiver, first);
            let result = result.and_then(|(sent, received)| verdict(first, &sent, &received));
            let verdict = result.with_context(|| format!("{pair}, {first} first"))?;
            println!("{pair}, {first} first: {verdict}");
            exchanged += usize::from(verdict == Verdict::Exchanged);
        }
    }
    Ok(format!("with {revision}: {exchanged} exchanged, {} refused", 4 - exchanged).into())
}

/// The last tag, or why there is none.
fn last_tag(root: &Path) -> Result<String, String> {
    git(root, &["describe", "--tags", "--abbrev=0"]).map_err(|error| {
        match git(root, &["rev-parse", "--is-shallow-repository"]) {
            Ok(shallow) if shallow == "true" => format!("{error:#} (the clone is shallow)"),
            _ => format!("{error:#}"),
        }
    })
}

/// What git answers on one line; the error is what it complains about.
fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(root).args(arguments).stdin(Stdio::null()).output();
    let output = output.context("cannot start git")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", arguments[0], complaint.trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The sources of a commit, unpacked once, with build products of their own.
fn checkout(workspace: &Workspace, commit: &str) -> Result<Workspace> {
    let folder = workspace.target.join("compat");
    let root = folder.join(commit);
    if !root.exists() {
        // Under another name until it is complete.
        fs::create_dir_all(&folder)?;
        let unpacked = tempfile::tempdir_in(&folder)?;
        let archive = tempfile::NamedTempFile::new_in(&folder)?;
        let mut git = Command::new("git");
        git.current_dir(&workspace.root).args(["archive", "--format=tar", commit, "--output"]);
        process::succeed(git.arg(archive.path()))?;
        let mut tar = Command::new("tar");
        process::succeed(tar.arg("-xf").arg(archive.path()).arg("-C").arg(unpacked.path()))?;
        fs::rename(unpacked.path(), &root)?;
    }
    let target = root.join("target");
    Ok(Workspace { root, target })
}

/// The two examples of one revision.
struct Programs {
    sender: PathBuf,
    receiver: PathBuf,
}

impl Programs {
    fn build(workspace: &Workspace) -> Result<Self> {
        // Named: the environment may hold a folder that both revisions would build into.
        let target = workspace.target.to_str().context("the target directory is not UTF-8")?;
        let arguments = [
            &["build", "--locked", "--package", "strait", "--target-dir", target][..],
            &["--example", "hello_sender", "--example", "hello_receiver"],
            &["--message-format=json-render-diagnostics"],
        ];
        let made = workspace.executables(Build::Plain, &arguments.concat())?;
        let program = |name: &str| {
            let artifact = made.iter().find(|artifact| artifact.target.name == name);
            let executable = artifact.and_then(|artifact| artifact.executable.as_ref());
            Ok::<_, anyhow::Error>(
                executable.with_context(|| format!("no {name} was made"))?.into(),
            )
        };
        Ok(Self { sender: program("hello_sender")?, receiver: program("hello_receiver")? })
    }
}

/// Who makes the segment.
#[derive(Clone, Copy, Debug)]
enum First {
    Sender,
    Receiver,
}

impl fmt::Display for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        })
    }
}

/// Has the two meet on a channel that was not there before; how sender and receiver ended.
fn meet(sender: &Path, receiver: &Path, first: First) -> Result<(Ended, Ended)> {
    let channel = channel()?;
    remove_unused(&channel)?;
    let deadline = Instant::now() + PATIENCE;
    let start = |program| Background::start(&mut Command::new(program));
    let met = match first {
        First::Sender => {
            let sent = start(sender)?.wait_until(deadline)?;
            (sent, start(receiver)?.wait_until(deadline)?)
        }
        First::Receiver => {
            let waiting = start(receiver)?;
            while !channel.exists() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            let sent = start(sender).and_then(|sender| sender.wait_until(deadline));
            // A receiver whose sender was refused would wait for ever.
            let came = sent.as_ref().is_ok_and(succeeded);
            let received = waiting.wait_until(if came { deadline } else { Instant::now() })?;
            (sent?, received)
        }
    };
    remove_unused(&channel)?;
    Ok(met)
}

/// The file of the examples' channel, of which a user has one: examples take no directory.
fn channel() -> Result<PathBuf> {
    let user = fs::metadata("/proc/self")?.uid();
    Ok(format!("/dev/shm/strait-{user}-hello+ticks").into())
}

/// Removes the channel that an earlier run left; an error if somebody has it open.
fn remove_unused(channel: &Path) -> Result<()> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let Some(file) = identity(channel) else { return Ok(()) };
    for descriptor in glob::glob("/proc/[0-9]*/fd/*")?.flatten() {
        ensure!(
            identity(&descriptor) != Some(file),
            "{} is in use ({}): end its users, or wait until they are done",
            channel.display(),
            descriptor.display()
        );
    }
    fs::remove_file(channel).with_context(|| format!("cannot remove {}", channel.display()))
}

/// What became of a meeting.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Every message arrived.
    Exchanged,
    /// The second was told why it cannot join.
    Refused(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchanged => write!(f, "exchanged {MESSAGES} messages"),
            Self::Refused(error) => write!(f, "refused: {error}"),
        }
    }
}

/// An error if it is neither.
fn verdict(first: First, sent: &Ended, received: &Ended) -> Result<Verdict> {
    let (early, late) = match first {
        First::Sender => (sent, received),
        First::Receiver => (received, sent),
    };
    if let Some(error) = refusal(late) {
        let unharmed = early.status.is_none_or(|status| status.success());
        ensure!(
            unharmed && early.output.is_empty(),
            "the second was refused ({error}), and the {first} noticed: {}",
            told(early)
        );
        return Ok(Verdict::Refused(error.to_owned()));
    }
    ensure!(succeeded(sent), "the sender {}", told(sent));
    let expected: String = (1..=MESSAGES).map(|size| format!("{size} at 100.25\n")).collect();
    ensure!(
        succeeded(received) && received.output == expected,
        "not {MESSAGES} messages: the receiver {}",
        told(received)
    );
    Ok(Verdict::Exchanged)
}

/// The line that says which difference in layout keeps a program out, if that is how it ended.
fn refusal(ended: &Ended) -> Option<&str> {
    // 1 is what `main` returns for an error; a panic ends in 101.
    let error = ended.status?.code() == Some(1);
    let names = |line: &&str| DIFFERENCES.iter().any(|difference| line.contains(difference));
    error.then(|| ended.output.lines().find(names)).flatten()
}

fn succeeded(ended: &Ended) -> bool {
    ended.status.is_some_and(|status| status.success())
}

fn told(ended: &Ended) -> String {
    let how = match ended.status {
        Some(status) => format!("ended with {status}"),
        None => "was killed while it waited".to_owned(),
    };
    format!("{how}, having said:\n{}", ended.output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    const REFUSAL: &str = r#"Error: Segment(Invalid { path: "x", fault: Foreign { what: "layout version", expected: "2", found: "1" } })"#;
    const TEN: &str = "1 at 100.25\n2 at 100.25\n3 at 100.25\n4 at 100.25\n5 at 100.25\n\
                       6 at 100.25\n7 at 100.25\n8 at 100.25\n9 at 100.25\n10 at 100.25\n";

    fn exit(code: i32, output: &str) -> Ended {
        Ended { status: Some(ExitStatus::from_raw(code << 8)), output: output.to_owned() }
    }

    fn killed(output: &str) -> Ended {
        Ended { status: None, output: output.to_owned() }
    }

    #[test]
    fn ten_messages_are_an_exchange() {
        for first in [First::Sender, First::Receiver] {
            let verdict = |output| verdict(first, &exit(0, ""), &exit(0, output));
            assert_eq!(verdict(TEN).unwrap(), Verdict::Exchanged);
            assert!(verdict(&TEN[12..]).is_err(), "one is missing");
            assert!(verdict(&TEN.replace("7 at 100.25", "7 at 0")).is_err(), "one is damaged");
        }
        assert!(verdict(First::Sender, &exit(0, ""), &killed(TEN)).is_err(), "it never ended");
        assert!(verdict(First::Sender, &exit(1, "no"), &exit(0, TEN)).is_err());
    }

    #[test]
    fn an_error_that_names_the_difference_is_a_refusal() {
        let refused = Verdict::Refused(REFUSAL.to_owned());
        let output = format!("warning: of something else\n{REFUSAL}\n");
        let late = || exit(1, &output);
        assert_eq!(verdict(First::Sender, &exit(0, ""), &late()).unwrap(), refused);
        assert_eq!(verdict(First::Receiver, &late(), &killed("")).unwrap(), refused);
        for features in ["incompat features", "ro_compat features"] {
            let late = exit(1, &output.replace("layout version", features));
            assert!(matches!(
                verdict(First::Sender, &exit(0, ""), &late).unwrap(),
                Verdict::Refused(_)
            ));
        }
    }

    #[test]
    fn any_other_end_fails() {
        let sent = exit(0, "");
        let damaged = REFUSAL.replace("layout version", "channel count");
        assert!(verdict(First::Sender, &sent, &exit(1, &damaged)).is_err());
        assert!(verdict(First::Sender, &sent, &exit(101, REFUSAL)).is_err(), "a panic");
        assert!(verdict(First::Sender, &sent, &killed(REFUSAL)).is_err(), "it hung");
        assert!(verdict(First::Sender, &sent, &exit(0, REFUSAL)).is_err(), "it succeeded");
        // Whoever came first may not be refused, and must not be disturbed by the second.
        assert!(verdict(First::Sender, &exit(1, REFUSAL), &exit(0, TEN)).is_err());
        assert!(verdict(First::Receiver, &exit(1, REFUSAL), &exit(1, "gone")).is_err());
        assert!(verdict(First::Receiver, &exit(1, REFUSAL), &killed("1 at 100.25\n")).is_err());
    }
}
