//! Reading a schema text that comes from elsewhere, such as a segment anybody may have written.
//!
//! Input is bounded in length and depth, names are letters, digits and underscores only, and what
//! does not follow the grammar of [`text`](super::text) is refused with its position.

use std::fmt;

use super::SCHEMA_BYTES;

/// How deep types may nest in a text that is read.
const MAX_DEPTH: usize = 64;

/// A described type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type<'a> {
    /// What it is.
    pub shape: Shape<'a>,
    /// Its archived layout, where the text states it: always for structs and enums.
    pub layout: Option<Layout>,
}

/// What a described type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape<'a> {
    /// A number, `bool`, `char`, `string` or `str`.
    Word(&'a str),
    /// The named type around it.
    SelfReference,
    /// A vector.
    List(Box<Type<'a>>),
    /// An array and its length.
    Array(Box<Type<'a>>, u64),
    /// A tuple.
    Tuple(Vec<Type<'a>>),
    /// An option.
    Optional(Box<Type<'a>>),
    /// A box.
    Boxed(Box<Type<'a>>),
    /// A struct.
    Struct {
        /// Its name.
        name: &'a str,
        /// Its fields, with offsets.
        fields: Vec<Field<'a>>,
    },
    /// An enum.
    Enum {
        /// Its name.
        name: &'a str,
        /// Its variants.
        variants: Vec<Variant<'a>>,
    },
}

/// A field of a struct or of an enum's variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, or its number in a tuple struct or variant.
    pub name: &'a str,
    /// Its type.
    pub ty: Type<'a>,
    /// Its offset in the archived struct, in bytes. `None` in variants.
    pub offset: Option<u64>,
}

/// A variant of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its discriminant.
    pub discriminant: i128,
    /// Its fields.
    pub fields: Vec<Field<'a>>,
}

/// Size and alignment of an archived type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Bytes it takes.
    pub size: u64,
    /// Its alignment, in bytes.
    pub align: u64,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes aligned to {}", self.size, self.align)
    }
}

/// As one would write it, with structs and enums by name.
impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Word(name) | Shape::Struct { name, .. } | Shape::Enum { name, .. } => {
                f.write_str(name)?;
            }
            Shape::SelfReference => f.write_str("Self")?,
            Shape::List(element) => write!(f, "[{element}]")?,
            Shape::Array(element, length) => write!(f, "[{element}; {length}]")?,
            Shape::Optional(value) => write!(f, "option({value})")?,
            Shape::Boxed(value) => write!(f, "box({value})")?,
            Shape::Tuple(members) => {
                for (index, member) in members.iter().enumerate() {
                    write!(f, "{}{member}", if index == 0 { "(" } else { ", " })?;
                }
                f.write_str(")")?;
            }
        }
        match (&self.shape, self.layout) {
            (Shape::Struct { .. } | Shape::Enum { .. }, _) | (_, None) => Ok(()),
            (_, Some(layout)) => write!(f, " ({layout})"),
        }
    }
}

/// A text does not follow the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The byte at which reading stopped.
    pub at: usize,
}

/// The name of the type a schema text describes; `unnamed` if it is neither a struct, an enum nor
/// a primitive.
#[must_use]
pub fn type_name(schema: &str) -> &str {
    let bounded = schema.char_indices().take(SCHEMA_BYTES);
    let end = bounded.take_while(|&(_, c)| is_name(c)).map(|(at, c)| at + c.len_utf8()).last();
    end.map_or("unnamed", |end| &schema[..end])
}

/// Reads a schema text.
///
/// # Errors
///
/// [`Unreadable`] for whatever no build of Strait writes.
pub fn parse(schema: &str) -> Result<Type<'_>, Unreadable> {
    if schema.len() > SCHEMA_BYTES {
        return Err(Unreadable { at: SCHEMA_BYTES });
    }
    let mut parser = Parser { rest: schema, len: schema.len(), depth: 0 };
    let ty = parser.ty()?;
    if parser.rest.is_empty() { Ok(ty) } else { Err(parser.here()) }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Parser<'a> {
    rest: &'a str,
    len: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn here(&self) -> Unreadable {
        Unreadable { at: self.len - self.rest.len() }
    }

    fn ty(&mut self) -> Result<Type<'a>, Unreadable> {
        if self.depth == MAX_DEPTH {
            return Err(self.here());
        }
        self.depth += 1;
        let shape = self.shape()?;
        self.depth -= 1;
        let layout = self.layout()?;
        if matches!(shape, Shape::Struct { .. } | Shape::Enum { .. }) && layout.is_none() {
            return Err(self.here());
        }
        Ok(Type { shape, layout })
    }

    fn shape(&mut self) -> Result<Shape<'a>, Unreadable> {
        if self.take("^") {
            return Ok(Shape::SelfReference);
        }
        if self.take("[") {
            let element = Box::new(self.ty()?);
            if !self.take(";") {
                self.expect("]")?;
                return Ok(Shape::List(element));
            }
            let length = self.number()?;
            self.expect("]")?;
            return Ok(Shape::Array(element, length));
        }
        if self.take("(") {
            return Ok(Shape::Tuple(self.list(",", ")", Self::ty)?));
        }
        if self.take("option(") {
            let value = Box::new(self.ty()?);
            self.expect(")")?;
            return Ok(Shape::Optional(value));
        }
        if self.take("box(") {
            let value = Box::new(self.ty()?);
            self.expect(")")?;
            return Ok(Shape::Boxed(value));
        }
        let name = self.name()?;
        if self.take("{") {
            let fields = self.list(",", "}", |parser| parser.field(true))?;
            return Ok(Shape::Struct { name, fields });
        }
        if self.take("<") {
            let variants = self.list("|", ">", Self::variant)?;
            return Ok(Shape::Enum { name, variants });
        }
        Ok(Shape::Word(name))
    }

    fn field(&mut self, in_struct: bool) -> Result<Field<'a>, Unreadable> {
        let name = self.name()?;
        self.expect(":")?;
        let ty = self.ty()?;
        let offset = if in_struct {
            self.expect("@")?;
            Some(self.number()?)
        } else {
            None
        };
        Ok(Field { name, ty, offset })
    }

    fn variant(&mut self) -> Result<Variant<'a>, Unreadable> {
        let name = self.name()?;
        self.expect("=")?;
        let negative = self.take("-");
        let magnitude = i128::from(self.number()?);
        let discriminant = if negative { -magnitude } else { magnitude };
        let fields = if self.take("{") {
            self.list(",", "}", |parser| parser.field(false))?
        } else {
            Vec::new()
        };
        Ok(Variant { name, discriminant, fields })
    }

    fn layout(&mut self) -> Result<Option<Layout>, Unreadable> {
        if !self.take("#") {
            return Ok(None);
        }
        let size = self.number()?;
        self.expect("/")?;
        let align = self.number()?;
        Ok(Some(Layout { size, align }))
    }

    /// One or more items up to and including `closing`.
    fn list<T>(
        &mut self,
        separator: &str,
        closing: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let mut items = vec![item(self)?];
        while self.take(separator) {
            items.push(item(self)?);
        }
        self.expect(closing)?;
        Ok(items)
    }

    fn name(&mut self) -> Result<&'a str, Unreadable> {
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(self.here());
        }
        self.rest = rest;
        Ok(name)
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number = digits.parse().map_err(|_| self.here())?;
        self.rest = rest;
        Ok(number)
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), Unreadable> {
        if self.take(token) { Ok(()) } else { Err(self.here()) }
    }
}
