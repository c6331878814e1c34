//! Where the messages come from: a file, plain or gzip, or a synthetic day.
//!
//! The input is loaded in large stretches of whole messages, all checked before the first of them
//! is sent, so that neither disk nor decompression disturbs the sending. A day of ten million
//! messages is one stretch.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use crate::day::Day;
use crate::itch::{self, Malformed, Next};

/// How much is held in memory at a time.
const STRETCH_BYTES: usize = 512 << 20;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why a file is no day of messages. Offsets count the bytes of the messages, that is, those after
/// decompression where the file is compressed.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    /// The system refuses to open or read it.
    #[error(
        "cannot read `{}` (at byte {offset}): {reason}; name a readable file of ITCH 5.0 messages, \
         plain or gzip, with --itch FILE, or leave the option out for a synthetic day",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// How far it could be read.
        offset: u64,
        /// What the system says.
        reason: io::Error,
    },
    /// It begins as a gzip file does and then is none.
    #[error(
        "cannot decompress `{}` (after byte {offset} of its content): {reason}; the gzip file is \
         damaged or cut short: test it with `gzip -t` and fetch it again",
        path.display()
    )]
    Gzip {
        /// The file.
        path: PathBuf,
        /// How much was decompressed before.
        offset: u64,
        /// What the decoder says.
        reason: io::Error,
    },
    /// There is nothing in it.
    #[error(
        "`{}` is empty: there is no message at byte 0; it was probably not fetched completely: \
         fetch it again",
        path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It ends within a message.
    #[error(
        "`{}` ends in the middle of a message: {} at byte {offset} needs {needed} bytes with its \
         length prefix, and only {left} of them are there; the file was cut short: fetch it again",
        path.display(),
        .kind.map_or("the message".to_owned(), |kind| format!("a message of type {}", itch::letter(kind)))
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// Where the message begins.
        offset: u64,
        /// Its type, if that was left.
        kind: Option<u8>,
        /// Bytes of the message.
        needed: usize,
        /// Bytes of the file from `offset` on.
        left: usize,
    },
    /// Something in it is no message.
    #[error(
        "`{}` is not ITCH 5.0 at byte {offset}: {malformed}; expected are messages with a length \
         of two bytes before each (BinaryFILE), plain or gzip: check where the file comes from, \
         and fetch it again if it was good before",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the message begins.
        offset: u64,
        /// What is wrong with it.
        malformed: Malformed,
    },
}

/// A day's messages, stretch by stretch.
pub(crate) struct Input {
    source: Source,
    /// Whole messages, then perhaps the beginning of the next one.
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are whole messages.
    whole: usize,
    /// Offset of the first byte of `buffer` in all of the input.
    offset: u64,
    stretch_bytes: usize,
}

enum Source {
    Day(Day),
    File { path: PathBuf, reader: Box<dyn Read>, compressed: bool },
}

impl Input {
    /// A synthetic day.
    pub(crate) fn synthetic(day: Day) -> Self {
        Self::new(Source::Day(day), STRETCH_BYTES)
    }

    /// A file; whether it is compressed is told by its first bytes.
    pub(crate) fn open(path: &Path) -> Result<Self, InputError> {
        Self::open_in_stretches(path, STRETCH_BYTES)
    }

    fn open_in_stretches(path: &Path, stretch_bytes: usize) -> Result<Self, InputError> {
        let unreadable = |reason| InputError::Unreadable { path: path.into(), offset: 0, reason };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut magic = Vec::new();
        file.by_ref().take(2).read_to_end(&mut magic).map_err(unreadable)?;
        let compressed = magic == GZIP_MAGIC;
        let bytes = io::Cursor::new(magic).chain(file);
        let reader: Box<dyn Read> = if compressed {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 20, bytes)))
        } else {
            Box::new(bytes)
        };
        Ok(Self::new(Source::File { path: path.into(), reader, compressed }, stretch_bytes))
    }

    fn new(source: Source, stretch_bytes: usize) -> Self {
        Self { source, buffer: Vec::new(), whole: 0, offset: 0, stretch_bytes }
    }

    /// The number of messages, if it is known beforehand.
    pub(crate) fn messages(&self) -> Option<u64> {
        match &self.source {
            Source::Day(day) => Some(day.messages()),
            Source::File { .. } => None,
        }
    }

    /// Replaces the current stretch by the next one. Returns whether there is one.
    pub(crate) fn load(&mut self) -> Result<bool, InputError> {
        self.buffer.drain(..self.whole);
        self.offset += self.whole as u64;
        self.whole = 0;
        match &mut self.source {
            Source::Day(day) => {
                day.write_some(&mut self.buffer, self.stretch_bytes);
                // The generator writes whole messages, and its tests see to it that they are valid.
                self.whole = self.buffer.len();
            }
            Source::File { path, reader, compressed } => {
                let room = self.stretch_bytes.saturating_sub(self.buffer.len()) as u64;
                let read = reader.by_ref().take(room).read_to_end(&mut self.buffer);
                let offset = self.offset + self.buffer.len() as u64;
                let at_end = match read {
                    Ok(read) => (read as u64) < room,
                    Err(reason) if *compressed => {
                        return Err(InputError::Gzip { path: path.clone(), offset, reason });
                    }
                    Err(reason) => {
                        return Err(InputError::Unreadable { path: path.clone(), offset, reason });
                    }
                };
                if offset == 0 {
                    return Err(InputError::Empty { path: path.clone() });
                }
                self.whole = whole_messages(path, self.offset, &self.buffer, at_end)?;
            }
        }
        Ok(self.whole > 0)
    }

    /// The current stretch: whole valid messages.
    pub(crate) fn stretch(&self) -> &[u8] {
        &self.buffer[..self.whole]
    }
}

/// How many of the bytes are whole messages. At the end of the file all have to be, but for a
/// last length of zero: the mark with which BinaryFILE ends a session.
fn whole_messages(path: &Path, base: u64, bytes: &[u8], at_end: bool) -> Result<usize, InputError> {
    let mut at = 0;
    while at < bytes.len() {
        let offset = base + at as u64;
        match itch::next(&bytes[at..]) {
            Ok(Next::Message(message)) => at += itch::PREFIX + message.len(),
            Ok(Next::Incomplete { .. }) if !at_end || bytes[at..] == [0, 0] => break,
            Ok(Next::Incomplete { kind, needed }) => {
                let left = bytes.len() - at;
                return Err(InputError::Cut { path: path.into(), offset, kind, needed, left });
            }
            Err(malformed) => {
                return Err(InputError::Malformed { path: path.into(), offset, malformed });
            }
        }
    }
    Ok(at)
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
