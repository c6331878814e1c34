//! What a person should know of a channel, in words, the worst first.

use super::figures::short;
use super::model::{End, Part, Row};
use crate::operate::words;
use serde::Serialize;
use strait_ipc::endpoint::Condition;
use strait_ipc::segment::survey::{ChannelSurvey, HeaderState, Usage};
use strait_ipc::segment::{SegmentError, Survey};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// Messages wait for somebody who does not come, or nothing can be believed.
    Bad,
    /// Worth a look.
    Warning,
    /// Good to know.
    Note,
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) text: String,
}

fn problem(severity: Severity, text: impl Into<String>) -> Problem {
    Problem { severity, text: text.into() }
}

/// Of a file whose channels cannot be read, or of what all of its channels share.
pub(super) fn of_file(survey: &Survey) -> Vec<Problem> {
    let mut found = Vec::new();
    for trouble in &survey.troubles {
        found.push(match trouble {
            // To its owner nothing is wrong with that.
            SegmentError::Foreign { .. } => problem(Severity::Note, "another user's"),
            _ => problem(Severity::Bad, words::trouble(survey, trouble)),
        });
    }
    if survey.header.is_some_and(|header| header.state == HeaderState::Retired) {
        found.push(problem(Severity::Warning, "its removal was begun"));
    }
    match survey.usage {
        Usage::Removing => found.push(problem(Severity::Warning, "being removed")),
        Usage::Unused if survey.header.is_some() => {
            found.push(problem(Severity::Note, "no process has it open"));
        }
        _ => {}
    }
    found
}

/// Of a channel, of which `row` tells all else.
pub(super) fn of_channel(survey: &Survey, channel: &ChannelSurvey, row: &Row) -> Vec<Problem> {
    let mut found = of_file(survey);
    found.extend(words::contradiction(channel).map(|text| problem(Severity::Bad, text)));
    if let Some(offers) = row.offers.filter(|offers| offers.dead > 0) {
        let text = format!("{} offers are those of dead processes", offers.dead);
        found.push(problem(Severity::Warning, text));
    } else if row.offers.is_none() {
        found.extend(row.ends().filter_map(|(role, end)| of_end(row, role, end)));
    }
    if let Some(who) = &row.held_up_by {
        found.push(problem(Severity::Bad, format!("full: waits for {who}")));
    } else if row.is_full() {
        found.push(problem(Severity::Warning, "full"));
    }
    let growing = [(row.dropped_per_s, "dropped"), (row.lost_per_s, "lost by slow readers")];
    for (rate, what) in growing {
        if let Some(rate) = rate.filter(|&rate| rate > 0.0) {
            found.push(problem(Severity::Warning, format!("{}/s {what}", short(rate))));
        }
    }
    found.sort_by_key(|problem| problem.severity);
    found
}

fn of_end(row: &Row, role: &str, end: &End) -> Option<Problem> {
    let who = who(role, end);
    let unread = match &end.part {
        Some(Part::Lane { unread, .. }) => unread.unwrap_or(0),
        // A dead reader is left behind.
        Some(Part::Reader { .. }) => 0,
        // Others do what it would have done.
        None if row.ends().any(|(other, end)| other == role && end.condition.lives()) => 0,
        None => row.unread.unwrap_or(0),
    };
    match end.condition {
        Condition::Died if unread > 0 && row.kind != "calls" => {
            Some(problem(Severity::Bad, format!("{unread} unread, dead {who}")))
        }
        Condition::Died => Some(problem(Severity::Warning, format!("dead {who}"))),
        // What it holds up is said elsewhere.
        Condition::Paused if row.held_up_by.as_ref().is_some_and(|text| text.contains(&who)) => {
            None
        }
        Condition::Paused => Some(problem(Severity::Warning, format!("paused {who}"))),
        Condition::Absent | Condition::Alive | Condition::Closed => None,
    }
}

/// "receiver pid 4711 feed-handler".
fn who(role: &str, end: &End) -> String {
    format!("{role} pid {} {}", end.pid, end.program)
}

/// Whom the sender waits for, or soon will.
pub(super) fn held_up_by(row: &Row) -> Option<String> {
    if !row.is_full() || !row.senders.iter().any(|end| end.condition.lives()) {
        return None;
    }
    let role = if row.kind == "calls" { "server" } else { "receiver" };
    let behind = |end: &&End| match &end.part {
        Some(Part::Reader { waited_for: true, behind, .. }) => Some(*behind),
        Some(_) => None,
        None => Some(0),
    };
    let receivers: Vec<&End> = row.receivers.iter().filter(|end| end.condition.lives()).collect();
    let gating = receivers.iter().copied().filter(|end| behind(end).is_some());
    let slowest = gating.max_by_key(behind);
    let Some(end) = slowest else {
        return Some(format!("a {role} to come"));
    };
    let paused = if end.condition == Condition::Paused { "paused " } else { "" };
    let who = format!("{paused}{}", who(role, end));
    let others = receivers.len() - 1;
    Some(match &end.part {
        Some(Part::Reader { waits_per_s: Some(rate), .. }) if *rate > 0.0 => {
            format!("{who}, {} times/s", short(*rate))
        }
        None if others > 0 => format!("{who} and {others} more"),
        _ => who,
    })
}
