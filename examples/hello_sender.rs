//! Sends ten ticks to whoever receives `ticks`. Run it beside `hello_receiver`, in either order.

use strait::{Domain, Message};

#[derive(Clone, Copy, Debug, Message)]
#[repr(C)]
struct Tick {
    price: f64,
    size: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("hello")?;
    let mut ticks = domain.spsc::<Tick>("ticks").sender()?;
    for size in 1..=10 {
        ticks.send(&Tick { price: 100.25, size })?;
    }
    Ok(())
}
