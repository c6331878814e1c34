//! The yardstick of long messages: memory that one side writes and the other reads, without a ring.
//!
//! ```text
//! ┌───────┬──────────┬──────────┬──────────┬──────────┐
//! │ flags │ there, 0 │ there, 1 │ back, 0  │ back, 1  │     two buffers each way, with two
//! └───────┴──────────┴──────────┴──────────┴──────────┘     flags each: written, read
//! ```
//!
//! While one side writes a buffer, the other reads the one before: the least that can be done if both
//! are to be busy. Words are made and added up by the loops that Strait's side uses as well. It is a
//! yardstick, not a limit: two buffers fit a cache where a ring may not, and one that is larger moves
//! on to lines that nobody has read lately.

use super::payload::{sum_of, sum_words, write_words};
use super::torn;
use crate::bench::clock::spin;
use crate::bench::exercise::{Role, Side};
use anyhow::{Context, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Buffers of one direction.
const BUFFERS: usize = 2;

/// How many messages a buffer's writer has put there or its reader has taken, on lines of their own.
#[repr(C)]
struct Flags {
    written: Count,
    read: Count,
}

#[repr(C, align(128))]
struct Count(AtomicU64);

/// Bytes before the first buffer: a page.
const HEAD: usize = 4096;

const _: () = assert!(2 * BUFFERS * size_of::<Flags>() <= HEAD);

/// Bytes from one buffer to the next: whole pages, and one more lest the same words of two buffers
/// meet in the same set of a cache.
fn stride(size: usize) -> usize {
    size.next_multiple_of(HEAD) + HEAD
}

/// Bytes of the file that two sides map for messages of `size` bytes.
pub(in crate::bench) fn bytes(size: usize) -> u64 {
    (HEAD + 2 * BUFFERS * stride(size)) as u64
}

/// One process's side.
pub(in crate::bench) struct Memory {
    address: NonNull<u8>,
    size: usize,
    role: Role,
    sent: u64,
    received: u64,
}

impl Memory {
    /// Maps a file of [`bytes`] bytes, and touches all of it.
    pub(in crate::bench) fn map(file: &File, size: usize, role: Role) -> Result<Self> {
        let expected = bytes(size);
        ensure!(file.metadata()?.len() == expected, "bare memory is not {expected} bytes long");
        let (any, len) = (std::ptr::null_mut(), usize::try_from(expected)?);
        let (access, flags) =
            (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED | MapFlags::POPULATE);
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let address = unsafe { mmap(any, len, access, flags, file, 0) };
        let address = address.context("cannot map bare memory")?;
        let address = NonNull::new(address.cast()).context("mapped at 0")?;
        Ok(Self { address, size, role, sent: 0, received: 0 })
    }

    /// The flags and the words of buffer `index`, which `writer` writes.
    #[inline(always)]
    fn buffer(&self, writer: Role, index: u64) -> (&Flags, *mut u64) {
        let direction = usize::from(writer == Role::There);
        let index = direction * BUFFERS + usize::from(index % BUFFERS as u64 == 1);
        // SAFETY: there are so many flags in the page that comes first.
        let flags = unsafe { self.address.cast::<Flags>().add(index) };
        // SAFETY: mapped until dropped; atomics only, for which any bytes are valid.
        let flags = unsafe { flags.as_ref() };
        // SAFETY: there are so many buffers.
        let words = unsafe { self.address.add(HEAD + index * stride(self.size)) };
        (flags, words.cast().as_ptr())
    }

    fn other(&self) -> Role {
        match self.role {
            Role::Here => Role::There,
            Role::There => Role::Here,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let len = HEAD + 2 * BUFFERS * stride(self.size);
        // SAFETY: mapped by `map`, with this length, and nobody else's.
        let unmapped = unsafe { munmap(self.address.as_ptr().cast(), len) };
        debug_assert!(unmapped.is_ok());
    }
}

impl Side for Memory {
    #[inline(always)]
    fn send(&mut self, number: u64) -> Result<()> {
        let (flags, words) = self.buffer(self.role, self.sent);
        let before = self.sent / BUFFERS as u64;
        spin(|| Ok((flags.read.0.load(Acquire) == before).then_some(())))?;
        // SAFETY: the buffer has room for a message, and is this side's until the flag says otherwise.
        unsafe { write_words(words, self.size / 8, number) };
        flags.written.0.store(before + 1, Release);
        self.sent += 1;
        Ok(())
    }

    #[inline(always)]
    fn try_receive(&mut self, number: u64) -> Result<bool> {
        let (flags, start) = self.buffer(self.other(), self.received);
        let before = self.received / BUFFERS as u64;
        if flags.written.0.load(Acquire) == before {
            return Ok(false);
        }
        let words = self.size / 8;
        // SAFETY: written, and left alone until the flag below says that it was read.
        let sum = unsafe { sum_words(start, words) };
        flags.read.0.store(before + 1, Release);
        self.received += 1;
        ensure!(sum == sum_of(number, words), torn(number));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, memfd_create};

    #[test]
    fn messages_alternate_between_two_buffers_each_way() {
        let file = File::from(memfd_create("test", MemfdFlags::CLOEXEC).unwrap());
        file.set_len(bytes(5000)).unwrap();
        let mut here = Memory::map(&file, 5000, Role::Here).unwrap();
        let mut there = Memory::map(&file, 5000, Role::There).unwrap();
        for number in (10..20).step_by(2) {
            assert!(!there.try_receive(number).unwrap());
            here.send(number).unwrap();
            here.send(number + 1).unwrap();
            there.send(number).unwrap();
            there.receive(number).unwrap();
            there.receive(number + 1).unwrap();
            here.receive(number).unwrap();
        }
        here.send(20).unwrap();
        assert!(there.try_receive(21).is_err(), "another message");
        assert!(Memory::map(&file, 50_000, Role::Here).is_err());
    }
}
