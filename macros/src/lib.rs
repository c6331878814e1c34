//! The macros of Strait. Use them through the crate `strait`, which re-exports them.
//!
//! | module | what lives there |
//! |---|---|
//! | `input` | what the derive was given: shape, options, and what it refuses |
//! | `plain` | structs and enums that are their own archive |
//! | `archive` | types archived by rkyv |
//! | `fields` | the parts of a schema that both have in common |
//! | `service` | traits that are called from other processes |

mod archive;
mod fields;
mod input;
mod plain;
mod service;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a type a message.
///
/// # Plain messages
///
/// A struct with `repr(C)` or `repr(transparent)`, or an enum without fields whose `repr` is an
/// integer. Its bytes are copied, and the receiver gets a reference to the type itself. It must be
/// `Copy`, hold only integers, floats, `bool`, `char`, arrays and other plain messages, have no
/// padding, and be aligned to at most 16 bytes. Derive nothing of rkyv: this derive implements its
/// traits, so that plain messages can also be parts of others.
///
/// ```
/// # use strait_macros::Message;
/// #[derive(Clone, Copy, Message)]
/// # #[message(crate = strait_ipc)]
/// #[repr(u8)]
/// enum Side {
///     Buy,
///     Sell,
/// }
///
/// #[derive(Clone, Copy, Message)]
/// # #[message(crate = strait_ipc)]
/// #[repr(C)]
/// struct Tick {
///     price: f64,
///     size: u32,
///     side: Side,
///     reserved: [u8; 3],
/// }
/// ```
///
/// Without `reserved` there would be padding, which is refused, because it would carry bytes of
/// the sender's memory to another process:
///
/// ```compile_fail,E0080
/// # use strait_macros::Message;
/// #[derive(Clone, Copy, Message)]
/// # #[message(crate = strait_ipc)]
/// #[repr(C)]
/// struct Tick {
///     price: f64,
///     size: u32,
/// }
/// ```
///
/// A plain message is `Copy`; this one is not:
///
/// ```compile_fail,E0277
/// # use strait_macros::Message;
/// #[derive(Message)]
/// # #[message(crate = strait_ipc)]
/// #[repr(C)]
/// struct Tick {
///     price: f64,
///     size: u64,
/// }
/// ```
///
/// # Archived messages
///
/// Every other type: structs with strings, vectors, boxes and options, and enums with data. Derive
/// rkyv's `Archive` and `Serialize` beside it. The receiver gets a reference to the archived type.
///
/// ```
/// # use strait_ipc::rkyv;
/// # use strait_macros::Message;
/// #[derive(rkyv::Archive, rkyv::Serialize, Message)]
/// # #[message(crate = strait_ipc)]
/// # #[rkyv(crate = rkyv)]
/// struct Order {
///     symbol: String,
///     quantities: Vec<u32>,
/// }
/// ```
///
/// Shared pointers do not cross a process boundary:
///
/// ```compile_fail,E0277
/// # use strait_ipc::rkyv;
/// # use strait_macros::Message;
/// #[derive(rkyv::Archive, rkyv::Serialize, Message)]
/// # #[message(crate = strait_ipc)]
/// # #[rkyv(crate = rkyv)]
/// struct Order {
///     symbol: std::rc::Rc<str>,
///     quantities: Vec<u32>,
/// }
/// ```
///
/// A type may hold vectors or boxes of itself; rkyv then wants its `omit_bounds` on such fields.
/// Two types that hold each other have an endless description, and do not compile.
///
/// # Options
///
/// - `#[message(archive)]`: archive by rkyv what would be plain by its `repr`.
/// - `#[message(crate = path)]`: where `message` and `rkyv` are found; `::strait` by default.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    input::Input::new(&input)
        .and_then(|input| if input.plain { plain::expand(&input) } else { archive::expand(&input) })
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes a trait a service, which is called the same way in this process and in another.
///
/// ```
/// use strait::service::{Archived, Results};
/// use strait::{Message, rkyv, service};
///
/// #[derive(Clone, Copy, Message)]
/// #[repr(C)]
/// struct Order {
///     price: i64,
///     quantity: u64,
/// }
///
/// #[derive(rkyv::Archive, rkyv::Serialize, Message)]
/// #[rkyv(crate = strait::rkyv)]
/// struct Note {
///     lines: Vec<String>,
/// }
///
/// #[service(name = "demo.Matcher", version = 1)]
/// trait Matcher {
///     #[method(1)]
///     fn submit(&self, order: &Order) -> Result<u64, String>;
///     #[method(2, oneway)]
///     fn cancel(&self, id: u64);
///     #[method(3)]
///     fn note(&self, book: u32, text: &str, note: &Archived<Note>) -> Note;
///     #[method(4)]
///     fn orders(&self, since: u64) -> Results<Order>;
/// }
///
/// fn call(matcher: &MatcherClient) -> Result<(), Box<dyn std::error::Error>> {
///     let first = matcher.submit(&Order { price: 100, quantity: 1 })?;
///     let note = matcher.note(7, "text", &Note { lines: vec!["a line".into()] })?;
///     println!("{first}, {} lines", note.lines.len());
///     for order in matcher.orders(first)? {
///         println!("{}", order?.price);
///     }
///     Ok(matcher.cancel(first)?)
/// }
/// ```
///
/// The trait stays what it is, to be implemented like any other; it is also `Send`, `Sync` and
/// `'static`, and `dyn Matcher` is a `strait::service::Service`. Beside it stand
///
/// - `MatcherClient`, with the same methods. They return `Result<Returned<T>, CallError<Returned<E>>>`:
///   plain results by value, others where they lie. What is taken as `&Archived<Note>` is passed as
///   `&Note`, and archived in its place.
/// - `MatcherCalls`, for calls that are waited for later: `client.start().submit(&order)?` gives a
///   `Pending`, and `client.batch(|calls| …)` makes several calls at once.
///
/// # Methods
///
/// - take `&self` and up to 8 arguments: plain messages (`T` or `&T`), `&str`, `&[T]` of plain
///   messages, and `&Archived<T>` for any message;
/// - return a message, nothing, `Result` of those with a message as error, or `Results<T>` for a
///   stream;
/// - have a number from 1 to 4000, which is what others know them by. New methods take new numbers,
///   and those that are removed leave theirs unused;
/// - are one-way if `oneway` stands beside the number: nobody waits for them, and they return nothing.
///
/// A message that is not plain is taken as its archive, here as `&Archived<Note>`:
///
/// ```compile_fail,E0277
/// # use strait::{Message, rkyv, service};
/// # #[derive(rkyv::Archive, rkyv::Serialize, Message)]
/// # #[rkyv(crate = strait::rkyv)]
/// # struct Note {
/// #     text: String,
/// # }
/// #[service(name = "demo.Notes", version = 1)]
/// trait Notes {
///     #[method(1)]
///     fn note(&self, note: &Note);
/// }
/// ```
///
/// # Options
///
/// - `name = "…"`: what the service is called, 1 to 64 letters, digits, `.`, `_` or `-`.
/// - `version = 1`: another one for methods that mean something else, though they take and return the
///   same. Others are told apart by themselves.
/// - `crate = path`: where `service`, `message` and `rkyv` are found; `::strait` by default.
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(options.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
