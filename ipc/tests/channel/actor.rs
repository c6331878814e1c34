//! Child processes that run a part of a test, and patience that ends.

use super::{HANG, Place};
use rustix::process::{WaitOptions, waitpid};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const JOB: &str = "STRAIT_TEST_JOB";

/// In a child made by [`Actor::spawn`]: what it is to do, and where.
///
/// The child ends with the thread that spawned it, so that a failed test leaves nobody behind.
pub fn job() -> Option<(String, Place)> {
    let job = std::env::var(JOB).ok()?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let (what, directory) = job.split_once('@').unwrap();
    Some((what.to_owned(), Place::at(directory)))
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

/// A child process that runs the test `actor` of this binary; killed when dropped.
pub struct Actor {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Actor {
    pub fn spawn(what: &str, place: &Place) -> Self {
        Self::spawn_with(what, place, Stdio::piped())
    }

    pub fn spawn_with(what: &str, place: &Place, stdin: Stdio) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["actor", "--exact", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{what}@{}", place.path().display()))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// The next thing it tells; what the test harness prints is passed over.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let bytes = self.stdout.read_line(&mut line).unwrap();
            assert!(bytes > 0, "the child ended: {:?}", self.child.wait());
            // The harness prints "test actor ... " without a line's end before it.
            if let Some((_, told)) = line.split_once('@') {
                return told.trim_end().to_owned();
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn go_on(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid()).unwrap();
        // SAFETY: no pointers; our own child, not waited for yet, so the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Stops it, and waits until it stands still.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        let (_, status) = waitpid(pid, WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "it ended: {status:?}");
    }

    /// Lets it go on after [`pause`](Actor::pause).
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Kills it without warning. Fails if it had ended by itself.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL), "{status}; its panic is above");
    }

    /// Kills it, and returns everything it told that was not heard.
    pub fn kill_and_hear(mut self) -> Vec<String> {
        self.kill();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let told = rest.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        told.filter_map(|line| Some(line.split_once('@')?.1.trim_end().to_owned())).collect()
    }

    /// Waits for its end, which must be a good one.
    pub fn finish(&mut self) {
        let mut ended: Option<ExitStatus> = None;
        eventually("the child's end", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success(), "the child failed; its panic is above");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `check` until it is true.
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < HANG, "still waiting for: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Ends the process if it is not dropped in time: for calls that might wait for ever.
pub(super) struct Watchdog {
    _dropped_in_time: mpsc::Sender<()>,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let (alive, bell) = mpsc::channel();
        std::thread::spawn(move || {
            if bell.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{test} hangs");
                std::process::abort();
            }
        });
        Self { _dropped_in_time: alive }
    }
}
