//! The rows of the performance guide, in our words: what it claims, and how ours is measured.
//!
//! The letters follow the guide's chapters: A to D its figures, E to H deployment, code, services
//! and modules, I and J communication, K to M memory, threads and profiling, N to P tuning, practice
//! and monitoring, Q its three cases. A figure that is built gets its bound and its measurement here,
//! nowhere else.

use super::judge::Proof::{AtLeast, AtMost, Holds, NoWorse, Unbuilt};
use super::judge::Unit::{Bytes, BytesPerSecond, Calls, Cores, Nanoseconds, PerSecond};
use super::judge::{Amount, Figure, Proof, Row};
use super::lab::Lab;
use super::{
    behaviour, blocks, bulk, caching, callers, calls, codec, memory, pooled, registry, small,
    system, workers,
};
use anyhow::Result;

const US: f64 = 1e3;
const MB: f64 = 1e6;
const GB: f64 = 1e9;

const fn row(id: &'static str, what: &'static str, figures: &'static [Figure]) -> Row {
    Row { id, what, figures }
}

const fn built(part: &'static str, guide: &'static str, proof: Proof) -> Figure {
    Figure { part, guide, proof }
}

/// At most so many nanoseconds.
const fn within(
    part: &'static str,
    guide: &'static str,
    ns: f64,
    measure: fn(&mut Lab) -> Result<Amount>,
) -> Figure {
    built(part, guide, AtMost(ns, Nanoseconds, measure))
}

const fn unbuilt(part: &'static str, guide: &'static str) -> Figure {
    Figure { part, guide, proof: Unbuilt }
}

