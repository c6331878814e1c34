//! Machines that are not this one: trees of files, and what their system calls would say.

mod checks;
mod pages;

use super::machine::{FIRST_PID, FIRST_USER, Limit, UNLIMITED, Volume};
use super::measure::{Absences, ClockCost, Measured, Pair};
use super::*;
use crate::environment;
use std::fs;
use std::os::unix::fs::symlink;

/// A machine's files.
struct Tree(tempfile::TempDir);

impl Tree {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn namespaces(self, pid: &str, user: &str) -> Self {
        let folder = self.0.path().join("proc/self/ns");
        fs::create_dir_all(&folder).unwrap();
        symlink(pid, folder.join("pid")).unwrap();
        symlink(user, folder.join("user")).unwrap();
        self
    }

    fn audit(&self, process: &Process) -> Vec<Finding> {
        audit(&Machine { root: self.0.path(), process: process.clone() })
    }

    /// What is found under one name.
    fn finding(&self, process: &Process, id: &str) -> Finding {
        let mut findings = self.audit(process);
        let index = findings.iter().position(|finding| finding.id == id).unwrap();
        findings.swap_remove(index)
    }

    fn page(&self, process: &Process, all: bool) -> String {
        let environment = environment::machine(self.0.path());
        show::page(&self.audit(process), None, &environment, all)
    }
}

const SYSTEM: &str = "sys/devices/system";

/// Eight cores, half of them isolated, and everything as it should be.
fn server() -> Tree {
    let flags = "model name : Fast One\nflags : fpu constant_tsc nonstop_tsc\n";
    let kernel = "proc/sys/kernel";
    let mut tree = Tree::empty()
        .put("proc/cpuinfo", flags)
        .put("proc/meminfo", "MemTotal: 67108864 kB\nSwapTotal: 0 kB\nHugePages_Total: 0\nHugePages_Free: 0\nHugepagesize: 2048 kB\n")
        .put("proc/self/mounts", "udev /dev devtmpfs rw 0 0\ntmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0\n")
        .put("proc/self/cgroup", "0::/user.slice/session.scope\n")
        .put("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n")
        .put("sys/fs/cgroup/user.slice/memory.max", "max\n")
        .put("proc/1/cgroup", "0::/init.scope\n")
        .put("proc/1/comm", "systemd\n")
        .put("run/systemd/system/.keep", "")
        .put("etc/systemd/logind.conf", "[Login]\n#RemoveIPC=yes\n")
        .put("etc/systemd/logind.conf.d/ipc.conf", "[Login]\nRemoveIPC=no\n")
        .put("proc/cmdline", "quiet isolcpus=4-7 nohz_full=4-7 rcu_nocbs=4-7\n")
        .put("proc/stat", "cpu  100 0 100 1000 0 0 0 0 0 0\n")
        .put(&format!("{kernel}/osrelease"), "6.12.0\n")
        .put(&format!("{kernel}/core_pattern"), "core\n")
        .put(&format!("{kernel}/numa_balancing"), "0\n")
        .put(&format!("{kernel}/sched_rt_runtime_us"), "-1\n")
        .put(&format!("{kernel}/watchdog"), "0\n")
        .put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        .put("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [never] deny\n")
        .put(&format!("{SYSTEM}/node/node0/cpulist"), "0-7\n")
        .put(&format!("{SYSTEM}/clocksource/clocksource0/current_clocksource"), "tsc\n")
        .put(&format!("{SYSTEM}/cpu/online"), "0-7\n")
        .put(&format!("{SYSTEM}/cpu/isolated"), "4-7\n")
        .put(&format!("{SYSTEM}/cpu/smt/active"), "0\n")
        .put(&format!("{SYSTEM}/cpu/intel_pstate/no_turbo"), "0\n")
        .put(&format!("{SYSTEM}/cpu/vulnerabilities/meltdown"), "Not affected\n")
        .put(&format!("{SYSTEM}/cpu/cpu0/cpuidle/state0/name"), "POLL\n")
        .put(&format!("{SYSTEM}/cpu/cpu0/cpuidle/state0/latency"), "0\n")
        .put(&format!("{SYSTEM}/cpu/cpu0/cpuidle/state0/disable"), "0\n")
        .namespaces(FIRST_PID, FIRST_USER);
    for cpu in 0..8 {
        let governor = format!("{SYSTEM}/cpu/cpu{cpu}/cpufreq/scaling_governor");
        tree = tree.put(&governor, "performance\n");
    }
    guided(tree, 0)
}

/// The guide's settings, or `less` of each.
fn guided(tree: Tree, less: u64) -> Tree {
    let max = 134_217_728 - less;
    tree.put("proc/sys/net/core/rmem_max", &format!("{max}\n"))
        .put("proc/sys/net/core/wmem_max", &format!("{max}\n"))
        .put("proc/sys/net/ipv4/tcp_rmem", &format!("4096\t87380\t{max}\n"))
        .put("proc/sys/net/ipv4/tcp_wmem", &format!("4096\t65536\t{max}\n"))
        .put("proc/sys/fs/file-max", &format!("{}\n", 2_097_152 - less))
        .put("proc/sys/kernel/shmmax", &format!("{}\n", 68_719_476_736 - less))
        .put("proc/sys/kernel/shmall", &format!("{}\n", 4_294_967_296 - less))
}

