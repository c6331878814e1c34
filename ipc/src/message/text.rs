//! The description of a type, built at compile time.
//!
//! ```text
//! type     = core [layout]
//! layout   = "#" size "/" alignment            of the archived type, in bytes
//! core     = word                              u64, f32, bool, char, string, str
//!          | "[" type "]"                      a vector
//!          | "[" type ";" length "]"           an array
//!          | "(" type { "," type } ")"         a tuple
//!          | "option(" type ")" | "box(" type ")"
//!          | "^"                               the named type this is written in
//!          | name "{" [field { "," field}] "}"        a struct; always with a layout
//!          | name "<" variant { "|" variant } ">"     an enum; always with a layout
//! field    = name ":" type ["@" offset]        offsets are stated for structs
//! variant  = name "=" discriminant ["{" field { "," field } "}"]
//! ```
//!
//! The layout of anything that is not a struct or enum is stated only where a build departs from
//! the usual one, so equal texts mean equal layouts: every other layout follows from its parts.

/// The longest schema text, in bytes; a channel's entry in its segment reserves this much.
pub const SCHEMA_BYTES: usize = 2048;

/// A schema text under construction, at compile time.
///
/// Every `push` method fails to compile where the text would exceed [`SCHEMA_BYTES`].
#[derive(Clone, Copy)]
pub struct SchemaText {
    bytes: [u8; SCHEMA_BYTES],
    len: usize,
}

impl SchemaText {
    /// An empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; SCHEMA_BYTES], len: 0 }
    }

    /// The description of a type that is known by a word, whose archive is an `Archived`, and
    /// which takes `size` bytes aligned to `align` unless a build departs from the usual.
    #[must_use]
    pub const fn word<Archived>(name: &str, size: usize, align: usize) -> Self {
        let mut text = Self::new();
        text.push(name);
        text.push_unusual_layout::<Archived>(size, align);
        text
    }

    /// The text so far.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => panic!("only whole strings are pushed"),
        }
    }

    /// Appends `text`.
    pub const fn push(&mut self, text: &str) {
        let added = text.as_bytes();
        assert!(
            added.len() <= SCHEMA_BYTES - self.len,
            "the schema of this message exceeds 2048 bytes: shorten names, or split the type"
        );
        let free = self.bytes.split_at_mut(self.len).1;
        free.split_at_mut(added.len()).0.copy_from_slice(added);
        self.len += added.len();
    }

    /// Appends the description of another type.
    pub const fn push_type(&mut self, described: &Self) {
        self.push(described.as_str());
    }

    /// Appends a number in decimal.
    pub const fn push_number(&mut self, number: i128) {
        if number < 0 {
            self.push("-");
        }
        const DIGITS: &str = "0123456789";
        let magnitude = number.unsigned_abs();
        let mut unit = 1;
        while magnitude / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            let digit = (magnitude / unit % 10) as usize;
            self.push(DIGITS.split_at(digit).1.split_at(1).0);
            unit /= 10;
        }
    }

    /// Appends a field: its name, its type, and its offset in `struct`s.
    pub const fn push_field(&mut self, name: &str, described: &Self, offset: Option<usize>) {
        self.separate("{", ",");
        self.push(name);
        self.push(":");
        self.push_type(described);
        if let Some(offset) = offset {
            self.push("@");
            self.push_number(offset as i128);
        }
    }

    /// Appends the name and discriminant of an enum's variant.
    pub const fn push_variant(&mut self, name: &str, discriminant: i128) {
        self.separate("<", "|");
        self.push(name);
        self.push("=");
        self.push_number(discriminant);
    }

    /// Appends the layout of an archived struct or enum.
    pub const fn push_layout<Archived>(&mut self) {
        self.push("#");
        self.push_number(size_of::<Archived>() as i128);
        self.push("/");
        self.push_number(align_of::<Archived>() as i128);
    }

    /// Appends a layout if it is not the usual one.
    pub const fn push_unusual_layout<Archived>(&mut self, size: usize, align: usize) {
        if size_of::<Archived>() != size || align_of::<Archived>() != align {
            self.push_layout::<Archived>();
        }
    }

    /// Appends `separator` unless the text ends with `opening`.
    const fn separate(&mut self, opening: &str, separator: &str) {
        if self.len > 0 && self.bytes[self.len - 1] != opening.as_bytes()[0] {
            self.push(separator);
        }
    }
}

impl Default for SchemaText {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for SchemaText {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("SchemaText").field(&self.as_str()).finish()
    }
}
