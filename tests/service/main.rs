//! Services: the macro, and what callers may rely on, wherever the service is.

mod agree;
mod conformance;
mod local;
mod matcher;
mod shared;
