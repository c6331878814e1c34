//! `strait list`, `strait inspect`, `strait top` and `strait clean` as their users run them: in a directory of
//! their own, beside processes that live, are paused, have closed, or were killed.

mod actor;
mod clean;
mod inspect;
mod list;
mod place;
mod top;

use strait::Message;

/// Plain, 16 bytes.
#[derive(Clone, Copy, Debug, Message)]
#[repr(C)]
struct Tick {
    price: f64,
    size: u64,
}

fn tick(size: u64) -> Tick {
    Tick { price: 100.25, size }
}
