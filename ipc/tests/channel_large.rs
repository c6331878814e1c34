//! Messages of any size: in their cells, or in the arena.

// Messages are counted up to some hundreds.
#![allow(clippy::cast_possible_truncation)]

mod channel;

use channel::{Actor, Place, Words, job, tell, wait_for_parent};
use proptest::prelude::*;
use std::thread;
use std::time::Duration;
use strait_ipc::channel::{
    Bytes, BytesReceiver, BytesSender, OnFull, OpenError, RecvError, SendError, Spsc, Wait,
};
use strait_ipc::message::WriteError;
use strait_ipc::rkyv;
use strait_macros::Message as DeriveMessage;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const NAME: &str = "large";

/// Strings and vectors, nested, of as many bytes as wished.
#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
struct Document {
    number: u64,
    title: String,
    pages: Vec<Page>,
}

#[derive(Debug, PartialEq, rkyv::Archive, rkyv::Serialize, DeriveMessage)]
#[message(crate = strait_ipc)]
#[rkyv(crate = rkyv, compare(PartialEq), derive(Debug))]
struct Page {
    lines: Vec<String>,
    ink: Vec<u8>,
}

impl Document {
    /// About `bytes` bytes that follow from the number.
    fn of(number: u64, bytes: usize) -> Self {
        let page = |index: usize| Page {
            lines: vec![format!("page {index} of {number}"), "x".repeat(index % 7)],
            ink: vec![u8::try_from((number + index as u64) % 251).unwrap(); bytes.min(4000)],
        };
        Self {
            number,
            title: format!("document {number}"),
            pages: (0..=bytes / 4000).map(page).collect(),
        }
    }
}

/// Up to 200 KiB.
fn varied(number: u64) -> usize {
    usize::try_from(number * 977).unwrap() % (200 * KIB)
}

fn byte(number: u64, at: usize) -> u8 {
    u8::try_from((number * 31 + at as u64 * 7) % 251).unwrap()
}

fn send_bytes(sender: &mut BytesSender, number: u64, len: usize) {
    let mut claim = sender.claim(len).unwrap();
    assert_eq!(claim.as_mut_ptr().addr() % 16, 0);
    let bytes: Vec<u8> = (0..len).map(|at| byte(number, at)).collect();
    claim.write(0, &bytes).unwrap();
    claim.commit();
}

fn receive_bytes(receiver: &mut BytesReceiver, number: u64, len: usize) {
    let message = receiver.recv().unwrap();
    assert_eq!((message.len(), message.as_ptr().addr() % 16), (len, 0));
    let bytes = message.to_vec();
    assert!(bytes.iter().enumerate().all(|(at, &found)| found == byte(number, at)), "{number}");
}

/// What child processes do; nothing when run as a test.
#[test]
fn actor() {
    let Some((what, place)) = job() else { return };
    match what.as_str() {
        "send-documents" => {
            let channel = place.spsc::<Document>(NAME).capacity(8).arena(256 * KIB as u64);
            let mut sender = channel.sender().unwrap();
            for number in 0..200 {
                let bytes = varied(number);
                sender.send(&Document::of(number, bytes)).unwrap();
            }
        }
        "send-and-die" => {
            let channel = place.spsc::<Document>(NAME).capacity(8).arena(256 * KIB as u64);
            let mut sender = channel.sender().unwrap();
            for number in 0..3 {
                sender.send(&Document::of(number, 50 * KIB)).unwrap();
            }
            // Built, and never published.
            let mut batch = sender.batch();
            batch.push(&Document::of(99, 50 * KIB)).unwrap();
            tell("sent");
            wait_for_parent();
        }
        other => panic!("no such job: {other}"),
    }
}

#[test]
fn documents_of_all_sizes_go_from_one_process_to_another() {
    let place = Place::new();
    let channel = place.spsc::<Document>(NAME).capacity(8).arena(256 * KIB as u64);
    let mut receiver = channel.receiver().unwrap();
    let mut child = Actor::spawn("send-documents", &place);
    for number in 0..200 {
        let bytes = varied(number);
        assert_eq!(*receiver.recv().unwrap(), Document::of(number, bytes));
    }
    assert!(matches!(receiver.recv(), Err(RecvError::Closed(_))));
    child.finish();
}

