//! `strait inspect`: everything about one segment, or what is wrong with it.

use super::json::{self, Segment};
use super::{Place, words};
use anyhow::{Error, Result, bail};
use std::fmt::{Display, Write};
use std::path::PathBuf;
use strait_ipc::endpoint::{Condition, Role, time};
use strait_ipc::message::tree::parse;
use strait_ipc::message::{Fingerprint, type_name};
use strait_ipc::ring::directory::layout::EntryHead;
use strait_ipc::ring::geometry::{CellFormat, Discipline};
use strait_ipc::segment::layout::LAYOUT_VERSION;
use strait_ipc::segment::survey::{
    ChannelSurvey, Flow, HeaderState, HeaderSurvey, OfferSurvey, Parts, Side, Usage, Values,
};
use strait_ipc::segment::{Directory, SegmentError, SegmentName, Survey};

/// Which segment to inspect, and how to tell.
#[derive(Clone, Debug, clap::Args)]
#[command(override_usage = "strait inspect [OPTIONS] <DOMAIN> <CHANNEL>\n       \
                            strait inspect [OPTIONS] --file <PATH>")]
pub struct Options {
    /// The channel's domain
    #[arg(required_unless_present = "file", requires = "channel")]
    domain: Option<String>,
    /// The channel
    channel: Option<String>,
    /// A file, whatever it is called and whoever made it
    #[arg(long, value_name = "PATH", conflicts_with_all = ["domain", "channel", "directory"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Prints everything about one segment.
///
/// # Errors
///
/// There is none of that name.
pub fn command(options: &Options) -> Result<()> {
    let path = match (&options.file, &options.domain, &options.channel) {
        (Some(file), ..) => file.clone(),
        (None, Some(domain), Some(channel)) => {
            SegmentName::of_any(domain, channel)?.path(&options.place.directory())
        }
        _ => bail!("name a domain and a channel, or a file"),
    };
    let survey = Survey::of_path(&path).map_err(Error::msg)?;
    let survey = survey.ok_or(SegmentError::Missing { path })?;
    if options.place.json {
        return json::print(&Segment::from(&survey));
    }
    print!("{}", page(&survey));
    Ok(())
}

/// Names and what they stand for, beneath titles.
#[derive(Default)]
struct Page(String);

impl Page {
    fn section(&mut self, title: impl Display) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        // A string takes all text.
        let _ = writeln!(self.0, "{gap}{title}");
    }

    fn line(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "  {name:<12}{value}");
    }
}

fn page(survey: &Survey) -> String {
    let mut page = Page::default();
    page.section("segment");
    page.line("file", survey.path.display());
    if let Some((user, name)) = &survey.name {
        page.line("domain", name.domain());
        page.line("channel", name.channel());
        page.line("user", user);
    }
    page.line("owner", survey.owner);
    page.line("size", format!("{} bytes, {} allocated", survey.bytes, survey.allocated));
    page.line("usage", words::usage(survey.usage));
    if let Some(header) = &survey.header {
        describe_header(&mut page, header);
    }
    for channel in &survey.channels {
        describe_channel(&mut page, channel);
    }
    page.section("verdict");
    for sentence in verdict(survey) {
        let _ = writeln!(page.0, "  {sentence}");
    }
    page.0
}

fn describe_header(page: &mut Page, header: &HeaderSurvey) {
    let HeaderSurvey { layout_version, birth, state, channel_count, .. } = header;
    let known = if *layout_version == LAYOUT_VERSION {
        String::new()
    } else {
        format!(", read as version {LAYOUT_VERSION} would")
    };
    page.line("layout", format!("version {layout_version}{known}"));
    page.line("state", words::state(*state));
    let (made, pid, user) = (time::utc(birth.unix_ns), birth.pid, birth.uid);
    page.line("created", format!("{made}, by pid {pid} of user {user}"));
    page.line("instance", format!("{:032x}", birth.instance));
    page.line("channels", channel_count);
}

fn describe_channel(page: &mut Page, channel: &ChannelSurvey) {
    let (geometry, cell) = (channel.geometry, channel.geometry.cell());
    page.section(format!("channel {}", words::printable(&channel.label)));
    page.line("discipline", words::discipline(channel.geometry.discipline()));
    page.line("type", words::printable(type_name(&channel.schema)));
    page.line("fingerprint", Fingerprint::from_bits(channel.fingerprint));
    for (index, line) in schema(&channel.schema).lines().enumerate() {
        page.line(if index == 0 { "schema" } else { "" }, line);
    }

    if let Some(offers) = &channel.offers {
        return describe_directory(page, channel, offers);
    }
    page.section("ring");
    let unit = if geometry.discipline() == Discipline::Latest { "keys" } else { "messages" };
    page.line("capacity", format!("{} {unit}", geometry.capacity()));
    let kind = if cell == CellFormat::Dense { ", dense" } else { "" };
    let (stride, room) = (cell.stride(), cell.body_bytes());
    page.line("cells", format!("{stride} bytes{kind}, {room} of them for the message"));
    page.line("sides", if geometry.parking() { "may sleep" } else { "never sleep" });
    match &channel.flow {
        None => page.line("contents", "not looked at"),
        Some(flow) => describe_flow(page, channel, flow),
    }

    for (title, role) in [("sender", Role::Producer), ("receiver", Role::Consumer)] {
        describe_sides(page, channel, title, role);
    }
}

