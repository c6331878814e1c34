//! Strait's ground floor: what rings and pools are made of, and nothing that knows what a ring is.
//!
//! | module | what lives there |
//! |---|---|
//! | [`sync`] | atomics, fences and futexes: std in production, loom in models, counted in budget tests |
//! | [`placement`] | where shared words live: mapped memory or the heap, behind one trait |
//! | [`region`] | a bounds-checked window onto mapped bytes |
//! | [`snapshot`] | values that are read without waiting while they are replaced |
//! | [`objects`] | a bounded pool of service objects |
//! | `cache` | with the feature `cache`: a sharded cache that computes what it does not have, once |
//! | [`threads`] | pinned threads with a mailbox, and pools of workers |
//! | [`marks`] | numbered steps at which a process may die |
//! | [`pool`] | memory pools of one process: objects, size classes, arenas |
//! | [`environment`] | liveness of a peer, the clock, and how long a wait may last before it looks around |
//!
//! Platform: Linux on little-endian 64-bit machines (x86-64, aarch64).

#[cfg(not(all(target_os = "linux", target_endian = "little", target_pointer_width = "64")))]
compile_error!("strait needs Linux on a little-endian 64-bit machine (x86-64 or aarch64)");

#[cfg(feature = "cache")]
pub mod cache;
pub mod environment;
pub mod marks;
pub mod objects;
pub mod placement;
pub mod pool;
pub mod region;
pub mod snapshot;
pub mod sync;
pub mod threads;
