//! Who offers something, whether those processes live, and whose turn it is to change the directory.

use super::DirectoryError;
use super::entry::Owner;
use crate::endpoint::{AttachError, Endpoint, Holder, PeerView, Role};
use crate::ring::directory::layout::EntryHead;
use crate::segment::holders::Hold;
use crate::segment::{Segment, SegmentError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use strait_pools::environment::{Liveness, Peer};
use strait_pools::sync::Ordering::Relaxed;

/// How long to wait for others that change the directory.
const PATIENCE: Duration = Duration::from_secs(5);

/// The members of a directory, this process perhaps among them.
#[derive(Debug)]
pub(super) struct Members {
    views: Vec<PeerView>,
    /// Threads of this process take turns by a lock of its own: the kernel's is the process's.
    turn: Mutex<Hold>,
    /// This process's membership, once it has offered something.
    own: Mutex<Option<(Owner, Endpoint)>>,
    /// `None` only while dropping.
    segment: Option<Arc<Segment>>,
}

impl Owner {
    /// Whose an entry is.
    pub(super) fn of(entry: &EntryHead) -> Self {
        Self { member: entry.owner.load(Relaxed), epoch: entry.epoch.load(Relaxed) }
    }
}

impl Members {
    /// Of a directory's segment.
    pub(super) fn new(segment: Segment) -> Result<Self, DirectoryError> {
        let segment = Arc::new(segment);
        let slots = segment.channels().iter().flat_map(|info| info.sides(Role::Producer));
        let views: Result<_, AttachError> =
            slots.map(|slot| PeerView::new(&segment, slot)).collect();
        let hold = segment.holders().hold();
        let path = segment.path().to_owned();
        let action = "reopen it";
        let hold = hold.map_err(|source| SegmentError::System { path, action, source })?;
        let (views, turn, own) = (views?, Mutex::new(hold), Mutex::default());
        Ok(Self { views, turn, own, segment: Some(segment) })
    }

    fn segment(&self) -> &Arc<Segment> {
        self.segment.as_ref().expect("a directory has its segment until it is dropped")
    }

    /// Refuses to go on in a forked child. One load of local memory.
    #[inline]
    pub(super) fn check(&self) -> Result<(), DirectoryError> {
        if self.segment().guard().forked() { Err(DirectoryError::Forked) } else { Ok(()) }
    }

    /// Whether the directory may be written.
    pub(super) fn may_write(&self) -> bool {
        self.segment().writable()
    }

    /// Does `work` while nobody else does any, of whatever process. The exclusion ends with the process.
    pub(super) fn alone<R>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<R, DirectoryError>,
    ) -> Result<R, DirectoryError> {
        self.check()?;
        if !self.may_write() {
            return Err(DirectoryError::ReadOnly { path: path.to_owned() });
        }
        let (hold, turn) = (lock(&self.turn), self.segment().turn());
        let (started, mut pause) = (Instant::now(), Duration::from_micros(10));
        let failed =
            |source| SegmentError::System { path: path.to_owned(), action: "lock it", source };
        while !hold.try_lock(turn).map_err(failed)? {
            let waited = started.elapsed();
            if waited > PATIENCE {
                return Err(DirectoryError::Busy { path: path.to_owned(), waited });
            }
            std::thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(1));
        }
        let result = work();
        // What cannot be unlocked stays this process's, and ends with it.
        let _ = hold.unlock(turn);
        result
    }

    /// Makes this process a member, if it is none yet.
    pub(super) fn join(&self) -> Result<Owner, DirectoryError> {
        let mut own = lock(&self.own);
        if let Some((owner, _)) = &*own {
            return Ok(*owner);
        }
        let segment = self.segment();
        let info = segment.channel(0).expect("a directory is a channel of its segment");
        let (member, endpoint) = Endpoint::attach_any(segment, info, Role::Producer)?;
        let owner = Owner { member: u64::from(member), epoch: endpoint.epoch() };
        *own = Some((owner, endpoint));
        Ok(owner)
    }

    fn view(&self, owner: Owner) -> Option<&PeerView> {
        self.views.get(usize::try_from(owner.member).ok()?)
    }

    /// Whether memory says that the owner lives: no system call.
    #[inline]
    pub(super) fn seems_alive(&self, owner: Owner) -> bool {
        self.view(owner).is_some_and(|view| view.is_held_by(owner.epoch))
    }

    /// Whether the owner lives, as the kernel says.
    pub(super) fn lives(&self, owner: Owner) -> bool {
        let view = self.view(owner);
        // In this order: a successor that comes meanwhile has another epoch.
        view.is_some_and(|view| view.probe() == Peer::Alive && view.is_held_by(owner.epoch))
    }

    /// Who that is.
    pub(super) fn holder(&self, owner: Owner) -> Holder {
        self.view(owner).map(PeerView::details).unwrap_or_default()
    }

    /// All members that live, as the kernel says.
    pub(super) fn living(&self) -> Vec<Owner> {
        let alive = |(member, view): (u64, &PeerView)| {
            let epoch = view.epoch();
            let owner = Owner { member, epoch };
            (view.glance() == Peer::Alive && self.lives(owner)).then_some(owner)
        };
        (0..).zip(&self.views).filter_map(alive).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is half done by who panicked: what is in shared memory is finished by the next.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Members {
    /// Ends this process's membership, and removes the directory if nobody else uses it: what stands
    /// in it then was offered by the dead.
    fn drop(&mut self) {
        if let Ok(own) = self.own.get_mut() {
            *own = None;
        }
        self.views.clear();
        if let Some(segment) = self.segment.take().and_then(Arc::into_inner) {
            // Left behind, it is merely still there.
            let _ = segment.close(|_| true);
        }
    }
}
