//! Services of this process.

mod filter;
mod properties;

pub use filter::{Filter, FilterError, Found, MAX_DEPTH};
pub use properties::{MAX_BYTES, MAX_KEY, Properties, PropertyError, Value, check_keys};
