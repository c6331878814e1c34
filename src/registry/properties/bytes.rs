//! Properties as bytes, for shared memory: short, bounded, and read with suspicion.
//!
//! ```text
//!  ┌───────────┬─────────┬─────┬──────┬───────┬─────────┬───
//!  │ count: 16 │ len: 8  │ key │ kind │ value │ len: 8  │ …       all numbers little-endian
//!  └───────────┴─────────┴─────┴──────┴───────┴─────────┴───
//!  value   integer, float: 8 bytes; bool: 1; text: its length (32 bits) and its bytes
//!          list (kind + 4): how many (32 bits), and that many values
//! ```

use super::{Key, MAX_BYTES, Properties, PropertyError, Value};

/// Bytes before the first entry.
pub(super) const HEAD: usize = 2;

const LIST: u8 = 4;

/// Something that can stand in a list, and by itself.
trait Element: Sized {
    const KIND: u8;

    fn length(&self) -> usize;
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Reader<'_>) -> Result<Self, PropertyError>;
}

impl Element for i64 {
    const KIND: u8 = 0;

    fn length(&self) -> usize {
        8
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, PropertyError> {
        from.array("an integer").map(i64::from_le_bytes)
    }
}

impl Element for f64 {
    const KIND: u8 = 1;

    fn length(&self) -> usize {
        8
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, PropertyError> {
        from.array("a float").map(f64::from_le_bytes)
    }
}

impl Element for bool {
    const KIND: u8 = 2;

    fn length(&self) -> usize {
        1
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, PropertyError> {
        match from.peek() {
            Some(bit @ 0..=1) => {
                from.at += 1;
                Ok(bit == 1)
            }
            _ => Err(from.damaged("0 or 1")),
        }
    }
}

impl Element for String {
    const KIND: u8 = 3;

    fn length(&self) -> usize {
        4 + self.len()
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        out.extend(self.as_bytes());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, PropertyError> {
        let length = from.count()?;
        from.text(length).map(str::to_owned)
    }
}

/// `MAX_BYTES` keeps all counts far below 2³².
#[allow(clippy::cast_possible_truncation)]
fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend((count as u32).to_le_bytes());
}

fn put_one<E: Element>(value: &E, out: &mut Vec<u8>) {
    out.push(E::KIND);
    value.put(out);
}

fn put_list<E: Element>(values: &[E], out: &mut Vec<u8>) {
    out.push(E::KIND + LIST);
    put_count(values.len(), out);
    values.iter().for_each(|value| value.put(out));
}

fn list_length<E: Element>(values: &[E]) -> usize {
    values.iter().fold(4, |sum, value| sum + value.length())
}

/// How many bytes an entry takes.
pub(super) fn length(key: &Key, value: &Value) -> usize {
    let value = match value {
        Value::Integer(value) => value.length(),
        Value::Float(value) => value.length(),
        Value::Bool(value) => value.length(),
        Value::Text(value) => value.length(),
        Value::Integers(values) => list_length(values),
        Value::Floats(values) => list_length(values),
        Value::Bools(values) => list_length(values),
        Value::Texts(values) => list_length(values),
    };
    1 + key.as_str().len() + 1 + value
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn damaged(&self, expected: &'static str) -> PropertyError {
        PropertyError::Damaged { at: self.at, expected }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], PropertyError> {
        let rest = &self.bytes[self.at..];
        let array = *rest.first_chunk().ok_or_else(|| self.damaged(what))?;
        self.at += N;
        Ok(array)
    }

    fn count(&mut self) -> Result<usize, PropertyError> {
        // The machine has 64 bits.
        Ok(u32::from_le_bytes(self.array("a count")?) as usize)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, PropertyError> {
        let rest = &self.bytes[self.at..];
        let bytes = rest.get(..length).ok_or_else(|| self.damaged("as many bytes as counted"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged("text in UTF-8"))?;
        self.at += length;
        Ok(text)
    }

    fn list<E: Element>(&mut self) -> Result<Vec<E>, PropertyError> {
        let count = self.count()?;
        // Nothing is reserved for a count that nobody has checked.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(E::take(self)?);
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<Value, PropertyError> {
        let [kind] = self.array("a kind of value")?;
        Ok(match kind {
            i64::KIND => Value::Integer(i64::take(self)?),
            f64::KIND => Value::Float(f64::take(self)?),
            bool::KIND => Value::Bool(bool::take(self)?),
            String::KIND => Value::Text(String::take(self)?),
            4 => Value::Integers(self.list()?),
            5 => Value::Floats(self.list()?),
            6 => Value::Bools(self.list()?),
            7 => Value::Texts(self.list()?),
            _ => {
                self.at -= 1;
                return Err(self.damaged("a kind of value, 0 to 7"));
            }
        })
    }
}

impl Properties {
    /// As bytes, at most [`MAX_BYTES`], from which [`from_bytes`](Self::from_bytes) makes the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.bytes);
        // `MAX_BYTES` bounds the entries' number below 2¹⁶, and `MAX_KEY` the length of a key below 2⁸.
        #[allow(clippy::cast_possible_truncation)]
        out.extend((self.len() as u16).to_le_bytes());
        for (key, value) in self.iter() {
            #[allow(clippy::cast_possible_truncation)]
            out.push(key.len() as u8);
            out.extend(key.as_bytes());
            match value {
                Value::Integer(value) => put_one(value, &mut out),
                Value::Float(value) => put_one(value, &mut out),
                Value::Bool(value) => put_one(value, &mut out),
                Value::Text(value) => put_one(value, &mut out),
                Value::Integers(values) => put_list(values, &mut out),
                Value::Floats(values) => put_list(values, &mut out),
                Value::Bools(values) => put_list(values, &mut out),
                Value::Texts(values) => put_list(values, &mut out),
            }
        }
        out
    }

    /// What [`to_bytes`](Self::to_bytes) wrote. No bytes do harm, whoever wrote them; nothing is
    /// allocated beyond what they could describe.
    ///
    /// # Errors
    ///
    /// [`PropertyError`] says what is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PropertyError> {
        if bytes.len() > MAX_BYTES {
            let expected = "the end of the longest properties there may be";
            return Err(PropertyError::Damaged { at: MAX_BYTES, expected });
        }
        let mut reader = Reader { bytes, at: 0 };
        let mut properties = Self::new();
        for _ in 0..u16::from_le_bytes(reader.array("the number of properties")?) {
            let [length] = reader.array("the length of a key")?;
            let key = reader.text(usize::from(length))?;
            properties.insert(key, reader.value()?)?;
        }
        if reader.at < bytes.len() {
            return Err(reader.damaged("the end"));
        }
        Ok(properties)
    }
}
