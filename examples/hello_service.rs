//! A service: a trait, who implements it, and who calls it, without knowing where it is.

use strait::{CallError, service};

#[service(name = "hello.Greeter", version = 1)]
trait Greeter {
    #[method(1)]
    fn greet(&self, name: &str) -> String;
}

struct Polite;

impl Greeter for Polite {
    fn greet(&self, name: &str) -> String {
        format!("Good morning, {name}.")
    }
}

fn main() -> Result<(), CallError> {
    let greeter = GreeterClient::local(Polite);
    println!("{}", greeter.greet("world")?);
    Ok(())
}
