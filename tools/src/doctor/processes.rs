//! What becomes of a process and its files, and how others see it.

use super::finding::{Check, Finding, Fix, Place};
use super::machine::{Container, FIRST_PID, FIRST_USER, Machine, bytes};
use crate::environment::text;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

pub(super) const CHECKS: &[fn(&Machine<'_>) -> Finding] =
    &[container, pid_namespace, user_namespace, core_dumps, remove_ipc];

fn container(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "container",
        "no, or one /dev/shm for all that talk",
        "Each container has a /dev/shm of its own. Processes of two meet only where both mount the \
         same one.",
    );
    match machine.container() {
        Container::Unknown => check.unknown(),
        Container::No => check.ok("no"),
        Container::Marked(kind) => check.ok(format!(
            "marks of {kind}, but the machine's own process numbers: taken for a machine"
        )),
        Container::Yes(kind) => check.note(kind).fix(Fix {
            place: Place::Container,
            command: "docker run --volume /dev/shm:/dev/shm ...".to_owned(),
        }),
    }
}

fn pid_namespace(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "pid-namespace",
        "the machine's",
        "Messages name processes by their numbers. Those of another namespace mean nothing here, or \
         another process. Who lives and who died is told by the kernel's locks, and right all the \
         same.",
    );
    match machine.namespace("pid") {
        None => check.unknown(),
        Some(found) if found == FIRST_PID => check.ok("the machine's"),
        Some(found) => check.note(format!("one of its own, {found}")),
    }
}

fn user_namespace(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "user-namespace",
        "the machine's",
        "Segments belong to a user, by number. One user may have other numbers in another namespace, \
         and is somebody else there.",
    );
    match machine.namespace("user") {
        None => check.unknown(),
        Some(found) if found == FIRST_USER => check.ok("the machine's"),
        Some(_) => {
            let map = machine.text("proc/self/uid_map").unwrap_or_default();
            let words: Vec<&str> = map.lines().next().unwrap_or("").split_whitespace().collect();
            check.note(match words.as_slice() {
                &[inside, outside, count] => {
                    format!("one of its own: {count} users from {inside} on are {outside} outside")
                }
                _ => "one of its own".to_owned(),
            })
        }
    }
}

fn core_dumps(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "core-dumps",
        "none",
        "A process that crashes keeps its locks until its memory is written out, and so long nobody \
         learns that it died. A limit of 0 prevents a file, but not a program that takes the dump \
         (|...); a limit of 1 byte prevents both. Segments are left out of dumps.",
    );
    let (Some(pattern), Some(limit)) =
        (machine.text("proc/sys/kernel/core_pattern"), machine.process.core)
    else {
        return check.unknown();
    };
    let found = format!("limit {}, to {pattern}", bytes(limit.soft));
    match (pattern.starts_with('|'), limit.soft) {
        // The kernel's own sign for none at all, meant for programs that take dumps.
        (true, 1) | (false, 0) => check.ok(found),
        (true, _) => check
            .warning(found)
            .fix(Fix { place: Place::Here, command: "prlimit --core=1 PROGRAM".to_owned() }),
        (false, _) => {
            check.note(found).fix(Fix { place: Place::Here, command: "ulimit -c 0".to_owned() })
        }
    }
}

/// The value that systemd's files give `key`. Of files of one name, that of `/etc` takes the place of
/// that of `/run`, and that of the place of `/usr`'s; additions come after the file itself, by name.
fn logind(machine: &Machine<'_>, key: &str) -> Option<String> {
    let places = ["usr/lib/systemd", "run/systemd", "etc/systemd"];
    let places = places.map(|place| machine.root.join(place));
    let main =
        places.iter().rev().map(|place| place.join("logind.conf")).find(|path| path.exists());
    let additions: BTreeMap<OsString, PathBuf> = places
        .iter()
        .flat_map(|place| std::fs::read_dir(place.join("logind.conf.d")))
        .flatten()
        .filter_map(|entry| Some(entry.ok()?).map(|entry| (entry.file_name(), entry.path())))
        .filter(|(_, path)| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    let files = main.into_iter().chain(additions.into_values());
    files.filter_map(|file| assigned(&text(&file)?, key)).reduce(|_, later| later)
}

/// The last value that a text of `KEY=VALUE` lines gives `key`.
fn assigned(text: &str, key: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == key).then(|| value.trim().to_owned())
    })
}

fn remove_ipc(machine: &Machine<'_>) -> Finding {
    let check = Check::new(
        "remove-ipc",
        "no, for users that log out",
        "When a user's last session ends, systemd removes the user's files in /dev/shm, under running \
         programs too: they go on, and nobody finds their channels any more. Users of the system \
         (below 1000) are spared.",
    );
    let systemd = machine.root.join("run/systemd/system").exists();
    let first = machine.text("proc/1/comm");
    if !systemd {
        return match first {
            Some(name) if name != "systemd" => check.ok("no systemd runs"),
            _ => check.unknown(),
        };
    }
    let configured = logind(machine, "RemoveIPC");
    let found = match &configured {
        Some(value) => value.clone(),
        None => "not configured: yes, unless systemd was built otherwise".to_owned(),
    };
    let off = |value: &str| ["no", "false", "off", "0", "n", "f"].contains(&value);
    match machine.process.user {
        _ if configured.is_some_and(|value| off(&value.to_ascii_lowercase())) => check.ok(found),
        None => check.unknown(),
        Some(user) if user < 1000 => check.ok(format!("{found}; this is user {user}")),
        Some(_) => check.warning(found).fix(machine.system(
            "printf '[Login]\\nRemoveIPC=no\\n' | sudo install -D -m 644 /dev/stdin \
             /etc/systemd/logind.conf.d/strait.conf && sudo systemctl restart systemd-logind",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::assigned;

    #[test]
    fn the_last_assignment_counts() {
        let text = "[Login]\n#RemoveIPC=no\nRemoveIPC = yes\nRemoveIPC=no\n";
        assert_eq!(assigned(text, "RemoveIPC").as_deref(), Some("no"));
        assert_eq!(assigned("#RemoveIPC=no", "RemoveIPC"), None);
    }
}
