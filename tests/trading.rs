//! The trading example as its users run it: several real processes, judged by what they print.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use strait::{Domain, Services};
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

/// Starts a part, with what it prints kept.
fn start(part: &str, domain: &str, arguments: &[&str]) -> Child {
    let mut part_of = trading();
    part_of.args([part, "--domain", domain, "--json"]).args(arguments);
    part_of.stdout(Stdio::piped()).stderr(Stdio::piped());
    part_of.spawn().expect("the part starts")
}

fn end(part: Child) -> Output {
    part.wait_with_output().expect("the part ends")
}

/// Waits until a file is there and has something in it.
fn await_file(path: &Path) {
    let began = Instant::now();
    while !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is recorded");
        thread::sleep(Duration::from_millis(1));
    }
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
fn a_short_day_arrives_whole_and_the_books_agree_wherever_the_engine_is() {
    let day = ["--messages", "40000", "--json"];
    let [there, here] =
        [&[][..], &["--in-process"]].map(|engine| report(&run(&[engine, &day].concat())));
    for report in [&there, &here] {
        check_short_day(report);
    }
    insta::assert_snapshot!(orders(&there), @"accepted 32, refused 7, in_doubt 0, not_taken 0");
    assert_eq!(orders(&here), orders(&there));
}

fn check_short_day(report: &Value) {
    assert_eq!(report["messages"], 40_000);
    assert_eq!(total(&report["by_type"]), 40_000);
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
    // The recorder has what the feed sent, and the feed the orders that the book builder sent.
    assert_eq!(report["recorded"], 40_000);
    assert!(report["digest"].is_string());
    assert_eq!(report["record_digest"], report["digest"]);
    assert_eq!(report["orders_sent"], 40_000 / 1024);
    assert_eq!(report["orders_received"], report["orders_sent"]);
    assert_eq!(report["orders_out_of_order"], 0);
    assert!(report["msgs_per_s"].as_f64() > Some(0.0));
    assert_eq!(report["p50_ns"], Value::Null, "no latency without a rate");
    let cores = std::thread::available_parallelism().expect("the cores are known").get();
    assert_eq!(report["core"].is_u64(), cores > 1, "{}", report["core"]);
}

/// What the engines made of the orders.
fn orders(report: &Value) -> String {
    ["accepted", "refused", "in_doubt", "not_taken"]
        .map(|kind| format!("{kind} {}", report[format!("orders_{kind}")]))
        .join(", ")
}

