//! A service, and a caller to whom it makes no difference where that is: `hello_service` has both in one
//! process; `hello_service serve` answers one call of `hello_service call`.

use std::{sync::Arc, time::Duration};
use strait::{Domain, props, service};

#[service(name = "hello.Greeter", version = 1)]
trait Greeter {
    #[method(1)]
    fn greet(&self, name: &str) -> String;
}

struct Polite;

impl Greeter for Polite {
    fn greet(&self, name: &str) -> String {
        format!("Good morning, {name}!")
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let services = Domain::open("hello-service")?.services()?;
    let role = std::env::args().nth(1);
    if role.as_deref() == Some("serve") {
        let mut greeter = services.serve::<dyn Greeter>(Arc::new(Polite), props! {}).open()?;
        while !greeter.serve(None)? {}
        return Ok(());
    }
    let here = || services.register::<dyn Greeter>("polite", Arc::new(Polite), props! {});
    let _registered = role.is_none().then(here);
    let greeter = services.wait_for::<dyn Greeter>(None, Duration::from_secs(10))?;
    println!("{}", *greeter.greet("world")?);
    Ok(())
}
