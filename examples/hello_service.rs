//! A service: a trait, an implementation, and a caller that need not know where it is.

use std::sync::Mutex;
use strait::{Message, service};

#[derive(Clone, Copy, Message)]
#[repr(C)]
struct Order {
    price: i64,
    quantity: u64,
}

#[service(name = "hello.Matcher", version = 1)]
trait Matcher {
    /// Takes an order, and returns the number it is known by.
    #[method(1)]
    fn submit(&self, order: &Order) -> u64;
}

struct Book(Mutex<Vec<Order>>);

impl Matcher for Book {
    fn submit(&self, order: &Order) -> u64 {
        let mut orders = self.0.lock().unwrap();
        orders.push(*order);
        orders.len() as u64
    }
}

fn main() -> Result<(), strait::CallError> {
    let matcher = MatcherClient::local(Book(Mutex::default()));
    println!("order {}", matcher.submit(&Order { price: 10_025, quantity: 100 })?);
    Ok(())
}
