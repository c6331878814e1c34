//! Queues between threads: crossbeam's `ArrayQueue` and channel, kanal's channel.

use super::by_words;
use super::parcel::{Ends, Parcel, Pop, Push};
use crate::case::Case;
use anyhow::{Result, anyhow};
use crossbeam_channel as crossbeam;
use crossbeam_queue::ArrayQueue;
use std::hint::spin_loop;
use std::sync::Arc;
use strait_tools::bench::exercise::Player;

type Both = [Box<dyn Player + Send>; 2];

/// Both sides, of parcels that suit the size.
macro_rules! both {
    ($case:expr, $parcel:ident => $ends:expr) => {
        by_words!($case, WORDS => {
            type $parcel = [u64; WORDS];
            $ends
        }, {
            type $parcel = Box<[u64]>;
            $ends
        })
    };
}

/// A queue each way, of which `make` makes both ends.
fn there_and_back<P, I, O>(case: Case, make: impl Fn(usize) -> (I, O)) -> Both
where
    P: Parcel,
    I: Push<P> + Send + 'static,
    O: Pop<P> + Send + 'static,
{
    let ((there, from_here), (back, from_there)) = (make(case.capacity()), make(case.capacity()));
    [
        Box::new(Ends::<I, O, P>::new(there, from_there, Vec::new(), case.words())),
        Box::new(Ends::<I, O, P>::new(back, from_here, Vec::new(), case.words())),
    ]
}

pub(crate) fn array_queue(case: Case) -> Both {
    both!(case, P => there_and_back::<P, Arc<ArrayQueue<P>>, Arc<ArrayQueue<P>>>(case, |capacity| {
        let queue = Arc::new(ArrayQueue::new(capacity));
        (Arc::clone(&queue), queue)
    }))
}

pub(crate) fn crossbeam(case: Case) -> Both {
    both!(case, P => there_and_back::<P, _, _>(case, crossbeam::bounded::<P>))
}

pub(crate) fn kanal(case: Case) -> Both {
    both!(case, P => there_and_back::<P, _, _>(case, kanal::bounded::<P>))
}

/// A channel for each reader of this side.
pub(crate) fn crossbeam_each(case: Case) -> Both {
    fn each<P: Parcel + Clone>(case: Case) -> Both {
        let one = || crossbeam::bounded::<P>(case.capacity());
        let (into, mut out): (Vec<_>, Vec<_>) = (0..case.workload.readers()).map(|_| one()).unzip();
        // Nothing goes the other way.
        let (nowhere, nothing) = one();
        let first = out.remove(0);
        [
            Box::new(Ends::<_, _, P>::new(nowhere, first, out, case.words())),
            Box::new(Ends::<_, _, P>::new(into, nothing, Vec::new(), case.words())),
        ]
    }
    both!(case, P => each::<P>(case))
}

impl<P: Parcel> Push<P> for Arc<ArrayQueue<P>> {
    #[inline(always)]
    fn push(&mut self, mut parcel: P) -> Result<()> {
        while let Err(refused) = ArrayQueue::push(self, parcel) {
            parcel = refused;
            spin_loop();
        }
        Ok(())
    }
}

impl<P: Parcel> Pop<P> for Arc<ArrayQueue<P>> {
    #[inline(always)]
    fn pop(&mut self) -> Result<P> {
        loop {
            if let Some(parcel) = ArrayQueue::pop(self) {
                return Ok(parcel);
            }
            spin_loop();
        }
    }

    #[inline(always)]
    fn poll(&mut self) -> Result<Option<P>> {
        Ok(ArrayQueue::pop(self))
    }
}

/// The queue's other end is gone.
fn closed<E>(_: E) -> anyhow::Error {
    anyhow!("the other side is gone")
}

impl<P: Parcel> Push<P> for crossbeam::Sender<P> {
    #[inline(always)]
    fn push(&mut self, parcel: P) -> Result<()> {
        self.send(parcel).map_err(closed)
    }
}

impl<P: Parcel + Clone> Push<P> for Vec<crossbeam::Sender<P>> {
    #[inline(always)]
    fn push(&mut self, parcel: P) -> Result<()> {
        self.iter().try_for_each(|sender| sender.send(parcel.clone()).map_err(closed))
    }
}

impl<P: Parcel> Pop<P> for crossbeam::Receiver<P> {
    #[inline(always)]
    fn pop(&mut self) -> Result<P> {
        self.recv().map_err(closed)
    }
}

impl<P: Parcel> Push<P> for kanal::Sender<P> {
    #[inline(always)]
    fn push(&mut self, parcel: P) -> Result<()> {
        self.send(parcel).map_err(closed)
    }
}

impl<P: Parcel> Pop<P> for kanal::Receiver<P> {
    #[inline(always)]
    fn pop(&mut self) -> Result<P> {
        self.recv().map_err(closed)
    }
}
