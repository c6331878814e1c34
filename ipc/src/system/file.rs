//! Files without names, names for them, and memory for both.

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, MemfdFlags, Mode, OFlags, fallocate, fchmod, fstatvfs, linkat,
    memfd_create, open,
};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

/// A new file in `directory` that has no name yet: whoever dies before [`link`] leaves nothing.
pub fn unnamed(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let owner_only = Mode::RUSR | Mode::WUSR;
    let file = open(directory, flags, owner_only)?;
    // The process's umask may have taken bits away.
    fchmod(&file, owner_only)?;
    Ok(file.into())
}

/// Lets every user read a file, as if it were any other.
pub fn let_others_read(file: &File) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    Ok(fchmod(file, mode)?)
}

/// Gives an unnamed file its name; `false` if the name is taken.
pub fn link(file: &File, path: &Path) -> io::Result<bool> {
    // Linking a descriptor itself needs a capability; through /proc any owner may.
    match linkat(CWD, description_path(file), CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A new memory file, empty and not sealed. `label` is what `/proc/<pid>/maps` shows.
pub fn memory(label: &str) -> io::Result<File> {
    Ok(memfd_create(label, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// Opens the same file again: a second description, with locks of its own.
pub fn reopen(file: impl AsFd) -> io::Result<File> {
    reopen_as(file, OFlags::RDWR)
}

/// The same, to be read alone.
pub fn reopen_to_read(file: impl AsFd) -> io::Result<File> {
    reopen_as(file, OFlags::RDONLY)
}

fn reopen_as(file: impl AsFd, access: OFlags) -> io::Result<File> {
    let flags = access | OFlags::CLOEXEC;
    Ok(open(description_path(file), flags, Mode::empty())?.into())
}

fn description_path(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Bytes free for this user in the file system that holds `file`; `None` if it has no limit.
pub fn free_bytes(file: &File) -> io::Result<Option<u64>> {
    let stat = fstatvfs(file)?;
    Ok((stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
}

/// Allocates the first `bytes` bytes of `file` for good, so that no write to them can fail.
///
/// In pieces: a signal interrupts one large call every time it is tried.
pub fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    const PIECE: u64 = 64 << 20;
    let mut offset = 0;
    while offset < bytes {
        let len = PIECE.min(bytes - offset);
        retry_on_intr(|| fallocate(file, FallocateFlags::empty(), offset, len))?;
        offset += len;
    }
    Ok(())
}

/// 128 random bits, never 0.
pub fn random_u128() -> io::Result<u128> {
    let mut bytes = [0_u8; 16];
    loop {
        // SAFETY: the buffer is ours and 16 bytes long.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        let value = u128::from_ne_bytes(bytes);
        if usize::try_from(got) == Ok(bytes.len()) && value != 0 {
            return Ok(value);
        }
        let error = io::Error::last_os_error();
        if got < 0 && error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
