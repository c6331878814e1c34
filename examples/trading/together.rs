//! All parts at once: this program starts itself once for each, and no copy outlives it. It survives an
//! interrupt for long enough to remove the channels that its parts did not close.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use rustix::process::{Pid, Signal, kill_process};

use crate::Part;
use crate::channels::Market;

/// How long parts may go on when another has failed: enough to notice it and to say so.
const GRACE: Duration = Duration::from_millis(500);

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Runs all parts with this program's own arguments, in the domain given; the engine as well, unless it is in
/// the book builder's process. The book builder prints the report, and each part its own errors.
pub(crate) fn run(domain: &str, in_process: bool) -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let interrupt = Arc::clone(&interrupted);
    ctrlc::set_handler(move || interrupt.store(true, Ordering::Relaxed))?;

    // It ends last: whoever is gone before its memory is removed with it.
    let mut engine = (!in_process).then(|| Running::start(Part::Engine, domain)).transpose()?;
    let outcome = run_parts(domain, engine.as_mut(), &interrupted);
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

fn run_parts(
    domain: &str,
    mut engine: Option<&mut Running>,
    interrupted: &AtomicBool,
) -> anyhow::Result<()> {
    let start = |part| Running::start(part, domain);
    let mut parts = [start(Part::Book)?, start(Part::Record)?, start(Part::Feed)?];
    let mut failure: Option<(String, Instant)> = None;
    loop {
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        let mut running = 0;
        for part in parts.iter_mut().chain(engine.as_deref_mut()) {
            match part.process.try_wait()? {
                None => running += u32::from(!part.serves),
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
    /// Whether it goes on until it is told to end.
    serves: bool,
    process: Child,
}

impl Running {
    fn start(part: Part, domain: &str) -> anyhow::Result<Self> {
        let (name, serves) = (part.name(), matches!(part, Part::Engine));
        let mut command = Command::new(env::current_exe()?);
        command
            .arg(name)
            .args(env::args_os().skip(1))
            .args(["--domain", domain, "--with-parent"])
            .arg(process::id().to_string());
        if serves {
            // What interrupts the others at the terminal does not reach it.
            command.process_group(0);
        }
        let process = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        Ok(Self { name, serves, process })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.serves && matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        } else {
            // Does nothing to a process that has ended and been waited for.
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}
