//! What is said about a service: typed values under keys, few of them.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | the map |
//! | `key` | keys, which are the same in any case of their letters |
//! | `value` | values, and from what they are made |
//! | `bytes` | properties as bytes, for shared memory |

mod bytes;
mod key;
mod value;

pub use key::{MAX_KEY, check_keys};
pub use value::Value;

pub(crate) use key::{Key, hash};
pub(crate) use value::Scalar;

use std::fmt;

/// Most bytes that the properties of one service may take, as [`Properties::to_bytes`] writes them.
pub const MAX_BYTES: usize = 64 * 1024;

/// How many entries the registry adds.
const ADDED: usize = 3;

/// Up to so many entries are compared one by one, which is faster than anything else.
const FEW: usize = 8;

/// What is said about a service, in the order in which it was said.
///
/// Keys are the same in any case of their (ASCII) letters and keep their first spelling.
///
/// ```
/// use strait::props;
///
/// let properties = props! { "venue" => "X", "Port" => 4001, "currencies" => ["EUR", "USD"] };
/// assert_eq!(properties.get("PORT"), Some(&4001.into()));
/// assert_eq!(properties.to_string(), "venue=X Port=4001 currencies=EUR, USD");
/// ```
#[derive(Clone, Default)]
pub struct Properties {
    entries: Vec<Entry>,
    /// The entries by their keys' hashes, if they are more than [`FEW`].
    by_hash: Vec<u16>,
    /// What [`to_bytes`](Self::to_bytes) takes, without its head.
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    value: Value,
}

/// Why a property was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// The key is there, in this or in another spelling.
    #[error("the property `{key}` is already there, as `{present}`: keys are the same in any case")]
    Duplicate {
        /// The key that was refused.
        key: String,
        /// How it is spelled where it is.
        present: String,
    },
    /// No filter could name such a key.
    #[error(
        "`{key}` is no key: it takes 1 to {MAX_KEY} bytes, without any of `( ) = < > ~ * \\`, \
         without control characters, not beginning with `& | !`, and no space at either end"
    )]
    Key {
        /// The key, or as much of it as a key may be long.
        key: String,
    },
    /// The properties would be too long.
    #[error("with `{key}`, these properties would take {bytes} bytes, and {MAX_BYTES} are allowed")]
    TooLong {
        /// The property that was refused.
        key: String,
        /// How many bytes it would be.
        bytes: usize,
    },
    /// These bytes are not what [`Properties::to_bytes`] writes.
    #[error("no properties: at byte {at}, {expected} was expected")]
    Damaged {
        /// Where, from 0.
        at: usize,
        /// What should have been there.
        expected: &'static str,
    },
}

