//! Each kind of violation is found in a journal that was crafted to show it, and nothing is found in
//! one that shows none.

mod large;

use super::{Case, End, Life, Rule, judge};
use crate::body;
use crate::journal::{Event, Record, Side};
use crate::spec::Part;

const CASE: Case = Case { dense: false, finished: true };
const SENDER: Part = Part::Holder(Side::Sender);
const RECEIVER: Part = Part::Holder(Side::Receiver);

/// Lives that are told event by event, each a nanosecond after the one before.
#[derive(Default)]
struct Story {
    lives: Vec<Life>,
    time: u64,
}

impl Story {
    fn born(&mut self, part: Part) -> usize {
        let number = u32::try_from(self.lives.len()).unwrap();
        self.lives.push(Life { number, part, end: End::Exited(0), records: Vec::new() });
        let actor = self.lives.len() - 1;
        self.tell(actor, Event::Born { pid: 1000 + number });
        actor
    }

    fn tell(&mut self, actor: usize, event: Event) {
        self.time += 1;
        self.lives[actor].records.push(Record { time: self.time, event });
    }

    fn open(&mut self, part: Part, position: u64, incarnation: u64) -> usize {
        let (actor, side) = (self.born(part), part.side().unwrap());
        self.tell(actor, Event::Opening { side });
        self.tell(actor, Event::Opened { side, instance: 1, position, incarnation });
        actor
    }

    fn sender(&mut self, position: u64, incarnation: u64) -> usize {
        self.open(SENDER, position, incarnation)
    }

    fn receiver(&mut self, position: u64) -> usize {
        self.open(RECEIVER, position, 0)
    }

    fn sending(&mut self, actor: usize, position: u64, count: u32) {
        let id = id(actor, position);
        self.tell(actor, Event::Sending { id, position, count });
    }

    fn send(&mut self, actor: usize, position: u64, count: u32) {
        self.sending(actor, position, count);
        self.tell(actor, Event::Sent { next: position + u64::from(count) });
    }

    fn take(&mut self, actor: usize, sender: usize, position: u64) {
        self.take_as(actor, took(sender, position, false, Some(1)));
    }

    fn take_as(&mut self, actor: usize, took: Event) {
        self.tell(actor, took);
    }

    fn release(&mut self, actor: usize, position: u64) {
        self.tell(actor, Event::Released { position });
    }

    fn pass(&mut self, actor: usize, sender: usize, position: u64) {
        self.take(actor, sender, position);
        self.release(actor, position);
    }

    fn kill(&mut self, actor: usize) {
        self.time += 1;
        self.lives[actor].end = End::Killed { sent: Some(self.time), seen: self.time + 1 };
        self.time += 1;
    }

    fn close(&mut self, actor: usize) {
        self.tell(actor, Event::Closing);
        self.tell(actor, Event::Closed);
    }

    #[track_caller]
    fn breaks(&self, expected: &[Rule]) {
        self.breaks_in(CASE, expected);
    }

    #[track_caller]
    fn breaks_in(&self, case: Case, expected: &[Rule]) {
        let found = judge(case, &self.lives);
        let rules: Vec<Rule> = found.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, expected, "{found:#?}");
    }
}

fn id(actor: usize, position: u64) -> u64 {
    body::id(u32::try_from(actor).unwrap(), position)
}

fn took(sender: usize, position: u64, redelivered: bool, incarnation: Option<u64>) -> Event {
    Event::Took { id: id(sender, position), position, redelivered, incarnation, whole: true }
}

/// The first sender's message of that id.
fn took_as(id: u64, position: u64) -> Event {
    Event::Took { id, position, redelivered: false, incarnation: Some(1), whole: true }
}

/// Two messages sent and received, the second in the hand of a receiver that is killed; its successor
/// is yet to come.
fn killed_with_one_in_hand() -> (Story, usize) {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.send(sender, 1, 1);
    story.pass(receiver, sender, 0);
    story.take(receiver, sender, 1);
    story.kill(receiver);
    story.close(sender);
    (story, sender)
}

