//! All there is to tell of one channel.

use super::figures::{ago, short};
use super::model::{End, Part, Row};
use super::problems::Severity;
use crate::operate::words;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use strait_ipc::endpoint::Condition;

/// In which colours; none if nobody wants them (<https://no-color.org>).
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    pub(super) colours: bool,
}

impl Theme {
    pub(super) fn of(self, severity: Severity) -> Style {
        let (colour, modifier) = match severity {
            Severity::Bad => (Color::Red, Modifier::BOLD),
            Severity::Warning => (Color::Yellow, Modifier::empty()),
            Severity::Note => (Color::DarkGray, Modifier::empty()),
        };
        let style = Style::new().add_modifier(modifier);
        if self.colours { style.fg(colour) } else { style }
    }
}

/// Problems, figures, and a line for each side.
pub(super) fn lines<'a>(row: &Row, now_unix_ns: u64, theme: Theme) -> Vec<Line<'a>> {
    let problem = |problem: &super::problems::Problem| {
        Line::from(problem.text.clone()).style(theme.of(problem.severity))
    };
    let mut lines: Vec<Line<'a>> = row.problems.iter().map(problem).collect();
    lines.push(Line::from(what(row)));
    lines.push(Line::from(flow(row)));
    lines.extend(row.ends().map(|(role, end)| {
        let severity = match end.condition {
            Condition::Died => Some(Severity::Bad),
            Condition::Paused => Some(Severity::Warning),
            Condition::Closed => Some(Severity::Note),
            Condition::Alive | Condition::Absent => None,
        };
        let style = severity.map_or_else(Style::new, |severity| theme.of(severity));
        Line::from(side(role, end, now_unix_ns)).style(style)
    }));
    lines
}

fn what(row: &Row) -> String {
    let capacity =
        row.capacity.map_or_else(String::new, |capacity| format!(", capacity {capacity}"));
    let instance = row.instance.as_ref().map_or_else(String::new, |id| format!(", instance {id}"));
    format!("{} of {}{capacity}{instance}", row.kind, row.type_name)
}

fn flow(row: &Row) -> String {
    let number = |name: &str, total: Option<u64>, rate: Option<f64>| {
        let rate = rate.map_or_else(String::new, |rate| format!(" ({}/s)", short(rate)));
        total.map(|total| format!("{name} {total}{rate}"))
    };
    let parts = [
        number("sent", row.sent, row.sent_per_s),
        number("unread", row.unread, None),
        number("depth", row.depth, None),
        number("dropped", row.dropped, row.dropped_per_s),
        number("lost", row.lost, row.lost_per_s),
        number("keys with a value", row.values, None),
        row.offers.map(|offers| format!("offers {}, of dead ones {}", offers.alive, offers.dead)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn side(role: &str, end: &End, now_unix_ns: u64) -> String {
    let condition = words::condition(end.condition);
    let End { index, pid, program, .. } = end;
    let (since, ended) = (ago(end.since_unix_ns, now_unix_ns), end.ended_unix_ns);
    let when = match (end.condition, ended) {
        (Condition::Died, None) => ", noticed by nobody yet".to_owned(),
        (Condition::Died, Some(ended)) => format!(", noticed {} ago", ago(ended, now_unix_ns)),
        (Condition::Closed, Some(ended)) => format!(" {} ago", ago(ended, now_unix_ns)),
        _ => format!(" for {since}"),
    };
    format!("{role} {index}  {condition}{when}  pid {pid} {program}{}", part(end.part.as_ref()))
}

fn part(part: Option<&Part>) -> String {
    let per_second =
        |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!(" ({}/s)", short(rate)));
    match part {
        None => String::new(),
        Some(Part::Lane { sent, sent_per_s, unread, dropped }) => {
            let unread = unread.map_or_else(|| "?".to_owned(), |unread| unread.to_string());
            format!("  sent {sent}{}  unread {unread}  dropped {dropped}", per_second(*sent_per_s))
        }
        Some(Part::Reader {
            waited_for,
            behind,
            most_behind,
            waits,
            waits_per_s,
            lost,
            lost_per_s,
        }) => {
            let gates = if *waited_for { "  waited for" } else { "" };
            let (waiting, losing) = (per_second(*waits_per_s), per_second(*lost_per_s));
            format!(
                "{gates}  behind {behind} (at most {most_behind})  waits {waits}{waiting}  lost {lost}{losing}"
            )
        }
    }
}