#[test]
fn sixty_four_mebibytes_are_one_message() {
    let channel = Spsc::<Bytes>::unnamed("pair").capacity(4).arena(64 * MIB as u64);
    let (mut sender, mut receiver) = channel.pair().unwrap();
    for number in 0..3 {
        let large = vec![number; 64 * MIB];
        let mut claim = sender.claim(large.len()).unwrap();
        claim.write(0, &large).unwrap();
        claim.commit();
        // There is room for small ones beside it, and for no other large one.
        assert_eq!(sender.try_claim(1000).unwrap_err(), SendError::Full);
        send_bytes(&mut sender, 7, 100);
        assert!(receiver.recv().unwrap().to_vec() == large);
        receive_bytes(&mut receiver, 7, 100);
    }
}

/// What is read stands where it was written: nothing was copied in between.
#[test]
fn messages_are_built_and_read_in_place() {
    let arena = Spsc::<Bytes>::unnamed("pair").arena(64 * KIB as u64);
    let blocks = Spsc::<Bytes>::unnamed("pair").blocks(4, 40 * KIB as u64);
    for channel in [arena, blocks] {
        let (mut sender, mut receiver) = channel.pair().unwrap();
        for len in [10, 30 * KIB, 40 * KIB] {
            let mut claim = sender.claim(len).unwrap();
            let written = claim.as_mut_ptr().cast_const();
            claim.commit();
            // Both sides have the one mapping of this process.
            assert_eq!(receiver.recv().unwrap().as_ptr(), written, "{len} bytes");
        }
    }
    let channel = Spsc::<Document>::unnamed("pair").blocks(4, 40 * KIB as u64);
    let (mut sender, mut receiver) = channel.pair().unwrap();
    let document = Document::of(1, 20 * KIB);
    let mut loan = sender.loan_len(30 * KIB).unwrap();
    let start = loan.as_mut_ptr().0.addr();
    loan.publish(&document).unwrap();
    let kept = receiver.recv().unwrap().keep().unwrap();
    let archived = std::ptr::from_ref(&*kept).addr();
    assert!((start..start + 30 * KIB).contains(&archived), "the root stands in the loan");
    assert_eq!(*kept, document);
}

#[test]
fn what_never_fits_is_an_error_that_names_both_sizes() {
    let (mut sender, _receiver) = Spsc::<Bytes>::unnamed("pair").arena(5000).pair().unwrap();
    assert_eq!(sender.max_len(), 8192, "whole pages");
    let error = sender.claim(8193).unwrap_err();
    assert_eq!(error, SendError::Message(WriteError::TooLarge { needed: 8193, room: 8192 }));
    insta::assert_snapshot!(error, @"the message takes 8193 bytes and only 8192 fit: send less, or create the channel for larger messages");

    let (mut sender, _receiver) = Spsc::<Document>::unnamed("pair").arena(8192).pair().unwrap();
    let document = Document::of(1, 10_000);
    let SendError::Message(WriteError::TooLarge { needed, room }) =
        sender.send(&document).unwrap_err()
    else {
        panic!("it does not fit")
    };
    assert!(needed > 10_000 && room == 8192, "{needed} {room}");
    assert!(sender.batch().push(&document).is_err());
    assert!(sender.loan_len(8193).is_err());
    sender.send(&Document::of(2, 2000)).unwrap();
}

