//! Numbered steps at which a process may die.
//!
//! Between any two shared stores of an operation stands a mark. In production a mark is nothing at
//! all. In a model, an actor told to die at a mark stops there for good, as a killed process does: no
//! destructor runs, and others must get on with what they find. With the feature `fail-points`, the
//! process kills itself, stops itself or dawdles there, as [`fail_points`] was told.

pub mod fail_points;
#[cfg(loom)]
pub mod model;

/// Writes the enumeration, the list of its members and their names from one table.
macro_rules! marks {
    ($($(#[$doc:meta])* $mark:ident = $number:literal, $name:literal;)*) => {
        /// One step of one operation. The numbers and names are stable: reports quote them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Mark {
            $($(#[$doc])* $mark = $number,)*
        }

        impl Mark {
            /// Every mark, for reports and for models that die at each in turn.
            pub const ALL: &[Mark] = &[$(Mark::$mark),*];

            /// Its name in reports and on command lines.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Mark::$mark => $name,)*
                }
            }
        }
    };
}

marks! {
    /// A position is claimed; the body is being written.
    ProducerClaimed = 1, "producer-claimed";
    /// The body is complete; its state is not stored.
    ProducerWritten = 2, "producer-written";
    /// The state is stored; the hint is not.
    ProducerPublished = 3, "producer-published";
    /// Inside a batch: some states are stored, back to front.
    ProducerInBatch = 4, "producer-in-batch";
    /// A message is in the consumer's hand.
    ConsumerInHand = 11, "consumer-in-hand";
    /// The cursor has moved; the producer has not been told.
    ConsumerMoved = 12, "consumer-moved";
    /// The producer has been told.
    ConsumerTold = 13, "consumer-told";
    /// A new producer has found where its predecessor stopped; nothing is erased.
    TakeoverFound = 21, "takeover-found";
    /// A new producer has erased some of a dead batch.
    TakeoverErased = 22, "takeover-erased";
    /// A new producer has written where it begins; its incarnation is not counted.
    TakeoverBegan = 23, "takeover-began";
    /// A new producer has written its incarnation.
    TakeoverDone = 24, "takeover-done";
    /// A new consumer has noted which message its dead predecessor may have had in hand.
    SuccessionNoted = 31, "succession-noted";
    /// A new consumer has written its incarnation.
    SuccessionDone = 32, "succession-done";
    /// An endpoint's lock is held; its entry still tells of the predecessor.
    EndpointLocked = 41, "endpoint-locked";
    /// An endpoint's entry is being written.
    EndpointSigning = 42, "endpoint-signing";
    /// An endpoint's entry is complete.
    EndpointSigned = 43, "endpoint-signed";
    /// The moment of closing is written; the endpoint is not closed.
    EndpointClosing = 44, "endpoint-closing";
    /// An endpoint is closed; its lock is still held.
    EndpointClosed = 45, "endpoint-closed";
    /// A holder is known to be dead; nothing says so yet.
    BurialBegun = 51, "burial-begun";
    /// The moment at which a death was noticed is written; the entry still says "active".
    BurialDated = 52, "burial-dated";
    /// A dead holder's entry says so.
    BurialDone = 53, "burial-done";
    /// A segment is complete and locked; it has no name.
    SegmentComplete = 61, "segment-complete";
    /// A segment has its name; its creator has not mapped it.
    SegmentNamed = 62, "segment-named";
    /// An existing segment is locked for use; it is not mapped.
    SegmentOpened = 63, "segment-opened";
    /// A segment is locked for removal.
    RemovalLocked = 71, "removal-locked";
    /// A segment is retired; it still has its name.
    RemovalRetired = 72, "removal-retired";
    /// A segment has lost its name; its remover still has it locked.
    RemovalUnlinked = 73, "removal-unlinked";
    /// A side says that it sleeps; it has not looked again whether it need.
    SleepNoted = 81, "sleep-noted";
    /// A side has looked again, and goes to sleep.
    SleepBegun = 82, "sleep-begun";
    /// A side is awake again; its word still says that it sleeps, unless it was woken.
    SleepOver = 83, "sleep-over";
    /// A sleeper's word says that it is awake; nobody has woken it.
    WakeNoted = 84, "wake-noted";
    /// A sleeper has been woken.
    WakeDone = 85, "wake-done";
    /// A producer has published a message, and its lane's bit is set.
    LaneMarked = 191, "lane-marked";
    /// A consumer has cleared the bits of lanes that it has not looked at.
    LanesTaken = 192, "lanes-taken";
    /// A producer has taken a block; no message is in it.
    BlockTaken = 91, "block-taken";
    /// A consumer owns the block of the message in hand; its cell is not released.
    BlockClaimed = 92, "block-claimed";
    /// A block was read, and its cell is released; it is not freed.
    BlockRead = 93, "block-read";
    /// A block of a dead owner is about to be freed.
    BlockSwept = 94, "block-swept";
    /// A sender has put on record which positions it claims; it has not claimed them.
    TicketIntended = 101, "ticket-intended";
    /// A sender has claimed positions; their bodies are not written.
    TicketClaimed = 102, "ticket-claimed";
    /// The bodies at the positions claimed are written; none is published.
    TicketWritten = 103, "ticket-written";
    /// The message at a position claimed is published, back to front if there are several.
    TicketPublished = 104, "ticket-published";
    /// A receiver has put on record which positions it claims; it has not claimed them.
    TakingIntended = 111, "taking-intended";
    /// A receiver has claimed positions; none is taken.
    TakingClaimed = 112, "taking-claimed";
    /// A message's body is copied out of its cell; nothing says so.
    TakingCopied = 113, "taking-copied";
    /// A message is noted to be in a receiver's hand.
    TakingNoted = 114, "taking-noted";
    /// The cell of a message that was taken, or of a hole, is free.
    TakingFreed = 115, "taking-freed";
    /// A receiver's hand is empty again.
    TakingDone = 116, "taking-done";
    /// A position that a dead sender had claimed is marked as to be skipped.
    HoleSkipped = 121, "hole-skipped";
    /// A message is copied from where a dead receiver left it; nothing says so.
    HeirCopied = 122, "heir-copied";
    /// The hand of a dead receiver is emptied.
    HeirCleared = 123, "heir-cleared";
    /// A new receiver has finished what was left on its line.
    HeirReady = 124, "heir-ready";
    /// A reader has made the number odd that a crowd sleeps on; it has not looked again.
    CrowdNoted = 131, "crowd-noted";
    /// The number is even again; nobody of the crowd is woken.
    CrowdWoken = 132, "crowd-woken";
    /// A broadcast cell says that it is being written; nothing of its message is.
    BroadcastMarked = 141, "broadcast-marked";
    /// A broadcast message is complete; its state is not stored.
    BroadcastWritten = 142, "broadcast-written";
    /// The state is stored; the hint is not, and nobody is woken.
    BroadcastPublished = 143, "broadcast-published";
    /// A producer has raised its floor; it has not looked at its readers.
    BroadcastRaised = 144, "broadcast-raised";
    /// A producer has looked at its readers; its floor is still where it would like it.
    BroadcastLooked = 145, "broadcast-looked";
    /// A dead reader is about to lose its gate.
    BroadcastEvicting = 146, "broadcast-evicting";
    /// A new producer has found where its predecessor stopped.
    BroadcastFound = 147, "broadcast-found";
    /// A new producer has stored the hint; it is not counted.
    BroadcastHinted = 148, "broadcast-hinted";
    /// A new producer is counted; no sleeper is woken.
    BroadcastTaken = 149, "broadcast-taken";
    /// A reader is counted at its place; the cursor is its predecessor's.
    ReaderCounted = 151, "reader-counted";
    /// A reader's cursor is stored; the gate is not.
    ReaderPlaced = 152, "reader-placed";
    /// A reader's gate is stored; it does not know where it may begin.
    ReaderJoined = 153, "reader-joined";
    /// A reader has stored where it begins.
    ReaderBegun = 154, "reader-begun";
    /// A broadcast message was read in place; it is not released.
    ReaderInHand = 155, "reader-in-hand";
    /// A reader has told of its progress; the producer is not woken.
    ReaderTold = 156, "reader-told";
    /// A reader has left its place; the producer is not woken.
    ReaderLeft = 157, "reader-left";
    /// A latest value is being written; readers see the one before.
    LatestWriting = 161, "latest-writing";
    /// A latest value is complete; its version is not stored.
    LatestWritten = 162, "latest-written";
    /// Its version is stored; nobody is woken.
    LatestPublished = 163, "latest-published";
    /// A new writer is counted; no sleeper is woken.
    LatestTaken = 164, "latest-taken";
    /// An answer is complete; its state is not stored.
    AnswerWritten = 201, "answer-written";
    /// An answer is published, unless its call was given up; nobody is woken.
    AnswerPublished = 202, "answer-published";
    /// A call is given up.
    CallGivenUp = 203, "call-given-up";
    /// A directory's entry is noted to be about to change; nothing of it has.
    DirectoryBegun = 171, "directory-begun";
    /// An offer is written; it is not live.
    DirectoryWritten = 172, "directory-written";
    /// An offer is live; it is linked nowhere.
    DirectoryLive = 173, "directory-live";
    /// An offer is linked in one more place.
    DirectoryLinked = 174, "directory-linked";
    /// An offer is linked in one place less.
    DirectoryUnlinked = 175, "directory-unlinked";
    /// An offer is no longer live; its entry is not marked as free.
    DirectoryGone = 176, "directory-gone";
    /// A change of a directory is counted; nobody is woken.
    DirectoryCounted = 177, "directory-counted";
    /// Watchers of a directory are woken; its entry is still noted as unfinished.
    DirectoryWoken = 178, "directory-woken";
}

impl Mark {
    /// Whether it is passed by channels of one sender and one receiver; the others are those of channels with
    /// several.
    pub const fn is_of_pairs(self) -> bool {
        (self as u32) < 100
    }

    /// The mark with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|&mark| mark as u32 == number)
    }

    /// The mark with this [`name`](Mark::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mark| mark.name() == name)
    }
}

/// Passes a mark.
#[cfg(not(any(loom, feature = "fail-points")))]
#[inline(always)]
pub fn pass(_mark: Mark) {}

#[cfg(all(feature = "fail-points", not(loom)))]
pub use fail_points::pass;
#[cfg(loom)]
pub use model::pass;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_lead_back() {
        for &mark in Mark::ALL {
            assert_eq!(Mark::from_number(mark as u32), Some(mark));
            assert_eq!(Mark::from_name(mark.name()), Some(mark));
        }
        assert_eq!(Mark::from_number(0), None, "0 means: at no mark");
        assert_eq!(Mark::from_name("no-such-mark"), None);
    }
}
