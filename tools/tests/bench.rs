//! `strait bench` as people and scripts run it. Rounds are tiny: what is checked is that everything
//! is measured and reported, not how fast it was.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Enough for one round of a debug build on a busy machine.
const TINY: [&str; 6] = ["--rounds", "1", "--round-ms", "2", "--max-time", "60"];

fn strait(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strait")).arg("bench").args(arguments).output().unwrap()
}

/// The JSON of a run, unless there are no two cores to run on.
fn json(arguments: &[&str]) -> Option<Value> {
    run(&[arguments, &TINY].concat())
}

fn run(arguments: &[&str]) -> Option<Value> {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        println!("skipped: two spinning processes need two cores");
        return None;
    }
    let output = strait(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("one JSON object"))
}

/// That `of` has a positive number under each of `keys`.
fn assert_positive(of: &Value, keys: &[&str]) {
    for key in keys {
        assert!(of[key].as_f64().is_some_and(|number| number > 0.0), "{key} in {of}");
    }
}

/// Checks what all benchmarks have in common, and the figures of everything that was measured.
fn check(outcome: &Value, bench: &str, size: u64, figures: &[&str], peers: &[&str]) {
    assert_eq!(outcome["bench"], bench);
    assert_eq!(outcome["size"], size);
    assert!(outcome["environment"].is_object());
    assert!(outcome["discarded_rounds"].is_u64());
    let rounds = outcome["rounds"].as_array().unwrap();
    for round in rounds {
        assert!(round["class"].is_string());
        assert_positive(round, &["raw_rtt_ns"]);
        assert_positive(round, figures);
        peers.iter().for_each(|peer| assert_positive(&round["peers"][peer], figures));
    }
    let by_class = outcome["by_class"].as_object().unwrap();
    let counted: u64 = by_class.values().map(|class| class["rounds"].as_u64().unwrap()).sum();
    assert_eq!(counted, rounds.len() as u64);
    assert!(counted > 0, "{outcome}");
    let ratios = ["ratio_to_raw", "ratio_low", "ratio_high"];
    for class in by_class.values() {
        assert_positive(class, &["raw_rtt_ns"]);
        assert_positive(class, figures);
        assert_positive(class, &ratios);
        for peer in peers {
            let peer = &class["peers"][peer];
            assert_positive(peer, figures);
            assert_positive(peer, &ratios);
            assert_positive(&peer["ours_to_peer"], &["median", "low", "high"]);
        }
    }
}

const LATENCY: [&str; 3] = ["p50_ns", "p99_ns", "p999_ns"];
const RATE: [&str; 2] = ["msgs_per_s", "bytes_per_s"];

#[test]
fn round_trips_stand_beside_the_yardstick_and_the_peer() {
    let Some(outcome) = json(&["rtt"]) else { return };
    check(&outcome, "rtt", 48, &LATENCY, &["raw", "line", "rtrb", "rtrb-chunks"]);
    let (_, class) = outcome["by_class"].as_object().unwrap().iter().next().unwrap();
    assert_positive(&class["tail"], &["samples", "p50_ns", "p9999_ns", "max_ns"]);
    assert_eq!(class["peers"]["raw"]["ratio_to_raw"], 1.0);
}

#[test]
fn calls_stand_beside_the_channel_and_the_yardstick() {
    let Some(outcome) = json(&["rtt", "--call"]) else { return };
    check(&outcome, "rtt", 48, &LATENCY, &["call", "raw", "line", "rtrb", "rtrb-chunks"]);
    let (_, class) = outcome["by_class"].as_object().unwrap().iter().next().unwrap();
    assert_positive(&class["peers"]["call"]["tail"], &["samples", "p50_ns", "p9999_ns", "max_ns"]);
}

#[test]
fn rich_messages_have_no_peer() {
    let Some(outcome) = json(&["rtt", "--type", "rich", "--size", "256"]) else { return };
    check(&outcome, "rtt", 256, &LATENCY, &["raw", "line"]);
    assert!(outcome["rounds"][0]["peers"]["rtrb"].is_null());
}

#[test]
fn an_open_loop_is_sent_at_half_of_saturation_or_at_the_rate_given() {
    let Some(outcome) = json(&["oneway"]) else { return };
    check(&outcome, "oneway", 48, &LATENCY, &["raw"]);
    assert_positive(&outcome["rounds"][0], &["sent_per_s"]);
    let Some(outcome) = json(&["oneway", "--rate", "50000"]) else { return };
    assert_eq!(outcome["rounds"][0]["sent_per_s"], 50_000.0);
}

#[test]
fn streams_of_all_kinds_of_messages_go_through() {
    let kinds: [(&[&str], u64); 4] = [
        (&[], 48),
        (&["--size", "8", "--dense", "--batch", "32"], 8),
        (&["--size", "1024", "--batch", "8"], 1024),
        (&["--size", "72"], 72),
    ];
    for (arguments, size) in kinds {
        let Some(outcome) = json(&[&["stream"], arguments].concat()) else { return };
        check(&outcome, "stream", size, &RATE, &["rtrb", "rtrb-chunks"]);
    }
    let Some(outcome) = json(&["stream", "--type", "rich", "--batch", "4"]) else { return };
    check(&outcome, "stream", 48, &RATE, &[]);
}

