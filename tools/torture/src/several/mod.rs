//! Torture of channels with several senders or several receivers: at every mark of theirs, and at random.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | the supervisor: rounds, deaths, and the verdict |
//! | `actor` | the child processes |
//! | `workers` | those of channels of which many send and many receive |
//! | `directory` | rounds of directories |
//! | `offering` | the child processes of directories |
//! | `lanes` | rounds of channels of many senders |
//! | `mpmc` | rounds of channels of many senders and many receivers |
//! | `service`, `callers` | the actors of calls |
//! | `calls` | rounds of a service and its callers |

pub(crate) mod actor;
mod callers;
mod calls;
mod directory;
mod lanes;
mod mpmc;
mod offering;
mod service;
mod workers;

use crate::options::{Of, Options};
use crate::place::Place;
use actor::Orders;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use strait_pools::marks::Mark;
use strait_torture::fanout::{BYTES, Told, Who, judge, judge_values};
use strait_torture::random::Random;

/// Deaths in one round.
const DEATHS: u64 = 12;

/// How long an armed actor may take to get to its mark; then it is killed from outside.
const PATIENCE: Duration = Duration::from_millis(250);

/// Long enough for anything that works.
const HANG: Duration = Duration::from_secs(20);

/// What the rounds came to.
#[derive(Debug, Default)]
struct Sum {
    kills: u64,
    at_random: u64,
    missed: u64,
    sent: u64,
    marks: BTreeMap<&'static str, u64>,
    wrong: u64,
}

/// Runs; true if the run passed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let started = Instant::now();
    let mut sum = Sum::default();
    let marks = marks(options.of);
    let mut number = options.round.unwrap_or(0);
    while sum.kills < options.kills {
        let mut random = Random::derived(options.seed, number);
        let mut round = Round::new(number, &marks, &mut random)?;
        let wrong = match options.of {
            Of::Latest => round.values(&mut random, &mut sum),
            Of::Lanes => round.lanes(&mut random, &mut sum),
            Of::Mpmc => round.queue(&mut random, &mut sum),
            Of::Directory => round.directory(&mut random, &mut sum),
            Of::Calls => round.calls(&mut random, &mut sum),
            Of::Pairs | Of::Broadcast => round.messages(&mut random, &mut sum),
        };
        let wrong = wrong.unwrap_or_else(|error| vec![format!("{error:#}")]);
        for wrong in wrong.iter().take(8) {
            let Round { capacity, parking, at_most_once, large, .. } = round;
            eprintln!(
                "VIOLATION {wrong}\n  in round {number}: capacity {capacity}, sleep: {parking}, at most \
                 once: {at_most_once}, large: {large}"
            );
        }
        sum.wrong += wrong.len() as u64;
        number += 1;
        if sum.wrong > 8 || options.round.is_some() {
            break;
        }
    }
    let missing: Vec<&str> =
        marks.iter().map(|mark| mark.name()).filter(|name| !sum.marks.contains_key(name)).collect();
    let Sum { kills, at_random, missed, sent, ref marks, wrong } = sum;
    println!("{:?}: {number} rounds in {:.1} s", options.of, started.elapsed().as_secs_f64());
    println!("  {at_random:>9}  killed at random, {missed} of them for not getting to a mark");
    println!("  {sent:>9}  messages published");
    for (name, count) in marks {
        println!("  {count:>9}  {name}");
    }
    let (covered, all) = (marks.len(), marks.len() + missing.len());
    println!("kills {kills}, marks covered {covered}/{all}, violations {wrong}");
    let enough = kills < 300 || missing.is_empty();
    if !enough {
        eprintln!("FAILED: nobody was killed at: {}", missing.join(", "));
    }
    Ok(wrong == 0 && enough)
}

/// The marks of such channels.
fn marks(of: Of) -> Vec<Mark> {
    let prefixes: &[&str] = match of {
        Of::Pairs => &[],
        Of::Broadcast => &["broadcast-", "reader-", "crowd-", "endpoint-", "burial-"],
        Of::Latest => &["latest-", "crowd-woken", "endpoint-"],
        Of::Lanes => &[
            "lane",
            "producer-claimed",
            "producer-written",
            "producer-published",
            "consumer-",
            "takeover-found",
            "takeover-done",
            "succession-",
        ],
        Of::Mpmc => &["ticket-", "taking-", "hole-", "heir-", "crowd-"],
        Of::Directory => &["directory-", "crowd-"],
        Of::Calls => &[
            "answer-",
            "call-",
            "lane",
            "producer-written",
            "producer-published",
            "producer-in-batch",
            "consumer-",
            "takeover-",
            "crowd-",
            "endpoint-",
        ],
    };
    let ours = |mark: &Mark| prefixes.iter().any(|prefix| mark.name().starts_with(prefix));
    Mark::ALL.iter().copied().filter(ours).collect()
}

