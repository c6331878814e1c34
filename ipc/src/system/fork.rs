//! Noticing that this process is a forked child.
//!
//! A child inherits handles as values, but neither the mappings they point into (segments are mapped
//! `MADV_DONTFORK`) nor the locks that make their holder the only one. One page per process, which
//! the kernel wipes in a child (`MADV_WIPEONFORK`, Linux 4.14), holds the process's *generation*; a
//! handle remembers the generation it was made in. In a child the page reads 0, or, once the child
//! has made handles of its own, a higher generation than any it inherited.

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
use std::io;
use std::ptr::null_mut;
// Local to one process, never in shared memory and in no model: the plain atomics, not the façade.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PAGE: usize = 4096;

/// The generation last handed out. A child inherits the value, so its own is higher.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Remembers the process it was made in.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    word: &'static AtomicU64,
    generation: u64,
}

impl Guard {
    /// A guard for the present process. Fails if the kernel has no memory or is older than 4.14.
    pub fn new() -> io::Result<Self> {
        let word = generation_word()?;
        let mut generation = word.load(Relaxed);
        if generation == 0 {
            let next = LAST.fetch_add(1, Relaxed) + 1;
            generation = match word.compare_exchange(0, next, Relaxed, Relaxed) {
                Ok(_) => next,
                Err(another_thread_was_first) => another_thread_was_first,
            };
        }
        Ok(Self { word, generation })
    }

    /// Whether this process is a child forked after the guard was made. One load of local memory.
    #[inline]
    pub fn forked(&self) -> bool {
        self.word.load(Relaxed) != self.generation
    }
}

fn generation_word() -> io::Result<&'static AtomicU64> {
    static WORD: OnceLock<Result<&'static AtomicU64, Errno>> = OnceLock::new();
    Ok((*WORD.get_or_init(map_word))?)
}

fn map_word() -> Result<&'static AtomicU64, Errno> {
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: no address is asked for, so no existing mapping is touched.
    let page = unsafe { mmap_anonymous(null_mut(), PAGE, access, flags)? };
    // SAFETY: exactly the page just mapped, to which no reference exists yet.
    unsafe { madvise(page, PAGE, Advice::LinuxWipeOnFork)? };
    // SAFETY: the page is aligned, zeroed, never unmapped, and reached only through this reference.
    Ok(unsafe { AtomicU64::from_ptr(page.cast()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_made_it_is_not_forked() {
        let guard = Guard::new().unwrap();
        assert!(!guard.forked());
        assert_eq!(guard.generation, Guard::new().unwrap().generation);
    }

    #[test]
    fn a_child_is_noticed_and_may_make_guards_of_its_own() {
        let inherited = Guard::new().unwrap();
        // SAFETY: the child calls only async-signal-safe functions: loads, stores and `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let own = Guard::new();
            let right = inherited.forked() && own.is_ok_and(|own| !own.forked());
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(!right)) };
        }
        let mut status = 0;
        // SAFETY: `child` is our child, and `status` is ours to write.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
        assert!(!inherited.forked());
    }
}
