//! Marks that do something: a process that kills itself, stops itself or dawdles at a chosen step.
//!
//! With the feature `fail-points`, tests arm marks in the process under test, by `arm` or from a line of
//! text (`producer-written:17:kill`, see [`FailPoint`]), and may have it note in shared memory which
//! mark it passed last (`watch`): whoever kills it from outside can then tell in which step it died.
//!
//! Without the feature there is only the vocabulary here, and a mark is no code at all.

#[cfg(all(feature = "fail-points", not(loom)))]
mod armed;
#[cfg(all(feature = "fail-points", not(loom)))]
pub use armed::{arm, pass, passes, watch};

use super::Mark;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a process does at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Kills itself with SIGKILL.
    Kill,
    /// Stops itself with SIGSTOP, until somebody sends SIGCONT.
    Pause,
    /// Spins for this long, at this pass and at every later one.
    Delay(Duration),
}

/// A mark, which pass of it, and what to do there: `<mark>:<pass>:kill`, `…:pause` or
/// `…:delay=<microseconds>`. Passes count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailPoint {
    /// Where.
    pub mark: Mark,
    /// At which pass, counted from 1.
    pub pass: u64,
    /// What.
    pub action: Action,
}

/// A text that is no [`FailPoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAFailPoint(String);

impl fmt::Display for NotAFailPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = "<mark>:<pass from 1>:<kill | pause | delay=microseconds>";
        write!(f, "`{}` is no fail point: write {expected}", self.0)
    }
}

impl std::error::Error for NotAFailPoint {}

impl FromStr for FailPoint {
    type Err = NotAFailPoint;

    fn from_str(text: &str) -> Result<Self, NotAFailPoint> {
        let parse = || {
            let mut parts = text.split(':');
            let mark = Mark::from_name(parts.next()?)?;
            let pass = parts.next()?.parse().ok().filter(|&pass| pass > 0)?;
            let action = match parts.next()? {
                "kill" => Action::Kill,
                "pause" => Action::Pause,
                delay => {
                    let microseconds = delay.strip_prefix("delay=")?.parse().ok()?;
                    Action::Delay(Duration::from_micros(microseconds))
                }
            };
            parts.next().is_none().then_some(Self { mark, pass, action })
        };
        parse().ok_or_else(|| NotAFailPoint(text.to_owned()))
    }
}

impl fmt::Display for FailPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.mark.name(), self.pass)?;
        match self.action {
            Action::Kill => f.write_str("kill"),
            Action::Pause => f.write_str("pause"),
            Action::Delay(time) => write!(f, "delay={}", time.as_micros()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lead_back() {
        for text in ["producer-written:17:kill", "burial-dated:1:pause", "consumer-told:3:delay=50"]
        {
            assert_eq!(text.parse::<FailPoint>().unwrap().to_string(), text);
        }
        for text in ["", "producer-written", "producer-written:0:kill", "nowhere:1:kill"] {
            assert!(text.parse::<FailPoint>().is_err(), "{text}");
        }
        let wrong = "consumer-told:1:explode".parse::<FailPoint>().unwrap_err();
        assert!(wrong.to_string().starts_with("`consumer-told:1:explode` is no fail point"));
    }
}
