//! 128 bits that stand for a schema text.

use std::fmt;

/// FNV-1a over a schema text: equal for equal texts, and stable across compilers and versions.
///
/// It guards against mistakes, not against malice: whoever can write a segment can also write the
/// fingerprint a reader expects.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    /// The fingerprint of a schema text.
    #[must_use]
    pub const fn of(schema: &str) -> Self {
        let bytes = schema.as_bytes();
        let mut hash = Self::OFFSET_BASIS;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u128).wrapping_mul(Self::PRIME);
            at += 1;
        }
        Self(hash)
    }

    /// The fingerprint that [`bits`](Self::bits) gave.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The fingerprint as a number, for storing.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

/// The first 12 of 32 hexadecimal digits: enough to tell versions apart in an error.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0 >> 80)
    }
}

/// All 32 hexadecimal digits.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
