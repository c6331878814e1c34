//! What an audit looks at: the files below a root, and what only system calls tell.

use super::finding::{Fix, Place};
use crate::bench::clock::cores;
use crate::environment::{field, text};
use anyhow::{Context, Result};
use rustix::fs::{Access, access, statvfs};
use rustix::process::{Resource, geteuid, getrlimit};
use std::path::{Path, PathBuf};

/// A machine, as one process sees it.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    /// Where `proc`, `sys` and `etc` are.
    pub(crate) root: &'a Path,
    pub(crate) process: Process,
}

/// What system calls tell. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Process {
    /// The directory that channels are in, without symbolic links.
    pub(crate) directory: PathBuf,
    pub(crate) volume: Option<Volume>,
    /// Whether this user may make files in it.
    pub(crate) writable: Option<bool>,
    pub(crate) user: Option<u32>,
    /// Cores that this process may run on.
    pub(crate) cores: Vec<usize>,
    pub(crate) memlock: Option<Limit>,
    pub(crate) nofile: Option<Limit>,
    pub(crate) nproc: Option<Limit>,
    pub(crate) core: Option<Limit>,
    pub(crate) rtprio: Option<Limit>,
}

/// The size of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) bytes: u64,
    pub(crate) free: u64,
}

/// A resource limit, of which [`UNLIMITED`] is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

pub(crate) const UNLIMITED: u64 = u64::MAX;

impl Process {
    /// This one.
    pub(crate) fn here(directory: &Path) -> Result<Self> {
        let cannot = || format!("cannot look at {}", directory.display());
        let directory = directory.canonicalize().with_context(cannot)?;
        let volume = statvfs(&directory).with_context(cannot)?;
        let limit = |resource| {
            let limit = getrlimit(resource);
            let number = |limit: Option<u64>| limit.unwrap_or(UNLIMITED);
            Some(Limit { soft: number(limit.current), hard: number(limit.maximum) })
        };
        Ok(Self {
            volume: Some(Volume {
                bytes: volume.f_blocks.saturating_mul(volume.f_frsize),
                free: volume.f_bavail.saturating_mul(volume.f_frsize),
            }),
            writable: Some(access(&directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()),
            user: Some(geteuid().as_raw()),
            cores: cores(),
            memlock: limit(Resource::Memlock),
            nofile: limit(Resource::Nofile),
            nproc: limit(Resource::Nproc),
            core: limit(Resource::Core),
            rtprio: limit(Resource::Rtprio),
            directory,
        })
    }
}

/// A line of `/proc/self/mounts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) point: String,
    pub(super) kind: String,
    pub(super) options: String,
}

impl Mount {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|found| found == option)
    }
}

