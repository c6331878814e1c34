//! The terminal: looks, draws, listens to the keyboard, and leaves everything as it was.

use super::Source;
use super::detail::Theme;
use super::screen::{Board, draw};
use super::view::View;
use anyhow::{Context, Result, ensure};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a signal that ends the program may go unnoticed.
const NOTICED: Duration = Duration::from_millis(200);

/// Shows what `source` finds until the person quits.
pub(super) fn run(mut source: Source, view: View) -> Result<()> {
    ensure!(
        stdout().is_terminal(),
        "standard output is not a terminal: `strait top --json` prints a line for each look instead"
    );
    // What cannot be listed at all is told on the screen that stays.
    let first = source.look()?;
    let ended = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&ended);
    ctrlc::set_handler(move || signalled.store(true, Relaxed)).context("cannot catch signals")?;
    // From here on a panic restores the terminal as well.
    let result = ratatui::try_init()
        .context("cannot use the terminal")
        .and_then(|mut terminal| watch(&mut terminal, &mut source, view, first, &ended));
    ratatui::restore();
    result
}

fn watch(
    terminal: &mut DefaultTerminal,
    source: &mut Source,
    mut view: View,
    first: Board,
    ended: &AtomicBool,
) -> Result<()> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = Theme { colours: !no_color };
    let (mut board, mut looked) = (first, Instant::now());
    // Rates come with the second look: soon, however long the interval is.
    let mut due = looked + view.interval.min(Duration::from_secs(1));
    while !view.quit && !ended.load(Relaxed) {
        if !view.paused && Instant::now() >= due {
            looked = Instant::now();
            match source.look() {
                Ok(found) => board = found,
                Err(error) => board.trouble = Some(format!("{error:#}")),
            }
            due = looked + view.interval;
        }
        terminal.draw(|frame| draw(frame, &board, &view, theme))?;
        let left = due.saturating_duration_since(Instant::now());
        let patience = if view.paused { NOTICED } else { left.min(NOTICED) };
        if event::poll(patience)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            let before = view.interval;
            view.press(key, &board.rows);
            if view.interval != before {
                due = looked + view.interval;
            }
        }
    }
    Ok(())
}
