//! Runs the unit tests that stand in the example's modules: `cargo test --test trading_modules`.

// Much is used by the program alone.
#![allow(dead_code)]

mod answers;
mod book;
mod broker;
mod builder;
mod channels;
mod clock;
mod day;
mod engine;
mod event;
mod feed;
mod input;
mod itch;
mod matcher;
mod recorder;
mod reference;
mod report;
mod summary;
mod trader;
