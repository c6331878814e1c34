//! How far the cells of a ring were published.

use super::distance;
use crate::segment::codec::{Channel, Reader};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of cells that are read at once.
const CHUNK: u64 = 64 << 10;

/// The cells of one ring of a channel.
pub(super) struct Cells<'a> {
    file: &'a File,
    start: u64,
    stride: usize,
    capacity: u64,
}

impl<'a> Cells<'a> {
    /// Of the ring that begins at `ring` in the file.
    pub(super) fn new(file: &'a File, channel: &Channel, ring: u64) -> Self {
        let geometry = channel.geometry;
        let start = ring + geometry.cells_offset() as u64;
        Self { file, start, stride: geometry.stride(), capacity: geometry.capacity() }
    }

    /// The state of the cell of `position`.
    pub(super) fn state(&self, position: u64) -> io::Result<u64> {
        let mut states = Vec::new();
        self.states(position, 1, &mut states)?;
        Ok(states[0])
    }

    /// The first position from `next` on, `end` at the latest, of whose cell's state `published` says that
    /// its message is not there.
    ///
    /// If messages appear `in_order`, behind the first that is missing there is none: then few cells are
    /// read, however many there are. Else all up to that one.
    pub(super) fn first_missing(
        &self,
        next: u64,
        end: u64,
        in_order: bool,
        published: impl Fn(u64, u64) -> bool,
    ) -> io::Result<u64> {
        let total = distance(end, next);
        let there = |offset: u64| {
            let position = next.wrapping_add(offset);
            Ok::<_, io::Error>(published(position, self.state(position)?))
        };
        if !in_order {
            return self.walk(next, total, published);
        }
        // All below `known` are there, and that at `missing` is not.
        let (mut known, mut missing, mut step) = (0, total, 1);
        while known < missing {
            let probe = known + step.min(missing - known) - 1;
            if there(probe)? {
                known = probe + 1;
                step *= 2;
            } else {
                missing = probe;
                break;
            }
        }
        while known < missing {
            let probe = known + (missing - known) / 2;
            if there(probe)? { known = probe + 1 } else { missing = probe }
        }
        Ok(next.wrapping_add(known))
    }

    /// The same, cell by cell.
    fn walk(&self, next: u64, total: u64, published: impl Fn(u64, u64) -> bool) -> io::Result<u64> {
        // Often the first is missing.
        let (mut offset, mut wanted, mut states) = (0, 1, Vec::new());
        while offset < total {
            self.states(next.wrapping_add(offset), wanted.min(total - offset), &mut states)?;
            for &state in &states {
                let position = next.wrapping_add(offset);
                if !published(position, state) {
                    return Ok(position);
                }
                offset += 1;
            }
            wanted = wanted.saturating_mul(16);
        }
        Ok(next.wrapping_add(total))
    }

    /// The states of the cells from `position` on: at least one, at most `wanted`, as many as lie in
    /// one piece that is worth reading at once.
    fn states(&self, position: u64, wanted: u64, states: &mut Vec<u64>) -> io::Result<()> {
        let Self { stride, capacity, .. } = *self;
        let index = position & (capacity - 1);
        let count = wanted.min(capacity - index).min((CHUNK / stride as u64).max(1));
        // At most CHUNK, or one state.
        let cells = usize::try_from(count - 1).unwrap_or(0);
        let mut bytes = vec![0; cells * stride + size_of::<u64>()];
        self.file.read_exact_at(&mut bytes, self.start + index * stride as u64)?;
        states.clear();
        states.extend((0..=cells).map(|cell| Reader(&bytes).u64(cell * stride)));
        Ok(())
    }
}
