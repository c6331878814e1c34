//! What the person at the keyboard has chosen to see.

use super::model::{Key, Row};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::cmp::Ordering;
use std::time::Duration;

/// By what the rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Sort {
    /// By domain and channel
    #[default]
    Name,
    /// The busiest first
    Rate,
    /// The fullest first
    Depth,
    /// Those that drop most first
    Drops,
}

impl Sort {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Depth => "depth",
            Self::Drops => "drops",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Name => Self::Rate,
            Self::Rate => Self::Depth,
            Self::Depth => Self::Drops,
            Self::Drops => Self::Name,
        }
    }

    fn compare(self, one: &Row, other: &Row) -> Ordering {
        let number = |row: &Row| match self {
            Self::Name => 0.0,
            Self::Rate => row.sent_per_s.unwrap_or(-1.0),
            Self::Depth => row.fullness().unwrap_or(-1.0),
            Self::Drops => row.dropped_per_s.unwrap_or(-1.0),
        };
        let total = |row: &Row| if self == Self::Drops { row.dropped } else { None };
        number(other)
            .total_cmp(&number(one))
            .then_with(|| total(other).cmp(&total(one)))
            .then_with(|| (&one.domain, &one.channel).cmp(&(&other.domain, &other.channel)))
    }
}

/// What is shown, and how.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) sort: Sort,
    pub(super) reverse: bool,
    /// Only rows that have this text in them.
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    pub(super) selected: Option<Key>,
    /// The selected channel is shown with all its sides.
    pub(super) detail: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    pub(super) interval: Duration,
    pub(super) quit: bool,
}

/// Between which `+` and `-` choose.
const INTERVALS_MS: [u64; 8] = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000];

/// Rows that a page key moves by.
const PAGE: usize = 10;

impl View {
    pub(super) fn new(sort: Sort, interval: Duration) -> Self {
        Self {
            sort,
            reverse: false,
            filter: String::new(),
            typing: false,
            selected: None,
            detail: false,
            help: false,
            paused: false,
            interval,
            quit: false,
        }
    }

    /// The rows to be shown, in their order.
    pub(super) fn arranged<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let wanted = self.filter.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&wanted);
        let matches = |row: &&Row| {
            holds(&row.name())
                || holds(row.kind)
                || holds(&row.type_name)
                || row.ends().any(|(_, end)| holds(&end.program) || holds(&end.pid.to_string()))
                || row.problems.iter().any(|problem| holds(&problem.text))
        };
        let mut shown: Vec<&Row> = rows.iter().filter(matches).collect();
        shown.sort_by(|one, other| self.sort.compare(one, other));
        if self.reverse {
            shown.reverse();
        }
        shown
    }

    /// Which of the shown rows is selected: the first if that one has gone.
    pub(super) fn selected(&self, shown: &[&Row]) -> Option<usize> {
        let chosen = shown.iter().position(|row| Some(&row.key) == self.selected.as_ref());
        chosen.or((!shown.is_empty()).then_some(0))
    }

    /// Does what a key stands for.
    pub(super) fn press(&mut self, key: KeyEvent, rows: &[Row]) {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            self.quit |= key.code == KeyCode::Char('c');
            return;
        }
        if self.typing {
            return self.edit_filter(key.code);
        }
        if self.help {
            // Whatever it is, it has been read.
            self.help = false;
            return;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => self.quit = true,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('r') => self.reverse = !self.reverse,
            KeyCode::Char('+' | '=') => self.step_interval(true),
            KeyCode::Char('-') => self.step_interval(false),
            KeyCode::Enter | KeyCode::Char('d') => self.detail = !self.detail,
            KeyCode::Down | KeyCode::Char('j') => self.go(rows, |at, _| at + 1),
            KeyCode::Up | KeyCode::Char('k') => self.go(rows, |at, _| at.saturating_sub(1)),
            KeyCode::PageDown => self.go(rows, |at, _| at + PAGE),
            KeyCode::PageUp => self.go(rows, |at, _| at.saturating_sub(PAGE)),
            KeyCode::Home | KeyCode::Char('g') => self.go(rows, |_, _| 0),
            KeyCode::End | KeyCode::Char('G') => self.go(rows, |_, last| last),
            _ => {}
        }
    }

    fn edit_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(c) => self.filter.push(c),
            _ => {}
        }
    }

    fn step_interval(&mut self, longer: bool) {
        let steps = INTERVALS_MS.map(Duration::from_millis);
        let next = if longer {
            steps.into_iter().find(|&step| step > self.interval)
        } else {
            steps.into_iter().rfind(|&step| step < self.interval)
        };
        self.interval = next.unwrap_or(self.interval);
    }

    fn go(&mut self, rows: &[Row], to: impl FnOnce(usize, usize) -> usize) {
        let shown = self.arranged(rows);
        let (Some(at), Some(last)) = (self.selected(&shown), shown.len().checked_sub(1)) else {
            return;
        };
        self.selected = shown.get(to(at, last).min(last)).map(|row| row.key.clone());
    }
}
