//! Several peers that stand as one: a side that waits for any of them.

use super::link::End;
use crate::endpoint::PeerView;
use strait_pools::environment::{Liveness, Peer};

/// How they are doing: alive while one is, and else as whoever ended worst.
pub(super) fn standing<'a>(
    peers: impl Iterator<Item = &'a PeerView>,
    ask: impl Fn(&PeerView) -> Peer,
) -> Peer {
    let order = |peer: &Peer| match peer {
        Peer::Absent => 0,
        Peer::Closed => 1,
        Peer::Died => 2,
        Peer::Alive => 3,
    };
    peers.map(ask).max_by_key(order).unwrap_or(Peer::Absent)
}

/// How they ended, as memory says, if none is alive: of several ends a death is worth telling, and the last
/// one.
pub(super) fn end<'a>(
    peers: impl Iterator<Item = &'a PeerView> + Clone,
    channel: &str,
) -> Option<End> {
    if standing(peers.clone(), PeerView::glance) == Peer::Alive {
        return None;
    }
    peers.filter_map(|peer| End::of(peer, channel)).max_by_key(End::order)
}
