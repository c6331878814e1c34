//! A service and its callers: what they tell ([`Told`]), and what must be true of it.
//!
//! The service lives several times, each time under a name of its own. A caller says which life it calls;
//! the number of each call says who makes it: those of one thread have the same upper half, and rise.

use crate::body;
use crate::fanout::{Told, Who};
use std::collections::{BTreeMap, BTreeSet};

/// Where the number of a thread stands in the number of a call.
pub const THREAD_SHIFT: u32 = 32;

/// How a call is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// The first call of the batch that it belongs to; 0: it is made alone.
    pub batch: u64,
    /// Whether its caller waits so shortly that it may come to nothing.
    pub hurried: bool,
    /// Whether it wants no answer.
    pub one_way: bool,
}

impl How {
    /// In one word.
    #[must_use]
    pub fn encode(self) -> u64 {
        self.batch << 2 | u64::from(self.hurried) << 1 | u64::from(self.one_way)
    }

    fn decode(word: u64) -> Self {
        Self { batch: word >> 2, hurried: word & 2 != 0, one_way: word & 1 != 0 }
    }
}

/// What came of a call, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum End {
    /// It was answered, and the answer was its own.
    Answered = 1,
    /// It was answered with what no service can have answered to it; or an error that must not be.
    Wrong = 2,
    /// It failed, and was not delivered.
    No = 3,
    /// It failed, and may have been delivered.
    Maybe = 4,
    /// It failed, and was delivered.
    Yes = 5,
    /// No answer came in time.
    Late = 6,
    /// Its caller is about to give it up.
    Dropped = 7,
    /// It wanted no answer, and is published.
    Sent = 8,
    /// It took so long that something hangs.
    Stuck = 9,
}

impl End {
    const ALL: [Self; 9] = {
        use End::*;
        [Answered, Wrong, No, Maybe, Yes, Late, Dropped, Sent, Stuck]
    };

    fn decode(word: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|&end| end as u64 == word)
    }
}

/// Words of the request with this number, of up to `most`.
#[must_use]
pub fn asked(number: u64, most: usize) -> Vec<u64> {
    words(number, body::spread(number, most))
}

/// Words of the answer to it.
#[must_use]
pub fn answered(number: u64, most: usize) -> Vec<u64> {
    words(!number, body::spread(number.rotate_left(32), most))
}

fn words(number: u64, count: usize) -> Vec<u64> {
    let more = (1..count as u64).map(|index| body::word(number, 0, index));
    std::iter::once(number).chain(more).collect()
}

/// A call, as its caller tells of it.
struct Call {
    how: How,
    /// Which life of the service is called.
    service: u64,
    end: Option<End>,
}

/// What is known of a round.
#[derive(Default)]
struct Story {
    calls: BTreeMap<u64, Call>,
    committed: BTreeSet<u64>,
    /// Which life of the service has handled each call.
    handled: BTreeMap<u64, u64>,
    /// The service that went on to the end of the round.
    survivor: u64,
    /// Whether that closed in the end.
    stopped: bool,
    wrong: Vec<String>,
}

/// What is wrong with what the lives of a round's actors told: callers are senders, servers the others.
#[must_use]
pub fn judge(lives: &[(Who, Vec<Told>)]) -> Vec<String> {
    let mut story = Story::default();
    for (_, told) in lives.iter().filter(|(who, _)| *who == Who::Sender) {
        story.hear_caller(told);
    }
    for (_, told) in lives.iter().filter(|(who, _)| *who != Who::Sender) {
        story.hear_server(told);
    }
    if !story.stopped {
        story.wrong.push("the last server is stuck".to_owned());
    }
    story.judge_calls();
    story.judge_batches();
    story.wrong
}

