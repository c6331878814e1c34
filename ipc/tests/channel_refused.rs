//! What cannot be opened or sent, and the words that say so. A refusal leaves nothing behind, and
//! harms nothing that was there.

mod channel;

use channel::{Numbered, Order, Place, Tick, text};
use std::os::unix::fs::chown;
use strait_ipc::channel::{Bytes, OpenError, SendError, Spsc};
use strait_ipc::message::WriteError;
use strait_macros::Message;

const NAME: &str = "flow";

/// Other builds of the same program.
mod other {
    use super::Message;

    pub(crate) mod moved {
        #[derive(Clone, Copy, Debug, super::Message)]
        #[message(crate = strait_ipc)]
        #[repr(C)]
        pub(crate) struct Tick {
            pub(crate) price: f64,
            pub(crate) number: u64,
            pub(crate) echo: [u64; 10],
        }
    }

    pub(crate) mod renamed {
        #[derive(Clone, Copy, Debug, super::Message)]
        #[message(crate = strait_ipc)]
        #[repr(C)]
        pub(crate) struct Tick {
            pub(crate) number: u64,
            pub(crate) px: f64,
            pub(crate) echo: [u64; 10],
        }
    }

    pub(crate) mod retyped {
        #[derive(Clone, Copy, Debug, super::Message)]
        #[message(crate = strait_ipc)]
        #[repr(C)]
        pub(crate) struct Tick {
            pub(crate) number: u64,
            pub(crate) price: u64,
            pub(crate) echo: [u64; 10],
        }
    }
}

#[test]
fn another_type_than_the_channel_was_made_for() {
    let place = Place::new();
    let mut sender = place.spsc::<Tick>(NAME).sender().unwrap();
    sender.send(&Tick::numbered(0)).unwrap();
    insta::assert_snapshot!(text(place.spsc::<other::moved::Tick>(NAME).receiver(), &place), @"channel `flow` was created for `Tick` (fingerprint f5a4b64d6b84), this program expects `Tick` (fingerprint 2bd72880589e): field `price` moved from offset 8 there to 0 here: build both sides from the same definition, or remove the channel");
    insta::assert_snapshot!(text(place.spsc::<other::renamed::Tick>(NAME).receiver(), &place), @"channel `flow` was created for `Tick` (fingerprint f5a4b64d6b84), this program expects `Tick` (fingerprint 6f20b30c7fa3): field `px` is missing there: build both sides from the same definition, or remove the channel");
    insta::assert_snapshot!(text(place.spsc::<other::retyped::Tick>(NAME).receiver(), &place), @"channel `flow` was created for `Tick` (fingerprint f5a4b64d6b84), this program expects `Tick` (fingerprint 432001a21b76): field `price` is `u64` here but `f64` there: build both sides from the same definition, or remove the channel");
    insta::assert_snapshot!(text(place.spsc::<Order>(NAME).receiver(), &place), @"channel `flow` was created for `Tick` (fingerprint f5a4b64d6b84), this program expects `Order` (fingerprint 6b46158f00b7): the message is `Order` here but `Tick` there: build both sides from the same definition, or remove the channel");
    insta::assert_snapshot!(text(place.spsc::<u64>(NAME).receiver(), &place), @"channel `flow` was created for `Tick` (fingerprint f5a4b64d6b84), this program expects `u64` (fingerprint a68d997d7d8b): the message is `u64` here but `Tick` there: build both sides from the same definition, or remove the channel");
    let bytes = place.spsc::<Bytes>(NAME).schema("raw").receiver();
    insta::assert_snapshot!(text(bytes, &place), @"channel `flow` was created for `Tick` (fingerprint f5a4b64d6b84), this program expects `raw` (fingerprint a68db9106b8b): the message is `raw` here but `Tick` there: build both sides from the same definition, or remove the channel");

    // The right one is still welcome.
    let mut receiver = place.spsc::<Tick>(NAME).receiver().unwrap();
    assert_eq!(Tick::number(&receiver.recv().unwrap()), 0);
}

#[test]
fn bytes_of_another_meaning() {
    let place = Place::new();
    let _sender = place.spsc::<Bytes>(NAME).schema("frames, version 1").sender().unwrap();
    let other = place.spsc::<Bytes>(NAME).schema("frames, version 2").receiver();
    insta::assert_snapshot!(text(other, &place), @"channel `flow` was created for `frames` (fingerprint 954824222afb), this program expects `frames` (fingerprint 9548242229fb): build both sides from the same definition, or remove the channel");
    let long = "x".repeat(3000);
    let other = place.spsc::<Bytes>("long").schema(&long).receiver();
    insta::assert_snapshot!(text(other, &place), @"the schema text of channel `long` has 3000 bytes: at most 2048 are allowed; shorten field names or nest less");
    assert_eq!(place.files(), [place.file(NAME)]);
}

