//! What a method takes and returns, in words, and whether two sides agree about it.
//!
//! A method is described as if it were an enum of what travels, in the grammar of schema texts:
//!
//! ```text
//! submit<arguments=0{order:Order{…}#48/8}|result=1{0:Ack{…}#16/8}|error=2{0:Refusal<…>#1/1}>#0/1
//! ```
//!
//! so that a difference has a path: `arguments.order.px`. Instead of `result` there is `stream` for a
//! stream of them, and `none` for a method without an answer. An argument `&str` is `utf8`, and a
//! row `&[T]` an array of no stated length, `[T;0]`: neither stands so in a message.

use super::Service;
use std::fmt;
use strait_ipc::calls::Outcome;
use strait_ipc::message::{
    Difference, Fingerprint, Message, Plain, SchemaText, compare as compare_texts,
};
use thiserror::Error;

/// A method of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its number: what it is known by to others.
    pub id: u16,
    /// Its name.
    pub name: &'static str,
    /// Whether nobody waits for it.
    pub one_way: bool,
    /// What it takes and returns.
    pub text: &'static str,
    /// Stands for the text.
    pub hash: u64,
}

impl Method {
    /// A method with that description.
    #[must_use]
    pub const fn new(id: u16, name: &'static str, one_way: bool, text: &'static str) -> Self {
        Self { id, name, one_way, text, hash: hash(&[text]) }
    }
}

/// 64 bits that stand for texts.
#[allow(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
pub(super) const fn hash(texts: &[&str]) -> u64 {
    let mut folded = 0_u64;
    let mut index = 0;
    while index < texts.len() {
        let bits = Fingerprint::of(texts[index]).bits();
        folded = folded.rotate_left(1) ^ (bits >> 64) as u64 ^ bits as u64;
        index += 1;
    }
    folded
}

/// A description of a method under construction, at compile time.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    text: SchemaText,
    arguments: bool,
}

impl Signature {
    /// Of the method `name`.
    #[must_use]
    pub const fn new(name: &str) -> Self {
        let mut text = SchemaText::new();
        text.push(name);
        text.push("<arguments=0");
        Self { text, arguments: false }
    }

    /// Takes a message.
    #[must_use]
    pub const fn message<T: Message>(self, name: &str) -> Self {
        self.argument(name, &T::TEXT)
    }

    /// Takes a plain value.
    #[must_use]
    pub const fn plain<T: Plain + Message>(self, name: &str) -> Self {
        self.argument(name, &T::TEXT)
    }

    /// Takes plain values in a row.
    #[must_use]
    pub const fn slice<T: Plain + Message>(self, name: &str) -> Self {
        let mut row = SchemaText::new();
        row.push("[");
        row.push_type(&T::TEXT);
        row.push(";0]");
        self.argument(name, &row)
    }

    /// Takes text.
    #[must_use]
    pub const fn text(self, name: &str) -> Self {
        let mut text = SchemaText::new();
        text.push("utf8");
        self.argument(name, &text)
    }

    const fn argument(mut self, name: &str, described: &SchemaText) -> Self {
        if !self.arguments {
            self.text.push("{");
            self.arguments = true;
        }
        self.text.push_field(name, described, None);
        self
    }

    /// Answers with a `T` or an `E`.
    #[must_use]
    pub const fn returns<T: Outcome, E: Outcome>(mut self) -> SchemaText {
        self.end_of_arguments();
        self.text.push("|result=1");
        self.outcome::<T>();
        if E::TEXT.is_some() {
            self.text.push("|error=2");
            self.outcome::<E>();
        }
        self.finish()
    }

    /// Answers with a stream of `T`.
    #[must_use]
    pub const fn streams<T: Message>(mut self) -> SchemaText {
        self.end_of_arguments();
        self.text.push("|stream=1");
        self.outcome::<T>();
        self.finish()
    }

