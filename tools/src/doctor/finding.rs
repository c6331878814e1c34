//! What an audit says about one thing.

use serde::Serialize;
use strait_ipc::segment::kernel::printable;

/// What was found of one thing, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// Its name, which stays the same from release to release.
    pub(crate) id: &'static str,
    pub(crate) group: &'static str,
    pub(crate) verdict: Verdict,
    /// Null where it cannot be read.
    pub(crate) found: Option<String>,
    /// What it is judged against.
    pub(crate) wanted: String,
    /// Why it matters.
    pub(crate) why: &'static str,
    pub(crate) fix: Option<Fix>,
}

/// The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Channels do not work, or will soon stop to.
    Problem,
    /// Channels of any kind are slower or less certain for it.
    Warning,
    /// Good to know: it matters to some programs only, or cannot be changed here.
    Note,
    /// It cannot be read.
    Unknown,
    Ok,
}

impl Verdict {
    pub(super) const ALL: [Self; 5] =
        [Self::Problem, Self::Warning, Self::Note, Self::Unknown, Self::Ok];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
        }
    }
}

/// What mends it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Fix {
    #[serde(rename = "where")]
    pub(crate) place: Place,
    pub(crate) command: String,
}

/// Where a fix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// Into a shell of this machine.
    Here,
    /// The same, and it holds from the next login on.
    Login,
    /// Into a shell of the machine that this container runs on.
    Host,
    /// Where the container is started.
    Container,
    /// Onto the kernel's command line.
    Boot,
}

impl Place {
    /// The words before the command.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Here => "fix",
            Self::Login => "fix, then log in again",
            Self::Host => "fix, on the container's host",
            Self::Container => "fix, when the container is started",
            Self::Boot => "fix, on the kernel's command line",
        }
    }
}

/// One thing to look at, before it was looked at.
#[derive(Clone, Debug)]
pub(super) struct Check {
    id: &'static str,
    wanted: String,
    why: &'static str,
}

impl Check {
    pub(super) fn new(id: &'static str, wanted: impl Into<String>, why: &'static str) -> Self {
        Self { id, wanted: wanted.into(), why }
    }

    pub(super) fn ok(self, found: impl Into<String>) -> Finding {
        self.judged(Verdict::Ok, found)
    }

    pub(super) fn note(self, found: impl Into<String>) -> Finding {
        self.judged(Verdict::Note, found)
    }

    pub(super) fn warning(self, found: impl Into<String>) -> Finding {
        self.judged(Verdict::Warning, found)
    }

    pub(super) fn problem(self, found: impl Into<String>) -> Finding {
        self.judged(Verdict::Problem, found)
    }

    pub(super) fn unknown(self) -> Finding {
        Finding { found: None, ..self.judged(Verdict::Unknown, "") }
    }

    pub(super) fn judged(self, verdict: Verdict, found: impl Into<String>) -> Finding {
        let Self { id, wanted, why } = self;
        // Files may hold anything, a terminal's commands included.
        let found = Some(printable(&found.into()));
        Finding { id, group: "", verdict, found, wanted, why, fix: None }
    }
}

impl Finding {
    /// As it is, with what mends it unless nothing has to be mended.
    pub(super) fn fix(mut self, fix: impl Into<Option<Fix>>) -> Self {
        if !matches!(self.verdict, Verdict::Ok | Verdict::Unknown) {
            self.fix = fix.into().map(|fix| Fix { command: printable(&fix.command), ..fix });
        }
        self
    }
}
