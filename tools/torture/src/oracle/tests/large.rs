//! What is found of messages that are kept, and of the room for large ones.

use super::{Story, id, took, took_as};
use crate::journal::{Event, Side};
use crate::oracle::Rule;
use crate::spec::Part;

#[test]
fn a_kept_message_that_changes() {
    for whole in [true, false] {
        let mut story = Story::default();
        let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
        story.send(sender, 0, 2);
        story.take(receiver, sender, 0);
        story.tell(receiver, Event::Kept { position: 0 });
        story.release(receiver, 0);
        story.take_as(receiver, took_as(id(sender, 0) + 1, 1));
        story.release(receiver, 1);
        story.tell(receiver, Event::Closing);
        story.tell(receiver, Event::GivesBack { id: id(sender, 0), position: 0, whole });
        story.tell(receiver, Event::Closed);
        story.close(sender);
        story.breaks(if whole { &[] } else { &[Rule::Torn] });
    }
}

#[test]
fn room_that_is_not_free_in_the_end() {
    for (free, expected) in [(4, &[] as &[Rule]), (3, &[Rule::Leak]), (5, &[Rule::Leak])] {
        let mut story = Story::default();
        // It has both sides, reads what is left, sends, and closes both at a time.
        let (sender, auditor) = (story.sender(0, 1), story.born(Part::Auditor));
        story.send(sender, 0, 1);
        let opened = |side, position, incarnation| Event::Opened {
            side,
            instance: 1,
            position,
            incarnation,
        };
        story.tell(auditor, Event::Opening { side: Side::Receiver });
        story.tell(auditor, opened(Side::Receiver, 0, 0));
        story.close(sender);
        story.pass(auditor, sender, 0);
        story.tell(auditor, Event::Opening { side: Side::Sender });
        story.tell(auditor, opened(Side::Sender, 1, 2));
        story.send(auditor, 1, 1);
        story.take_as(auditor, took(auditor, 1, false, Some(2)));
        story.release(auditor, 1);
        story.tell(auditor, Event::Audited { free, of: 4 });
        story.close(auditor);
        story.breaks(expected);
    }
}
