//! `strait clean`: removes what nobody uses.

use super::list::title;
use super::{Place, json, words};
use anyhow::{Result, bail};
use serde::Serialize;
use strait_ipc::segment::survey::{HeaderState, Usage};
use strait_ipc::segment::{Fault, Removal, Segment, SegmentError, SegmentName, Survey};

/// Which channels to remove, and how to tell.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only channels of this domain
    domain: Option<String>,
    /// Only this channel
    channel: Option<String>,
    /// Remove nothing, and say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Keep channels that hold messages nobody has read
    #[arg(long)]
    keep_unread: bool,
    #[command(flatten)]
    place: Place,
}

/// What became of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Removed,
    WouldRemove,
    /// It is in use.
    InUse,
    /// It holds unread messages, which are to be kept.
    Unread,
    NotASegment,
    OtherUser,
    /// Another process removed it first.
    Gone,
    Failed,
}

#[derive(Debug, Serialize)]
struct Cleaned {
    path: String,
    #[serde(skip)]
    title: String,
    domain: Option<String>,
    channel: Option<String>,
    outcome: Outcome,
    /// A sentence about it.
    text: String,
    /// Messages that go with it, if that is known.
    unread: Option<u64>,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    segments: Vec<Cleaned>,
    /// How many were removed, or would be.
    removed: usize,
    bytes_freed: u64,
    unread_lost: u64,
}

/// Removes the segments of this user that no process has open, and says so of each.
///
/// # Errors
///
/// A removal fails, or the one channel that was named cannot be removed.
pub fn command(options: &Options) -> Result<()> {
    let Options { domain, channel, place, .. } = options;
    let (domain, channel) = (domain.as_deref(), channel.as_deref());
    domain.map_or(Ok(()), SegmentName::check_domain)?;
    if let (Some(domain), Some(channel)) = (domain, channel) {
        SegmentName::of_any(domain, channel)?;
    }
    let mut found = place.find(domain, channel)?;
    if channel.is_some() && found.iter().any(|survey| words::other_user(survey).is_none()) {
        // Others' channels of that name were not meant.
        found.retain(|survey| words::other_user(survey).is_none());
    }
    let segments: Vec<Cleaned> = found.iter().map(|survey| clean(options, survey)).collect();
    let gone = segments.iter().filter(|cleaned| cleaned.is_gone());
    let report = Report {
        dry_run: options.dry_run,
        removed: gone.clone().count(),
        bytes_freed: gone.clone().map(|cleaned| cleaned.bytes).sum(),
        unread_lost: gone.filter_map(|cleaned| cleaned.unread).sum(),
        segments,
    };
    let judged = report.judge(channel.is_some());
    if place.json {
        json::print(&report)?;
    } else if report.segments.is_empty() {
        println!("nothing to clean: no channels{}", place.describe(domain, channel));
    } else if channel.is_none() || judged.is_ok() {
        print!("{}", report.text());
    }
    judged
}

fn clean(options: &Options, survey: &Survey) -> Cleaned {
    let (outcome, text) = match refusal(survey) {
        Some(refused) => refused,
        None if options.dry_run => foresee(options, survey),
        None => return remove(options, survey),
    };
    Cleaned::new(survey, outcome, text)
}

/// Why a segment is none that could be removed here.
fn refusal(survey: &Survey) -> Option<(Outcome, String)> {
    if let Some(user) = words::other_user(survey) {
        return Some((Outcome::OtherUser, format!("belongs to user {user}, who can remove it")));
    }
    survey.troubles.iter().find_map(|trouble| {
        let outcome = match trouble {
            SegmentError::Invalid { fault: Fault::NotASegment(_), .. } => Outcome::NotASegment,
            SegmentError::Invalid { .. } => return None,
            _ => Outcome::Failed,
        };
        Some((outcome, words::trouble(survey, trouble)))
    })
}

/// What removing it would come to.
fn foresee(options: &Options, survey: &Survey) -> (Outcome, String) {
    let retired = survey.header.is_some_and(|header| header.state == HeaderState::Retired);
    if survey.usage != Usage::Unused {
        (Outcome::InUse, in_use(survey))
    } else if retired {
        (Outcome::WouldRemove, "would finish its removal".to_owned())
    } else {
        let verdict = verdict(options, survey);
        verdict
            .unwrap_or_else(|| (Outcome::WouldRemove, format!("would be removed{}", with(survey))))
    }
}