impl Properties {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a property.
    ///
    /// # Errors
    ///
    /// [`PropertyError`]: the key is there in whatever spelling, or is none, or there is too much.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) -> Result<(), PropertyError> {
        let key = Key::new(key)?;
        if let Some(at) = self.find(key.hash(), key.as_str()) {
            let present = self.entries[at].key.as_str().to_owned();
            return Err(PropertyError::Duplicate { key: key.as_str().to_owned(), present });
        }
        self.push(key, value.into())
    }

    /// Sets a property, whether it is there or not; returns what it was.
    ///
    /// # Errors
    ///
    /// [`PropertyError`]: the key is none, or there is too much.
    pub fn set(
        &mut self,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<Option<Value>, PropertyError> {
        self.put(Key::new(key)?, value.into())
    }

    /// As [`set`](Self::set), with a key that was made before.
    pub(crate) fn put(&mut self, key: Key, value: Value) -> Result<Option<Value>, PropertyError> {
        let Some(at) = self.find(key.hash(), key.as_str()) else {
            return self.push(key, value).map(|()| None);
        };
        let old = bytes::length(&key, &self.entries[at].value);
        self.make_room(&key, old, bytes::length(&key, &value))?;
        Ok(Some(std::mem::replace(&mut self.entries[at].value, value)))
    }

    /// Adds a property whose key is not there.
    fn push(&mut self, key: Key, value: Value) -> Result<(), PropertyError> {
        self.make_room(&key, 0, bytes::length(&key, &value))?;
        let (hash, place) = (key.hash(), self.entries.len());
        self.entries.push(Entry { key, value });
        if place == FEW {
            // MAX_BYTES bounds their number far below 2¹⁶.
            #[allow(clippy::cast_possible_truncation)]
            self.by_hash.extend(0..=place as u16);
            self.by_hash.sort_by_key(|at| self.entries[usize::from(*at)].key.hash());
        } else if place > FEW {
            let at = self.below(hash);
            // As above.
            #[allow(clippy::cast_possible_truncation)]
            self.by_hash.insert(at, place as u16);
        }
        Ok(())
    }

    /// The value of `key`, spelled in whatever case.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.get_hashed(hash(key), key)
    }

    /// The value of a key that was hashed before.
    #[inline]
    pub(crate) fn get_hashed(&self, hash: u64, key: &str) -> Option<&Value> {
        self.find(hash, key).map(|at| &self.entries[at].value)
    }

    /// Keys as they were spelled, and values, in the order in which they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), &entry.value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What [`props!`](crate::props) makes, whose keys the compiler has checked.
    #[doc(hidden)]
    pub fn of_checked<const N: usize>(entries: [(&str, Value); N]) -> Self {
        let entries_and_more = Vec::with_capacity(N + ADDED);
        let mut properties = Self { entries: entries_and_more, ..Self::new() };
        for (key, value) in entries {
            // What could be refused are texts of together over 64 KiB.
            let _ = properties.insert(key, value);
        }
        properties
    }

    #[inline]
    fn find(&self, hash: u64, key: &str) -> Option<usize> {
        if self.by_hash.is_empty() {
            return self.entries.iter().position(|entry| entry.key.is(hash, key));
        }
        let same = self.by_hash[self.below(hash)..].iter().map(|at| usize::from(*at));
        same.take_while(|at| self.entries[*at].key.hash() == hash)
            .find(|at| self.entries[*at].key.is(hash, key))
    }

    /// How many entries have smaller hashes.
    fn below(&self, hash: u64) -> usize {
        self.by_hash.partition_point(|at| self.entries[usize::from(*at)].key.hash() < hash)
    }

    fn make_room(&mut self, key: &Key, old: usize, new: usize) -> Result<(), PropertyError> {
        let bytes = self.bytes - old + new;
        if bytes + bytes::HEAD > MAX_BYTES {
            let key = key.as_str().to_owned();
            return Err(PropertyError::TooLong { key, bytes: bytes + bytes::HEAD });
        }
        self.bytes = bytes;
        Ok(())
    }
}

/// The same keys, in any spelling, with the same values, in any order.
impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        let has = |(key, value): (&Key, &Value)| {
            other.get_hashed(key.hash(), key.as_str()) == Some(value)
        };
        self.len() == other.len() && self.keys().all(has)
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (key, value) in self.iter() {
            write!(f, "{between}{key}={value}")?;
            between = " ";
        }
        Ok(())
    }
}

/// [`Properties`], with keys that the compiler checks: one that stands there twice does not compile.
///
/// ```
/// # use strait::props;
/// let properties = props! { "service.ranking" => 1000, "venue" => "X" };
/// assert_eq!(properties.len(), 2);
/// ```
///
/// ```compile_fail
/// # use strait::props;
/// props! { "venue" => "X", "Venue" => "Y" };
/// ```
#[macro_export]
macro_rules! props {
    ($($key:literal => $value:expr),* $(,)?) => {{
        const { $crate::registry::check_keys(&[$($key),*]) };
        $crate::registry::Properties::of_checked([$(($key, $crate::registry::Value::from($value))),*])
    }};
}

#[cfg(test)]
mod tests;
