//! All parts at once: this program starts itself once for each, and no copy outlives it. It survives an
//! interrupt for long enough to remove the channels that its parts did not close.

use std::env;
use std::process::{self, Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::Part;
use crate::channels::Market;

/// How long parts may go on when another has failed: enough to notice it and to say so.
const GRACE: Duration = Duration::from_millis(500);

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Runs all parts with this program's own arguments, in the domain given. The book builder prints
/// the report, and each part its own errors.
pub(crate) fn run(domain: &str) -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let interrupt = Arc::clone(&interrupted);
    ctrlc::set_handler(move || interrupt.store(true, Ordering::Relaxed))?;

    let outcome = run_parts(domain, &interrupted);
    if outcome.is_err() {
        // The kernel takes some milliseconds to let go of the memory of a killed process.
        let killed = Instant::now();
        let market = Market::open(domain, 1)?;
        while market.remove().is_err() && killed.elapsed() < GRACE {
            thread::sleep(LOOK_EVERY);
        }
    }
    outcome
}

fn run_parts(domain: &str, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let start = |part| Running::start(part, domain);
    let mut parts = [start(Part::Book)?, start(Part::Record)?, start(Part::Feed)?];
    let mut failure: Option<(String, Instant)> = None;
    loop {
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        let mut running = 0;
        for part in &mut parts {
            match part.process.try_wait()? {
                None => running += 1,
                Some(status) if status.success() => {}
                Some(status) => {
                    failure.get_or_insert_with(|| {
                        (format!("the {} failed ({status})", part.name), Instant::now())
                    });
                }
            }
        }
        match &failure {
            // What still runs after the grace period is ended by `Running::drop`.
            Some((what, since)) if running == 0 || since.elapsed() > GRACE => bail!("{what}"),
            None if running == 0 => return Ok(()),
            _ => thread::sleep(LOOK_EVERY),
        }
    }
}

/// A part in a process of its own.
struct Running {
    name: &'static str,
    process: Child,
}

impl Running {
    fn start(part: Part, domain: &str) -> anyhow::Result<Self> {
        let name = part.name();
        let process = Command::new(env::current_exe()?)
            .arg(name)
            .args(env::args_os().skip(1))
            .args(["--domain", domain, "--with-parent"])
            .arg(process::id().to_string())
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        Ok(Self { name, process })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both do nothing to a process that has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
