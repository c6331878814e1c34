//! What looking into a directory costs: as much however much is offered.

use strait_ipc::directory::{Directory, DirectoryOptions, Offer, Offered};
use strait_ipc::segment::{Directory as Files, MapOptions};
use strait_pools::sync::{Counts, count};

/// Links on the way down, each with the entry that it leads to, and the entry that is found: its words, and
/// whether its owner is there.
const MOST: u64 = 8 * 8 + 16;

fn look(directory: &Directory, interface: &str) -> Counts {
    let (found, counts) = count(|| directory.find(interface, |_| true).unwrap());
    assert!(found.is_some());
    counts
}

/// A look loads a few words and stores nothing, with one offer and with ten thousand, of one interface or of as many.
#[test]
fn looks_cost_the_same_however_much_is_offered() {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let map = MapOptions { prefault: false, ..MapOptions::default() };
    let options =
        DirectoryOptions { entries: 1 << 15, entry_bytes: 192, map, ..DirectoryOptions::default() };
    let files = Files::from(place.path());
    let directory = Directory::open_with(&files, "test", &options).unwrap();
    let mut offered: Vec<Offered> = Vec::new();
    for number in 0..10_000 {
        let offer = Offer { interface: "one", ranking: number % 7, ..Offer::default() };
        offered.push(directory.offer(&offer).unwrap());
        let interface = format!("one of many {number}");
        offered.push(directory.offer(&Offer { interface: &interface, ..offer }).unwrap());
        if [0, 99, 9_999].contains(&number) {
            for counts in [look(&directory, "one"), look(&directory, &interface)] {
                let Counts { loads, stores, rmws, system_calls, .. } = counts;
                assert_eq!((stores, rmws, system_calls), (0, 0, 0));
                assert!(loads <= MOST, "{loads} loads with {} offers", offered.len());
            }
        }
    }
    std::mem::forget(offered);
}
