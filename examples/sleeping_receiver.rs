//! Prints the prices that `sleeping_sender` sends, and sleeps until the next one comes.

use strait::{Domain, RecvError, Wait};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("sleeping")?;
    let mut prices = domain.spsc::<f64>("prices").wait(Wait::Park).receiver()?;
    loop {
        match prices.recv() {
            Ok(price) => println!("{}", *price),
            Err(RecvError::Closed(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