#[test]
fn another_geometry_than_the_channel_has() {
    let place = Place::new();
    let mut sender = place.spsc::<Order>(NAME).capacity(8).sender().unwrap();
    sender.send(&Order::numbered(0)).unwrap();
    let open = || place.spsc::<Order>(NAME);
    insta::assert_snapshot!(text(open().capacity(16).receiver(), &place), @"channel `flow` exists with capacity 8, and 16 was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    insta::assert_snapshot!(text(open().max_len(1000).receiver(), &place), @"channel `flow` exists with cells of 256 bytes, and 1024 bytes was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    insta::assert_snapshot!(text(open().dense().receiver(), &place), @"channel `flow`: dense cells hold plain messages of at most 8 bytes, and `Order` is not one: leave out `dense()`");
    // Asking for what it has, in other words, is agreement.
    let mut receiver = open().capacity(8).max_len(235).receiver().unwrap();
    assert_eq!(Order::number(&receiver.recv().unwrap()), 0);
}

#[test]
fn geometries_that_no_ring_has() {
    let place = Place::new();
    let open = || place.spsc::<Tick>(NAME);
    insta::assert_snapshot!(text(open().capacity(0).sender(), &place), @"channel `flow`: capacity 0 is not a power of two: ask for 1 instead");
    insta::assert_snapshot!(text(open().capacity(3).sender(), &place), @"channel `flow`: capacity 3 is not a power of two: ask for 4 instead");
    insta::assert_snapshot!(text(open().capacity(u64::MAX).sender(), &place), @"channel `flow`: capacity 18446744073709551615 is not a power of two");
    insta::assert_snapshot!(text(open().capacity(1 << 63).sender(), &place), @"channel `flow`: 9223372036854775808 cells of 128 bytes exceed the largest ring, 274877906944 bytes");
    insta::assert_snapshot!(text(open().max_len(usize::MAX).sender(), &place), @"channel `flow`: messages of 18446744073709551615 bytes do not fit the largest cell, which holds 1048560 bytes");
    insta::assert_snapshot!(text(open().max_len(1 << 20).sender(), &place), @"channel `flow`: messages of 1048576 bytes do not fit the largest cell, which holds 1048560 bytes");
    let wide = place.spsc::<[u64; 200_000]>(NAME).sender();
    insta::assert_snapshot!(text(wide, &place), @"channel `flow`: messages of 1600000 bytes do not fit the largest cell, which holds 1048560 bytes");
    assert!(matches!(open().capacity(0).receiver(), Err(OpenError::Geometry { .. })));
    assert!(Spsc::<Tick>::unnamed("pair").capacity(0).pair().is_err());
    assert!(Spsc::<Tick>::unnamed("pair").max_len(usize::MAX).segment().is_err());
    place.assert_empty();
}

#[test]
fn cells_that_hold_no_message_of_the_type() {
    let place = Place::new();
    let open = || place.spsc::<Tick>(NAME);
    insta::assert_snapshot!(text(open().max_len(8).sender(), &place), @"channel `flow`: a `Tick` takes 96 bytes and its cells hold 48: ask for larger cells");
    insta::assert_snapshot!(text(open().dense().sender(), &place), @"channel `flow`: dense cells hold plain messages of at most 8 bytes, and `Tick` is not one: leave out `dense()`");
    insta::assert_snapshot!(text(place.spsc::<Order>(NAME).dense().receiver(), &place), @"channel `flow`: dense cells hold plain messages of at most 8 bytes, and `Order` is not one: leave out `dense()`");
    // A refusal must not decide the channel's geometry.
    place.assert_empty();
    let mut sender = open().sender().unwrap();
    sender.send(&Tick::numbered(0)).unwrap();
}

#[test]
fn a_rich_message_longer_than_its_cell() {
    let place = Place::new();
    let mut sender = place.spsc::<Order>(NAME).capacity(2).max_len(112).sender().unwrap();
    let mut receiver = place.spsc::<Order>(NAME).receiver().unwrap();
    let large = || Order { symbol: "S".repeat(500), ..Order::numbered(0) };
    insta::assert_snapshot!(text(sender.send(&large()), &place), @"the message takes 552 bytes and only 112 fit: send less, or create the channel for larger messages");
    let room = sender.max_len();
    let refused = |error: &WriteError| {
        assert!(
            matches!(error, WriteError::TooLarge { needed: 500.., room: found } if *found == room)
        );
    };
    refused(&sender.loan().unwrap().publish(&large()).unwrap_err());
    let mut batch = sender.batch();
    batch.push(&Order::numbered(0)).unwrap();
    let SendError::Message(error) = batch.push(&large()).unwrap_err() else { panic!() };
    refused(&error);
    // The batch has the next message in the place of the one that was too large.
    batch.push(&Order::numbered(1)).unwrap();
    assert_eq!(batch.publish(), 2);
    assert_eq!(Order::number(&receiver.recv().unwrap()), 0);
    assert_eq!(Order::number(&receiver.recv().unwrap()), 1);

    let messages = [Order::numbered(2), large(), Order::numbered(3)];
    let (sent, error) = sender.send_all(&messages).unwrap_err();
    assert!(matches!(error, SendError::Message(_)));
    assert_eq!((sent, sender.position()), (1, 3));
    assert_eq!(Order::number(&receiver.recv().unwrap()), 2);
    assert!(receiver.try_recv().is_err());
    sender.send(&Order::numbered(3)).unwrap();
    assert_eq!(Order::number(&receiver.recv().unwrap()), 3);
}

#[test]
fn names_that_are_none() {
    let place = Place::new();
    let open = |domain: &str, channel: &str| {
        let directory = place.path().into();
        text(Spsc::<Tick>::named(directory, domain, channel).sender(), &place)
    };
    insta::assert_snapshot!(open("prod", ""), @"the channel name is empty: it needs 1 to 128 characters of A-Z a-z 0-9 . _ -");
    insta::assert_snapshot!(open("prod", "../orders"), @r#"the channel name "../orders" holds '/': use only A-Z a-z 0-9 . _ -"#);
    insta::assert_snapshot!(open("prod", "a/b"), @r#"the channel name "a/b" holds '/': use only A-Z a-z 0-9 . _ -"#);
    insta::assert_snapshot!(open("prod", ".hidden"), @"the channel name `.hidden` starts with a dot: start it with a letter or a digit");
    insta::assert_snapshot!(open("prod", "größe"), @r#"the channel name "größe" holds 'ö': use only A-Z a-z 0-9 . _ -"#);
    insta::assert_snapshot!(open("prod", "a\nb"), @r#"the channel name "a\nb" holds '\n': use only A-Z a-z 0-9 . _ -"#);
    insta::assert_snapshot!(open("", "orders"), @"the domain name is empty: it needs 1 to 64 characters of A-Z a-z 0-9 . _ -");
    insta::assert_snapshot!(open("a+b", "orders"), @r#"the domain name "a+b" holds '+': use only A-Z a-z 0-9 . _ -"#);
    let long = open("prod", &"c".repeat(300));
    assert!(long.ends_with("has 300 characters: at most 128 are allowed"), "{long}");
    let long = open(&"d".repeat(300), "orders");
    assert!(long.ends_with("has 300 characters: at most 64 are allowed"), "{long}");
    place.assert_empty();
}

#[test]
fn a_channel_without_a_name_cannot_be_opened_by_one_side() {
    let place = Place::new();
    insta::assert_snapshot!(text(Spsc::<Tick>::unnamed("loose").sender(), &place), @"channel `loose` has no name that another process could open: make its `segment()` and hand that over, or take both sides with `pair()`");
}

#[test]
fn a_file_that_is_no_segment() {
    let place = Place::new();
    std::fs::write(place.file(NAME), "mine").unwrap();
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).sender(), &place), @"[dir]/strait-[uid]-test+flow: not a Strait segment: it has 4 bytes, the header of a segment alone has 4096; if nothing else needs the file, remove it by hand");
    std::fs::write(place.file(NAME), [0xff; 20_000]).unwrap();
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).receiver(), &place), @"[dir]/strait-[uid]-test+flow: not a Strait segment: it begins with 0xffffffffffffffff; if nothing else needs the file, remove it by hand");
    assert_eq!(std::fs::read(place.file(NAME)).unwrap(), [0xff; 20_000], "not ours to touch");
}

#[test]
fn a_channel_of_another_user() {
    let place = Place::new();
    let mut sender = place.spsc::<Tick>(NAME).sender().unwrap();
    sender.send(&Tick::numbered(0)).unwrap();
    drop(sender);
    if chown(place.file(NAME), Some(12_345), None).is_err() {
        println!("skipped: only root can give a file away");
        return;
    }
    insta::assert_snapshot!(text(place.spsc::<Tick>(NAME).receiver(), &place), @"[dir]/strait-[uid]-test+flow: belongs to user id 12345, this process runs as 0: segments are shared only within one user; remove the file as its owner, or run as that user");
    assert_eq!(place.files(), [place.file(NAME)]);
}
