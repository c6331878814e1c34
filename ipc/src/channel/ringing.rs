//! Ringing the bell of a side that waits for its descriptor.

use crate::ring::layout::WaitLine;
use crate::ring::parking::Ringer;
use crate::system::bell::Rope;
use strait_pools::sync::Ordering::Relaxed;

/// A way to ring that remembers the rope.
pub(super) fn ringer() -> Ringer {
    let mut rope = None;
    Ringer::new(move |line| ring(&mut rope, line))
}

/// Rings the bell whose key stands in the line, by this rope if it is that bell's. A bell that cannot be
/// reached has a clock beside it.
pub(super) fn ring(rope: &mut Option<Rope>, line: &WaitLine) {
    let key = line.bell.load(Relaxed);
    if rope.as_ref().is_none_or(|rope| rope.key() != key) {
        *rope = if key == 0 { None } else { Rope::new(key).ok() };
    }
    if let Some(rope) = rope {
        rope.pull();
    }
}
