//! `strait top`, as scripts use it; what a person sees is shown in the tests of its modules.

use crate::actor::Actor;
use crate::place::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Looks in a short interval.
fn looks(place: &Place, count: &str) -> Vec<Value> {
    place.json_lines(&["top", "test", "--interval", "50ms", "--count", count])
}

/// The only channel in the last of two looks, once that is as wanted.
fn until(place: &Place, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let seen = looks(place, "2")[1]["channels"][0].clone();
        if wanted(&seen) {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{seen:#}");
    }
}

fn problems(channel: &Value) -> Vec<String> {
    let all = channel["problems"].as_array().unwrap().iter();
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    all.map(|problem| [&problem["severity"], &problem["text"]].map(text).join(": ")).collect()
}

#[test]
fn rates_are_told_from_the_second_line_on() {
    let place = Place::new();
    let (_sender, _receiver) =
        (Actor::new("stream", "ticks", &place), Actor::new("drain", "ticks", &place));
    let lines = looks(&place, "3");
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["directory"], place.path().to_str().unwrap());
    assert!(lines[0]["elapsed_s"].is_null() && lines[0]["channels"][0]["sent_per_s"].is_null());
    for pair in lines.windows(2) {
        let [before, now] = [0, 1].map(|at: usize| &pair[at]["channels"][0]);
        let number = |of: &Value, key: &str| of[key].as_f64().unwrap();
        let (elapsed, rate) = (number(&pair[1], "elapsed_s"), number(now, "sent_per_s"));
        let sent = number(now, "sent") - number(before, "sent");
        assert!(elapsed > 0.0 && (rate * elapsed - sent).abs() < 1e-3, "{lines:#?}");
        assert!(now["depth"].as_u64() <= Some(16), "{now:#}");
        assert_eq!(now["senders"][0]["condition"], "alive");
        assert!(pair[1]["unix_ns"].as_u64() > pair[0]["unix_ns"].as_u64());
    }
    let seen = until(&place, |channel| channel["sent_per_s"].as_f64() > Some(0.0));
    assert_eq!(
        (&seen["kind"], &seen["type"], &seen["capacity"]),
        (&"spsc".into(), &"Tick".into(), &16.into())
    );
}

#[test]
fn who_is_paused_holds_up_and_who_was_killed_is_missed() {
    let place = Place::new();
    let _sender = Actor::new("stream", "ticks", &place);
    let receiver = Actor::new("drain", "ticks", &place);
    let pid = receiver.id();
    receiver.pause();
    let dropping = |channel: &Value| channel["dropped_per_s"].as_f64() > Some(0.0);
    let seen = until(&place, dropping);
    assert_eq!((&seen["depth"], &seen["unread"]), (&16.into(), &16.into()));
    let end = &seen["receivers"][0];
    assert_eq!((&end["condition"], &end["pid"]), (&"paused".into(), &pid.into()));
    let held = format!("paused receiver pid {pid} feed-handler-eu");
    assert_eq!(seen["held_up_by"], held.as_str());
    let told = problems(&seen);
    assert_eq!(told[0], format!("bad: full: waits for {held}"));
    assert!(told[1].ends_with("/s dropped"), "{told:?}");

    receiver.kill();
    let seen = until(&place, |channel| channel["receivers"][0]["condition"] == "dead");
    let told = problems(&seen);
    assert_eq!(told[0], format!("bad: 16 unread, dead receiver pid {pid} feed-handler-eu"));
    assert_eq!(seen["held_up_by"], "a receiver to come");
}

#[test]
fn the_slowest_reader_of_a_broadcast_is_named() {
    let place = Place::new();
    let _sender = Actor::new("news", "news", &place);
    let (_quick, slow) =
        (Actor::new("subscriber", "news", &place), Actor::new("subscriber", "news", &place));
    slow.pause();
    let seen = until(&place, |channel| channel["dropped_per_s"].as_f64() > Some(0.0));
    assert_eq!((&seen["kind"], &seen["depth"]), (&"broadcast".into(), &16.into()));
    let held = format!("paused receiver pid {} feed-handler-eu", slow.id());
    assert!(seen["held_up_by"].as_str().unwrap().starts_with(&held), "{seen:#}");
    let readers: Vec<_> = seen["receivers"].as_array().unwrap().iter().collect();
    assert_eq!(readers.len(), 2);
    assert!(readers.iter().all(|reader| reader["waited_for"] == true), "{seen:#}");
    assert_eq!(readers.iter().map(|reader| reader["behind"].as_u64()).max(), Some(Some(16)));
}

/// Rates are those of one segment, whatever had its name before.
#[test]
fn a_segment_that_is_made_anew_begins_anew() {
    let place = Place::new();
    let mut command = place.command(&["top", "--json", "--interval", "10ms"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["channels"], serde_json::json!([]));
    let mut instances = std::collections::BTreeSet::new();
    for messages in [1000, 1] {
        let domain = place.domain("test");
        let mut sender = domain.spsc::<u64>("orders").capacity(1024).sender().unwrap();
        (0..messages).for_each(|number| sender.send(&number).unwrap());
        loop {
            let channel = next()["channels"][0].clone();
            if !channel["instance"].is_string() {
                continue;
            }
            let new = instances.insert(channel["instance"].to_string());
            assert_eq!(channel["sent_per_s"].is_null(), new, "{channel:#}");
            assert!(channel["sent_per_s"].as_f64().is_none_or(|rate| rate >= 0.0), "{channel:#}");
            if channel["sent"] == messages && !new {
                break;
            }
        }
        drop(sender);
        std::fs::remove_file(place.file("orders")).unwrap();
    }
    assert_eq!(instances.len(), 2);
    // That nobody reads further is no error.
    drop(lines);
    assert!(child.wait().unwrap().success());
}

#[test]
fn without_a_terminal_or_a_directory_it_says_what_to_do() {
    let place = Place::new();
    insta::assert_snapshot!(place.refuses(&["top"]), @"error: standard output is not a terminal: `strait top --json` prints a line for each look instead");
    insta::assert_snapshot!(place.refuses(&["top", "a/b"]), @r#"error: the domain name "a/b" holds '/': use only A-Z a-z 0-9 . _ -"#);
    insta::assert_snapshot!(place.refuses(&["top", "--interval", "1ms", "--json"]), @"error: an interval is between 10ms and 1h");
    assert_eq!(looks(&place, "1")[0]["channels"], serde_json::json!([]));
    let mut command = place.command(&["top", "--json", "--interval", "10ms"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    std::fs::remove_dir(place.path()).unwrap();
    lines.by_ref().for_each(|line| drop(line.unwrap()));
    let said = crate::place::said(child.wait_with_output().unwrap());
    assert!(!said.ok);
    insta::assert_snapshot!(place.redact(&said.err), @"error: [dir]: cannot list it: No such file or directory (os error 2)");
}
