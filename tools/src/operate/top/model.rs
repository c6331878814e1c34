//! From two looks to what is told: what each channel does per second, how full it is, who is there, and
//! what is wrong with it. Nothing here looks at a file, a clock or a terminal.

use super::problems::{self, Problem};
use crate::operate::words;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;
use strait_ipc::endpoint::{Condition, Role};
use strait_ipc::message::type_name;
use strait_ipc::segment::Survey;
use strait_ipc::segment::survey::{ChannelSurvey, LaneFlow, Parts, ReaderFlow, Side};

/// What there is to tell of one channel, or of a file that holds none that can be read.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Row {
    #[serde(skip)]
    pub(super) key: Key,
    pub(super) domain: String,
    pub(super) channel: String,
    /// Which segment of that name it is.
    pub(super) instance: Option<String>,
    pub(super) kind: &'static str,
    #[serde(rename = "type")]
    pub(super) type_name: String,
    pub(super) capacity: Option<u64>,
    /// Messages sent so far: calls made, values set.
    pub(super) sent: Option<u64>,
    pub(super) sent_per_s: Option<f64>,
    pub(super) unread: Option<u64>,
    /// How many of the capacity are in the way of further messages.
    pub(super) depth: Option<u64>,
    pub(super) dropped: Option<u64>,
    pub(super) dropped_per_s: Option<f64>,
    /// Messages that known readers of a broadcast were too slow for.
    pub(super) lost: Option<u64>,
    pub(super) lost_per_s: Option<f64>,
    /// Of latest values: keys that have one.
    pub(super) values: Option<u64>,
    /// Of a directory.
    pub(super) offers: Option<Offers>,
    /// Whom the sender waits for, as the ring is full.
    pub(super) held_up_by: Option<String>,
    /// When the first of those died whose places nobody has taken since, as far as it was noticed.
    pub(super) oldest_death_unix_ns: Option<u64>,
    pub(super) senders: Vec<End>,
    pub(super) receivers: Vec<End>,
    /// The worst first.
    pub(super) problems: Vec<Problem>,
}

/// What tells a channel from all others, and from those that had its name before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    path: PathBuf,
    instance: u128,
    channel: usize,
}

/// What is offered in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Offers {
    pub(super) alive: usize,
    pub(super) dead: usize,
}

/// Who has a side, or had it last.
#[derive(Clone, Debug, Serialize)]
pub(super) struct End {
    /// Which of the channel's sides in that role.
    pub(super) index: usize,
    #[serde(serialize_with = "in_words")]
    pub(super) condition: Condition,
    pub(super) pid: u32,
    pub(super) program: String,
    pub(super) since_unix_ns: u64,
    pub(super) ended_unix_ns: Option<u64>,
    #[serde(flatten)]
    pub(super) part: Option<Part>,
}

/// What of the channel's flow belongs to one side.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Part {
    /// A ring of its own.
    Lane { sent: u64, sent_per_s: Option<f64>, unread: Option<u64>, dropped: u64 },
    /// A cursor of its own.
    Reader {
        waited_for: bool,
        behind: u64,
        most_behind: u64,
        waits: u64,
        waits_per_s: Option<f64>,
        lost: u64,
        lost_per_s: Option<f64>,
    },
}

// Serde hands a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn in_words<S: serde::Serializer>(condition: &Condition, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(words::condition(*condition))
}

/// What was counted at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted(HashMap<Key, Counters>);

/// What one channel had counted; by side, where that has a part of its own.
#[derive(Clone, Debug, Default)]
struct Counters {
    sent: u64,
    dropped: u64,
    lanes: BTreeMap<usize, u64>,
    readers: BTreeMap<usize, ReaderFlow>,
}

impl Counters {
    fn of(channel: &ChannelSurvey) -> Option<Self> {
        let flow = channel.flow.as_ref()?;
        let mut counters = Self { sent: flow.sent, dropped: flow.dropped, ..Self::default() };
        match &flow.parts {
            Parts::Lanes(lanes) => {
                counters.lanes = lanes.iter().map(|lane| (lane.sender, lane.sent)).collect();
            }
            Parts::Readers(readers) => {
                counters.readers =
                    readers.iter().map(|reader| (reader.receiver, *reader)).collect();
            }
            Parts::Pair | Parts::InHand(_) | Parts::Values(_) => {}
        }
        Some(counters)
    }

    fn lost(&self) -> u64 {
        self.readers.values().fold(0, |sum, reader| sum.wrapping_add(reader.lost))
    }
}

/// How much a counter has grown per second; `None` if it went back, or no time has passed.
///
/// Counters go around after `u64::MAX`; growth by more than half of that is none.
fn per_second(now: u64, before: u64, elapsed: Duration) -> Option<f64> {
    let grown = u64::try_from(now.wrapping_sub(before).cast_signed()).ok()?;
    (!elapsed.is_zero()).then(|| grown as f64 / elapsed.as_secs_f64())
}

/// What was found, told beside what was counted `elapsed` ago; that is renewed.
///
/// A segment that was not there at the last look has no rates: neither has one that was removed and made
/// anew since, as it is another instance.
pub(super) fn rows(surveys: &[Survey], counted: &mut Counted, elapsed: Duration) -> Vec<Row> {
    let before = std::mem::take(counted);
    let mut rows = Vec::new();
    for survey in surveys {
        let instance = survey.header.map_or(0, |header| header.birth.instance);
        let key = |channel| Key { path: survey.path.clone(), instance, channel };
        if survey.channels.is_empty() {
            rows.push(Row { problems: problems::of_file(survey), ..bare(survey, key(0)) });
        }
        for (index, channel) in survey.channels.iter().enumerate() {
            let mut row =
                Row { capacity: Some(channel.geometry.capacity()), ..bare(survey, key(index)) };
            let since = before.0.get(&row.key).map(|counters| (counters, elapsed));
            let now = Counters::of(channel);
            row.tell(survey, channel, now.as_ref(), since);
            counted.0.extend(now.map(|counters| (row.key.clone(), counters)));
            rows.push(row);
        }
    }
    rows
}

