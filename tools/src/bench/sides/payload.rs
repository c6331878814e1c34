//! The messages that are measured: every word depends on the message's number, and is checked.

use strait::Message;
use strait::message::Message;
use strait::rkyv::{Archive, Serialize};

/// A message type that can be numbered.
pub(super) trait Payload: Message + Send {
    /// A message of about `bytes` bytes, from which numbered ones are made.
    fn template(bytes: usize) -> Self;

    /// Hands message `number` to `send`. What lives on the heap is the template's.
    fn with<R>(template: &mut Self, number: u64, send: impl FnOnce(&Self) -> R) -> R;

    /// Reads all of a message; whether it is message `number`.
    fn is_number(archived: &Self::Archived, number: u64) -> bool;
}

/// The words of message `number`.
#[inline(always)]
#[must_use]
pub fn words<const WORDS: usize>(number: u64) -> [u64; WORDS] {
    std::array::from_fn(|index| word(number, index))
}

/// Word `index` of message `number`.
#[inline(always)]
#[must_use]
pub fn word(number: u64, index: usize) -> u64 {
    number.wrapping_add(index as u64)
}

/// What the `count` words of message `number` add up to.
#[inline(always)]
#[must_use]
pub fn sum_of(number: u64, count: usize) -> u64 {
    let count = count as u64;
    number.wrapping_mul(count).wrapping_add(count * count.saturating_sub(1) / 2)
}

/// Writes message `number`, of `count` words, to `start` on.
///
/// # Safety
///
/// There is room for so many words, aligned, and nobody else reads or writes it meanwhile.
#[inline(always)]
pub(super) unsafe fn write_words(start: *mut u64, count: usize, number: u64) {
    for index in 0..count {
        // SAFETY: one of the caller's words.
        let at = unsafe { start.add(index) };
        // SAFETY: as above.
        unsafe { at.write(word(number, index)) };
    }
}

/// What `count` words from `start` on add up to.
///
/// # Safety
///
/// There are so many words, aligned and initialised, and nobody writes them meanwhile.
#[inline(always)]
pub(super) unsafe fn sum_words(start: *const u64, count: usize) -> u64 {
    let mut sum = 0u64;
    for index in 0..count {
        // SAFETY: one of the caller's words.
        let at = unsafe { start.add(index) };
        // SAFETY: as above.
        sum = sum.wrapping_add(unsafe { at.read() });
    }
    sum
}

/// What the words of a message read add up to.
#[inline(always)]
pub fn sum(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0, u64::wrapping_add)
}

/// A plain message: copied as it is.
impl<const WORDS: usize> Payload for [u64; WORDS] {
    fn template(_bytes: usize) -> Self {
        words(0)
    }

    #[inline(always)]
    fn with<R>(_template: &mut Self, number: u64, send: impl FnOnce(&Self) -> R) -> R {
        send(&words(number))
    }

    #[inline(always)]
    fn is_number(archived: &Self::Archived, number: u64) -> bool {
        sum(archived.iter().map(|word| word.to_native())) == sum_of(number, WORDS)
    }
}

/// A message with parts out of line: serialised into the ring and validated there.
#[derive(Archive, Serialize, Message)]
#[rkyv(crate = strait::rkyv)]
pub(super) struct Rich {
    number: u64,
    text: String,
    words: Vec<u64>,
}

/// Too long to be stored inline.
const TEXT: &str = "NASDAQ:STRAIT.SX";

impl Payload for Rich {
    /// The smallest takes 48 bytes: a root of 24, the text, and one word.
    fn template(bytes: usize) -> Self {
        const ROOT: usize = size_of::<ArchivedRich>();
        let count = (bytes.saturating_sub(ROOT + TEXT.len()) / 8).max(1);
        Self { number: 0, text: TEXT.to_owned(), words: vec![0; count] }
    }

    #[inline(always)]
    fn with<R>(template: &mut Self, number: u64, send: impl FnOnce(&Self) -> R) -> R {
        template.number = number;
        for (index, slot) in template.words.iter_mut().enumerate() {
            *slot = word(number, index);
        }
        send(template)
    }

    #[inline(always)]
    fn is_number(archived: &ArchivedRich, number: u64) -> bool {
        let words = archived.words.as_slice();
        archived.number.to_native() == number
            && archived.text.as_str() == TEXT
            && sum(words.iter().map(|word| word.to_native())) == sum_of(number, words.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strait::message::{Scratch, measure};

    #[test]
    fn arrays_of_words_are_plain() {
        const { assert!(<[u64; 6] as Message>::PLAIN) };
        const { assert!(!Rich::PLAIN) };
    }

    #[test]
    fn rich_messages_have_the_size_asked_for() {
        for bytes in [48, 64, 256, 1024] {
            let message = Rich::template(bytes);
            assert_eq!(measure(&message, &mut Scratch::for_body(bytes)).unwrap(), bytes);
        }
    }

    #[test]
    fn sums_are_those_of_the_words() {
        assert_eq!(sum(words::<6>(41).into_iter()), sum_of(41, 6));
        assert_eq!(sum(words::<1>(u64::MAX).into_iter()), sum_of(u64::MAX, 1));
        assert_ne!(sum(words::<6>(41).into_iter()), sum_of(42, 6));
    }
}
