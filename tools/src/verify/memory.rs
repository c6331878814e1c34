//! What a channel takes while nothing happens, and what it takes to open one.

use super::judge::{Amount, Unit};
use super::lab::{Lab, effort, median, once};
use super::peer::{self, Orders, Peer, Role};
use super::small::Ball;
use anyhow::{Context, Result};
use std::fs;
use std::process::Stdio;
use std::time::Instant;
use strait::Domain;
use strait_ipc::segment::layout::{ChannelEntry, EndpointSlot};

/// Resident bytes of a process that does nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    without: f64,
    with_channel: f64,
}

/// [`Role::Idle`] and [`Role::IdleWithChannel`]: says how many bytes are resident.
pub(super) fn idle(orders: &Orders, role: Role) -> Result<()> {
    let channel = if role == Role::IdleWithChannel {
        Some(Domain::open(&orders.meet)?.spsc::<Ball>("there").receiver()?)
    } else {
        None
    };
    peer::ready();
    println!("{}", resident()?);
    drop(channel);
    Ok(())
}

/// Resident bytes of this process: its own pages, and shared ones that it has touched.
fn resident() -> Result<u64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let kib = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix("kB")?.trim().parse().ok())
        .unwrap_or(0_u64);
    Ok(kib * 1024)
}

fn resident_as(role: Role) -> Result<f64> {
    let said = Peer::start(role, 0, 0, Stdio::null())?.finish()?;
    said.trim().parse().context("the other process did not say how much memory it has")
}

/// Resident bytes of a process that holds one side of a channel and does nothing.
pub(super) fn idle_with_channel(lab: &mut Lab) -> Result<Amount> {
    let first = lab.idle.is_none();
    let idle = once(&mut lab.idle, || {
        let of = |role| (0..3).map(|_| resident_as(role)).collect::<Result<Vec<_>>>().map(median);
        Ok(Idle { without: of(Role::Idle)?, with_channel: of(Role::IdleWithChannel)? })
    })?;
    if first {
        let more = Unit::Bytes.words(idle.with_channel - idle.without);
        lab.note(format!("of which the channel, a default one with all its pages touched: {more}"));
        let opened = Unit::Nanoseconds.words(open_to_first_message_ns()?);
        lab.note(format!("from opening a domain to the first message received: {opened}"));
        let [entry, slot] = [size_of::<ChannelEntry>(), size_of::<EndpointSlot>()];
        lab.note(format!(
            "a segment spends {entry} B on a channel's description, {slot} B per side"
        ));
    }
    Ok(idle.with_channel.into())
}

/// Both sides opened, the channel made on the way, and one message through it.
fn open_to_first_message_ns() -> Result<f64> {
    const TIMES: u64 = effort(50);
    let mut times = Vec::new();
    for number in 0..TIMES {
        let name = format!("verify-open-{}-{number}", std::process::id());
        let start = Instant::now();
        let domain = Domain::open(&name)?;
        let mut sender = domain.spsc::<Ball>("there").sender()?;
        let mut receiver = domain.spsc::<Ball>("there").receiver()?;
        sender.send(&Ball::new(number))?;
        let received = receiver.recv()?.words[0];
        times.push(start.elapsed().as_nanos() as f64);
        anyhow::ensure!(received == number, "the first message is another one");
    }
    Ok(median(times))
}
