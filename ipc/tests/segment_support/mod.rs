//! What the tests of segments and endpoints share: a directory of their own, a small segment, child
//! processes that are this very test binary, and patience that ends.

// Each test binary uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};
use strait_ipc::ring::geometry::{CellFormat, Geometry};
use strait_ipc::segment::{ChannelSpec, Directory, Discipline, Segment, SegmentName, SegmentSpec};
use strait_pools::sync::AtomicU64;

/// Long enough for anything that works.
pub const HANG: Duration = Duration::from_secs(30);

/// A directory on tmpfs that vanishes with the test.
pub struct Place {
    _keep: tempfile::TempDir,
    pub directory: Directory,
}

impl Place {
    pub fn new() -> Self {
        let keep = tempfile::Builder::new().prefix("strait-test-").tempdir_in("/dev/shm").unwrap();
        let directory = Directory::from(keep.path());
        Self { _keep: keep, directory }
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub fn open_or_create(&self) -> Segment {
        open_or_create(&self.directory)
    }
}

pub fn name() -> SegmentName {
    SegmentName::new("test", "orders").unwrap()
}

pub fn channel() -> ChannelSpec<'static> {
    ChannelSpec {
        label: "orders",
        discipline: Discipline::Spsc,
        geometry: Geometry::new(16, CellFormat::Wide { bytes: 64 }).unwrap(),
        fingerprint: 0x9f3c << 64 | 0x11ab,
        schema: "struct Order { id: u64 }",
    }
}

pub fn open_or_create(directory: &Directory) -> Segment {
    let spec = SegmentSpec { channels: &[channel()] };
    Segment::open_or_create(directory, &name(), &spec, Default::default()).unwrap()
}

/// Keeps other tests of this process from spawning children while the guard lives.
///
/// A child has all descriptors of its parent from its creation until its `exec`, and so, for that
/// moment, the lock of whatever another thread is just opening. Tests that count on a lock being
/// free at once hold this.
pub fn nobody_spawns() -> RwLockReadGuard<'static, ()> {
    SPAWNING.read().unwrap_or_else(PoisonError::into_inner)
}

static SPAWNING: RwLock<()> = RwLock::new(());

/// A word of the first channel's ring.
pub fn word(segment: &Segment) -> &AtomicU64 {
    let region = segment.channel(0).unwrap().producer_region();
    let pointer = region.get::<AtomicU64>(256).unwrap();
    // SAFETY: inside the mapping, which the result borrows; other processes use atomics, too.
    unsafe { pointer.as_ref() }
}

/// Runs `check` until it is true.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < HANG, "still waiting for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

const JOB: &str = "STRAIT_TEST_JOB";

/// In a child made by [`Helper::spawn`]: what it is to do, and where.
pub fn job() -> Option<(String, Directory)> {
    let job = std::env::var(JOB).ok()?;
    let (what, directory) = job.split_once('@').unwrap();
    Some((what.to_owned(), Directory::from(directory)))
}

/// In a child: tells the parent something.
pub fn tell(line: &str) {
    println!("@{line}");
    std::io::stdout().flush().unwrap();
}

/// In a child: waits until the parent says so, or is gone.
pub fn wait_for_parent() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A child process that runs the test `helper` of this binary.
pub struct Helper {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Helper {
    pub fn spawn(what: &str, directory: &Directory) -> Self {
        Self::spawn_with(what, directory, |_| {})
    }

    pub fn spawn_with(
        what: &str,
        directory: &Directory,
        adjust: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["helper", "--exact", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{what}@{}", directory.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        adjust(&mut command);
        let spawning = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
        let mut child = command.spawn().unwrap();
        drop(spawning);
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// The next thing it tells; what the test harness prints is passed over.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let bytes = self.stdout.read_line(&mut line).unwrap();
            assert!(bytes > 0, "the child ended: {:?}", self.child.wait());
            // The harness prints "test helper ... " without a line's end before it.
            if let Some((_, told)) = line.split_once('@') {
                return told.trim_end().to_owned();
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }

    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).unwrap();
        // SAFETY: our own child, not waited for yet, so the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    pub fn kill(&mut self) -> ExitStatus {
        self.signal(libc::SIGKILL);
        self.child.wait().unwrap()
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the child's end", || {
            status = self.ended();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replaces what differs from run to run.
pub fn redact(text: &str, directory: &Directory) -> String {
    // SAFETY: no pointers, and it cannot fail.
    let user = unsafe { libc::geteuid() };
    let text = text.replace(&directory.path().display().to_string(), "[dir]");
    text.replace(&format!("strait-{user}-"), "strait-[uid]-")
}

/// Replaces each run of digits that follows `before` with `[n]`.
pub fn redact_number(text: &str, before: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(before) {
        result.push_str(head);
        result.push_str(before);
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() < tail.len() {
            result.push_str("[n]");
        }
    }
    result + rest
}
