//! Where figures come from: the machine, the kernel, the program and the moment.
//!
//! A figure without its environment means nothing, so every report and every JSON object carries
//! one. What cannot be found out is "unknown" or absent, never guessed.

use serde::Serialize;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The machine, the kernel, the program and the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// This program and its version.
    pub program: String,
    /// Commit it was built from; `-dirty` if the working tree differed.
    pub commit: String,
    /// Now, UTC, as in RFC 3339.
    pub date: String,
    /// The processor's name.
    pub cpu_model: String,
    /// Processors that are online, and how they hang together.
    pub cpus: Vec<Cpu>,
    /// Caches of the first processor.
    pub caches: Vec<Cache>,
    /// Release of the kernel.
    pub kernel: String,
    /// The hypervisor's name, or "yes"; absent on bare metal.
    pub virtualised: Option<String>,
    /// Frequency governor of the first processor.
    pub governor: Option<String>,
    /// What the kernel reads the time from.
    pub clock_source: Option<String>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: u64,
}

/// One processor as the scheduler counts them: a hardware thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// Its number.
    pub cpu: usize,
    /// Its package (socket).
    pub package: Option<usize>,
    /// Its core within the package; siblings share it.
    pub core: Option<usize>,
    /// Processors that share its last-level cache, as the kernel lists them.
    pub shares_last_cache: Option<String>,
}

/// A cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// 1 is next to the core.
    pub level: usize,
    /// "Data", "Instruction" or "Unified".
    pub kind: String,
    /// As the kernel writes it, such as "32K".
    pub size: String,
}

/// The environment of this process.
pub fn environment() -> Environment {
    Environment {
        program: format!("strait {}", env!("CARGO_PKG_VERSION")),
        commit: commit(),
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        ..machine(Path::new("/"))
    }
}

/// What `/proc` and `/sys` below `root` tell.
pub(crate) fn machine(root: &Path) -> Environment {
    let cpuinfo = text(&root.join("proc/cpuinfo")).unwrap_or_default();
    let system = root.join("sys/devices/system");
    let first = system.join("cpu/cpu0");
    Environment {
        cpu_model: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
        cpus: cpus(&system.join("cpu")),
        caches: cache_folders(&first).iter().filter_map(|folder| cache(folder)).collect(),
        kernel: text(&root.join("proc/sys/kernel/osrelease")).unwrap_or_else(unknown),
        virtualised: hypervisor(root, &cpuinfo),
        governor: text(&first.join("cpufreq/scaling_governor")),
        clock_source: text(&system.join("clocksource/clocksource0/current_clocksource")),
        memory_bytes: memory_bytes(&text(&root.join("proc/meminfo")).unwrap_or_default()),
        ..Environment::default()
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The file's text without blanks around it, if there is any.
pub(crate) fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

pub(crate) fn number(path: &Path) -> Option<usize> {
    text(path)?.parse().ok()
}

/// The first value of a `name : value` line.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim())
    })
}

fn memory_bytes(meminfo: &str) -> u64 {
    meminfo_bytes(meminfo, "MemTotal").unwrap_or(0)
}

/// Bytes of memory that programs can have before the machine swaps, if the kernel says.
#[must_use]
pub fn available_bytes() -> Option<u64> {
    meminfo_bytes(&text(Path::new("/proc/meminfo"))?, "MemAvailable")
}

pub(crate) fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let kib = field(meminfo, key)?.strip_suffix("kB")?;
    Some(kib.trim().parse::<u64>().ok()? * 1024)
}

/// Folders in `parent` that are called `prefix` and a number, by number.
pub(crate) fn numbered(parent: &Path, prefix: &str) -> Vec<(usize, PathBuf)> {
    let mut found: Vec<(usize, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    found.sort();
    found
}

fn cpus(folder: &Path) -> Vec<Cpu> {
    let online = |folder: &Path| text(&folder.join("online")).is_none_or(|state| state == "1");
    numbered(folder, "cpu")
        .into_iter()
        .filter(|(_, folder)| online(folder))
        .map(|(cpu, folder)| Cpu {
            cpu,
            package: number(&folder.join("topology/physical_package_id")),
            core: number(&folder.join("topology/core_id")),
            shares_last_cache: cache_folders(&folder)
                .iter()
                .max_by_key(|cache| number(&cache.join("level")))
                .and_then(|cache| text(&cache.join("shared_cpu_list"))),
        })
        .collect()
}

fn cache_folders(cpu: &Path) -> Vec<PathBuf> {
    numbered(&cpu.join("cache"), "index").into_iter().map(|(_, folder)| folder).collect()
}

fn cache(folder: &Path) -> Option<Cache> {
    Some(Cache {
        level: number(&folder.join("level"))?,
        kind: text(&folder.join("type"))?,
        size: text(&folder.join("size"))?,
    })
}

/// The hypervisor, by the name that the firmware gives where it gives one.
pub(crate) fn hypervisor(root: &Path, cpuinfo: &str) -> Option<String> {
    let known = text(&root.join("sys/hypervisor/type"));
    let flagged =
        field(cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|f| f == "hypervisor"));
    if known.is_none() && !flagged {
        return None;
    }
    let firmware = |name| text(&root.join("sys/class/dmi/id").join(name));
    let named = [firmware("sys_vendor"), firmware("product_name")];
    let named: Vec<String> = named.into_iter().flatten().collect();
    known.or_else(|| (!named.is_empty()).then(|| named.join(" "))).or(Some("yes".to_owned()))
}

