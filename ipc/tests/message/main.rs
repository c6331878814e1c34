//! Messages: what the derive makes of types, how descriptions are compared, and how values travel.

mod arguments;
mod body;
mod compare;
mod hostile;
mod round_trip;
mod schema;
mod types;
