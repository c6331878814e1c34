//! Which model shows what a death at which mark leaves.

use strait_pools::marks::Mark::{self, *};

/// The models in which somebody dies, and the marks at which that happens, each in turn. A model
/// asks for its marks ([`marks_of`]), and fails if nobody passes one.
pub const MODELS: &[(&str, &[Mark])] = &[
    (
        "succession::senders_die",
        &[ProducerClaimed, ProducerWritten, ProducerPublished, ProducerInBatch],
    ),
    (
        "succession::senders_die_taking_over",
        &[TakeoverFound, TakeoverErased, TakeoverBegan, TakeoverDone],
    ),
    ("succession::receivers_die", &[ConsumerInHand, ConsumerMoved, ConsumerTold]),
    ("succession::receivers_die_taking_over", &[SuccessionNoted, SuccessionDone]),
    (
        "burial::holders_die",
        &[EndpointLocked, EndpointSigning, EndpointSigned, EndpointClosing, EndpointClosed],
    ),
    ("burial::buriers_die", &[BurialBegun, BurialDated, BurialDone]),
    ("parking::sleepers_die", &[SleepNoted, SleepBegun, SleepOver]),
    ("parking::wakers_die", &[WakeNoted, WakeDone]),
    ("lanes::senders_die", &[LaneMarked]),
    ("lanes::receivers_die", &[LanesTaken]),
    ("blocks::senders_die", &[BlockTaken]),
    ("blocks::receivers_die", &[BlockClaimed, BlockRead]),
    ("blocks::sweepers_die", &[BlockSwept]),
    ("mpmc::senders_die", &[TicketIntended, TicketClaimed, TicketWritten, TicketPublished]),
    (
        "mpmc::receivers_die",
        &[TakingIntended, TakingClaimed, TakingCopied, TakingNoted, TakingFreed, TakingDone],
    ),
    ("mpmc::repairers_die", &[HoleSkipped, HeirCopied, HeirCleared]),
    ("mpmc::successors_die", &[HeirReady]),
    (
        "broadcast_deaths::senders_die",
        &[BroadcastMarked, BroadcastWritten, BroadcastPublished, BroadcastRaised, BroadcastLooked],
    ),
    (
        "broadcast_deaths::senders_die_taking_over",
        &[BroadcastFound, BroadcastHinted, BroadcastTaken],
    ),
    ("broadcast_deaths::senders_die_evicting", &[BroadcastEvicting]),
    (
        "broadcast_deaths::readers_die",
        &[
            ReaderCounted,
            ReaderPlaced,
            ReaderJoined,
            ReaderBegun,
            ReaderInHand,
            ReaderTold,
            ReaderLeft,
        ],
    ),
    ("crowd::sleepers_die", &[CrowdNoted]),
    ("crowd::wakers_die", &[CrowdWoken]),
    ("answers::servers_die", &[AnswerWritten, AnswerPublished]),
    ("answers::callers_die", &[CallGivenUp]),
    ("latest::writers_die", &[LatestWriting, LatestWritten, LatestPublished, LatestTaken]),
    (
        "directory::writers_die",
        &[
            DirectoryBegun,
            DirectoryWritten,
            DirectoryLive,
            DirectoryLinked,
            DirectoryUnlinked,
            DirectoryGone,
            DirectoryCounted,
            DirectoryWoken,
        ],
    ),
    (
        "lifecycle::one_dies_at_each_mark",
        &[
            SegmentComplete,
            SegmentNamed,
            SegmentOpened,
            RemovalLocked,
            RemovalRetired,
            RemovalUnlinked,
        ],
    ),
];

/// The marks at which somebody dies in `model`.
///
/// # Panics
///
/// If it is not one of [`MODELS`].
pub fn marks_of(model: &str) -> &'static [Mark] {
    let found = MODELS.iter().find(|(name, _)| *name == model);
    found.expect("a model of deaths is listed in `deaths`").1
}
