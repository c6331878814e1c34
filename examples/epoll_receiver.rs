//! Receives in an `epoll` loop, as one descriptor among others: the prices that `sleeping_sender` sends.

use rustix::event::epoll;
use strait::{Domain, RecvError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let domain = Domain::open("sleeping")?;
    let mut prices = domain.spsc::<f64>("prices").parking().receiver()?;

    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let token = epoll::EventData::new_u64(1);
    epoll::add(&epoll, prices.descriptor()?, token, epoll::EventFlags::IN)?;

    let mut events = Vec::with_capacity(16);
    loop {
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            assert_eq!(event.data.u64(), 1, "here the channel is the only source");
            // As with any descriptor: until there is nothing left.
            loop {
                match prices.try_recv() {
                    Ok(price) => println!("{}", *price),
                    Err(RecvError::Empty) => break,
                    Err(RecvError::Closed(_)) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}
