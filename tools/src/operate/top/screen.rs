//! The screen: what was found, as the person wants to see it.

use super::detail::{self, Theme};
use super::figures::short;
use super::model::{End, Row};
use super::problems::Severity;
use super::view::View;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row as TableRow, Table, TableState, Wrap};
use std::ops::RangeInclusive;

/// What was found, when, and where.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) rows: Vec<Row>,
    /// Why nothing new can be found.
    pub(super) trouble: Option<String>,
    pub(super) unix_ns: u64,
    /// "in /dev/shm"
    pub(super) place: String,
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, board: &Board, view: &View, theme: Theme) {
    let shown = view.arranged(&board.rows);
    let selected = view.selected(&shown);
    let chosen = selected.filter(|_| view.detail).map(|at| shown[at]);
    let lines = chosen.map_or_else(Vec::new, |row| detail::lines(row, board.unix_ns, theme));
    // With its frame, and no more than half of the screen.
    let inside = usize::from(frame.area().width.saturating_sub(2)).max(1);
    let wanted: usize = lines.iter().map(|line| line.width().div_ceil(inside).max(1)).sum();
    let room = u16::try_from(wanted + 2).unwrap_or(u16::MAX).min(frame.area().height / 2);
    let room = if chosen.is_some() { room } else { 0 };
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(room),
        Constraint::Length(1),
    ]);
    let [head, body, pane, foot] = parts.areas(frame.area());
    frame.render_widget(header(board, view, &shown, theme), head);
    if shown.is_empty() {
        frame.render_widget(Paragraph::new(nothing(board, view)), body);
    } else {
        let mut state = TableState::new().with_selected(selected);
        frame.render_stateful_widget(table(&shown, body.width, theme), body, &mut state);
    }
    if let Some(row) = chosen {
        frame.render_widget(pane_of(row, lines, wanted + 2 <= usize::from(pane.height)), pane);
    }
    frame.render_widget(footer(view), foot);
    if view.help {
        help(frame);
    }
}

fn header<'a>(board: &Board, view: &View, shown: &[&Row], theme: Theme) -> Line<'a> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut parts = vec![Span::styled("strait top", bold)];
    if view.paused {
        parts.push(Span::styled(" PAUSED", theme.of(Severity::Warning)));
    }
    if let Some(trouble) = &board.trouble {
        parts.push(Span::styled(format!(" {trouble}"), theme.of(Severity::Bad)));
    }
    let worrying = |row: &&&Row| {
        row.problems.first().is_some_and(|problem| problem.severity <= Severity::Warning)
    };
    let problems = match shown.iter().filter(worrying).count() {
        0 => String::new(),
        count => format!(", {count} with problems"),
    };
    let order = if view.reverse { "by reversed " } else { "by " };
    parts.push(Span::raw(format!(
        "  {} {} {}{problems}  {order}{}  every {}",
        shown.len(),
        if shown.len() == 1 { "channel" } else { "channels" },
        board.place,
        view.sort.name(),
        humantime::format_duration(view.interval),
    )));
    Line::from(parts)
}

fn nothing(board: &Board, view: &View) -> String {
    if board.rows.is_empty() {
        format!("no channels {}", board.place)
    } else {
        format!("none of {} channels matches `{}`", board.rows.len(), view.filter)
    }
}

fn footer<'a>(view: &View) -> Line<'a> {
    if view.typing {
        return Line::from(format!("/{}_   Enter keeps the filter, Esc drops it", view.filter));
    }
    let filter = if view.filter.is_empty() {
        "/ filter".to_owned()
    } else {
        format!("/ filter `{}`", view.filter)
    };
    Line::from(format!("q quit  ? help  Enter detail  s sort  {filter}  Space pause  +- interval"))
}

/// A column, and how wide the screen is where it is shown.
struct Column {
    title: &'static str,
    width: u16,
    screen: RangeInclusive<u16>,
    right: bool,
    cell: fn(&Row, Theme) -> Cell<'static>,
}

/// Those between the name and the note. A bar stands in place of the bare percentage where there is room.
const COLUMNS: [Column; 7] = [
    Column {
        title: "KIND",
        width: 9,
        screen: 60..=u16::MAX,
        right: false,
        cell: |row, _| Cell::new(row.kind),
    },
    Column {
        title: "RATE/s",
        width: 6,
        screen: 0..=u16::MAX,
        right: true,
        cell: |row, _| rate(row),
    },
    Column { title: "DEPTH", width: 14, screen: 80..=u16::MAX, right: false, cell: bar },
    Column { title: "DEPTH", width: 5, screen: 0..=79, right: true, cell: |row, _| percent(row) },
    Column {
        title: "DROPS",
        width: 14,
        screen: 70..=u16::MAX,
        right: true,
        cell: |row, _| count(row.dropped, row.dropped_per_s),
    },
    Column {
        title: "LOST",
        width: 14,
        screen: 130..=u16::MAX,
        right: true,
        cell: |row, _| count(row.lost, row.lost_per_s),
    },
    Column {
        title: "SIDES",
        width: 6,
        screen: 90..=u16::MAX,
        right: false,
        cell: |row, _| sides(row),
    },
];