/// Why a segment that nobody has open is kept nevertheless.
fn verdict(options: &Options, survey: &Survey) -> Option<(Outcome, String)> {
    // Endpoints are never held without the segment; if one is, somebody relies on it.
    if survey.attached().next().is_some() {
        return Some((Outcome::InUse, in_use(survey)));
    }
    match survey.unread_messages() {
        _ if !options.keep_unread => None,
        Some(0) => None,
        Some(unread) => Some((Outcome::Unread, format!("kept: {unread} unread messages"))),
        None => Some((Outcome::Unread, "kept: its unread messages cannot be counted".to_owned())),
    }
}

fn in_use(survey: &Survey) -> String {
    format!("kept: in use by {}", survey.holders())
}

/// ", and 3 unread messages with it".
fn with(survey: &Survey) -> String {
    match survey.unread_messages() {
        Some(0) => String::new(),
        Some(unread) => format!(", with {unread} unread messages"),
        None => format!(" ({})", words::peculiarities(survey).join(", ")),
    }
}

/// Removes it by the protocol of all who open and remove: whoever opens it in between has it.
fn remove(options: &Options, survey: &Survey) -> Cleaned {
    // Refused otherwise.
    let Some((_, name)) = &survey.name else {
        return Cleaned::new(survey, Outcome::NotASegment, "not called as segments are".to_owned());
    };
    let retired = (Outcome::Removed, "its removal was finished".to_owned());
    let mut cleaned = Cleaned::new(survey, retired.0, retired.1);
    let removal = Segment::remove_if(&options.place.directory(), name, |survey| {
        // What is true now that nobody can open it.
        let verdict = verdict(options, survey);
        let go = verdict.is_none();
        let (outcome, text) =
            verdict.unwrap_or_else(|| (Outcome::Removed, format!("removed{}", with(survey))));
        cleaned = Cleaned::new(survey, outcome, text);
        go
    });
    match removal {
        Ok(Removal::Removed | Removal::Kept) => cleaned,
        Ok(Removal::Absent) => {
            Cleaned::new(survey, Outcome::Gone, "removed meanwhile by another process".to_owned())
        }
        Ok(Removal::InUse) => Cleaned::new(survey, Outcome::InUse, in_use(survey)),
        Err(SegmentError::InUse { holders, .. }) => {
            Cleaned::new(survey, Outcome::InUse, format!("kept: in use by {holders}"))
        }
        Err(error) => {
            let text = format!("failed: {}", words::trouble(survey, &error));
            Cleaned::new(survey, Outcome::Failed, text)
        }
    }
}

impl Cleaned {
    fn new(survey: &Survey, outcome: Outcome, text: String) -> Self {
        let name = survey.name.as_ref().map(|(_, name)| name);
        Self {
            domain: name.map(|name| name.domain().to_owned()),
            channel: name.map(|name| name.channel().to_owned()),
            path: survey.path.display().to_string(),
            title: title(survey),
            outcome,
            text,
            unread: survey.unread_messages(),
            bytes: survey.allocated,
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.outcome, Outcome::Removed | Outcome::WouldRemove)
    }
}

impl Report {
    /// A line for each, and the sum.
    fn text(&self) -> String {
        let width = self.segments.iter().map(|cleaned| cleaned.title.len()).max().unwrap_or(0);
        let line = |cleaned: &Cleaned| format!("{:<width$}  {}\n", cleaned.title, cleaned.text);
        let lines: String = self.segments.iter().map(line).collect();
        let removed = if self.dry_run { "would be removed" } else { "removed" };
        let kept = self.segments.len() - self.removed;
        let Self { removed: number, bytes_freed: bytes, unread_lost: lost, .. } = self;
        let unread = if *lost == 0 { String::new() } else { format!(", {lost} unread messages") };
        format!("{lines}{number} {removed}: {bytes} bytes{unread}; {kept} left\n")
    }

    /// Whether what was asked for was done.
    fn judge(&self, named: bool) -> Result<()> {
        for cleaned in &self.segments {
            match cleaned.outcome {
                Outcome::Failed => bail!("{}: {}", cleaned.path, cleaned.text),
                Outcome::InUse | Outcome::NotASegment | Outcome::OtherUser if named => {
                    bail!("{}: {}", cleaned.path, cleaned.text)
                }
                _ => {}
            }
        }
        Ok(())
    }
}
