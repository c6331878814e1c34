//! `strait-torture`: the supervisor, and all the processes that it starts.
//!
//! | module | what lives there |
//! |---|---|
//! | `options` | the supervisor's command line |
//! | `driver` | runs rounds until there were enough kills, and reports |
//! | `stage` | one channel, its actors, and what is done to them |
//! | `cast` | the actors as the supervisor sees them: processes, and what they tell |
//! | `place` | the directory of a round |
//! | `page` | a page shared by the supervisor and an actor |
//! | `locks`, `clock` | looking at locks, and at the time |
//! | `actor` | the child processes |
//! | `several` | the same for channels of several senders or receivers |
//!
//! The supervisor maps no segment and judges by nothing of Strait's: journals from pipes, the kernel's
//! locks, directory listings, and how processes ended.

mod actor;
mod cast;
mod clock;
mod driver;
mod locks;
mod options;
mod page;
mod place;
mod several;
mod stage;

use clap::Parser;
use options::{Of, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let lived = match words.split_first() {
        Some((first, rest)) if first == "actor" => actor::run(rest),
        Some((first, rest)) if first == "host" => actor::host(rest),
        Some((first, rest)) if first == "idle" => actor::idle(rest),
        Some((first, rest)) if first == "several" => several::actor::run(rest),
        _ => {
            let options = Options::parse();
            let passed = match options.of {
                Of::Pairs => driver::run(&options),
                Of::Broadcast | Of::Latest | Of::Lanes | Of::Mpmc | Of::Directory | Of::Calls => {
                    several::run(&options)
                }
            };
            return match passed {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("error: {error:#}");
                    ExitCode::FAILURE
                }
            };
        }
    };
    match lived {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("torture: {}: {error:#}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}
