//! What is told of two looks.

use super::super::model::{Counted, Part, Row, rows};
use super::super::problems::Severity;
use super::{ALIVE, SECOND, busy, flow, machine, pair, told};
use std::time::Duration;
use strait_ipc::endpoint::Condition;
use strait_ipc::segment::Survey;
use strait_ipc::segment::survey::Parts;

fn rate(before: u64, now: u64, elapsed: Duration) -> Option<f64> {
    let at = |sent| [pair("orders", ALIVE, flow(sent, 0, 0, Parts::Pair))];
    let mut counted = Counted::default();
    rows(&at(before), &mut counted, Duration::ZERO);
    rows(&at(now), &mut counted, elapsed)[0].sent_per_s
}

#[test]
fn rates_are_growth_over_time() {
    assert_eq!(rate(5, 15, SECOND), Some(10.0));
    assert_eq!(rate(5, 15, SECOND / 4), Some(40.0));
    assert_eq!(rate(5, 5, SECOND), Some(0.0));
    assert_eq!(rate(u64::MAX - 1, 8, SECOND), Some(10.0), "around the end");
    assert_eq!(rate(15, 5, SECOND), None, "it went back");
    assert_eq!(rate(5, 15, Duration::ZERO), None, "no time has passed");
}

#[test]
fn another_instance_has_no_rates_before_its_second_look() {
    let at = |sent, instance| {
        let mut survey = pair("orders", ALIVE, flow(sent, 0, 0, Parts::Pair));
        survey.header.as_mut().unwrap().birth.instance = instance;
        [survey]
    };
    let mut counted = Counted::default();
    let mut look =
        |surveys: &[Survey]| rows(surveys, &mut counted, SECOND).first().map(|row| row.sent_per_s);
    assert_eq!(look(&at(100, 1)), Some(None));
    assert_eq!(look(&at(110, 1)), Some(Some(10.0)));
    assert_eq!(look(&at(500, 2)), Some(None), "made anew");
    assert_eq!(look(&at(501, 2)), Some(Some(1.0)));
    assert_eq!(look(&[]), None);
    assert_eq!(look(&at(900, 2)), Some(None), "what was gone is not remembered");
}

#[test]
fn parts_have_rates_of_their_own() {
    let busy = busy();
    let row = |channel: &str| busy.iter().find(|row| row.channel == channel).unwrap();
    let lanes = row("fills").senders.iter().map(|end| match end.part {
        Some(Part::Lane { sent_per_s, .. }) => sent_per_s,
        _ => None,
    });
    assert_eq!(lanes.collect::<Vec<_>>(), [Some(10.0), Some(90_000.0)]);
    let readers = row("quotes").receivers.iter().map(|end| match end.part {
        Some(Part::Reader { waits_per_s, lost_per_s, .. }) => (waits_per_s, lost_per_s),
        _ => (None, None),
    });
    assert_eq!(readers.collect::<Vec<_>>(), [(Some(12.0), Some(0.0)), (Some(0.0), Some(500.0))]);
    assert_eq!((row("quotes").lost_per_s, row("quotes").dropped_per_s), (Some(500.0), Some(3.0)));
}

/// A dead receiver is missed if there is nobody in its place.
#[test]
fn what_the_dead_have_left_is_bad_unless_others_take_it() {
    let severity = |surveys: &[Survey]| told([surveys, surveys])[0].problems[0].severity;
    let mut tasks = machine(0).pop().unwrap();
    for (receivers, expected) in [(1, Severity::Warning), (2, Severity::Bad)] {
        for side in &mut tasks.channels[0].sides[1..=receivers] {
            side.condition = Condition::Died;
        }
        assert_eq!(severity(std::slice::from_ref(&tasks)), expected);
    }
    let empty = pair("empty", (Condition::Alive, Condition::Died), flow(5, 0, 0, Parts::Pair));
    assert_eq!(severity(&[empty]), Severity::Warning);
    let row: &Row = &told([&machine(0), &machine(1)])[4];
    assert!(row.problems.is_empty(), "{row:?}");
}
