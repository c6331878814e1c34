//! Memory that is there before it is needed, and stays.

use super::error::Refusal;
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlock, mlockall, munlock};
use rustix::process::{Resource, getrlimit};
use std::ffi::c_void;
use std::hint::black_box;
use std::io;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Which memory is kept from being paged out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The thread's stack, all of it, until the thread ends.
    Stack,
    /// All that the process has mapped and will map (`mlockall`), until it ends. From then on,
    /// mappings beyond the limit fail.
    Everything,
}

const PAGE: usize = 4096;

/// What is left untouched at a stack's end, for the frames of the one that touches it.
const MARGIN: usize = 8 * PAGE;

/// The calling thread's stack, without the guard below it.
struct Stack {
    lowest: *mut c_void,
    len: usize,
}

impl Stack {
    fn of_this_thread() -> io::Result<Self> {
        fn checked(code: libc::c_int) -> io::Result<()> {
            if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
        }
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: it only reads a register.
        let this_thread = unsafe { libc::pthread_self() };
        // SAFETY: the thread runs, and `attributes` has room for what is written there.
        checked(unsafe { libc::pthread_getattr_np(this_thread, attributes.as_mut_ptr()) })?;
        let (mut lowest, mut len) = (null_mut(), 0);
        // SAFETY: the call before has initialised `attributes`; the results are written to locals.
        let read = unsafe {
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut len)
        };
        // SAFETY: `attributes` is initialised, and not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        checked(read).map(|()| Self { lowest, len })
    }
}

/// Locks a stack; dropped, on the same thread, it unlocks it, since the C library keeps the memory
/// for threads to come.
pub(super) struct LockedStack(Stack);

impl LockedStack {
    fn new() -> io::Result<Self> {
        let stack = Stack::of_this_thread()?;
        // SAFETY: locking changes neither contents nor protection of what is mapped.
        unsafe { mlock(stack.lowest, stack.len) }?;
        Ok(Self(stack))
    }
}

impl Drop for LockedStack {
    fn drop(&mut self) {
        // SAFETY: as for locking. It cannot fail for what was locked.
        let _ = unsafe { munlock(self.0.lowest, self.0.len) };
    }
}

/// Locks what is asked for. The stack stays locked for as long as what is returned is kept.
pub(super) fn lock(asked: Lock) -> Result<Option<LockedStack>, Refusal> {
    let locked = match asked {
        Lock::Stack => LockedStack::new().map(Some),
        Lock::Everything => mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
            .map(|()| None)
            .map_err(Errno::into),
    };
    locked.map_err(|source| {
        let bytes = match asked {
            Lock::Stack => Stack::of_this_thread().ok().map(|stack| stack.len as u64),
            Lock::Everything => None,
        };
        let limit = getrlimit(Resource::Memlock).current;
        Refusal::Lock { asked, bytes, limit, source }
    })
}

/// Touches every page of the calling thread's stack that is still to be used.
pub(super) fn touch() -> Result<(), Refusal> {
    let stack = Stack::of_this_thread().map_err(Refusal::Stack)?;
    touch_down_to(stack.lowest.addr() + MARGIN);
    Ok(())
}

#[inline(never)]
fn touch_down_to(lowest: usize) {
    let page = [0_u8; PAGE];
    if black_box(&page).as_ptr().addr() > lowest {
        touch_down_to(lowest);
    }
    // The frame is in use until here, so that the call above is one.
    black_box(&page);
}
