//! Whose memory a thread gets.

use super::error::Refusal;
use super::list::List;
use std::{fs, io, ptr};

/// The memory node that a thread's pages should come from. Pages beyond what the node has come from
/// another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numa {
    /// That of the core on which the thread first touches them, whatever policy it inherited.
    Local,
    /// The one with this number.
    Node(usize),
}

/// What became of the wish for a node's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumaMemory {
    /// Nobody asked: as the thread inherited it.
    Inherited,
    /// The machine has one node, or knows none: there was nothing to do.
    OneNode,
    /// Pages come from the node asked for.
    Chosen(Numa),
}

/// Bits of a node mask in each of its words.
const BITS: usize = libc::c_ulong::BITS as usize;
/// Words of a mask for 1024 nodes, as many as a kernel can have.
const WORDS: usize = 1024 / BITS;

/// Chooses the node from which pages come that the calling thread touches from now on.
pub(super) fn prefer(asked: Numa) -> Result<NumaMemory, Refusal> {
    let online = nodes_online();
    if let Numa::Node(node) = asked
        && !online.contains(node)
    {
        return Err(Refusal::NoSuchNode { asked: node, online });
    }
    if online.numbers().len() == 1 {
        return Ok(NumaMemory::OneNode);
    }
    set_policy(asked).map_err(|source| Refusal::Numa { asked, source })?;
    Ok(NumaMemory::Chosen(asked))
}

/// The nodes of this machine; a kernel that knows of none has one, 0.
fn nodes_online() -> List {
    let text = fs::read_to_string("/sys/devices/system/node/online").ok();
    text.and_then(|text| List::parse(&text)).unwrap_or_else(|| [0].into_iter().collect())
}

fn set_policy(asked: Numa) -> io::Result<()> {
    let mut mask = [0 as libc::c_ulong; WORDS];
    let (policy, mask, bits) = match asked {
        Numa::Local => (libc::MPOL_LOCAL, ptr::null(), 0),
        Numa::Node(node) => {
            let word = mask.get_mut(node / BITS).ok_or(io::ErrorKind::InvalidInput)?;
            *word |= 1 << (node % BITS);
            // The kernel looks at one bit less than it is told of.
            (libc::MPOL_PREFERRED, mask.as_ptr(), WORDS * BITS + 1)
        }
    };
    let policy = libc::c_long::from(policy);
    // SAFETY: the kernel reads `bits - 1` bits of the mask, which is that long and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, policy, mask, bits) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most machines have one node, so that `prefer` would not call the kernel there. A kernel
    /// without nodes, or a container that forbids the call, is told from one that finds fault with it.
    #[test]
    fn the_kernel_understands_the_policies() {
        let first = nodes_online().numbers()[0];
        for asked in [Numa::Local, Numa::Node(first)] {
            let outcome = std::thread::spawn(move || set_policy(asked)).join().unwrap();
            let code = outcome.err().and_then(|error| error.raw_os_error());
            assert!(matches!(code, None | Some(libc::ENOSYS | libc::EPERM)), "{asked:?}: {code:?}");
        }
        let none = std::thread::spawn(|| set_policy(Numa::Node(WORDS * BITS))).join().unwrap();
        assert!(none.is_err(), "a node beyond the mask");
    }

    #[test]
    fn a_node_that_is_not_there_is_refused() {
        let refusal = prefer(Numa::Node(1000)).unwrap_err().to_string();
        let online = nodes_online();
        assert!(refusal.contains(&format!("memory node 1000, but has {online}")), "{refusal}");
    }
}
