//! The kernel's lists of processors and nodes: `0-3,8`.

use std::fmt;

/// A set of numbers in ascending order, written as the kernel writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(Vec<usize>);

impl List {
    /// Whether `number` is among them.
    pub fn contains(&self, number: usize) -> bool {
        self.0.binary_search(&number).is_ok()
    }

    /// The numbers, in ascending order.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    /// Reads `0-3,8`; `None` if it is no such list.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = Vec::new();
        for part in text.trim().split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            numbers.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
        }
        Some(numbers.into_iter().collect())
    }
}

impl FromIterator<usize> for List {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut numbers: Vec<usize> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers)
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|number, next| number + 1 == *next);
        for (index, run) in runs.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match run {
                [only] => write!(f, "{comma}{only}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for text in ["0", "0-1", "0-3,8", "1,3,5-6", ""] {
            assert_eq!(List::parse(&format!("{text}\n")).unwrap().to_string(), text);
        }
        assert_eq!(List::parse("0-3,8").unwrap().numbers(), [0, 1, 2, 3, 8]);
        assert_eq!(List::parse("none"), None);
    }

    #[test]
    fn numbers_are_sorted_and_told_once() {
        assert_eq!([3, 1, 2, 1].into_iter().collect::<List>().to_string(), "1-3");
    }
}
