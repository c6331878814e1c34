//! `strait doctor` as its users run it.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn strait(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strait")).args(arguments).output().unwrap()
}

fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

/// How many findings have one of these verdicts.
fn count(report: &Value, verdicts: &[&str]) -> usize {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|finding| verdicts.contains(&finding["verdict"].as_str().unwrap())).count()
}

/// That the exit status says what the findings say, of which `fatal` make it 1.
fn agrees(output: &Output, fatal: &[&str]) -> Value {
    let report = report(output);
    let healthy = count(&report, fatal) == 0;
    assert_eq!(report["healthy"], healthy, "{report}");
    assert_eq!(output.status.code(), Some(if healthy { 0 } else { 1 }), "{report}");
    report
}

/// Names, lengths and times of what is in a directory.
fn contents(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        format!("{:?} {} {:?}", entry.path(), metadata.len(), metadata.modified().unwrap())
    });
    let mut entries: Vec<String> = entries.collect();
    entries.sort();
    entries
}

#[test]
fn every_finding_is_told_and_the_status_agrees() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::write(directory.path().join("strait-1-x+y"), [0; 100]).unwrap();
    let before = contents(directory.path());
    let path = directory.path().to_str().unwrap();
    let output = strait(&["doctor", "--json", "--quick", "--directory", path]);
    let report = agrees(&output, &["problem"]);
    assert_eq!(contents(directory.path()), before, "nothing is changed");

    assert_eq!(report["directory"], path);
    assert!(report["environment"]["kernel"].is_string());
    for finding in report["findings"].as_array().unwrap() {
        for key in ["id", "group", "verdict", "wanted", "why"] {
            assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{finding}");
        }
        assert_eq!(finding["found"].is_null(), finding["verdict"] == "unknown", "{finding}");
        let fix = &finding["fix"];
        assert!(fix.is_null() || fix["command"].is_string() && fix["where"].is_string());
        assert!(fix.is_null() || finding["verdict"] != "ok", "{finding}");
    }
    for (verdict, number) in report["counts"].as_object().unwrap() {
        assert_eq!(number.as_u64(), Some(count(&report, &[verdict]) as u64), "{verdict}");
    }
    let measured = &report["measured"];
    for core in measured["cores"].as_array().unwrap() {
        assert!((0.0..=1.0).contains(&core["share"].as_f64().unwrap()), "{core}");
    }
    assert!(!measured["cores"].as_array().unwrap().is_empty());
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(measured["pairs"].as_array().unwrap().is_empty(), cores < 2);
}

#[test]
fn without_privileges_it_says_the_same() {
    let own = report(&strait(&["doctor", "--json", "--no-measure"]));
    assert!(own["measured"].is_null());
    // Whoever runs this may be root, and then becomes nobody.
    let setpriv = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let mut command = Command::new("setpriv");
    command.args(setpriv).arg(env!("CARGO_BIN_EXE_strait"));
    let output = match command.args(["doctor", "--json", "--no-measure"]).output() {
        Ok(output) if !output.stdout.is_empty() => output,
        other => return println!("skipped: cannot become another user: {other:?}"),
    };
    let theirs = agrees(&output, &["problem"]);
    let ids = |report: &Value| -> Vec<Value> {
        let findings = report["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["id"].clone()).collect()
    };
    assert_eq!(ids(&theirs), ids(&own));
}

#[test]
fn strict_counts_warnings() {
    // Of a file system on a disk it warns; where this one is none, both must say the same.
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = disk.path().to_str().unwrap();
    let arguments = ["doctor", "--json", "--no-measure", "--directory", path];
    let lenient = agrees(&strait(&arguments), &["problem"]);
    let strict =
        agrees(&strait(&[&arguments[..], &["--strict"]].concat()), &["problem", "warning"]);
    assert_eq!(lenient["findings"], strict["findings"]);
}

#[test]
fn that_it_cannot_look_is_told_from_a_problem() {
    let output = strait(&["doctor", "--directory", "/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: cannot look at /nowhere"), "{said}");
    assert!(output.stdout.is_empty());
    // Others have but one way to fail.
    assert_eq!(strait(&["verify", "Z9"]).status.code(), Some(1));
}

#[test]
fn people_get_a_page_that_fits_a_terminal() {
    let output = strait(&["doctor", "--all", "--no-measure"]);
    let page = String::from_utf8(output.stdout).unwrap();
    let is_command = |line: &&str| line.starts_with(&" ".repeat(30));
    for line in page.lines().filter(|line| !is_command(line)) {
        assert!(line.chars().count() <= 96, "{line}");
    }
    for text in ["shared memory\n", "cores\n", "limits\n", " shm-size ", " ok\n"] {
        assert!(page.contains(text), "no {text:?} in {page}");
    }
    let help = strait(&["doctor", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit status:"));
}
