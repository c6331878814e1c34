//! The trading example as its users run it: several real processes, judged by what they print.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The example's program, which cargo builds beside the tests (not when only this test is named).
fn trading() -> Command {
    let test = std::env::current_exe().expect("a test knows its program");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/test");
    let program = profile.join("examples").join("trading");
    assert!(program.exists(), "build it first: cargo build --example trading ({program:?})");
    Command::new(program)
}

fn run(arguments: &[&str]) -> Output {
    trading().args(arguments).output().expect("the example starts")
}

fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn total(by_type: &Value) -> u64 {
    by_type.as_object().expect("an object").values().map(|n| n.as_u64().expect("a count")).sum()
}

/// Names in `/dev/shm` that contain `part`.
fn segments(part: &str) -> Vec<PathBuf> {
    let files = fs::read_dir("/dev/shm").expect("/dev/shm is there");
    let paths = files.map(|file| file.expect("its entries can be read").path());
    paths.filter(|path| path.to_string_lossy().contains(part)).collect()
}

#[test]
fn a_short_day_arrives_whole_and_the_books_agree() {
    let report = report(&run(&["--messages", "20000", "--json"]));
    assert_eq!(report["messages"], 20_000);
    assert_eq!(total(&report["by_type"]), 20_000);
    // What the generator always writes, whatever the seed.
    let by_type = &report["by_type"];
    assert_eq!((&by_type["S"], &by_type["R"], &by_type["H"]), (&6.into(), &64.into(), &64.into()));
    for letter in ["A", "F", "E", "C", "X", "D", "U", "P"] {
        assert!(by_type[letter].as_u64() > Some(0), "no {letter} in {by_type}");
    }
    for nothing in ["lost", "repeated", "torn", "unknown_orders"] {
        assert_eq!(report[nothing], 0, "{nothing}");
    }
    assert_eq!(report["differences"], Value::Array(vec![]));
    assert_eq!(report["books"].as_array().map(Vec::len), Some(64));
    assert!(report["msgs_per_s"].as_f64() > Some(0.0));
    assert_eq!(report["p50_ns"], Value::Null, "no latency without a rate");
    let cores = std::thread::available_parallelism().expect("the cores are known").get();
    assert_eq!(report["core"].is_u64(), cores > 1, "{}", report["core"]);
}

#[test]
fn nothing_is_allocated_once_the_parts_are_warm() {
    // Long enough for the table of orders to be full of marks once, and cleared of them.
    for arguments in [&["--messages", "700000"][..], &["--messages", "5000", "--rate", "100000"]] {
        let report = report(&run(&[arguments, &["--no-pin", "--json"]].concat()));
        assert_eq!(report["allocations_after_warm_up"], 0, "{arguments:?}");
        assert_eq!((&report["outgrown"], &report["core"]), (&false.into(), &Value::Null));
    }
}

#[test]
fn a_rate_gives_latencies_in_order() {
    let report = report(&run(&["--messages", "20000", "--rate", "100000", "--json"]));
    assert_eq!((&report["messages"], &report["lost"]), (&20_000.into(), &0.into()));
    let keys = ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns"];
    let values: Vec<u64> = keys.iter().filter_map(|&key| report[key].as_u64()).collect();
    assert_eq!(values.len(), keys.len(), "{report}");
    assert!(values[0] > 0 && values.is_sorted(), "{values:?}");
}

#[test]
fn the_parts_find_each_other_in_either_order() {
    for (first, second) in [("feed", "book"), ("book", "feed")] {
        let domain = format!("test-{}-{first}-first", std::process::id());
        let part = |name| {
            let mut part = trading();
            part.args([name, "--domain", &domain, "--messages", "5000", "--json"]);
            part.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            part
        };
        let started = part(first).spawn().expect("the first part starts");
        // Mostly enough for the first to be first; the outcome is the same if it is not.
        std::thread::sleep(std::time::Duration::from_millis(100));
        let second = part(second).output().expect("the second part starts");
        let first = started.wait_with_output().expect("the first part ends");

        for output in [&first, &second] {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {errors}", output.status);
        }
        let printed = [first.stdout, second.stdout].concat();
        let report: Value = serde_json::from_slice(&printed).expect("one JSON object");
        assert_eq!((&report["messages"], &report["lost"]), (&5_000.into(), &0.into()));
        assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
    }
}

#[test]
fn a_bad_file_ends_both_parts_with_the_reason() {
    let directory = TempDir::new().expect("a directory for the file");
    let path = directory.path().join("bad.itch");
    fs::write(&path, b"no messages at all").expect("the file can be written");
    let child = trading()
        .args(["--itch", path.to_str().expect("a plain path"), "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the example starts");
    let domain = format!("trading-{}", child.id());
    let output = child.wait_with_output().expect("the example ends");

    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("bad.itch` is not ITCH 5.0 at byte 0: unknown message type"),
        "{errors}"
    );
    assert!(errors.contains("the feed failed"), "{errors}");
    assert_eq!(output.stdout, b"", "no report of a day that never was");
    assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
}