#[test]
fn the_policy_decides_when_the_arena_is_full() {
    let open = |policy| {
        let channel = Spsc::<Document>::unnamed("pair").capacity(8).arena(64 * KIB as u64);
        channel.on_full(policy).wait(Wait::Park).pair().unwrap()
    };
    let (large, small) = (Document::of(7, 40 * KIB), Document::of(8, 10));
    for policy in [OnFull::Fail, OnFull::DropNewest] {
        let (mut sender, mut receiver) = open(policy);
        sender.send(&large).unwrap();
        let refused = sender.send(&large);
        assert_eq!(refused, if policy == OnFull::Fail { Err(SendError::Full) } else { Ok(()) });
        assert_eq!(sender.dropped(), u64::from(policy == OnFull::DropNewest));
        assert_eq!(sender.try_send(&large), Err(SendError::Full));
        let brief = Duration::from_millis(2);
        assert_eq!(sender.send_timeout(&large, brief), Err(SendError::Timeout));
        sender.send(&small).unwrap();
        assert_eq!(*receiver.recv().unwrap(), large);
        assert_eq!(*receiver.recv().unwrap(), small);
        assert_eq!(receiver.try_recv().unwrap_err(), RecvError::Empty);
        sender.send(&large).unwrap();
        assert_eq!(*receiver.recv().unwrap(), large);
    }
    let (mut sender, mut receiver) = open(OnFull::Block);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20 {
                sender.send(&Document::of(number, 40 * KIB)).unwrap();
            }
            let rest: Vec<Document> =
                (20..40).map(|number| Document::of(number, 30 * KIB)).collect();
            sender.send_all(&rest).unwrap();
        });
        for number in 0..40 {
            let bytes = if number < 20 { 40 * KIB } else { 30 * KIB };
            assert_eq!(*receiver.recv().unwrap(), Document::of(number, bytes));
        }
    });
}

#[test]
fn loans_and_batches_take_their_place_by_themselves() {
    let channel = Spsc::<Document>::unnamed("pair").capacity(8).arena(64 * KIB as u64);
    let (mut sender, mut receiver) = channel.pair().unwrap();
    let documents = [Document::of(0, 10), Document::of(1, 20 * KIB), Document::of(2, 10)];
    // Dropped, it leaves nothing behind, however often.
    for _ in 0..10 {
        let mut batch = sender.batch();
        documents.iter().for_each(|document| batch.push(document).unwrap());
        assert!(sender.loan_len(60 * KIB).is_ok());
    }
    let mut batch = sender.batch();
    documents.iter().for_each(|document| batch.push(document).unwrap());
    assert_eq!(batch.push(&Document::of(3, 50 * KIB)), Err(SendError::Full));
    assert_eq!(batch.publish(), 3);
    assert!(sender.loan().unwrap().publish(&documents[1]).is_err(), "a cell was loaned");
    sender.loan_len(25 * KIB).unwrap().publish(&documents[1]).unwrap();
    for document in documents.iter().chain(&documents[1..2]) {
        assert_eq!(*receiver.recv().unwrap(), *document);
    }
}

#[test]
fn a_batch_as_long_as_the_ring_that_is_dropped_leaves_the_arena_as_it_was() {
    let channel = Spsc::<Document>::unnamed("pair").capacity(8).arena(64 * KIB as u64);
    let (mut sender, mut receiver) = channel.pair().unwrap();
    let (large, small) = (Document::of(1, 20 * KIB), Document::of(2, 10));
    sender.send(&large).unwrap();
    (1..8).for_each(|_| sender.send(&small).unwrap());
    (0..8).for_each(|_| drop(receiver.recv().unwrap()));
    let mut batch = sender.batch();
    (0..7).for_each(|_| batch.push(&small).unwrap());
    batch.push(&large).unwrap();
    // It goes unpublished.
    assert_eq!(batch.len(), 8);
    let larger = Document::of(3, 50 * KIB);
    sender.try_send(&larger).unwrap();
    assert_eq!(*receiver.recv().unwrap(), larger);
}

