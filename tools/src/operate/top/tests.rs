//! Screens and rates of channels that were never there: their numbers are the same in every run.

use super::detail::Theme;
use super::model::{Counted, Part, Row, rows};
use super::screen::{Board, draw};
use super::view::{Sort, View};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;
use std::time::Duration;
use strait_ipc::endpoint::{Condition, Holder, Role};
use strait_ipc::ring::geometry::{CellFormat, Discipline, Geometry};
use strait_ipc::ring::spsc::Corrupt;
use strait_ipc::segment::layout::LAYOUT_VERSION;
use strait_ipc::segment::survey::{
    ChannelSurvey, Flow, HeaderState, HeaderSurvey, LaneFlow, OfferSurvey, Parts, ReaderFlow, Side,
    Usage, Values,
};
use strait_ipc::segment::{Birth, Survey};

const SECOND: Duration = Duration::from_secs(1);
const NOW: u64 = 1_000 * 1_000_000_000;

fn side(role: Role, condition: Condition, pid: u32, program: &str) -> Side {
    let ended = [Condition::Died, Condition::Closed].contains(&condition);
    let ended_unix_ns = ended.then_some(NOW - 42_000_000_000);
    let since_unix_ns = NOW - 600_000_000_000;
    let (program, epoch) = (program.to_owned(), 1);
    Side { role, condition, holder: Holder { pid, program, since_unix_ns, ended_unix_ns, epoch } }
}

fn sender(condition: Condition) -> Side {
    side(Role::Producer, condition, 4711, "feed-handler")
}

fn receiver(condition: Condition) -> Side {
    side(Role::Consumer, condition, 4712, "book-builder")
}

fn flow(sent: u64, unread: u64, dropped: u64, parts: Parts) -> Flow {
    let consumed = sent.wrapping_sub(unread);
    Flow { sent, unread: Ok(unread), consumed, dropped, producers: 1, consumers: 1, parts }
}

fn survey(channel: &str, discipline: Discipline, sides: Vec<Side>, flow: Option<Flow>) -> Survey {
    let geometry = Geometry::new(1024, CellFormat::Wide { bytes: 256 }).unwrap();
    let path = format!("/dev/shm/strait-1000-prod+{channel}");
    // The name is that of the file.
    let mut survey = Survey::of_path("/dev/null".as_ref()).unwrap().unwrap();
    survey.name = strait_ipc::segment::SegmentName::of_file(&path["/dev/shm/".len()..]);
    survey.path = path.into();
    survey.troubles.clear();
    survey.usage = Usage::Open;
    survey.header = Some(HeaderSurvey {
        layout_version: LAYOUT_VERSION,
        birth: Birth { instance: 7, uid: 1000, pid: 1, unix_ns: NOW },
        total_bytes: 0,
        state: HeaderState::Live,
        channel_count: 1,
    });
    survey.channels.push(ChannelSurvey {
        label: channel.to_owned(),
        schema: "Tick{price:f64@0}#8/8".to_owned(),
        fingerprint: 1,
        geometry: geometry.with_discipline(discipline).unwrap(),
        sides,
        flow,
        offers: None,
    });
    survey
}

/// One sender, one receiver.
fn pair(channel: &str, conditions: (Condition, Condition), flow: Flow) -> Survey {
    let sides = vec![sender(conditions.0), receiver(conditions.1)];
    survey(channel, Discipline::Spsc, sides, Some(flow))
}

const ALIVE: (Condition, Condition) = (Condition::Alive, Condition::Alive);

fn reader(receiver: usize, behind: u64, waits: u64, waited_for: bool, lost: u64) -> ReaderFlow {
    let most_behind = 1024;
    ReaderFlow { receiver, present: true, waited_for, cursor: 0, behind, most_behind, waits, lost }
}

/// Channels of every kind, after so many seconds.
fn machine(seconds: u64) -> Vec<Survey> {
    let at = |per_second: u64| 1_000 + per_second * seconds;
    let lane = |sender, sent, unread| LaneFlow { sender, sent, unread: Ok(unread), dropped: 0 };
    let many = |count: u32, role, from: u32| {
        (0..count).map(move |side_of| side(role, Condition::Alive, from + side_of, "worker"))
    };
    let lanes = Parts::Lanes(vec![lane(0, at(10), 0), lane(1, at(90_000), 1024)]);
    let readers =
        vec![reader(0, 1024, 12 * seconds, true, 0), reader(1, 3, 0, false, 500 * seconds)];
    let values = Parts::Values(Values { looked_at: 1024, set: 30, versions: vec![1; 30] });
    let mut directory = survey(".services", Discipline::Directory { members: 2 }, Vec::new(), None);
    let offer = |id, condition| OfferSurvey {
        id,
        interface: "engine".to_owned(),
        name: String::new(),
        address: "orders".to_owned(),
        ranking: 0,
        property_bytes: 0,
        member: None,
        condition,
    };
    directory.channels[0].offers =
        Some(vec![offer(1, Condition::Alive), offer(2, Condition::Died)]);
    vec![
        directory,
        survey(
            "engine",
            Discipline::Calls { clients: 2 },
            many(2, Role::Producer, 100).chain([receiver(Condition::Alive)]).collect(),
            Some(flow(at(2_500), 2, 0, Parts::Lanes(vec![lane(0, at(2_500), 2)]))),
        ),
        survey(
            "fills",
            Discipline::Lanes { senders: 2 },
            many(2, Role::Producer, 200).chain([receiver(Condition::Alive)]).collect(),
            Some(flow(at(90_010), 1024, 0, lanes)),
        ),
        survey(
            "marks",
            Discipline::Latest,
            vec![sender(Condition::Alive)],
            Some(flow(at(777), 30, 0, values)),
        ),
        pair("orders", ALIVE, flow(at(1_234_567), 100, 0, Parts::Pair)),
        survey(
            "quotes",
            Discipline::Broadcast { readers: 2 },
            vec![
                sender(Condition::Alive),
                side(Role::Consumer, Condition::Paused, 300, "recorder"),
                side(Role::Consumer, Condition::Alive, 301, "screen"),
            ],
            Some(flow(at(500_000), 1024, 3 * seconds, Parts::Readers(readers))),
        ),
        survey(
            "tasks",
            Discipline::Mpmc { senders: 1, receivers: 2 },
            [sender(Condition::Alive)].into_iter().chain(many(2, Role::Consumer, 400)).collect(),
            Some(flow(at(42), 7, 0, Parts::InHand(2))),
        ),
    ]
}

/// What is told of the second of two looks a second apart.
fn told(looks: [&[Survey]; 2]) -> Vec<Row> {
    let mut counted = Counted::default();
    rows(looks[0], &mut counted, Duration::ZERO);
    rows(looks[1], &mut counted, SECOND)
}

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

fn busy() -> Vec<Row> {
    told([&machine(0), &machine(1)])
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
