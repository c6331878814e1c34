//! Which service is preferred: by `service.ranking`, then by age.

use super::properties::{Properties, Value};
use std::cmp::Reverse;

/// The key of the ranking.
pub const RANKING: &str = "service.ranking";

/// The place of a service among others: the least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    ranking: Reverse<i64>,
    /// The lower, the older.
    id: u64,
}

impl Rank {
    pub(super) fn new(properties: &Properties, id: u64) -> Self {
        Self { ranking: Reverse(ranking(properties)), id }
    }

    pub(super) fn id(self) -> u64 {
        self.id
    }
}

/// The ranking: a whole number or a text that is one; 0 if it is anything else.
pub(super) fn ranking(properties: &Properties) -> i64 {
    match properties.get(RANKING) {
        Some(Value::Integer(ranking)) => *ranking,
        Some(Value::Text(text)) => text.trim().parse().unwrap_or(0),
        _ => 0,
    }
}

impl Properties {
    /// The ranking that they give a service: its `service.ranking`, a whole number or a text that is one;
    /// 0 if it is anything else.
    pub fn ranking(&self) -> i64 {
        ranking(self)
    }
}

/// What lists of services hold: a service's rank, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) rank: Rank,
    pub(super) place: u32,
}
