//! Sends ten prices, one every ten milliseconds, to one of the receivers that sleep in between:
//! `sleeping_receiver`, `epoll_receiver`, `wait_set_receiver` or `tokio_receiver`.

use std::{thread, time::Duration};
use strait::{Domain, Wait};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("sleeping")?;
    let mut prices = domain.spsc::<f64>("prices").wait(Wait::Park).sender()?;
    for price in 0..10 {
        prices.send(&f64::from(price))?;
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
