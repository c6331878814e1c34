//! Filters on properties, as OSGi writes them (Core, chapter 3.2.7), compiled once.
//!
//! | module | what lives there |
//! |---|---|
//! | this one | what a filter is, and how it is written |
//! | `parse` | from text to a filter, or to an error that says where |
//! | `matching` | a filter against properties |
//! | `term` | what of a filter an index can answer |

mod matching;
mod parse;
mod term;

pub use parse::{FilterError, Found};
pub(super) use term::{OBJECT_CLASS, Term, term_of};

use super::properties::{Key, Properties};
use std::fmt;
use std::str::FromStr;

/// Filters nest at most so deep: what matches, prints and drops them goes down as far.
pub const MAX_DEPTH: usize = 32;

/// A filter on properties, as OSGi writes them.
///
/// | text | holds if a property … |
/// |---|---|
/// | `(venue=X)` | is that text, number, `true` or `false` |
/// | `(venue~=new york)` | is that, whatever the case of its letters and its white space |
/// | `(port>=4000)`, `(port<=5000)` | is not smaller, not greater: as a number, or as a text, by its characters |
/// | `(venue=*)` | is there |
/// | `(venue=X*Y*)` | is a text that begins with `X` and has a `Y` after it |
/// | `(&(a=1)(b=2))`, `(\|(a=1)(b=2))`, `(!(a=1))` | all, any, not |
///
/// Keys are the same in any case of their letters. What is compared with a number or a truth is taken
/// for one, without white space around it; if it is none, the clause does not hold. A list is what any
/// of its values is. In a value, `( ) * \` are written `\( \) \* \\`, or as two hexadecimal digits
/// each: `\28 \29 \2a \5c`. Several `*` in a row are one.
///
/// ```
/// use strait::props;
/// use strait::registry::Filter;
///
/// let filter: Filter = "(&(venue=X)(port>=4000))".parse()?;
/// assert!(filter.matches(&props! { "Venue" => "X", "port" => 4001 }));
/// assert!(!filter.matches(&props! { "venue" => "X", "port" => 80 }));
///
/// let error = "(&(venue=X)(port=80)".parse::<Filter>().unwrap_err();
/// assert_eq!(error.to_string(), "at byte 20 of the filter, another `(` or the `)` of the list was expected, not the end");
/// # Ok::<(), strait::registry::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    root: Node,
    /// What an index is asked for; it follows from the root.
    terms: Box<[Term]>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Clause(Clause),
}

#[derive(Clone, Debug)]
struct Clause {
    key: Key,
    test: Test,
}

impl PartialEq for Clause {
    fn eq(&self, other: &Self) -> bool {
        self.key.as_str() == other.key.as_str() && self.test == other.test
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Present,
    Equal(Literal),
    /// With the text without white space and in lower case.
    Similar(Literal, Box<str>),
    AtLeast(Literal),
    AtMost(Literal),
    /// What is between the `*`: the first may be empty, and the last.
    Pieces(Box<[Box<str>]>),
}

/// What a value is compared with, taken for whatever it can be.
#[derive(Clone, Debug)]
struct Literal {
    text: Box<str>,
    integer: Option<i64>,
    float: Option<f64>,
    bool: Option<bool>,
}

impl Literal {
    fn new(text: &str) -> Self {
        let integer = text.trim().parse().ok();
        Self { text: text.into(), integer, float: float(text), bool: truth(text) }
    }
}

/// The number that a text is, if any.
fn float(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// The truth that a text is, if any.
fn truth(text: &str) -> Option<bool> {
    let is = |word| text.trim().eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

/// The rest follows from the text.
impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Filter {
    /// Whether the properties are what it asks for.
    ///
    /// At most as many steps as the filter and the properties have characters, multiplied.
    #[inline]
    pub fn matches(&self, properties: &Properties) -> bool {
        self.root.matches(properties)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// # Errors
    ///
    /// [`FilterError`] says where in the text what was expected.
    fn from_str(text: &str) -> Result<Self, FilterError> {
        let root = parse::parse(text)?;
        Ok(Self { terms: term::terms(&root), root })
    }
}

/// A text that parses to the same filter.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, sign, nodes: &[Node]| {
            write!(f, "({sign}")?;
            nodes.iter().try_for_each(|node| node.fmt(f))?;
            f.write_str(")")
        };
        match self {
            Self::All(nodes) => list(f, '&', nodes),
            Self::Any(nodes) => list(f, '|', nodes),
            Self::Not(node) => write!(f, "(!{node})"),
            Self::Clause(Clause { key, test }) => write!(f, "({}{test})", key.as_str()),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present => f.write_str("=*"),
            Self::Equal(literal) => write!(f, "={}", Escaped(&literal.text)),
            Self::Similar(literal, _) => write!(f, "~={}", Escaped(&literal.text)),
            Self::AtLeast(literal) => write!(f, ">={}", Escaped(&literal.text)),
            Self::AtMost(literal) => write!(f, "<={}", Escaped(&literal.text)),
            Self::Pieces(pieces) => {
                let mut between = "=";
                for piece in pieces {
                    write!(f, "{between}{}", Escaped(piece))?;
                    between = "*";
                }
                Ok(())
            }
        }
    }
}

/// A text as it stands in a filter.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if matches!(char, '(' | ')' | '*' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{char}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
