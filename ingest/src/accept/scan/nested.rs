//! Pure. An object or a list within JSON, read piece by piece to its end.
//!
//! Hand-written JSON has raw quotes in its texts, and backslashes that take a quote along. Two of them
//! swallow what stands between: texts and what is none change places. Where a status went this way, it is not
//! clear what was said.

use super::super::found::Name;
use super::text::Text;

/// The longest name that is compared with ours.
const MAX_NAME: usize = 32;

/// Reads one object or list, whose opening byte was read.
#[derive(Debug)]
pub(super) struct Nested {
    depth: u32,
    in_text: bool,
    /// The text that is being read, or the last one.
    text: Text,
    last: Last,
    /// The last number or word.
    word: Vec<u8>,
    /// Whether the last text, or the word behind a text, names a status or an exit code.
    names_a_status: bool,
    /// Whether something stood where no JSON has it.
    is_odd: bool,
    swallows: bool,
    has_bare_names: bool,
}

/// What was read last, but for blanks.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// What opens a value or separates two.
    Opening,
    Text,
    Word {
        is_behind_a_text: bool,
    },
    Closing,
}

impl Default for Nested {
    fn default() -> Self {
        Self::new()
    }
}

impl Nested {
    pub(super) const fn new() -> Self {
        Self {
            depth: 1,
            in_text: false,
            text: Text::new(MAX_NAME),
            last: Last::Opening,
            word: Vec::new(),
            names_a_status: false,
            is_odd: false,
            swallows: false,
            has_bare_names: false,
        }
    }

    /// Takes the next byte.
    pub(super) fn step(&mut self, byte: u8) {
        if self.in_text {
            if self.text.ends_at(byte) {
                self.in_text = false;
                self.names_a_status = names_a_status(self.text.as_bytes());
                self.last = Last::Text;
            }
            return;
        }
        match byte {
            b'"' => {
                if let Last::Word { is_behind_a_text: true } = self.last {
                    self.swallows |= names_a_status(&self.word);
                }
                self.begin_value();
                self.in_text = true;
                self.text.begin_anew(MAX_NAME);
            }
            b'{' | b'[' => {
                self.begin_value();
                self.depth = self.depth.saturating_add(1);
                self.last = Last::Opening;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.last = Last::Closing;
            }
            b':' => {
                self.swallows |= self.is_odd && self.is_behind_a_status();
                self.has_bare_names |= matches!(self.last, Last::Word { .. });
                self.last = Last::Opening;
            }
            b',' => self.last = Last::Opening,
            _ => self.in_word(byte),
        }
    }

    /// A value that does not begin behind what opens one is odd.
    const fn begin_value(&mut self) {
        self.is_odd |= !matches!(self.last, Last::Opening);
    }

    fn in_word(&mut self, byte: u8) {
        match self.last {
            Last::Word { .. } => {
                if self.word.len() <= MAX_NAME {
                    self.word.push(byte);
                }
            }
            Last::Opening | Last::Text | Last::Closing if byte.is_ascii_whitespace() => {}
            Last::Opening | Last::Text | Last::Closing => {
                self.begin_value();
                self.last = Last::Word { is_behind_a_text: matches!(self.last, Last::Text) };
                self.word.clear();
                self.word.push(byte);
            }
        }
    }

    /// How many objects and lists are open, this one included.
    pub(super) const fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether the last thing is a text that names a status or an exit code.
    pub(super) const fn is_behind_a_status(&self) -> bool {
        self.names_a_status && matches!(self.last, Last::Text)
    }

    /// Whether the last thing is a word without quotes that names a status or an exit code, as in JavaScript.
    pub(super) fn is_behind_a_bare_status(&self) -> bool {
        matches!(self.last, Last::Word { .. }) && names_a_status(&self.word)
    }

    /// Whether a name had no quotes.
    pub(super) const fn has_bare_names(&self) -> bool {
        self.has_bare_names
    }

    /// Whether it read a status as its own that may stand beside it.
    pub(super) const fn swallows_a_status(&self) -> bool {
        self.swallows
    }
}

fn names_a_status(text: &[u8]) -> bool {
    matches!(Name::of(&String::from_utf8_lossy(text)), Some(Name::Status | Name::ExitCode))
}
