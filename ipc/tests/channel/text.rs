//! Error texts without what differs from run to run.

use super::Place;
use std::fmt::{Debug, Display};

/// The text of the error that `result` must be.
#[track_caller]
pub fn text<T: Debug, E: Display>(result: Result<T, E>, place: &Place) -> String {
    redact(&result.map(drop).unwrap_err_or_panic(), place)
}

trait UnwrapErr {
    fn unwrap_err_or_panic(self) -> String;
}

impl<E: Display> UnwrapErr for Result<(), E> {
    #[track_caller]
    fn unwrap_err_or_panic(self) -> String {
        match self {
            Ok(()) => panic!("this should have failed"),
            Err(error) => error.to_string(),
        }
    }
}

/// Replaces the directory, the user, and who held a side since when.
pub fn redact(text: &str, place: &Place) -> String {
    let user = rustix::process::geteuid().as_raw();
    let text = text.replace(&place.path().display().to_string(), "[dir]");
    let text = text.replace(&format!("strait-{user}-"), "strait-[uid]-");
    let Some((before, holder)) = text.split_once("pid ") else { return text };
    let Some((_, after)) = holder.split_once(" UTC") else { return text };
    format!("{before}pid [pid] [program], since [time]{after}")
}
