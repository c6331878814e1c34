//! `strait list`: one row per channel.

use super::json::{self, Segment};
use super::{Place, words};
use anyhow::Result;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;
use std::ops::Range;
use strait_ipc::endpoint::{Condition, Holder, Role};
use strait_ipc::message::type_name;
use strait_ipc::segment::survey::{ChannelSurvey, Side};
use strait_ipc::segment::{SegmentError, SegmentName, Survey};

/// Which channels to list, and how to tell.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Only channels of this domain
    domain: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
struct Listing {
    directory: String,
    segments: Vec<Segment>,
}

/// Prints a row for every channel in the directory, whoever made it.
///
/// # Errors
///
/// The domain is not the name of one, or the directory cannot be listed.
pub fn command(options: &Options) -> Result<()> {
    let Options { domain, place } = options;
    let domain = domain.as_deref();
    domain.map_or(Ok(()), SegmentName::check_domain)?;
    let found = place.find(domain, None)?;
    if place.json {
        let directory = place.directory.display().to_string();
        return json::print(&Listing {
            directory,
            segments: found.iter().map(Segment::from).collect(),
        });
    }
    if found.is_empty() {
        println!("no channels{}", place.describe(domain, None));
        return Ok(());
    }
    println!("{}", table(&found));
    for survey in &found {
        for line in explanations(survey) {
            println!("{}: {line}", title(survey));
        }
    }
    Ok(())
}

/// Columns of the table, which wraps longer texts.
const WIDTH: u16 = 120;

/// Cells have two lines.
const COLUMNS: [&str; 9] = [
    "domain",
    "channel",
    "type\nkind",
    "cells\nsize",
    "unread",
    "drops",
    "sender",
    "receiver",
    "note",
];

/// Those that hold numbers.
const NUMBERS: Range<usize> = 3..6;

/// Those that are never wrapped: their texts are short.
const WHOLE: Range<usize> = 3..8;

/// Characters of a program's name that are shown, as many as the kernel keeps of it.
const PROGRAM_CHARS: usize = 15;

fn table(found: &[Survey]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(COLUMNS);
    for (index, column) in table.column_iter_mut().enumerate() {
        if NUMBERS.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if WHOLE.contains(&index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    for survey in found {
        if survey.channels.is_empty() {
            table.add_row(row(survey, None));
        }
        for channel in &survey.channels {
            table.add_row(row(survey, Some(channel)));
        }
    }
    table
}

fn row(survey: &Survey, channel: Option<&ChannelSurvey>) -> [String; COLUMNS.len()] {
    let name = survey.name.as_ref().map(|(_, name)| name);
    let cell = |text: &dyn Fn(&ChannelSurvey) -> String| channel.map_or_else(String::new, text);
    // A directory has none.
    let messages = |text: &dyn Fn(&ChannelSurvey) -> String| {
        channel.filter(|channel| channel.offers.is_none()).map_or_else(String::new, text)
    };
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    // A segment of several channels has labels of its own.
    let called = name.map_or("", SegmentName::channel);
    let label = channel.map_or(called, |channel| &channel.label);
    let label = if label == called { label.to_owned() } else { format!("{called} {label}") };
    [
        name.map_or_else(String::new, |name| name.domain().to_owned()),
        words::printable(&label),
        cell(&|channel| {
            let kind = words::discipline(channel.geometry.discipline());
            format!("{}\n{kind}", words::printable(type_name(&channel.schema)))
        }),
        channel.map_or_else(String::new, cells) + &format!("{} KiB", survey.bytes.div_ceil(1024)),
        messages(&|channel| number(channel.unread())),
        messages(&|channel| number(channel.flow.as_ref().map(|flow| flow.dropped))),
        cell(&|channel| side(channel, Role::Producer)),
        messages(&|channel| side(channel, Role::Consumer)),
        words::note(survey),
    ]
}

/// "1024 × 64 B", and a line's end.
fn cells(channel: &ChannelSurvey) -> String {
    let geometry = channel.geometry;
    format!("{} × {} B\n", geometry.capacity(), geometry.cell().stride())
}

fn side(channel: &ChannelSurvey, role: Role) -> String {
    // Of several, one that is there.
    let attached = |side: &&Side| side.condition.lives();
    let one = channel.sides(role).find(attached).or_else(|| channel.sides(role).next());
    let Some(side) = one else { return "?".to_owned() };
    let others = channel.sides(role).filter(attached).count().saturating_sub(1);
    let others = if others == 0 { String::new() } else { format!(" +{others}") };
    let condition = words::condition(side.condition);
    match side.condition {
        Condition::Absent => condition.to_owned(),
        _ => {
            let Holder { pid, program, .. } = &side.holder;
            let program: String = program.chars().take(PROGRAM_CHARS).collect();
            format!("{pid} {condition}\n{program}{others}")
        }
    }
}

/// What the notes leave out.
fn explanations(survey: &Survey) -> impl Iterator<Item = String> {
    // Whose it is the note tells, and to its owner nothing is wrong with that.
    let troubles = survey.troubles.iter().filter(|t| !matches!(t, SegmentError::Foreign { .. }));
    let troubles = troubles.map(|trouble| words::trouble(survey, trouble));
    troubles.chain(survey.channels.iter().filter_map(words::contradiction))
}

/// "prod+orders": what a segment is called in a line of its own.
pub(super) fn title(survey: &Survey) -> String {
    match &survey.name {
        Some((_, name)) => name.to_string(),
        None => survey.path.display().to_string(),
    }
}
