//! What was found, for programs. Times are nanoseconds since 1970-01-01 00:00 UTC; what is not known
//! is null.

use super::words;
use anyhow::Result;
use serde::Serialize;
use strait_ipc::endpoint::{Condition, Role};
use strait_ipc::message::type_name;
use strait_ipc::ring::geometry::CellFormat;
use strait_ipc::segment::Survey;
use strait_ipc::segment::survey::{
    ChannelSurvey, Flow, LaneFlow, OfferSurvey, Parts, ReaderFlow, Side, Values,
};

/// Prints one object.
pub(super) fn print(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

#[derive(Debug, Serialize)]
pub(super) struct Segment {
    path: String,
    domain: Option<String>,
    channel: Option<String>,
    /// The user id in the file's name.
    user: Option<u32>,
    /// The file's owner.
    owner: u32,
    bytes: u64,
    allocated_bytes: u64,
    usage: &'static str,
    layout_version: Option<u32>,
    state: Option<String>,
    instance: Option<String>,
    created_unix_ns: Option<u64>,
    creator_pid: Option<u32>,
    creator_uid: Option<u32>,
    channels: Vec<Channel>,
    troubles: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Channel {
    label: String,
    discipline: &'static str,
    #[serde(rename = "type")]
    type_name: String,
    schema: String,
    fingerprint: String,
    capacity: u64,
    cell_format: &'static str,
    cell_bytes: usize,
    /// Whether the channel was made for sides that may sleep.
    parking: bool,
    /// Messages sent; of latest values, how often one was set.
    sent: Option<u64>,
    unread: Option<u64>,
    /// How many messages are in the way of further ones.
    depth: Option<u64>,
    consumed: Option<u64>,
    dropped: Option<u64>,
    /// How many have been sender, or receiver.
    senders_so_far: Option<u64>,
    receivers_so_far: Option<u64>,
    damage: Option<String>,
    senders: Vec<End>,
    receivers: Vec<End>,
    /// Of lanes and of calls: a ring for each sender that ever was.
    lanes: Option<Vec<Lane>>,
    /// Of a broadcast: those that the sender knows.
    readers: Option<Vec<Reader>>,
    /// Of several senders and receivers: messages in the hands of receivers.
    in_hand: Option<u64>,
    /// Of latest values.
    values: Option<Keys>,
    /// Of a directory.
    offers: Option<Vec<Offer>>,
}

#[derive(Debug, Serialize)]
struct Offer {
    id: u64,
    interface: String,
    name: String,
    address: String,
    ranking: i64,
    property_bytes: usize,
    /// Whose it is, among the senders.
    member: Option<usize>,
    condition: &'static str,
}

#[derive(Debug, Serialize)]
struct Lane {
    /// Whose it is, among the senders.
    sender: usize,
    sent: u64,
    unread: Option<u64>,
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct Reader {
    /// Who, among the receivers.
    receiver: usize,
    present: bool,
    waited_for: bool,
    cursor: u64,
    behind: u64,
    most_behind: u64,
    waits: u64,
    lost: u64,
}

#[derive(Debug, Serialize)]
struct Keys {
    /// How many were looked at: the first ones, if there are very many.
    looked_at: u64,
    set: u64,
    /// How often each of the first ones was set.
    versions: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct End {
    condition: &'static str,
    pid: Option<u32>,
    program: Option<String>,
    since_unix_ns: Option<u64>,
    ended_unix_ns: Option<u64>,
    epoch: u64,
}

impl From<&Survey> for Segment {
    fn from(survey: &Survey) -> Self {
        let name = survey.name.as_ref();
        let header = survey.header.as_ref();
        let birth = header.map(|header| header.birth);
        Self {
            path: survey.path.display().to_string(),
            domain: name.map(|(_, name)| name.domain().to_owned()),
            channel: name.map(|(_, name)| name.channel().to_owned()),
            user: name.map(|&(user, _)| user),
            owner: survey.owner,
            bytes: survey.bytes,
            allocated_bytes: survey.allocated,
            usage: words::usage(survey.usage),
            layout_version: header.map(|header| header.layout_version),
            state: header.map(|header| words::state(header.state)),
            instance: birth.map(|birth| format!("{:032x}", birth.instance)),
            created_unix_ns: birth.map(|birth| birth.unix_ns),
            creator_pid: birth.map(|birth| birth.pid),
            creator_uid: birth.map(|birth| birth.uid),
            channels: survey.channels.iter().map(Channel::from).collect(),
            troubles: survey.troubles.iter().map(|t| words::trouble(survey, t)).collect(),
        }
    }
}

impl From<&ChannelSurvey> for Channel {
    fn from(channel: &ChannelSurvey) -> Self {
        let cell = channel.geometry.cell();
        let flow = |number: fn(&Flow) -> u64| channel.flow.as_ref().map(number);
        let parts = channel.flow.as_ref().map(|flow| &flow.parts);
        Self {
            label: channel.label.clone(),
            discipline: words::discipline(channel.geometry.discipline()),
            type_name: type_name(&channel.schema).to_owned(),
            schema: channel.schema.clone(),
            fingerprint: format!("{:032x}", channel.fingerprint),
            capacity: channel.geometry.capacity(),
            cell_format: if cell == CellFormat::Dense { "dense" } else { "wide" },
            cell_bytes: cell.stride(),
            parking: channel.geometry.parking(),
            sent: flow(|flow| flow.sent),
            unread: channel.unread(),
            depth: channel.depth(),
            // Of latest values nobody knows.
            consumed: flow(|flow| flow.consumed)
                .filter(|_| !matches!(parts, Some(Parts::Values(_)))),
            dropped: flow(|flow| flow.dropped),
            senders_so_far: flow(|flow| flow.producers),
            receivers_so_far: flow(|flow| flow.consumers),
            damage: words::contradiction(channel),
            senders: channel.sides(Role::Producer).map(End::from).collect(),
            receivers: channel.sides(Role::Consumer).map(End::from).collect(),
            lanes: match parts {
                Some(Parts::Lanes(lanes)) => Some(lanes.iter().map(Lane::from).collect()),
                _ => None,
            },
            readers: match parts {
                Some(Parts::Readers(readers)) => Some(readers.iter().map(Reader::from).collect()),
                _ => None,
            },
            in_hand: match parts {
                Some(&Parts::InHand(in_hand)) => Some(in_hand),
                _ => None,
            },
            values: match parts {
                Some(Parts::Values(values)) => Some(Keys::from(values)),
                _ => None,
            },
            offers: channel.offers.as_ref().map(|offers| offers.iter().map(Offer::from).collect()),
        }
    }
}

impl From<&LaneFlow> for Lane {
    fn from(lane: &LaneFlow) -> Self {
        let LaneFlow { sender, sent, unread, dropped } = *lane;
        Self { sender, sent, unread: unread.ok(), dropped }
    }
}

impl From<&ReaderFlow> for Reader {
    fn from(reader: &ReaderFlow) -> Self {
        let ReaderFlow { receiver, present, waited_for, .. } = *reader;
        let ReaderFlow { cursor, behind, most_behind, waits, lost, .. } = *reader;
        Self { receiver, present, waited_for, cursor, behind, most_behind, waits, lost }
    }
}

impl From<&Values> for Keys {
    fn from(values: &Values) -> Self {
        let Values { looked_at, set, versions } = values.clone();
        Self { looked_at, set, versions }
    }
}

impl From<&OfferSurvey> for Offer {
    fn from(offer: &OfferSurvey) -> Self {
        let OfferSurvey { id, ranking, property_bytes, member, condition, .. } = *offer;
        let OfferSurvey { interface, name, address, .. } = offer.clone();
        let condition = words::condition(condition);
        Self { id, interface, name, address, ranking, property_bytes, member, condition }
    }
}

impl From<&Side> for End {
    fn from(side: &Side) -> Self {
        let holder = (side.condition != Condition::Absent).then_some(&side.holder);
        Self {
            condition: words::condition(side.condition),
            pid: holder.map(|holder| holder.pid),
            program: holder.map(|holder| holder.program.clone()),
            since_unix_ns: holder.map(|holder| holder.since_unix_ns),
            ended_unix_ns: holder.and_then(|holder| holder.ended_unix_ns),
            epoch: side.holder.epoch,
        }
    }
}