#[test]
fn a_story_of_kills_and_successors_may_be_right() {
    let (mut story, sender) = killed_with_one_in_hand();
    let second = story.receiver(1);
    story.take_as(second, took(sender, 1, true, Some(1)));
    story.release(second, 1);
    story.tell(second, Event::Gone { side: Side::Sender, died: false, pid: 1000 });
    // A sender dies in a batch that was not published, the next in one that was.
    let third = story.sender(2, 2);
    story.sending(third, 2, 3);
    story.kill(third);
    let fourth = story.sender(2, 4);
    story.tell(second, Event::Gone { side: Side::Sender, died: true, pid: 1003 });
    story.sending(fourth, 2, 2);
    story.kill(fourth);
    for position in [2, 3] {
        story.take_as(second, took(fourth, position, false, Some(4)));
        story.release(second, position);
    }
    let fifth = story.sender(4, 5);
    story.close(second);
    story.close(fifth);
    story.breaks(&[]);
}

#[test]
fn an_actor_that_ends_by_itself() {
    let mut story = Story::default();
    let sender = story.sender(0, 1);
    story.close(sender);
    story.lives[sender].end = End::Exited(1);
    story.breaks(&[Rule::End]);
    story.lives[sender].end = End::Signalled(7);
    story.breaks(&[Rule::End]);
    let mut story = Story::default();
    story.sender(0, 1);
    story.breaks(&[Rule::End]);
}

#[test]
fn a_torn_message() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    let (id, incarnation) = (id(sender, 0), Some(1));
    let torn = Event::Took { id, position: 0, redelivered: false, incarnation, whole: false };
    story.take_as(receiver, torn);
    story.release(receiver, 0);
    story.close(receiver);
    story.close(sender);
    story.breaks(&[Rule::Torn, Rule::Lost]);
}

#[test]
fn a_message_that_nobody_sent() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.pass(receiver, sender, 0);
    story.pass(receiver, sender, 1);
    story.close(receiver);
    story.close(sender);
    story.breaks(&[Rule::Phantom]);
}

#[test]
fn a_message_that_was_not_published_before_its_sender_died() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.sending(sender, 0, 1);
    story.kill(sender);
    let second = story.sender(0, 2);
    story.send(second, 0, 1);
    // What arrives is the dead one's all the same.
    story.pass(receiver, sender, 0);
    story.close(receiver);
    story.close(second);
    story.breaks(&[Rule::Phantom, Rule::Lost]);
}

#[test]
fn a_lost_message() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.close(sender);
    story.close(receiver);
    story.breaks(&[Rule::Lost]);
    story.breaks_in(Case { finished: false, ..CASE }, &[]);
}

#[test]
fn a_message_that_is_passed_over() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 2);
    story.take_as(receiver, took_as(id(sender, 0) + 1, 1));
    story.release(receiver, 1);
    story.close(sender);
    story.close(receiver);
    story.breaks(&[Rule::Order, Rule::Lost]);
}

#[test]
fn a_sender_that_begins_elsewhere() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.kill(sender);
    story.pass(receiver, sender, 0);
    let second = story.sender(2, 2);
    story.close(second);
    story.close(receiver);
    story.breaks(&[Rule::Resume]);
}

#[test]
fn a_receiver_that_begins_elsewhere() {
    for position in [0, 3] {
        let (mut story, _) = killed_with_one_in_hand();
        let second = story.receiver(position);
        story.close(second);
        story.breaks(&[Rule::Resume]);
    }
}

#[test]
fn half_a_batch() {
    let mut story = Story::default();
    let sender = story.sender(0, 1);
    story.sending(sender, 0, 3);
    story.kill(sender);
    let second = story.sender(1, 2);
    story.close(second);
    story.breaks(&[Rule::Batch]);

    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.sending(sender, 0, 2);
    story.kill(sender);
    story.pass(receiver, sender, 0);
    story.close(receiver);
    story.breaks(&[Rule::Batch]);
}

#[test]
fn a_side_with_two_holders() {
    let mut story = Story::default();
    let first = story.sender(0, 1);
    let second = story.sender(0, 2);
    story.tell(first, Event::NotSent);
    story.close(first);
    story.close(second);
    story.breaks(&[Rule::Holders]);
}

#[test]
fn a_repetition_without_its_mark() {
    let (mut story, sender) = killed_with_one_in_hand();
    let second = story.receiver(1);
    story.pass(second, sender, 1);
    story.close(second);
    story.breaks(&[Rule::Redelivered]);
}

#[test]
fn a_message_that_a_dead_receiver_may_have_read_without_its_mark() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.kill(receiver);
    let second = story.receiver(0);
    story.pass(second, sender, 0);
    story.close(second);
    story.close(sender);
    story.breaks(&[Rule::Redelivered]);
}

