//! Two schema texts, and the first thing that sets them apart.

use thiserror::Error;

use super::tree::{Field, Layout, Shape, Type, Unreadable, Variant, parse};

/// What sets the type a segment holds ("there") apart from this program's ("here").
///
/// Paths lead through nested types, such as `legs.qty`; an empty path is the message itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Difference {
    /// The text there is none that Strait writes.
    #[error("the schema there cannot be read from byte {at} on: the segment is damaged or foreign")]
    Unreadable {
        /// Position in the text.
        at: usize,
    },
    /// Another type, or another name.
    #[error("{} is `{here}` here but `{there}` there", subject(path))]
    Type {
        /// What differs.
        path: String,
        /// The type in this program.
        here: String,
        /// The type in the segment.
        there: String,
    },
    /// The same field in another place.
    #[error("field `{path}` moved from offset {there} there to {here} here")]
    Moved {
        /// The field.
        path: String,
        /// Its offset in this program, in bytes.
        here: u64,
        /// Its offset in the segment, in bytes.
        there: u64,
    },
    /// A field or variant that only this program has.
    #[error("{member} `{path}` is missing there")]
    Missing {
        /// Whether it is a field or a variant.
        member: Member,
        /// Its path.
        path: String,
    },
    /// A field or variant that only the segment has.
    #[error("extra {member} `{path}` there")]
    Extra {
        /// Whether it is a field or a variant.
        member: Member,
        /// Its path.
        path: String,
    },
    /// The same variant under another discriminant.
    #[error("variant `{path}` is {here} here but {there} there")]
    Renumbered {
        /// The variant.
        path: String,
        /// Its discriminant in this program.
        here: i128,
        /// Its discriminant in the segment.
        there: i128,
    },
    /// Equal parts that take another size or alignment.
    #[error("{} takes {here} here but {there} there", subject(path))]
    Layout {
        /// What differs.
        path: String,
        /// Its layout in this program.
        here: Layout,
        /// Its layout in the segment.
        there: Layout,
    },
}

/// A part of a type that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A field of a struct or variant.
    Field,
    /// A variant of an enum.
    Variant,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Field => "field",
            Self::Variant => "variant",
        })
    }
}

fn subject(path: &str) -> String {
    if path.is_empty() { "the message".into() } else { format!("field `{path}`") }
}

/// Compares the schema text this program expects with one found elsewhere.
///
/// `found` may be anything: it is never trusted beyond its characters.
///
/// # Errors
///
/// The first [`Difference`].
pub fn compare(expected: &str, found: &str) -> Result<(), Difference> {
    if expected == found {
        return Ok(());
    }
    let unreadable = |Unreadable { at }| Difference::Unreadable { at };
    let here = parse(expected).map_err(unreadable)?;
    let there = parse(found).map_err(unreadable)?;
    Path::default().types(&here, &there)?;
    // The same type, spelled in a way no build does, such as with leading zeros.
    let at = expected.bytes().zip(found.bytes()).take_while(|(a, b)| a == b).count();
    Err(Difference::Unreadable { at })
}

/// The way from the message to what is being compared.
#[derive(Default)]
struct Path<'a>(Vec<&'a str>);

impl<'a> Path<'a> {
    fn types(&mut self, here: &Type<'a>, there: &Type<'a>) -> Result<(), Difference> {
        match (&here.shape, &there.shape) {
            (
                Shape::Struct { name, fields },
                Shape::Struct { name: other_name, fields: other_fields },
            ) if name == other_name => self.fields(fields, other_fields)?,
            (
                Shape::Enum { name, variants },
                Shape::Enum { name: other_name, variants: other_variants },
            ) if name == other_name => self.variants(variants, other_variants)?,
            (Shape::List(element), Shape::List(other))
            | (Shape::Optional(element), Shape::Optional(other))
            | (Shape::Boxed(element), Shape::Boxed(other)) => self.types(element, other)?,
            (Shape::Array(element, length), Shape::Array(other, other_length))
                if length == other_length =>
            {
                self.types(element, other)?;
            }
            (Shape::Tuple(members), Shape::Tuple(others)) if members.len() == others.len() => {
                for (member, other) in members.iter().zip(others) {
                    self.types(member, other)?;
                }
            }
            (shape, other) if shape == other => {}
            _ => return Err(self.type_differs(here, there)),
        }
        match (here.layout, there.layout) {
            (here, there) if here == there => Ok(()),
            (Some(here), Some(there)) => {
                Err(Difference::Layout { path: self.to_string(), here, there })
            }
            _ => Err(self.type_differs(here, there)),
        }
    }

    fn fields(&mut self, here: &[Field<'a>], there: &[Field<'a>]) -> Result<(), Difference> {
        // Presence first: one field more moves all that follow, and it is the one to name.
        self.same_names(
            Member::Field,
            here.iter().map(|field| field.name).collect(),
            there.iter().map(|field| field.name).collect(),
        )?;
        for field in here {
            let Some(other) = there.iter().find(|other| other.name == field.name) else {
                continue;
            };
            self.0.push(field.name);
            self.types(&field.ty, &other.ty)?;
            if let (Some(here), Some(there)) = (field.offset, other.offset)
                && here != there
            {
                return Err(Difference::Moved { path: self.to_string(), here, there });
            }
            self.0.pop();
        }
        Ok(())
    }

    fn variants(&mut self, here: &[Variant<'a>], there: &[Variant<'a>]) -> Result<(), Difference> {
        self.same_names(
            Member::Variant,
            here.iter().map(|variant| variant.name).collect(),
            there.iter().map(|variant| variant.name).collect(),
        )?;
        for variant in here {
            let Some(other) = there.iter().find(|other| other.name == variant.name) else {
                continue;
            };
            self.0.push(variant.name);
            if variant.discriminant != other.discriminant {
                return Err(Difference::Renumbered {
                    path: self.to_string(),
                    here: variant.discriminant,
                    there: other.discriminant,
                });
            }
            self.fields(&variant.fields, &other.fields)?;
            self.0.pop();
        }
        Ok(())
    }

    fn same_names(
        &mut self,
        member: Member,
        here: Vec<&'a str>,
        there: Vec<&'a str>,
    ) -> Result<(), Difference> {
        if let Some(name) = here.iter().find(|name| !there.contains(name)) {
            self.0.push(name);
            return Err(Difference::Missing { member, path: self.to_string() });
        }
        if let Some(name) = there.iter().find(|name| !here.contains(name)) {
            self.0.push(name);
            return Err(Difference::Extra { member, path: self.to_string() });
        }
        Ok(())
    }

    fn type_differs(&self, here: &Type<'_>, there: &Type<'_>) -> Difference {
        Difference::Type {
            path: self.to_string(),
            here: here.to_string(),
            there: there.to_string(),
        }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
