//! The guide's listing of a shared-memory transport, to stand beside ours: one buffer, a flag that
//! says whether it is full, and a yield while it is not.
//!
//! Mended in one point: the listing overwrites what was not yet read, so here the sender waits as
//! the receiver does.

use super::peer::PATIENCE;
use anyhow::{Context, Result, ensure};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const FREE: u32 = 0;
const FULL: u32 = 1;
const CLOSED: u32 = 2;

/// Bytes between the flag and the data: a cache line pair, so that they do not share one.
const DATA: usize = 128;

/// Polls between two looks at the clock.
const POLLS: u32 = 1 << 16;

/// One side of the listing.
#[derive(Debug)]
pub(super) struct Listing {
    flag: &'static AtomicU32,
    data: *mut u64,
    words: usize,
}

impl Listing {
    /// Memory for messages of `size` bytes, to hand to the other process as its standard input.
    pub(super) fn create(size: usize) -> Result<(Self, OwnedFd)> {
        let memory = memfd_create("listing", MemfdFlags::CLOEXEC)?;
        ftruncate(&memory, (DATA + size) as u64)?;
        Ok((Self::map(memory.as_fd(), size)?, memory))
    }

    /// The memory that came as standard input.
    pub(super) fn on_stdin(size: usize) -> Result<Self> {
        Self::map(std::io::stdin().as_fd(), size).context("the standard input is no shared memory")
    }

    fn map(memory: BorrowedFd<'_>, size: usize) -> Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let start = unsafe { mmap(std::ptr::null_mut(), DATA + size, access, flags, memory, 0)? };
        // SAFETY: mapped, zeroed, aligned, only ever used as an atomic, and never unmapped.
        let flag = unsafe { &*start.cast::<AtomicU32>() };
        // SAFETY: the mapping is longer than that.
        let data = unsafe { start.byte_add(DATA) };
        Ok(Self { flag, data: data.cast(), words: size / 8 })
    }

    /// Waits until the flag is no longer `present`; returns what it is.
    fn wait_while(&self, present: u32) -> Result<u32> {
        let started = Instant::now();
        loop {
            for _ in 0..POLLS {
                let flag = self.flag.load(Ordering::Acquire);
                if flag != present {
                    return Ok(flag);
                }
                std::thread::yield_now();
            }
            ensure!(started.elapsed() < PATIENCE, "the other process does not answer");
        }
    }

    /// Copies a message in.
    pub(super) fn send(&mut self, message: &[u64]) -> Result<()> {
        ensure!(message.len() == self.words, "the buffer holds {} words", self.words);
        self.wait_while(FULL)?;
        // SAFETY: the buffer has that many words, and while it is free they are the sender's.
        unsafe { self.data.copy_from_nonoverlapping(message.as_ptr(), message.len()) };
        self.flag.store(FULL, Ordering::Release);
        Ok(())
    }

    /// Copies a message out; false if there will be none.
    pub(super) fn receive(&mut self, message: &mut [u64]) -> Result<bool> {
        ensure!(message.len() == self.words, "the buffer holds {} words", self.words);
        if self.wait_while(FREE)? == CLOSED {
            return Ok(false);
        }
        // SAFETY: the buffer has that many words, and while it is full they are the receiver's.
        unsafe { self.data.copy_to_nonoverlapping(message.as_mut_ptr(), message.len()) };
        self.flag.store(FREE, Ordering::Release);
        Ok(true)
    }

    /// Says that there will be no more messages.
    pub(super) fn close(&mut self) -> Result<()> {
        self.wait_while(FULL)?;
        self.flag.store(CLOSED, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_through_in_order() {
        let (mut sender, memory) = Listing::create(16).unwrap();
        let receiver = std::thread::spawn(move || {
            let mut receiver = Listing::map(memory.as_fd(), 16).unwrap();
            let (mut message, mut seen) = ([0; 2], Vec::new());
            while receiver.receive(&mut message).unwrap() {
                seen.push(message);
            }
            seen
        });
        for number in 0..10 {
            sender.send(&[number, number * number]).unwrap();
        }
        sender.close().unwrap();
        let expected: Vec<[u64; 2]> = (0..10).map(|number| [number, number * number]).collect();
        assert_eq!(receiver.join().unwrap(), expected);
    }
}
