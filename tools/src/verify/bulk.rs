//! Many bytes between two processes: copied in and out, built and read where they lie, and the
//! guide's own listing beside ours.

use super::judge::{Amount, Behaviour, Beside};
use super::lab::{Lab, ROUNDS, effort, median, once};
use super::listing::Listing;
use super::peer::{self, Orders, PATIENCE, Peer, Role};
use anyhow::{Result, ensure};
use std::hint::black_box;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;
use strait::{Domain, Receiver};
use strait_ipc::channel::{Bytes, BytesReceiver, BytesSender, RecvError, Spsc};

/// Message of the throughput figures: a ring of them fits the caches near the cores.
const BLOCK: usize = 64 * 1024;
const BLOCKS_IN_RING: u64 = 16;
const BLOCKS: u64 = effort(8192);

/// Message of the listing, as near to its buffer as one cell comes.
const MEGABYTE: usize = 1_000_000;
const MEGABYTES_IN_RING: u64 = 4;
const MEGABYTES: u64 = effort(500);

fn channel(domain: &Domain, size: usize) -> Spsc<Bytes> {
    let capacity = if size == MEGABYTE { MEGABYTES_IN_RING } else { BLOCKS_IN_RING };
    domain.spsc::<Bytes>("there").max_len(size).capacity(capacity)
}

/// What a message says, for both sides to add up: each word is its number plus the message's.
fn fill(words: &mut [u64], number: u64) {
    for (word, index) in words.iter_mut().zip(number..) {
        *word = index;
    }
}

fn sum_of(words: u64, number: u64) -> u64 {
    words.wrapping_mul(number).wrapping_add(words * (words - 1) / 2)
}

/// First and last word, which tell that a copied message is whole.
fn ends(words: &[u64]) -> u64 {
    words[0].wrapping_add(words[words.len() - 1])
}

