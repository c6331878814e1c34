//! Messages that tell whether they arrived whole: every part follows from the id and the position.
//!
//! An id is the number of the actor that sent it and a sequence number of that actor's. No two
//! messages of a channel have the same.

use crate::random::mix;

const SEQUENCE_BITS: u32 = 24;
/// Where the actor's number stands in an id.
const ACTOR_SHIFT: u32 = 40;

/// The id of an actor's message.
#[must_use]
pub fn id(actor: u32, sequence: u64) -> u64 {
    u64::from(actor) << ACTOR_SHIFT | sequence
}

/// The number of the actor that sent the message.
#[must_use]
pub fn actor(id: u64) -> u32 {
    u32::try_from(id >> ACTOR_SHIFT).unwrap_or(u32::MAX)
}

/// Word `index` of the message.
#[must_use]
pub fn word(id: u64, position: u64, index: u64) -> u64 {
    mix(id ^ mix(position ^ index << 56))
}

/// How many parts, up to `most`, a message of varying length has.
#[must_use]
pub fn length(id: u64, most: u64) -> usize {
    usize::try_from(mix(id) % (most + 1)).unwrap_or(0)
}

/// How many words, up to `most`, a message has that may be too long for its cell: half of them are few
/// enough for it, and one in eight messages may have them all.
#[must_use]
pub fn spread(id: u64, most: usize) -> usize {
    let most = match length(!id, 7) {
        0..=3 => 9,
        4..=6 => most / 8,
        _ => most,
    };
    length(id, most as u64)
}

/// The text in a message of varying length.
#[must_use]
pub fn text(id: u64, position: u64) -> String {
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let letter = |index| letters.as_bytes()[length(word(id, position, index), 25)];
    (0..length(id, 40) as u64).map(|index| char::from(letter(index))).collect()
}

/// A whole message in 8 bytes: 16 bits of actor, 24 of sequence, 24 that follow from those.
#[must_use]
pub fn dense(id: u64) -> u64 {
    let short = u64::from(actor(id)) << SEQUENCE_BITS | id & 0xff_ffff;
    short << SEQUENCE_BITS | mix(short) & 0xff_ffff
}

/// The id in such a message; `None` if it is none.
#[must_use]
pub fn from_dense(message: u64) -> Option<u64> {
    let short = message >> SEQUENCE_BITS;
    let id = id(u32::try_from(short >> SEQUENCE_BITS).ok()?, short & 0xff_ffff);
    (dense(id) == message).then_some(id)
}

/// Bytes of a message without a type that fits any cell, at most.
const SHORT: usize = 176;

/// The bytes of a message without a type: id, position, and as many words as the id says, in a channel
/// for messages of up to `longest` bytes.
#[must_use]
pub fn bytes(id: u64, position: u64, longest: usize) -> Vec<u8> {
    let words = if longest > 2 * SHORT {
        spread(id, (longest - 16) / 8)
    } else {
        length(id, (SHORT as u64 - 16) / 8)
    };
    let rest = (0..words as u64).map(|index| word(id, position, index));
    [id, position].into_iter().chain(rest).flat_map(u64::to_le_bytes).collect()
}

/// The id and position in such a message, and whether all of it is as it should be.
#[must_use]
pub fn from_bytes(message: &[u8], longest: usize) -> (u64, u64, bool) {
    let (words, _) = message.as_chunks::<8>();
    let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
    let (id, position) = (word(0), word(1));
    (id, position, message == bytes(id, position, longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_lead_back_and_torn_ones_do_not() {
        let (one, two) = (dense(id(3, 70_000)), dense(id(4, 70_001)));
        assert_eq!(from_dense(one), Some(id(3, 70_000)));
        assert_eq!(from_dense(one & 0xffff_ffff | two & !0xffff_ffff), None);
    }

    #[test]
    fn a_message_with_one_wrong_byte_is_torn() {
        for longest in [240, 4096] {
            let message = bytes(id(2, 9), 55, longest);
            assert_eq!(from_bytes(&message, longest), (id(2, 9), 55, true));
            for index in 0..message.len() {
                let mut torn = message.clone();
                torn[index] ^= 4;
                assert!(!from_bytes(&torn, longest).2, "byte {index}");
            }
            assert!(!from_bytes(&message[..message.len() - 8], longest).2);
            assert!(!from_bytes(&[], longest).2);
        }
    }

    #[test]
    fn long_messages_are_of_all_lengths_and_half_of_them_short() {
        let (most, words) = (2000, |sequence: u64| spread(id(3, 64 * sequence), 2000));
        let lengths: Vec<usize> = (0..1000).map(words).collect();
        assert!(lengths.iter().all(|&words| words <= most));
        let short = lengths.iter().filter(|&&words| words < 10).count();
        assert!((400..700).contains(&short), "{short}");
        assert!(lengths.iter().any(|&words| words > most - most / 8));
        let longest = (0..1000).map(|sequence| bytes(id(3, sequence), 0, 4096).len()).max();
        assert!(longest > Some(3500) && longest <= Some(4096), "{longest:?}");
    }
}
