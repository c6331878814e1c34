//! What the hot path leaves alone once a channel is open: the heap, the kernel, the page tables.
//!
//! | module | what lives there |
//! |---|---|
//! | [`allocations`] | no operation touches the heap |
//! | [`system_calls`] | a million messages between two processes that may make no system call; looks into a directory |
//! | [`sleeps`] | sides that may sleep: one system call a sleep, one a wake-up, else none |
//! | [`tracer`] | stops a child at each of its system calls |
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
mod sleeps;
mod system_calls;
mod tracer;

/// The part that a child process plays. To everybody else, an empty test.
#[test]
fn actor() {
    let Some((role, place)) = child::job() else { return };
    match role.split(' ').collect::<Vec<_>>()[..] {
        [system_calls::READ_CLOCK] => system_calls::read_clock(),
        [system_calls::DISOBEY] => system_calls::disobey(),
        [system_calls::LOOK_UP] => system_calls::look_up(&place),
        [system_calls::EXCHANGE, kind, side] => exchange::play(kind, side, system_calls::without),
        [sleeps::ROLE, side, wait, messages] => sleeps::play(side, wait, messages),
        [faults::EXCHANGE, kind, side] => exchange::play(kind, side, faults::without),
        _ => panic!("no such role: {role}"),
    }
}
