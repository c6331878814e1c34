//! The words in which channels are described.

use strait_ipc::endpoint::Condition;
use strait_ipc::ring::geometry::Discipline;
pub(super) use strait_ipc::segment::kernel::printable;
use strait_ipc::segment::survey::{ChannelSurvey, HeaderState, OfferSurvey, Parts, Usage};
use strait_ipc::segment::{Fault, SegmentError, Survey};

pub(super) fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Absent => "absent",
        Condition::Alive => "alive",
        Condition::Paused => "paused",
        Condition::Closed => "closed",
        Condition::Died => "dead",
    }
}

pub(super) fn discipline(discipline: Discipline) -> &'static str {
    match discipline {
        Discipline::Spsc => "spsc",
        Discipline::Lanes { .. } => "lanes",
        Discipline::Mpmc { .. } => "mpmc",
        Discipline::Broadcast { .. } => "broadcast",
        Discipline::Latest => "latest",
        Discipline::Calls { .. } => "calls",
        Discipline::Directory { .. } => "directory",
        _ => "other",
    }
}

pub(super) fn usage(usage: Usage) -> &'static str {
    match usage {
        Usage::Unused => "unused",
        Usage::Open => "open",
        Usage::Removing => "removing",
        Usage::Unknown => "unknown",
    }
}

pub(super) fn state(state: HeaderState) -> String {
    match state {
        HeaderState::Live => "live".to_owned(),
        HeaderState::Retired => "retired".to_owned(),
        HeaderState::Other(other) => format!("unknown ({other})"),
    }
}

/// What is wrong, without the path.
pub(super) fn trouble(survey: &Survey, trouble: &SegmentError) -> String {
    let text = trouble.to_string();
    let path = format!("{}: ", survey.path.display());
    printable(text.strip_prefix(&path).unwrap_or(&text))
}

/// Why the channel's ring cannot be believed.
pub(super) fn contradiction(channel: &ChannelSurvey) -> Option<String> {
    let corrupt = channel.flow.as_ref()?.unread.err()?;
    Some(format!("damaged: {corrupt}; end its users and remove the channel"))
}

/// Whom the sender of a channel waits for, whose ring is full.
pub(super) fn full(channel: &ChannelSurvey) -> String {
    let capacity = channel.geometry.capacity();
    let lanes = channel.flow.as_ref().map(|flow| &flow.parts);
    match (channel.slowest(), lanes) {
        (Some(slowest), _) => {
            let receiver = slowest.receiver;
            format!("the ring is full: receiver {receiver} is behind by its whole capacity")
        }
        (None, Some(Parts::Lanes(lanes))) => {
            let full = lanes.iter().find(|lane| lane.unread == Ok(capacity));
            let sender = full.map_or(0, |lane| lane.sender);
            format!("the ring of sender {sender} is full: the receiver is behind by its capacity")
        }
        _ => "the ring is full: the receiver is behind by its whole capacity".to_owned(),
    }
}

/// Bytes that have no memory behind them.
pub(super) fn holes(survey: &Survey) -> u64 {
    // Of anything but a segment, that is nobody's business.
    survey.header.map_or(0, |_| survey.bytes.saturating_sub(survey.allocated))
}

/// The user whose segment it is called, unless it is this one.
pub(super) fn other_user(survey: &Survey) -> Option<u32> {
    let own = rustix::process::geteuid().as_raw();
    let named = survey.name.as_ref().map(|&(user, _)| user);
    named.into_iter().chain([survey.owner]).find(|&user| user != own)
}

/// What is special about a segment, in a few words.
pub(super) fn note(survey: &Survey) -> String {
    let mut notes = peculiarities(survey);
    let offers = survey.channels.iter().filter_map(|channel| channel.offers.as_ref());
    let lives = |offer: &&OfferSurvey| offer.condition.lives();
    notes.extend(offers.map(|offers| format!("{} offers", offers.iter().filter(lives).count())));
    match survey.usage {
        Usage::Unused if survey.header.is_some() => notes.push("unused".to_owned()),
        Usage::Removing => notes.push("being removed".to_owned()),
        _ => {}
    }
    notes.join(", ")
}

/// As [`note`], whoever uses it.
pub(super) fn peculiarities(survey: &Survey) -> Vec<String> {
    let mut notes: Vec<String> =
        other_user(survey).iter().map(|user| format!("user {user}")).collect();
    notes.extend(survey.troubles.iter().filter_map(|trouble| {
        Some(match trouble {
            SegmentError::Foreign { .. } => return None,
            SegmentError::Invalid { fault: Fault::NotASegment(_), .. } => {
                "not a segment".to_owned()
            }
            SegmentError::Invalid { fault: Fault::Foreign { what, found, .. }, .. } => {
                format!("{what} {found}")
            }
            SegmentError::Invalid { .. } => "damaged".to_owned(),
            _ => "unreadable".to_owned(),
        })
    }));
    if survey.channels.iter().any(|channel| contradiction(channel).is_some()) {
        notes.push("damaged".to_owned());
    }
    if survey.header.is_some_and(|header| header.state == HeaderState::Retired) {
        notes.push("retired".to_owned());
    }
    if holes(survey) > 0 {
        notes.push("holes".to_owned());
    }
    notes
}
