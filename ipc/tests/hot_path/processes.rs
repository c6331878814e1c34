//! Child processes that are this very test binary, and patience that ends.

use std::env;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Names the part that a child plays.
const ROLE: &str = "STRAIT_HOT_PATH_ROLE";

/// Long enough for anything that works, on a machine that does much else.
const HANG: Duration = Duration::from_secs(120);

/// How a child tells the outcome: it may be unable to say more than one byte.
pub(crate) mod verdict {
    /// All went well.
    pub(crate) const RIGHT: i32 = 0;
    /// A message was lost or changed, or an operation failed.
    pub(crate) const WRONG: i32 = 2;
    /// The messages were right, but something else happened that must not.
    pub(crate) const DISTURBED: i32 = 3;
    /// The system lacks what the test needs.
    pub(crate) const UNABLE: i32 = 4;
}

/// The part that this process was started to play.
pub(crate) fn own_role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Ends this process at once, by the one system call that is always allowed.
pub(crate) fn end(verdict: i32) -> ! {
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(verdict) }
}

/// A child that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Actor {
    role: String,
    child: Child,
}

impl Actor {
    /// Starts one, with `stdin` as its standard input.
    pub(crate) fn start(role: &str, stdin: impl Into<Stdio>) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["actor", "--exact", "--nocapture"])
            .env(ROLE, role)
            .stdin(stdin)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { role: role.to_owned(), child }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until all have ended well, or one has not: its role and how it ended. The others are killed.
pub(crate) fn all_end_well(mut actors: Vec<Actor>) -> Result<(), (String, ExitStatus)> {
    let started = Instant::now();
    while !actors.is_empty() {
        assert!(started.elapsed() < HANG, "{actors:?} never end");
        let mut failed = None;
        actors.retain_mut(|actor| match actor.child.try_wait().unwrap() {
            None => true,
            Some(status) => {
                if !status.success() {
                    failed = Some((actor.role.clone(), status));
                }
                false
            }
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}