fn describe_flow(page: &mut Page, channel: &ChannelSurvey, flow: &Flow) {
    let unread = flow.unread.map_or_else(|_| "?".to_owned(), |unread| unread.to_string());
    if let Parts::Values(Values { looked_at, set, versions }) = &flow.parts {
        let known = if *looked_at < channel.geometry.capacity() {
            format!("{set} of the first {looked_at}")
        } else {
            set.to_string()
        };
        page.line("values", known);
        page.line("sets", flow.sent);
        page.line("senders", format!("{} so far", flow.producers));
        let had = versions.iter().enumerate().filter(|(_, version)| **version > 0);
        for (key, version) in had {
            page.line(&format!("key {key}"), format!("version {version}"));
        }
        return;
    }
    page.line("sent", flow.sent);
    page.line("unread", unread);
    page.line("consumed", flow.consumed);
    if let Parts::InHand(in_hand) = flow.parts {
        page.line("in hand", in_hand);
    }
    page.line("dropped", flow.dropped);
    page.line("senders", format!("{} so far", flow.producers));
    page.line("receivers", format!("{} so far", flow.consumers));
}

/// What has gone through the part of the ring that belongs to one side.
fn describe_part(page: &mut Page, channel: &ChannelSurvey, role: Role, index: usize) {
    match role {
        Role::Producer => {
            let Some(lane) = channel.lane(index) else { return };
            page.line("sent", lane.sent);
            page.line("unread", lane.unread.map_or_else(|_| "?".to_owned(), |n| n.to_string()));
            page.line("dropped", lane.dropped);
        }
        Role::Consumer => {
            let Some(reader) = channel.reader(index) else { return };
            let gates = if reader.waited_for { ", and the sender waits for it" } else { "" };
            let most = reader.most_behind;
            page.line("behind", format!("{}{gates}; {most} at most so far", reader.behind));
            page.line("waits", format!("{} by the sender for receivers here", reader.waits));
            page.line("lost", format!("{} by receivers here", reader.lost));
        }
    }
}

/// What is offered, and by whom.
fn describe_directory(page: &mut Page, channel: &ChannelSurvey, offers: &[OfferSurvey]) {
    let geometry = channel.geometry;
    let (stride, head) = (geometry.stride(), size_of::<EntryHead>());
    page.section("directory");
    page.line("entries", format!("{}, {} of them taken", geometry.capacity(), offers.len()));
    page.line(
        "size",
        format!("{stride} bytes each, {} of them for what is offered", stride - head),
    );
    describe_sides(page, channel, "member", Role::Producer);
    for offer in offers {
        page.section(format!("offer {}", offer.id));
        page.line("interface", &offer.interface);
        if !offer.name.is_empty() {
            page.line("name", &offer.name);
        }
        page.line("address", &offer.address);
        page.line("ranking", offer.ranking);
        page.line("properties", format!("{} bytes", offer.property_bytes));
        let holder =
            offer.member.and_then(|member| channel.sides.get(member)).map(|side| &side.holder);
        if let Some(holder) = holder {
            page.line("process", format!("{} {}", holder.pid, holder.program));
        }
        page.line("condition", words::condition(offer.condition));
    }
}

/// Of several possible sides, those that somebody has or had.
fn describe_sides(page: &mut Page, channel: &ChannelSurvey, title: &str, role: Role) {
    let (writers, readers) = channel.geometry.discipline().sides();
    let possible = if role == Role::Producer { writers } else { readers };
    if possible == 0 {
        return;
    }
    if possible == 1 {
        page.section(title);
        match channel.sides(role).next() {
            None => page.line("condition", "?"),
            Some(side) => {
                describe_side(page, side);
                describe_part(page, channel, role, 0);
            }
        }
        return;
    }
    let known = |(_, side): &(usize, &Side)| side.condition != Condition::Absent;
    page.section(format!("{title}s, {possible} at most"));
    page.line("taken", channel.sides(role).enumerate().filter(known).count());
    for (index, side) in channel.sides(role).enumerate().filter(known) {
        page.section(format!("{title} {index}"));
        describe_side(page, side);
        describe_part(page, channel, role, index);
    }
}

fn describe_side(page: &mut Page, side: &Side) {
    page.line("condition", words::condition(side.condition));
    if side.condition == Condition::Absent {
        return;
    }
    let holder = &side.holder;
    page.line("process", format!("{} {}", holder.pid, holder.program));
    page.line("since", time::utc(holder.since_unix_ns));
    match (side.condition, holder.ended_unix_ns) {
        (Condition::Closed, Some(ended)) => page.line("closed", time::utc(ended)),
        (_, Some(ended)) => page.line("noticed", time::utc(ended)),
        (Condition::Died, None) => page.line("noticed", "by nobody yet"),
        (_, None) => {}
    }
    page.line("epoch", holder.epoch);
}

