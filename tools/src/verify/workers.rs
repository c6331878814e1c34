//! The sizes of worker pools.

use super::judge::Behaviour;
use super::lab::Lab;
use super::peer;
use anyhow::{Context, Result};
use std::thread;
use strait_pools::threads::{PinnedThread, WorkerPool, Workers};

/// Whether a pool has as many threads as there are cores (or as a quota leaves of them), twice that for
/// input and output, and one pinned to each core of a list.
pub(super) fn sizes(_: &mut Lab) -> Result<Behaviour> {
    // On a thread of its own, which may run where this process was started: others have pinned this.
    thread::spawn(sizes_here).join().ok().context("the thread that counts panicked")?
}

fn sizes_here() -> Result<Behaviour> {
    peer::roam()?;
    let cores = peer::started_on()?;
    let usable = thread::available_parallelism()?.get();
    let pool = |workers| WorkerPool::new(PinnedThread::builder().name("verify"), workers, 1);
    let computing = pool(Workers::CpuBound)?.workers().len();
    let waiting = pool(Workers::IoBound)?.workers().len();
    let listed = pool(Workers::Cores(cores.to_vec()))?;
    let pinned: Vec<usize> =
        listed.workers().iter().filter_map(|worker| worker.set_up().core()).collect();
    Ok(Behaviour {
        holds: computing == usable && waiting == 2 * usable && pinned == cores,
        seen: format!(
            "{usable} cores: {computing} threads to compute, {waiting} for input and output; by \
             list, pinned to {pinned:?}"
        ),
    })
}
