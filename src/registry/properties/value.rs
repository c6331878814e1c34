//! Values, and from what they are made.

use std::fmt;

/// What a property may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Characters.
    Text(String),
    /// Several whole numbers.
    Integers(Vec<i64>),
    /// Several numbers with fractions.
    Floats(Vec<f64>),
    /// Several truths.
    Bools(Vec<bool>),
    /// Several texts.
    Texts(Vec<String>),
}

/// A value by itself, or one of a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
}

impl Value {
    /// Whether `test` holds of the value, or of any of the list.
    #[inline]
    pub(crate) fn any<'a>(&'a self, mut test: impl FnMut(Scalar<'a>) -> bool) -> bool {
        match self {
            Self::Integer(value) => test(Scalar::Integer(*value)),
            Self::Float(value) => test(Scalar::Float(*value)),
            Self::Bool(value) => test(Scalar::Bool(*value)),
            Self::Text(value) => test(Scalar::Text(value)),
            Self::Integers(values) => values.iter().any(|value| test(Scalar::Integer(*value))),
            Self::Floats(values) => values.iter().any(|value| test(Scalar::Float(*value))),
            Self::Bools(values) => values.iter().any(|value| test(Scalar::Bool(*value))),
            Self::Texts(values) => values.iter().any(|value| test(Scalar::Text(value))),
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

macro_rules! values {
    ($($variant:ident: $($from:ty),+;)+) => {
        $($(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })+)+
    };
}

values! {
    Integer: i64, i32, i16, i8, u32, u16, u8;
    Float: f64, f32;
    Bool: bool;
    Text: String, &str;
    Integers: Vec<i64>, &[i64];
    Floats: Vec<f64>, &[f64];
    Bools: Vec<bool>, &[bool];
    Texts: Vec<String>;
}

impl From<&[&str]> for Value {
    fn from(values: &[&str]) -> Self {
        Self::Texts(values.iter().map(|value| (*value).to_owned()).collect())
    }
}

impl<T, const N: usize> From<[T; N]> for Value
where
    Value: for<'a> From<&'a [T]>,
{
    fn from(values: [T; N]) -> Self {
        Self::from(values.as_slice())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        let mut result = Ok(());
        // Nothing is looked for: an error ends the walk.
        self.any(|value| {
            result = f.write_str(between).and_then(|()| match value {
                Scalar::Integer(value) => write!(f, "{value}"),
                Scalar::Float(value) => write!(f, "{value:?}"),
                Scalar::Bool(value) => write!(f, "{value}"),
                Scalar::Text(value) => f.write_str(value),
            });
            between = ", ";
            result.is_err()
        });
        result
    }
}
