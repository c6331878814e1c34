//! What an actor is told on its command line.
//!
//! One word for each thing, in a fixed order: actors start by the thousand, and need no parser of
//! options.

use crate::journal::Side;
use std::str::FromStr;
use strait_pools::marks::fail_points::FailPoint;

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Holds a side, or tries until it does, and uses it.
    Holder(Side),
    /// Waits for the receiver's end and takes its place.
    Standby,
    /// Tries once to take a side that another holds: must be refused.
    Intruder(Side),
    /// Makes a memory segment.
    Maker,
    /// Tries to open another user's file: must be refused.
    Foreigner,
    /// Takes both sides, reads what is left, and tries whether all room for large messages is free.
    Auditor,
}

const PARTS: &[(Part, &str)] = &[
    (Part::Holder(Side::Sender), "sender"),
    (Part::Holder(Side::Receiver), "receiver"),
    (Part::Standby, "standby"),
    (Part::Intruder(Side::Sender), "intruding-sender"),
    (Part::Intruder(Side::Receiver), "intruding-receiver"),
    (Part::Maker, "maker"),
    (Part::Foreigner, "foreigner"),
    (Part::Auditor, "auditor"),
];

/// What kind of messages a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A plain struct of 48 bytes.
    Plain,
    /// A string and a vector.
    Rich,
    /// Bytes of any length.
    Bytes,
    /// One word, in dense cells.
    Dense,
    /// Strings and vectors, of which many are too long for a cell, and lie in a small arena.
    Large,
    /// Bytes, of which many are too long for a cell.
    LargeBytes,
    /// A string and a vector, in few blocks: their receiver keeps some of them.
    Kept,
}

const KINDS: &[(Kind, &str)] = &[
    (Kind::Plain, "plain"),
    (Kind::Rich, "rich"),
    (Kind::Bytes, "bytes"),
    (Kind::Dense, "dense"),
    (Kind::Large, "large"),
    (Kind::LargeBytes, "large-bytes"),
    (Kind::Kept, "kept"),
];

/// How an actor waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// Polls without pause.
    BusySpin,
    /// Polls with a pause between two polls.
    Pauses,
    /// Polls with pauses that grow, then gives the core away.
    Backoff,
    /// Gives the core away between polls.
    Yield,
    /// Sleeps at once.
    Park,
    /// Sleeps after polling, or at once while that does not pay.
    Adaptive,
}

const WAITS: &[(Waiting, &str)] = &[
    (Waiting::BusySpin, "busy-spin"),
    (Waiting::Pauses, "pauses"),
    (Waiting::Backoff, "backoff"),
    (Waiting::Yield, "yield"),
    (Waiting::Park, "park"),
    (Waiting::Adaptive, "adaptive"),
];

/// Everything an actor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What it does.
    pub part: Part,
    /// Its number among the actors of its channel.
    pub number: u32,
    /// Where the channel is; empty if it is in the memory segment that the actor inherits. For a
    /// foreigner: the other user's file.
    pub directory: String,
    /// What the channel carries.
    pub kind: Kind,
    /// How many messages the ring holds.
    pub capacity: u64,
    /// Blocks for messages that are kept; 0 for messages that are not.
    pub blocks: u64,
    /// Whether the channel's sides may sleep, this one or the other.
    pub parking: bool,
    /// How it waits.
    pub wait: Waiting,
    /// How long it waits before it asks whether the peer lives, in microseconds; 0: it never asks, and
    /// never wakes to do so.
    pub slice: u64,
    /// Seed of its own choices.
    pub seed: u64,
    /// Messages of a batch, at most; 1 for none.
    pub batch: u64,
    /// Messages after which it closes and opens again; 0: when told.
    pub session: u64,
    /// Whether it may wait without a limit.
    pub patient: bool,
    /// What happens at marks from its birth on.
    pub arms: Vec<FailPoint>,
}

