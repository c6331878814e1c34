//! What the guide asks for without a figure, tried out in this process.

use super::judge::{Amount, Behaviour};
use super::lab::{Lab, effort};
use super::small::{BATCH, Ball};
use crate::allocations;
use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};
use strait::{Receiver, RecvError, Sender};
use strait_ipc::channel::{Batch, Claim, Loan, Sample, Spsc, Wait};

fn channel() -> Result<(Sender<Ball>, Receiver<Ball>)> {
    Ok(Spsc::<Ball>::unnamed("verify").capacity(256).pair()?)
}

/// Whether a type is `Clone`: an inherent constant, where there is one, hides a trait's.
macro_rules! is_clone {
    ($type:ty) => {{
        trait Otherwise {
            const IS_CLONE: bool = false;
        }
        struct Probe<T>(std::marker::PhantomData<T>);
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code)]
        impl<T: Clone> Probe<T> {
            const IS_CLONE: bool = true;
        }
        (stringify!($type), <Probe<$type>>::IS_CLONE)
    }};
}

/// Whether what stands for a place in the ring can only be moved.
pub(super) fn moved_only(_: &mut Lab) -> Result<Behaviour> {
    let handles = [
        is_clone!(Sender<Ball>),
        is_clone!(Receiver<Ball>),
        is_clone!(Loan<'static, Ball>),
        is_clone!(Batch<'static, Ball>),
        is_clone!(Sample<'static, Ball>),
        is_clone!(Claim<'static>),
    ];
    let copied: Vec<&str> =
        handles.iter().filter(|handle| handle.1).map(|handle| handle.0).collect();
    Ok(Behaviour {
        holds: copied.is_empty(),
        seen: if copied.is_empty() {
            format!("{} kinds of handle, none can be cloned", handles.len())
        } else {
            format!("can be cloned: {}", copied.join(", "))
        },
    })
}

/// Whether a batch shows all of its messages at once, and none if it is given up.
pub(super) fn all_or_nothing(_: &mut Lab) -> Result<Behaviour> {
    let (mut sender, mut receiver) = channel()?;
    // Dropped at once.
    let _ = fill(&mut sender)?;
    let after_giving_up = take_all(&mut receiver);
    let batch = fill(&mut sender)?;
    let before_publishing = take_all(&mut receiver);
    batch.publish();
    let after_publishing = take_all(&mut receiver);
    Ok(Behaviour {
        holds: (after_giving_up, before_publishing, after_publishing) == (0, 0, BATCH),
        seen: format!(
            "of {BATCH} messages arrived: given up {after_giving_up}, not yet published \
             {before_publishing}, published {after_publishing}"
        ),
    })
}

fn fill(sender: &mut Sender<Ball>) -> Result<Batch<'_, Ball>> {
    let mut batch = sender.batch();
    for number in 0..BATCH as u64 {
        batch.push(&Ball::new(number))?;
    }
    Ok(batch)
}

/// How many messages are there, in order from the first.
fn take_all(receiver: &mut Receiver<Ball>) -> usize {
    let numbers = std::iter::from_fn(|| receiver.try_recv().ok().map(|message| message.words[0]));
    numbers.zip(0..).take_while(|(found, expected)| found == expected).count()
}

/// A message whose parts lie apart in memory.
#[derive(strait::rkyv::Archive, strait::rkyv::Serialize, strait::Message)]
#[rkyv(crate = strait::rkyv)]
struct Parts {
    parts: Vec<String>,
}

/// Whether strings reach the ring without an allocation.
pub(super) fn strings_in_place(_: &mut Lab) -> Result<Behaviour> {
    let (mut sender, mut receiver) = Spsc::<Parts>::unnamed("verify").max_len(1000).pair()?;
    let parts = Parts {
        parts: ["alpha", "beta", "a longer one, of thirty letters"].map(str::to_owned).into(),
    };
    let mut once = || -> Result<usize> {
        sender.send(&parts)?;
        Ok(receiver.recv()?.parts.iter().map(|part| part.len()).sum())
    };
    once()?;
    const MESSAGES: u64 = effort(10_000);
    let (made, outcome) = allocations::count(|| (0..MESSAGES).try_for_each(|_| once().map(drop)));
    outcome?;
    Ok(match made {
        Some(made) => Behaviour {
            holds: made == 0,
            seen: format!("{made} allocations for {MESSAGES} messages with three strings each"),
        },
        None => {
            Behaviour { holds: false, seen: "this program does not count allocations".to_owned() }
        }
    })
}

/// Cores that a receiver takes while it waits for a message that does not come.
pub(super) fn waiting_cores(_: &mut Lab) -> Result<Amount> {
    const WAIT: Duration = Duration::from_millis(200);
    let channel = Spsc::<Ball>::unnamed("verify").wait(Wait::Adaptive);
    let (_sender, mut receiver) = channel.pair()?;
    let used = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let (before, start) = (used(), Instant::now());
    let outcome = receiver.recv_timeout(WAIT).map(drop);
    let cores = (used() - before) / start.elapsed().as_secs_f64();
    anyhow::ensure!(matches!(outcome, Err(RecvError::Timeout)), "a message came from nowhere");
    Ok(cores.into())
}