#[test]
fn nothing_is_allocated_once_the_parts_are_warm() {
    // Long enough for the table of orders to be full of marks once, and cleared of them.
    for arguments in [
        &["--messages", "700000"][..],
        &["--messages", "40000", "--in-process"],
        &["--messages", "5000", "--rate", "100000"],
    ] {
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
fn the_parts_find_each_other_in_any_order() {
    for order in [
        ["feed", "book", "record"],
        ["feed", "record", "book"],
        ["book", "feed", "record"],
        ["book", "record", "feed"],
        ["record", "feed", "book"],
        ["record", "book", "feed"],
    ] {
        let domain = format!("test-{}-{}", std::process::id(), order.concat());
        let started = order.map(|part| {
            let started = start(part, &domain, &["--messages", "5000", "--in-process"]);
            // Mostly enough for each to be there before the next; the outcome is the same if it is not.
            thread::sleep(Duration::from_millis(50));
            started
        });
        for (part, output) in order.into_iter().zip(started.map(end)) {
            match part {
                "feed" => {
                    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}")
                }
                "book" => {
                    let report = report(&output);
                    assert_eq!((&report["messages"], &report["lost"]), (&5_000.into(), &0.into()));
                }
                _ => assert_eq!(report(&output)["recorded"], 5_000),
            }
        }
        assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
    }
}

#[test]
fn every_event_is_in_the_file_and_nothing_is_allocated_for_it() {
    let directory = TempDir::new().expect("a directory for the file");
    let path = directory.path().join("day.events");
    let file = path.to_str().expect("a plain path");
    let report = report(&run(&["--messages", "50000", "--record", file, "--json"]));
    assert_eq!(report["recorded"], 50_000);
    let bytes = fs::read(&path).expect("the record can be read");
    let (events, rest) = bytes.as_chunks::<48>();
    assert_eq!((events.len(), rest.len()), (50_000, 0));
    for (number, event) in (0_u64..).zip(events) {
        assert_eq!(event[..8], number.to_le_bytes());
    }
}

/// A day that lasts a second, so that something can happen in the middle.
const SLOW_DAY: [&str; 4] = ["--messages", "100000", "--rate", "100000"];

/// Longer than the feed takes to fill its ring on such a day.
const UNTIL_FULL: Duration = Duration::from_millis(1500);

#[test]
fn a_paused_recorder_holds_the_others_up_and_a_killed_one_does_not() {
    let directory = TempDir::new().expect("a directory for the file");
    let path = directory.path().join("day.events");
    let domain = format!("test-{}-killed-recorder", std::process::id());
    let (mut feed, book) =
        (start("feed", &domain, &SLOW_DAY), start("book", &domain, &["--in-process"]));
    let mut record = start("record", &domain, &["--record", path.to_str().expect("a plain path")]);
    await_file(&path);
    let pid = Pid::from_child(&record);
    kill_process(pid, Signal::STOP).expect("the recorder is there");
    thread::sleep(UNTIL_FULL);
    let waits = feed.try_wait().expect("the feed can be asked after").is_none();
    record.kill().expect("the recorder is there");
    record.wait().expect("the recorder ends");
    assert!(waits, "whoever is waited for loses nothing while it lives");

    let (feed, book) = (end(feed), end(book));
    assert!(feed.status.success(), "{feed:?}");
    let report = report(&book);
    assert_eq!((&report["messages"], &report["lost"]), (&100_000.into(), &0.into()));
    assert_eq!(report["orders_received"], 100_000 / 1024);
    assert_eq!((&report["recorded"], &report["record_digest"]), (&Value::Null, &Value::Null));
    assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
}

/// Starts an engine; returns when it is offered, beside `others`.
fn start_engine(domain: &str, others: usize) -> Child {
    let engine = start("engine", domain, &[]);
    let services = Domain::open(domain).expect("a domain").services().expect("its services");
    let began = Instant::now();
    while offers(&services) <= others {
        assert!(began.elapsed() < Duration::from_secs(60), "no engine is offered");
        thread::sleep(Duration::from_millis(1));
    }
    engine
}

fn offers(services: &Services) -> usize {
    let mut offers = 0;
    let found = services.directory().find("trading.Matcher", |_| {
        offers += 1;
        false
    });
    assert_eq!(found.expect("the directory can be read"), None);
    offers
}

#[test]
fn a_killed_engine_is_replaced_by_the_one_that_stands_by() {
    let directory = TempDir::new().expect("a directory for the file");
    let path = directory.path().join("day.events");
    let domain = format!("test-{}-killed-engine", std::process::id());
    let (mut first, second) = (start_engine(&domain, 0), start_engine(&domain, 1));
    let (feed, book) = (start("feed", &domain, &SLOW_DAY), start("book", &domain, &[]));
    let record = start("record", &domain, &["--record", path.to_str().expect("a plain path")]);
    await_file(&path);
    first.kill().expect("the first engine is there");
    first.wait().expect("the first engine ends");

    assert!(end(feed).status.success());
    assert!(end(record).status.success());
    let output = end(book);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((&report["lost"], &report["engine_left"]), (&0.into(), &true.into()));
    assert_eq!(report["differences"], Value::Array(vec![]));
    assert_eq!(report["orders_not_taken"], 0);
    let count = |kind: &str| report[format!("orders_{kind}")].as_u64().expect("a count");
    assert_eq!(count("accepted") + count("refused") + count("in_doubt"), 100_000 / 1024);
    // What it may have seen, one at a time, is not sent again, and the day not called a good one.
    assert!(count("in_doubt") <= 1, "{}", orders(&report));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), count("in_doubt") == 0, "{errors}");

    kill_process(Pid::from_child(&second), Signal::INT).expect("the second engine is there");
    assert!(end(second).status.success());
    assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
}

