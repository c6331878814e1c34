//! Whether two sides mean the same by a method.

use insta::assert_snapshot;
use strait::service::method::compare;
use strait::service::{Incompatible, Method, Service};

use crate::matcher::Matcher;

/// A service named `test.Desk` with these methods, in a module of its own.
macro_rules! desk {
    ($module:ident, $version:literal, Order { $($fields:tt)* } $($methods:tt)*) => {
        mod $module {
            #[allow(unused_imports, reason = "not every version has methods of every form")]
            use strait::service::{Archived, Results};

            #[derive(Clone, Copy, strait::Message)]
            #[repr(C)]
            pub(crate) struct Order { $($fields)* }

            #[strait::service(name = "test.Desk", version = $version, crate = strait)]
            pub(crate) trait Desk { $($methods)* }
        }
    };
}

desk! { base, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn submit(&self, order: &Order) -> Result<u64, String>;
    #[method(7, oneway)] fn cancel(&self, id: u64);
}
desk! { reordered, 1, Order { price: i64, quantity: u64 }
    #[method(7, oneway)] fn cancel(&self, id: u64);
    #[method(1)] fn submit(&self, order: Order) -> Result<u64, String>;
}
desk! { longer, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn submit(&self, order: &Order) -> Result<u64, String>;
    #[method(7, oneway)] fn cancel(&self, id: u64);
    #[method(2)] fn orders(&self, from: u64) -> Results<Order>;
}
desk! { moved, 1, Order { quantity: u64, price: i64 }
    #[method(1)] fn submit(&self, order: &Order) -> Result<u64, String>;
    #[method(7, oneway)] fn cancel(&self, id: u64);
}
desk! { retyped, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn submit(&self, order: &Order) -> Result<u64, String>;
    #[method(7, oneway)] fn cancel(&self, id: u32);
}
desk! { infallible, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn submit(&self, order: &Order) -> u64;
    #[method(7, oneway)] fn cancel(&self, id: u64);
}
desk! { awaited, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn submit(&self, order: &Order) -> Result<u64, String>;
    #[method(7)] fn cancel(&self, id: u64);
}
desk! { renamed, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn send(&self, order: &Order) -> Result<u64, String>;
    #[method(7, oneway)] fn cancel(&self, id: u64);
}
desk! { second, 2, Order { price: i64, quantity: u64 }
    #[method(1)] fn submit(&self, order: &Order) -> Result<u64, String>;
    #[method(7, oneway)] fn cancel(&self, id: u64);
}
desk! { rows, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn text(&self, text: &str, row: &[u64]);
}
desk! { archives, 1, Order { price: i64, quantity: u64 }
    #[method(1)] fn text(&self, text: &Archived<String>, row: &Archived<Vec<u64>>);
}

/// What a client of `C` says of a service `S`, which can be asked for its texts.
fn verdict<C: Service + ?Sized, S: Service + ?Sized>() -> String {
    let describe = |id| {
        let method = S::METHODS.iter().find(|method| method.id == id);
        method.map(|method| method.text.to_owned())
    };
    match compare::<C>(S::SUMMARY, describe) {
        Ok(()) => "they agree".to_owned(),
        Err(incompatible) => incompatible.to_string(),
    }
}

type Base = dyn base::Desk;

#[test]
fn methods_are_told_by_number_and_may_be_more() {
    assert_eq!(verdict::<Base, Base>(), "they agree");
    assert_eq!(verdict::<Base, dyn reordered::Desk>(), "they agree");
    assert_eq!(verdict::<Base, dyn longer::Desk>(), "they agree");
    assert_snapshot!(verdict::<dyn longer::Desk, Base>(), @"it has no method 2, `orders`: it is older than this program");
}

#[test]
fn a_difference_is_named() {
    assert_snapshot!(verdict::<Base, dyn moved::Desk>(), @"method 1, `submit`, is not the same: field `arguments.order.price` moved from offset 8 there to 0 here");
    assert_snapshot!(verdict::<Base, dyn retyped::Desk>(), @"method 7, `cancel`, is not the same: field `arguments.id` is `u64` here but `u32` there");
    assert_snapshot!(verdict::<Base, dyn infallible::Desk>(), @"method 1, `submit`, is not the same: variant `error` is missing there");
    assert_snapshot!(verdict::<Base, dyn awaited::Desk>(), @"method 7, `cancel`, is not the same: variant `none` is missing there");
    assert_snapshot!(verdict::<Base, dyn renamed::Desk>(), @"method 1, `submit`, is not the same: the message is `submit` here but `send` there");
    assert_snapshot!(verdict::<Base, dyn second::Desk>(), @"it is version 2 there, and 1 here");
    assert_snapshot!(verdict::<dyn rows::Desk, dyn archives::Desk>(), @"method 1, `text`, is not the same: field `arguments.text` is `utf8` here but `string` there");
    let silent = compare::<Base>(<dyn retyped::Desk as Service>::SUMMARY, |_| None);
    assert_snapshot!(silent.unwrap_err().to_string(), @"method 7, `cancel`, is not the same");
}

#[test]
fn summaries_come_from_anybody() {
    for text in ["", "1", "1;", "x;1:0", "1;1", "1;1:g", "1;70000:0", "-1;1:0", "1;1:0,,", "1;1:0;"]
    {
        let verdict = compare::<Base>(text, |_| panic!("nobody is asked"));
        assert_eq!(verdict, Err(Incompatible::Unreadable), "{text}");
    }
    // A text that differs where the hash does not, or is none: the hash decides.
    let differs = compare::<Base>("1;1:0", |_| Some("\u{1b}[31m".to_owned())).unwrap_err();
    assert_snapshot!(differs.to_string(), @"method 1, `submit`, is not the same: the schema there cannot be read from byte 0 on: the segment is damaged or foreign");
}

#[test]
fn descriptions_are_canonical() {
    let text = |id| {
        let method = <dyn Matcher>::METHODS.iter().find(|method: &&Method| method.id == id);
        method.map(|method| method.text)
    };
    assert_snapshot!(text(3).unwrap(), @"note<arguments=0{book:u32,text:utf8,note:Note{author:string@0,lines:[string]@8}#16/4}|result=1{0:Book{number:u32@0,title:option(string)@4,notes:[(string,u64)]@16}#24/4}>#0/1");
    assert_snapshot!(text(5).unwrap(), @"titles<arguments=0{count:u32,length:u32}|stream=1{0:Book{number:u32@0,title:option(string)@4,notes:[(string,u64)]@16}#24/4}>#0/1");
    assert_snapshot!(text(7).unwrap(), @"clear<arguments=0|result=1>#0/1");
    assert_snapshot!(text(8).unwrap(), @"total<arguments=0{quantities:[u32;0],sides:[Side<Buy=1|Sell=2>#1/1;0]}|result=1{0:u64}|error=2{0:string}>#0/1");
    assert_snapshot!(text(2).unwrap(), @"cancel<arguments=0{id:u64}|none=1>#0/1");
    assert_snapshot!(<Base as Service>::SUMMARY, @"1;1:17594a856d4111ca,7:d0d802b39e9ef44b");
    assert_eq!(<Base as Service>::HASH, <dyn reordered::Desk as Service>::HASH);
    assert_ne!(<Base as Service>::HASH, <dyn longer::Desk as Service>::HASH);
    assert_eq!(
        <dyn Matcher>::METHODS.last().map(|method| method.id),
        Some(strait_ipc::calls::MAX_METHOD)
    );
}
