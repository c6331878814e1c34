//! A filter against properties.

use super::super::properties::{Properties, Scalar};
use super::super::same::same;
use super::{Clause, Literal, Node, Test};
use std::cmp::Ordering;

impl Node {
    /// As deep as the filter is nested, which [`MAX_DEPTH`](super::MAX_DEPTH) bounds.
    pub(super) fn matches(&self, properties: &Properties) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(properties)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(properties)),
            Self::Not(node) => !node.matches(properties),
            Self::Clause(clause) => clause.matches(properties),
        }
    }
}

impl Clause {
    #[inline]
    fn matches(&self, properties: &Properties) -> bool {
        let Some(value) = properties.get_hashed(self.key.hash(), self.key.as_str()) else {
            return false;
        };
        match &self.test {
            Test::Present => true,
            Test::Equal(literal) => value.any(|scalar| literal.equals(scalar)),
            Test::Similar(literal, text) => value.any(|scalar| match scalar {
                Scalar::Text(value) => similar(value).eq(text.chars()),
                _ => literal.equals(scalar),
            }),
            Test::AtLeast(literal) => value.any(|scalar| literal.order(scalar, Ordering::is_ge)),
            Test::AtMost(literal) => value.any(|scalar| literal.order(scalar, Ordering::is_le)),
            Test::Pieces(pieces) => value.any(|scalar| match scalar {
                Scalar::Text(text) => has_pieces(text, pieces),
                _ => false,
            }),
        }
    }
}

impl Literal {
    #[inline]
    fn equals(&self, scalar: Scalar<'_>) -> bool {
        match scalar {
            Scalar::Text(value) => same(value, &self.text),
            Scalar::Integer(value) => self.integer == Some(value),
            Scalar::Float(value) => self.float == Some(value),
            Scalar::Bool(value) => self.bool == Some(value),
        }
    }

    /// Whether the value's order against this is as asked for. Truths have none: they must be equal.
    fn order(&self, scalar: Scalar<'_>, is: fn(Ordering) -> bool) -> bool {
        match scalar {
            Scalar::Text(value) => is(value.cmp(&self.text)),
            Scalar::Integer(value) => self.integer.is_some_and(|literal| is(value.cmp(&literal))),
            Scalar::Float(value) => {
                self.float.and_then(|literal| value.partial_cmp(&literal)).is_some_and(is)
            }
            Scalar::Bool(value) => self.bool == Some(value),
        }
    }
}

/// A text without white space, in lower case.
pub(super) fn similar(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|char| !char.is_whitespace()).flat_map(char::to_lowercase)
}

/// Whether a text begins with the first piece, ends with the last, and has the others between, in
/// turn. Each is taken where it is first found, which leaves most to the others: no step is undone.
fn has_pieces(text: &str, pieces: &[Box<str>]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let Some(rest) = text.strip_prefix(&**first).and_then(|text| text.strip_suffix(&**last)) else {
        return false;
    };
    let after = |rest: &str, piece: &str| rest.find(piece).map(|at| at + piece.len());
    let mut rest = rest;
    for piece in middle {
        let Some(at) = after(rest, piece) else { return false };
        rest = &rest[at..];
    }
    true
}
