//! Latest values, beside a sequence lock as textbooks have it, and locks of the standard library.

use super::{Body, Ratio, Row};
use crate::bench::clock::{self, Clock, ticks};
use anyhow::{Result, anyhow, bail};
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, RwLock};
use strait_ipc::channel::latest::ReadError;
use strait_ipc::channel::{Latest, LatestReader, LatestWriter};

pub(super) const RATIOS: &[Ratio] = &[
    ("set, Strait", "set, sequence lock"),
    ("set, Strait", "set, Mutex"),
    ("set, Strait", "set, RwLock"),
    ("get, Strait", "get, sequence lock"),
    ("get, Strait", "get, Mutex"),
    ("get, Strait", "get, RwLock"),
    ("get while it is set, Strait", "get while it is set, sequence lock"),
    ("get while it is set, Strait", "get while it is set, Mutex"),
    ("get while it is set, Strait", "get while it is set, RwLock"),
];

/// Names of what is measured of one subject.
type Names = [&'static str; 3];

pub(super) fn round(count: u64, far: usize, clock: Clock) -> Result<Row> {
    let segment = Arc::new(Latest::<Body>::unnamed("bench").keys(1).segment()?);
    let open = || Latest::<Body>::given(Arc::clone(&segment));
    let mut row = Row::new();
    let names = ["set, Strait", "get, Strait", "get while it is set, Strait"];
    row.extend(measure(names, open().writer()?, open().reader()?, count, far, clock)?);
    let lock = Arc::new(SequenceLock::default());
    let names = ["set, sequence lock", "get, sequence lock", "get while it is set, sequence lock"];
    row.extend(measure(names, Arc::clone(&lock), lock, count, far, clock)?);
    let lock = Arc::new(Mutex::new(Body::of(0)));
    let names = ["set, Mutex", "get, Mutex", "get while it is set, Mutex"];
    row.extend(measure(names, Arc::clone(&lock), lock, count, far, clock)?);
    let lock = Arc::new(RwLock::new(Body::of(0)));
    let names = ["set, RwLock", "get, RwLock", "get while it is set, RwLock"];
    row.extend(measure(names, Arc::clone(&lock), lock, count, far, clock)?);
    Ok(row)
}

trait Set {
    fn set(&mut self, body: &Body) -> Result<()>;
}

trait Get {
    /// The number of the value there is.
    fn get(&mut self) -> Result<u64>;
}

/// Sets and gets alone, on one core; then gets on another core while values are set without end.
fn measure(
    [set, get, shared]: Names,
    mut writer: impl Set + Send,
    mut reader: impl Get + Send,
    count: u64,
    far: usize,
    clock: Clock,
) -> Result<[(&'static str, f64); 3]> {
    let per = |ticks: u64| clock.ns(ticks) / count as f64;
    let began = ticks();
    for number in 0..count {
        writer.set(black_box(&Body::of(number)))?;
    }
    let setting = per(ticks() - began);
    let began = ticks();
    for _ in 0..count {
        assert_eq!(reader.get()?, count - 1);
    }
    let getting = per(ticks() - began);
    let stop = AtomicBool::new(false);
    let shared_getting = std::thread::scope(|scope| -> Result<f64> {
        let stop = &stop;
        let reading = scope.spawn(move || -> Result<u64> {
            let mut read = || -> Result<u64> {
                clock::pin(far)?;
                let began = ticks();
                let mut last = 0;
                for _ in 0..count {
                    let now = reader.get()?;
                    assert!(now >= last, "back in time");
                    last = now;
                }
                Ok(ticks() - began)
            };
            let read = read();
            stop.store(true, Ordering::Relaxed);
            read
        });
        for number in count.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            writer.set(&Body::of(number))?;
        }
        Ok(per(reading.join().map_err(|_| anyhow!("the reader panicked"))??))
    })?;
    Ok([(set, setting), (get, getting), (shared, shared_getting)])
}

impl Set for LatestWriter<Body> {
    #[inline(always)]
    fn set(&mut self, body: &Body) -> Result<()> {
        LatestWriter::set(self, 0, body)?;
        Ok(())
    }
}

impl Get for LatestReader<Body> {
    #[inline(always)]
    fn get(&mut self) -> Result<u64> {
        loop {
            match LatestReader::get(self, 0) {
                Ok(Some(value)) => return Ok(value.number()),
                Err(ReadError::Contended) => {}
                Ok(None) => bail!("no value"),
                Err(other) => return Err(other.into()),
            }
        }
    }
}

/// As Boehm has it: a sequence that is odd while the words change.
#[derive(Default)]
#[repr(align(128))]
struct SequenceLock {
    sequence: AtomicU64,
    words: [AtomicU64; 6],
}

impl Set for Arc<SequenceLock> {
    #[inline(always)]
    fn set(&mut self, body: &Body) -> Result<()> {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(body.words) {
            word.store(value, Ordering::Relaxed);
        }
        self.sequence.store(sequence + 2, Ordering::Release);
        Ok(())
    }
}

impl Get for Arc<SequenceLock> {
    #[inline(always)]
    fn get(&mut self) -> Result<u64> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let words = std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return Ok(Body { words }.number());
            }
            spin_loop();
        }
    }
}

impl Set for Arc<Mutex<Body>> {
    fn set(&mut self, body: &Body) -> Result<()> {
        *self.lock().map_err(|_| anyhow!("poisoned"))? = *body;
        Ok(())
    }
}

impl Get for Arc<Mutex<Body>> {
    fn get(&mut self) -> Result<u64> {
        Ok(self.lock().map_err(|_| anyhow!("poisoned"))?.number())
    }
}

impl Set for Arc<RwLock<Body>> {
    fn set(&mut self, body: &Body) -> Result<()> {
        *self.write().map_err(|_| anyhow!("poisoned"))? = *body;
        Ok(())
    }
}

impl Get for Arc<RwLock<Body>> {
    fn get(&mut self) -> Result<u64> {
        Ok(self.read().map_err(|_| anyhow!("poisoned"))?.number())
    }
}
