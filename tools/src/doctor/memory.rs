//! Where segments lie, and what becomes of their pages.

use super::finding::{Check, Finding, Fix, Place};
use super::machine::{CAP_IPC_LOCK, Container, Machine, UNLIMITED, Volume, bytes, quoted};
use crate::environment::{field, meminfo_bytes, numbered};

pub(super) const CHECKS: &[fn(&Machine<'_>) -> Finding] = &[
    shm_filesystem,
    shm_access,
    shm_size,
    shm_free,
    memory_limit,
    memlock,
    swap,
    huge_pages,
    thp,
    thp_shmem,
    numa_nodes,
    numa_balancing,
];

/// Where channels are unless they are put elsewhere.
const DIRECTORY: &str = "/dev/shm";

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// File systems with unnamed files (`O_TMPFILE`) whose pages go to a disk sooner or later.
const ON_DISK: &[&str] = &["btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs"];

/// Those that have no unnamed files, or no memory that two machines' processes share.
const UNFIT: &[&str] = &["9p", "cifs", "exfat", "nfs", "nfs4", "smb3", "vfat"];

fn shm_filesystem(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "shm-filesystem",
        "tmpfs, writable",
        "Segments are made as files without a name and shared as memory. A file system on a disk \
         writes their pages back, and whoever touches one meanwhile waits.",
    );
    let Some(mount) = machine.mount() else { return check.unknown() };
    let found = format!("{} on {}, {}", mount.kind, mount.point, mount.options);
    let kind = mount.kind.as_str();
    if mount.has("ro") {
        let command = format!("sudo mount -o remount,rw {}", quoted(&mount.point));
        return check.problem(found).fix(machine.system(command));
    }
    match kind {
        "tmpfs" => check.ok(found),
        _ if UNFIT.contains(&kind) => check.problem(found),
        _ if ON_DISK.contains(&kind) => check.warning(found),
        _ => check.warning(format!("{found}; whether it has unnamed files is not known here")),
    }
}

fn shm_access(machine: &Machine<'_>) -> Finding {
    let directory = machine.process.directory.display();
    let check = Check::new(
        "shm-access",
        "this user may make files",
        "A channel is a file in this directory.",
    );
    match machine.process.writable {
        Some(true) => check.ok(format!("{directory}: yes")),
        Some(false) => {
            // Whose another directory is, and for whom, is not known.
            let usual = machine.process.directory.as_os_str() == DIRECTORY;
            let fix = usual.then(|| machine.system(format!("sudo chmod 1777 {DIRECTORY}")));
            check.problem(format!("{directory}: no")).fix(fix)
        }
        None => check.unknown(),
    }
}

/// The command that gives the directory's file system another size.
fn resize(machine: &Machine<'_>, to: u64) -> Option<Fix> {
    let mount = machine.mount().filter(|mount| mount.kind == "tmpfs")?;
    let gib = to.div_ceil(GIB);
    Some(match machine.container() {
        Container::Yes(_) => {
            Fix { place: Place::Container, command: format!("docker run --shm-size={gib}g ...") }
        }
        _ => {
            let point = quoted(&mount.point);
            machine.system(format!("sudo mount -o remount,size={gib}G {point}"))
        }
    })
}

fn shm_size(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "shm-size",
        "at least 1 GiB",
        "All segments of all users share it. A segment takes its memory when it is made, and where \
         there is none it is refused. A container has 64 MiB unless it is told otherwise.",
    );
    match machine.process.volume {
        None => check.unknown(),
        // A tmpfs of `size=0`.
        Some(Volume { bytes: 0, .. }) => check.ok("no limit"),
        Some(Volume { bytes: size, .. }) => {
            let fix = resize(machine, GIB);
            match size {
                ..=67_108_864 => check.warning(bytes(size)).fix(fix),
                GIB.. => check.ok(bytes(size)),
                _ => check.note(bytes(size)).fix(fix),
            }
        }
    }
}

fn shm_free(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "shm-free",
        "at least 16 MiB, and a tenth",
        "What is left for new segments. `strait list` says what the others take, `strait clean` \
         removes those that nobody uses.",
    );
    match machine.process.volume {
        None => check.unknown(),
        Some(Volume { bytes: 0, .. }) => check.ok("no limit"),
        Some(Volume { bytes: size, free }) => {
            let found = format!("{} of {}", bytes(free), bytes(size));
            let directory = &machine.process.directory.display().to_string();
            let elsewhere = format!(" --directory {}", quoted(directory));
            let command =
                format!("strait clean{}", if directory == DIRECTORY { "" } else { &elsewhere });
            let fix = Fix { place: Place::Here, command };
            if free < 16 * MIB {
                check.problem(found).fix(fix)
            } else if free < size / 10 {
                check.warning(found).fix(fix)
            } else {
                check.ok(found)
            }
        }
    }
}

fn memory(machine: &Machine<'_>, key: &str) -> Option<u64> {
    meminfo_bytes(&machine.text("proc/meminfo")?, key)
}

fn memory_limit(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "memory-limit",
        "none",
        "Segments count as memory of the group whose process touched a page first, and stay there \
         when it ends. At the limit the kernel ends a process of the group.",
    );
    let found = [
        machine.control_files("memory", "memory.max"),
        machine.control_files("memory", "memory.limit_in_bytes"),
    ]
    .concat();
    let Some(total) = memory(machine, "MemTotal") else { return check.unknown() };
    if machine.text("proc/self/cgroup").is_none() {
        return check.unknown();
    }
    // The first version writes a very large number where there is no limit.
    let limits = found.iter().filter_map(|limit| limit.parse().ok());
    match limits.filter(|&limit: &u64| limit < total).min() {
        None => check.ok("none"),
        Some(limit) => check.note(format!("{} of {}", bytes(limit), bytes(total))),
    }
}

