//! What segments are called, and which file that is.

use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Longest domain name, in characters.
pub const MAX_DOMAIN_CHARS: usize = 64;

/// Longest channel name, in characters.
pub const MAX_CHANNEL_CHARS: usize = 128;

/// What the directory of a domain is called among its channels: no channel of a user's can be.
pub const SERVICES: &str = ".services";

/// What the files' names begin with.
const PREFIX: &str = "strait-";

/// Where named segments are: a directory on a memory file system with unnamed files, such as tmpfs.
///
/// `/dev/shm` by default. Processes meet only in the same directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(PathBuf);

impl Directory {
    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self(PathBuf::from("/dev/shm"))
    }
}

impl From<PathBuf> for Directory {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl From<&Path> for Directory {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl From<&str> for Directory {
    fn from(path: &str) -> Self {
        Self(PathBuf::from(path))
    }
}

/// A segment's name: a domain, and a channel in it.
///
/// Both consist of ASCII letters, digits, `.`, `_` and `-`, and neither starts with a dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SegmentName {
    domain: String,
    channel: String,
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// It has no characters.
    #[error("the {part} name is empty: it needs 1 to {limit} characters of A-Z a-z 0-9 . _ -")]
    Empty {
        /// "domain" or "channel".
        part: &'static str,
        /// Most characters allowed.
        limit: usize,
    },
    /// It has too many characters.
    #[error("the {part} name `{name}` has {len} characters: at most {limit} are allowed")]
    TooLong {
        /// "domain" or "channel".
        part: &'static str,
        /// The name.
        name: String,
        /// Its characters.
        len: usize,
        /// Most characters allowed.
        limit: usize,
    },
    /// It holds a character that is not allowed.
    #[error("the {part} name {name:?} holds {character:?}: use only A-Z a-z 0-9 . _ -")]
    Character {
        /// "domain" or "channel".
        part: &'static str,
        /// The name.
        name: String,
        /// The first offender.
        character: char,
    },
    /// It starts with a dot.
    #[error("the {part} name `{name}` starts with a dot: start it with a letter or a digit")]
    LeadingDot {
        /// "domain" or "channel".
        part: &'static str,
        /// The name.
        name: String,
    },
}

fn check(part: &'static str, name: &str, limit: usize) -> Result<(), NameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let len = name.chars().count();
    if len == 0 {
        return Err(NameError::Empty { part, limit });
    }
    if len > limit {
        return Err(NameError::TooLong { part, name: name.to_owned(), len, limit });
    }
    if let Some(character) = name.chars().find(|&c| !allowed(c)) {
        return Err(NameError::Character { part, name: name.to_owned(), character });
    }
    if name.starts_with('.') {
        return Err(NameError::LeadingDot { part, name: name.to_owned() });
    }
    Ok(())
}

impl SegmentName {
    /// Checks and keeps a name.
    pub fn new(domain: &str, channel: &str) -> Result<Self, NameError> {
        Self::check_domain(domain)?;
        check("channel", channel, MAX_CHANNEL_CHARS)?;
        Ok(Self { domain: domain.to_owned(), channel: channel.to_owned() })
    }

    /// The name of the domain's [directory](crate::directory).
    pub fn services(domain: &str) -> Result<Self, NameError> {
        Self::check_domain(domain)?;
        Ok(Self { domain: domain.to_owned(), channel: SERVICES.to_owned() })
    }

    /// As [`new`](Self::new), or the directory's: for who looks at what there is.
    pub fn of_any(domain: &str, channel: &str) -> Result<Self, NameError> {
        if channel == SERVICES { Self::services(domain) } else { Self::new(domain, channel) }
    }

