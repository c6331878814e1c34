//! What is said of whole machines.

use super::*;

#[test]
fn a_server_that_is_set_up_is_in_order() {
    let findings = server().audit(&user());
    let not_ok: Vec<&Finding> =
        findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
    assert!(not_ok.is_empty(), "{not_ok:#?}");
    assert!(healthy(&findings, true));
    insta::assert_snapshot!(server().page(&user(), true), @r"
    Fast One, 8 processors, Linux 6.12.0

    shared memory
      ok       shm-filesystem   tmpfs on /dev/shm, rw,nosuid,nodev
      ok       shm-access       /dev/shm: yes
      ok       shm-size         32 GiB
      ok       shm-free         31 GiB of 32 GiB
      ok       memory-limit     none
      ok       memlock          unlimited
      ok       swap             none
      ok       huge-pages       none
      ok       thp              madvise
      ok       thp-shmem        never
      ok       numa-nodes       1
      ok       numa-balancing   off

    cores
      ok       affinity         0-7 of 0-7
      ok       cpu-quota        none
      ok       isolation        4-7 (isolcpus=4-7 nohz_full=4-7 rcu_nocbs=4-7)
      ok       smt              off
      ok       governor         performance
      ok       turbo            on
      ok       idle-states      POLL: 0 µs
      ok       rtprio           50
      ok       rt-throttling    none

    processes
      ok       container        no
      ok       pid-namespace    the machine's
      ok       user-namespace   the machine's
      ok       core-dumps       limit 0 B, to core
      ok       remove-ipc       no

    clock and kernel
      ok       clock-source     tsc
      ok       tsc              constant_tsc, nonstop_tsc
      ok       mitigations      none
      ok       virtual-machine  no
      ok       steal-time       0.00 %
      ok       watchdog         off

    limits
      ok       nofile           65536
      ok       nproc            32768
      ok       file-max         2097152

    network and System V: nothing to shared memory
      ok       rmem-max         134217728
      ok       wmem-max         134217728
      ok       tcp-rmem         4096 87380 134217728
      ok       tcp-wmem         4096 65536 134217728
      ok       shmmax           68719476736
      ok       shmall           4294967296

    41 ok
    ");
}

#[test]
fn a_container_as_it_comes_is_told_what_to_change_and_where() {
    let (tree, process) = container();
    let findings = tree.audit(&process);
    assert!(!healthy(&findings, false));
    insta::assert_snapshot!(tree.page(&process, false), @r"
    Small One, 4 processors, Linux 6.8.0

    shared memory
      problem  shm-free         12 MiB of 64 MiB (wanted: at least 16 MiB, and a tenth)
                                What is left for new segments. `strait list` says what the others
                                take, `strait clean` removes those that nobody uses.
                                fix:
                                  strait clean
      warning  shm-size         64 MiB (wanted: at least 1 GiB)
                                All segments of all users share it. A segment takes its memory when
                                it is made, and where there is none it is refused. A container has
                                64 MiB unless it is told otherwise.
                                fix, when the container is started:
                                  docker run --shm-size=1g ...
      warning  swap             2 GiB, vm.swappiness 60 (wanted: none, or vm.swappiness at most 1)
                                Pages of segments are swapped out like all others, and the next to
                                touch one waits for a disk.
                                fix, on the container's host:
                                  sudo sysctl -w vm.swappiness=1
      warning  numa-balancing   on (wanted: off, or one memory node)
                                The kernel takes pages away for a moment to see who misses them, and
                                moves them: both stop the threads that use them.
                                fix, on the container's host:
                                  sudo sysctl -w kernel.numa_balancing=0
      note     memory-limit     512 MiB of 16 GiB (wanted: none)
      note     memlock          8 MiB, at most 8 MiB (wanted: unlimited)
      note     huge-pages       64 of 2 MiB, 64 of them free (wanted: none idle)
      note     thp              always (wanted: madvise or never)
      note     thp-shmem        force (wanted: not for every file)
      note     numa-nodes       2 (wanted: 1)

    cores
      warning  cpu-quota        1.50 cores' time on 4 cores (wanted: none, or as many as cores)
                                A group that has used up its share is stopped until the next period
                                begins, for tens of milliseconds. Give a container whole cores
                                instead.
                                fix, when the container is started:
                                  docker run --cpuset-cpus=0,1 ...
      warning  governor         powersave (wanted: performance)
                                Any other lets a core run slowly until it has been busy for a while:
                                the first messages after a pause take longer.
                                fix, on the container's host:
                                  echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor
      note     isolation        no core is isolated (wanted: cores of one's own, without a tick)
      note     smt              on; threads of one core: 0,2 1,3 (wanted: off, or one thread of each
                                core used)
      note     turbo            off (wanted: on)
      note     idle-states      C6: 133 µs (wanted: none that takes over 10 µs to leave)
      note     rtprio           0 (wanted: at least 1)
      note     rt-throttling    950000 of every 1000000 µs (wanted: -1)

    processes
      warning  core-dumps       limit unlimited, to |/usr/share/apport/apport %p (wanted: none)
                                A process that crashes keeps its locks until its memory is written
                                out, and so long nobody learns that it died. A limit of 0 prevents a
                                file, but not a program that takes the dump (|...); a limit of 1
                                byte prevents both. Segments are left out of dumps.
                                fix:
                                  prlimit --core=1 PROGRAM
      note     container        docker (wanted: no, or one /dev/shm for all that talk)
      note     pid-namespace    one of its own, pid:[4026532200] (wanted: the machine's)
      note     user-namespace   one of its own: 65536 users from 0 on are 100000 outside (wanted:
                                the machine's)

    clock and kernel
      warning  clock-source     hpet (wanted: tsc (or arch_sys_counter))
                                What the time is read from. The processor's own counter takes tens
                                of nanoseconds; a chip on the board takes a system call and a
                                microsecond.
                                fix, on the container's host:
                                  echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource
      warning  tsc              without nonstop_tsc (wanted: constant_tsc, nonstop_tsc)
                                Whether the processor's counter runs evenly at every clock rate and
                                in every idle state, so that all cores agree on the time.
      warning  steal-time       20.00 % (wanted: below 1 % of the busy time)
                                Time since boot for which a virtual core was ready to run, and the
                                hypervisor ran something else.
      note     mitigations      meltdown (wanted: none in force)
      note     virtual-machine  yes (wanted: no)
      note     watchdog         on (wanted: off)

    limits
      note     nofile           1024 (wanted: at least 65536)
      note     nproc            4096 (wanted: at least 32768)
      note     file-max         2097151 (wanted: at least 2097152)

    network and System V: nothing to shared memory
      note     rmem-max         134217727 (wanted: at least 134217728)
      note     wmem-max         134217727 (wanted: at least 134217728)
      note     tcp-rmem         4096 87380 134217727 (wanted: at least 4096 87380 134217728)
      note     tcp-wmem         4096 65536 134217727 (wanted: at least 4096 65536 134217728)
      note     shmmax           68719476735 (wanted: at least 68719476736)
      note     shmall           4294967295 (wanted: at least 4294967296)

    1 problem: shm-free
    9 warnings: shm-size, swap, numa-balancing, cpu-quota, governor, core-dumps, clock-source,
      tsc, steal-time
    27 notes: memory-limit, memlock, huge-pages, thp, thp-shmem, numa-nodes, isolation, smt,
      turbo, idle-states, rtprio, rt-throttling, container, pid-namespace, user-namespace,
      mitigations, virtual-machine, watchdog, nofile, nproc, file-max, rmem-max, wmem-max, tcp-rmem,
      tcp-wmem, shmmax, shmall
    4 ok
    `strait doctor --all` says of each why it matters and what changes it
    ");
    let fixes = findings.iter().filter_map(|finding| {
        let fix = finding.fix.as_ref()?;
        Some(format!("{}; {}: {}", finding.id, fix.place.words(), fix.command))
    });
    insta::assert_snapshot!(fixes.collect::<Vec<_>>().join("\n"), @r"
    shm-size; fix, when the container is started: docker run --shm-size=1g ...
    shm-free; fix: strait clean
    memlock; fix, when the container is started: docker run --ulimit memlock=-1 ...
    swap; fix, on the container's host: sudo sysctl -w vm.swappiness=1
    huge-pages; fix, on the container's host: sudo sysctl -w vm.nr_hugepages=0
    thp; fix, on the container's host: echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled
    thp-shmem; fix, on the container's host: echo advise | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled
    numa-nodes; fix: numactl --cpunodebind=0 --membind=0 PROGRAM
    numa-balancing; fix, on the container's host: sudo sysctl -w kernel.numa_balancing=0
    cpu-quota; fix, when the container is started: docker run --cpuset-cpus=0,1 ...
    isolation; fix, on the kernel's command line: isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3
    smt; fix, on the container's host: echo off | sudo tee /sys/devices/system/cpu/smt/control
    governor; fix, on the container's host: echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor
    turbo; fix, on the container's host: echo 1 | sudo tee /sys/devices/system/cpu/cpufreq/boost
    idle-states; fix, on the container's host: sudo cpupower idle-set --disable-by-latency 10
    rtprio; fix, when the container is started: docker run --ulimit rtprio=50 ...
    rt-throttling; fix, on the container's host: sudo sysctl -w kernel.sched_rt_runtime_us=-1
    container; fix, when the container is started: docker run --volume /dev/shm:/dev/shm ...
    core-dumps; fix: prlimit --core=1 PROGRAM
    clock-source; fix, on the container's host: echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource
    watchdog; fix, on the container's host: sudo sysctl -w kernel.watchdog=0
    nofile; fix: ulimit -n 65536
    nproc; fix, when the container is started: docker run --ulimit nproc=32768 ...
    file-max; fix, on the container's host: sudo sysctl -w fs.file-max=2097152
    rmem-max; fix, on the container's host: sudo sysctl -w net.core.rmem_max=134217728
    wmem-max; fix, on the container's host: sudo sysctl -w net.core.wmem_max=134217728
    tcp-rmem; fix, on the container's host: sudo sysctl -w net.ipv4.tcp_rmem='4096 87380 134217728'
    tcp-wmem; fix, on the container's host: sudo sysctl -w net.ipv4.tcp_wmem='4096 65536 134217728'
    shmmax; fix, on the container's host: sudo sysctl -w kernel.shmmax=68719476736
    shmall; fix, on the container's host: sudo sysctl -w kernel.shmall=4294967296
    ");
}

#[test]
fn asked_for_all_notes_are_told_in_full_and_what_is_in_order_in_a_line() {
    let (tree, process) = container();
    let page = tree.page(&process, true);
    let (_, from) = page.split_once("\nprocesses\n").unwrap();
    let (processes, _) = from.split_once("\nclock and kernel\n").unwrap();
    insta::assert_snapshot!(processes, @r"
    warning  core-dumps       limit unlimited, to |/usr/share/apport/apport %p (wanted: none)
                              A process that crashes keeps its locks until its memory is written
                              out, and so long nobody learns that it died. A limit of 0 prevents a
                              file, but not a program that takes the dump (|...); a limit of 1
                              byte prevents both. Segments are left out of dumps.
                              fix:
                                prlimit --core=1 PROGRAM
    note     container        docker (wanted: no, or one /dev/shm for all that talk)
                              Each container has a /dev/shm of its own. Processes of two meet only
                              where both mount the same one.
                              fix, when the container is started:
                                docker run --volume /dev/shm:/dev/shm ...
    note     pid-namespace    one of its own, pid:[4026532200] (wanted: the machine's)
                              Messages name processes by their numbers. Those of another namespace
                              mean nothing here, or another process. Who lives and who died is
                              told by the kernel's locks, and right all the same.
    note     user-namespace   one of its own: 65536 users from 0 on are 100000 outside (wanted:
                              the machine's)
                              Segments belong to a user, by number. One user may have other
                              numbers in another namespace, and is somebody else there.
    ok       remove-ipc       no systemd runs
    ");
}

#[test]
fn of_an_empty_tree_everything_is_unknown() {
    let findings = Tree::empty().audit(&Process::default());
    for finding in &findings {
        assert_eq!((finding.verdict, &finding.found), (Verdict::Unknown, &None), "{}", finding.id);
        assert_eq!(finding.fix, None, "{}", finding.id);
    }
    assert!(healthy(&findings, true), "not known to be otherwise");
    insta::assert_snapshot!(Tree::empty().page(&Process::default(), false), @r"
    unknown, 0 processors, Linux unknown

    41 unknown, which cannot be read here: shm-filesystem, shm-access, shm-size, shm-free,
      memory-limit, memlock, swap, huge-pages, thp, thp-shmem, numa-nodes, numa-balancing, affinity,
      cpu-quota, isolation, smt, governor, turbo, idle-states, rtprio, rt-throttling, container,
      pid-namespace, user-namespace, core-dumps, remove-ipc, clock-source, tsc, mitigations,
      virtual-machine, steal-time, watchdog, nofile, nproc, file-max, rmem-max, wmem-max, tcp-rmem,
      tcp-wmem, shmmax, shmall
    ");
}

#[test]
fn names_are_unique_and_stay() {
    let findings = server().audit(&user());
    let ids: Vec<&str> = findings.iter().map(|finding| finding.id).collect();
    insta::assert_snapshot!(ids.join(" "), @"shm-filesystem shm-access shm-size shm-free memory-limit memlock swap huge-pages thp thp-shmem numa-nodes numa-balancing affinity cpu-quota isolation smt governor turbo idle-states rtprio rt-throttling container pid-namespace user-namespace core-dumps remove-ipc clock-source tsc mitigations virtual-machine steal-time watchdog nofile nproc file-max rmem-max wmem-max tcp-rmem tcp-wmem shmmax shmall");
    let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len());
}

#[test]
fn figures_follow_what_was_measured() {
    let pair = |second, round_trip_ns, class: &str| Pair {
        cores: (0, second),
        round_trip_ns,
        class: (!class.is_empty()).then(|| class.to_owned()),
    };
    let absences = |core, longest_us, share| Absences {
        core,
        over_1_us_per_s: 253.0,
        over_10_us_per_s: 12.0,
        over_100_us_per_s: 1.0,
        longest_us,
        share,
    };
    let mut pairs: Vec<Pair> = (1..8).map(|core| pair(core, 130.0, "near")).collect();
    pairs.extend([pair(8, 411.6, "far"), pair(9, 250.0, "")]);
    let measured = Measured {
        clock: ClockCost { counter_ns: 8.2, step_ns: 0.5, monotonic_ns: 24.0 },
        pairs,
        pairs_left_out: 17,
        cores: vec![absences(0, 2270.0, 0.0123), absences(12, 8.0, 0.00004)],
        cores_left_out: vec![3, 4, 5, 9],
    };
    let findings = in_group(show::MEASURED, measure::findings(&measured));
    let environment = environment::machine(server().0.path());
    let page = show::page(&findings, Some(&measured), &environment, false);
    insta::assert_snapshot!(page, @r"
    Fast One, 8 processors, Linux 6.12.0

    measured
      warning  hiccups          2270 µs at most (core 0), 1.23 % of the time at most (wanted: none
                                over 1 ms, 1 % of the time at most)
                                How long a thread that only polls was kept from its core, by timers,
                                interrupts, other programs, or a hypervisor. Whatever the channel
                                does, its tail is no shorter.
      note     core-to-core     130 to 412 ns, changing while it was measured (wanted: one class)
      raw round trip between two cores, in ns
        near      0-1: 130  0-2: 130  0-3: 130  0-4: 130  0-5: 130  0-6: 130
                  0-7: 130
        far       0-8: 412
        changing  0-9: 250
        left out: 17 pairs
      times per second that a polling thread was kept from its core
        core    > 1 µs   > 10 µs  > 100 µs    longest  of the time
        0          253        12         1    2270 µs      1.230 %
        12         253        12         1       8 µs      0.004 %
        left out: cores 3-5,9
      a look at the counter 8 ns (its step 0.5 ns), at the clock 24 ns

    1 warning: hiccups
    1 note: core-to-core
    1 ok
    `strait doctor --all` says of each why it matters and what changes it
    ");
}
