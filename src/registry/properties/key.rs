//! Keys, which are the same in any case of their letters.

use super::super::same::same;
use super::PropertyError;
use std::borrow::Cow;

/// Longest key, in bytes.
pub const MAX_KEY: usize = 255;

/// A key as it was spelled, and what it is found by.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    hash: u64,
    spelling: Cow<'static, str>,
}

impl Key {
    pub(crate) fn new(spelling: &str) -> Result<Self, PropertyError> {
        if !is_key(spelling) {
            return Err(PropertyError::Key { key: spelling.chars().take(MAX_KEY).collect() });
        }
        Ok(Self { hash: hash(spelling), spelling: Cow::Owned(spelling.to_owned()) })
    }

    /// A key that is known when the program is compiled.
    pub(crate) const fn fixed(spelling: &'static str) -> Self {
        assert!(is_key(spelling));
        Self { hash: hash(spelling), spelling: Cow::Borrowed(spelling) }
    }

    #[inline]
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.spelling
    }

    /// Whether that is the same key, given the hash of it.
    #[inline]
    pub(super) fn is(&self, hash: u64, spelling: &str) -> bool {
        self.hash == hash
            && (same(&self.spelling, spelling) || self.spelling.eq_ignore_ascii_case(spelling))
    }
}

/// The same of all spellings of a key (FNV-1a of its lower case).
pub(crate) const fn hash(spelling: &str) -> u64 {
    let bytes = spelling.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at].to_ascii_lowercase() as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Whether a filter could name it.
pub(crate) const fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_KEY {
        return false;
    }
    let mut at = 0;
    while at < bytes.len() {
        let edge = at == 0 || at == bytes.len() - 1;
        if matches!(
            bytes[at],
            b'(' | b')' | b'=' | b'<' | b'>' | b'~' | b'*' | b'\\' | 0..=31 | 127
        ) || edge && bytes[at] == b' '
        {
            return false;
        }
        at += 1;
    }
    // A filter would take these for operators.
    !matches!(bytes[0], b'&' | b'|' | b'!')
}

/// Stops the compiler at a key that [`Properties`](super::Properties) would refuse.
#[doc(hidden)]
pub const fn check_keys(keys: &[&str]) {
    let mut one = 0;
    while one < keys.len() {
        assert!(is_key(keys[one]), "not a key: empty, too long, or with a character of filters");
        let mut other = 0;
        while other < one {
            assert!(
                hash(keys[one]) != hash(keys[other]),
                "a key stands here twice (upper and lower case are the same)"
            );
            other += 1;
        }
        one += 1;
    }
}