/// Whether this is a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Container {
    /// One of this kind.
    Yes(&'static str),
    /// Marks of one, but also the process numbers of the machine itself: a machine made from a
    /// container's image, or a container without process numbers of its own.
    Marked(&'static str),
    No,
    Unknown,
}

/// Names that the kernel gives the first namespaces of a machine (`PROC_*_INIT_INO`).
pub(super) const FIRST_PID: &str = "pid:[4026531836]";
pub(super) const FIRST_USER: &str = "user:[4026531837]";

/// Bits of `CapEff` (`linux/capability.h`).
pub(super) const CAP_IPC_LOCK: u32 = 14;
pub(super) const CAP_SYS_NICE: u32 = 23;
const CAP_SYS_RESOURCE: u32 = 24;

impl Machine<'_> {
    pub(super) fn text(&self, path: &str) -> Option<String> {
        text(&self.root.join(path))
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// One of the processor's lines in `/proc/cpuinfo`.
    pub(super) fn cpuinfo(&self, name: &str) -> Option<String> {
        Some(field(&self.text("proc/cpuinfo")?, name)?.to_owned())
    }

    pub(super) fn namespace(&self, kind: &str) -> Option<String> {
        let link = std::fs::read_link(self.root.join("proc/self/ns").join(kind)).ok()?;
        Some(link.to_str()?.to_owned())
    }

    /// Whether this process has a capability.
    pub(super) fn capable(&self, bit: u32) -> bool {
        let status = self.text("proc/self/status").unwrap_or_default();
        let set = field(&status, "CapEff").and_then(|set| u64::from_str_radix(set, 16).ok());
        set.is_some_and(|set| set >> bit & 1 == 1)
    }

    /// The mount that the directory is on: the last of the longest that lead to it.
    pub(super) fn mount(&self) -> Option<Mount> {
        let mounts = self.text("proc/self/mounts")?;
        let mounts = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            // The kernel writes blanks as `\040`.
            let point = words.next()?.replace("\\040", " ");
            let (kind, options) = (words.next()?.to_owned(), words.next()?.to_owned());
            self.process.directory.starts_with(&point).then_some(Mount { point, kind, options })
        });
        mounts.max_by_key(|mount| mount.point.len())
    }

    /// The file `name` of this process's control group and of those above it, whose limits hold as
    /// well; of either version of control groups.
    pub(super) fn control_files(&self, controller: &str, name: &str) -> Vec<String> {
        let Some(groups) = self.text("proc/self/cgroup") else { return Vec::new() };
        let mut found = Vec::new();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let mount = match controllers {
                "" => "sys/fs/cgroup".to_owned(),
                _ if controllers.split(',').any(|found| found == controller) => {
                    format!("sys/fs/cgroup/{controller}")
                }
                _ => continue,
            };
            // Above a container's own group there is nothing for it to see, and a path that leads
            // out of the tree is none.
            let path = Path::new(path.trim_start_matches('/'));
            let inside = !path.components().any(|part| part == std::path::Component::ParentDir);
            let path = if inside { path } else { Path::new("") };
            for group in path.ancestors() {
                let file = self.root.join(&mount).join(group).join(name);
                found.extend(text(&file));
            }
        }
        found
    }

    pub(super) fn container(&self) -> Container {
        let exists = |path: &str| self.root.join(path).exists();
        let groups = self.text("proc/1/cgroup");
        let in_group = |word| groups.as_ref().is_some_and(|groups| groups.contains(word));
        let mark = if exists("run/.containerenv") {
            Some("podman")
        } else if in_group("kubepods") {
            Some("kubernetes")
        } else if exists(".dockerenv") || in_group("docker") {
            Some("docker")
        } else if in_group("lxc") {
            Some("lxc")
        } else if exists("run/systemd/container") {
            Some("systemd")
        } else {
            None
        };
        match (mark, self.namespace("pid").as_deref()) {
            (Some(mark), Some(FIRST_PID)) => Container::Marked(mark),
            (Some(mark), _) => Container::Yes(mark),
            (None, Some(FIRST_PID)) => Container::No,
            (None, _) if groups.is_some() => Container::No,
            (None, _) => Container::Unknown,
        }
    }

    /// A command that changes the machine: in a container, the machine that it runs on.
    pub(super) fn system(&self, command: impl Into<String>) -> Fix {
        let command = command.into();
        if let Container::Yes(_) = self.container() {
            return Fix { place: Place::Host, command };
        }
        // Root needs no `sudo`, and may not have it.
        let root = self.process.user == Some(0);
        let command = if root { command.replace("sudo ", "") } else { command };
        Fix { place: Place::Here, command }
    }

    /// A command that raises a limit: at once as far as the hard one allows.
    pub(super) fn raise(&self, limit: Limit, flag: char, name: &str, value: u64) -> Fix {
        let words = if value == UNLIMITED { "unlimited".to_owned() } else { value.to_string() };
        if limit.hard >= value || self.capable(CAP_SYS_RESOURCE) {
            return Fix { place: Place::Here, command: format!("ulimit -{flag} {words}") };
        }
        if let Container::Yes(_) = self.container() {
            let value = if value == UNLIMITED { "-1".to_owned() } else { words };
            let command = format!("docker run --ulimit {name}={value} ...");
            return Fix { place: Place::Container, command };
        }
        let line = format!("echo '* - {name} {words}'");
        let fix = self.system(format!("{line} | sudo tee -a /etc/security/limits.d/strait.conf"));
        Fix { place: Place::Login, ..fix }
    }
}

/// "64 MiB", to three digits.
pub(super) fn bytes(bytes: u64) -> String {
    if bytes == UNLIMITED {
        return "unlimited".to_owned();
    }
    let (mut value, mut unit) = (bytes as f64, 0);
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(value.fract() > 0.05 && value < 99.95);
    format!("{value:.digits$} {}", units[unit])
}

/// "65536", or that there is no limit.
pub(super) fn count(count: u64) -> String {
    if count == UNLIMITED { "unlimited".to_owned() } else { count.to_string() }
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// "0-3,8", as the kernel writes it.
pub(super) fn ranges(cores: &[usize]) -> String {
    let runs = cores.chunk_by(|lower, upper| lower + 1 == *upper);
    let run = |run: &[usize]| match run {
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    };
    runs.map(run).collect::<Vec<_>>().join(",")
}
