//! NASDAQ TotalView-ITCH 5.0: the message types, and how messages follow one another in a file.
//!
//! ```text
//! length (2, big endian) │ type (1) │ stock locate (2) │ tracking (2) │ timestamp (6) │ …
//! ```
//!
//! The length counts from the type on. Some files leave it zero: then the type tells the length.

use thiserror::Error;

/// Width of the length before each message.
pub(crate) const PREFIX: usize = 2;

/// Every message type: its letter, its length without the prefix, its name.
pub(crate) const TYPES: [(u8, usize, &str); 23] = [
    (b'S', 12, "system event"),
    (b'R', 39, "stock directory"),
    (b'H', 25, "stock trading action"),
    (b'Y', 20, "short sale restriction"),
    (b'L', 26, "market participant position"),
    (b'V', 35, "circuit breaker levels"),
    (b'W', 12, "circuit breaker breached"),
    (b'K', 28, "quoting period update"),
    (b'J', 35, "auction collar"),
    (b'h', 21, "operational halt"),
    (b'A', 36, "add order"),
    (b'F', 40, "add order, attributed"),
    (b'E', 31, "order executed"),
    (b'C', 36, "order executed at a price"),
    (b'X', 23, "order cancel"),
    (b'D', 19, "order delete"),
    (b'U', 35, "order replace"),
    (b'P', 44, "trade"),
    (b'Q', 40, "cross trade"),
    (b'B', 19, "broken trade"),
    (b'I', 50, "order imbalance"),
    (b'N', 20, "retail price improvement"),
    (b'O', 48, "direct listing price discovery"),
];

/// `TYPES` by letter; zero where there is no such type.
static LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut i = 0;
    while i < TYPES.len() {
        #[allow(clippy::cast_possible_truncation)] // the longest message has 50 bytes
        let length = TYPES[i].1 as u8;
        lengths[TYPES[i].0 as usize] = length;
        i += 1;
    }
    lengths
};

/// Length of a message of this type, or `None` when ITCH 5.0 has no such type.
pub(crate) fn length_of(kind: u8) -> Option<usize> {
    match LENGTHS[usize::from(kind)] {
        0 => None,
        length => Some(usize::from(length)),
    }
}

/// What the next bytes of a file hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A whole message, from its type letter on.
    Message(&'a [u8]),
    /// A part of a message. `needed` counts from the prefix on, as far as the bytes tell.
    Incomplete {
        /// The type, if it can be seen yet.
        kind: Option<u8>,
        /// Bytes of the whole message, prefix included.
        needed: usize,
    },
}

/// Bytes that are no ITCH message.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The letter is not in [`TYPES`].
    #[error("unknown message type {}", letter(*.kind))]
    UnknownType {
        /// The byte found where the type belongs.
        kind: u8,
    },
    /// The prefix and the type do not agree.
    #[error(
        "the length prefix says {prefix} bytes, but a message of type {} has {length}",
        letter(*.kind)
    )]
    WrongLength {
        /// What the prefix says.
        prefix: usize,
        /// The type that follows it.
        kind: u8,
        /// The length of that type.
        length: usize,
    },
}

/// Finds the message at the start of `bytes`.
#[inline]
pub(crate) fn next(bytes: &[u8]) -> Result<Next<'_>, Malformed> {
    let &[high, low, kind, ..] = bytes else {
        return Ok(Next::Incomplete { kind: None, needed: PREFIX + 1 });
    };
    let prefix = usize::from(u16::from_be_bytes([high, low]));
    let length = length_of(kind).ok_or(Malformed::UnknownType { kind })?;
    if prefix != 0 && prefix != length {
        return Err(Malformed::WrongLength { prefix, kind, length });
    }
    match bytes.get(PREFIX..PREFIX + length) {
        Some(message) => Ok(Next::Message(message)),
        None => Ok(Next::Incomplete { kind: Some(kind), needed: PREFIX + length }),
    }
}

/// The messages of `bytes`, up to the first that is not whole or not valid.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || match next(bytes) {
        Ok(Next::Message(message)) => {
            bytes = &bytes[PREFIX + message.len()..];
            Some(message)
        }
        _ => None,
    })
}

/// The `N` bytes at `at`; zeros beyond the end, which no message of a known type reaches.
#[inline]
pub(crate) fn bytes_at<const N: usize>(message: &[u8], at: usize) -> [u8; N] {
    message.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

/// A type as people write it: its letter, or its number where it is no letter.
pub(crate) fn letter(kind: u8) -> String {
    if kind.is_ascii_graphic() { format!("`{}`", char::from(kind)) } else { format!("{kind:#04x}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(prefix: u16, kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = prefix.to_be_bytes().to_vec();
        bytes.push(kind);
        bytes.resize(PREFIX + length, 7);
        bytes
    }

    #[test]
    fn every_type_is_framed_by_its_prefix_and_without_one() {
        for (kind, length, _) in TYPES {
            for prefix in [u16::try_from(length).unwrap(), 0] {
                let mut bytes = framed(prefix, kind, length);
                bytes.extend([0, 12, b'S']);
                let Ok(Next::Message(message)) = next(&bytes) else { panic!("no message {kind}") };
                assert_eq!((message[0], message.len()), (kind, length));
            }
        }
    }

    #[test]
    fn a_part_of_a_message_says_how_much_is_needed() {
        let whole = framed(36, b'A', 36);
        assert_eq!(next(&whole[..2]), Ok(Next::Incomplete { kind: None, needed: 3 }));
        for cut in 3..whole.len() {
            let expected = Next::Incomplete { kind: Some(b'A'), needed: 38 };
            assert_eq!(next(&whole[..cut]), Ok(expected), "cut at {cut}");
        }
    }

    #[test]
    fn letters_and_lengths_that_do_not_exist_are_refused() {
        assert_eq!(next(&framed(12, b'z', 12)), Err(Malformed::UnknownType { kind: b'z' }));
        assert_eq!(
            next(&framed(35, b'A', 36)),
            Err(Malformed::WrongLength { prefix: 35, kind: b'A', length: 36 })
        );
    }
}
