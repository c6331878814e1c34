//! Screens and rates of channels that were never there: their numbers are the same in every run.

mod rates;
mod screens;

use super::model::{Counted, Row, rows};
use std::time::Duration;
use strait_ipc::endpoint::{Condition, Holder, Role};
use strait_ipc::ring::geometry::{CellFormat, Discipline, Geometry};
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

fn busy() -> Vec<Row> {
    told([&machine(0), &machine(1)])
}
