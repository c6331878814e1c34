//! What the hot path leaves alone once a channel is open: the heap, the kernel, the page tables.
//!
//! | module | what lives there |
//! |---|---|
//! | [`allocations`] | no operation touches the heap |
//! | [`system_calls`] | a million messages between two processes that may make no system call |
//! | [`faults`] | a million messages between two processes, and no page fault |
//! | [`exchange`] | the million messages: what the two processes do |
//! | [`processes`] | starting them, and how they end |
//! | [`child`] | child processes in general |
//! | [`operations`] | every operation of the hot path, one by one |
//! | [`messages`] | what is sent |

mod allocations;
#[path = "../child/mod.rs"]
mod child;
mod exchange;
mod faults;
mod messages;
mod operations;
mod processes;
mod system_calls;

/// The part that a child process plays. To everybody else, an empty test.
#[test]
fn actor() {
    let Some((role, _)) = child::job() else { return };
    match role.split(' ').collect::<Vec<_>>()[..] {
        [system_calls::READ_CLOCK] => system_calls::read_clock(),
        [system_calls::DISOBEY] => system_calls::disobey(),
        [system_calls::EXCHANGE, kind, side] => exchange::play(kind, side, system_calls::without),
        [faults::EXCHANGE, kind, side] => exchange::play(kind, side, faults::without),
        _ => panic!("no such role: {role}"),
    }
}
