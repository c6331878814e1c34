//! Each check by itself, and all of them on nonsense.

use super::*;

/// Every file of a machine, with something else in it.
#[test]
fn files_may_hold_anything() {
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let below = |path: PathBuf| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        };
        entries.flat_map(below).collect()
    }
    let long = "9".repeat(5000);
    for hostile in [
        "",
        "\u{1b}[2J\u{7}",
        "0-18446744073709551615",
        "18446744073709551615 18446744073709551615",
        "-9223372036854775808",
        "99999999999999999999 0",
        "[[[]",
        "]x[",
        "$(reboot); `reboot`",
        "a:b:c:d\n:::\n0::/../../../..\n9:cpu,memory:/..",
        "tmpfs /dev/shm",
        "cpu  1 2 3 4 5 6 7 -8",
        "MemTotal: 99999999999999999999 kB\nSwapTotal: kB\nflags:\nmodel name:",
        "NaN inf",
        "RemoveIPC\n=\nRemoveIPC==",
        &long,
    ] {
        let (tree, process) = container();
        for file in files(tree.0.path()) {
            if !file.is_symlink() {
                fs::write(&file, hostile).unwrap();
            }
        }
        for finding in tree.audit(&process) {
            let fix = finding.fix.map(|fix| fix.command).unwrap_or_default();
            assert!(!fix.contains("reboot"), "{fix}");
            let found = finding.found.unwrap_or_default();
            assert!(!format!("{found}{fix}").contains('\u{1b}'), "{} {found:?}", finding.id);
        }
        tree.page(&process, true);
        for file in files(tree.0.path()) {
            if !file.is_symlink() {
                fs::write(&file, [0xff, 0xfe, b'\n', 0]).unwrap();
            }
        }
        tree.audit(&process);
    }
}

/// What a check says of the server with one file changed.
fn changed(path: &str, text: &str, id: &str) -> (Verdict, String) {
    let finding = server().put(path, text).finding(&user(), id);
    (finding.verdict, finding.found.unwrap_or_default())
}

#[test]
fn warnings_are_for_the_strict() {
    let source = format!("{SYSTEM}/clocksource/clocksource0/current_clocksource");
    let findings = server().put(&source, "hpet").audit(&user());
    assert_eq!((healthy(&findings, false), healthy(&findings, true)), (true, false));
    assert_eq!(counts(&findings)["warning"], 1);
}

#[test]
fn file_systems_are_told_apart() {
    let of = |kind: &str, options: &str| {
        let mounts = format!("root / ext4 rw 0 0\nx /dev/shm {kind} {options} 0 0\n");
        changed("proc/self/mounts", &mounts, "shm-filesystem").0
    };
    assert_eq!(of("tmpfs", "rw,size=1g"), Verdict::Ok);
    assert_eq!(of("tmpfs", "ro,size=1g"), Verdict::Problem);
    assert_eq!(of("xfs", "rw"), Verdict::Warning);
    assert_eq!(of("overlay", "rw"), Verdict::Warning);
    assert_eq!(of("nfs4", "rw"), Verdict::Problem);
    // Where nothing is mounted, what is above it counts; of two at one place, the later.
    let text = "a / nfs rw 0 0\nb / xfs rw 0 0\n";
    assert_eq!(changed("proc/self/mounts", text, "shm-filesystem").1, "xfs on /, rw");
}

#[test]
fn the_size_of_shared_memory_is_judged() {
    let of = |bytes: u64, free: u64| {
        let process = Process { volume: Some(Volume { bytes, free }), ..user() };
        ["shm-size", "shm-free"].map(|id| server().finding(&process, id).verdict)
    };
    const MIB: u64 = 1 << 20;
    assert_eq!(of(64 * MIB, 64 * MIB), [Verdict::Warning, Verdict::Ok]);
    assert_eq!(of(512 * MIB, 512 * MIB), [Verdict::Note, Verdict::Ok]);
    assert_eq!(of(1024 * MIB, 100 * MIB), [Verdict::Ok, Verdict::Warning]);
    assert_eq!(of(1024 * MIB, 15 * MIB), [Verdict::Ok, Verdict::Problem]);
    // A tmpfs without a limit.
    assert_eq!(of(0, 0), [Verdict::Ok; 2]);
}

#[test]
fn a_limit_is_raised_as_far_as_it_goes() {
    let fix = |process: &Process, id: &str| {
        let fix = server().finding(process, id).fix.unwrap();
        format!("{}: {}", fix.place.words(), fix.command)
    };
    let low = Process { nofile: limit(1024, 524_288), memlock: limit(1, 1), ..user() };
    assert_eq!(fix(&low, "nofile"), "fix: ulimit -n 65536");
    assert_eq!(
        fix(&low, "memlock"),
        "fix, then log in again: echo '* - memlock unlimited' | sudo tee -a \
         /etc/security/limits.d/strait.conf"
    );
    let tree = server().put("proc/self/status", "Name: x\nCapEff:\t0000000000004000\n");
    assert_eq!(tree.finding(&low, "memlock").verdict, Verdict::Ok);
}

