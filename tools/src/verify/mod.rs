//! `strait verify`: the figures of the performance guide, each with ours beside it.
//!
//! The guide (of another framework, in C++) states what modules, services and transports of one
//! host should cost. Every row of it is here, whether we have anything to set against it or not:
//! verdicts are computed from measurements made on the spot, and what is not built says so.
//!
//! | file | what it holds |
//! |---|---|
//! | `rows.rs` | the guide's rows, as data |
//! | `judge.rs` | from a claim and a measurement to a verdict |
//! | `lab.rs` | measurements that several rows share |
//! | `peer.rs` | the other process |
//! | `small.rs`, `bulk.rs`, `listing.rs` | messages between two processes, and the guide's own way |
//! | `calls.rs`, `callers.rs` | calls of a service: figures, and what callers may rely on |
//! | `codec.rs`, `flat.rs` | message formats |
//! | `blocks.rs` | memory pools, and the guide's own |
//! | `pooled.rs`, `workers.rs`, `caching.rs` | service objects, threads and caches, and the guide's own |
//! | `registry.rs` | services, found and called |
//! | `memory.rs`, `behaviour.rs` | bytes, and what holds or does not |
//! | `system.rs` | the system's settings, as `strait doctor` judges them |
//! | `show.rs` | the table and the JSON object |

mod behaviour;
mod blocks;
mod bulk;
mod caching;
mod callers;
mod calls;
mod codec;
mod flat;
mod judge;
mod lab;
mod listing;
mod memory;
mod peer;
mod pooled;
mod registry;
mod rows;
mod show;
mod small;
mod system;
mod workers;

use crate::environment::environment;
use anyhow::{Result, bail};
use judge::{JudgedRow, Row};
use lab::Lab;
use peer::{Orders, Role};
use rows::ROWS;

/// What to verify, and how to tell.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Rows to verify, such as `B2` or `J`; without any, or with `all`, every row
    ids: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    orders: Orders,
}

/// Measures what there is to measure and prints it beside the guide's figures.
///
/// Figures that fall short are no error; that they cannot be measured is.
///
/// # Errors
///
/// A row is unknown, there are fewer than two processors, or a measurement fails.
pub fn command(options: &Options) -> Result<()> {
    if let Some(role) = options.orders.role {
        return play(role, &options.orders);
    }
    let rows = chosen(&options.ids)?;
    if cfg!(debug_assertions) {
        eprintln!("strait verify: built without optimisation, so the figures mean nothing");
    }
    let mut lab = Lab::default();
    let judged: Vec<JudgedRow> =
        rows.into_iter().map(|row| row.judge(&mut lab)).collect::<Result<_>>()?;
    let environment = environment();
    let show = if options.json { show::json } else { show::text };
    println!("{}", show(&judged, &environment).trim_end());
    Ok(())
}

/// The rows that `ids` name, in the guide's order: by id, by letter, or all of them.
fn chosen(ids: &[String]) -> Result<Vec<&'static Row>> {
    let all = ids.is_empty() || ids.iter().any(|id| id.eq_ignore_ascii_case("all"));
    let names = |id: &str, row: &Row| {
        let letter = id.len() == 1 && row.id[..1].eq_ignore_ascii_case(id);
        letter || row.id.eq_ignore_ascii_case(id)
    };
    if let Some(unknown) = ids.iter().find(|id| !all && !ROWS.iter().any(|row| names(id, row))) {
        bail!("the guide has no row {unknown}: its rows are A1 to Q3, `strait verify` lists them");
    }
    Ok(ROWS.iter().filter(|row| all || ids.iter().any(|id| names(id, row))).collect())
}

/// Being the other process.
fn play(role: Role, orders: &Orders) -> Result<()> {
    peer::settle(orders.core)?;
    match role {
        Role::Echo => small::echo(orders),
        Role::Drain => small::drain(orders),
        Role::Copy | Role::Sum | Role::Listing => bulk::receive(orders, role),
        Role::Serve => calls::serve(orders),
        Role::Idle | Role::IdleWithChannel => memory::idle(orders, role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(asked: &[&str]) -> Result<Vec<&'static str>> {
        let asked: Vec<String> = asked.iter().map(|id| (*id).to_owned()).collect();
        Ok(chosen(&asked)?.into_iter().map(|row| row.id).collect())
    }

    #[test]
    fn rows_are_chosen_by_id_by_letter_or_all() {
        assert_eq!(ids(&["j1", "B2"]).unwrap(), ["B2", "J1"]);
        assert_eq!(ids(&["d"]).unwrap(), ["D1", "D2", "D3"]);
        assert_eq!(ids(&[]).unwrap().len(), ROWS.len());
        assert_eq!(ids(&["all"]).unwrap().len(), ROWS.len());
        assert!(ids(&["B2", "Z9"]).is_err());
    }
}