/// [`Role::Copy`], [`Role::Sum`] and [`Role::Listing`]: after every `count` messages, their sum.
pub(super) fn receive(orders: &Orders, role: Role) -> Result<()> {
    let domain = Domain::open(&orders.meet)?;
    let mut back = domain.spsc::<u64>("back").sender()?;
    let mut copy = vec![0; orders.size / 8];
    if role == Role::Listing {
        let mut listing = Listing::on_stdin(orders.size)?;
        peer::ready();
        loop {
            let mut sum = 0_u64;
            for _ in 0..orders.count {
                if !listing.receive(&mut copy)? {
                    return Ok(());
                }
                sum = sum.wrapping_add(ends(&copy));
            }
            back.send(&sum)?;
        }
    }
    let mut receiver = channel(&domain, orders.size).receiver()?;
    peer::ready();
    loop {
        let mut sum = 0_u64;
        for _ in 0..orders.count {
            let part = if role == Role::Copy {
                copy_out(&mut receiver, &mut copy).map(|()| ends(&copy))
            } else {
                add_up(&mut receiver)
            };
            match part {
                Ok(part) => sum = sum.wrapping_add(part),
                Err(RecvError::Closed(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        back.send(&sum)?;
    }
}

fn copy_out(receiver: &mut BytesReceiver, copy: &mut [u64]) -> Result<(), RecvError> {
    let message = receiver.recv()?;
    let len = message.len().min(size_of_val(copy));
    let target = copy.as_mut_ptr().cast::<u8>();
    // SAFETY: `len` bytes of the message are mapped, and `copy` has room for as many.
    unsafe { message.as_ptr().copy_to_nonoverlapping(target, len) };
    Ok(())
}

fn add_up(receiver: &mut BytesReceiver) -> Result<u64, RecvError> {
    let message = receiver.recv()?;
    // SAFETY: the message is mapped, 16-aligned, and its sender leaves it alone until it is dropped.
    let words = unsafe { std::slice::from_raw_parts(message.as_ptr().cast(), message.len() / 8) };
    Ok(words.iter().fold(0, |sum: u64, word: &u64| sum.wrapping_add(*word)))
}

fn copy_in(sender: &mut BytesSender, words: &[u64]) -> Result<()> {
    // SAFETY: words are plain bytes.
    let bytes =
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), size_of_val(words)) };
    let mut claim = sender.claim(bytes.len())?;
    claim.write(0, bytes)?;
    claim.commit();
    Ok(())
}

fn build_in_place(sender: &mut BytesSender, size: usize, number: u64) -> Result<()> {
    let mut claim = sender.claim(size)?;
    // SAFETY: a claimed body is mapped and 16-aligned, holds initialised bytes (of an earlier
    // message, or zeroes), and nobody else touches it before the commit.
    let words = unsafe { std::slice::from_raw_parts_mut(claim.as_mut_ptr().cast(), size / 8) };
    fill(words, number);
    claim.commit();
    Ok(())
}

/// Nanoseconds for `count` messages, until the other side has added everything up.
fn round(
    count: u64,
    back: &mut Receiver<u64>,
    expected: impl Fn(u64) -> u64,
    mut send: impl FnMut(u64) -> Result<()>,
) -> Result<f64> {
    let start = Instant::now();
    (0..count).try_for_each(&mut send)?;
    let sum = back.recv_timeout(PATIENCE)?.to_native();
    let time = start.elapsed();
    let expected = (0..count).fold(0_u64, |sum, number| sum.wrapping_add(expected(number)));
    ensure!(sum == expected, "what arrived adds up to {sum} and not to {expected}");
    Ok(time.as_nanos() as f64)
}

fn bytes_per_second(times: Vec<f64>) -> f64 {
    (BLOCKS * BLOCK as u64) as f64 * 1e9 / median(times)
}

/// [`round`] by round: the nanoseconds of each but the first, which warms up.
fn rounds(
    count: u64,
    back: &mut Receiver<u64>,
    expected: impl Fn(u64) -> u64,
    mut send: impl FnMut(u64) -> Result<()>,
) -> Result<Vec<f64>> {
    round(count, back, &expected, &mut send)?;
    (0..ROUNDS).map(|_| round(count, back, &expected, &mut send)).collect()
}

/// Rounds of messages of `bytes`, of which the first and the last word are told apart.
fn marked_rounds(
    (bytes, count): (usize, u64),
    back: &mut Receiver<u64>,
    mut send: impl FnMut(&[u64]) -> Result<()>,
) -> Result<Vec<f64>> {
    let mut words = vec![0; bytes / 8];
    let last = words.len() - 1;
    let expected = |number| number + number + 1;
    rounds(count, back, expected, |number| {
        (words[0], words[last]) = (number, number + 1);
        send(&words)
    })
}

/// Nanoseconds of rounds of `count` messages of `bytes`, copied in and out.
fn copied_rounds(bytes: usize, count: u64) -> Result<Vec<f64>> {
    let peer = Peer::start(Role::Copy, bytes, count, Stdio::null())?;
    let mut sender = channel(&peer.domain, bytes).sender()?;
    let mut back = peer.domain.spsc::<u64>("back").receiver()?;
    let times = marked_rounds((bytes, count), &mut back, |words| copy_in(&mut sender, words))?;
    drop((sender, back));
    peer.finish()?;
    Ok(times)
}

/// Bytes a second, copied in and out.
pub(super) fn copied(_: &mut Lab) -> Result<Amount> {
    Ok(bytes_per_second(copied_rounds(BLOCK, BLOCKS)?).into())
}

/// Bytes a second, every word written to its place by one side and read there by the other.
pub(super) fn in_place(lab: &mut Lab) -> Result<Amount> {
    let rate = once(&mut lab.in_place, || {
        let peer = Peer::start(Role::Sum, BLOCK, BLOCKS, Stdio::null())?;
        let mut sender = channel(&peer.domain, BLOCK).sender()?;
        let mut back = peer.domain.spsc::<u64>("back").receiver()?;
        let expected = |number| sum_of(BLOCK as u64 / 8, number);
        let times = rounds(BLOCKS, &mut back, expected, |number| {
            build_in_place(&mut sender, BLOCK, number)
        })?;
        drop((sender, back));
        peer.finish()?;
        Ok(bytes_per_second(times))
    })?;
    Ok(rate.into())
}

/// Nanoseconds per megabyte, copied in and out: ours, then the guide's listing.
pub(super) fn beside_the_listing(_: &mut Lab) -> Result<Beside> {
    let ours = copied_rounds(MEGABYTE, MEGABYTES)?;

    let (mut listing, memory) = Listing::create(MEGABYTE)?;
    let peer = Peer::start(Role::Listing, MEGABYTE, MEGABYTES, memory.into())?;
    let mut back = peer.domain.spsc::<u64>("back").receiver()?;
    let theirs = marked_rounds((MEGABYTE, MEGABYTES), &mut back, |words| listing.send(words))?;
    listing.close()?;
    drop(back);
    peer.finish()?;
    let each = |times| median(times) / MEGABYTES as f64;
    Ok(Beside { ours: each(ours), other: each(theirs) })
}

/// How much dearer it may be to hand over a large message than a small one.
const SAME_COST: f64 = 2.0;

/// Whether handing over a message that was built in place costs the same however long it is.
pub(super) fn hand_over(_: &mut Lab) -> Result<Behaviour> {
    let [mut small, mut large] = [HandOver::of(64)?, HandOver::of(MEGABYTE)?];
    let (mut small_times, mut large_times) = (Vec::new(), Vec::new());
    for _ in 0..5 * ROUNDS {
        small_times.push(small.ns()?);
        large_times.push(large.ns()?);
    }
    let (small, large) = (median(small_times), median(large_times));
    Ok(Behaviour {
        holds: large <= SAME_COST * small,
        seen: format!("1 MB is handed over in {large:.1} ns, 64 B in {small:.1} ns"),
    })
}

/// Both sides of a channel whose messages are claimed and seen, but not touched.
struct HandOver {
    size: usize,
    sender: BytesSender,
    receiver: BytesReceiver,
}

impl HandOver {
    fn of(size: usize) -> Result<Self> {
        let asked = Spsc::<Bytes>::unnamed("hand-over").max_len(size).capacity(4);
        let segment = Arc::new(asked.segment()?);
        let given = || Spsc::<Bytes>::given(Arc::clone(&segment));
        Ok(Self { size, sender: given().sender()?, receiver: given().receiver()? })
    }

    /// Nanoseconds per message.
    fn ns(&mut self) -> Result<f64> {
        const MESSAGES: u64 = effort(20_000);
        let start = Instant::now();
        for _ in 0..MESSAGES {
            self.sender.claim(self.size)?.commit();
            black_box(self.receiver.poll()?.as_ptr());
        }
        Ok(start.elapsed().as_nanos() as f64 / MESSAGES as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_foreseen() {
        let mut words = [0; 100];
        fill(&mut words, 17);
        assert_eq!(words.iter().sum::<u64>(), sum_of(100, 17));
    }
}
