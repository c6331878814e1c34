//! A directory against a sorted list.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;
use strait_pools::placement::Heap;

const ENTRIES: usize = 128;

fn words(entries: usize) -> Words<Heap> {
    Words {
        head: Arc::default(),
        taken: (0..entries.div_ceil(64)).map(|_| AtomicU64::default()).collect(),
        buckets: (0..entries).map(|_| Tower::default()).collect(),
        names: (0..entries).map(|_| AtomicU32::default()).collect(),
        entries: (0..entries).map(|_| EntryHead::default()).collect(),
    }
}

fn offer(words: &Words<Heap>, interface: u64, ranking: i64, name: u64) -> Result<Found, Refused> {
    let new = NewEntry { interface, name, ranking, owner: (0, 1) };
    let (place, id) = words.change()?.insert(&new, |_, _| {})?;
    Ok(Found { place, key: Key { interface, ranking: Reverse(ranking), id } })
}

fn all(words: &Words<Heap>, interface: u64) -> Vec<Found> {
    let first = words.first(interface).unwrap();
    std::iter::successors(first, |found| words.after(found).unwrap()).collect()
}

#[derive(Clone, Debug)]
enum Deed {
    Offer { interface: u64, ranking: i64, name: u64 },
    Withdraw(prop::sample::Index),
}

fn deed() -> impl Strategy<Value = Deed> {
    // Interfaces 1 and 129 share a bucket.
    let interface = prop_oneof![Just(1), Just(1 + ENTRIES as u64), Just(2)];
    let offer = (interface, -2..2_i64, 0..4_u64)
        .prop_map(|(interface, ranking, name)| Deed::Offer { interface, ranking, name });
    prop_oneof![3 => offer, 2 => any::<prop::sample::Index>().prop_map(Deed::Withdraw)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_offered_is_found_in_order(deeds in prop::collection::vec(deed(), 0..300)) {
        let words = words(ENTRIES);
        let mut offered: Vec<(Found, u64)> = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Offer { interface, ranking, name } => match offer(&words, interface, ranking, name) {
                    Ok(found) => offered.push((found, name)),
                    Err(refused) => {
                        prop_assert_eq!(refused, Refused::Full);
                        prop_assert_eq!(offered.len(), ENTRIES);
                    }
                },
                Deed::Withdraw(index) if !offered.is_empty() => {
                    let (found, _) = offered.swap_remove(index.index(offered.len()));
                    prop_assert!(words.is_current(found.place));
                    prop_assert_eq!(words.change().unwrap().remove(found.place), Ok(true));
                    prop_assert_eq!(words.change().unwrap().remove(found.place), Ok(false));
                    prop_assert!(!words.is_current(found.place));
                }
                Deed::Withdraw(_) => {}
            }
        }
        for interface in [1, 1 + ENTRIES as u64, 2, 3] {
            let of = offered.iter().map(|&(found, _)| found).filter(|found| found.key.interface == interface);
            let mut expected: Vec<Found> = of.collect();
            expected.sort_by_key(|found| found.key);
            prop_assert_eq!(all(&words, interface), expected);
        }
        for name in 1..4 {
            let of = offered.iter().filter(|&&(_, called)| called == name);
            let mut expected: Vec<u64> = of.map(|(found, _)| found.place.index).collect();
            let mut named = words.change().unwrap().named(name).unwrap();
            expected.sort_unstable();
            named.sort_unstable();
            prop_assert_eq!(named, expected);
        }
        prop_assert_eq!(words.taken(), offered.len() as u64);
    }
}

#[test]
fn the_smallest_directory_has_one_entry() {
    let words = words(1);
    let found = offer(&words, 7, 0, 0).unwrap();
    assert_eq!(offer(&words, 8, 0, 0), Err(Refused::Full));
    assert_eq!(words.first(8), Ok(None));
    assert_eq!(words.change().unwrap().remove(found.place), Ok(true));
    assert_eq!(words.first(7), Ok(None));
    assert_eq!((words.changes(), words.head.last_id.load(Relaxed)), (2, 1));
    offer(&words, 8, i64::MIN, 0).unwrap();
    assert_eq!(words.first(8).unwrap().unwrap().key.ranking, Reverse(i64::MIN));
}

/// A search meets about as many entries, however many there are.
#[test]
fn lists_are_tall_enough() {
    let words = words(1 << 14);
    for ranking in 0..1 << 14 {
        offer(&words, 1, ranking, 0).unwrap();
    }
    // As many on each level as a quarter of those below, give or take a fifth.
    let mut expected = words.entries.len();
    for level in 0..5 {
        let mut number = words.buckets.at(1).0[level].load(Relaxed);
        let mut met = 0;
        while number != 0 {
            met += 1;
            number = words.entries.at(u64::from(number) - 1).next.0[level].load(Relaxed);
        }
        assert!((4 * expected..=6 * expected).contains(&(5 * met)), "{met} on level {level}");
        expected /= 4;
    }
}

/// Whatever stands in a word, searches and changes come to an end, and say what is wrong if anything is.
#[test]
fn words_that_make_no_sense_are_told() {
    let fresh = || {
        let words = words(4);
        let offers = [0, 4, 8].map(|interface| offer(&words, interface, 0, 5).unwrap().place);
        (words, offers)
    };
    let (_, [one, two, three]) = fresh();
    let link = |words: &Words<Heap>, of: Place, to: u32| {
        (0..LEVELS).for_each(|level| words.entries.at(of.index).next.0[level].store(to, Relaxed));
    };
    type Damage<'a> = &'a dyn Fn(&Words<Heap>);
    let damages: [Damage<'_>; 6] = [
        &|words| link(words, two, 1000),
        &|words| link(words, two, u32::MAX),
        // In circles.
        &|words| link(words, two, 1),
        &|words| link(words, two, 2),
        &|words| words.buckets.at(0).0.iter().for_each(|link| link.store(77, Relaxed)),
        // Of another bucket.
        &|words| words.entries.at(two.index).interface.store(5, Relaxed),
    ];
    for damage in damages {
        let (words, _) = fresh();
        damage(&words);
        assert!(matches!(words.first(8), Err(Lost::Damaged(_))), "{:?}", words.first(8));
        let removed = words.change().unwrap().remove(three);
        assert!(removed.is_err(), "{removed:?}");
    }
    let (words, _) = fresh();
    words.entries.at(one.index).same_name.store(number(one), Relaxed);
    assert!(words.change().unwrap().named(5).is_err());
    words.entries.at(one.index).same_name.store(99, Relaxed);
    assert!(words.change().unwrap().named(5).is_err());
    // One that is linked and not live.
    let (words, _) = fresh();
    words.entries.at(two.index).state.store(2, Relaxed);
    assert_eq!(words.first(8), Err(Lost::Contended));
    words.head.unfinished.store(99, Relaxed);
    let expected = Damaged { word: "unfinished", entry: 0, found: 99 };
    assert_eq!(words.change().err(), Some(expected));
    // Bits that were lost do not give an entry twice.
    let (words, _) = fresh();
    words.taken.at(0).store(0, Relaxed);
    let place = offer(&words, 1, 0, 0).unwrap().place;
    assert!(![one, two, three].contains(&place));
}

fn number(place: Place) -> u32 {
    u32::try_from(place.index + 1).unwrap()
}
