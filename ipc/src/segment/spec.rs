//! What a segment is made from, and where everything in it goes.

use super::layout::{
    ChannelEntry, EndpointSlot, MAX_CHANNELS, MAX_ENDPOINTS, MAX_LABEL_BYTES, MAX_SCHEMA_BYTES,
    MAX_SEGMENT_BYTES,
};
use crate::ring::geometry::{Geometry, PAGE};
use thiserror::Error;

/// One channel of a segment to be made.
#[derive(Clone, Copy, Debug)]
pub struct ChannelSpec<'a> {
    /// What errors and tools call it; 1 to 128 bytes.
    pub label: &'a str,
    /// Its ring.
    pub geometry: Geometry,
    /// Identifies the message type.
    pub fingerprint: u128,
    /// Describes the message type; up to 2048 bytes.
    pub schema: &'a str,
}

/// A segment to be made.
#[derive(Clone, Copy, Debug)]
pub struct SegmentSpec<'a> {
    /// Its channels, 1 to 1024.
    pub channels: &'a [ChannelSpec<'a>],
}

/// Why a segment cannot be made as asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// No channels, or too many.
    #[error("a segment holds 1 to {MAX_CHANNELS} channels, not {0}")]
    ChannelCount(usize),
    /// A label is empty or too long.
    #[error("channel label `{label}` has {len} bytes: 1 to {MAX_LABEL_BYTES} are allowed")]
    Label {
        /// The label.
        label: String,
        /// Its length in bytes.
        len: usize,
    },
    /// A schema text is too long.
    #[error(
        "the schema text of channel `{label}` has {len} bytes: at most {MAX_SCHEMA_BYTES} are \
         allowed; shorten field names or nest less"
    )]
    Schema {
        /// The channel.
        label: String,
        /// The text's length in bytes.
        len: usize,
    },
    /// Its channels have too many sides.
    #[error("the segment's channels would have {0} sides: at most {MAX_ENDPOINTS} are allowed")]
    Endpoints(u32),
    /// The whole is too large.
    #[error("the segment would have {0} bytes: at most {MAX_SEGMENT_BYTES} are allowed")]
    TooLarge(u64),
}

/// Endpoints of one channel: those of its producers, then those of its consumers.
pub(super) fn endpoints_of(geometry: &Geometry) -> u32 {
    let (producers, consumers) = geometry.discipline().sides();
    producers + consumers
}

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) channel_count: u32,
    pub(super) endpoint_count: u32,
    pub(super) channel_table: u64,
    pub(super) endpoint_table: u64,
    /// Offsets of each channel's producer and consumer region.
    pub(super) regions: Vec<(u64, u64)>,
    pub(super) total_bytes: u64,
}

/// Bytes of a table of `count` entries, in whole pages.
pub(super) const fn table_bytes(count: u32, entry: usize) -> u64 {
    (count as u64 * entry as u64).next_multiple_of(PAGE as u64)
}

impl Plan {
    pub(super) fn new(spec: &SegmentSpec<'_>) -> Result<Self, SpecError> {
        let count = spec.channels.len();
        let channel_count = u32::try_from(count)
            .ok()
            .filter(|count| (1..=MAX_CHANNELS).contains(count))
            .ok_or(SpecError::ChannelCount(count))?;
        for channel in spec.channels {
            let label = || channel.label.to_owned();
            let (label_len, schema_len) = (channel.label.len(), channel.schema.len());
            if !(1..=MAX_LABEL_BYTES).contains(&label_len) {
                return Err(SpecError::Label { label: label(), len: label_len });
            }
            if schema_len > MAX_SCHEMA_BYTES {
                return Err(SpecError::Schema { label: label(), len: schema_len });
            }
        }
        // At most 1024 channels of 512 sides.
        let endpoint_count =
            spec.channels.iter().map(|channel| endpoints_of(&channel.geometry)).sum();
        if endpoint_count > MAX_ENDPOINTS {
            return Err(SpecError::Endpoints(endpoint_count));
        }
        let channel_table = PAGE as u64;
        let endpoint_table = channel_table + table_bytes(channel_count, size_of::<ChannelEntry>());
        // At most 1024 rings of 2^38 bytes: far from overflow.
        let mut end = endpoint_table + table_bytes(endpoint_count, size_of::<EndpointSlot>());
        let mut regions = Vec::with_capacity(count);
        for channel in spec.channels {
            let consumer = end + channel.geometry.producer_bytes() as u64;
            regions.push((end, consumer));
            end = consumer + channel.geometry.consumer_bytes() as u64;
        }
        if end > MAX_SEGMENT_BYTES {
            return Err(SpecError::TooLarge(end));
        }
        let total_bytes = end;
        Ok(Self {
            channel_count,
            endpoint_count,
            channel_table,
            endpoint_table,
            regions,
            total_bytes,
        })
    }
}