    /// Checks the name of a domain alone.
    pub fn check_domain(domain: &str) -> Result<(), NameError> {
        check("domain", domain, MAX_DOMAIN_CHARS)
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The channel.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The segment's file in `directory`: `strait-<uid>-<domain>+<channel>`.
    ///
    /// The effective user id keeps users apart, and `+` occurs in neither name.
    pub fn path(&self, directory: &Directory) -> PathBuf {
        self.path_of(directory, rustix::process::geteuid().as_raw())
    }

    /// The same, of the segment that belongs to that user.
    pub fn path_of(&self, directory: &Directory, user: u32) -> PathBuf {
        directory.path().join(format!("{PREFIX}{user}-{self}"))
    }

    /// The user id and the name that a file is called by; `None` if it is not called as segments are.
    ///
    /// The inverse of [`path`](Self::path), whoever's segment it is.
    pub fn of_file(file_name: &str) -> Option<(u32, Self)> {
        let (user, name) = file_name.strip_prefix(PREFIX)?.split_once('-')?;
        let (domain, channel) = name.split_once('+')?;
        // "+7" and "007" are numbers, too, but not what `path` writes.
        let id: u32 = user.parse().ok().filter(|id: &u32| id.to_string() == user)?;
        Some((id, Self::of_any(domain, channel).ok()?))
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.domain, self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_user_domain_and_channel() {
        let name = SegmentName::new("prod", "orders.eu-1_a").unwrap();
        let user = rustix::process::geteuid().as_raw();
        let expected = PathBuf::from(format!("/dev/shm/strait-{user}-prod+orders.eu-1_a"));
        assert_eq!(name.path(&Directory::default()), expected);
    }

    #[test]
    fn a_file_tells_user_and_name() {
        for (domain, channel) in
            [("prod", "orders.eu-1_a"), ("a-b.c", "-"), ("-", "x-1"), ("prod", SERVICES)]
        {
            let name = SegmentName::of_any(domain, channel).unwrap();
            let path = name.path(&Directory::default());
            let user = rustix::process::geteuid().as_raw();
            let file = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(SegmentName::of_file(file), Some((user, name)));
        }
        let (user, name) = SegmentName::of_file("strait-1001-prod+orders").unwrap();
        assert_eq!((user, name.to_string().as_str()), (1001, "prod+orders"));
        for other in [
            "",
            "strait-",
            "strait-0",
            "strait-0-prod",
            "strait-0-+orders",
            "strait-0-prod+",
            "strait-0-prod+a+b",
            "strait-0-.prod+a",
            "strait-0-prod+.services2",
            "strait-+0-prod+a",
            "strait-00-prod+a",
            "strait--1-prod+a",
            "strait-4294967296-prod+a",
            "Strait-0-prod+a",
            "strait-0-prod+a b",
        ] {
            assert_eq!(SegmentName::of_file(other), None, "{other}");
        }
    }

    #[test]
    fn the_longest_names_make_a_legal_file_name() {
        let name = SegmentName::new(&"d".repeat(64), &"c".repeat(128)).unwrap();
        assert!(name.path(&Directory::from("/")).file_name().unwrap().len() <= 255);
    }

    #[test]
    fn what_is_refused_is_named() {
        let text = |domain: &str, channel: &str| {
            SegmentName::new(domain, channel).unwrap_err().to_string()
        };
        insta::assert_snapshot!(text("", "a"), @"the domain name is empty: it needs 1 to 64 characters of A-Z a-z 0-9 . _ -");
        insta::assert_snapshot!(text("prod", "a/b"), @r#"the channel name "a/b" holds '/': use only A-Z a-z 0-9 . _ -"#);
        insta::assert_snapshot!(text("prod", "a\0b"), @r#"the channel name "a\0b" holds '\0': use only A-Z a-z 0-9 . _ -"#);
        insta::assert_snapshot!(text("größe", "a"), @r#"the domain name "größe" holds 'ö': use only A-Z a-z 0-9 . _ -"#);
        insta::assert_snapshot!(text("..", "a"), @"the domain name `..` starts with a dot: start it with a letter or a digit");
        assert!(text(&"d".repeat(65), "a").ends_with("has 65 characters: at most 64 are allowed"));
        assert!(
            text("d", &"c".repeat(129)).ends_with("has 129 characters: at most 128 are allowed")
        );
    }
}