/// Waits until the book builder listens: before that, it finds its engine.
fn await_builder(domain: &str) {
    let began = Instant::now();
    while segments(&format!("{domain}+events")).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "the book builder does not come");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn orders_that_no_engine_takes_are_counted_and_the_day_goes_on() {
    let domain = format!("test-{}-no-engine", std::process::id());
    let mut engine = start_engine(&domain, 0);
    let book = start("book", &domain, &[]);
    await_builder(&domain);
    engine.kill().expect("the engine is there");
    engine.wait().expect("the engine ends");
    let others = ["feed", "record"].map(|part| start(part, &domain, &["--messages", "40000"]));

    for other in others.map(end) {
        assert!(other.status.success(), "{other:?}");
    }
    let output = end(book);
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"trading: 39 orders were sent, 0 accepted and 0 refused: an engine that left may have seen 1, and 38 found none");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((&report["lost"], &report["messages"]), (&0.into(), &40_000.into()));
    assert_eq!(report["differences"], Value::Array(vec![]));
    insta::assert_snapshot!(orders(&report), @"accepted 0, refused 0, in_doubt 1, not_taken 38");
    assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
}

#[test]
fn a_killed_book_builder_is_named_by_the_feed_and_does_not_hold_up_the_recorder() {
    let directory = TempDir::new().expect("a directory for the file");
    let path = directory.path().join("day.events");
    let domain = format!("test-{}-killed-builder", std::process::id());
    let feed = start("feed", &domain, &SLOW_DAY);
    let mut book = start("book", &domain, &["--in-process"]);
    let record = start("record", &domain, &["--record", path.to_str().expect("a plain path")]);
    await_file(&path);
    book.kill().expect("the book builder is there");
    book.wait().expect("the book builder ends");

    let (feed, record) = (end(feed), end(record));
    let errors = String::from_utf8_lossy(&feed.stderr);
    assert_eq!(feed.status.code(), Some(1), "{errors}");
    assert!(errors.contains("the book builder left before the end"), "{errors}");
    assert_eq!(report(&record)["recorded"], 100_000);
    for left in segments(&domain) {
        fs::remove_file(left).expect("what the dead one had not read can be removed");
    }
}

#[test]
fn an_interrupt_ends_all_parts_and_nothing_is_left() {
    // As from a terminal: a group of their own, all of which is told.
    let mut all = trading();
    all.args(["--messages", "100000000", "--json"]).process_group(0);
    let child = all.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let domain = format!("trading-{}", child.id());
    await_builder(&domain);
    kill_process_group(Pid::from_child(&child), Signal::INT).expect("the group is there");
    assert_eq!(end(child).status.code(), Some(1));
    assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
}

#[test]
fn a_record_that_cannot_be_made_ends_all_parts_with_the_reason() {
    let child = trading()
        .args(["--messages", "5000", "--in-process", "--record", "/nowhere/day.events", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let domain = format!("trading-{}", child.id());
    let output = end(child);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("cannot make `/nowhere/day.events`"), "{errors}");
    assert!(errors.contains("the record failed"), "{errors}");
    assert_eq!(segments(&domain), Vec::<PathBuf>::new(), "nothing is left behind");
}

#[test]
fn a_bad_file_ends_all_parts_with_the_reason() {
    let directory = TempDir::new().expect("a directory for the file");
    let path = directory.path().join("bad.itch");
    fs::write(&path, b"no messages at all").expect("the file can be written");
    let child = trading()
        .args(["--itch", path.to_str().expect("a plain path"), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
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
