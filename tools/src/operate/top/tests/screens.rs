//! What a person sees.

use super::super::detail::Theme;
use super::super::model::Row;
use super::super::screen::{Board, draw};
use super::super::view::{Sort, View};
use super::{ALIVE, NOW, SECOND, busy, flow, pair, told};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;
use std::time::Duration;
use strait_ipc::endpoint::Condition;
use strait_ipc::ring::spsc::Corrupt;
use strait_ipc::segment::survey::{Parts, Usage};

fn board(rows: Vec<Row>) -> Board {
    Board { rows, trouble: None, unix_ns: NOW, place: "in /dev/shm".to_owned() }
}

fn view() -> View {
    View::new(Sort::Name, SECOND)
}

fn press(view: &mut View, rows: &[Row], keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            key => KeyCode::Char(key),
        };
        view.press(KeyEvent::new(code, KeyModifiers::NONE), rows);
    }
}

fn drawn(board: &Board, view: &View, (width, height): (u16, u16), colours: bool) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, board, view, Theme { colours })).unwrap();
    terminal.backend().clone()
}

/// The screen's text, without the blanks at the ends of lines.
fn screen(rows: Vec<Row>, view: &View, size: (u16, u16)) -> String {
    let text = drawn(&board(rows), view, size, false).to_string();
    let line = |line: &str| line.trim_matches('"').trim_end().to_owned();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_busy_machine() {
    insta::assert_snapshot!(screen(busy(), &view(), (120, 11)), @r"
    strait top  7 channels in /dev/shm, 3 with problems  by name  every 1s
       CHANNEL        KIND      RATE/s DEPTH                   DROPS SIDES  NOTE
    !  prod/.services directory        offers 1                      0      1 offers are those of dead processes
       prod/engine    calls      2.50k █······· 2                  0 2→1
    !! prod/fills     lanes      90.0k ████████ 1.02k              0 2→1    full: waits for receiver pid 4712 book-builder
       prod/marks     latest       777 values 30                     1→?
       prod/orders    spsc       1.23M █······· 100                0 1→1
    !! prod/quotes    broadcast   500k ████████ 1.02k         3 +3/s 1→2    full: waits for paused receiver pid 300 recorder
       prod/tasks     mpmc          42 █······· 5                  0 1→2

    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
    insta::assert_snapshot!(screen(busy(), &view(), (160, 11)), @r"
    strait top  7 channels in /dev/shm, 3 with problems  by name  every 1s
       CHANNEL        KIND      RATE/s DEPTH                   DROPS           LOST SIDES  NOTE
    !  prod/.services directory        offers 1                                     0      1 offers are those of dead processes
       prod/engine    calls      2.50k █······· 2                  0                2→1
    !! prod/fills     lanes      90.0k ████████ 1.02k              0                2→1    full: waits for receiver pid 4712 book-builder
       prod/marks     latest       777 values 30                                    1→?
       prod/orders    spsc       1.23M █······· 100                0                1→1
    !! prod/quotes    broadcast   500k ████████ 1.02k         3 +3/s     500 +500/s 1→2    full: waits for paused receiver pid 300 recorder, 12 times/s (+2)
       prod/tasks     mpmc          42 █······· 5                  0                1→2

    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
    let mut by_rate = view();
    press(&mut by_rate, &[], "sr");
    insta::assert_snapshot!(screen(busy(), &by_rate, (80, 11)), @r"
    strait top  7 channels in /dev/shm, 3 with problems  by reversed rate  every 1s
       CHANNEL        KIND      RATE/s DEPTH                   DROPS NOTE
    !  prod/.services directory        offers 1                      1 offers are th
       prod/tasks     mpmc          42 █······· 5                  0
       prod/marks     latest       777 values 30
       prod/engine    calls      2.50k █······· 2                  0
    !! prod/fills     lanes      90.0k ████████ 1.02k              0 full: waits for
    !! prod/quotes    broadcast   500k ████████ 1.02k         3 +3/s full: waits for
       prod/orders    spsc       1.23M █······· 100                0

    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
}

#[test]
fn a_tiny_terminal() {
    insta::assert_snapshot!(screen(busy(), &view(), (40, 10)), @r"
    strait top  7 channels in /dev/shm, 3 wi
       CHANNEL      RATE/s DEPTH NOTE
    !  prod/.servic              1 offers ar
       prod/engine   2.50k    0%
    !! prod/fills    90.0k  100% full: waits
       prod/marks      777   30v
       prod/orders   1.23M   10%
    !! prod/quotes    500k  100% full: waits
       prod/tasks       42    0%
    q quit  ? help  Enter detail  s sort  /
    ");
    let mut view = view();
    press(&mut view, &busy(), "G\n");
    insta::assert_snapshot!(screen(busy(), &view, (40, 10)), @r"
    strait top  7 channels in /dev/shm, 3 wi
       CHANNEL      RATE/s DEPTH NOTE
    !! prod/quotes    500k  100% full: waits
       prod/tasks       42    0%
    ┌ prod/tasks ──────────────────────────┐
    │mpmc of Tick, capacity 1024, instance │
    │00000000000000000000000000000007      │
    │sent 1042 (42/s)  unread 7  depth 5   │
    └ make the screen higher for more ─────┘
    q quit  ? help  Enter detail  s sort  /
    ");
    press(&mut view, &busy(), "?");
    for size in [(0, 0), (1, 1), (0, 5), (5, 0), (2, 3), (10, 4), (20, 6), (300, 2), (3, 100)] {
        let _ = drawn(&board(busy()), &view, size, true);
    }
}

#[test]
fn dead_ones_and_damaged_ones() {
    let died = pair("died", (Condition::Died, Condition::Alive), flow(50, 3, 0, Parts::Pair));
    let mut damaged = pair("damaged", ALIVE, flow(5, 0, 0, Parts::Pair));
    let corrupt = Corrupt { word: "cursor", found: 9, position: 0 };
    damaged.channels[0].flow.as_mut().unwrap().unread = Err(corrupt);
    let mut left = pair("left", (Condition::Closed, Condition::Absent), flow(4, 4, 0, Parts::Pair));
    left.usage = Usage::Unused;
    let unheard =
        pair("unheard", (Condition::Alive, Condition::Absent), flow(1024, 1024, 0, Parts::Pair));
    let all = [damaged, died, left, unheard];
    let rows = told([&all, &all]);
    insta::assert_snapshot!(screen(rows.clone(), &view(), (120, 7)), @r"
    strait top  4 channels in /dev/shm, 3 with problems  by name  every 1s
       CHANNEL      KIND      RATE/s DEPTH                   DROPS SIDES  NOTE
    !! prod/damaged spsc           0                             0 1→1    damaged: the ring's words contradict each other: c
    !! prod/died    spsc           0 █······· 3                  0 0→1    3 unread, dead sender pid 4711 feed-handler
       prod/left    spsc           0 █······· 4                  0 0→0    no process has it open
    !! prod/unheard spsc           0 ████████ 1.02k              0 1→0    full: waits for a receiver to come
    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
    assert_eq!(rows[1].oldest_death_unix_ns, Some(NOW - 42_000_000_000));
    let mut view = view();
    press(&mut view, &rows, "j\n");
    insta::assert_snapshot!(screen(rows, &view, (120, 16)), @r"
    strait top  4 channels in /dev/shm, 3 with problems  by name  every 1s
       CHANNEL      KIND      RATE/s DEPTH                   DROPS SIDES  NOTE
    !! prod/damaged spsc           0                             0 1→1    damaged: the ring's words contradict each other: c
    !! prod/died    spsc           0 █······· 3                  0 0→1    3 unread, dead sender pid 4711 feed-handler
       prod/left    spsc           0 █······· 4                  0 0→0    no process has it open
    !! prod/unheard spsc           0 ████████ 1.02k              0 1→0    full: waits for a receiver to come


    ┌ prod/died ───────────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │3 unread, dead sender pid 4711 feed-handler                                                                           │
    │spsc of Tick, capacity 1024, instance 00000000000000000000000000000007                                                │
    │sent 50 (0/s)  unread 3  depth 3  dropped 0 (0/s)                                                                     │
    │sender 0  dead, noticed 42 s ago  pid 4711 feed-handler                                                               │
    │receiver 0  alive for 10 min  pid 4712 book-builder                                                                   │
    └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
}

#[test]
fn a_paused_reader_that_holds_up_the_sender() {
    let mut view = view();
    press(&mut view, &busy(), "jjjjjd");
    insta::assert_snapshot!(screen(busy(), &view, (120, 24)), @r"
    strait top  7 channels in /dev/shm, 3 with problems  by name  every 1s
       CHANNEL        KIND      RATE/s DEPTH                   DROPS SIDES  NOTE
    !  prod/.services directory        offers 1                      0      1 offers are those of dead processes
       prod/engine    calls      2.50k █······· 2                  0 2→1
    !! prod/fills     lanes      90.0k ████████ 1.02k              0 2→1    full: waits for receiver pid 4712 book-builder
       prod/marks     latest       777 values 30                     1→?
       prod/orders    spsc       1.23M █······· 100                0 1→1
    !! prod/quotes    broadcast   500k ████████ 1.02k         3 +3/s 1→2    full: waits for paused receiver pid 300 recorder
       prod/tasks     mpmc          42 █······· 5                  0 1→2




    ┌ prod/quotes ─────────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │full: waits for paused receiver pid 300 recorder, 12 times/s                                                          │
    │3/s dropped                                                                                                           │
    │500/s lost by slow readers                                                                                            │
    │broadcast of Tick, capacity 1024, instance 00000000000000000000000000000007                                           │
    │sent 501000 (500k/s)  unread 1024  depth 1024  dropped 3 (3/s)  lost 500 (500/s)                                      │
    │sender 0  alive for 10 min  pid 4711 feed-handler                                                                     │
    │receiver 0  paused for 10 min  pid 300 recorder  waited for  behind 1024 (at most 1024)  waits 12 (12/s)  lost 0 (0/s)│
    │receiver 1  alive for 10 min  pid 301 screen  behind 3 (at most 1024)  waits 0 (0/s)  lost 500 (500/s)                │
    └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
    press(&mut view, &busy(), "kkk");
    insta::assert_snapshot!(screen(busy(), &view, (100, 24)), @r"
    strait top  7 channels in /dev/shm, 3 with problems  by name  every 1s
       CHANNEL        KIND      RATE/s DEPTH                   DROPS SIDES  NOTE
    !  prod/.services directory        offers 1                      0      1 offers are those of dead p
       prod/engine    calls      2.50k █······· 2                  0 2→1
    !! prod/fills     lanes      90.0k ████████ 1.02k              0 2→1    full: waits for receiver pid
       prod/marks     latest       777 values 30                     1→?
       prod/orders    spsc       1.23M █······· 100                0 1→1
    !! prod/quotes    broadcast   500k ████████ 1.02k         3 +3/s 1→2    full: waits for paused recei
       prod/tasks     mpmc          42 █······· 5                  0 1→2






    ┌ prod/fills ──────────────────────────────────────────────────────────────────────────────────────┐
    │full: waits for receiver pid 4712 book-builder                                                    │
    │lanes of Tick, capacity 1024, instance 00000000000000000000000000000007                           │
    │sent 91010 (90.0k/s)  unread 1024  depth 1024  dropped 0 (0/s)                                    │
    │sender 0  alive for 10 min  pid 200 worker  sent 1010 (10/s)  unread 0  dropped 0                 │
    │sender 1  alive for 10 min  pid 201 worker  sent 91000 (90.0k/s)  unread 1024  dropped 0          │
    │receiver 0  alive for 10 min  pid 4712 book-builder                                               │
    └──────────────────────────────────────────────────────────────────────────────────────────────────┘
    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
}

#[test]
fn help_and_filter() {
    let mut view = view();
    press(&mut view, &busy(), "?");
    insta::assert_snapshot!(screen(busy(), &view, (80, 19)), @r"
    strait top  7 channels in /dev/shm, 3 with problems  by name  every 1s
       CHAN┌ keys ──────────────────────────────────────────────────────────┐
    !  prod│↑ ↓  j k       choose a channel (also PgUp, PgDn, Home, End)    │ are th
       prod│Enter  d       all sides of the channel                         │
    !! prod│s              sort by name, rate, depth, drops                 │its for
       prod│r              the other way around                             │
       prod│/              show only what has a text in it                  │
    !! prod│Space          stop looking; go on                              │its for
       prod│+  -           look less often, more often                      │
           │q  Esc  ^C     quit                                             │
           │                                                                │
           │RATE   messages sent per second (calls made, values set)        │
           │DEPTH  messages that are in the way of further ones             │
           │DROPS  refused because the ring was full, and per second        │
           │LOST   overwritten before a slow reader came to them            │
           │SIDES  processes that send → that receive                       │
           │!!     messages wait for who does not come      !  worth a look │
           └────────────────────────────────────────────────────────────────┘
    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
    press(&mut view, &busy(), "x/RECORx");
    insta::assert_snapshot!(screen(busy(), &view, (80, 5)), @r"
    strait top  0 channels in /dev/shm  by name  every 1s
    none of 7 channels matches `RECORx`


    /RECORx_   Enter keeps the filter, Esc drops it
    ");
    press(&mut view, &busy(), "\u{8}\n ");
    insta::assert_snapshot!(screen(busy(), &view, (80, 5)), @r"
    strait top PAUSED  1 channel in /dev/shm, 1 with problems  by name  every 1s
       CHANNEL     KIND      RATE/s DEPTH                   DROPS NOTE
    !! prod/quotes broadcast   500k ████████ 1.02k         3 +3/s full: waits for pa

    q quit  ? help  Enter detail  s sort  / filter `RECOR`  Space pause  +- interval
    ");
    press(&mut view, &busy(), "/\u{1b}");
    assert_eq!((view.filter.as_str(), view.quit), ("", false), "Esc drops the filter");
    press(&mut view, &busy(), "\u{1b}");
    assert!(view.quit);
}

#[test]
fn nothing_and_trouble() {
    insta::assert_snapshot!(screen(Vec::new(), &view(), (80, 4)), @r"
    strait top  0 channels in /dev/shm  by name  every 1s
    no channels in /dev/shm

    q quit  ? help  Enter detail  s sort  / filter  Space pause  +- interval
    ");
    let trouble = Some("/dev/shm: cannot list it".to_owned());
    let board = Board { trouble, ..board(busy()) };
    let text = drawn(&board, &view(), (120, 12), false).to_string();
    assert!(text.contains("cannot list it") && text.contains("prod/orders"), "{text}");
}

#[test]
fn colours_are_used_unless_nobody_wants_them() {
    let colours = |wanted| {
        let backend = drawn(&board(busy()), &view(), (120, 12), wanted);
        let cells = backend.buffer().content().iter();
        cells.filter(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset)).count()
    };
    assert!(colours(true) > 0);
    assert_eq!(colours(false), 0);
}

#[test]
fn keys_choose_what_is_shown() {
    let (rows, mut view) = (busy(), view());
    let order = |view: &View| {
        view.arranged(&rows).iter().map(|row| row.channel.clone()).collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!(order(&view), @".services engine fills marks orders quotes tasks");
    press(&mut view, &rows, "s");
    insta::assert_snapshot!(order(&view), @"orders quotes fills engine marks tasks .services");
    press(&mut view, &rows, "s");
    insta::assert_snapshot!(order(&view), @"fills quotes orders tasks engine .services marks");
    press(&mut view, &rows, "s");
    insta::assert_snapshot!(order(&view), @"quotes engine fills orders tasks .services marks");
    press(&mut view, &rows, "--");
    assert_eq!(view.interval, Duration::from_millis(200));
    press(&mut view, &rows, "----+");
    assert_eq!(view.interval, Duration::from_millis(200));
    press(&mut view, &rows, "Gkk");
    let chosen = |view: &View, rows: &[Row]| {
        let shown = view.arranged(rows);
        view.selected(&shown).map(|at| shown[at].channel.clone())
    };
    let before = chosen(&view, &rows);
    press(&mut view, &rows, "sr");
    assert_eq!(chosen(&view, &rows), before, "it is the channel that is chosen, not its place");
    let others: Vec<Row> =
        rows.iter().filter(|row| Some(&row.channel) != before.as_ref()).cloned().collect();
    assert!(chosen(&view, &others).is_some_and(|other| Some(other) != before));
    view.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), &rows);
    assert!(view.quit);
}