#[test]
fn the_next_sender_finds_what_is_in_use() {
    let place = Place::new();
    let channel = || place.spsc::<Document>(NAME).capacity(8).arena(256 * KIB as u64);
    let mut receiver = channel().receiver().unwrap();
    let mut child = Actor::spawn("send-and-die", &place);
    assert_eq!(child.hear(), "sent");
    child.kill();
    let mut sender = channel().sender().unwrap();
    assert_eq!(sender.position(), 3);
    for number in 3..6 {
        // What the dead one built and did not publish is free.
        sender.try_send(&Document::of(number, 20 * KIB)).unwrap();
    }
    for number in 0..6 {
        let bytes = if number < 3 { 50 * KIB } else { 20 * KIB };
        assert_eq!(*receiver.recv().unwrap(), Document::of(number, bytes));
    }
    sender.send(&Document::of(6, 200 * KIB)).unwrap();
    // So does the next receiver.
    drop(receiver);
    let mut receiver = channel().receiver().unwrap();
    assert_eq!(*receiver.recv().unwrap(), Document::of(6, 200 * KIB));
}

#[test]
fn a_message_that_lies_nowhere_is_passed_over() {
    let place = Place::new();
    let channel = || place.spsc::<Bytes>(NAME).capacity(4).arena(8192);
    let mut sender = channel().sender().unwrap();
    let mut receiver = channel().receiver().unwrap();
    let words = Words::of(&place, NAME);
    let lie = |position: u64, start: u64, bytes: u64| {
        words.set_body(position % 4, [start.to_le_bytes(), bytes.to_le_bytes()].as_flattened());
    };
    for (start, bytes) in [(8192, 8193), (1, 16), (4096, 4097), (0, u64::MAX)] {
        send_bytes(&mut sender, 0, 1000);
        lie(sender.position() - 1, start, bytes);
        let Err(RecvError::Invalid(bad)) = receiver.recv() else { panic!("{start} {bytes}") };
        assert!(bad.reason.to_string().contains("only an arena of 8192 bytes"), "{bad:?}");
    }
    send_bytes(&mut sender, 9, 1000);
    receive_bytes(&mut receiver, 9, 1000);
    // What the next sender cannot trust it does not use.
    send_bytes(&mut sender, 10, 1000);
    lie(sender.position() - 1, 0, 8193);
    drop(sender);
    assert!(matches!(channel().sender(), Err(OpenError::Corrupt { .. })));
}

#[test]
fn arenas_are_compared_as_everything_else_is() {
    let place = Place::new();
    let _sender = place.spsc::<Bytes>(NAME).arena(8192).sender().unwrap();
    let _receiver = place.spsc::<Bytes>(NAME).receiver().unwrap();
    let refused = place.spsc::<Bytes>(NAME).arena(4096).receiver().unwrap_err();
    insta::assert_snapshot!(refused, @"channel `large` exists with room for large messages: an arena of 8192 bytes, and an arena of 4096 bytes was asked for: ask for the same on both sides, leave it out on one, or remove the channel");
    for (refused, why) in [
        (
            place.spsc::<u64>("dense").dense().arena(4096).sender().map(drop),
            "hold their messages themselves",
        ),
        (place.spsc::<u64>("huge").arena(1 << 39).sender().map(drop), "exceed the largest ring"),
        (place.spsc::<u64>("more").arena(u64::MAX).sender().map(drop), "there cannot be"),
    ] {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(why), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lengths around every edge, sent ahead as far as there is room, through many turns of the arena.
    #[test]
    fn every_length_arrives(lengths in prop::collection::vec(0usize..6000, 1..100)) {
        let channel = Spsc::<Bytes>::unnamed("pair").capacity(4).max_len(48).arena(8192);
        let (mut sender, mut receiver) = channel.pair().unwrap();
        let mut received = 0;
        for (number, &len) in lengths.iter().enumerate() {
            while let Err(SendError::Full) = sender.try_claim(len).map(drop) {
                receive_bytes(&mut receiver, received as u64, lengths[received]);
                received += 1;
                // Progress is told when there is nothing left, or enough of it.
                if received == number {
                    prop_assert!(matches!(receiver.poll(), Err(RecvError::Empty)));
                }
            }
            send_bytes(&mut sender, number as u64, len);
        }
        while received < lengths.len() {
            receive_bytes(&mut receiver, received as u64, lengths[received]);
            received += 1;
        }
    }
}
