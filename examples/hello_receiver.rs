//! Prints the ticks that `hello_sender` sends, until it closes. Run the two in either order.

use strait::{Domain, Message, RecvError};

#[derive(Clone, Copy, Debug, Message)]
#[repr(C)]
struct Tick {
    price: f64,
    size: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("hello")?;
    let mut ticks = domain.spsc::<Tick>("ticks").receiver()?;
    loop {
        match ticks.recv() {
            Ok(tick) => println!("{} at {}", tick.size, tick.price),
            Err(RecvError::Closed(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
