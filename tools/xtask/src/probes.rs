//! The machine code of the hot paths: no locked instruction, no full fence.
//!
//! `ipc/examples/probes.rs` has one `probe_*` function per hot path, compiled as users compile it.

use crate::gate::Outcome;
use crate::process;
use crate::workspace::{Build, Workspace};
use anyhow::{Context, Result, bail, ensure};
use std::process::Command;

/// Fewer than this, and the probes have lost their symbols.
const FEWEST: usize = 4;

/// The step of the gate.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome> {
    if cfg!(not(target_arch = "x86_64")) {
        let skipped = vec!["only x86-64's instructions are known here".to_owned()];
        return Ok(Outcome { note: String::new(), skipped });
    }
    let artifacts = workspace.executables(
        Build::Plain,
        &[
            "build",
            "--release",
            "--package",
            "strait-ipc",
            "--example",
            "probes",
            "--message-format=json-render-diagnostics",
        ],
    )?;
    let binary = artifacts.first().and_then(|artifact| artifact.executable.as_ref());
    let binary = binary.context("cargo made no executable of the example `probes`")?;
    let listing =
        process::output_of(Command::new("objdump").args(["-d", "--no-show-raw-insn"]).arg(binary))?;
    let probes = parse(&listing);
    let mut faults = 0;
    for probe in &probes {
        println!("{:<40} {:>4} instructions", probe.name, probe.instructions.len());
        for callee in probe.callees() {
            println!("{:<40}      leaves for {callee}", "");
        }
        for fault in probe.faults() {
            eprintln!("{}: {fault}", probe.name);
            faults += 1;
        }
    }
    ensure!(probes.len() >= FEWEST, "{} probes found, expected {FEWEST} or more", probes.len());
    if faults > 0 {
        bail!("{faults} faults in the machine code of the hot paths");
    }
    Ok(format!("{} probes", probes.len()).into())
}

/// The code of one probe.
struct Probe<'a> {
    name: &'a str,
    /// As objdump writes them, without address: `lock cmpxchg %rcx,(%rdi)`.
    instructions: Vec<&'a str>,
}

/// The probes in a listing of `objdump -d --no-show-raw-insn`.
fn parse(listing: &str) -> Vec<Probe<'_>> {
    let mut probes: Vec<Probe> = Vec::new();
    let mut inside = false;
    for line in listing.lines() {
        if let Some(header) = line.strip_suffix(">:") {
            let name = header.split_once('<').map_or("", |(_, name)| name);
            inside = name.starts_with("probe_");
            if inside {
                probes.push(Probe { name, instructions: Vec::new() });
            }
        } else if let (true, Some(probe)) = (inside, probes.last_mut()) {
            probe.instructions.extend(line.split_once(":\t").map(|(_, text)| text.trim()));
        }
    }
    for probe in &mut probes {
        while probe.instructions.last().is_some_and(|last| is_padding(last)) {
            probe.instructions.pop();
        }
    }
    probes
}

/// Whether an instruction may stand behind a function to align the next one.
fn is_padding(instruction: &str) -> bool {
    instruction.split_whitespace().any(|word| word == "int3" || word.starts_with("nop"))
        || instruction.starts_with("xchg   %ax,%ax")
}

impl<'a> Probe<'a> {
    fn faults(&self) -> Vec<String> {
        let costly = self.instructions.iter().filter(|instruction| is_costly(instruction));
        let mut faults: Vec<String> = costly.map(|costly| format!("`{costly}`")).collect();
        // All of it somewhere else: nothing was looked at.
        if !self.instructions.iter().any(|instruction| instruction.starts_with("ret")) {
            faults.push("never returns by itself: its hot path is not inlined".to_owned());
        }
        faults
    }

    /// Symbols of other functions that it calls or jumps to.
    fn callees(&self) -> Vec<&'a str> {
        let mut callees: Vec<&str> = self
            .instructions
            .iter()
            .filter(|instruction| instruction.starts_with(['c', 'j']))
            .filter_map(|instruction| instruction.split_once('<')?.1.strip_suffix('>'))
            .filter(|symbol| symbol.split('+').next() != Some(self.name))
            .collect();
        callees.sort_unstable();
        callees.dedup();
        callees
    }
}

/// Whether an x86-64 instruction locks the bus or waits for the store buffer to drain.
fn is_costly(instruction: &str) -> bool {
    let mut words = instruction.split_whitespace();
    let mnemonic = words.find(|word| !["xacquire", "xrelease", "notrack"].contains(word));
    match mnemonic.unwrap_or_default() {
        "lock" | "mfence" => true,
        // Between a register and memory it is locked, prefix or not.
        exchange if exchange.starts_with("xchg") => words.any(|operands| operands.contains('(')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "
probes:     file format elf64-x86-64

Disassembly of section .text:

0000000000001110 <main>:
    1110:\tlock incq (%rdi)
    1114:\tret

0000000000001120 <probe_poll>:
    1120:\tmov    (%rdi),%rax
    1123:\tcmp    %rax,0x8(%rdi)
    1127:\tje     1131 <probe_poll+0x11>
    1129:\txchg   %ax,%ax
    112b:\tcall   1500 <cold_path>
    1130:\tret
    1131:\tcall   1500 <cold_path>
    1136:\tret
    1137:\tcs nopw 0x0(%rax,%rax,1)
    113e:\txchg   %ax,%ax

0000000000001140 <probe_claim>:
    1140:\tlock cmpxchg %rcx,(%rdi)
    1145:\txchg   %rax,0x10(%rdi)
    1149:\tmfence
    114c:\tret

0000000000001150 <probe_outlined>:
    1150:\tjmp    1600 <hot_path>
";

    #[test]
    fn only_probes_are_read_without_their_padding() {
        let probes = parse(LISTING);
        let names: Vec<_> = probes.iter().map(|probe| probe.name).collect();
        assert_eq!(names, ["probe_poll", "probe_claim", "probe_outlined"]);
        assert_eq!(probes[0].instructions.len(), 8);
    }

    #[test]
    fn locked_instructions_and_fences_are_faults() {
        let probes = parse(LISTING);
        assert_eq!(probes[0].faults(), Vec::<String>::new());
        let costly = ["`lock cmpxchg %rcx,(%rdi)`", "`xchg   %rax,0x10(%rdi)`", "`mfence`"];
        assert_eq!(probes[1].faults(), costly);
    }

    #[test]
    fn a_probe_that_is_elsewhere_is_a_fault() {
        let probes = parse(LISTING);
        assert_eq!(probes[2].faults().len(), 1);
        assert_eq!(probes[2].callees(), ["hot_path"]);
        assert_eq!(probes[0].callees(), ["cold_path"]);
    }

    #[test]
    fn prefixes_and_suffixes_do_not_hide_an_instruction() {
        assert!(is_costly("xacquire lock cmpxchg %rcx,(%rdi)"));
        assert!(is_costly("xchgl  %eax,(%rdi)"));
        assert!(is_costly("lock addl $0x0,-0x40(%rsp)"));
        assert!(!is_costly("xchg   %rax,%rbx"));
        assert!(!is_costly("call   1500 <block_on>"));
    }
}
