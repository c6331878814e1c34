//! Domains as programs use them: processes meet by name in `/dev/shm`, and leave nothing there.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use strait::{Bytes, Domain, Message, OpenError, RecvError, rkyv};

const DOMAIN: &str = "STRAIT_TEST_DOMAIN";
const COUNT: u64 = 3000;

#[derive(Clone, Copy, Debug, PartialEq, Message)]
#[repr(C)]
struct Tick {
    price: f64,
    size: u64,
}

#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, Message)]
#[rkyv(crate = strait::rkyv, compare(PartialEq))]
struct Order {
    symbol: String,
    legs: Vec<(u64, Option<String>)>,
}

fn tick(number: u64) -> Tick {
    Tick { price: number as f64 / 4.0, size: number }
}

fn order(number: u64) -> Order {
    let leg = |index| (index, (index % 2 == 0).then(|| format!("leg {index} of {number}")));
    Order { symbol: format!("SYM{number}"), legs: (0..number % 4).map(leg).collect() }
}

/// Keeps the tests that open channels apart.
///
/// A child process has its parent's descriptors until its `exec`, and with them the lock of whatever
/// another test is just opening: for that moment a channel would seem to be in use that is not.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name that no other test has, in this run or another.
fn unused_name() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed))
}

/// Files in `/dev/shm` that belong to the domain.
fn files_of(domain: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(&format!("-{domain}+"))).collect()
}

/// What the child process does; nothing when run as a test.
#[test]
fn actor() {
    let Ok(name) = std::env::var(DOMAIN) else { return };
    let domain = Domain::open(&name).unwrap();
    let mut ticks = domain.spsc::<Tick>("ticks").sender().unwrap();
    let mut orders = domain.spsc::<Order>("orders").sender().unwrap();
    for number in 0..COUNT {
        ticks.send(&tick(number)).unwrap();
        orders.send(&order(number)).unwrap();
    }
}

#[test]
fn two_processes_meet_by_name_and_leave_nothing() {
    let _alone = alone();
    let name = unused_name();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["actor", "--exact", "--nocapture"])
        .env(DOMAIN, &name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let domain = Domain::open(&name).unwrap();
    let mut ticks = domain.spsc::<Tick>("ticks").receiver().unwrap();
    // SAFETY: the child is this very program.
    let trusting = unsafe { domain.trusted() };
    let mut orders = trusting.spsc::<Order>("orders").receiver().unwrap();
    let patience = Duration::from_secs(30);
    for number in 0..COUNT {
        assert_eq!(*ticks.recv_timeout(patience).unwrap(), tick(number));
        assert!(*orders.recv_timeout(patience).unwrap() == order(number));
    }
    assert!(child.wait().unwrap().success());
    assert!(matches!(ticks.recv(), Err(RecvError::Closed(_))));
    assert!(matches!(orders.recv(), Err(RecvError::Closed(_))));
    assert_eq!(files_of(&name).len(), 2);
    drop((ticks, orders));
    assert_eq!(files_of(&name), Vec::<String>::new());
}

#[test]
fn domains_and_channels_are_kept_apart() {
    let _alone = alone();
    let (one, other) = (unused_name(), unused_name());
    let domains = [Domain::open(&one).unwrap(), Domain::open(&other).unwrap()];
    let mut channels = vec![];
    for domain in &domains {
        for channel in ["a", "b"] {
            let sender = domain.spsc::<u64>(channel).capacity(2).sender().unwrap();
            let receiver = domain.spsc::<u64>(channel).receiver().unwrap();
            channels.push((sender, receiver));
        }
    }
    for (number, (sender, _)) in (0..).zip(&mut channels) {
        sender.send(&number).unwrap();
    }
    for (number, (_, receiver)) in (0..).zip(&mut channels) {
        assert_eq!(*receiver.try_recv().unwrap(), number);
        assert!(matches!(receiver.try_recv(), Err(RecvError::Empty)));
    }
    drop(channels);
    assert_eq!(files_of(&one).len() + files_of(&other).len(), 0);
}

#[test]
fn unread_messages_stay_until_they_are_removed() {
    let _alone = alone();
    let name = unused_name();
    let domain = Domain::open(&name).unwrap();
    assert!(!domain.remove("orders").unwrap());
    let mut sender = domain.spsc::<u64>("orders").sender().unwrap();
    sender.send(&7).unwrap();
    let in_use = domain.remove("orders").unwrap_err().to_string();
    assert!(in_use.contains(&format!("in use by pid {}", std::process::id())), "{in_use}");
    drop(sender);
    assert_eq!(files_of(&name).len(), 1);
    assert!(domain.remove("orders").unwrap());
    assert_eq!(files_of(&name), Vec::<String>::new());
    assert!(matches!(domain.remove("or/ders"), Err(OpenError::Name(_))));
}

#[test]
fn bytes_in_another_directory() {
    let _alone = alone();
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let domain = Domain::open_in(place.path(), "test").unwrap();
    assert_eq!((domain.name(), domain.directory()), ("test", place.path()));
    let mut sender = domain.spsc::<Bytes>("raw").schema("any").sender().unwrap();
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    let mut receiver = domain.spsc::<Bytes>("raw").schema("any").receiver().unwrap();
    let mut claim = sender.claim(2).unwrap();
    claim.write(0, b"ok").unwrap();
    claim.commit();
    assert_eq!(receiver.poll().unwrap().to_vec(), b"ok");
}

#[test]
fn names_that_are_none() {
    let text = |name: &str| Domain::open(name).unwrap_err().to_string();
    insta::assert_snapshot!(text(""), @"the domain name is empty: it needs 1 to 64 characters of A-Z a-z 0-9 . _ -");
    insta::assert_snapshot!(text("/dev/shm"), @r#"the domain name "/dev/shm" holds '/': use only A-Z a-z 0-9 . _ -"#);
    insta::assert_snapshot!(text(".prod"), @"the domain name `.prod` starts with a dot: start it with a letter or a digit");
    insta::assert_snapshot!(text("börse"), @r#"the domain name "börse" holds 'ö': use only A-Z a-z 0-9 . _ -"#);
    assert!(text(&"d".repeat(300)).ends_with("has 300 characters: at most 64 are allowed"));
    let domain = Domain::open_in("/nonexistent", "test").unwrap();
    let error = domain.spsc::<u64>("orders").sender().unwrap_err().to_string();
    insta::assert_snapshot!(error, @"/nonexistent: cannot make a file in it: No such file or directory (os error 2)");
}