/// A child, and what it told.
struct Actor {
    who: Who,
    child: Child,
    told: JoinHandle<Vec<Told>>,
}

impl Actor {
    fn spawn(who: Who, orders: &Orders) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("several").args(orders.words()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting an actor")?;
        let mut pipe = child.stdout.take().context("its pipe")?;
        let told = std::thread::spawn(move || {
            let (mut told, mut bytes) = (Vec::new(), [0; BYTES]);
            while pipe.read_exact(&mut bytes).is_ok() {
                told.extend(Told::decode(bytes));
            }
            told
        });
        Ok(Self { who, child, told })
    }

    /// Whether it ended by itself within the time, other than well.
    fn died_within(&mut self, time: Duration) -> Result<bool> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.signal() == Some(libc::SIGKILL), "an actor ended with {status}");
                return Ok(true);
            }
            if started.elapsed() >= time {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for a good end.
    fn finish(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < HANG {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "an actor ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.kill()?;
        bail!("{:?} is stuck", self.who)
    }

    fn told(self) -> Result<(Who, Vec<Told>)> {
        match self.told.join() {
            Ok(told) => Ok((self.who, told)),
            Err(_) => bail!("nobody listened to an actor"),
        }
    }
}

/// One channel, and those that use it.
struct Round {
    place: Place,
    capacity: u64,
    parking: bool,
    /// Whether what a dead receiver had in hand is lost.
    at_most_once: bool,
    /// Whether some messages do not fit into their cells.
    large: bool,
    /// The life of the service.
    life: u64,
    /// Where the victims die, one after the other.
    deaths: Vec<Option<Mark>>,
    /// The number of the next message.
    next: u64,
}

impl Round {
    fn new(number: u64, marks: &[Mark], random: &mut Random) -> Result<Self> {
        let any = |index: u64| {
            let at = usize::try_from(number * DEATHS + index).unwrap_or(0);
            (index % 4 != 3).then(|| marks[(at - at / 4) % marks.len()])
        };
        Ok(Self {
            place: Place::new(number)?,
            capacity: random.pick(&[1, 2, 8, 64]),
            parking: random.once_in(2),
            at_most_once: false,
            large: false,
            life: 1,
            deaths: (0..DEATHS).map(any).collect(),
            next: 1,
        })
    }

    fn orders(&self, part: &str) -> Orders {
        Orders {
            part: part.to_owned(),
            directory: self.place.path().display().to_string(),
            capacity: self.capacity,
            parking: self.parking,
            at_most_once: self.at_most_once,
            large: self.large,
            life: self.life,
            first: self.next,
            count: 0,
            arm: String::new(),
        }
    }

    /// An actor that is to die at a mark, or at some moment.
    fn victim(
        &self,
        who: Who,
        part: &str,
        death: Option<Mark>,
        random: &mut Random,
    ) -> Result<Actor> {
        // Writers close only if they come to an end.
        let closes = death.is_some_and(|mark| CLOSING.contains(&mark));
        let count = if closes && part == "write" { 30 } else { 0 };
        self.armed(who, Orders { count, ..self.orders(part) }, death, random)
    }

    /// The same for one that has its orders.
    fn armed(
        &self,
        who: Who,
        orders: Orders,
        death: Option<Mark>,
        random: &mut Random,
    ) -> Result<Actor> {
        let pass = random.between(1, 6);
        let once = |mark: Mark| {
            let name = mark.name();
            name.starts_with("endpoint-")
                || name.starts_with("burial-")
                || name.starts_with("hole-")
                || name.starts_with("heir-")
                || BEGINNINGS.contains(&mark)
        };
        let arm = death.map_or_else(
            || orders.arm.clone(),
            |mark| format!("{}:{}:kill", mark.name(), if once(mark) { 1 } else { pass }),
        );
        Actor::spawn(who, &Orders { arm, ..orders })
    }

    /// Waits for the victim's death, and helps in the end.
    fn bury(
        &mut self,
        mut victim: Actor,
        death: Option<Mark>,
        random: &mut Random,
        sum: &mut Sum,
    ) -> Result<(Who, Vec<Told>)> {
        let time = match death {
            Some(_) => PATIENCE,
            None => Duration::from_micros(random.between(500, 15_000)),
        };
        sum.kills += 1;
        match (victim.died_within(time)?, death) {
            (true, Some(mark)) => *sum.marks.entry(mark.name()).or_default() += 1,
            (true, None) => bail!("an actor killed itself unasked"),
            (false, _) => {
                victim.kill()?;
                sum.at_random += 1;
                sum.missed += u64::from(death.is_some());
            }
        }
        let life = victim.told()?;
        for &told in &life.1 {
            match told {
                Told::About(number, _) => self.next = self.next.max(number + 1),
                Told::Sent(..) => sum.sent += 1,
                _ => {}
            }
        }
        Ok(life)
    }

    /// A round of a broadcast channel. What is wrong.
    fn messages(&mut self, random: &mut Random, sum: &mut Sum) -> Result<Vec<String>> {
        let mut witness = Actor::spawn(Who::Gated, &self.orders("witness"))?;
        // From the beginning: there is no sender before it.
        std::thread::sleep(Duration::from_millis(20));
        let mut observer = Actor::spawn(Who::Observing, &self.orders("observe"))?;
        let mut lives = Vec::new();
        for death in self.deaths.clone() {
            let readers =
                |mark: Mark| mark.name().starts_with("reader-") || mark == Mark::CrowdNoted;
            let both = |mark: Mark| mark.name().starts_with("endpoint-");
            let reader_dies = match death {
                // A sender that closed would end the round.
                Some(mark) if CLOSING.contains(&mark) => true,
                Some(mark) => readers(mark) || both(mark) && random.once_in(2),
                None => random.once_in(2),
            };
            if reader_dies {
                let victim = self.victim(Who::Gated, "gate", death, random)?;
                let mut sender = self.victim(Who::Sender, "send", None, random)?;
                lives.push(self.bury(victim, death, random, sum)?);
                // The dead one's place is in the way by now, or will be.
                std::thread::sleep(Duration::from_millis(random.below(4)));
                sender.died_within(Duration::ZERO)?;
                lives.push(self.bury(sender, None, random, sum)?);
            } else {
                let mut other = self.victim(Who::Gated, "gate", None, random)?;
                let sender = self.victim(Who::Sender, "send", death, random)?;
                if EVICTIONS.iter().any(|&mark| Some(mark) == death) {
                    std::thread::sleep(Duration::from_millis(random.between(5, 15)));
                    other.kill()?;
                    sum.kills += 1;
                    sum.at_random += 1;
                    lives.push(self.bury(sender, death, random, sum)?);
                    lives.push(other.told()?);
                } else {
                    lives.push(self.bury(sender, death, random, sum)?);
                    lives.push(self.bury(other, None, random, sum)?);
                }
            }
        }
        let last = Orders { count: 2 * self.capacity + 3, ..self.orders("send") };
        let mut sender = Actor::spawn(Who::Sender, &last)?;
        sender.finish().context("the last sender")?;
        witness.finish().context("the witness")?;
        observer.finish().context("the observer")?;
        lives.push(sender.told()?);
        lives.push(observer.told()?);
        lives.insert(0, witness.told()?);
        Ok(judge(&lives))
    }

    /// A round of latest values. What is wrong.
    fn values(&mut self, random: &mut Random, sum: &mut Sum) -> Result<Vec<String>> {
        let mut watcher = Actor::spawn(Who::Observing, &self.orders("watch"))?;
        let (mut writers, mut wrong) = (Vec::new(), Vec::new());
        for death in self.deaths.clone() {
            let writer = self.victim(Who::Sender, "write", death, random)?;
            writers.extend(self.bury(writer, death, random, sum)?.1);
            let mut auditor = Actor::spawn(Who::Observing, &self.orders("audit"))?;
            auditor.finish().context("an auditor")?;
            wrong.extend(judge_values(&writers, &auditor.told()?.1));
        }
        ensure!(watcher.child.try_wait()?.is_none(), "the watcher has ended");
        watcher.kill()?;
        wrong.extend(watcher.told()?.1.iter().map(|told| format!("the watcher: {told:?}")));
        Ok(wrong)
    }
}

/// Marks that an actor passes once, as it begins.
const BEGINNINGS: [Mark; 15] = [
    Mark::TakeoverFound,
    Mark::TakeoverErased,
    Mark::TakeoverBegan,
    Mark::TakeoverDone,
    Mark::SuccessionNoted,
    Mark::SuccessionDone,
    Mark::BroadcastFound,
    Mark::BroadcastHinted,
    Mark::BroadcastTaken,
    Mark::BroadcastEvicting,
    Mark::LatestTaken,
    Mark::ReaderCounted,
    Mark::ReaderPlaced,
    Mark::ReaderJoined,
    Mark::ReaderBegun,
];

/// Marks of closing.
const CLOSING: [Mark; 2] = [Mark::EndpointClosing, Mark::EndpointClosed];

/// Marks that a sender passes that asks after a dead receiver.
const EVICTIONS: [Mark; 4] =
    [Mark::BroadcastEvicting, Mark::BurialBegun, Mark::BurialDated, Mark::BurialDone];
