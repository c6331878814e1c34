//! Messages that fit no usual cell.

use crate::channel::Numbered;
use strait_ipc::rkyv;
use strait_macros::Message as DeriveMessage;

/// Plain, 8 KiB.
#[derive(Clone, Copy, Debug, PartialEq, DeriveMessage)]
#[message(crate = strait_ipc)]
#[repr(C)]
pub(crate) struct Slab {
    words: [u64; 1_024],
}

impl Numbered for Slab {
    fn numbered(number: u64) -> Self {
        let mut words = [number; 1_024];
        (0..).zip(&mut words).for_each(|(index, word)| *word = word.wrapping_add(index));
        Self { words }
    }

    fn number(archived: &Self) -> u64 {
        assert!(*archived == Self::numbered(archived.words[0]), "torn");
        archived.words[0]
    }
}

/// Rich, of some bytes to 16 KiB.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
pub(crate) struct Bulk {
    pub(crate) number: u64,
    pub(crate) words: Vec<u64>,
}

impl Numbered for Bulk {
    fn numbered(number: u64) -> Self {
        // Some of them stand in a cell.
        let count = usize::try_from(number * 613 % 2_048).unwrap();
        Self { number, words: vec![number; count] }
    }

    fn number(archived: &Self::Archived) -> u64 {
        let number = archived.number.to_native();
        assert!(*archived == Self::numbered(number), "torn");
        number
    }
}