fn limit(soft: u64, hard: u64) -> Option<Limit> {
    Some(Limit { soft, hard })
}

/// A user of the server.
fn user() -> Process {
    Process {
        directory: "/dev/shm".into(),
        volume: Some(Volume { bytes: 32 << 30, free: 31 << 30 }),
        writable: Some(true),
        user: Some(1000),
        cores: (0..8).collect(),
        memlock: limit(UNLIMITED, UNLIMITED),
        nofile: limit(65536, 65536),
        nproc: limit(32768, 32768),
        core: limit(0, UNLIMITED),
        rtprio: limit(50, 50),
    }
}

/// A container as it comes, on a laptop.
fn container() -> (Tree, Process) {
    let tree = Tree::empty()
        .put(".dockerenv", "")
        .put("proc/cpuinfo", "model name : Small One\nflags : fpu constant_tsc hypervisor\n")
        .put("proc/meminfo", "MemTotal: 16777216 kB\nSwapTotal: 2097152 kB\nHugePages_Total: 64\nHugePages_Free: 64\nHugepagesize: 2048 kB\n")
        .put("proc/self/mounts", "overlay / overlay rw 0 0\nshm /dev/shm tmpfs rw,nosuid,size=65536k 0 0\n")
        .put("proc/self/cgroup", "0::/\n")
        .put("sys/fs/cgroup/cpu.max", "150000 100000\n")
        .put("sys/fs/cgroup/memory.max", "536870912\n")
        .put("proc/1/cgroup", "0::/\n")
        .put("proc/1/comm", "sh\n")
        .put("proc/cmdline", "quiet\n")
        .put("proc/self/uid_map", "         0     100000      65536\n")
        .put("proc/stat", "cpu  100 0 100 1000 0 0 0 50 0 0\n")
        .put("proc/sys/vm/swappiness", "60\n")
        .put("proc/sys/kernel/osrelease", "6.8.0\n")
        .put("proc/sys/kernel/core_pattern", "|/usr/share/apport/apport %p\n")
        .put("proc/sys/kernel/numa_balancing", "1\n")
        .put("proc/sys/kernel/sched_rt_runtime_us", "950000\n")
        .put("proc/sys/kernel/sched_rt_period_us", "1000000\n")
        .put("proc/sys/kernel/watchdog", "1\n")
        .put("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n")
        .put("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [force] deny\n")
        .put(&format!("{SYSTEM}/node/node0/cpulist"), "0-1\n")
        .put(&format!("{SYSTEM}/node/node1/cpulist"), "2-3\n")
        .put(&format!("{SYSTEM}/clocksource/clocksource0/current_clocksource"), "hpet\n")
        .put(&format!("{SYSTEM}/clocksource/clocksource0/available_clocksource"), "tsc hpet\n")
        .put(&format!("{SYSTEM}/cpu/online"), "0-3\n")
        .put(&format!("{SYSTEM}/cpu/isolated"), "\n")
        .put(&format!("{SYSTEM}/cpu/smt/active"), "1\n")
        .put(&format!("{SYSTEM}/cpu/cpufreq/boost"), "0\n")
        .put(&format!("{SYSTEM}/cpu/vulnerabilities/meltdown"), "Mitigation: PTI\n")
        .put(&format!("{SYSTEM}/cpu/vulnerabilities/mds"), "Vulnerable\n")
        .put(&format!("{SYSTEM}/cpu/cpu0/cpuidle/state2/name"), "C6\n")
        .put(&format!("{SYSTEM}/cpu/cpu0/cpuidle/state2/latency"), "133\n")
        .put(&format!("{SYSTEM}/cpu/cpu0/cpuidle/state2/disable"), "0\n")
        .namespaces("pid:[4026532200]", "user:[4026532201]");
    let siblings = ["0,2", "1,3", "0,2", "1,3"];
    let tree = siblings.iter().enumerate().fold(tree, |tree, (cpu, siblings)| {
        let folder = format!("{SYSTEM}/cpu/cpu{cpu}");
        tree.put(&format!("{folder}/cpufreq/scaling_governor"), "powersave\n")
            .put(&format!("{folder}/topology/thread_siblings_list"), siblings)
    });
    let process = Process {
        volume: Some(Volume { bytes: 64 << 20, free: 12 << 20 }),
        user: Some(1000),
        cores: (0..4).collect(),
        memlock: limit(8 << 20, 8 << 20),
        nofile: limit(1024, 524_288),
        nproc: limit(4096, 4096),
        core: limit(UNLIMITED, UNLIMITED),
        rtprio: limit(0, 0),
        ..user()
    };
    (guided(tree, 1), process)
}
