//! Awaits the prices that `sleeping_sender` sends, beside a tick of tokio's own.

use std::time::Duration;
use strait::{AsyncReceiver, Domain, RecvError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("sleeping")?;
    let mut prices = AsyncReceiver::tokio(domain.spsc::<f64>("prices").parking().receiver()?)?;
    let mut tick = tokio::time::interval(Duration::from_millis(25));
    loop {
        tokio::select! {
            _ = tick.tick() => println!("tick"),
            price = prices.recv() => match price {
                Ok(price) => println!("{}", *price),
                Err(RecvError::Closed(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            },
        }
    }
}
