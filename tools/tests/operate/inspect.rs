//! `strait inspect`.

use crate::actor::Actor;
use crate::place::{Place, consumer, producer, said, user};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Command;
use strait::{Join, OnFull, RecvError, Slow};

#[test]
fn a_channel_in_use() {
    let place = Place::new();
    let _sender = Actor::new("sender", "orders", &place);
    let receiver = Actor::new("receiver", "orders", &place);
    insta::assert_snapshot!(place.shows(&["inspect", "test", "orders"]), @r"
    segment
    file [dir]/strait-[uid]-test+orders
    domain test
    channel orders
    user [uid]
    owner [uid]
    size 20480 bytes, 20480 allocated
    usage open
    layout version 4
    state live
    created [time] UTC, by pid [pid] of user [uid]
    instance [instance]
    channels 1

    channel orders
    discipline spsc
    type Tick
    fingerprint acc9a9eab131
    schema Tick{
    price:f64@0,
    size:u64@8
    }#16/8

    ring
    capacity 16 messages
    cells 64 bytes, 48 of them for the message
    sides never sleep
    sent 3
    unread 2
    consumed 1
    dropped 0
    senders 1 so far
    receivers 1 so far

    sender
    condition alive
    process [pid] feed-handler-eu
    since [time] UTC
    epoch 1

    receiver
    condition alive
    process [pid] feed-handler-eu
    since [time] UTC
    epoch 1

    verdict
    in order
    ");
    receiver.pause();
    let text = place.shows(&["inspect", "test", "orders"]);
    insta::assert_snapshot!(text.split_once("\nreceiver\n").unwrap().1, @r"
    condition paused
    process [pid] feed-handler-eu
    since [time] UTC
    epoch 1

    verdict
    the receiver is paused and keeps its side: `kill -CONT [pid]` lets it go on
    ");
}

#[test]
fn a_channel_whose_processes_died() {
    let place = Place::new();
    let (sender, receiver) =
        (Actor::new("sender", "orders", &place), Actor::new("receiver", "orders", &place));
    sender.kill();
    receiver.kill();
    let before = std::fs::read(place.file("orders")).unwrap();
    let text = place.shows(&["inspect", "test", "orders"]);
    insta::assert_snapshot!(text.split_once("\nring\n").unwrap().1, @r"
    capacity 16 messages
    cells 64 bytes, 48 of them for the message
    sides never sleep
    sent 3
    unread 2
    consumed 1
    dropped 0
    senders 1 so far
    receivers 1 so far

    sender
    condition dead
    process [pid] feed-handler-eu
    since [time] UTC
    noticed by nobody yet
    epoch 1

    receiver
    condition dead
    process [pid] feed-handler-eu
    since [time] UTC
    noticed by nobody yet
    epoch 1

    verdict
    the sender ended without closing: the next sender goes on where it stopped
    the receiver ended without closing: the next receiver goes on where it stopped
    no process has it open: 2 messages wait for a receiver, and `strait clean test orders --directory [dir]` removes it with them
    ");
    assert!(before == std::fs::read(place.file("orders")).unwrap(), "looking changes nothing");
    let json = place.json(&["inspect", "test", "orders"]);
    let channel = &json["channels"][0];
    for side in ["senders", "receivers"] {
        let side = &channel[side][0];
        assert_eq!((&side["condition"], side["ended_unix_ns"].is_null()), (&"dead".into(), true));
    }
    assert_eq!((&json["usage"], &channel["unread"]), (&"unused".into(), &2.into()));
}

#[test]
fn there_is_none() {
    let place = Place::new();
    insta::assert_snapshot!(place.refuses(&["inspect", "test", "orders"]), @"error: [dir]/strait-[uid]-test+orders: there is no such segment: create it first, or check domain and user");
    insta::assert_snapshot!(place.refuses(&["inspect", "test", "orders", "--json"]), @"error: [dir]/strait-[uid]-test+orders: there is no such segment: create it first, or check domain and user");
    insta::assert_snapshot!(place.refuses(&["inspect", "test", "a b"]), @r#"error: the channel name "a b" holds ' ': use only A-Z a-z 0-9 . _ -"#);
}

#[test]
fn another_version() {
    let place = Place::new();
    place.leave("orders").write_all_at(&9_u32.to_le_bytes(), 8).unwrap();
    insta::assert_snapshot!(place.shows(&["inspect", "test", "orders"]), @r"
    segment
    file [dir]/strait-[uid]-test+orders
    domain test
    channel orders
    user [uid]
    owner [uid]
    size 20480 bytes, 20480 allocated
    usage unused
    layout version 9, read as version 4 would
    state live
    created [time] UTC, by pid [pid] of user [uid]
    instance [instance]
    channels 1

    verdict
    made by another version of Strait: layout version: this program knows 4, the segment has 9; use the same version on both sides, or end its users and remove it
    no process has it open: `strait clean test orders --directory [dir]` removes it, whatever is in it
    ");
}

#[test]
fn damaged_ones() {
    let place = Place::new();
    let verdict = |channel: &str| {
        let text = place.shows(&["inspect", "test", channel]);
        text.split_once("\nverdict\n").unwrap().1.to_owned()
    };
    place.leave("truncated").set_len(8192).unwrap();
    insta::assert_snapshot!(place.shows(&["inspect", "test", "truncated"]), @r"
    segment
    file [dir]/strait-[uid]-test+truncated
    domain test
    channel truncated
    user [uid]
    owner [uid]
    size 8192 bytes, 8192 allocated
    usage unused
    layout version 4
    state live
    created [time] UTC, by pid [pid] of user [uid]
    instance [instance]
    channels 1

    channel truncated
    discipline spsc
    type Tick
    fingerprint acc9a9eab131
    schema Tick{
    price:f64@0,
    size:u64@8
    }#16/8

    ring
    capacity 16 messages
    cells 64 bytes, 48 of them for the message
    sides never sleep
    contents not looked at

    sender
    condition ?

    receiver
    condition ?

    verdict
    damaged: file size: expected 20480 bytes, as its header says, found 8192; end its users and remove it
    no process has it open: `strait clean test truncated --directory [dir]` removes it, whatever is in it
    ");
    place.leave("retired").write_all_at(&[1], 80).unwrap();
    insta::assert_snapshot!(verdict("retired"), @"its removal was begun: the next to open it, or `strait clean test retired --directory [dir]`, finishes that");
    let words = place.leave("words");
    words.write_all_at(&99_u64.to_le_bytes(), producer(&words) + 256).unwrap();
    insta::assert_snapshot!(verdict("words"), @r"
    damaged: the ring's words contradict each other: state is 99, which position 0 rules out; end its users and remove the channel
    no process has it open: `strait clean test words --directory [dir]` removes it, whatever is in it
    ");
    let holes = place.leave("holes");
    let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&holes, punch, consumer(&holes), 4096).unwrap();
    insta::assert_snapshot!(verdict("holes"), @r"
    4096 bytes have no memory behind them: the next to open it fills them
    no process has it open: 3 messages wait for a receiver, and `strait clean test holes --directory [dir]` removes it with them
    ");
    std::fs::write(place.file("text"), "hello").unwrap();
    insta::assert_snapshot!(place.shows(&["inspect", "test", "text"]), @r"
    segment
    file [dir]/strait-[uid]-test+text
    domain test
    channel text
    user [uid]
    owner [uid]
    size 5 bytes, 4096 allocated
    usage unused

    verdict
    not a Strait segment: it has 5 bytes, the header of a segment alone has 4096; if nothing else needs the file, remove it by hand
    ");
}

/// Texts that would move a terminal's cursor or clear it do neither.
#[test]
fn nothing_a_terminal_would_act_on_is_printed() {
    let place = Place::new();
    let file = place.leave("orders");
    let hostile = b"\x1b[2J\n\x07";
    file.write_all_at(hostile, 4096 + 64).unwrap();
    file.write_all_at(hostile, 4096 + 2048).unwrap();
    for damage in [false, true] {
        if damage {
            // Errors name the channel.
            file.write_all_at(&1_u64.to_le_bytes(), 4096 + 24).unwrap();
        }
        for arguments in [&["inspect", "test", "orders"][..], &["list"], &["clean", "--dry-run"]] {
            let said = place.strait(arguments);
            assert!(said.ok && !said.out.is_empty(), "{}", said.err);
            let bad = |c: char| c.is_control() && c != '\n';
            assert!(!said.out.contains(bad), "{:?}", said.out);
        }
        let json = place.json(&["inspect", "test", "orders"]);
        assert_eq!(json["channels"][0]["label"], "\u{1b}[2J\n\u{7}");
    }
}

#[test]
fn any_file_can_be_looked_at() {
    let place = Place::new();
    let renamed = place.path().join("saved.bin");
    place.leave("orders");
    std::fs::rename(place.file("orders"), &renamed).unwrap();
    let inspect = |path: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
        said(command.args(["inspect", "--file"]).arg(path).output().unwrap())
    };
    let text = place.redact(&inspect(&renamed).out);
    let (first, rest) = text.split_once("\nchannel orders\n").unwrap();
    insta::assert_snapshot!(first, @r"
    segment
    file [dir]/saved.bin
    owner [uid]
    size 20480 bytes, 20480 allocated
    usage unused
    layout version 4
    state live
    created [time] UTC, by pid [pid] of user [uid]
    instance [instance]
    channels 1
    ");
    insta::assert_snapshot!(rest.split_once("\nverdict\n").unwrap().1, @"no process has it open: 3 messages wait for a receiver, and removing the file removes it with them");
    insta::assert_snapshot!(inspect("/nowhere/at-all".as_ref()).err, @"error: /nowhere/at-all: there is no such segment: create it first, or check domain and user");
    let said = inspect("/dev/zero".as_ref());
    assert!(said.ok && said.out.contains("not a regular file (CharacterDevice)"), "{}", said.out);
}

#[test]
fn a_file_that_may_not_be_read() {
    let place = Place::new();
    place.leave("orders");
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(place.path(), 0o755);
    // Root may read anything, so one of another user is looked at by somebody else.
    let own = user();
    if own != 0 {
        mode(&place.file("orders"), 0);
        let text = place.shows(&["inspect", "test", "orders"]);
        assert!(text.ends_with("cannot open it: Permission denied (os error 13)"), "{text}");
        return;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_strait"));
    command.args(["inspect", "--file"]).arg(place.file("orders"));
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    match command.output() {
        Ok(output) if output.status.success() => {
            let text = place.redact(&said(output).out);
            insta::assert_snapshot!(text, @r"
            segment
            file [dir]/strait-[uid]-test+orders
            domain test
            channel orders
            user [uid]
            owner [uid]
            size 20480 bytes, 20480 allocated
            usage unknown

            verdict
            belongs to user id 0, this process runs as 65534: segments are shared only within one user; remove the file as its owner, or run as that user
            ");
        }
        other => eprintln!("a_file_that_may_not_be_read: skipped: {other:?}"),
    }
}

/// What is said of the ring and its sides, who are in this process.
fn ring(page: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    page.split_once("\nring\n").unwrap().1.replace(program, "[program]")
}

#[test]
fn a_broadcast_and_its_readers() {
    let place = Place::new();
    let open = || {
        let news = place.domain("test").broadcast::<u64>("news").capacity(8).readers(3);
        news.on_full(OnFull::DropNewest)
    };
    let mut sender = open().sender().unwrap();
    let mut demoted = open().receiver(Join::Newest, Slow::Demote).unwrap();
    (0..20).for_each(|number| sender.send(&number).unwrap());
    assert!(matches!(demoted.recv(), Err(RecvError::Overrun { .. })));
    let _gating = open().receiver(Join::Newest, Slow::Gate).unwrap();
    (0..10).for_each(|number| sender.send(&number).unwrap());
    let text = place.shows(&["inspect", "test", "news"]);
    insta::assert_snapshot!(ring(&text), @r"
    capacity 8 messages
    cells 64 bytes, 48 of them for the message
    sides never sleep
    sent 28
    unread 8
    consumed 20
    dropped 2
    senders 1 so far
    receivers 2 so far

    sender
    condition alive
    process [pid] [program]
    since [time] UTC
    epoch 1

    receivers, 3 at most
    taken 2

    receiver 0
    condition alive
    process [pid] [program]
    since [time] UTC
    epoch 1
    behind 12; 16 at most so far
    waits 0 by the sender for receivers here
    lost 16 by receivers here

    receiver 1
    condition alive
    process [pid] [program]
    since [time] UTC
    epoch 1
    behind 8, and the sender waits for it; 8 at most so far
    waits 0 by the sender for receivers here
    lost 0 by receivers here

    verdict
    the ring is full: receiver 1 is behind by its whole capacity
    ");
    let json = place.json(&["inspect", "test", "news"]);
    let channel = &json["channels"][0];
    assert_eq!((&channel["sent"], &channel["depth"]), (&28.into(), &8.into()));
    let reader = &channel["readers"][1];
    let numbers = ["receiver", "cursor", "behind", "most_behind", "waits", "lost"];
    assert_eq!(numbers.map(|key| reader[key].as_u64()), [1, 20, 8, 8, 0, 0].map(Some));
    assert_eq!((&reader["present"], &reader["waited_for"]), (&true.into(), &true.into()));
    assert!(channel["readers"][0]["lost"].as_u64() > Some(0), "{channel}");
}

#[test]
fn latest_values_and_lanes() {
    let place = Place::new();
    let domain = place.domain("test");
    let mut writer = domain.latest::<u64>("marks").keys(4).writer().unwrap();
    for (key, value) in [(1, 10), (1, 11), (3, 12)] {
        writer.set(key, &value).unwrap();
    }
    let lanes = || domain.lanes::<u64>("fills").senders(2).capacity(2).on_full(OnFull::DropNewest);
    let (_one, mut other) = (lanes().sender().unwrap(), lanes().sender().unwrap());
    (0..5).for_each(|number| other.send(&number).unwrap());
    let shown = ["marks", "fills"].map(|channel| ring(&place.shows(&["inspect", "test", channel])));
    insta::assert_snapshot!(shown[0], @r"
    capacity 4 keys
    cells 64 bytes, 48 of them for the message
    sides never sleep
    values 2
    sets 3
    senders 1 so far
    key 1 version 2
    key 3 version 1

    sender
    condition alive
    process [pid] [program]
    since [time] UTC
    epoch 1

    verdict
    in order
    ");
    insta::assert_snapshot!(shown[1], @r"
    capacity 2 messages
    cells 64 bytes, 48 of them for the message
    sides never sleep
    sent 2
    unread 2
    consumed 0
    dropped 3
    senders 2 so far
    receivers 0 so far

    senders, 2 at most
    taken 2

    sender 0
    condition alive
    process [pid] [program]
    since [time] UTC
    epoch 1
    sent 0
    unread 0
    dropped 0

    sender 1
    condition alive
    process [pid] [program]
    since [time] UTC
    epoch 1
    sent 2
    unread 2
    dropped 3

    receiver
    condition absent

    verdict
    the ring of sender 1 is full: the receiver is behind by its capacity
    ");
    let json = place.json(&["list", "test"]);
    let channel = |index: usize| &json["segments"][index]["channels"][0];
    assert_eq!(channel(0)["lanes"][1]["dropped"], 3);
    let values = serde_json::json!({ "looked_at": 4, "set": 2, "versions": [0, 2, 0, 1] });
    assert_eq!((&channel(1)["values"], channel(1)["consumed"].is_null()), (&values, true));
}

#[test]
fn a_directory() {
    let place = Place::new();
    let member = Actor::new("member", "one", &place);
    let text = place.shows(&["inspect", "test", ".services"]);
    insta::assert_snapshot!(text.split_once("\n\nchannel .services\n").unwrap().1, @r"
    discipline directory
    type services
    fingerprint 0fef4e4b4b65
    schema services

    directory
    entries 1024, 2 of them taken
    size 512 bytes each, 384 of them for what is offered

    members, 128 at most
    taken 1

    member 0
    condition alive
    process [pid] feed-handler-eu
    since [time] UTC
    epoch 1

    offer 1
    interface engine
    name one
    address orders
    ranking 5
    properties 2 bytes
    process [pid] feed-handler-eu
    condition alive

    offer 2
    interface engine
    address orders
    ranking -1
    properties 2 bytes
    process [pid] feed-handler-eu
    condition alive

    verdict
    in order
    ");
    let kept = Actor::new("member", "two", &place);
    member.kill();
    let text = place.shows(&["inspect", "test", ".services"]);
    insta::assert_snapshot!(text.split_once("\nverdict\n").unwrap().1, @"2 offers are those of dead processes: the next to ask after one of them, or to offer something in their place, withdraws them");
    insta::assert_snapshot!(place.shows(&["list"]), @r"
    │ domain channel type cells unread drops sender receiver note │
    │ kind size │
    │ test .services services 1024 × 512 B [pid] alive 2 offers │
    │ directory 592 KiB feed-handler-eu │
    ");
    let json = place.json(&["list"]);
    let offers = json["segments"][0]["channels"][0]["offers"].as_array().unwrap().clone();
    let seen: Vec<String> = offers
        .iter()
        .map(|offer| format!("{} {} {}", offer["id"], offer["name"], offer["condition"]))
        .collect();
    insta::assert_snapshot!(seen.join("\n"), @r#"
    1 "one" "dead"
    2 "" "dead"
    3 "two" "alive"
    4 "" "alive"
    "#);
    kept.kill();
    let text = place.shows(&["inspect", "test", ".services"]);
    insta::assert_snapshot!(text.split_once("\nverdict\n").unwrap().1, @r"
    4 offers are those of dead processes: the next to ask after one of them, or to offer something in their place, withdraws them
    no process has it open: `strait clean test .services --directory [dir]` removes it
    ");
    insta::assert_snapshot!(place.shows(&["clean", "test", ".services"]), @r"
    test+.services removed
    1 removed: 606208 bytes; 0 left
    ");
    assert_eq!(place.names(), [""; 0]);
}
