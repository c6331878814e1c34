//! One wait for a channel, a timer and a deadline: the prices that `sleeping_sender` sends, a clock that
//! strikes, and a warning if no price comes for a while.

use std::time::Duration;
use strait::{Domain, Event, RecvError, WaitSet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("sleeping")?;
    let mut receiver = domain.spsc::<f64>("prices").parking().receiver()?;

    let set = WaitSet::new()?;
    let prices = set.attach(&mut receiver)?;
    set.set_deadline(prices, Some(Duration::from_millis(50)));
    let clock = set.attach_timer(Duration::from_millis(25))?;

    let mut events = Vec::new();
    loop {
        set.wait(&mut events, None)?;
        for event in &events {
            match *event {
                // A bounded number: if there are more, the next wait says so, and others have their turn.
                Event::Ready(key) if key == prices => {
                    match receiver.drain(8, |price| println!("{price}")) {
                        Ok(_) | Err(RecvError::Empty) => {}
                        Err(RecvError::Closed(_)) => return Ok(()),
                        Err(error) => return Err(error.into()),
                    }
                }
                Event::Timer(key) if key == clock => println!("25 ms have passed"),
                Event::Missed(_) => println!("no price for 50 ms"),
                Event::Ready(_) | Event::Timer(_) => unreachable!("nothing else is attached"),
            }
        }
    }
}
