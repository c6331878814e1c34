//! What a process is called, and whether it is paused.

use std::fs::File;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

/// This process's program: the file name of its executable.
pub fn program_name() -> String {
    let executable = std::env::current_exe().ok();
    let name = executable.as_deref().and_then(|path| path.file_name());
    name.map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Whether process `pid` is stopped, by a signal or a debugger; `false` if that cannot be known.
///
/// A hint for people: `pid` may belong to another pid namespace, or to another process by now.
pub fn is_paused(pid: u32) -> bool {
    matches!(state(pid), Some('T' | 't'))
}

/// Whether there is a process `pid` that has not ended. A hint, as [`is_paused`] is.
pub fn exists(pid: u32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// The letter by which the kernel tells what a process is doing.
fn state(pid: u32) -> Option<char> {
    // "pid (program) state …", where the program's name may hold anything; behind it are numbers. It is
    // there at once, and observers ask often.
    let mut stat = [0; 512];
    let len = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut stat).ok()?;
    let stat = &stat[..len];
    let behind = stat.iter().rposition(|&byte| byte == b')')? + 1;
    stat[behind..].iter().find(|byte| !byte.is_ascii_whitespace()).map(|&byte| char::from(byte))
}

/// Nanoseconds since 1970-01-01 00:00 UTC. They end in the year 2554.
pub fn unix_nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