    /// Does not answer.
    #[must_use]
    pub const fn one_way(mut self) -> SchemaText {
        self.end_of_arguments();
        self.text.push("|none=1");
        self.finish()
    }

    const fn end_of_arguments(&mut self) {
        if self.arguments {
            self.text.push("}");
        }
    }

    const fn outcome<T: Outcome>(&mut self) {
        if let Some(described) = &T::TEXT {
            self.text.push("{0:");
            self.text.push_type(described);
            self.text.push("}");
        }
    }

    /// A method takes no room: a layout is only what the grammar asks for.
    const fn finish(mut self) -> SchemaText {
        self.text.push(">#0/1");
        self.text
    }
}

/// `version;id:hash,id:hash…`, with hashes of 16 hexadecimal digits.
pub(super) const fn summary(version: u32, methods: &[Method]) -> SchemaText {
    let mut text = SchemaText::new();
    text.push_number(version as i128);
    text.push(";");
    let mut index = 0;
    while index < methods.len() {
        if index > 0 {
            text.push(",");
        }
        text.push_number(methods[index].id as i128);
        text.push(":");
        let mut digits = 16;
        while digits > 0 {
            digits -= 1;
            let digit = (methods[index].hash >> (4 * digits)) & 0xf;
            text.push("0123456789abcdef".split_at(digit as usize).1.split_at(1).0);
        }
        index += 1;
    }
    text
}

/// Why a service is not the one that a client was compiled for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Incompatible {
    /// No summary.
    #[error("what it says of its methods is none that Strait writes")]
    Unreadable,
    /// It means something else.
    #[error("it is version {there} there, and {here} here")]
    Version {
        /// The client's version.
        here: u32,
        /// The service's version.
        there: u32,
    },
    /// It is older than the client.
    #[error("it has no method {id}, `{name}`: it is older than this program")]
    Missing {
        /// The number of the method.
        id: u16,
        /// Its name here.
        name: &'static str,
    },
    /// It takes or returns something else.
    #[error("method {id}, `{name}`, is not the same{}", because(.difference.as_ref()))]
    Differs {
        /// The number of the method.
        id: u16,
        /// Its name here.
        name: &'static str,
        /// What sets it apart, if the service could be asked.
        difference: Option<Difference>,
    },
}

fn because(difference: Option<&Difference>) -> impl fmt::Display {
    difference.map_or(String::new(), |difference| format!(": {difference}"))
}

/// Whether a service with that summary may be called as an `S`. It may have more methods.
///
/// `describe` gives the service's text of a method that differs, if it can be had.
///
/// # Errors
///
/// What sets them apart.
pub fn compare<S: Service + ?Sized>(
    theirs: &str,
    describe: impl FnOnce(u16) -> Option<String>,
) -> Result<(), Incompatible> {
    if theirs == S::SUMMARY {
        return Ok(());
    }
    let (version, methods) = parse(theirs).ok_or(Incompatible::Unreadable)?;
    if version != S::VERSION {
        return Err(Incompatible::Version { here: S::VERSION, there: version });
    }
    for &Method { id, name, hash, text, .. } in S::METHODS {
        let Some(&(_, there)) = methods.iter().find(|(there, _)| *there == id) else {
            return Err(Incompatible::Missing { id, name });
        };
        if there != hash {
            let difference = describe(id).and_then(|there| compare_texts(text, &there).err());
            return Err(Incompatible::Differs { id, name, difference });
        }
    }
    Ok(())
}

/// Version and methods of a summary.
fn parse(summary: &str) -> Option<(u32, Vec<(u16, u64)>)> {
    let (version, methods) = summary.split_once(';')?;
    let method = |method: &str| {
        let (id, hash) = method.split_once(':')?;
        Some((id.parse().ok()?, u64::from_str_radix(hash, 16).ok()?))
    };
    let methods = methods.split(',').map(method).collect::<Option<_>>()?;
    Some((version.parse().ok()?, methods))
}
