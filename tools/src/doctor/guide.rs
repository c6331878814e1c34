//! The performance guide's settings of a system: a number, or several, that the kernel's should reach.

use super::finding::{Check, Finding};
use super::machine::{Limit, Machine, UNLIMITED, count};

/// One of them.
#[derive(Debug)]
struct Setting {
    id: &'static str,
    place: Place,
    /// What the guide asks for.
    wanted: &'static [u64],
    why: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// A name of `sysctl`'s.
    Kernel(&'static str),
    /// What `ulimit` and the file of limits call it, and this process's.
    Limit(char, fn(&Machine<'_>) -> Option<Limit>),
}

const NETWORK: &str = "For gRPC and everything else over TCP, between machines. Shared memory never \
                       passes through it.";
const SYSTEM_V: &str = "For System V segments (`shmget`), which nothing here uses. How much shared \
                        memory there is, the size of /dev/shm says.";

/// Those that matter to shared memory.
const LIMITS: &[Setting] = &[
    Setting {
        id: "nofile",
        place: Place::Limit('n', |machine| machine.process.nofile),
        wanted: &[65536],
        why: "Each channel that is open takes a few descriptors: a program with hundreds of them runs \
              out at the usual 1024.",
    },
    Setting {
        id: "nproc",
        place: Place::Limit('u', |machine| machine.process.nproc),
        wanted: &[32768],
        why: "Threads of a user, of all programs together. Beyond it none can be made.",
    },
    Setting {
        id: "file-max",
        place: Place::Kernel("fs.file-max"),
        wanted: &[2_097_152],
        why: "Open files of the whole machine. Each channel that is open takes a few.",
    },
];

/// Those that do not, and are here because they are often thought to.
const OTHERS: &[Setting] = &[
    Setting {
        id: "rmem-max",
        place: Place::Kernel("net.core.rmem_max"),
        wanted: &[134_217_728],
        why: NETWORK,
    },
    Setting {
        id: "wmem-max",
        place: Place::Kernel("net.core.wmem_max"),
        wanted: &[134_217_728],
        why: NETWORK,
    },
    Setting {
        id: "tcp-rmem",
        place: Place::Kernel("net.ipv4.tcp_rmem"),
        wanted: &[4096, 87380, 134_217_728],
        why: NETWORK,
    },
    Setting {
        id: "tcp-wmem",
        place: Place::Kernel("net.ipv4.tcp_wmem"),
        wanted: &[4096, 65536, 134_217_728],
        why: NETWORK,
    },
    Setting {
        id: "shmmax",
        place: Place::Kernel("kernel.shmmax"),
        wanted: &[68_719_476_736],
        why: SYSTEM_V,
    },
    Setting {
        id: "shmall",
        place: Place::Kernel("kernel.shmall"),
        wanted: &[4_294_967_296],
        why: SYSTEM_V,
    },
];

pub(super) fn limits(machine: &Machine<'_>) -> Vec<Finding> {
    LIMITS.iter().map(|setting| setting.judge(machine)).collect()
}

pub(super) fn others(machine: &Machine<'_>) -> Vec<Finding> {
    OTHERS.iter().map(|setting| setting.judge(machine)).collect()
}

impl Setting {
    fn judge(&self, machine: &Machine<'_>) -> Finding {
        let wanted = words(self.wanted.iter().copied());
        let check = Check::new(self.id, format!("at least {wanted}"), self.why);
        let found = match self.place {
            Place::Kernel(name) => {
                let text = machine.text(&format!("proc/sys/{}", name.replace('.', "/")));
                text.as_deref().and_then(numbers)
            }
            Place::Limit(_, of) => of(machine).map(|limit| vec![limit.soft]),
        };
        let Some(found) = found.filter(|found| found.len() == self.wanted.len()) else {
            return check.unknown();
        };
        let text = words(found.iter().copied());
        let pairs = || found.iter().zip(self.wanted);
        if pairs().all(|(found, wanted)| found >= wanted) {
            return check.ok(text);
        }
        match self.place {
            Place::Kernel(name) => {
                // What is enough already is not lowered.
                let raised = words(pairs().map(|(found, wanted)| *found.max(wanted)));
                let raised = if found.len() > 1 { format!("'{raised}'") } else { raised };
                check.note(text).fix(machine.system(format!("sudo sysctl -w {name}={raised}")))
            }
            Place::Limit(flag, of) => {
                let fix =
                    of(machine).map(|limit| machine.raise(limit, flag, self.id, self.wanted[0]));
                check.note(text).fix(fix)
            }
        }
    }
}

fn words(numbers: impl Iterator<Item = u64>) -> String {
    numbers.map(count).collect::<Vec<_>>().join(" ")
}

/// Numbers with blanks between them; those that no word holds are as good as none.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let number = |word: &str| {
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| word.parse().unwrap_or(UNLIMITED))
    };
    text.split_whitespace().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn numbers_are_read_or_refused() {
        assert_eq!(numbers("4096\t131072\t33554432"), Some(vec![4096, 131_072, 33_554_432]));
        assert_eq!(numbers("99999999999999999999"), Some(vec![u64::MAX]));
        assert_eq!(numbers("-1"), None);
        assert_eq!(numbers("12 many"), None);
    }
}
