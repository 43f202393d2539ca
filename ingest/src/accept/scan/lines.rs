//! Pure. Lines of names and values, as YAML, properties and settings have them, read piece by piece for one
//! question: does one of them say that the job failed?
//!
//! They are not read for more, because a line of a log may look the same. So every line must be such a pair,
//! and the whole value a word for a failure.

use super::super::found::Name;
use super::super::words::{self, unquoted};
use model::heartbeat::HeartbeatKind;

/// The longest name and the longest value that are compared with ours.
const MAX_WORD: usize = 48;

/// Reads the lines of one body.
#[derive(Debug)]
pub(super) struct Lines {
    at: At,
    name: Vec<u8>,
    value: Vec<u8>,
    says_failure: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Begin,
    Name,
    /// In the blanks behind a name.
    BehindName,
    Value,
    /// In a comment, a heading, or what belongs to the line above.
    Aside,
    /// A line is none of all that.
    Prose,
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self { at: At::Begin, name: Vec::new(), value: Vec::new(), says_failure: false }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            self.at = match (self.at, *byte) {
                (At::Prose, _) => return,
                (_, b'\n') => self.end_line(),
                (At::Begin, b'\r') => At::Begin,
                (At::Begin, b' ' | b'\t' | b'#' | b';' | b'-' | b'[') => At::Aside,
                (At::Begin, b'"' | b'\'') => At::Name,
                (At::Begin, byte) if byte.is_ascii_alphabetic() || byte == b'_' => self.in_name(byte),
                (At::Name, byte) if byte.is_ascii_alphanumeric() || b"_-.\"'".contains(&byte) => {
                    self.in_name(byte)
                }
                (At::Name | At::BehindName, b':' | b'=') => At::Value,
                (At::Name | At::BehindName, b' ' | b'\t') => At::BehindName,
                (At::Begin | At::Name | At::BehindName, _) => At::Prose,
                (At::Value, byte) => {
                    if self.value.len() <= MAX_WORD {
                        self.value.push(byte);
                    }
                    At::Value
                }
                (At::Aside, _) => At::Aside,
            };
        }
    }

    fn in_name(&mut self, byte: u8) -> At {
        if self.name.len() <= MAX_WORD {
            self.name.push(byte);
        }
        At::Name
    }

    fn end_line(&mut self) -> At {
        if matches!(self.at, At::Name | At::BehindName | At::Prose) {
            return At::Prose;
        }
        self.says_failure |= self.line_says_failure();
        self.name.clear();
        self.value.clear();
        At::Begin
    }

    fn line_says_failure(&self) -> bool {
        let value = String::from_utf8_lossy(&self.value);
        let value = value.split_once(" #").map_or(&*value, |(value, _)| value);
        let value = unquoted(value.trim_end().trim_end_matches([',', ';']));
        let told = match Name::of(&String::from_utf8_lossy(&self.name)) {
            Some(Name::Status) => words::status_of_any_tool(value),
            Some(Name::ExitCode | Name::Code) => words::exit_code(value),
            Some(Name::Message | Name::Value | Name::Ping | Name::Success | Name::State | Name::Snitch)
            | None => None,
        };
        told == Some(HeartbeatKind::Down)
    }

    /// Whether all lines are pairs and one says that the job failed.
    pub(super) fn say_failure(&self) -> bool {
        match self.at {
            At::Name | At::BehindName | At::Prose => false,
            At::Begin | At::Value | At::Aside => self.says_failure || self.line_says_failure(),
        }
    }
}
