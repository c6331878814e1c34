//! From text to a filter, or to an error that says where.

use super::super::properties::Key;
use super::matching::similar;
use super::{Clause, Literal, MAX_DEPTH, Node, Test};
use std::fmt;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {position} of the filter, {expected} was expected, not {found}")]
pub struct FilterError {
    /// Where in the text, in bytes from 0.
    pub position: usize,
    /// What could have stood there.
    pub expected: &'static str,
    /// What stands there.
    pub found: Found,
}

/// What stands where something else was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A character.
    Char(char),
    /// Nothing.
    End,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(char) => write!(f, "`{}`", char.escape_debug()),
            Self::End => f.write_str("the end"),
        }
    }
}

/// What may stand around keys and between filters.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Reads a text from left to right.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// The nodes of a list that is not closed yet.
struct Open {
    sign: char,
    nodes: Vec<Node>,
}

pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser { text, at: 0 };
    // What is open lies here and not on the stack, which hostile text could exhaust.
    let mut open: Vec<Open> = Vec::new();
    loop {
        parser.skip_space();
        let mut node = match parser.peek() {
            Some('(') => {
                if open.len() == MAX_DEPTH {
                    return Err(parser.error("no filter nested so deep"));
                }
                parser.at += 1;
                parser.skip_space();
                if let Some(sign @ ('&' | '|' | '!')) = parser.peek() {
                    parser.at += 1;
                    open.push(Open { sign, nodes: Vec::new() });
                    continue;
                }
                let node = Node::Clause(parser.clause()?);
                parser.close("`)`")?;
                node
            }
            _ => return Err(parser.error("`(`")),
        };
        // The node may be the last of a list, which then may be the last of another.
        loop {
            parser.skip_space();
            let Some(mut list) = open.pop() else {
                return parser.peek().map_or(Ok(node), |_| Err(parser.error("the end")));
            };
            if list.sign == '!' {
                parser.close("the `)` after what is negated")?;
                node = Node::Not(Box::new(node));
                continue;
            }
            list.nodes.push(node);
            if parser.peek() == Some('(') {
                open.push(list);
                break;
            }
            parser.close("another `(` or the `)` of the list")?;
            let nodes = list.nodes.into_boxed_slice();
            node = if list.sign == '&' { Node::All(nodes) } else { Node::Any(nodes) };
        }
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn error(&self, expected: &'static str) -> FilterError {
        let found = self.peek().map_or(Found::End, Found::Char);
        FilterError { position: self.at, expected, found }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(SPACE).len();
    }

    fn close(&mut self, expected: &'static str) -> Result<(), FilterError> {
        if self.peek() != Some(')') {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn clause(&mut self) -> Result<Clause, FilterError> {
        let start = self.at;
        let rest = &self.text[start..];
        let end = rest.find(['=', '<', '>', '~', '(', ')', '*', '\\']).unwrap_or(rest.len());
        let key = Key::new(rest[..end].trim_matches(SPACE))
            .map_err(|_| self.error("a key, or one of `& | !`"))?;
        self.at += end;
        let sign = match self.peek() {
            Some('=') => '=',
            Some(sign @ ('~' | '>' | '<')) => {
                self.at += 1;
                if self.peek() != Some('=') {
                    return Err(self.error("`=`"));
                }
                sign
            }
            _ => return Err(self.error("`=`, `~=`, `>=` or `<=`")),
        };
        self.at += 1;
        let test = self.test(sign)?;
        Ok(Clause { key, test })
    }

    fn test(&mut self, sign: char) -> Result<Test, FilterError> {
        let mut pieces = vec![self.piece()?];
        while self.peek() == Some('*') {
            if sign != '=' {
                return Err(self.error("`\\*` (a bare one is for `=` alone)"));
            }
            self.at += self.text[self.at..].bytes().take_while(|byte| *byte == b'*').count();
            pieces.push(self.piece()?);
        }
        if let [piece] = pieces.as_slice() {
            let literal = Literal::new(piece);
            return Ok(match sign {
                '~' => Test::Similar(literal, similar(piece).collect::<String>().into()),
                '>' => Test::AtLeast(literal),
                '<' => Test::AtMost(literal),
                _ => Test::Equal(literal),
            });
        }
        if pieces.iter().all(String::is_empty) {
            return Ok(Test::Present);
        }
        Ok(Test::Pieces(pieces.into_iter().map(Into::into).collect()))
    }

    /// A value up to `*`, `)` or the end, without its escapes.
    fn piece(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mut bytes = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['(', ')', '*', '\\']).unwrap_or(rest.len());
            bytes.extend(&rest.as_bytes()[..plain]);
            self.at += plain;
            match self.peek() {
                Some('\\') => bytes.push(self.escape()?),
                Some('(') => return Err(self.error("`)`, or `(` written as `\\(`")),
                _ => break,
            }
        }
        String::from_utf8(bytes).map_err(|_| {
            self.at = start;
            self.error("a value that is UTF-8 once its escapes are taken for bytes")
        })
    }

    fn escape(&mut self) -> Result<u8, FilterError> {
        self.at += 1;
        let expected = "one of `( ) * \\` or two hexadecimal digits";
        let digit = |at| {
            let digit = char::from(*self.text.as_bytes().get(at)?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (self.text.as_bytes().get(self.at), digit(self.at), digit(self.at + 1)) {
            (Some(byte @ (b'(' | b')' | b'*' | b'\\')), ..) => {
                self.at += 1;
                Ok(*byte)
            }
            (_, Some(high), Some(low)) => {
                self.at += 2;
                Ok(high << 4 | low)
            }
            _ => Err(self.error(expected)),
        }
    }
}