#[test]
fn a_mark_on_a_message_that_nobody_died_with() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.close(receiver);
    let second = story.receiver(0);
    story.take_as(second, took(sender, 0, true, Some(1)));
    story.release(second, 0);
    story.close(second);
    story.close(sender);
    story.breaks(&[Rule::Redelivered]);
}

#[test]
fn a_mark_on_the_second_message_of_a_successor() {
    let (mut story, sender) = killed_with_one_in_hand();
    let third = story.sender(2, 2);
    story.send(third, 2, 1);
    let second = story.receiver(1);
    story.take_as(second, took(sender, 1, true, Some(1)));
    story.release(second, 1);
    story.take_as(second, took(third, 2, true, Some(2)));
    story.release(second, 2);
    story.close(second);
    story.close(third);
    story.breaks(&[Rule::Redelivered]);
}

#[test]
fn a_mark_that_a_receiver_left_which_was_killed_while_opening() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.send(sender, 0, 1);
    story.close(receiver);
    let dead = story.born(RECEIVER);
    story.tell(dead, Event::Opening { side: Side::Receiver });
    story.kill(dead);
    let second = story.receiver(0);
    story.take_as(second, took(sender, 0, true, Some(1)));
    story.release(second, 0);
    story.close(second);
    story.close(sender);
    story.breaks(&[]);
}

#[test]
fn a_message_under_the_wrong_senders_name() {
    for (dense, incarnation, expected) in [
        (false, Some(2), &[Rule::Incarnation] as &[Rule]),
        (false, None, &[Rule::Incarnation]),
        // There is no later sender.
        (true, None, &[Rule::Incarnation]),
        (true, Some(1), &[]),
    ] {
        let mut story = Story::default();
        let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
        story.send(sender, 0, 1);
        story.take_as(receiver, took(sender, 0, false, incarnation));
        story.release(receiver, 0);
        story.close(sender);
        story.close(receiver);
        story.breaks_in(Case { dense, ..CASE }, expected);
    }
}

#[test]
fn incarnations_that_do_not_count_up() {
    let mut story = Story::default();
    let first = story.sender(0, 3);
    story.close(first);
    let second = story.sender(0, 3);
    story.close(second);
    story.breaks(&[Rule::Incarnation]);
}

#[test]
fn a_living_process_that_is_called_dead() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.tell(receiver, Event::Gone { side: Side::Sender, died: true, pid: 1000 });
    // It is killed afterwards.
    story.kill(sender);
    story.close(receiver);
    story.breaks(&[Rule::FalseDeath]);

    // One that kills itself at a mark says something after its alleged death.
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.tell(receiver, Event::Gone { side: Side::Sender, died: true, pid: 1000 });
    story.send(sender, 0, 1);
    story.pass(receiver, sender, 0);
    story.lives[sender].end = End::Killed { sent: None, seen: 100 };
    story.close(receiver);
    story.breaks(&[Rule::FalseDeath]);
}

#[test]
fn a_clean_close_that_is_called_a_death_and_the_other_way_round() {
    for (closes, died, rule) in [(true, true, Rule::FalseDeath), (false, false, Rule::FalseClose)] {
        let mut story = Story::default();
        let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
        if closes {
            story.close(sender);
        } else {
            story.kill(sender);
        }
        story.tell(receiver, Event::Gone { side: Side::Sender, died, pid: 1000 });
        story.close(receiver);
        story.breaks(&[rule]);
    }
}

#[test]
fn the_name_of_a_predecessor_in_the_entry_of_one_that_died_nameless() {
    let mut story = Story::default();
    let (sender, receiver) = (story.sender(0, 1), story.receiver(0));
    story.close(sender);
    let nameless = story.born(SENDER);
    story.tell(nameless, Event::Opening { side: Side::Sender });
    story.kill(nameless);
    story.tell(receiver, Event::Gone { side: Side::Sender, died: true, pid: 1000 });
    story.close(receiver);
    story.breaks(&[]);
}

#[test]
fn descriptors_that_pile_up() {
    let mut story = Story::default();
    let receiver = story.receiver(0);
    story.tell(receiver, Event::Resources { descriptors: 7, mappings: 3 });
    story.tell(receiver, Event::Resources { descriptors: 8, mappings: 3 });
    story.close(receiver);
    story.breaks(&[Rule::Hoard]);
}