/// What is wrong, and what to do; or that nothing is.
fn verdict(survey: &Survey) -> Vec<String> {
    let clean = match &survey.name {
        Some((_, name)) => {
            let usual = Directory::default();
            let elsewhere = survey.path.parent().filter(|&parent| parent != usual.path());
            let place = elsewhere.map_or_else(String::new, |directory| {
                format!(" --directory {}", directory.display())
            });
            format!("`strait clean {} {}{place}`", name.domain(), name.channel())
        }
        None => "removing the file".to_owned(),
    };
    let mut said: Vec<String> =
        survey.troubles.iter().map(|trouble| words::trouble(survey, trouble)).collect();
    said.extend(survey.channels.iter().filter_map(words::contradiction));
    let retired = survey.header.is_some_and(|header| header.state == HeaderState::Retired);
    if retired {
        said.push(format!("its removal was begun: the next to open it, or {clean}, finishes that"));
    }
    let holes = words::holes(survey);
    if holes > 0 {
        said.push(format!(
            "{holes} bytes have no memory behind them: the next to open it fills them"
        ));
    }
    for channel in &survey.channels {
        match &channel.offers {
            Some(offers) => said.extend(about_offers(offers)),
            None => said.extend(channel.sides.iter().filter_map(about_side)),
        }
        if channel.depth() == Some(channel.geometry.capacity()) {
            said.push(words::full(channel));
        }
    }
    match survey.usage {
        Usage::Removing => said.push(format!(
            "a process is removing it: if that lasts, look for a paused one (`fuser {}`)",
            survey.path.display()
        )),
        Usage::Unused
            if survey.header.is_some() && !retired && words::other_user(survey).is_none() =>
        {
            said.push(match survey.unread_messages() {
                Some(0) => format!("no process has it open: {clean} removes it"),
                Some(unread) => format!(
                    "no process has it open: {unread} messages wait for a receiver, and {clean} \
                     removes it with them"
                ),
                None => format!("no process has it open: {clean} removes it, whatever is in it"),
            });
        }
        _ => {}
    }
    if said.is_empty() {
        said.push("in order".to_owned());
    }
    said
}

fn about_offers(offers: &[OfferSurvey]) -> Option<String> {
    let dead = offers.iter().filter(|offer| offer.condition == Condition::Died).count();
    let theirs =
        "the next to ask after one of them, or to offer something in their place, withdraws them";
    (dead > 0).then(|| format!("{dead} offers are those of dead processes: {theirs}"))
}

fn about_side(side: &Side) -> Option<String> {
    let name = if side.role == Role::Producer { "sender" } else { "receiver" };
    match side.condition {
        Condition::Died => Some(format!(
            "the {name} ended without closing: the next {name} goes on where it stopped"
        )),
        Condition::Paused => Some(format!(
            "the {name} is paused and keeps its side: `kill -CONT {}` lets it go on",
            side.holder.pid
        )),
        _ => None,
    }
}

/// A schema text with a line for each field; as it is, if it is in its users' own words.
fn schema(text: &str) -> String {
    if parse(text).is_err() {
        return words::printable(text);
    }
    let mut lines = String::new();
    // The brackets that are open; texts that can be read do not nest deeply.
    let mut open = Vec::new();
    for c in text.chars() {
        let in_fields = matches!(open.last(), Some('{' | '<'));
        if matches!(c, '}' | '>' | ']' | ')') {
            open.pop();
        }
        if matches!(c, '}' | '>') {
            new_line(&mut lines, &open);
        }
        lines.push(c);
        if matches!(c, '{' | '<' | '[' | '(') {
            open.push(c);
        }
        if matches!(c, '{' | '<') || in_fields && matches!(c, ',' | '|') {
            new_line(&mut lines, &open);
        }
    }
    lines
}

fn new_line(lines: &mut String, open: &[char]) {
    lines.push('\n');
    lines.extend(open.iter().filter(|c| matches!(c, '{' | '<')).map(|_| "  "));
}

#[cfg(test)]
mod tests {
    use super::schema;

    #[test]
    fn a_schema_has_a_line_for_each_field() {
        let text = "Order{id:u64@0,legs:[Leg{at:(u8,u16)@0,side:Side<Buy=0|Sell=1{n:u8}>#1/1@4}#8/4]@8}#24/8";
        insta::assert_snapshot!(schema(text), @r"
        Order{
          id:u64@0,
          legs:[Leg{
            at:(u8,u16)@0,
            side:Side<
              Buy=0|
              Sell=1{
                n:u8
              }
            >#1/1@4
          }#8/4]@8
        }#24/8
        ");
    }

    #[test]
    fn users_own_words_stay_as_they_are() {
        assert_eq!(schema("frames, {jpeg\u{1b}[2J}"), "frames, {jpeg?[2J}");
        assert_eq!(schema(""), "");
    }
}
