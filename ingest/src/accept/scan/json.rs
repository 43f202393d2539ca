//! Pure. The top-level parameters of a JSON object, read piece by piece.
//!
//! Shell scripts and old clients write JSON that no strict parser takes: raw line breaks and quotes within a
//! text, a comma too many, NaN, bytes after the end. What they mean is clear, and a failure that they report
//! must not be lost for it. What is not clear makes the object unreadable.

use super::super::found::{Found, Given, Name};
use super::text::Text;

/// Bytes behind a quote that are kept while it is not clear whether the quote ends its text.
const MAX_BEHIND: usize = 64;

/// The longest name that is compared with ours.
const MAX_NAME: usize = 32;

/// Reads one object.
#[derive(Debug)]
pub(super) struct JsonScanner {
    state: State,
    found: Found,
    /// Whether the object has a name that is not ours.
    foreign: bool,
    /// Whether the object ended by a text whose end may have been a quote within it.
    ended_by_a_text: bool,
}

#[derive(Debug)]
enum State {
    /// Before the opening brace.
    Begin,
    BeforeName,
    Name(Text),
    AfterName(Option<Name>),
    BeforeValue(Option<Name>),
    String(Option<Name>, Text, Quote),
    /// A number, a word, or whatever stands without quotes.
    Bare(Option<Name>, Text),
    Nested(Nested),
    AfterValue,
    Done,
    Unreadable,
}

/// Whether a quote was met that may end its text, and what stands behind it.
#[derive(Debug)]
enum Quote {
    None,
    Behind(Vec<u8>),
}

/// Within an object or a list that is a value.
#[derive(Debug, Default)]
struct Nested {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

/// What an object said.
#[derive(Debug, PartialEq)]
pub(super) struct JsonObject {
    pub(super) found: Found,
    /// Whether the object has a name that is not ours.
    pub(super) foreign: bool,
}

impl JsonScanner {
    pub(super) fn new() -> Self {
        Self { state: State::Begin, found: Found::default(), foreign: false, ended_by_a_text: false }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            let state = std::mem::replace(&mut self.state, State::Unreadable);
            self.state = self.step(state, *byte);
        }
    }

    /// `None` if it cannot be read, or was cut off before its end.
    pub(super) fn finish(self) -> Option<JsonObject> {
        let Self { state, found, foreign, .. } = self;
        matches!(state, State::Done).then_some(JsonObject { found, foreign })
    }

    fn step(&mut self, state: State, byte: u8) -> State {
        let is_blank = byte.is_ascii_whitespace();
        match state {
            State::Begin if byte == b'{' => State::BeforeName,
            State::Begin if is_blank => State::Begin,
            State::BeforeName => match byte {
                b'"' => State::Name(Text::new(MAX_NAME)),
                b'}' => State::Done,
                b',' => State::BeforeName,
                _ if is_blank => State::BeforeName,
                _ => State::Unreadable,
            },
            State::Name(mut text) => {
                if text.ends_at(byte) {
                    let name = Name::of(&text.into_string());
                    self.foreign |= name.is_none();
                    State::AfterName(name)
                } else {
                    State::Name(text)
                }
            }
            State::AfterName(name) if byte == b':' => State::BeforeValue(name),
            State::AfterName(name) if is_blank => State::AfterName(name),
            State::BeforeValue(name) => match byte {
                b'"' => State::String(name, Text::new(name.map_or(0, Name::most)), Quote::None),
                b'{' | b'[' => {
                    self.note(name, Given::Unfit);
                    State::Nested(Nested { depth: 1, ..Nested::default() })
                }
                b',' | b'}' => State::Unreadable,
                _ if is_blank => State::BeforeValue(name),
                _ => {
                    let mut text = Text::new(name.map_or(0, Name::most));
                    text.push(byte);
                    State::Bare(name, text)
                }
            },
            State::String(name, text, quote) => self.in_string(name, text, quote, byte),
            State::Bare(name, mut text) => match byte {
                b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n' => {
                    self.note(name, bare(name, &text.into_string()));
                    self.step(State::AfterValue, byte)
                }
                b'"' | b'{' | b'[' | b':' => State::Unreadable,
                _ => {
                    text.push(byte);
                    State::Bare(name, text)
                }
            },
            State::Nested(mut nested) => {
                nested.step(byte);
                if nested.depth == 0 { State::AfterValue } else { State::Nested(nested) }
            }
            State::AfterValue => match byte {
                b',' => State::BeforeName,
                b'}' => State::Done,
                _ if is_blank => State::AfterValue,
                _ => State::Unreadable,
            },
            // Another object, a NUL, a line of a log: bytes after the end mean nothing. But if the end may
            // have been a quote and a brace within a text, what goes on like an object shows that it was.
            State::Done if self.ended_by_a_text && !is_blank && byte != 0 && byte != b'{' && byte != b'[' => {
                State::Unreadable
            }
            State::Done => {
                self.ended_by_a_text &= is_blank;
                State::Done
            }
            State::Begin | State::AfterName(_) | State::Unreadable => State::Unreadable,
        }
    }

    fn in_string(&mut self, name: Option<Name>, mut text: Text, quote: Quote, byte: u8) -> State {
        let Quote::Behind(mut behind) = quote else {
            let quote = if text.ends_at(byte) { Quote::Behind(Vec::new()) } else { Quote::None };
            return State::String(name, text, quote);
        };
        let has_comma = behind.contains(&b',');
        match byte {
            b'"' if has_comma => {
                self.note(name, Given::Text(text.into_string()));
                State::Name(Text::new(MAX_NAME))
            }
            b'}' => {
                self.note(name, Given::Text(text.into_string()));
                self.ended_by_a_text = true;
                State::Done
            }
            b',' if !has_comma => {
                behind.push(byte);
                State::String(name, text, Quote::Behind(behind))
            }
            _ if byte.is_ascii_whitespace() => {
                if behind.len() < MAX_BEHIND {
                    behind.push(byte);
                }
                State::String(name, text, Quote::Behind(behind))
            }
            // The quote stands within the text.
            _ => {
                text.push(b'"');
                behind.iter().for_each(|byte| text.push(*byte));
                self.in_string(name, text, Quote::None, byte)
            }
        }
    }

    fn note(&mut self, name: Option<Name>, given: Given) {
        if let Some(name) = name {
            self.found.add(name, given);
        }
    }
}

/// A value without quotes. A number that is none counts as not given; a status that is none is not
/// understood.
fn bare(name: Option<Name>, text: &str) -> Given {
    let is_no_number = ["nan", "infinity", "-infinity", "undefined", "none"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    let is_nothing = text == "null" || (is_no_number && name != Some(Name::Status));
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if is_nothing {
        Given::Text(String::new())
    } else if is_number {
        Given::Text(text.to_owned())
    } else {
        Given::Unfit
    }
}

impl Nested {
    fn step(&mut self, byte: u8) {
        match (self.in_text, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (_, b'"') => self.in_text = !self.in_text,
            (false, b'{' | b'[') => self.depth = self.depth.saturating_add(1),
            (false, b'}' | b']') => self.depth -= 1,
            _ => {}
        }
    }
}
