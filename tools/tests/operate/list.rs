//! `strait list`.

use crate::Tick;
use crate::actor::Actor;
use crate::place::{Place, consumer, producer, said};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::process::Command;

#[test]
fn nothing_is_not_an_error() {
    let place = Place::new();
    insta::assert_snapshot!(place.shows(&["list"]), @"no channels in [dir]");
    insta::assert_snapshot!(place.shows(&["list", "prod"]), @"no channels of domain `prod` in [dir]");
    std::fs::write(place.path().join("strait-notes.txt"), "").unwrap();
    assert_eq!(place.json(&["list"])["segments"], serde_json::json!([]));
    insta::assert_snapshot!(place.refuses(&["list", "a/b"]), @r#"error: the domain name "a/b" holds '/': use only A-Z a-z 0-9 . _ -"#);
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    let said = said(command.args(["list", "--directory", "/nowhere"]).output().unwrap());
    insta::assert_snapshot!(said.err, @"error: /nowhere: cannot list it: No such file or directory (os error 2)");
    assert!(!said.ok);
}

#[test]
fn channels_in_every_condition() {
    let place = Place::new();
    let mut other = place.domain("prod").spsc::<u64>("quotes").sender().unwrap();
    other.send(&1).unwrap();
    let dense = Actor::new("numbers", "dense", &place);
    let live = (Actor::new("sender", "live", &place), Actor::new("receiver", "live", &place));
    let paused = (Actor::new("sender", "paused", &place), Actor::new("receiver", "paused", &place));
    paused.1.pause();
    let killed = (Actor::new("sender", "killed", &place), Actor::new("receiver", "killed", &place));
    killed.0.kill();
    Actor::new("sender", "closed", &place).close();
    let said = place.strait(&["list"]);
    assert!(said.out.lines().all(|line| line.chars().count() <= 120), "{}", said.out);
    insta::assert_snapshot!(place.shows(&["list", "test"]), @r"
    │ domain channel type cells unread drops sender receiver note │
    │ kind size │
    │ test closed Tick 16 × 64 B 3 0 [pid] closed absent unused │
    │ spsc 20 KiB feed-handler-eu │
    │ test dense u64 64 × 16 B 5 0 [pid] alive absent │
    │ spsc 20 KiB feed-handler-eu │
    │ test killed Tick 16 × 64 B 2 0 [pid] dead [pid] alive │
    │ spsc 20 KiB feed-handler-eu feed-handler-eu │
    │ test live Tick 16 × 64 B 2 0 [pid] alive [pid] alive │
    │ spsc 20 KiB feed-handler-eu feed-handler-eu │
    │ test paused Tick 16 × 64 B 2 0 [pid] alive [pid] paused │
    │ spsc 20 KiB feed-handler-eu feed-handler-eu │
    ");
    let domains = place.json(&["list", "prod"]);
    assert_eq!(domains["segments"].as_array().unwrap().len(), 1);
    drop((dense, live, paused, killed.1));
}

#[test]
fn what_is_no_channel_or_is_damaged() {
    let place = Place::new();
    place.leave("truncated").set_len(8192).unwrap();
    place.leave("version").write_all_at(&9_u32.to_le_bytes(), 8).unwrap();
    place.leave("features").write_all_at(&[4], 32).unwrap();
    place.leave("table").write_all_at(&[0x11, 7], 4096 + 16).unwrap();
    place.leave("retired").write_all_at(&[1], 80).unwrap();
    let words = place.leave("words");
    words.write_all_at(&1000_u64.to_le_bytes(), consumer(&words) + 128).unwrap();
    let holes = place.leave("holes");
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&holes, punch, producer(&holes), 4096).unwrap();
    std::fs::write(place.file("short"), "hello").unwrap();
    std::fs::write(place.file("zeros"), [0; 10_000]).unwrap();
    std::fs::create_dir(place.file("folder")).unwrap();
    symlink("/etc/passwd", place.file("link")).unwrap();
    std::os::unix::net::UnixListener::bind(place.file("socket")).unwrap();
    std::fs::copy(place.file("holes"), place.path().join("strait-4711-test+named")).unwrap();
    let said = place.strait(&["list"]);
    insta::assert_snapshot!(place.redact(&said.out), @r"
    │ domain channel type cells unread drops sender receiver note │
    │ kind size │
    │ test features Tick 16 × 64 B ? ? [pid] closed absent incompat features 0x4, │
    │ spsc 20 KiB feed-handler-eu unused │
    │ test folder 1 KiB not a segment │
    │ test holes Tick 16 × 64 B 0 0 [pid] closed absent holes, unused │
    │ spsc 20 KiB feed-handler-eu │
    │ test link 1 KiB not a segment │
    │ test named holes Tick 16 × 64 B 0 0 [pid] closed absent user 4711, unused │
    │ spsc 20 KiB feed-handler-eu │
    │ test retired Tick 16 × 64 B 3 0 [pid] closed absent retired, unused │
    │ spsc 20 KiB feed-handler-eu │
    │ test short 1 KiB not a segment │
    │ test socket 0 KiB not a segment │
    │ test table 20 KiB damaged, unused │
    │ test truncated Tick 16 × 64 B ? ? ? ? damaged, unused │
    │ spsc 8 KiB │
    │ test version 20 KiB layout version 9, unused │
    │ test words Tick 16 × 64 B ? 0 [pid] closed absent damaged, unused │
    │ spsc 20 KiB feed-handler-eu │
    │ test zeros 10 KiB not a segment │
    test+features: made by another version of Strait: incompat features: this program knows none, the segment has 0x4; use the same version on both sides, or end its users and remove it
    test+folder: not a Strait segment: it is a directory; if nothing else needs the file, remove it by hand
    test+link: not a Strait segment: it is a symbolic link; if nothing else needs the file, remove it by hand
    test+short: not a Strait segment: it has 5 bytes, the header of a segment alone has 4096; if nothing else needs the file, remove it by hand
    test+socket: not a Strait segment: it is a socket or device; if nothing else needs the file, remove it by hand
    test+table: damaged: geometry of channel 0: expected a possible ring, found capacity 1809 is not a power of two: ask for 2048 instead; end its users and remove it
    test+truncated: damaged: file size: expected 20480 bytes, as its header says, found 8192; end its users and remove it
    test+version: made by another version of Strait: layout version: this program knows 4, the segment has 9; use the same version on both sides, or end its users and remove it
    test+words: damaged: the ring's words contradict each other: cursor is 1000, which position 0 rules out; end its users and remove the channel
    test+zeros: not a Strait segment: it begins with 0x0000000000000000; if nothing else needs the file, remove it by hand
    ");
}

#[test]
fn other_users_channels_are_shown_as_far_as_they_can_be_read() {
    let place = Place::new();
    for (channel, mode) in [("secret", 0o600), ("public", 0o644)] {
        place.leave(channel);
        let path = place.file(channel);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).unwrap();
    // Seen by somebody else, which only root can pretend to be.
    let mut command = place.command(&["list"]);
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    let output = match command.output() {
        Ok(output) if output.status.success() => output,
        other => {
            eprintln!("other_users_channels_are_shown: skipped: not run as root? {other:?}");
            return;
        }
    };
    insta::assert_snapshot!(place.redact(&String::from_utf8(output.stdout).unwrap()), @r"
    │ domain channel type cells unread drops sender receiver note │
    │ kind size │
    │ test public Tick 16 × 64 B 3 0 [pid] closed absent user [uid] unused │
    │ spsc 20 KiB feed-handler-eu │
    │ test secret 20 KiB user [uid] │
    ");
}

#[test]
fn programs_get_the_same_as_json() {
    let place = Place::new();
    let _sender = Actor::new("sender", "orders", &place);
    let _receiver = Actor::new("receiver", "orders", &place);
    let listing = place.json(&["list"]);
    assert_eq!(listing["directory"], place.path().to_str().unwrap());
    let segment = &listing["segments"][0];
    assert_eq!(segment["path"], place.file("orders").to_str().unwrap());
    assert_eq!((&segment["domain"], &segment["channel"]), (&"test".into(), &"orders".into()));
    assert_eq!(segment["usage"], "open");
    assert_eq!(segment["state"], "live");
    assert_eq!(segment["layout_version"], strait_ipc::segment::layout::LAYOUT_VERSION);
    assert_eq!(segment["bytes"], segment["allocated_bytes"]);
    assert_eq!(segment["instance"].as_str().unwrap().len(), 32);
    assert!(segment["created_unix_ns"].as_u64().unwrap() > 1 << 60);
    assert_eq!(segment["troubles"], serde_json::json!([]));
    for key in ["user", "owner", "creator_pid", "creator_uid"] {
        assert!(segment[key].is_u64(), "{key} in {segment}");
    }
    let channel = &segment["channels"][0];
    assert_eq!(channel["label"], "orders");
    assert_eq!(channel["discipline"], "spsc");
    assert_eq!(channel["type"], "Tick");
    assert_eq!(channel["schema"], <Tick as strait::message::Message>::SCHEMA);
    assert_eq!(channel["fingerprint"].as_str().unwrap().len(), 32);
    assert_eq!((&channel["capacity"], &channel["cell_bytes"]), (&16.into(), &64.into()));
    assert_eq!(channel["cell_format"], "wide");
    let numbers = ["unread", "consumed", "dropped", "senders_so_far", "receivers_so_far"];
    assert_eq!(numbers.map(|key| channel[key].as_u64()), [2, 1, 0, 1, 1].map(Some));
    assert_eq!(channel["damage"], serde_json::Value::Null);
    for side in ["senders", "receivers"] {
        let side = &channel[side][0];
        assert_eq!((&side["condition"], &side["epoch"]), (&"alive".into(), &1.into()));
        assert!(side["pid"].is_u64() && side["program"].is_string(), "{side}");
        assert!(side["since_unix_ns"].is_u64() && side["ended_unix_ns"].is_null(), "{side}");
    }
}

#[test]
fn channels_of_several_senders_or_receivers() {
    let place = Place::new();
    let domain = place.domain("test");
    let lanes = || domain.lanes::<u64>("fills").senders(3);
    let mut fills = (lanes().sender().unwrap(), lanes().sender().unwrap());
    fills.0.send(&1).unwrap();
    (1..3).for_each(|fill| fills.1.send(&fill).unwrap());
    let work = || domain.mpmc::<u64>("work").senders(2).receivers(2);
    let mut workers = (work().sender().unwrap(), work().receiver().unwrap());
    (0..5).for_each(|task| workers.0.send(&task).unwrap());
    let in_hand = workers.1.recv().unwrap();
    let _news = domain.broadcast::<u64>("news").sender().unwrap();

    let list = place.json(&["list", "test"]);
    let seen: Vec<_> = list["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| {
            let channel = &segment["channels"][0];
            let sides = |role: &str| channel[role].as_array().unwrap().len();
            let text = |key: &str| channel[key].to_string();
            format!(
                "{} {} {} unread, {} consumed, senders {} of {}, receivers {} of {}",
                text("label"),
                text("discipline"),
                text("unread"),
                text("consumed"),
                text("senders_so_far"),
                sides("senders"),
                text("receivers_so_far"),
                sides("receivers")
            )
        })
        .collect();
    insta::assert_snapshot!(seen.join("\n"), @r#"
    "fills" "lanes" 3 unread, 0 consumed, senders 2 of 3, receivers 0 of 1
    "news" "broadcast" 0 unread, 0 consumed, senders 1 of 1, receivers 0 of 16
    "work" "mpmc" 5 unread, 0 consumed, senders 1 of 2, receivers 1 of 2
    "#);
    drop(in_hand);
    let text = place.shows(&["inspect", "test", "fills"]);
    assert!(text.contains("senders, 3 at most") && text.contains("\ntaken 2"), "{text}");
}
