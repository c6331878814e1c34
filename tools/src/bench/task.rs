//! What can be run, and what is measured by it.

use super::sides::{Subject, Waiting};

/// Which benchmark to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// Messages there and back, one at a time.
    RoundTrip {
        /// How Strait's sides wait.
        waiting: Waiting,
        /// Whether calls of a service are measured beside.
        call: bool,
    },
    /// Messages sent at a rate; half of what goes through, unless one is given.
    OneWay {
        /// Messages per second.
        rate: Option<f64>,
    },
    /// As many messages as go through.
    Stream {
        /// Messages per batch; 1 sends them one by one.
        batch: u64,
        /// How Strait's sides wait.
        waiting: Waiting,
    },
    /// Messages there and back between sides that sleep until woken.
    Wake,
}

impl Task {
    /// Its name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Task::RoundTrip { .. } => "rtt",
            Task::OneWay { .. } => "oneway",
            Task::Stream { .. } => "stream",
            Task::Wake => "wake",
        }
    }

    /// Strait's channels, each with the way in which its sides wait.
    pub(super) fn channels(self) -> Vec<(Subject, Waiting)> {
        match self {
            Task::OneWay { .. } => vec![(Subject::Strait, Waiting::default())],
            Task::Wake => vec![
                (Subject::Strait, Waiting::PARK),
                (Subject::StraitUnsliced, Waiting::UNSLICED),
                (Subject::StraitAdaptive, Waiting::ADAPTIVE),
            ],
            Task::RoundTrip { waiting, .. } | Task::Stream { waiting, .. } => {
                let mut channels = vec![(Subject::Strait, Waiting { parking: false, ..waiting })];
                if waiting.parking {
                    channels.push((Subject::StraitParking, waiting));
                }
                channels
            }
        }
    }

    /// What is measured, but for a peer between threads.
    pub(super) fn subjects(self) -> Vec<Subject> {
        let channels = self.channels().into_iter().map(|(subject, _)| subject);
        let others: &[Subject] = match self {
            Task::RoundTrip { call: true, .. } => &[Subject::Call, Subject::Raw, Subject::Line],
            Task::RoundTrip { .. } => &[Subject::Raw, Subject::Line],
            Task::OneWay { .. } => &[Subject::Raw],
            Task::Stream { .. } => &[],
            Task::Wake => &[
                Subject::Futex,
                Subject::FutexTimed,
                Subject::Eventfd,
                Subject::Pipe,
                Subject::Socket,
            ],
        };
        channels.chain(others.iter().copied()).collect()
    }

    /// Whether a peer between threads is measured as well.
    pub(super) fn has_peers(self) -> bool {
        matches!(self, Task::RoundTrip { .. } | Task::Stream { .. })
    }

    /// What latencies are compared with.
    pub(super) fn yardstick(self) -> Subject {
        match self {
            Task::Wake => Subject::Futex,
            Task::RoundTrip { .. } | Task::OneWay { .. } | Task::Stream { .. } => Subject::Raw,
        }
    }

    /// How Strait's sides wait, if that can be chosen.
    pub(super) fn waiting(self) -> Option<Waiting> {
        match self {
            Task::RoundTrip { waiting, .. } | Task::Stream { waiting, .. } => Some(waiting),
            Task::OneWay { .. } | Task::Wake => None,
        }
    }
}
