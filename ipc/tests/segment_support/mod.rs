//! What the tests of segments and endpoints share: child processes and a directory, and a small
//! segment in it.

// Each test binary uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub)]

#[path = "../child/mod.rs"]
mod child;

pub use child::{Actor, HANG, Place, eventually, job, tell, wait_for_parent};

use strait_ipc::ring::geometry::{CellFormat, Geometry};
use strait_ipc::segment::{ChannelSpec, Segment, SegmentName, SegmentSpec};
use strait_pools::sync::AtomicU64;

impl Place {
    pub fn open_or_create(&self) -> Segment {
        let spec = SegmentSpec { channels: &[channel()] };
        Segment::open_or_create(&self.directory, &name(), &spec, Default::default()).unwrap()
    }
}

pub fn name() -> SegmentName {
    SegmentName::new("test", "orders").unwrap()
}

pub fn channel() -> ChannelSpec<'static> {
    ChannelSpec {
        label: "orders",
        geometry: Geometry::new(16, CellFormat::Wide { bytes: 64 }).unwrap(),
        fingerprint: 0x9f3c << 64 | 0x11ab,
        schema: "struct Order { id: u64 }",
    }
}

/// A word of the first channel's ring.
pub fn word(segment: &Segment) -> &AtomicU64 {
    let region = segment.channel(0).unwrap().producer_region();
    let pointer = region.get::<AtomicU64>(256).unwrap();
    // SAFETY: inside the mapping, which the result borrows; other processes use atomics, too.
    unsafe { pointer.as_ref() }
}

/// Replaces each run of digits that follows `before` with `[n]`.
pub fn redact_number(text: &str, before: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(before) {
        result.push_str(head);
        result.push_str(before);
        rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() < tail.len() {
            result.push_str("[n]");
        }
    }
    result + rest
}
