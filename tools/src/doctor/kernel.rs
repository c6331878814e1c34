//! The clock, and what kernel and hypervisor add to everything.

use super::finding::{Check, Finding};
use super::machine::Machine;
use crate::environment::{hypervisor, text};

pub(super) const CHECKS: &[fn(&Machine<'_>) -> Finding] =
    &[clock_source, tsc, mitigations, virtual_machine, steal_time, watchdog];

const SOURCE: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";

fn clock_source(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "clock-source",
        "tsc (or arch_sys_counter)",
        "What the time is read from. The processor's own counter takes tens of nanoseconds; a chip \
         on the board takes a system call and a microsecond.",
    );
    let available =
        machine.text("sys/devices/system/clocksource/clocksource0/available_clocksource");
    let tsc = available.iter().flat_map(|list| list.split_whitespace()).any(|name| name == "tsc");
    let fix = tsc.then(|| machine.system(format!("echo tsc | sudo tee /{SOURCE}")));
    match machine.text(SOURCE) {
        None => check.unknown(),
        Some(found) => match found.as_str() {
            "tsc" | "arch_sys_counter" => check.ok(found),
            // Read without a system call as well.
            "kvm-clock" | "hyperv_clocksource_tsc_page" => check.note(found).fix(fix),
            _ => check.warning(found).fix(fix),
        },
    }
}

fn tsc(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "tsc",
        "constant_tsc, nonstop_tsc",
        "Whether the processor's counter runs evenly at every clock rate and in every idle state, \
         so that all cores agree on the time.",
    );
    // Processors without the line have another counter, which is always even.
    let Some(flags) = machine.cpuinfo("flags") else { return check.unknown() };
    let has = |flag: &&str| flags.split(' ').any(|found| found == *flag);
    let (present, missing): (Vec<&str>, Vec<&str>) =
        ["constant_tsc", "nonstop_tsc"].into_iter().partition(has);
    if missing.is_empty() {
        check.ok(present.join(", "))
    } else {
        check.warning(format!("without {}", missing.join(" and ")))
    }
}

fn mitigations(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "mitigations",
        "none in force",
        "Guards against processors' flaws make every system call and switch dearer. Sides that poll \
         make none; each sleep and each wake-up pays. Only where all programs are trusted can a \
         machine do without (mitigations=off).",
    );
    let folder = machine.root.join("sys/devices/system/cpu/vulnerabilities");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut flaws: Vec<(String, String)> = entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, text(&entry.path())?)))
        .collect();
    flaws.sort();
    let guarded: Vec<&str> = flaws
        .iter()
        .filter(|(_, state)| state.contains("Mitigation"))
        .map(|(name, _)| name.as_str())
        .collect();
    if flaws.is_empty() {
        check.unknown()
    } else if guarded.is_empty() {
        check.ok("none")
    } else {
        check.note(guarded.join(", "))
    }
}

fn virtual_machine(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "virtual-machine",
        "no",
        "A hypervisor moves virtual cores between physical ones, and takes them away: figures jump \
         between levels, and no setting in here prevents it.",
    );
    let Some(cpuinfo) = machine.text("proc/cpuinfo") else { return check.unknown() };
    match hypervisor(machine.root, &cpuinfo) {
        None => check.ok("no"),
        Some(name) => check.note(name),
    }
}

/// Which part of the busy time since boot was somebody else's.
fn stolen(stat: &str) -> Option<f64> {
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in the first two.
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let numbers = line.split_whitespace().map(|number| number.parse().ok());
    let numbers: Vec<f64> = numbers.take(8).collect::<Option<_>>()?;
    let &[user, nice, system, _, _, irq, softirq, steal] = numbers.as_slice() else { return None };
    let busy = user + nice + system + irq + softirq + steal;
    (busy > 0.0).then_some(steal / busy)
}

fn steal_time(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "steal-time",
        "below 1 % of the busy time",
        "Time since boot for which a virtual core was ready to run, and the hypervisor ran something \
         else.",
    );
    match machine.text("proc/stat").as_deref().and_then(stolen) {
        None => check.unknown(),
        Some(share) => {
            let found = format!("{:.2} %", share * 100.0);
            if share < 0.01 { check.ok(found) } else { check.warning(found) }
        }
    }
}

fn watchdog(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "watchdog",
        "off",
        "The kernel's watchdogs interrupt every core every few seconds to see whether it hangs.",
    );
    match machine.number("proc/sys/kernel/watchdog") {
        None => check.unknown(),
        Some(0) => check.ok("off"),
        Some(_) => check.note("on").fix(machine.system("sudo sysctl -w kernel.watchdog=0")),
    }
}

#[cfg(test)]
mod tests {
    use super::stolen;

    #[test]
    fn stolen_time_is_a_part_of_busy_time() {
        let stat = "cpu  60 0 20 1000 5 0 0 20 7 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(stolen(stat), Some(0.2));
        assert_eq!(stolen("cpu  0 0 0 5 0 0 0 0 0 0"), None);
        assert_eq!(stolen("cpu  1 2 3"), None);
        assert_eq!(stolen("cpu  many"), None);
    }
}
