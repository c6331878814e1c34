//! Locks owned by an open file description.
//!
//! Such a lock belongs to the *description* (what `open` makes), not to the process: it is released
//! when the last descriptor and the last mapping of that description are gone, which the kernel does
//! for a killed process too. It neither blocks nor is seen by those who share the description, so
//! whoever asks about a lock asks through a description of its own.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// How a byte is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Any number of descriptions at a time.
    Shared,
    /// One description, and no shared lock beside it. Needs a descriptor open for writing.
    Exclusive,
}

fn request(byte: u64, kind: libc::c_int) -> io::Result<libc::flock> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    Ok(libc::flock {
        // The three lock kinds are 0, 1 and 2.
        #[allow(clippy::cast_possible_truncation)]
        l_type: kind as libc::c_short,
        // SEEK_SET is 0.
        #[allow(clippy::cast_possible_truncation)]
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: i64::try_from(byte).map_err(invalid)?,
        l_len: 1,
        // The kernel refuses these calls unless it is 0.
        l_pid: 0,
    })
}

/// Locks one byte for this description, without waiting; `false` if others hold it.
///
/// A lock the description already holds on the byte is converted.
pub fn try_lock(file: impl AsFd, byte: u64, mode: Mode) -> io::Result<bool> {
    let kind = match mode {
        Mode::Shared => libc::F_RDLCK,
        Mode::Exclusive => libc::F_WRLCK,
    };
    match set(file.as_fd(), libc::F_OFD_SETLK, &request(byte, kind)?) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Locks one byte exclusively for this description, waiting in the kernel until nobody else holds it.
pub fn wait_exclusively(file: impl AsFd, byte: u64) -> io::Result<()> {
    set(file.as_fd(), libc::F_OFD_SETLKW, &request(byte, libc::F_WRLCK)?)
}

/// Releases this description's lock on one byte.
pub fn unlock(file: impl AsFd, byte: u64) -> io::Result<()> {
    set(file.as_fd(), libc::F_OFD_SETLK, &request(byte, libc::F_UNLCK)?)
}

/// `F_OFD_SETLK` or `F_OFD_SETLKW`, again when a signal interrupted it.
fn set(fd: BorrowedFd<'_>, command: libc::c_int, lock: &libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: `fd` is open for the length of the call, and both commands read a `flock`.
        let result = unsafe { libc::fcntl(fd.as_raw_fd(), command, std::ptr::from_ref(lock)) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Whether another description holds the byte exclusively. About 1 µs.
pub fn is_held(probe: impl AsFd, byte: u64) -> io::Result<bool> {
    // "Could a shared lock be placed?" is prevented by exclusive locks only.
    is_prevented(probe.as_fd(), byte, libc::F_RDLCK)
}

/// Whether another description holds the byte in whatever mode. The probe need not be open for
/// writing: nothing is locked.
pub fn is_taken(probe: impl AsFd, byte: u64) -> io::Result<bool> {
    is_prevented(probe.as_fd(), byte, libc::F_WRLCK)
}

/// Whether others' locks would keep this description from taking one of this kind.
fn is_prevented(probe: BorrowedFd<'_>, byte: u64, kind: libc::c_int) -> io::Result<bool> {
    let mut lock = request(byte, kind)?;
    let fd = probe.as_raw_fd();
    // SAFETY: `fd` is open for the length of the call, and F_OFD_GETLK reads and writes a `flock`.
    let result = unsafe { libc::fcntl(fd, libc::F_OFD_GETLK, &raw mut lock) };
    if result == 0 {
        Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::file;
    use crate::system::mapping::Mapping;

    #[test]
    fn a_lock_lives_with_the_mapping_of_its_description() {
        let probe = file::memory("lock-test").unwrap();
        probe.set_len(4096).unwrap();
        let holder = file::reopen(&probe).unwrap();
        assert!(try_lock(&holder, 1 << 62, Mode::Exclusive).unwrap());
        let mapping = Mapping::new(&holder, 0, 4096).unwrap();
        drop(holder);
        assert!(is_held(&probe, 1 << 62).unwrap());
        assert!(!is_held(&probe, (1 << 62) + 1).unwrap());
        assert!(!try_lock(&probe, 1 << 62, Mode::Shared).unwrap());
        drop(mapping);
        assert!(!is_held(&probe, 1 << 62).unwrap());
    }

    #[test]
    fn shared_locks_keep_out_only_exclusive_ones() {
        let one = file::memory("lock-test").unwrap();
        let two = file::reopen(&one).unwrap();
        assert!(try_lock(&one, 7, Mode::Shared).unwrap());
        assert!(try_lock(&two, 7, Mode::Shared).unwrap());
        assert!(!is_held(&two, 7).unwrap());
        assert!(is_taken(&two, 7).unwrap());
        assert!(!try_lock(&two, 7, Mode::Exclusive).unwrap());
        drop(one);
        assert!(!is_taken(&two, 7).unwrap());
        assert!(try_lock(&two, 7, Mode::Exclusive).unwrap());
    }

    #[test]
    fn a_byte_no_file_can_have_is_refused() {
        let file = file::memory("lock-test").unwrap();
        assert!(try_lock(&file, u64::MAX, Mode::Shared).is_err());
    }
}
