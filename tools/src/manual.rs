//! `strait completions` and `strait man`: what the command says of itself, for shells and for `man`.
//!
//! Both are made from the command line's own description when they are asked for, so they never say
//! anything else than `--help`.

pub use clap_complete::Shell;

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use std::io::Write;
use std::path::{Path, PathBuf};

/// For which shell.
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionsOptions {
    /// The shell
    shell: Shell,
}

/// Where the pages go.
#[derive(Clone, Debug, clap::Args)]
pub struct ManOptions {
    /// Write the page of each command into this directory, and print none
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints the script that completes `command` in a shell.
///
/// # Errors
///
/// The script cannot be written.
pub fn completions(command: &Command, options: &CompletionsOptions) -> Result<()> {
    // The generator panics where it cannot write, a closed pipe included.
    Ok(std::io::stdout().lock().write_all(&script(command, options.shell))?)
}

/// The script that completes `command` in a shell, without what is hidden.
#[must_use]
pub fn script(command: &Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut visible = visible(command);
    clap_complete::generate(shell, &mut visible, command.get_name(), &mut script);
    script
}

/// A command of the same words, without those that are hidden: they would be offered.
fn visible(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .args(arguments.cloned())
        .subcommands(below.map(visible))
}

/// Prints the first page, or writes all.
///
/// # Errors
///
/// A page cannot be written.
pub fn man(command: &Command, options: &ManOptions) -> Result<()> {
    match &options.directory {
        None => {
            let (_, page) = page(command.clone())?;
            std::io::stdout().lock().write_all(page.as_bytes())?;
        }
        Some(directory) => {
            for path in write_pages(command, directory)? {
                eprintln!("wrote {}", path.display());
            }
        }
    }
    Ok(())
}

/// Writes the page of `command` and of each visible one below it; returns the files, sorted.
///
/// # Errors
///
/// A page cannot be written.
pub fn write_pages(command: &Command, directory: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let mut command = command.clone().disable_help_subcommand(true);
    // Gives those below their full names.
    command.build();
    let (mut commands, mut written) = (vec![command], Vec::new());
    while let Some(command) = commands.pop() {
        let below = command.get_subcommands().filter(|below| !below.is_hide_set());
        commands.extend(below.cloned());
        let (name, page) = page(command)?;
        let path = directory.join(name);
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        written.push(path);
    }
    written.sort();
    Ok(written)
}

/// A page and what its file is called.
fn page(command: Command) -> Result<(String, String)> {
    let program = concat!("strait ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.disable_help_subcommand(true)).source(program).manual("Strait");
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok((man.get_filename(), with_sections(&String::from_utf8(page)?)))
}

/// Makes sections of the paragraphs that follow the options, each under its own title and with its lines
/// as they are.
fn with_sections(page: &str) -> String {
    let Some((before, extra)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let (extra, after) = extra.split_at(extra.find("\n.SH ").unwrap_or(extra.len()));
    let section = |paragraph: &str| match paragraph.trim_end().split_once('\n') {
        Some((title, lines)) if title.ends_with(':') => {
            format!(".SH {}\n.nf\n{lines}\n.fi", title.trim_end_matches(':').to_uppercase())
        }
        _ => format!(".SH NOTES\n{}", paragraph.trim_end()),
    };
    let sections: Vec<String> = extra.split("\n\n").map(section).collect();
    format!("{before}{}{}\n", sections.join("\n"), after.trim_end())
}
