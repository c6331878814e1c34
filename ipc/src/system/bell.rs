//! Bells: datagram sockets whose address is a random number, and which carry no data.
//!
//! The addresses are abstract: they are no files, and are gone with the process however that ends. They
//! belong to a network namespace. Anybody in it may ring a bell; whoever is woken for nothing looks,
//! and waits again.

use super::file::random_u128;
use rustix::event::epoll;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    recv, send, socket_with,
};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

fn address(key: u64) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(format!("strait-bell-{key:016x}").as_bytes())?)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?)
}

/// What leads to a bell, from any process.
#[derive(Debug)]
pub struct Rope {
    socket: OwnedFd,
    key: u64,
}

impl Rope {
    /// The rope of the bell with this key. Fails if there is no such bell, or none in this network
    /// namespace.
    pub fn new(key: u64) -> io::Result<Self> {
        let socket = socket()?;
        connect(&socket, &address(key)?)?;
        Ok(Self { socket, key })
    }

    /// The bell's key.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Rings. That the bell is gone, or has not been heard yet, is no concern of whoever rings.
    pub fn pull(&self) {
        let _ = send(&self.socket, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}

/// A descriptor that is readable once somebody has rung.
#[derive(Debug)]
pub struct Bell {
    socket: OwnedFd,
    key: u64,
    /// Made for those who ask for one descriptor that tells of both.
    ticking: Option<Ticking>,
}

/// The bell, and a clock that strikes once per slice.
#[derive(Debug)]
struct Ticking {
    both: OwnedFd,
    clock: OwnedFd,
    slice: Duration,
    /// Not before this moment does it strike; `None`: never.
    strikes: Option<Instant>,
}

impl Bell {
    /// A new bell, which has been rung.
    pub fn new() -> io::Result<Self> {
        // Part of a random number: no other bell has it.
        #[allow(clippy::cast_possible_truncation)]
        let key = (random_u128()? as u64).max(1);
        let socket = socket()?;
        bind(&socket, &address(key)?)?;
        Rope::new(key)?.pull();
        Ok(Self { socket, key, ticking: None })
    }

    /// What leads to it; never 0.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Readable once somebody has rung, until it is [hushed](Bell::hush).
    pub fn rung(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Readable once somebody has rung or a slice is over, until it is [hushed](Bell::hush).
    pub fn ticking(&mut self, slice: Duration) -> io::Result<BorrowedFd<'_>> {
        let ticking = match self.ticking.take() {
            Some(ticking) => ticking,
            None => Ticking::new(&self.socket, slice)?,
        };
        Ok(self.ticking.insert(ticking).both.as_fd())
    }

    /// Makes the descriptor unreadable; whether the clock had struck.
    pub fn hush(&mut self) -> bool {
        // Nothing there, if nobody has rung; what else could fail does not.
        let _ = recv(&self.socket, &mut [0; 1], RecvFlags::DONTWAIT);
        match &mut self.ticking {
            Some(ticking) => ticking.hush(),
            None => false,
        }
    }
}

impl Ticking {
    fn new(bell: &OwnedFd, slice: Duration) -> io::Result<Self> {
        let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let clock = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        for source in [bell, &clock] {
            epoll::add(&both, source, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        let mut ticking = Self { both, clock, slice, strikes: None };
        ticking.wind()?;
        Ok(ticking)
    }

    /// Has the clock strike a slice from now, and not before.
    fn wind(&mut self) -> io::Result<()> {
        // A slice that the kernel cannot hold never ends.
        let Ok(time) = Timespec::try_from(self.slice.max(Duration::from_nanos(1))) else {
            return Ok(());
        };
        // Read first: when the clock has struck, this moment is past.
        self.strikes = Instant::now().checked_add(self.slice);
        let setting = Itimerspec { it_interval: Timespec::default(), it_value: time };
        timerfd_settime(&self.clock, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }

    fn hush(&mut self) -> bool {
        let struck = self.strikes.is_some_and(|moment| Instant::now() >= moment);
        if struck {
            // Fails only for times that the kernel cannot hold, and it has held this one.
            let _ = self.wind();
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    fn readable(fd: BorrowedFd<'_>, within: Duration) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::try_from(within).unwrap())).unwrap() == 1
    }

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_bell_is_readable_from_ring_to_hush() {
        let mut bell = Bell::new().unwrap();
        assert!(readable(bell.rung(), NOW), "a new one has been rung");
        bell.hush();
        assert!(!readable(bell.rung(), NOW));
        let rope = Rope::new(bell.key()).unwrap();
        assert_eq!(rope.key(), bell.key());
        rope.pull();
        assert!(readable(bell.rung(), NOW));
        bell.hush();
        assert!(!readable(bell.rung(), NOW));
        // However often it is rung, who rings does not wait.
        for _ in 0..1000 {
            rope.pull();
        }
        drop(bell);
        rope.pull();
        assert!(Rope::new(rope.key()).is_err(), "there is no such bell any more");
    }

    #[test]
    fn the_clock_strikes_once_a_slice() {
        let mut bell = Bell::new().unwrap();
        bell.ticking(Duration::from_millis(2)).unwrap();
        bell.hush();
        for _ in 0..3 {
            assert!(readable(bell.ticking(NOW).unwrap(), LONG));
            assert!(bell.hush(), "nobody has rung");
        }
        Rope::new(bell.key()).unwrap().pull();
        assert!(readable(bell.ticking(NOW).unwrap(), LONG));
    }

    #[test]
    fn without_slices_the_clock_never_strikes() {
        let mut bell = Bell::new().unwrap();
        bell.ticking(Duration::MAX).unwrap();
        assert!(!bell.hush());
        assert!(!readable(bell.ticking(NOW).unwrap(), Duration::from_millis(5)));
    }
}