impl Spec {
    /// The words for its command line.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![
            name(PARTS, self.part).to_owned(),
            self.number.to_string(),
            self.directory.clone(),
            name(KINDS, self.kind).to_owned(),
            self.capacity.to_string(),
            self.blocks.to_string(),
            self.parking.to_string(),
            name(WAITS, self.wait).to_owned(),
            self.slice.to_string(),
            self.seed.to_string(),
            self.batch.to_string(),
            self.session.to_string(),
            self.patient.to_string(),
        ];
        words.extend(self.arms.iter().map(FailPoint::to_string));
        words
    }

    /// What those words say.
    ///
    /// # Errors
    ///
    /// The word that is wrong or missing.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let [part, number, directory, kind, capacity, blocks, rest @ ..] = words else {
            return Err(format!("{} words are too few for an actor", words.len()));
        };
        let [parking, wait, slice, seed, batch, session, patient, arms @ ..] = rest else {
            return Err(format!("{} words are too few for an actor", words.len()));
        };
        Ok(Self {
            part: called(PARTS, part)?,
            number: parsed(number)?,
            directory: directory.clone(),
            kind: called(KINDS, kind)?,
            capacity: parsed(capacity)?,
            blocks: parsed(blocks)?,
            parking: parsed(parking)?,
            wait: called(WAITS, wait)?,
            slice: parsed(slice)?,
            seed: parsed(seed)?,
            batch: parsed(batch)?,
            session: parsed(session)?,
            patient: parsed(patient)?,
            arms: arms.iter().map(|arm| parsed(arm)).collect::<Result<_, _>>()?,
        })
    }
}

impl Kind {
    /// What reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        name(KINDS, self)
    }

    /// Whether its messages have no type.
    #[must_use]
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::Bytes | Self::LargeBytes)
    }

    /// Whether some of its messages lie in an arena.
    #[must_use]
    pub fn has_arena(self) -> bool {
        matches!(self, Self::Large | Self::LargeBytes)
    }
}

impl Part {
    /// What reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        name(PARTS, self)
    }

    /// The side it may come to hold.
    #[must_use]
    pub fn side(self) -> Option<Side> {
        match self {
            Self::Holder(side) | Self::Intruder(side) => Some(side),
            Self::Standby => Some(Side::Receiver),
            Self::Maker | Self::Foreigner | Self::Auditor => None,
        }
    }
}

fn name<T: PartialEq>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|(named, _)| *named == value).map_or("?", |(_, name)| name)
}

fn called<T: Copy>(names: &[(T, &'static str)], text: &str) -> Result<T, String> {
    let found = names.iter().find(|(_, name)| *name == text);
    found.map(|&(named, _)| named).ok_or_else(|| format!("`{text}` is no word for an actor"))
}

fn parsed<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no word for an actor"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use strait_pools::marks::Mark;
    use strait_pools::marks::fail_points::Action;

    #[test]
    fn words_lead_back() {
        let delay = Action::Delay(Duration::from_micros(50));
        let spec = Spec {
            part: Part::Intruder(Side::Receiver),
            number: 12,
            directory: String::new(),
            kind: Kind::Dense,
            capacity: 128,
            blocks: 4,
            parking: true,
            wait: Waiting::Adaptive,
            slice: 2000,
            seed: u64::MAX,
            batch: 8,
            session: 0,
            patient: true,
            arms: vec![
                FailPoint { mark: Mark::BurialDated, pass: 1, action: Action::Kill },
                FailPoint { mark: Mark::ConsumerTold, pass: 3, action: delay },
            ],
        };
        let mut words = spec.words();
        assert_eq!(Spec::parse(&words), Ok(spec));
        assert_eq!(words.last().map(String::as_str), Some("consumer-told:3:delay=50"));
        words.push("consumer-told:3:explode".to_owned());
        assert!(Spec::parse(&words).is_err());
        assert!(Spec::parse(&words[..10]).is_err());
    }
}
