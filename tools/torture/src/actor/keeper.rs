//! A receiver that keeps some of its messages, gives them back in no order, and looks at them again
//! before it does.

use super::channel::Numbered;
use super::sides::{How, ReceiveSide, sample, took};
use strait_ipc::channel::{Owned, Receiver, RecvError};
use strait_torture::journal::Event;
use strait_torture::random::Random;
use strait_torture::spec::Spec;

/// Further messages for which one is kept, at most.
const LONG: u64 = 12;

/// Which messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// None.
    Nothing,
    /// One now and then, or every one for a while.
    Some,
    /// All; nothing is given back.
    All,
}

/// A message that is kept.
struct Held<T: Numbered> {
    id: u64,
    position: u64,
    /// The position at which it is given back.
    until: u64,
    message: Owned<T>,
}

impl<T: Numbered> Held<T> {
    fn give_back(self, handle: &mut dyn FnMut(Event)) {
        let Self { id, position, message, .. } = self;
        let seen = T::look(&message, position);
        let whole = seen.whole && seen.id == id;
        handle(Event::GivesBack { id, position, whole });
    }
}

/// A receiver of messages in blocks.
pub(super) struct Keeper<T: Numbered> {
    receiver: Receiver<T>,
    kept: Vec<Held<T>>,
    /// As many as there are blocks.
    most: usize,
    keeping: Keeping,
    /// So many are kept one after the other.
    greedy: u64,
    random: Random,
}

impl<T: Numbered> Keeper<T> {
    pub(super) fn new(receiver: Receiver<T>, spec: &Spec) -> Self {
        Self {
            receiver,
            kept: Vec::new(),
            most: usize::try_from(spec.blocks).unwrap_or(usize::MAX),
            keeping: Keeping::Some,
            greedy: 0,
            random: Random::derived(spec.seed, 1),
        }
    }

    /// Gives back what was kept long enough, and one at least if the sender has no block left: nobody
    /// is to wait for a message that cannot come.
    fn give_back(&mut self, handle: &mut dyn FnMut(Event)) {
        let position = self.receiver.position();
        let mut index = 0;
        while index < self.kept.len() {
            if self.kept[index].until <= position {
                self.kept.swap_remove(index).give_back(handle);
            } else {
                index += 1;
            }
        }
        if self.kept.len() >= self.most {
            let index = self.random.below(self.kept.len() as u64);
            self.kept.swap_remove(usize::try_from(index).unwrap_or(0)).give_back(handle);
        }
    }

    fn keeps_the_next(&mut self) -> bool {
        match self.keeping {
            Keeping::Nothing => return false,
            Keeping::All => return true,
            Keeping::Some => {}
        }
        if self.random.once_in(24) {
            self.greedy = self.random.between(2, LONG);
        }
        self.greedy = self.greedy.saturating_sub(1);
        self.greedy > 0 || self.random.once_in(3)
    }
}

impl<T: Numbered> ReceiveSide for Keeper<T> {
    fn position(&self) -> u64 {
        self.receiver.position()
    }

    fn receive(&mut self, how: How, handle: &mut dyn FnMut(Event)) -> Result<(), RecvError> {
        if self.keeping != Keeping::All {
            self.give_back(handle);
        }
        let keeps = self.keeps_the_next();
        let sample = sample(&mut self.receiver, how)?;
        let told = took(&sample);
        handle(told);
        let Event::Took { id, position, .. } = told else { return Ok(()) };
        if keeps && let Ok(message) = sample.keep() {
            handle(Event::Kept { position });
            let until = position + 1 + self.random.between(1, LONG);
            self.kept.push(Held { id, position, until, message });
        }
        Ok(())
    }

    fn keep(&mut self, keeping: Keeping) {
        self.keeping = keeping;
    }

    /// The last that is given back closes the side, be it the receiver or a message.
    fn close(self: Box<Self>, handle: &mut dyn FnMut(Event)) {
        let Self { receiver, mut kept, mut random, .. } = *self;
        let mut receiver = Some(receiver);
        while !kept.is_empty() {
            if random.once_in(2) {
                receiver = None;
            }
            let index = usize::try_from(random.below(kept.len() as u64)).unwrap_or(0);
            kept.swap_remove(index).give_back(handle);
        }
        drop(receiver);
    }
}
