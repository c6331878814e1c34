//! Child processes that tell by their end how their work went.

use crate::child::{Actor, Place};
use std::process::{ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

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

/// Ends this process at once, by the one system call that is always allowed.
pub(crate) fn end(verdict: i32) -> ! {
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(verdict) }
}

/// Starts one for each role, and waits until all have ended well, or one has not: its role and how it
/// ended. The others are killed.
pub(crate) fn all_end_well<I: Into<Stdio>>(
    place: &Place,
    roles: impl IntoIterator<Item = (String, I)>,
) -> Result<(), (String, ExitStatus)> {
    let start = |(role, stdin): (String, I)| {
        let actor = Actor::spawn_with(&role, place, |command| {
            command.stdin(stdin);
        });
        (role, actor)
    };
    let mut actors: Vec<_> = roles.into_iter().map(start).collect();
    while !actors.is_empty() {
        let mut failed = None;
        actors.retain_mut(|(role, actor)| match actor.ended() {
            None => true,
            Some(status) => {
                if !status.success() {
                    failed = Some((role.clone(), status));
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
