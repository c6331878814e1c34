//! Interfaces: types with a name, under which services are registered and found.

use super::properties::hash;
use super::same::same;
use std::borrow::Cow;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A type that services are registered and called as, nearly always a trait object.
///
/// ```
/// use strait::registry::Interface;
///
/// trait Greeter: Send + Sync {
///     fn greet(&self, name: &str) -> String;
/// }
///
/// impl Interface for dyn Greeter {
///     const NAME: &'static str = "demo.Greeter";
/// }
/// ```
pub trait Interface: Send + Sync + 'static {
    /// The name by which others than Rust know it, such as `demo.Greeter`.
    const NAME: &'static str;
}

/// A name, hashed when the program was compiled if it was known then.
#[derive(Clone, Debug, Eq)]
pub(super) struct Name {
    hash: u64,
    text: Cow<'static, str>,
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && same(self.as_str(), other.as_str())
    }
}

impl Name {
    pub(super) const fn of<I: Interface + ?Sized>() -> Self {
        struct Hashed<I: ?Sized>(std::marker::PhantomData<I>);
        impl<I: Interface + ?Sized> Hashed<I> {
            const HASH: u64 = hash(I::NAME);
        }
        Self { hash: Hashed::<I>::HASH, text: Cow::Borrowed(I::NAME) }
    }

    pub(super) fn new(text: &str) -> Self {
        Self { hash: hash(text), text: Cow::Owned(text.to_owned()) }
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Passes a name's hash on.
#[derive(Debug, Default)]
pub(super) struct Hashed(u64);

/// Makes maps by [`Name`].
pub(super) type ByName = BuildHasherDefault<Hashed>;

impl Hasher for Hashed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Names write one word each.
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
