//! The guide's settings of the system: `strait doctor` judges by them what it finds.

use super::judge::Behaviour;
use super::lab::Lab;
use crate::doctor::{Finding, Limit, Machine, Process, Verdict, audit};
use anyhow::{Context, Result};
use std::path::Path;

/// What doctor calls a setting, where it looks, and the guide's value: numbers with blanks between.
type Setting = (&'static str, Place, &'static str);

#[derive(Clone, Copy, Debug)]
enum Place {
    /// This file of `/proc/sys`.
    File(&'static str),
    /// This limit of the process.
    Limit(fn(&mut Process) -> &mut Option<Limit>),
}

const NETWORK: &[Setting] = &[
    ("rmem-max", Place::File("net/core/rmem_max"), "134217728"),
    ("wmem-max", Place::File("net/core/wmem_max"), "134217728"),
    ("tcp-rmem", Place::File("net/ipv4/tcp_rmem"), "4096 87380 134217728"),
    ("tcp-wmem", Place::File("net/ipv4/tcp_wmem"), "4096 65536 134217728"),
];
const FILES: &[Setting] = &[("file-max", Place::File("fs/file-max"), "2097152")];
const SHARED_MEMORY: &[Setting] = &[
    ("shmmax", Place::File("kernel/shmmax"), "68719476736"),
    ("shmall", Place::File("kernel/shmall"), "4294967296"),
];
const LIMITS: &[Setting] = &[
    ("nofile", Place::Limit(|process| &mut process.nofile), "65536"),
    ("nproc", Place::Limit(|process| &mut process.nproc), "32768"),
];

pub(super) fn network(_: &mut Lab) -> Result<Behaviour> {
    judged(NETWORK)
}

pub(super) fn files(_: &mut Lab) -> Result<Behaviour> {
    judged(FILES)
}

pub(super) fn shared_memory(_: &mut Lab) -> Result<Behaviour> {
    judged(SHARED_MEMORY)
}

pub(super) fn limits(_: &mut Lab) -> Result<Behaviour> {
    judged(LIMITS)
}

/// Whether doctor accepts a machine with the guide's values, objects to one that has each by one too
/// low, and says that it does not know of one that has none; and what it says of this machine.
fn judged(settings: &[Setting]) -> Result<Behaviour> {
    let (met, missed) = (pretend(settings, |value| value)?, pretend(settings, |value| value - 1)?);
    let nowhere = tempfile::tempdir()?;
    let none = audit(&Machine { root: nowhere.path(), process: Process::default() });
    let process = Process::here(Path::new("/dev/shm"))?;
    let here = audit(&Machine { root: Path::new("/"), process });
    let (mut holds, mut seen) = (true, Vec::new());
    for (id, _, wanted) in settings {
        let of = |findings: &[Finding]| {
            let finding = findings.iter().find(|finding| finding.id == *id).cloned();
            finding.with_context(|| format!("doctor does not look at {id}"))
        };
        let low = of(&missed)?;
        holds &= of(&met)?.verdict == Verdict::Ok
            && !matches!(low.verdict, Verdict::Ok | Verdict::Unknown)
            && low.wanted.ends_with(wanted)
            && low.fix.is_some_and(|fix| fix.command.contains(wanted))
            && of(&none)?.verdict == Verdict::Unknown;
        let here = of(&here)?;
        let found = here.found.as_deref().unwrap_or("?");
        seen.push(format!("{id} {found} ({})", here.verdict.word()));
    }
    let judges = if holds { "doctor judges by it" } else { "doctor does not judge by it" };
    Ok(Behaviour { holds, seen: format!("{judges}; here: {}", seen.join(", ")) })
}

/// What doctor says of a machine whose settings are the guide's, each number changed by `change`.
fn pretend(settings: &[Setting], change: fn(u64) -> u64) -> Result<Vec<Finding>> {
    let root = tempfile::tempdir()?;
    let mut process = Process::default();
    for (_, place, wanted) in settings {
        let numbers = wanted.split(' ').map(|number| Ok(change(number.parse()?)));
        let numbers = numbers.collect::<Result<Vec<u64>>>()?;
        match place {
            Place::File(path) => {
                let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
                let path = root.path().join("proc/sys").join(path);
                std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
                std::fs::write(path, words.join("\t") + "\n")?;
            }
            Place::Limit(of) => {
                *of(&mut process) = numbers.first().map(|&soft| Limit { soft, hard: soft });
            }
        }
    }
    Ok(audit(&Machine { root: root.path(), process }))
}
