//! What the tests of channels share.
//!
//! | module | what lives there |
//! |---|---|
//! | `child` | child processes, the directory in which they and the test meet, patience that ends |
//! | `place` | channels in that directory |
//! | `messages` | messages that can tell whether they arrived whole |
//! | `words` | writing a ring's words behind the back of its two sides |
//! | `text` | error texts without what differs from run to run |

// Each test binary uses a part of it.
#![allow(dead_code, unused_imports, unreachable_pub)]

#[path = "../child/mod.rs"]
mod child;
mod messages;
mod place;
mod text;
mod words;

pub use child::{Actor, HANG, Place, eventually, job, tell, wait_for_parent};
pub use messages::{Numbered, Order, Tick};
pub use text::{redact, text};
pub use words::Words;

use std::time::Duration;

/// How long a wait lasts before it asks whether the peer's process still exists.
pub const SLICE: Duration = Duration::from_millis(2);
