//! The command as people run it. Rounds are tiny: what is checked is that everybody takes part and is told of,
//! not how fast anybody was.

use serde_json::Value;
use std::process::{Command, Output};

fn peers(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strait-peers")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One case of each workload, and one with long messages.
const CASES: [&str; 11] = [
    "round-trip/64",
    "round-trip/65536",
    "asleep/8",
    "calls/64",
    "calls/65536",
    "paced/64",
    "stream/64",
    "batches/64",
    "fan-out-1/64",
    "fan-out-8/64",
    "mpmc-2/64",
];

#[test]
fn everybody_takes_part_in_every_workload_and_is_told_of() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        println!("skipped: two spinning sides need two cores");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().to_str().unwrap();
    let cases = CASES.join(",");
    let tiny =
        ["--rounds", "1", "--round-ms", "1", "--json", "--cases", &cases, "--report", report];
    let output = peers(&tiny);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");

    let listed = text(&peers(&["--list"]).stdout);
    let found = outcome["cases"].as_array().unwrap();
    assert_eq!(found.len(), CASES.len());
    for case in found {
        let name = case["name"].as_str().unwrap();
        assert!(case["failed"].as_object().unwrap().is_empty(), "{name}: {}", case["failed"]);
        let line = listed.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        let wanted = line.split_whitespace().count() - 1;
        let classes = case["classes"].as_array().unwrap().iter();
        let entries: Vec<&Value> =
            classes.flat_map(|class| class["peers"].as_array().unwrap()).collect();
        // On a busy machine the cores may seem to have been moved in the middle of any.
        let discarded = usize::try_from(case["discarded"].as_u64().unwrap()).unwrap();
        assert_eq!(entries.len() + discarded, wanted, "{name}: {case}");
        for entry in entries {
            let central = ["p50_ns", "msgs_per_s"].map(|key| entry[key].as_f64());
            assert!(central.into_iter().flatten().all(|figure| figure > 0.0), "{entry}");
            assert!(central.into_iter().flatten().count() == 1, "{entry}");
        }
    }
    for file in ["peers.md", "peers.json", "round-trip.svg", "stream.svg"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    for (arguments, said) in [
        (["--only", "nobody"], "no peer `nobody`"),
        (["--cases", "stream/7"], "no case begins with `stream/7`"),
        (["--cores", "0,0"], "two spinning processes need two cores, not 0 twice"),
    ] {
        let output = peers(&arguments);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}
