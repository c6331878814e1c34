//! Writing a ring's words behind the back of its two sides, as a faulty process might.
//!
//! The offsets are stated here once more: they are a format that other builds rely on.

use super::Place;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A channel's file, and where its ring lies in it.
pub struct Words {
    file: File,
    producer: u64,
    consumer: u64,
    stride: u64,
}

const CHANNEL_TABLE: u64 = 4096;

impl Words {
    pub fn of(place: &Place, channel: &str) -> Self {
        let path = place.file(channel);
        let file = File::options().read(true).write(true).open(path).unwrap();
        let number = |offset| u64::from_le_bytes(read(&file, CHANNEL_TABLE + offset));
        let stride = u32::from_le_bytes(read(&file, CHANNEL_TABLE + 8)).into();
        let (producer, consumer) = (number(24), number(32));
        Self { file, producer, consumer, stride }
    }

    fn put(&self, offset: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset).unwrap();
    }

    pub fn set_published(&self, value: u64) {
        self.put(self.producer, &value.to_le_bytes());
    }

    pub fn set_consumed(&self, value: u64) {
        self.put(self.consumer, &value.to_le_bytes());
    }

    pub fn set_cursor(&self, value: u64) {
        self.put(self.consumer + 128, &value.to_le_bytes());
    }

    fn cell(&self, index: u64) -> u64 {
        self.producer + 256 + index * self.stride
    }

    pub fn set_state(&self, index: u64, value: u64) {
        self.put(self.cell(index), &value.to_le_bytes());
    }

    pub fn set_len(&self, index: u64, value: u32) {
        self.put(self.cell(index) + 8, &value.to_le_bytes());
    }

    pub fn set_kind(&self, index: u64, value: u32) {
        self.put(self.cell(index) + 12, &value.to_le_bytes());
    }

    pub fn body(&self, index: u64) -> Vec<u8> {
        let mut body = vec![0; usize::try_from(self.stride).unwrap() - 16];
        self.file.read_exact_at(&mut body, self.cell(index) + 16).unwrap();
        body
    }

    pub fn set_body(&self, index: u64, bytes: &[u8]) {
        self.put(self.cell(index) + 16, bytes);
    }
}

fn read<const N: usize>(file: &File, offset: u64) -> [u8; N] {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).unwrap();
    bytes
}