fn memlock(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "memlock",
        "unlimited",
        "Memory that is locked is never swapped out and has all its pages at once. Threads that \
         lock theirs (`PinnedThread::mlock`) are refused beyond this limit.",
    );
    let Some(limit) = machine.process.memlock else { return check.unknown() };
    let found = format!("{}, at most {}", bytes(limit.soft), bytes(limit.hard));
    if limit.soft == UNLIMITED {
        check.ok("unlimited")
    } else if machine.capable(CAP_IPC_LOCK) {
        check.ok(format!("{found}; this process has CAP_IPC_LOCK, and no limit"))
    } else {
        check.note(found).fix(machine.raise(limit, 'l', "memlock", UNLIMITED))
    }
}

fn swap(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "swap",
        "none, or vm.swappiness at most 1",
        "Pages of segments are swapped out like all others, and the next to touch one waits for a \
         disk.",
    );
    let Some(size) = memory(machine, "SwapTotal") else { return check.unknown() };
    let swappiness = machine.number("proc/sys/vm/swappiness");
    match (size, swappiness) {
        (0, _) => check.ok("none"),
        (_, None) => check.unknown(),
        (_, Some(swappiness)) => {
            let found = format!("{}, vm.swappiness {swappiness}", bytes(size));
            if swappiness <= 1 {
                return check.ok(found);
            }
            check.warning(found).fix(machine.system("sudo sysctl -w vm.swappiness=1"))
        }
    }
}

fn huge_pages(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "huge-pages",
        "none idle",
        "Pages set aside at boot for programs that ask for them. Segments lie in tmpfs, which does \
         not use them: what is idle is memory lost.",
    );
    let meminfo = machine.text("proc/meminfo").unwrap_or_default();
    let number = |name: &str| field(&meminfo, name)?.parse::<u64>().ok();
    let (Some(total), Some(free)) = (number("HugePages_Total"), number("HugePages_Free")) else {
        return check.unknown();
    };
    let size = meminfo_bytes(&meminfo, "Hugepagesize").unwrap_or(0);
    let found = format!("{total} of {}, {free} of them free", bytes(size));
    if total > 0 && free == total {
        check.note(found).fix(machine.system("sudo sysctl -w vm.nr_hugepages=0"))
    } else if total == 0 {
        check.ok("none")
    } else {
        check.ok(found)
    }
}

/// The word in brackets, which is the one chosen.
fn chosen(text: &str) -> Option<&str> {
    Some(text.split_once('[')?.1.split_once(']')?.0)
}

const THP: &str = "sys/kernel/mm/transparent_hugepage/enabled";
const THP_SHMEM: &str = "sys/kernel/mm/transparent_hugepage/shmem_enabled";

fn thp(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "thp",
        "madvise or never",
        "Where every program has transparent huge pages, the kernel stops threads to make room for \
         one and moves their memory behind their backs.",
    );
    let text = machine.text(THP);
    match text.as_deref().and_then(chosen) {
        None => check.unknown(),
        Some("always") => {
            check.note("always").fix(machine.system(format!("echo madvise | sudo tee /{THP}")))
        }
        Some(found) => check.ok(found),
    }
}

fn thp_shmem(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "thp-shmem",
        "not for every file",
        "Where every file in shared memory has huge pages, each segment takes a multiple of 2 MiB.",
    );
    let text = machine.text(THP_SHMEM);
    let Some(found) = text.as_deref().and_then(chosen) else { return check.unknown() };
    let mount = machine.mount();
    let mut options = mount.iter().flat_map(|mount| mount.options.split(','));
    let option = options.find_map(|option| option.strip_prefix("huge="));
    let words = match option {
        Some(option) => format!("{found}; huge={option} on the directory's own"),
        None => found.to_owned(),
    };
    if found == "force" || option == Some("always") && found != "deny" {
        check.note(words).fix(machine.system(format!("echo advise | sudo tee /{THP_SHMEM}")))
    } else {
        check.ok(words)
    }
}

fn nodes(machine: &Machine<'_>) -> usize {
    numbered(&machine.root.join("sys/devices/system/node"), "node").len()
}

fn numa_nodes(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "numa-nodes",
        "1",
        "A cache line takes several times as long between cores of two memory nodes: keep both ends \
         of a channel on one.",
    );
    match nodes(machine) {
        0 => check.unknown(),
        1 => check.ok("1"),
        more => check.note(more.to_string()).fix(Fix {
            place: Place::Here,
            command: "numactl --cpunodebind=0 --membind=0 PROGRAM".to_owned(),
        }),
    }
}

fn numa_balancing(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "numa-balancing",
        "off, or one memory node",
        "The kernel takes pages away for a moment to see who misses them, and moves them: both stop \
         the threads that use them.",
    );
    match (machine.number("proc/sys/kernel/numa_balancing"), nodes(machine)) {
        (None, _) => check.unknown(),
        (Some(0), _) => check.ok("off"),
        (Some(_), 1) => check.ok("on, but there is one memory node"),
        (Some(_), _) => {
            check.warning("on").fix(machine.system("sudo sysctl -w kernel.numa_balancing=0"))
        }
    }
}
