//! Which cores there are for this process, and what takes them away from it.

use super::finding::{Check, Finding, Fix, Place};
use super::machine::{CAP_SYS_NICE, Container, Machine, ranges};
use crate::bench::classes::list_holds;
use crate::environment::{number, numbered, text};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) const CHECKS: &[fn(&Machine<'_>) -> Finding] =
    &[affinity, cpu_quota, isolation, smt, governor, turbo, idle_states, rtprio, rt_throttling];

const SYSTEM: &str = "sys/devices/system/cpu";

fn cpus(machine: &Machine<'_>) -> Vec<(usize, PathBuf)> {
    numbered(&machine.root.join(SYSTEM), "cpu")
}

fn affinity(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "affinity",
        "at least 2 cores",
        "Two sides that poll need a core each: on one they wait for each other's time slice. Sides \
         that sleep (`Wait::Park`) can share one.",
    );
    let cores = &machine.process.cores;
    let online = machine.text(&format!("{SYSTEM}/online"));
    let of = online.map_or_else(String::new, |online| format!(" of {online}"));
    let found = format!("{}{of}", ranges(cores));
    match cores.len() {
        0 => check.unknown(),
        1 => check.warning(found),
        _ => check.ok(found),
    }
}

fn cpu_quota(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "cpu-quota",
        "none, or as many as cores",
        "A group that has used up its share is stopped until the next period begins, for tens of \
         milliseconds. Give a container whole cores instead.",
    );
    if machine.text("proc/self/cgroup").is_none() {
        return check.unknown();
    }
    // The second version says "MAX PERIOD" in one file, the first has a file for each.
    let joint = machine.control_files("cpu", "cpu.max").into_iter();
    let (quotas, periods) = (
        machine.control_files("cpu", "cpu.cfs_quota_us"),
        machine.control_files("cpu", "cpu.cfs_period_us"),
    );
    let apart = quotas.iter().zip(&periods).map(|(quota, period)| format!("{quota} {period}"));
    let shares = joint.chain(apart).filter_map(|share| {
        let (quota, period) = share.split_once(' ')?;
        let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
        (quota > 0.0 && period > 0.0).then_some(quota / period)
    });
    let Some(share) = shares.min_by(f64::total_cmp) else { return check.ok("none") };
    let count = machine.process.cores.len();
    let found = format!("{share:.2} cores' time on {count} cores");
    if share < count as f64 {
        let fix =
            Fix { place: Place::Container, command: "docker run --cpuset-cpus=0,1 ...".to_owned() };
        check.warning(found).fix(matches!(machine.container(), Container::Yes(_)).then_some(fix))
    } else {
        check.ok(found)
    }
}

/// The value of a parameter of the kernel's command line.
fn parameter<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn isolation(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "isolation",
        "cores of one's own, without a tick",
        "On a core that the scheduler gives to nobody else (isolcpus), without a timer tick \
         (nohz_full) and others' clean-up (rcu_nocbs), a thread that polls is hardly ever \
         interrupted.",
    );
    // An empty file says that there are none, and has no text.
    let Ok(isolated) = std::fs::read_to_string(machine.root.join(SYSTEM).join("isolated")) else {
        return check.unknown();
    };
    let isolated = isolated.trim();
    let line = machine.text("proc/cmdline").unwrap_or_default();
    if isolated.is_empty() || isolated == "(null)" {
        return check.note("no core is isolated").fix(isolate(machine));
    }
    // It becomes part of a command.
    if !isolated.chars().all(|c| c.is_ascii_digit() || "-,".contains(c)) {
        return check.unknown();
    }
    let told: Vec<String> = ["isolcpus", "nohz_full", "rcu_nocbs"]
        .iter()
        .filter_map(|name| Some(format!("{name}={}", parameter(&line, name)?)))
        .collect();
    let found = format!("{isolated} ({})", told.join(" "));
    let usable = machine.process.cores.iter().any(|&core| list_holds(isolated, core));
    let command = format!("taskset -c {isolated} PROGRAM");
    if !usable {
        check
            .note(format!("{found}, none of them for this process"))
            .fix(Fix { place: Place::Here, command })
    } else if parameter(&line, "nohz_full").is_none() {
        check.note(format!("{found}, with a timer tick")).fix(Fix {
            place: Place::Boot,
            command: format!("nohz_full={isolated} rcu_nocbs={isolated}"),
        })
    } else {
        check.ok(found)
    }
}

/// The upper half of the cores to those who ask for them, the lower to everybody else.
fn isolate(machine: &Machine<'_>) -> Option<Fix> {
    let cores: Vec<usize> = cpus(machine).into_iter().map(|(core, _)| core).collect();
    let half = ranges(cores.get(cores.len() / 2..)?);
    let command = format!("isolcpus=managed_irq,domain,{half} nohz_full={half} rcu_nocbs={half}");
    // With fewer there would be too little left for everybody else.
    (cores.len() >= 4).then_some(Fix { place: Place::Boot, command })
}

