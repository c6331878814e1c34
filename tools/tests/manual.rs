//! `strait completions` and `strait man` as their users run them.

use std::fs;
use std::process::{Command, Output};

fn strait(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strait")).args(arguments).output().unwrap()
}

#[test]
fn each_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = strait(&["completions", shell]);
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("inspect") && script.contains("oneway"), "{shell}: {script}");
    }
    assert_eq!(strait(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn pages_are_printed_or_written() {
    let output = strait(&["man"]);
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains(".TH strait 1") && page.contains(".SH EXAMPLES"), "{page}");

    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("man/man1");
    let output = strait(&["man", "--directory", within.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty());
    let page = fs::read_to_string(within.join("strait-bench-rtt.1")).unwrap();
    assert!(page.contains("strait bench rtt"), "{page}");
    assert!(!within.join("strait-bench-partner.1").exists());

    let output = strait(&["man", "--directory", "/proc/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot make /proc/nowhere"));
}
