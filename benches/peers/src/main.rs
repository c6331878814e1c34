//! Strait beside others of its kind, in one run on one pair of cores: `cargo run --release -p strait-peers`.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | the command line |
//! | [`case`] | what is measured: a way to use a channel, and a size of messages |
//! | [`peer`] | who is measured, and in which cases |
//! | [`sides`] | the ends of each: used as its own documentation says |
//! | [`contestant`] | both sides of a peer, and the process that has the other one |
//! | [`rounds`] | rounds of everything in turn, with probes of the placement around each |
//! | [`crowd`] | several senders and receivers, as threads |
//! | [`outcome`] | figures, and ratios within rounds, by placement |
//! | [`page`] | the same for people, in Markdown |
//! | [`chart`] | the same to look at |

mod case;
mod chart;
mod contestant;
mod crowd;
mod outcome;
mod page;
mod peer;
mod rounds;
mod sides;

use anyhow::{Context, Result, ensure};
use case::Case;
use clap::Parser;
use outcome::Outcome;
use peer::Peer;
use rounds::{GAP, Plan};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use strait_tools::bench::clock::Clock;
use strait_tools::bench::options::pair_of_cores;

/// Measures Strait beside other ways to send messages within a host.
///
/// Every peer is used as its own documentation says, between two pinned processes where it can be, else
/// between two pinned threads. Payloads are written, read and checked. Markdown goes to standard output,
/// and with plots and every figure to `target/reports/peers/`.
#[derive(Debug, Parser)]
#[command(name = "strait-peers", version, after_help = EXAMPLES)]
struct Cli {
    /// Fewer and shorter rounds: less than a minute in place of some six
    #[arg(long)]
    quick: bool,
    /// Only these peers and Strait: names as `--list` prints them
    #[arg(long, value_name = "PEER,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Only these cases: as `--list` prints them, or the beginnings of such
    #[arg(long, value_name = "CASE,…", value_delimiter = ',')]
    cases: Vec<String>,
    /// Print one JSON object in place of Markdown
    #[arg(long)]
    json: bool,
    /// Rounds of each case
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Milliseconds for each thing measured in a round
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    round_ms: Option<u64>,
    /// The two cores, as A,B: A times, B answers. By default the first two this process may use
    #[arg(long, value_name = "A,B", value_parser = strait_tools::bench::options::parse_cores)]
    cores: Option<(usize, usize)>,
    /// Where to write
    #[arg(long, value_name = "DIR", default_value = "target/reports/peers")]
    report: PathBuf,
    /// Say who and what there is, and what the optional peers need
    #[arg(long)]
    list: bool,
    /// The second process of a benchmark
    #[arg(long, hide = true)]
    partner: bool,
}

const EXAMPLES: &str = "Examples:
  strait-peers --quick
  strait-peers --only iceoryx2,rtrb --cases round-trip
  strait-peers --cases stream/64,calls --json";

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    if cli.partner {
        return contestant::answer();
    }
    if cli.list {
        return say(&page::list());
    }
    let chosen = chosen(&cli.only)?;
    let cases = cases(&cli.cases)?;
    let plan = plan(cli)?;
    let began = Instant::now();
    let mut measured = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        eprintln!("{}/{} {case}", index + 1, cases.len());
        let peers: Vec<Peer> = case.peers().filter(|peer| chosen.contains(peer)).collect();
        // Ours alone stands beside nobody.
        if peers.iter().any(|&peer| !peer.is_ours()) {
            measured.push((*case, rounds::run(*case, &peers, plan)?));
        }
    }
    let outcome = Outcome::new(plan, &chosen, measured, began.elapsed().as_secs_f64())?;
    let written = write(cli, &outcome)?;
    say(&if cli.json { serde_json::to_string(&outcome)? } else { page::page(&outcome) })?;
    eprintln!("wrote {} files to {}", written, cli.report.display());
    Ok(())
}

fn plan(cli: &Cli) -> Result<Plan> {
    let (rounds, ms) = if cli.quick { (5, 30) } else { (15, 100) };
    Ok(Plan {
        quick: cli.quick,
        cores: pair_of_cores(cli.cores, false)?,
        rounds: cli.rounds.unwrap_or(rounds).max(1),
        share: Duration::from_millis(cli.round_ms.unwrap_or(ms)),
        clock: Clock::calibrate(GAP),
    })
}

/// The peers named, and ours; all of them if none is.
fn chosen(names: &[String]) -> Result<Vec<Peer>> {
    for name in names {
        let known = Peer::all().any(|peer| peer.name() == name);
        ensure!(known, "no peer `{name}`: `--list` prints the names");
    }
    let wanted = |peer: &Peer| {
        names.is_empty() || peer.is_ours() || names.iter().any(|name| name == peer.name())
    };
    Ok(Peer::all().filter(wanted).collect())
}

fn cases(prefixes: &[String]) -> Result<Vec<Case>> {
    for prefix in prefixes {
        let known = Case::all().any(|case| case.name().starts_with(prefix.as_str()));
        ensure!(known, "no case begins with `{prefix}`: `--list` prints them");
    }
    let wanted = |case: &Case| {
        let name = case.name();
        prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    Ok(Case::all().filter(wanted).collect())
}

fn write(cli: &Cli, outcome: &Outcome) -> Result<usize> {
    let folder = &cli.report;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let page = page::page(outcome);
    let json = serde_json::to_string_pretty(outcome)?;
    for (name, text) in [("peers.md", page), ("peers.json", json)] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(2 + chart::write_all(folder, outcome)?)
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_there_is_said() {
        let error = chosen(&["nobody".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`nobody`"), "{error}");
        assert!(cases(&["round-trip/9".to_owned()]).is_err());
        assert_eq!(cases(&["round-trip/64".to_owned()]).unwrap().len(), 1);
    }
}
