//! What is refused, and what is said to write instead.

use proc_macro2::TokenStream;
use syn::ItemTrait;

use super::input::Service;

/// Why a trait is no service.
fn refusal_of(options: &str, item: &str) -> String {
    let options: TokenStream = options.parse().unwrap();
    let item: ItemTrait = syn::parse_str(item).unwrap();
    match Service::new(options, &item) {
        Ok(_) => "nothing".to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

const OPTIONS: &str = r#"name = "test.Refused", version = 1"#;

/// Why a method is none of a service.
fn refusal(method: &str) -> String {
    refusal_of(OPTIONS, &format!("trait Refused {{ {method} }}"))
}

/// Why a method with number 1 is none of a service.
fn of_method(method: &str) -> String {
    refusal(&format!("#[method(1)] {method}"))
}

/// Why an argument is none.
fn of_argument(argument: &str) -> String {
    of_method(&format!("fn method(&self, {argument});"))
}

/// Why a result is none.
fn of_result(result: &str) -> String {
    of_method(&format!("fn method(&self) -> {result};"))
}

#[test]
fn what_is_refused_is_refused_for_a_reason() {
    for argument in [
        "a: u64",
        "a: Order",
        "a: &Order",
        "a: [u8; 4]",
        "a: &[u8; 4]",
        "a: &[Order]",
        "a: &str",
        "a: &Archived<Note>",
        "a: &rkyv::Archived<Vec<String>>",
        "r#type: &mine::Order",
    ] {
        assert_eq!(of_argument(argument), "nothing", "{argument}");
    }
    for result in [
        "()",
        "u64",
        "String",
        "Vec<Note>",
        "(u8, String)",
        "[u8; 4]",
        "Option<Note>",
        "Result<Ack, Refusal>",
        "Result<(), String>",
        "Results<Note>",
    ] {
        assert_eq!(of_result(result), "nothing", "{result}");
    }
    assert_eq!(refusal("#[method(4000, oneway)] fn method(&self);"), "nothing");
}

/// Each line is refused in these words.
fn all(refusal: fn(&str) -> String, words: &str, cases: &[&str]) {
    for case in cases {
        assert_eq!(refusal(case), words, "{case}");
    }
}

#[test]
fn arguments_are_read_where_they_lie() {
    let all = |words: &str, cases: &[&str]| all(of_argument, words, cases);
    all("text is read where it lies: write `&str`", &["a: String", "a: &String"]);
    all(
        "a vector is read where it lies: write `&[T]` if its elements are plain, or \
         `&Archived<Vec<T>>`",
        &["a: Vec<u8>", "a: &std::vec::Vec<u8>"],
    );
    all(
        "what may be of any length is read where it lies: write `&Archived<T>`",
        &["a: Archived<Note>", "a: Option<u64>", "a: &Option<u64>", "a: Box<u64>", "a: &Archived"],
    );
    all("a service changes nothing of its caller's: return what is new", &["a: &mut u64"]);
    all("an argument lives as long as the call: leave the lifetime out", &["a: &'static str"]);
    all("an argument has a name, by which differences between versions are told", &["_: u64"]);
    all(
        "a method of a service takes plain messages (`T` or `&T`), `&str`, `&[T]` and `&Archived<T>`",
        &[
            "a: &dyn Debug",
            "a: impl Debug",
            "a: (u8, u8)",
            "a: &(u8, u8)",
            "a: *const u8",
            "a: fn()",
        ],
    );
    all(
        "a method takes at most 8 arguments: put some of them into a message",
        &["a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8"],
    );
}

#[test]
fn results_are_messages() {
    let all = |words: &str, cases: &[&str]| all(of_result, words, cases);
    all(
        "a result is returned by value: it leaves the process of the service",
        &["&str", "Result<&Note, u64>", "Results<&Note>"],
    );
    all(
        "write the type itself: it is archived on its way to the caller, who reads it there",
        &["Archived<Note>", "Result<u64, Archived<Note>>"],
    );
    all(
        "write both types: `Result<T, E>`. The error is a message, as the result is",
        &["std::io::Result<u64>", "Result"],
    );
    all(
        "`Result` and `Results` do not stand within one another: put the error of a stream into its \
         items",
        &["Result<Results<u64>, u64>", "Results<Result<u64, u64>>", "Results"],
    );
    all(
        "a method of a service returns a message, `Result<T, E>`, nothing, or for several messages \
         one after another `Results<T>`",
        &["impl Iterator<Item = u64>", "Result<u64, ()>", "fn()", "[u8]"],
    );
}

#[test]
fn methods_can_be_called_by_others() {
    let all = |words: &str, cases: &[&str]| all(of_method, words, cases);
    all(
        "a method of a service takes `&self`: many call it at a time. What it changes is behind a \
         `Mutex`, or atomic",
        &["fn a(&mut self);", "fn a();", "fn a(self);", "fn a(b: u8);", "fn a(self: Box<Self>);"],
    );
    all(
        "a method of a service is not `async`: it is the caller who need not wait, by \
         `client.start()`",
        &["async fn a(&self);"],
    );
    all(
        "a method of a service has no parameters in `<>`: its arguments are of one type each",
        &["fn a<T>(&self, t: T);", "fn a<'a>(&'a self);", "fn a(&self) where Self: Sized;"],
    );
    all(
        "a method of a service has no body here: callers in other processes would not have it",
        &["fn a(&self) {}"],
    );
    all("expected a plain `fn`", &["unsafe fn a(&self);", "extern \"C\" fn a(&self);"]);
    all("`start` is a method that every client has: choose another name", &["fn start(&self);"]);
    let one_way = refusal("#[method(1, oneway)] fn a(&self) -> u64;");
    assert_eq!(one_way, "a one-way method returns nothing: nobody waits for it");
}

#[test]
fn methods_have_numbers() {
    let all = |words: &str, cases: &[&str]| all(refusal, words, cases);
    all(
        "a method of a service has a number, which stays when others come: `#[method(1)]`",
        &["fn a(&self);", "#[doc(hidden)] fn a(&self);"],
    );
    all(
        "methods have numbers from 1 to 4000",
        &[
            "#[method(0)] fn a(&self);",
            "#[method(4001)] fn a(&self);",
            "#[method(70000)] fn a(&self);",
        ],
    );
    all(
        "expected a number, such as `#[method(1)]` or `#[method(1, oneway)]`",
        &[
            "#[method] fn a(&self);",
            "#[method()] fn a(&self);",
            "#[method(one)] fn a(&self);",
            "#[method(1, async)] fn a(&self);",
            "#[method(1, both)] fn a(&self);",
            "#[method(1, oneway, twice)] fn a(&self);",
        ],
    );
    all(
        "method 1 is `a` already: give each method a number of its own, and never that of one that \
         was removed",
        &["#[method(1)] fn a(&self); #[method(1)] fn b(&self);"],
    );
    let many = (1..=91).map(|id| format!("#[method({id})] fn m{id}(&self);"));
    let words = "a service has at most 90 methods: make two services of it";
    assert_eq!(refusal(&many.collect::<String>()), words);
}

#[test]
fn a_service_has_a_name_and_methods() {
    let of_trait = |item: &str| refusal_of(OPTIONS, item);
    let method = "{ #[method(1)] fn a(&self); }";
    assert_eq!(
        of_trait(&format!("trait Generic<T> {method}")),
        "a service has no parameters: its name stands for one trait"
    );
    assert_eq!(
        of_trait(&format!("unsafe trait Unsafe {method}")),
        "a service is not `unsafe`: others call it too"
    );
    assert_eq!(of_trait("trait Empty {}"), "a service has at least one method");
    assert_eq!(of_trait("trait Typed { type T; }"), "a service has methods, and nothing else");

    let of_options = |options: &str| refusal_of(options, &format!("trait Named {method}"));
    let missing =
        "a service has a name and a version: `#[service(name = \"demo.Matcher\", version = 1)]`";
    assert_eq!(of_options("version = 1"), missing);
    assert_eq!(of_options(r#"name = "test.Named""#), missing);
    for name in ["", ".hidden", "no/path", "no name", &"x".repeat(65)] {
        assert_eq!(
            of_options(&format!("name = {name:?}, version = 1")),
            "a service's name is 1 to 64 letters, digits, `.`, `_` or `-`, not beginning with a dot"
        );
    }
    assert_eq!(
        of_options(r#"name = "test.Named", version = 1, sync"#),
        "expected `name`, `version` or `crate = path`"
    );
}
