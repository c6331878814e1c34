//! `strait list`, `strait inspect`, `strait top` and `strait clean`: what channels there are, what is in
//! one, what they do, and removing those nobody uses.
//!
//! | file | what it holds |
//! |---|---|
//! | `list.rs` | the table of channels |
//! | `inspect.rs` | everything about one segment |
//! | `top/` | all channels, look after look |
//! | `clean.rs` | removing what nobody uses |
//! | `json.rs` | the same for programs |
//! | `words.rs` | the words that all of them use |
//!
//! All of it is a rendering of [`strait_ipc::segment::survey`], which only looks.

mod clean;
mod inspect;
mod json;
mod list;
mod top;
mod words;

pub use clean::{Options as CleanOptions, command as clean};
pub use inspect::{Options as InspectOptions, command as inspect};
pub use list::{Options as ListOptions, command as list};
pub(crate) use top::{INTERVAL as TOP_INTERVAL, looks as top_looks};
pub use top::{Options as TopOptions, command as top};

use anyhow::{Error, Result};
use std::path::PathBuf;
use strait_ipc::segment::{Directory, Survey, survey};

/// Where to look, and how to tell.
#[derive(Clone, Debug, clap::Args)]
struct Place {
    /// Where the channels' files are
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    directory: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Place {
    fn directory(&self) -> Directory {
        Directory::from(self.directory.as_path())
    }

    /// The segments of a domain or of all, and of these one channel's or all.
    fn find(&self, domain: Option<&str>, channel: Option<&str>) -> Result<Vec<Survey>> {
        let mut found = survey::list(&self.directory()).map_err(Error::msg)?;
        found.retain(|survey| {
            let Some((_, name)) = &survey.name else { return false };
            domain.is_none_or(|domain| name.domain() == domain)
                && channel.is_none_or(|channel| name.channel() == channel)
        });
        Ok(found)
    }

    /// "in /dev/shm", "of domain `prod` in /dev/shm": where nothing was found.
    fn describe(&self, domain: Option<&str>, channel: Option<&str>) -> String {
        let domain = domain.map_or_else(String::new, |domain| format!(" of domain `{domain}`"));
        let channel = channel.map_or_else(String::new, |channel| format!(" `{channel}`"));
        format!("{channel}{domain} in {}", self.directory.display())
    }
}