/// A row of what the file's name tells.
fn bare(survey: &Survey, key: Key) -> Row {
    let (domain, channel) = match &survey.name {
        Some((_, name)) => (name.domain().to_owned(), name.channel().to_owned()),
        None => (String::new(), survey.path.display().to_string()),
    };
    Row {
        domain,
        channel,
        instance: survey.header.map(|header| format!("{:032x}", header.birth.instance)),
        key,
        kind: "?",
        ..Row::default()
    }
}

impl Row {
    fn tell(
        &mut self,
        survey: &Survey,
        channel: &ChannelSurvey,
        now: Option<&Counters>,
        since: Option<(&Counters, Duration)>,
    ) {
        // A segment of several channels has labels of its own.
        if channel.label != self.channel {
            self.channel = words::printable(&format!("{} {}", self.channel, channel.label));
        }
        self.kind = words::discipline(channel.geometry.discipline());
        self.type_name = words::printable(type_name(&channel.schema));
        self.unread = channel.unread();
        self.depth = channel.depth();
        if let (Some(flow), Some(now)) = (&channel.flow, now) {
            let count = |of: fn(&Counters) -> u64| {
                let rate = since.and_then(|(then, elapsed)| per_second(of(now), of(then), elapsed));
                (Some(of(now)), rate)
            };
            (self.sent, self.sent_per_s) = count(|counters| counters.sent);
            if let Parts::Values(values) = &flow.parts {
                self.values = Some(values.set);
                self.unread = None;
            } else {
                (self.dropped, self.dropped_per_s) = count(|counters| counters.dropped);
            }
            if let Parts::Readers(_) = &flow.parts {
                (self.lost, self.lost_per_s) = count(Counters::lost);
            }
        }
        if let Some(offers) = &channel.offers {
            let dead = offers.iter().filter(|offer| offer.condition == Condition::Died).count();
            self.offers = Some(Offers { alive: offers.len() - dead, dead });
            self.unread = None;
        }
        self.senders = ends(channel, Role::Producer, since);
        self.receivers = ends(channel, Role::Consumer, since);
        let deaths = self.ends().filter(|(_, end)| end.condition == Condition::Died);
        self.oldest_death_unix_ns = deaths.filter_map(|(_, end)| end.ended_unix_ns).min();
        self.held_up_by = problems::held_up_by(self);
        self.problems = problems::of_channel(survey, channel, self);
    }

    /// What it is called in a table.
    pub(super) fn name(&self) -> String {
        if self.domain.is_empty() {
            self.channel.clone()
        } else {
            format!("{}/{}", self.domain, self.channel)
        }
    }

    /// Its sides, with what they are called.
    pub(super) fn ends(&self) -> impl Iterator<Item = (&'static str, &End)> {
        let (sender, receiver) = match self.kind {
            "calls" => ("client", "server"),
            "directory" => ("member", "member"),
            _ => ("sender", "receiver"),
        };
        let senders = self.senders.iter().map(move |end| (sender, end));
        senders.chain(self.receivers.iter().map(move |end| (receiver, end)))
    }

    /// How full it is, from 0 to 1.
    pub(super) fn fullness(&self) -> Option<f64> {
        let (depth, capacity) = (self.depth?, self.capacity?);
        Some(depth as f64 / capacity.max(1) as f64)
    }

    /// Whether the sender waits, or soon will: a receiver tells of what it has read every eighth of the ring.
    pub(super) fn is_full(&self) -> bool {
        let (Some(depth), Some(capacity)) = (self.depth, self.capacity) else { return false };
        depth > 0 && depth.saturating_add(capacity / 8) >= capacity
    }
}

/// Those that somebody has or had.
fn ends(channel: &ChannelSurvey, role: Role, since: Option<(&Counters, Duration)>) -> Vec<End> {
    let known = |(_, side): &(usize, &Side)| side.condition != Condition::Absent;
    let end = |(index, side): (usize, &Side)| End {
        index,
        condition: side.condition,
        pid: side.holder.pid,
        program: words::printable(&side.holder.program),
        since_unix_ns: side.holder.since_unix_ns,
        ended_unix_ns: side.holder.ended_unix_ns,
        part: part(channel, role, index, since),
    };
    channel.sides(role).enumerate().filter(known).map(end).collect()
}

fn part(
    channel: &ChannelSurvey,
    role: Role,
    index: usize,
    since: Option<(&Counters, Duration)>,
) -> Option<Part> {
    match role {
        Role::Producer => {
            let LaneFlow { sent, unread, dropped, .. } = *channel.lane(index)?;
            let sent_per_s = since.and_then(|(counters, elapsed)| {
                // Its first message may have come since.
                per_second(sent, counters.lanes.get(&index).copied().unwrap_or(0), elapsed)
            });
            Some(Part::Lane { sent, sent_per_s, unread: unread.ok(), dropped })
        }
        Role::Consumer => {
            let ReaderFlow { waited_for, behind, most_behind, waits, lost, .. } =
                *channel.reader(index)?;
            let rate = |now, before: fn(&ReaderFlow) -> u64| {
                let (counters, elapsed) = since?;
                per_second(now, counters.readers.get(&index).map_or(0, before), elapsed)
            };
            Some(Part::Reader {
                waited_for,
                behind,
                most_behind,
                waits,
                waits_per_s: rate(waits, |reader| reader.waits),
                lost,
                lost_per_s: rate(lost, |reader| reader.lost),
            })
        }
    }
}