impl Story {
    fn hear_caller(&mut self, told: &[Told]) {
        let (mut service, mut open) = (0, BTreeSet::new());
        for &told in told {
            match told {
                Told::Begun(life) => service = life,
                Told::About(number, how) => {
                    let call = Call { how: How::decode(how), service, end: None };
                    if self.calls.insert(number, call).is_some() {
                        self.wrong.push(format!("{number} was made twice"));
                    }
                    open.insert(number);
                }
                Told::Commits(batch) => drop(self.committed.insert(batch)),
                Told::Sent(number, end) => {
                    if !open.remove(&number) {
                        self.wrong.push(format!("{number} ended twice, or never began"));
                    } else if let Some(call) = self.calls.get_mut(&number) {
                        call.end = End::decode(end);
                    }
                }
                Told::Closed => {
                    let ended = open.iter().map(|number| format!("{number} has come to no end"));
                    self.wrong.extend(ended);
                }
                other => self.wrong.push(format!("a caller: {other:?}")),
            }
        }
    }

    fn hear_server(&mut self, told: &[Told]) {
        let (mut service, mut last) = (0, BTreeMap::new());
        for &told in told {
            match told {
                Told::Begun(life) => service = life,
                Told::Got(number, _) => {
                    if self.handled.insert(number, service).is_some() {
                        self.wrong.push(format!("{number} was handled twice"));
                    }
                    let thread = number >> THREAD_SHIFT;
                    if last.insert(thread, number).is_some_and(|before| before > number) {
                        self.wrong.push(format!("{number} was handled out of order"));
                    }
                }
                Told::Closed => {}
                other => self.wrong.push(format!("a server: {other:?}")),
            }
        }
        if service >= self.survivor {
            self.survivor = service;
            self.stopped = told.last() == Some(&Told::Closed);
        }
    }

    fn judge_calls(&mut self) {
        let Self { calls, committed, handled, survivor, wrong, .. } = self;
        for (number, service) in &*handled {
            match calls.get(number) {
                None => wrong.push(format!("{number} was handled, and nobody called")),
                Some(call) if call.service != *service => wrong.push(format!(
                    "{number} was handled by service {service}, and {} was called",
                    call.service
                )),
                Some(Call { how: How { batch, .. }, .. })
                    if *batch != 0 && !committed.contains(batch) =>
                {
                    wrong.push(format!("{number} was handled, and its batch not published"));
                }
                Some(_) => {}
            }
        }
        for (number, Call { how, service, end }) in &*calls {
            let (handled, survived) = (handled.contains_key(number), service == survivor);
            let fine = match end {
                // Its caller died before that.
                None => true,
                Some(End::Answered) => handled && !how.one_way,
                Some(End::Yes) => handled,
                Some(End::No) => !handled,
                Some(End::Maybe) => !survived,
                Some(End::Late) => how.hurried,
                Some(End::Dropped) => !how.one_way,
                Some(End::Sent) => how.one_way && (handled || !survived),
                Some(End::Wrong | End::Stuck) => false,
            };
            if !fine {
                let handled = if handled { "handled" } else { "not handled" };
                let end = end.unwrap_or(End::Stuck);
                wrong.push(format!(
                    "{number} of service {service} ended {end:?}, and was {handled}"
                ));
            }
        }
    }

