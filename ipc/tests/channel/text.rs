//! Error texts without what differs from run to run.

use super::Place;
use std::fmt::Display;

/// The text of the error that `result` must be.
#[track_caller]
pub fn text<T, E: Display>(result: Result<T, E>, place: &Place) -> String {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(error) => redact(&error.to_string(), place),
    }
}

/// Replaces the directory, the user, and who held a side since when.
pub fn redact(text: &str, place: &Place) -> String {
    let text = place.redact(text);
    let Some((before, holder)) = text.split_once("pid ") else { return text };
    let Some((_, after)) = holder.split_once(" UTC") else { return text };
    // "… at 09:12:31 UTC": when it closed, or was noticed to be dead.
    let after = match after.strip_suffix(" UTC").and_then(|text| text.rsplit_once(" at ")) {
        Some((end, _)) => format!("{end} at [time]"),
        None => after.to_owned(),
    };
    format!("{before}pid [pid] [program], since [time]{after}")
}
