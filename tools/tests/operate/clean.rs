//! `strait clean`.

use crate::actor::Actor;
use crate::place::Place;
use std::os::unix::fs::FileExt;

/// Channels that are in use, paused, dead, read, of another version, and none at all.
struct Crowd {
    place: Place,
    live: Actor,
    paused: Actor,
}

const KEPT: [&str; 3] = ["live", "none", "paused"];
const REMOVED: [&str; 5] = ["damaged", "dead", "read", "retired", "version"];

impl Crowd {
    fn new() -> Self {
        let place = Place::new();
        Actor::new("sender", "dead", &place).kill();
        place.leave_read("read");
        place.leave("version").write_all_at(&9_u32.to_le_bytes(), 8).unwrap();
        place.leave("damaged").set_len(8192).unwrap();
        place.leave("retired").write_all_at(&[1], 80).unwrap();
        std::fs::write(place.file("none"), [7; 5000]).unwrap();
        let live = Actor::new("sender", "live", &place);
        let paused = Actor::new("sender", "paused", &place);
        paused.pause();
        Self { place, live, paused }
    }

    /// The channels that are left.
    fn left(&self) -> Vec<String> {
        let names = self.place.names().into_iter();
        names.map(|name| name.split_once('+').unwrap().1.to_owned()).collect()
    }
}

