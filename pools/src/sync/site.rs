//! Named orderings: the ledger's handle on each atomic access.

use super::Ordering;

/// Gives an ordering the name under which the ordering ledger knows it.
pub trait Site {
    /// The ordering itself; in a model, a weaker one if `STRAIT_WEAKEN` names this site.
    ///
    /// `STRAIT_WEAKEN` takes `site` (weaken as far as possible) or `site:acquire` / `site:release`
    /// (an `AcqRel` keeps only that half).
    fn at(self, site: &'static str) -> Ordering;
}

#[cfg(not(loom))]
impl Site for Ordering {
    #[inline(always)]
    fn at(self, _site: &'static str) -> Ordering {
        self
    }
}

#[cfg(loom)]
impl Site for Ordering {
    fn at(self, site: &'static str) -> Ordering {
        match weakened(site) {
            None => self,
            Some("acquire") => Ordering::Acquire,
            Some("release") => Ordering::Release,
            Some(_) => Ordering::Relaxed,
        }
    }
}

/// Whether to take a step that is no ordering but without which a protocol fails: `true`, but in a
/// model whose `STRAIT_WEAKEN` names it.
#[cfg(not(loom))]
#[inline(always)]
pub const fn step(_site: &'static str) -> bool {
    true
}

/// Whether to take a step that is no ordering but without which a protocol fails: `true`, but in a
/// model whose `STRAIT_WEAKEN` names it.
#[cfg(loom)]
pub fn step(site: &'static str) -> bool {
    weakened(site).is_none()
}

/// What to keep of the ordering at `site`: `None` for all of it, `Some("")` for nothing.
#[cfg(loom)]
pub(super) fn weakened(site: &str) -> Option<&'static str> {
    static WEAKEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("STRAIT_WEAKEN").ok());
    let spec = WEAKEN.as_deref()?;
    let (name, keep) = spec.split_once(':').unwrap_or((spec, ""));
    (name == site).then_some(keep)
}
