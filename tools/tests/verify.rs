//! `strait verify` as its users run it.

use serde_json::Value;
use std::process::{Command, Output};

fn verify(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strait"))
        .arg("verify")
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn rows(arguments: &[&str]) -> Vec<Value> {
    let output = verify(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(object["environment"]["kernel"].is_string());
    object["rows"].as_array().expect("a list").clone()
}

#[test]
fn what_is_not_built_says_so_and_claims_nothing() {
    let rows = rows(&["C1", "p", "--json"]);
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["C1", "P1", "P2"]);
    for row in rows {
        assert_eq!(
            (&row["ours"], &row["verdict"]),
            (&"UNBUILT".into(), &"UNBUILT".into()),
            "{row}"
        );
        assert_eq!(row["factor"], Value::Null);
        assert!(!row["guide"].as_str().unwrap().is_empty());
    }
}

#[test]
fn behaviours_hold() {
    for row in rows(&["F3", "F4", "G1", "G2", "G5", "K2", "K3", "L1", "N3", "O2", "O3", "--json"]) {
        assert_eq!(row["verdict"], "pass", "{row}");
    }
}

/// Everything that is built is measured here once, between two processes and within one. What the
/// figures are is not this test's business: the build is not optimised.
#[test]
fn all_rows_have_a_verdict() {
    let rows = rows(&["all", "--json"]);
    assert_eq!(rows.len(), 50);
    for row in &rows {
        let verdict = row["verdict"].as_str().unwrap();
        assert!(["pass", "short", "UNBUILT"].contains(&verdict), "{row}");
        for key in ["id", "what", "guide", "ours", "command"] {
            assert!(row[key].as_str().is_some_and(|text| !text.is_empty()), "no {key} in {row}");
        }
        for figure in row["figures"].as_array().unwrap() {
            assert_eq!(figure["ours"] == "UNBUILT", figure["verdict"] == "UNBUILT", "{row}");
        }
    }
    let transports = rows.iter().find(|row| row["id"] == "J1").unwrap();
    let round_trip = &transports["figures"][0];
    let [p50, p99, p999] =
        ["p50_ns", "p99_ns", "p999_ns"].map(|key| round_trip[key].as_u64().unwrap());
    assert!(0 < p50 && p50 <= p99 && p99 <= p999, "{round_trip}");
}

#[test]
fn people_get_a_table() {
    let output = verify(&["H1", "F3"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("moved, not copied") && text.contains("pass"), "{text}");
    assert!(text.contains("2 rows: 1 pass, 0 short, 1 UNBUILT"), "{text}");
}

#[test]
fn an_unknown_row_is_an_error() {
    let output = verify(&["Z9"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no row Z9"));
}
