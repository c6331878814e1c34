//! Child processes that are this very test binary, the directory in which they and the test meet,
//! and patience that ends.
//!
//! A child runs the test `actor`, which does its [`job`]; to everybody else, that test is empty.

// Each test binary uses a part of it.
#![allow(dead_code, unreachable_pub)]

mod place;

pub use place::Place;

use rustix::process::{WaitOptions, waitpid};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Long enough for anything that works.
pub const HANG: Duration = Duration::from_secs(30);

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
#[derive(Debug)]
pub struct Actor {
    child: Child,
    /// `None` if it was given something else.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Actor {
    pub fn spawn(what: &str, place: &Place) -> Self {
        Self::spawn_with(what, place, |_| {})
    }

    pub fn spawn_with(what: &str, place: &Place, adjust: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["actor", "--exact", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{what}@{}", place.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        adjust(&mut command);
        let mut child = command.spawn().unwrap();
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
        self.hear_the_rest()
    }

    /// Everything it told that was not heard. It has ended.
    pub fn hear_the_rest(mut self) -> Vec<String> {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let told = rest.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        told.filter_map(|line| Some(line.split_once('@')?.1.trim_end().to_owned())).collect()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the child's end", || {
            status = self.ended();
            status.is_some()
        });
        status.unwrap()
    }

    /// Waits for its end, which must be a good one.
    pub fn finish(&mut self) {
        assert!(self.wait().success(), "the child failed; its panic is above");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as good.
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
