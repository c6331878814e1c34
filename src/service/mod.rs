//! Services: a trait that is called the same way in this process and in another.
//!
//! [`#[service]`](macro@service) makes of a trait `Matcher` a client, `MatcherClient`, with the same
//! methods. Where the service is, the client's [`Binding`] says: in this process a call is a virtual
//! call, in another it goes through shared memory. What differs is told, not hidden: each method of
//! a client may fail for reasons of its own ([`CallError`]), and results that are not plain are read
//! where they lie ([`Reply`]), in either case.
//!
//! How a service is offered to others, and found: [`services`](crate::services).
//!
//! | module | what lives there |
//! |---|---|
//! | this one | [`Service`]: what the macro makes of a trait |
//! | [`binding`] | where a service is |
//! | [`caller`] | what generated clients are made of: calls, one by one or together |
//! | [`pending`] | a call that was made and not answered |
//! | [`stream`] | results that come one after another, as the caller has them |
//! | [`dispatch`] | what generated dispatchers are made of: from a request to its answer |
//! | [`streams`] | the same streams as the service has them |
//! | [`method`] | what a method takes and returns, in words; whether two sides agree |

pub mod binding;
pub mod caller;
pub mod dispatch;
pub mod method;
pub mod pending;
pub mod stream;
pub mod streams;

pub use binding::{Binding, Local};
pub use method::{Incompatible, Method};
pub use pending::Pending;
pub use strait_ipc::calls::{CallError, Delivered, Outcome, Reply, Returned};
pub use strait_ipc::rkyv::Archived;
pub use strait_macros::service;
pub use stream::{Results, Stream};
pub use streams::Streams;

use crate::registry::Interface;
use strait_ipc::calls::Request;
use strait_ipc::message::SchemaText;

/// A trait that is a service: `dyn Matcher`. Implemented by [`#[service]`](macro@service).
pub trait Service: Interface {
    /// Which version it is. Another one says that a method means something else, though it takes and
    /// returns the same; for a new method it need not be.
    const VERSION: u32;

    /// Its methods, in the order of their numbers.
    const METHODS: &'static [Method];

    /// The version, and each method's number and hash: what another process needs to know to find
    /// out whether it may call. At most 2048 bytes.
    const SUMMARY: &'static str = {
        let text: &'static SchemaText = const { &method::summary(Self::VERSION, Self::METHODS) };
        text.as_str()
    };

    /// Stands for the name and the summary: services with equal hashes are the same.
    const HASH: u64 = method::hash(&[Self::NAME, ";", Self::SUMMARY]);

    /// Calls the service wherever it is.
    type Client: From<Binding<Self>>;

    /// Answers a request from another process. `streams` are those of all who call this service.
    fn dispatch(&self, request: &mut Request<'_>, streams: &mut Streams);
}