    /// A server that goes on handles a batch wholly or not at all; of one that is gone, the beginning may be
    /// handled. What was refused is not part of it, and what was given up need not be handled.
    fn judge_batches(&mut self) {
        let mut batches = BTreeMap::<u64, Vec<(u64, u64)>>::new();
        for (&number, call) in &self.calls {
            let counts = !matches!(call.end, Some(End::No | End::Dropped | End::Late));
            if call.how.batch != 0 && counts {
                batches.entry(call.how.batch).or_default().push((number, call.service));
            }
        }
        for (batch, calls) in batches {
            let handled: Vec<bool> =
                calls.iter().map(|(number, _)| self.handled.contains_key(number)).collect();
            let survived = calls.iter().all(|&(_, service)| service == self.survivor);
            let cut = handled.contains(&true) && handled.contains(&false);
            if !handled.is_sorted_by(|one, next| one >= next) || survived && cut {
                self.wrong.push(format!("the batch {batch} was handled in part: {handled:?}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Told::*, Who::*, *};

    const ALONE: u64 = 0;
    const HURRIED: u64 = 2;
    const ONE_WAY: u64 = 1;
    /// In the batches that begin with these.
    const BATCH: u64 = 13 << 2;
    const DROPPED: u64 = 16 << 2;

    fn end(number: u64, end: End) -> Told {
        Sent(number, end as u64)
    }

    /// A server that dies with a call in hand, and one that goes on; a caller that lives, and one that dies with
    /// a batch half looked at.
    fn sound() -> Vec<(Who, Vec<Told>)> {
        let caller = vec![
            Begun(1),
            About(1, ALONE),
            end(1, End::Answered),
            About(2, ALONE),
            About(3, ALONE),
            end(2, End::Maybe),
            end(3, End::No),
            Begun(2),
            About(4, HURRIED),
            end(4, End::Late),
            About(5, ONE_WAY),
            end(5, End::Sent),
            About(6, ALONE),
            end(6, End::Dropped),
            About(7, ALONE),
            end(7, End::Yes),
            Closed,
        ];
        let victim = vec![
            Begun(2),
            About(13, BATCH),
            About(14, BATCH | ONE_WAY),
            About(15, BATCH),
            Commits(13),
            end(14, End::Sent),
            end(13, End::Answered),
            About(16, DROPPED),
            About(17, DROPPED),
        ];
        vec![
            (Sender, caller),
            (Sender, victim),
            (Gated, vec![Begun(1), Got(1, 0), Got(2, 0)]),
            (
                Gated,
                vec![Begun(2), Got(5, 0), Got(7, 0), Got(13, 0), Got(14, 0), Got(15, 0), Closed],
            ),
        ]
    }

    #[test]
    fn a_sound_round_is_sound() {
        assert_eq!(judge(&sound()), Vec::<String>::new());
    }

    /// Each of these is one fault in a sound round.
    #[test]
    fn faults_are_found() {
        let faults: &[(&str, usize, usize, Option<Told>)] = &[
            ("another's answer", 0, 2, Some(end(1, End::Wrong))),
            ("no end", 0, 2, None),
            ("two ends", 0, 3, Some(end(1, End::Answered))),
            ("an end of nothing", 0, 9, Some(end(99, End::Late))),
            ("seen after all", 0, 5, Some(end(2, End::No))),
            ("not seen, and said to be", 0, 6, Some(end(3, End::Yes))),
            ("answered by nobody", 0, 6, Some(end(3, End::Answered))),
            ("late without hurry", 0, 6, Some(end(3, End::Late))),
            ("stuck", 0, 9, Some(end(4, End::Stuck))),
            ("doubtful, of one that lives", 0, 9, Some(end(4, End::Maybe))),
            ("no answer, and one came", 0, 11, Some(end(5, End::Answered))),
            ("made twice", 0, 8, Some(About(7, ALONE))),
            ("a caller receives", 0, 9, Some(Torn)),
            ("of a batch that was not published", 1, 4, None),
            ("another service", 1, 0, Some(Begun(1))),
            ("handled by nobody", 2, 1, None),
            ("the end of a batch alone", 3, 3, None),
            ("the beginning of a batch alone", 3, 5, None),
            ("a message lost", 3, 1, None),
            ("handled by both", 3, 1, Some(Got(1, 0))),
            ("out of order", 3, 2, Some(Got(4, 0))),
            ("of a dropped batch", 3, 2, Some(Got(16, 0))),
            ("called by nobody", 3, 2, Some(Got(99, 0))),
            ("torn", 3, 2, Some(Torn)),
            ("the last is stuck", 3, 6, None),
        ];
        for &(fault, life, index, instead) in faults {
            let mut lives = sound();
            lives[life].1.splice(index..=index, instead);
            assert_ne!(judge(&lives), Vec::<String>::new(), "{fault}");
        }
        let mut swapped = sound();
        swapped[3].1.swap(1, 2);
        assert_ne!(judge(&swapped), Vec::<String>::new(), "in another order");
    }

    #[test]
    fn what_is_told_leads_back() {
        let how = How { batch: 13, hurried: true, one_way: false };
        assert_eq!(How::decode(how.encode()), how);
        for end in End::ALL {
            assert_eq!(End::decode(end as u64), Some(end));
        }
        assert_eq!(End::decode(0), None);
    }
}
