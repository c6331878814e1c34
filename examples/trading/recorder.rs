//! The recorder: receives every event that the book builder receives, counts and digests them, and
//! writes them to a file if there is to be one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use strait_tools::allocations;

use crate::answers::{Note, Record};
use crate::channels::{self, Market, RecorderEnds};
use crate::event::{Event, control};

/// Bytes written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// What becomes of what is recorded.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecordOptions {
    /// Write the events to a file, 48 bytes each. Who waits for the disk holds up the feed
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// Runs the whole recorder. Fails if it has not recorded what was sent, or took memory from the heap.
pub(crate) fn run(options: &RecordOptions, market: &Market) -> anyhow::Result<Record> {
    // A bad path is told before anybody is connected.
    let mut recording = match options.record.as_deref() {
        Some(path) => Recording::new(Some(create(path)?)),
        None => Recording::new(None),
    };
    let mut ends = market.join_as_recorder()?;
    channels::opening(&mut ends.events)?;
    let (allocations, sent) = allocations::count(|| recording.take_all(&mut ends));
    let (sent, recorded) = (sent?, recording.finish()?);
    // The feed tells the book builder, whose report has it.
    ends.notes.send(&Note::Recorded(recorded)).context("the feed did not wait for the record")?;
    ensure!(recorded == sent, "recorded {recorded:?}, and {sent:?} was sent");
    if let Some(count @ 1..) = allocations {
        anyhow::bail!("the recorder allocated {count} times after its warm-up");
    }
    Ok(recorded)
}

/// For people, or for programs: one object on one line.
pub(crate) fn text(record: Record, as_json: bool) -> String {
    let Record { messages, digest } = record;
    let digest = format!("{digest:016x}");
    if as_json {
        json!({ "recorded": messages, "record_digest": digest }).to_string()
    } else {
        format!("recorded {messages} messages, digest {digest}, as sent")
    }
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot make `{}`", path.display()))?;
    Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
}

struct Recording<W> {
    file: Option<W>,
    record: Record,
}

impl<W: Write> Recording<W> {
    fn new(file: Option<W>) -> Self {
        Self { file, record: Record::default() }
    }

    /// Takes everything until the day is over. Returns what was sent, by the feed's own count.
    fn take_all(&mut self, ends: &mut RecorderEnds) -> anyhow::Result<Record> {
        loop {
            let event = ends.events.recv().with_context(|| {
                format!("the day broke off after message {}", self.record.messages)
            })?;
            if let Some(sent) = self.take(&event)? {
                return Ok(sent);
            }
        }
    }

    #[inline]
    fn take(&mut self, event: &Event) -> anyhow::Result<Option<Record>> {
        ensure!(
            event.is_intact() && event.sequence == self.record.messages,
            "message {} came torn, or as another: {event:?}",
            self.record.messages
        );
        match event.kind {
            control::SCHEDULE | control::PAUSE => {}
            control::END => return Ok(Some(event.ended())),
            _ => {
                self.record.add(event);
                if let Some(file) = &mut self.file {
                    file.write_all(&event.to_bytes()).context("cannot write the record")?;
                }
            }
        }
        Ok(None)
    }

    /// What is recorded, once all of it is written.
    fn finish(mut self) -> anyhow::Result<Record> {
        self.file.as_mut().map_or(Ok(()), W::flush).context("cannot write the record")?;
        Ok(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_what_was_sent() {
        let (mut recording, mut sent) = (Recording::new(Some(Vec::new())), Record::default());
        for sequence in 0..3 {
            sent.add(&Event::market(sequence));
            assert_eq!(recording.take(&Event::market(sequence)).unwrap(), None);
        }
        assert_eq!(recording.take(&Event::pause(3)).unwrap(), None);
        assert_eq!(recording.take(&Event::end(sent)).unwrap(), Some(sent));
        let bytes = recording.file.as_ref().unwrap();
        assert_eq!(bytes.len(), 3 * size_of::<Event>());
        assert_eq!(bytes[96..], Event::market(2).to_bytes());
        assert_eq!(recording.finish().unwrap(), sent);
    }

    #[test]
    fn what_is_lost_or_torn_is_refused() {
        let mut recording = Recording::<Vec<u8>>::new(None);
        recording.take(&Event::market(0)).unwrap();
        assert!(
            recording.take(&Event::market(2)).unwrap_err().to_string().contains("message 1 came")
        );
        assert!(recording.take(&Event { price: 1, ..Event::market(1) }).is_err());
        assert!(recording.take(&Event::market(1)).is_ok());
    }
}