fn table<'a>(shown: &[&Row], width: u16, theme: Theme) -> Table<'a> {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| column.screen.contains(&width)).collect();
    let longest = shown.iter().map(|row| row.name().chars().count()).max().unwrap_or(0);
    let most = usize::from(width / 4).max(12);
    let name = u16::try_from(longest.clamp(7, most)).unwrap_or(12);
    let side = |right| if right { Alignment::Right } else { Alignment::Left };
    let titles =
        columns.iter().map(|column| Line::from(column.title).alignment(side(column.right)));
    let titles = ["", "CHANNEL"].map(Line::from).into_iter().chain(titles);
    let header = TableRow::new(titles.chain([Line::from("NOTE")]))
        .style(Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED));
    let rows = shown.iter().map(|row| {
        let (mark, style, note) = note(row, theme);
        let cells = columns.iter().map(|column| (column.cell)(row, theme));
        let first = [Cell::new(mark).style(style), Cell::new(row.name())];
        TableRow::new(first.into_iter().chain(cells).chain([Cell::new(note).style(style)]))
    });
    let widths = [Constraint::Length(2), Constraint::Length(name)];
    let widths = widths.into_iter().chain(columns.iter().map(|c| Constraint::Length(c.width)));
    Table::new(rows, widths.chain([Constraint::Fill(1)]))
        .header(header)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
}

/// The worst that there is to say: a mark, a colour, and words.
fn note(row: &Row, theme: Theme) -> (&'static str, Style, String) {
    let Some(worst) = row.problems.first() else { return ("", Style::new(), String::new()) };
    let mark = match worst.severity {
        Severity::Bad => "!!",
        Severity::Warning => "!",
        Severity::Note => "",
    };
    let more = match row.problems.len() - 1 {
        0 => String::new(),
        more => format!(" (+{more})"),
    };
    (mark, theme.of(worst.severity), format!("{}{more}", worst.text))
}

fn right(text: String) -> Cell<'static> {
    Cell::new(Line::from(text).alignment(Alignment::Right))
}

fn rate(row: &Row) -> Cell<'static> {
    right(
        row.sent_per_s.map_or_else(|| if row.sent.is_some() { "…" } else { "" }.to_owned(), short),
    )
}

fn percent(row: &Row) -> Cell<'static> {
    right(match row.fullness() {
        Some(fullness) => format!("{:.0}%", fullness * 100.0),
        None => row.values.map_or_else(String::new, |values| format!("{values}v")),
    })
}

/// Eight cells of a bar, and how many messages; of a directory and of latest values, how many there are.
fn bar(row: &Row, theme: Theme) -> Cell<'static> {
    const CELLS: f64 = 8.0;
    if let Some(values) = row.values {
        return Cell::new(format!("values {values}"));
    }
    if let Some(offers) = row.offers {
        return Cell::new(format!("offers {}", offers.alive));
    }
    let (Some(fullness), Some(depth)) = (row.fullness(), row.depth) else { return Cell::new("") };
    // One cell is shown for one message.
    let filled = (fullness * CELLS).ceil().clamp(0.0, CELLS);
    // Eight at most.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let filled = filled as usize;
    let style = if row.is_full() { theme.of(Severity::Bad) } else { Style::new() };
    let (full, empty) = ("█".repeat(filled), "·".repeat(8 - filled));
    Cell::new(format!("{full}{empty} {}", short(depth as f64))).style(style)
}

/// "1.2k +30/s"
fn count(total: Option<u64>, rate: Option<f64>) -> Cell<'static> {
    let rate = rate.filter(|&rate| rate > 0.0);
    let rate = rate.map_or_else(String::new, |rate| format!(" +{}/s", short(rate)));
    right(total.map_or_else(String::new, |total| format!("{}{rate}", short(total as f64))))
}

/// "2→1": who is there.
fn sides(row: &Row) -> Cell<'static> {
    let there = |ends: &[End]| ends.iter().filter(|end| end.condition.lives()).count();
    let senders = there(&row.senders);
    Cell::new(match row.kind {
        "?" => String::new(),
        "directory" => senders.to_string(),
        // Whoever reads is not known.
        "latest" => format!("{senders}→?"),
        _ => format!("{senders}→{}", there(&row.receivers)),
    })
}

fn pane_of<'a>(row: &Row, lines: Vec<Line<'a>>, whole: bool) -> Paragraph<'a> {
    let mut block = Block::bordered().title(format!(" {} ", row.name()));
    if !whole {
        block = block.title_bottom(" make the screen higher for more ");
    }
    Paragraph::new(lines).wrap(Wrap { trim: false }).block(block)
}

const HELP: [&str; 15] = [
    "↑ ↓  j k       choose a channel (also PgUp, PgDn, Home, End)",
    "Enter  d       all sides of the channel",
    "s              sort by name, rate, depth, drops",
    "r              the other way around",
    "/              show only what has a text in it",
    "Space          stop looking; go on",
    "+  -           look less often, more often",
    "q  Esc  ^C     quit",
    "",
    "RATE   messages sent per second (calls made, values set)",
    "DEPTH  messages that are in the way of further ones",
    "DROPS  refused because the ring was full, and per second",
    "LOST   overwritten before a slow reader came to them",
    "SIDES  processes that send → that receive",
    "!!     messages wait for who does not come      !  worth a look",
];

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (66.min(area.width), 17.min(area.height));
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    let area = Rect { x, y, width, height };
    let text: Vec<Line<'_>> = HELP.into_iter().map(Line::from).collect();
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(" keys ");
    frame.render_widget(Paragraph::new(text).block(block), area);
}