/// The commit given at build time as `STRAIT_COMMIT`, else that of the source tree if it is here.
fn commit() -> String {
    if let Some(commit) = option_env!("STRAIT_COMMIT") {
        return commit.to_owned();
    }
    let describe = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    let output =
        Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(describe).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => unknown(),
    }
}

impl Environment {
    /// A Markdown table of two columns.
    pub fn markdown(&self) -> String {
        let mut table = String::from("| environment | |\n|---|---|\n");
        for (name, value) in self.lines() {
            // A string takes all text.
            let _ = writeln!(table, "| {name} | {} |", value.replace('|', "\\|"));
        }
        table
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(unknown);
        let gib = self.memory_bytes as f64 / f64::from(1 << 30);
        vec![
            ("program", format!("{}, commit {}", self.program, self.commit)),
            ("date", self.date.clone()),
            ("processor", self.cpu_model.clone()),
            ("topology", self.topology()),
            ("caches", self.caches.iter().map(Cache::words).collect::<Vec<_>>().join(", ")),
            ("memory", format!("{gib:.1} GiB")),
            ("kernel", self.kernel.clone()),
            ("virtual machine", self.virtualised.clone().unwrap_or_else(|| "no".to_owned())),
            ("frequency governor", or_unknown(&self.governor)),
            ("clock source", or_unknown(&self.clock_source)),
        ]
    }

    fn topology(&self) -> String {
        let place = |cpu: &Cpu| {
            let part = |number: Option<usize>| number.map_or("?".to_owned(), |n| n.to_string());
            format!("cpu {} = package {} core {}", cpu.cpu, part(cpu.package), part(cpu.core))
        };
        let count = self.cpus.len();
        // Beyond this the list would be longer than the report.
        let shown: Vec<String> = self.cpus.iter().take(8).map(place).collect();
        let more = if count > shown.len() { ", …" } else { "" };
        format!("{count} processors: {}{more}", shown.join(", "))
    }
}

impl Cache {
    fn words(&self) -> String {
        let kind = match self.kind.as_str() {
            "Data" => "d",
            "Instruction" => "i",
            _ => "",
        };
        format!("L{}{kind} {}", self.level, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Two threads of one core, and a third processor that is offline.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let cpuinfo = "model name\t: Fast One\nflags\t\t: fpu hypervisor sse\n";
        put(root, "proc/cpuinfo", cpuinfo);
        put(root, "proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
        put(root, "proc/sys/kernel/osrelease", "6.1.0\n");
        put(root, "sys/class/dmi/id/sys_vendor", "QEMU\n");
        put(root, "sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
        put(root, "sys/devices/system/cpu/cpufreq/policy0/note", "not a processor");
        for cpu in ["0", "1", "10"] {
            let base = format!("sys/devices/system/cpu/cpu{cpu}");
            put(root, &format!("{base}/topology/core_id"), "3\n");
            put(root, &format!("{base}/topology/physical_package_id"), "0\n");
            for (index, level, kind, size) in
                [("0", "1", "Data", "32K"), ("3", "3", "Unified", "8M")]
            {
                let cache = format!("{base}/cache/index{index}");
                put(root, &format!("{cache}/level"), level);
                put(root, &format!("{cache}/type"), kind);
                put(root, &format!("{cache}/size"), size);
                put(root, &format!("{cache}/shared_cpu_list"), "0-1\n");
            }
        }
        put(root, "sys/devices/system/cpu/cpu10/online", "0\n");
        folder
    }

    #[test]
    fn a_machine_is_read_from_its_files() {
        let found = machine(tree().path());
        assert_eq!(found.cpu_model, "Fast One");
        assert_eq!(found.kernel, "6.1.0");
        assert_eq!(found.virtualised.as_deref(), Some("QEMU"));
        assert_eq!(found.clock_source.as_deref(), Some("tsc"));
        assert_eq!(found.governor, None);
        assert_eq!(found.memory_bytes, 2 << 20);
        assert_eq!(found.cpus.iter().map(|cpu| cpu.cpu).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(found.cpus[1].core, Some(3));
        assert_eq!(found.cpus[1].shares_last_cache.as_deref(), Some("0-1"));
        let caches: Vec<String> = found.caches.iter().map(Cache::words).collect();
        assert_eq!(caches, ["L1d 32K", "L3 8M"]);
    }

    #[test]
    fn nothing_is_guessed() {
        let empty = tempfile::tempdir().unwrap();
        let found = machine(empty.path());
        assert_eq!(found.cpu_model, "unknown");
        assert_eq!(found.virtualised, None);
        assert!(found.markdown().contains("| virtual machine | no |"));
    }

    #[test]
    fn this_machine_has_a_kernel_and_processors() {
        let here = environment();
        assert_ne!(here.kernel, "unknown");
        assert!(!here.cpus.is_empty());
        assert!(here.memory_bytes > 0);
        assert!(here.date.ends_with('Z'), "{}", here.date);
    }
}
