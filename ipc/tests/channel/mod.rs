//! What the tests of channels share.
//!
//! | module | what lives there |
//! |---|---|
//! | `place` | a directory for one test's channels, which it has the process for itself with |
//! | `actor` | child processes that are this very test binary, and patience that ends |
//! | `messages` | messages that can tell whether they arrived whole |
//! | `words` | writing a ring's words behind the back of its two sides |
//! | `text` | error texts without what differs from run to run |

// Each test binary uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod actor;
mod messages;
mod place;
mod text;
mod words;

pub use actor::{Actor, eventually, job, tell, wait_for_parent};
pub use messages::{Numbered, Order, Tick};
pub use place::Place;
pub use text::{redact, text};
pub use words::Words;

use std::time::Duration;

/// Long enough for anything that works.
pub const HANG: Duration = Duration::from_secs(30);

/// How long a wait lasts before it asks whether the peer's process still exists.
pub const SLICE: Duration = Duration::from_millis(2);
