//! Looking at a channel's locks with the supervisor's own eyes: one system call, none of Strait's code.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use strait_ipc::segment::layout::endpoint_byte;
use strait_torture::journal::Side;

/// The byte that stands for a side in a segment of one channel.
fn byte(side: Side) -> u64 {
    endpoint_byte(match side {
        Side::Sender => 0,
        Side::Receiver => 1,
    })
}

/// Whether any description but `file`'s holds the side.
pub(crate) fn held(file: &File, side: Side) -> io::Result<bool> {
    let start = i64::try_from(byte(side)).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The kinds of locks and SEEK_SET are small.
    #[allow(clippy::cast_possible_truncation)]
    let (kind, whence) = (libc::F_RDLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
    let mut lock =
        libc::flock { l_type: kind, l_whence: whence, l_start: start, l_len: 1, l_pid: 0 };
    // SAFETY: the descriptor is open, and the command reads and writes a `flock`.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK)
}

/// A description of the supervisor's own of what another process has open.
pub(crate) fn opened_by(pid: u32, descriptor: u32) -> io::Result<OwnedFd> {
    let path = format!("/proc/{pid}/fd/{descriptor}");
    Ok(File::options().read(true).write(true).open(path)?.into())
}