/// All of them, in the guide's order.
pub(super) const ROWS: &[Row] = &[
    // The guide's figures.
    row(
        "A1",
        "service call without data",
        &[
            within("in process", "5 ns", 5.0, calls::nothing_here),
            within("between processes", "50 µs", 50.0 * US, calls::nothing_there),
            unbuilt("remote", "5 ms"),
        ],
    ),
    row(
        "A2",
        "service call with 1 KB",
        &[
            within("in process", "10 ns", 10.0, calls::kilobyte_here),
            within("between processes", "60 µs", 60.0 * US, calls::kilobyte_there),
            unbuilt("remote", "6 ms"),
        ],
    ),
    row(
        "A3",
        "service call with 1 MB",
        &[
            within("in process", "500 ns", 500.0, calls::megabyte_here),
            within("between processes", "200 µs", 200.0 * US, calls::megabyte_there),
            unbuilt("remote", "15 ms"),
        ],
    ),
    row(
        "A4",
        "service call that works for a while",
        &[
            within("in process", "1 µs", US, calls::work_here),
            within("between processes", "100 µs", 100.0 * US, calls::work_there),
            unbuilt("remote", "10 ms"),
        ],
    ),
    row(
        "B1",
        "service calls per second",
        &[
            built("in process", "10 million", AtLeast(1e7, PerSecond, calls::rate_here)),
            built("between processes", "20,000", AtLeast(2e4, PerSecond, calls::rate_there)),
            unbuilt("remote", "200"),
        ],
    ),
    row(
        "B2",
        "data transfer",
        &[
            built("in process", "unlimited", Holds(bulk::hand_over)),
            built("between processes, copied", "1 GB/s", AtLeast(GB, BytesPerSecond, bulk::copied)),
            built(
                "between processes, in place",
                "1 GB/s",
                AtLeast(GB, BytesPerSecond, bulk::in_place),
            ),
            unbuilt("remote", "100 MB/s"),
        ],
    ),
    row(
        "B3",
        "calls in flight",
        &[
            built("in process", "10,000 or more", AtLeast(1e4, Calls, calls::in_flight_here)),
            built("between processes", "1,000", AtLeast(1e3, Calls, calls::in_flight_there)),
            unbuilt("remote", "100"),
        ],
    ),
    row(
        "C1",
        "module life",
        &[
            unbuilt("load", "1 to 10 ms"),
            unbuilt("start", "1 to 100 ms"),
            unbuilt("stop", "1 to 50 ms"),
        ],
    ),
    row(
        "C2",
        "registry",
        &[
            built(
                "registration",
                "50 ns, however many services",
                AtMost(50.0, Nanoseconds, registry::registration),
            ),
            built("look-up", "50 to 100 ns", AtMost(100.0, Nanoseconds, registry::look_up)),
            built("tracker told", "100 ns", AtMost(100.0, Nanoseconds, registry::tracker)),
        ],
    ),
    row(
        "D1",
        "memory of the core",
        &[
            built(
                "idle process",
                "about 10 MB",
                AtMost(10.0 * MB, Bytes, memory::idle_with_channel),
            ),
            unbuilt("service registry", "10 KB and 100 B per service"),
            unbuilt("event dispatcher", "4 KB and its threads"),
            unbuilt("module registry", "5 KB and 512 B per module"),
        ],
    ),
    row(
        "D2",
        "memory of a module",
        &[
            unbuilt("module", "512 B"),
            unbuilt("context", "256 B"),
            unbuilt("registration", "128 B"),
            unbuilt("manifest", "1 to 5 KB"),
        ],
    ),
    row(
        "D3",
        "memory in total",
        &[unbuilt("sum", "10 MB, 10 KB per module, 256 B per service, and the modules' data")],
    ),
    // Deployment, code, services, modules.
    row(
        "E1",
        "deployment models",
        &[
            unbuilt("single process", "without communication between processes"),
            unbuilt("hybrid", "trusted modules inside, untrusted ones outside"),
        ],
    ),
    row(
        "F1",
        "fewer module boundaries",
        &[
            within(
                "a boundary more, in process",
                "three modules made one, of calls of 5 ns",
                5.0,
                callers::boundaries_here,
            ),
            within(
                "a boundary more, through shared memory",
                "three modules made one, of calls of 50 µs",
                50.0 * US,
                callers::boundaries_shared,
            ),
        ],
    ),
    row(
        "F2",
        "cached services",
        &[
            built("look-up", "50 ns", AtMost(50.0, Nanoseconds, registry::look_up)),
            built(
                "call through the cache",
                "5 ns",
                AtMost(5.0, Nanoseconds, registry::cached_call),
            ),
        ],
    ),
    row(
        "F3",
        "moved, not copied",
        &[built("handles", "ownership moves", Holds(behaviour::moved_only))],
    ),
    row(
        "F4",
        "strings without needless allocations",
        &[built("message with strings", "one allocation", Holds(behaviour::strings_in_place))],
    ),
    row(
        "G1",
        "service ranking",
        &[built(
            "property",
            "`service.ranking` = \"1000\": the higher is preferred",
            Holds(registry::ranking),
        )],
    ),
    row(
        "G2",
        "filters at the registry",
        &[built("filter", "`(type=postgresql)`", Holds(registry::filter))],
    ),
    row(
        "G3",
        "pooled services",
        &[
            built("pool", "at most 100, reset on return", Holds(pooled::a_hundred)),
            built(
                "taken and returned, one thread",
                "a queue under a lock",
                NoWorse(Nanoseconds, pooled::alone),
            ),
            built(
                "taken and returned, two threads",
                "a queue under a lock",
                NoWorse(Nanoseconds, pooled::together),
            ),
        ],
    ),
    row(
        "G4",
        "N operations in one",
        &[
            built(
                "per message, batched against single",
                "one exchange for N messages",
                NoWorse(Nanoseconds, small::batches),
            ),
            built("calls of a batch", "one exchange for N calls", Holds(callers::all_or_nothing)),
            built(
                "per call, batched against single",
                "one exchange for N calls",
                NoWorse(Nanoseconds, calls::batches),
            ),
        ],
    ),
    row(
        "G5",
        "asynchronous calls",
        &[built("call", "a future, awaited later", Holds(callers::futures))],
    ),
    row("H1", "lazy initialisation", &[unbuilt("resource", "made on first use, once")]),
    row(
        "H2",
        "preloading",
        &[
            unbuilt("`modules.preload`", "core, cache, database"),
            unbuilt("`modules.lazy_load`", "reporting, analytics"),
        ],
    ),
    // Communication.
    row(
        "I1",
        "shared memory for large data",
        &[built(
            "1 MB, copied in and out",
            "one buffer, a flag and a yield",
            NoWorse(Nanoseconds, bulk::beside_the_listing),
        )],
    ),
    row("I2", "messages without copies", &[unbuilt("readers", "many readers share one message")]),
    row(
        "J1",
        "transports",
        &[
            within("shared memory, round trip", "10 µs", 10.0 * US, small::round_trip),
            built(
                "shared memory, throughput",
                "10 GB/s",
                AtLeast(10.0 * GB, BytesPerSecond, bulk::in_place),
            ),
            built(
                "shared memory, waiting",
                "low use of the processor, taken as half a core",
                AtMost(0.5, Cores, behaviour::waiting_cores),
            ),
            unbuilt("Unix socket", "50 µs, 1 GB/s, medium use of the processor"),
            unbuilt("named pipe", "100 µs, 500 MB/s, medium use of the processor"),
            unbuilt("gRPC", "5 ms, 100 MB/s, high use of the processor"),
        ],
    ),
    row(
        "J2",
        "transport settings",
        &[
            unbuilt(
                "`ipc.transports`",
                "default unix-socket, large_data shared-memory, remote grpc",
            ),
            unbuilt("`ipc.shared_memory`", "size_mb 100, num_buffers 10"),
            unbuilt("`ipc.unix_socket`", "buffer_size 65536, backlog 100"),
        ],
    ),
    row(
        "J3",
        "message formats",
        &[
            built(
                "written and read, against JSON",
                "slow",
                NoWorse(Nanoseconds, codec::beside_json),
            ),
            built(
                "written and read, against Protocol Buffers",
                "fast",
                NoWorse(Nanoseconds, codec::beside_protobuf),
            ),
            built(
                "size, against Protocol Buffers",
                "compact",
                NoWorse(Bytes, codec::size_beside_protobuf),
            ),
            built(
                "written, against FlatBuffers",
                "no figure",
                NoWorse(Nanoseconds, codec::writing_beside_flatbuffers),
            ),
            built(
                "read, against FlatBuffers",
                "no decoding",
                NoWorse(Nanoseconds, codec::reading_beside_flatbuffers),
            ),
        ],
    ),
    row(
        "J4",
        "batcher of small messages",
        &[
            built("by number", "100 messages in one exchange", Holds(behaviour::all_or_nothing)),
            unbuilt("by time", "sent after 10 ms at the latest"),
        ],
    ),
    // Memory, threads, profiling.
    row(
        "K1",
        "memory pool",
        &[
            built("pool", "chunks of 1,024 blocks, a list of free ones", Holds(blocks::chunks)),
            built(
                "taken and given back",
                "a list of free blocks",
                NoWorse(Nanoseconds, blocks::beside_the_list),
            ),
        ],
    ),
    row(
        "K2",
        "size classes",
        &[built("classes", "up to 64 B, 1 KB, 64 KB", Holds(blocks::classes))],
    ),
    row(
        "K3",
        "ownership",
        &[
            built("handles", "one owner where one will do", Holds(blocks::one_owner)),
            built("references", "weak ones break cycles", Holds(blocks::cycles)),
        ],
    ),
    row(
        "L1",
        "thread pool",
        &[built(
            "threads",
            "as many as cores, twice that for input and output",
            Holds(workers::sizes),
        )],
    ),
    row("L2", "lock-free queue", &[unbuilt("queue", "many producers, many consumers")]),
    row(
        "L3",
        "sharded cache",
        &[
            built("shards", "16, each with its lock", Holds(caching::shards)),
            built(
                "look-up",
                "a map under a reader-writer lock",
                NoWorse(Nanoseconds, caching::beside_the_maps),
            ),
        ],
    ),
    row("M1", "profiling", &[unbuilt("tools", "perf, flame graphs, Massif, AddressSanitizer")]),
    row(
        "M2",
        "profiler in the program",
        &[unbuilt("statistics", "count, mean, least and most per name")],
    ),
    // Tuning and practice.
    row(
        "N1",
        "settings",
        &[unbuilt(
            "`performance`",
            "service_cache_size 1000, service_cache_ttl_ms 60000, event_queue_size 10000, event_thread_pool_size 8, lazy_loading true, preload_modules core and cache",
        )],
    ),
    row(
        "N2",
        "compiler",
        &[unbuilt(
            "flags",
            "highest optimisation, native instructions, at link time, guided by profiles",
        )],
    ),
    row(
        "N3",
        "system",
        &[
            built(
                "network buffers",
                "rmem_max and wmem_max 134217728; tcp_rmem 4096 87380 134217728; tcp_wmem 4096 65536 134217728",
                Holds(system::network),
            ),
            built("files", "fs.file-max 2097152", Holds(system::files)),
            built(
                "shared memory",
                "shmmax 68719476736, shmall 4294967296",
                Holds(system::shared_memory),
            ),
            built("limits", "nofile 65536, nproc 32768", Holds(system::limits)),
        ],
    ),
    row("O1", "measure first", &[unbuilt("gate", "acts beyond a threshold only")]),
    row(
        "O2",
        "cached computations",
        &[built("cache", "computed once, read often", Holds(caching::once_for_all))],
    ),
    row(
        "O3",
        "batches as transactions",
        &[
            built("batch of messages", "all of it or nothing", Holds(behaviour::all_or_nothing)),
            built("batch of calls", "all of it or nothing", Holds(callers::all_or_nothing)),
        ],
    ),
    row(
        "O4",
        "fitting containers",
        &[unbuilt("choice", "linear below 100 entries, hashed or ordered above")],
    ),
    row(
        "P1",
        "metrics",
        &[unbuilt("gauges", "service_latency_ms and service_error_rate per service")],
    ),
    row(
        "P2",
        "alerts",
        &[
            unbuilt("HighServiceLatency", "over 100 ms for 5 minutes"),
            unbuilt("LowThroughput", "below 100 calls a second for 10 minutes"),
            unbuilt("HighMemoryUsage", "over 2 GB for 5 minutes"),
        ],
    ),
    // Cases.
    row("Q1", "trading", &[unbuilt("order to answer", "45 µs on average, from 500 µs")]),
    row(
        "Q2",
        "sensors",
        &[unbuilt("sustained", "1.2 million messages a second, in batches of 100, in 16 shards")],
    ),
    row("Q3", "video", &[unbuilt("start", "800 ms, from 5 s")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_guide_is_here_once_and_in_order() {
        let chapters = "A4 B3 C2 D3 E1 F4 G5 H2 I2 J4 K3 L3 M2 N3 O4 P2 Q3".split(' ');
        let expected = chapters.flat_map(|chapter| {
            let (letter, count) = chapter.split_at(1);
            let count: u32 = count.parse().unwrap();
            (1..=count).map(move |number| format!("{letter}{number}"))
        });
        let expected: Vec<String> = expected.collect();
        let found: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        assert_eq!(found, expected);
        assert!(ROWS.iter().all(|row| !row.figures.is_empty()));
    }
}