#[test]
fn long_messages_stand_beside_bare_memory() {
    for (arguments, size) in [
        (&["stream", "--size", "65536", "--batch", "2"][..], 65_536),
        (&["stream", "--size", "1048576"], 1 << 20),
        (&["stream", "--size", "2097216", "--batch", "2", "--parking"], 2_097_216),
        (&["rtt", "--size", "1048576"], 1 << 20),
    ] {
        let Some(outcome) = json(arguments) else { return };
        let figures: &[&str] = if arguments[0] == "rtt" { &LATENCY } else { &RATE };
        check(&outcome, arguments[0], size, figures, &["memory", "rtrb-chunks"]);
    }
    let Some(outcome) = json(&["stream", "--type", "rich", "--size", "1048640"]) else { return };
    check(&outcome, "stream", 1_048_640, &RATE, &[]);
}

const SLEEPERS: [&str; 7] =
    ["eventfd", "futex", "futex-timed", "pipe", "socket", "strait-adaptive", "strait-unsliced"];

#[test]
fn sides_that_sleep_are_measured_on_one_core_and_on_two() {
    let Some(outcome) = json(&["wake"]) else { return };
    check(&outcome, "wake", 48, &LATENCY, &SLEEPERS);
    let by_class = outcome["by_class"].as_object().unwrap();
    assert_eq!(by_class["same-core"]["peers"]["futex"]["ratio_to_raw"], 1.0);
    assert!(by_class.len() > 1, "a class of two cores as well: {by_class:?}");
}

#[test]
fn sides_that_sleep_can_be_measured_on_one_core_alone() {
    let core = rustix::thread::sched_getcpu().to_string();
    let output = strait(&[&["wake", "--cores", &format!("{core},{core}")], &TINY[..]].concat());
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("same-core: 1 rounds") && !table.contains("cross-core"), "{table}");
    assert!(SLEEPERS.iter().all(|name| table.contains(name)), "{table}");
}

#[test]
fn a_ring_for_sides_that_may_sleep_stands_beside_the_other() {
    let Some(outcome) = json(&["stream", "--parking", "--batch", "32"]) else { return };
    check(&outcome, "stream", 48, &RATE, &["rtrb", "rtrb-chunks", "strait-parking"]);
    for wait in ["busy-spin", "backoff", "yield", "park", "adaptive"] {
        let Some(outcome) = json(&["rtt", "--wait", wait, "--parking", "--pauses", "2"]) else {
            return;
        };
        check(&outcome, "rtt", 48, &LATENCY, &["raw", "line", "strait-parking"]);
        assert_eq!(outcome["waiting"]["wait"], wait);
    }
}

#[test]
fn a_class_that_does_not_come_is_waited_for_until_the_time_is_up() {
    let wanted = ["rtt", "--round-ms", "2", "--until", "unheard-of=1", "--max-time", "0.5"];
    let Some(outcome) = run(&wanted) else { return };
    assert_eq!(outcome["stopped"], "max-time");
}

#[test]
fn a_report_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let Some(_) = json(&["rtt", "--report", path]) else { return };
    assert!(Path::new(path).join("report.md").exists());
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_reason() {
    for (arguments, reason) in [
        (&["rtt", "--size", "12"][..], "multiple of 8"),
        (&["rtt", "--size", "64", "--dense"], "--size 8"),
        (&["rtt", "--type", "rich", "--size", "8"], "at least 48"),
        (&["rtt", "--cores", "0,0"], "two cores"),
        (&["oneway", "--rate", "0"], "between 1 and"),
        (&["stream", "--size", "1099511627776"], "ask for a smaller --size"),
        (&["stream", "--report", "x"], "no distribution"),
        (&["stream", "--batch", "2", "--wait", "park"], "batches are polled"),
        (&["rtt", "--call", "--size", "64"], "48 plain bytes"),
    ] {
        let output = strait(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
}

/// Channels of several receivers, the registry and calls: everything is measured, and every ratio has its
/// interval.
#[test]
fn between_threads() {
    for (bench, of, ratios) in [
        ("fanout", "publish, 64 readers", 5),
        ("latest", "get, Strait", 9),
        ("mpmc", "stream in batches, Strait", 9),
        ("registry", "look up by venue, among 1,000", 7),
        ("call", "shared, 48 B, 8 clients", 13),
        ("observed", "a look, processor time per channel", 3),
    ] {
        let tiny = ["--rounds", "2", "--count", "1024"];
        let Some(outcome) = run(&[&[bench], &tiny[..]].concat()) else { return };
        assert_eq!(outcome["bench"], bench);
        assert_positive(&outcome["nanoseconds"], &[of]);
        let found = outcome["ratios"].as_object().unwrap();
        assert_eq!(found.len(), ratios, "{found:?}");
        for ratio in found.values() {
            assert_positive(ratio, &["median", "low", "high"]);
        }
        let targets = outcome["targets"].as_array().map_or(0, Vec::len);
        assert_eq!(targets, if bench == "call" { 9 } else { 0 });
    }
}
