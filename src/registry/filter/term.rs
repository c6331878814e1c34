//! What of a filter an index can answer: equality, by a number that is the same of all that is equal.

use super::super::properties::{Scalar, hash};
use super::{Clause, Filter, Node, Test, float, truth};

/// The key of a service's interfaces, which no index has: it is there once for each of them.
pub(in super::super) const OBJECT_CLASS: &str = "objectClass";

/// A key and a value as a number. Values that a clause takes for equal have the same, whatever their
/// types; others may have it as well, so what an index finds by it is still to be matched.
pub(in super::super) type Term = u64;

/// The term of a value under a key, given the hash of that key.
pub(in super::super) fn term_of(key: u64, value: Scalar<'_>) -> Term {
    match value {
        Scalar::Integer(value) => number(key, value as f64),
        Scalar::Float(value) => number(key, value),
        Scalar::Bool(value) => mix(key, u64::from(value)),
        Scalar::Text(value) => text(key, value),
    }
}

/// A text can equal the literal of a number or a truth only if it is one as well.
fn text(key: u64, text: &str) -> Term {
    match (float(text), truth(text)) {
        (Some(value), _) => number(key, value),
        (None, Some(value)) => mix(key, u64::from(value)),
        (None, None) => mix(key, hash(text)),
    }
}

/// Integers as floats: those that this makes the same are not many.
fn number(key: u64, value: f64) -> Term {
    // 0 and -0 are equal.
    mix(key, if value == 0.0 { 0 } else { value.to_bits() })
}

/// All bits of the result depend on all of both (the end of MurmurHash3).
fn mix(key: u64, value: u64) -> u64 {
    let mut hash = key.rotate_left(32) ^ value;
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// The terms of all values that must be equal for a filter to hold, but for interfaces.
pub(super) fn terms(root: &Node) -> Box<[Term]> {
    let nodes = match root {
        Node::All(nodes) => nodes,
        other => std::slice::from_ref(other),
    };
    let term = |node: &Node| match node {
        Node::Clause(Clause { key, test: Test::Equal(value) })
            if !key.as_str().eq_ignore_ascii_case(OBJECT_CLASS) =>
        {
            Some(text(key.hash(), &value.text))
        }
        _ => None,
    };
    nodes.iter().filter_map(term).collect()
}

impl Filter {
    /// As [`terms`] found them when it was compiled.
    pub(in super::super) fn terms(&self) -> &[Term] {
        &self.terms
    }
}