#[test]
fn what_nobody_uses_is_removed() {
    let crowd = Crowd::new();
    let place = &crowd.place;
    let everything = crowd.left();
    assert_eq!(everything.len(), KEPT.len() + REMOVED.len());
    insta::assert_snapshot!(place.shows(&["clean", "--dry-run"]), @r"
    test+damaged would be removed (damaged)
    test+dead would be removed, with 3 unread messages
    test+live kept: in use by pid [pid] feed-handler-eu
    test+none not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand
    test+paused kept: in use by pid [pid] feed-handler-eu (paused)
    test+read would be removed
    test+retired would finish its removal
    test+version would be removed (layout version 9)
    5 would be removed: 90112 bytes, 3 unread messages; 3 left
    ");
    assert_eq!(crowd.left(), everything);
    insta::assert_snapshot!(place.shows(&["clean", "other"]), @"nothing to clean: no channels of domain `other` in [dir]");
    assert_eq!(crowd.left(), everything);
    insta::assert_snapshot!(place.shows(&["clean"]), @r"
    test+damaged removed (damaged)
    test+dead removed, with 3 unread messages
    test+live kept: in use by pid [pid] feed-handler-eu
    test+none not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand
    test+paused kept: in use by pid [pid] feed-handler-eu (paused)
    test+read removed
    test+retired its removal was finished
    test+version removed (layout version 9)
    5 removed: 90112 bytes, 3 unread messages; 3 left
    ");
    assert_eq!(crowd.left(), KEPT);
    let Crowd { place, live, paused } = crowd;
    live.kill();
    paused.kill();
    insta::assert_snapshot!(place.shows(&["clean", "test"]), @r"
    test+live removed, with 3 unread messages
    test+none not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand
    test+paused removed, with 3 unread messages
    2 removed: 40960 bytes, 6 unread messages; 1 left
    ");
    assert_eq!(place.names().len(), 1);
}

#[test]
fn unread_messages_are_kept_if_asked_for() {
    let crowd = Crowd::new();
    let dry = ["clean", "--keep-unread", "--dry-run"];
    insta::assert_snapshot!(crowd.place.shows(&dry), @r"
    test+damaged kept: its unread messages cannot be counted
    test+dead kept: 3 unread messages
    test+live kept: in use by pid [pid] feed-handler-eu
    test+none not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand
    test+paused kept: in use by pid [pid] feed-handler-eu (paused)
    test+read would be removed
    test+retired would finish its removal
    test+version kept: its unread messages cannot be counted
    2 would be removed: 40960 bytes; 6 left
    ");
    insta::assert_snapshot!(crowd.place.shows(&dry[..2]), @r"
    test+damaged kept: its unread messages cannot be counted
    test+dead kept: 3 unread messages
    test+live kept: in use by pid [pid] feed-handler-eu
    test+none not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand
    test+paused kept: in use by pid [pid] feed-handler-eu (paused)
    test+read removed
    test+retired its removal was finished
    test+version kept: its unread messages cannot be counted
    2 removed: 40960 bytes; 6 left
    ");
    assert_eq!(crowd.left(), ["damaged", "dead", "live", "none", "paused", "version"]);
}

#[test]
fn a_channel_that_was_named_and_cannot_be_removed_is_an_error() {
    let crowd = Crowd::new();
    let place = &crowd.place;
    for flag in ["--dry-run", "--keep-unread"] {
        let said = place.strait(&["clean", "test", "live", flag]);
        assert!(!said.ok && said.err.contains("kept: in use by pid "), "{}", said.err);
    }
    insta::assert_snapshot!(place.refuses(&["clean", "test", "live"]), @"error: [dir]/strait-[uid]-test+live: kept: in use by pid [pid] feed-handler-eu");
    insta::assert_snapshot!(place.refuses(&["clean", "test", "paused"]), @"error: [dir]/strait-[uid]-test+paused: kept: in use by pid [pid] feed-handler-eu (paused)");
    insta::assert_snapshot!(place.refuses(&["clean", "test", "none"]), @"error: [dir]/strait-[uid]-test+none: not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(place.refuses(&["clean", "test", "none", "--json"]), @"error: [dir]/strait-[uid]-test+none: not a Strait segment: it begins with 0x0707070707070707; if nothing else needs the file, remove it by hand");
    insta::assert_snapshot!(place.refuses(&["clean", "test", "a b"]), @r#"error: the channel name "a b" holds ' ': use only A-Z a-z 0-9 . _ -"#);
    assert_eq!(crowd.left().len(), KEPT.len() + REMOVED.len());
    insta::assert_snapshot!(place.shows(&["clean", "test", "dead"]), @r"
    test+dead removed, with 3 unread messages
    1 removed: 20480 bytes, 3 unread messages; 0 left
    ");
    insta::assert_snapshot!(place.shows(&["clean", "test", "dead"]), @"nothing to clean: no channels `dead` of domain `test` in [dir]");
    assert_eq!(crowd.left().len(), KEPT.len() + REMOVED.len() - 1);
}

#[test]
fn another_users_channel_is_refused() {
    let place = Place::new();
    place.leave("orders");
    let theirs = place.path().join("strait-4711-test+orders");
    std::fs::copy(place.file("orders"), &theirs).unwrap();
    insta::assert_snapshot!(place.shows(&["clean", "test", "orders"]), @r"
    test+orders removed, with 3 unread messages
    1 removed: 20480 bytes, 3 unread messages; 0 left
    ");
    insta::assert_snapshot!(place.shows(&["clean"]), @r"
    test+orders belongs to user 4711, who can remove it
    0 removed: 0 bytes; 1 left
    ");
    insta::assert_snapshot!(place.refuses(&["clean", "test", "orders"]), @"error: [dir]/strait-4711-test+orders: belongs to user 4711, who can remove it");
    assert!(theirs.exists());

    let ours = place.file("given");
    std::fs::rename(theirs, &ours).unwrap();
    if let Err(error) = std::os::unix::fs::chown(&ours, Some(4711), None) {
        eprintln!("another_users_channel_is_refused: cannot give a file away: {error}");
        return;
    }
    insta::assert_snapshot!(place.refuses(&["clean", "test", "given"]), @"error: [dir]/strait-[uid]-test+given: belongs to user 4711, who can remove it");
    assert!(ours.exists());
}

#[test]
fn programs_get_the_same_as_json() {
    let crowd = Crowd::new();
    let report = crowd.place.json(&["clean", "--keep-unread"]);
    let segments = report["segments"].as_array().unwrap();
    let told: Vec<String> = segments
        .iter()
        .map(|segment| {
            assert!(segment["path"].is_string() && segment["text"].is_string(), "{segment}");
            assert!(segment["bytes"].is_u64(), "{segment}");
            let [domain, channel, outcome] =
                ["domain", "channel", "outcome"].map(|key| segment[key].as_str().unwrap());
            format!("{domain} {channel} {outcome} {}", segment["unread"])
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    test damaged unread null
    test dead unread 3
    test live in_use 3
    test none not_a_segment null
    test paused in_use 3
    test read removed 0
    test retired removed null
    test version unread null
    ");
    assert_eq!((&report["dry_run"], &report["removed"]), (&false.into(), &2.into()));
    assert_eq!(report["bytes_freed"], 2 * 20480);
    assert_eq!(report["unread_lost"], 0);
}
