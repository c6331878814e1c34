//! The actors of directories.

use super::actor::{Orders, dawdle, tell};
use crate::clock::now;
use crate::place::DOMAIN;
use anyhow::{Context, Result, bail, ensure};
use std::cmp::Reverse;
use std::time::Duration;
use strait_ipc::directory::{Directory, DirectoryError, DirectoryOptions, Entry, Offer, Offered};
use strait_ipc::endpoint::AttachError;
use strait_torture::directory::{number, properties};
use strait_torture::fanout::Told;
use strait_torture::random::Random;

const INTERFACES: [&str; 2] = ["engine", "book"];
const NAMES: [&str; 4] = ["", "one", "two", "three"];

fn open(orders: &Orders) -> Result<Directory> {
    // Few members, so that they follow each other.
    let options =
        DirectoryOptions { entries: orders.capacity, members: 4, ..DirectoryOptions::default() };
    Ok(Directory::open_with(&orders.directory(), DOMAIN, &options)?)
}

fn offer(directory: &Directory, number: u64, name: &str) -> Result<Offered, DirectoryError> {
    // Below the length.
    #[allow(clippy::cast_possible_truncation)]
    let interface = INTERFACES[(number % 2) as usize];
    let (address, properties) = (number.to_string(), properties(number));
    let ranking = (number % 5).cast_signed();
    directory.offer(&Offer { interface, name, address: &address, ranking, properties: &properties })
}

/// Offers and withdraws, a few things at a time, until it is killed.
pub(super) fn offer_things(orders: &Orders, mut random: Random) -> Result<()> {
    let directory = open(orders)?;
    let mut offered: Vec<(u64, Offered)> = Vec::new();
    for number in orders.first.. {
        tell(Told::About(number, now()));
        match offer(&directory, number, random.pick(&NAMES)) {
            Ok(one) => {
                tell(Told::Sent(number, now()));
                offered.push((number, one));
            }
            // Others have the name, or the room, or all places until the dead are dead.
            Err(
                DirectoryError::NameTaken { .. }
                | DirectoryError::Full { .. }
                | DirectoryError::Attach(AttachError::AllHeld { .. }),
            ) => {}
            Err(other) => bail!("offering: {other}"),
        }
        if !offered.is_empty() && (offered.len() > 3 || random.once_in(3)) {
            let any = usize::try_from(random.below(offered.len() as u64))?;
            let (number, one) = offered.swap_remove(any);
            tell(Told::Leaving(number, now()));
            one.withdraw().context("withdrawing")?;
            tell(Told::Left(number, now()));
        }
        dawdle(&mut random);
    }
    Ok(())
}

/// Looks at everything, and asks after some of it, until it is killed or there is nothing more to come.
pub(super) fn look(orders: &Orders, mut random: Random) -> Result<()> {
    let directory = open(orders)?;
    loop {
        let mut found = Vec::new();
        let begin = now();
        for interface in INTERFACES {
            let before = found.len();
            directory.for_each(interface, |entry| found.push(entry.clone())).context("looking")?;
            let key = |entry: &Entry| (Reverse(entry.ranking()), entry.id());
            if !found[before..].is_sorted_by(|one, next| key(one) < key(next)) {
                tell(Told::Torn);
            }
        }
        let end = now();
        for entry in &found {
            let whole =
                number(entry.properties()).filter(|number| entry.address() == number.to_string());
            tell(whole.map_or(Told::Torn, |number| Told::Got(number, 0)));
        }
        tell(Told::Seen(begin, end));
        for entry in &found {
            if random.once_in(2) && !directory.is_alive(entry).context("asking")? {
                let number = number(entry.properties()).unwrap_or(0);
                // The moment after: who ended while it was being asked had ended by then.
                tell(Told::Gone(number, now()));
            }
        }
        if is_over(&directory)? {
            tell(Told::Closed);
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(random.below(600)));
    }
}

/// Sleeps until something changes, again and again, until there is nothing more to come. Some never look by
/// themselves: they have to be woken.
pub(super) fn stare(orders: &Orders) -> Result<()> {
    let directory = open(orders)?;
    let mut watch = directory.watch()?;
    if orders.parking {
        watch = watch.slice(Duration::from_secs(3600));
    }
    while !is_over(&directory)? {
        watch.wait(None).context("watching")?;
    }
    tell(Told::Closed);
    Ok(())
}

fn is_over(directory: &Directory) -> Result<bool> {
    Ok(directory.find("end", |_| true)?.is_some())
}

/// Those who offered something are dead: nothing of it is left, and all room is free. Says that it is over, and
/// stays until all others are gone.
pub(super) fn take_stock(orders: &Orders) -> Result<()> {
    let directory = open(orders)?;
    directory.sweep()?;
    let left = directory.all()?;
    ensure!(left.is_empty(), "{} offers of the dead are left: {left:?}", left.len());
    let (entries, taken) = directory.entries();
    ensure!(taken == 0, "{taken} entries are lost");
    let stock = Offer { interface: "stock", ..Offer::default() };
    let all: Result<Vec<_>, _> = (0..entries).map(|_| directory.offer(&stock)).collect();
    let all = all.context("offering all that there is room for")?;
    ensure!(directory.all()?.len() == all.len(), "offers are lost");
    let full = directory.offer(&stock);
    ensure!(matches!(full, Err(DirectoryError::Full { .. })), "there is more room than there is");
    drop(all);
    let _end = directory.offer(&Offer { interface: "end", ..stock })?;
    std::thread::sleep(Duration::from_secs(3600));
    Ok(())
}