#[test]
fn root_needs_no_sudo() {
    let root = Process { user: Some(0), ..user() };
    let tree = server().put("proc/sys/kernel/watchdog", "1");
    assert_eq!(tree.finding(&root, "watchdog").fix.unwrap().command, "sysctl -w kernel.watchdog=0");
    assert_eq!(
        tree.finding(&user(), "watchdog").fix.unwrap().command,
        "sudo sysctl -w kernel.watchdog=0"
    );
}

#[test]
fn quotas_of_either_version_and_of_groups_above_count() {
    assert_eq!(
        changed("sys/fs/cgroup/user.slice/cpu.max", "150000 100000", "cpu-quota"),
        (Verdict::Warning, "1.50 cores' time on 8 cores".to_owned())
    );
    let first = server()
        .put("proc/self/cgroup", "3:cpu,cpuacct:/app\n1:name=systemd:/\n")
        .put("sys/fs/cgroup/cpu/app/cpu.cfs_quota_us", "-1")
        .put("sys/fs/cgroup/cpu/app/cpu.cfs_period_us", "100000")
        .put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000")
        .put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    assert_eq!(
        first.finding(&user(), "cpu-quota").found.as_deref(),
        Some("0.50 cores' time on 8 cores")
    );
}

#[test]
fn isolated_cores_must_be_ours_and_without_a_tick() {
    let cmdline = |text: &str| changed("proc/cmdline", text, "isolation");
    assert_eq!(cmdline("isolcpus=4-7").0, Verdict::Note);
    let elsewhere = Process { cores: vec![0, 1], ..user() };
    let finding = server().finding(&elsewhere, "isolation");
    assert_eq!(finding.verdict, Verdict::Note);
    assert_eq!(finding.fix.unwrap().command, "taskset -c 4-7 PROGRAM");
    assert_eq!(changed(&format!("{SYSTEM}/cpu/isolated"), "\n", "isolation").0, Verdict::Note);
}

#[test]
fn clocks_are_told_apart() {
    let source = |name| {
        changed(
            &format!("{SYSTEM}/clocksource/clocksource0/current_clocksource"),
            name,
            "clock-source",
        )
        .0
    };
    assert_eq!(source("tsc"), Verdict::Ok);
    assert_eq!(source("kvm-clock"), Verdict::Note);
    assert_eq!(source("hpet"), Verdict::Warning);
    let flags = "flags : fpu constant_tsc\n";
    assert_eq!(
        changed("proc/cpuinfo", flags, "tsc"),
        (Verdict::Warning, "without nonstop_tsc".to_owned())
    );
}

#[test]
fn a_core_dump_delays_the_news_of_a_death() {
    let of = |pattern: &str, soft| {
        let process = Process { core: limit(soft, UNLIMITED), ..user() };
        let tree = server().put("proc/sys/kernel/core_pattern", pattern);
        tree.finding(&process, "core-dumps").verdict
    };
    assert_eq!(of("core", 0), Verdict::Ok);
    assert_eq!(of("core", UNLIMITED), Verdict::Note);
    assert_eq!(of("|/bin/taker", 0), Verdict::Warning, "the limit is not for programs");
    assert_eq!(of("|/bin/taker", 1), Verdict::Ok);
}

#[test]
fn who_logs_out_keeps_files_if_systemd_is_told_so() {
    let of = |text: &str, user_id| {
        let process = Process { user: Some(user_id), ..user() };
        let tree = server().put("etc/systemd/logind.conf.d/ipc.conf", text);
        tree.finding(&process, "remove-ipc").verdict
    };
    assert_eq!(of("RemoveIPC=no", 1000), Verdict::Ok);
    assert_eq!(of("RemoveIPC=yes", 1000), Verdict::Warning);
    assert_eq!(of("#RemoveIPC=no", 1000), Verdict::Warning, "the default is yes");
    assert_eq!(of("RemoveIPC=yes", 999), Verdict::Ok, "a user of the system");
    let over = server().put("etc/systemd/logind.conf.d/zz.conf", "RemoveIPC=yes");
    assert_eq!(over.finding(&user(), "remove-ipc").verdict, Verdict::Warning, "the last counts");
    let hidden = server()
        .put("usr/lib/systemd/logind.conf.d/zz.conf", "RemoveIPC=yes")
        .put("etc/systemd/logind.conf.d/zz.conf", "# nothing");
    assert_eq!(hidden.finding(&user(), "remove-ipc").verdict, Verdict::Ok, "of one name, /etc's");
}

#[test]
fn containers_are_told_from_machines_made_of_images() {
    let of = |tree: Tree, pid| {
        let tree = tree.put("proc/1/cgroup", "0::/\n").namespaces(pid, FIRST_USER);
        let finding = tree.finding(&user(), "container");
        (finding.verdict, finding.found.unwrap())
    };
    let image = || Tree::empty().put(".dockerenv", "");
    assert_eq!(of(Tree::empty(), FIRST_PID), (Verdict::Ok, "no".to_owned()));
    assert_eq!(of(image(), FIRST_PID).0, Verdict::Ok);
    assert_eq!(of(image(), "pid:[4026532200]"), (Verdict::Note, "docker".to_owned()));
    assert_eq!(of(Tree::empty().put("run/.containerenv", ""), "pid:[4026532200]").1, "podman");
}