fn smt(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "smt",
        "off, or one thread of each core used",
        "Two hardware threads of one core take its units and caches from each other. Pin to one of \
         them and leave the other idle.",
    );
    match machine.number(&format!("{SYSTEM}/smt/active")) {
        None => check.unknown(),
        Some(0) => check.ok("off"),
        Some(_) => {
            let siblings: BTreeSet<String> = cpus(machine)
                .iter()
                .filter_map(|(_, folder)| text(&folder.join("topology/thread_siblings_list")))
                .collect();
            let shown: Vec<String> = siblings.iter().take(4).cloned().collect();
            let more = if siblings.len() > shown.len() { " ..." } else { "" };
            let found = format!("on; threads of one core: {}{more}", shown.join(" "));
            let fix = machine.system(format!("echo off | sudo tee /{SYSTEM}/smt/control"));
            check.note(found).fix(fix)
        }
    }
}

fn governor(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "governor",
        "performance",
        "Any other lets a core run slowly until it has been busy for a while: the first messages \
         after a pause take longer.",
    );
    let governors: BTreeSet<String> = cpus(machine)
        .iter()
        .filter_map(|(_, folder)| text(&folder.join("cpufreq/scaling_governor")))
        .collect();
    let found = governors.iter().cloned().collect::<Vec<_>>().join(", ");
    if governors.is_empty() {
        check.unknown()
    } else if governors.iter().all(|governor| governor == "performance") {
        check.ok(found)
    } else {
        check.warning(found).fix(
            machine.system(format!(
                "echo performance | sudo tee /{SYSTEM}/cpu*/cpufreq/scaling_governor"
            )),
        )
    }
}

fn turbo(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "turbo",
        "on",
        "Cores run above their nominal rate while few of them are busy. That is faster, and figures \
         vary with what the other cores do.",
    );
    let (intel, boost) =
        (format!("{SYSTEM}/intel_pstate/no_turbo"), format!("{SYSTEM}/cpufreq/boost"));
    let on = match machine.number(&intel) {
        Some(off) => Some((off == 0, format!("echo 0 | sudo tee /{intel}"))),
        None => machine.number(&boost).map(|on| (on != 0, format!("echo 1 | sudo tee /{boost}"))),
    };
    match on {
        None => check.unknown(),
        Some((true, _)) => check.ok("on"),
        Some((false, command)) => check.note("off").fix(machine.system(command)),
    }
}

/// Microseconds that a core may take to wake up.
const SOON: usize = 10;

fn idle_states(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "idle-states",
        "none that takes over 10 µs to leave",
        "A core that is asleep takes as long to wake: it adds to every hop to a side that sleeps. \
         Sides that poll never let theirs sleep.",
    );
    let first = machine.root.join(SYSTEM).join("cpu0/cpuidle");
    let states = numbered(&first, "state");
    let enabled = states.iter().filter(|(_, state)| number(&state.join("disable")) == Some(0));
    let deepest = enabled
        .filter_map(|(_, state)| {
            Some((number(&state.join("latency"))?, text(&state.join("name"))?))
        })
        .max();
    match deepest {
        _ if states.is_empty() => check.unknown(),
        None => check.ok("none"),
        Some((latency, name)) => {
            let found = format!("{name}: {latency} µs");
            let command = format!("sudo cpupower idle-set --disable-by-latency {SOON}");
            if latency <= SOON {
                check.ok(found)
            } else {
                check.note(found).fix(machine.system(command))
            }
        }
    }
}

fn rtprio(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "rtprio",
        "at least 1",
        "A thread of a real-time class is not kept from its core by others. Threads that ask for \
         one (`PinnedThread`) are refused beyond this limit.",
    );
    let Some(limit) = machine.process.rtprio else { return check.unknown() };
    let found = limit.soft.to_string();
    if limit.soft > 0 {
        check.ok(found)
    } else if machine.capable(CAP_SYS_NICE) {
        check.ok(format!("{found}; this process has CAP_SYS_NICE, and no limit"))
    } else {
        check.note(found).fix(machine.raise(limit, 'r', "rtprio", 50))
    }
}

fn rt_throttling(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "rt-throttling",
        "-1",
        "A thread of a real-time class that polls is thrown off its core for the rest of every \
         period. Without that, it has the core for good: leave one for everybody else.",
    );
    let microseconds = |name: &str| {
        let text = machine.text(&format!("proc/sys/kernel/sched_rt_{name}_us"))?;
        text.parse::<i64>().ok()
    };
    match (microseconds("runtime"), microseconds("period")) {
        (Some(-1), _) => check.ok("none"),
        (Some(runtime), Some(period)) => check
            .note(format!("{runtime} of every {period} µs"))
            .fix(machine.system("sudo sysctl -w kernel.sched_rt_runtime_us=-1")),
        _ => check.unknown(),
    }
}
