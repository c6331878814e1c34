//! The operating system: the few calls that segments and endpoints are made of.
//!
//! | module | what lives there |
//! |---|---|
//! | [`bell`] | descriptors that another process makes readable, by an address in shared memory |
//! | [`lock`] | locks owned by an open file description, on bytes beyond the end of a file |
//! | [`mapping`] | a shared mapping that a forked child neither inherits nor unmaps |
//! | [`mod@file`] | unnamed files, names for them, memory files, preallocation, random bits |
//! | [`fork`] | noticing, at the price of one load, that this process is a forked child |
//! | [`process`] | what a process is called and whether it is paused |
//!
//! Everything here is Linux, and nothing above it makes a system call of its own, except for
//! looking at a file's metadata.
//!
//! `/proc` must be mounted, and `/proc/self/fd` this process's own: one that gave up privileges
//! without calling `exec` has to make itself dumpable again (`prctl(PR_SET_DUMPABLE, 1)`).

pub mod bell;
pub mod file;
pub mod fork;
pub mod lock;
pub mod mapping;
pub mod process;
