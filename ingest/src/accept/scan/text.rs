//! Pure. A JSON text, decoded as it comes, and kept up to a length.

/// Half of a character above U+FFFF is written by two escapes.
const HIGH: std::ops::RangeInclusive<u16> = 0xd800..=0xdbff;
const LOW: std::ops::RangeInclusive<u16> = 0xdc00..=0xdfff;

/// A text that is being read.
#[derive(Debug)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// The most bytes that are kept.
    most: usize,
    escape: Escape,
    /// The first half of a character whose second one has not come.
    half: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
enum Escape {
    None,
    /// After a backslash.
    Begun,
    /// After `\u` and some digits.
    Unit {
        digits: u8,
        unit: u16,
    },
}

impl Text {
    pub(super) const fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, escape: Escape::None, half: None }
    }

    /// Takes the next byte between the quotes; whether it is a quote that may end the text.
    pub(super) fn ends_at(&mut self, byte: u8) -> bool {
        match self.escape {
            Escape::None => match byte {
                b'"' => return true,
                b'\\' => self.escape = Escape::Begun,
                _ => self.push(byte),
            },
            Escape::Begun => {
                self.escape = Escape::None;
                match byte {
                    b'n' => self.push(b'\n'),
                    b't' => self.push(b'\t'),
                    b'r' => self.push(b'\r'),
                    b'b' => self.push(0x08),
                    b'f' => self.push(0x0c),
                    b'u' => self.escape = Escape::Unit { digits: 0, unit: 0 },
                    _ => self.push(byte),
                }
            }
            Escape::Unit { digits, unit } => {
                let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())
                else {
                    self.escape = Escape::None;
                    self.push_char(char::REPLACEMENT_CHARACTER);
                    return self.ends_at(byte);
                };
                let unit = unit << 4 | digit;
                if digits == 3 {
                    self.escape = Escape::None;
                    self.push_unit(unit);
                } else {
                    self.escape = Escape::Unit { digits: digits + 1, unit };
                }
            }
        }
        false
    }

    /// Adds a byte as it is.
    pub(super) fn push(&mut self, byte: u8) {
        self.end_half();
        self.keep(&[byte]);
    }

    fn push_char(&mut self, character: char) {
        self.end_half();
        self.keep(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Clients that cut a text by its UTF-16 units send halves of characters.
    fn push_unit(&mut self, unit: u16) {
        if let Some(high) = self.half
            && LOW.contains(&unit)
        {
            self.half = None;
            let character = char::decode_utf16([high, unit]).next().and_then(Result::ok);
            self.push_char(character.unwrap_or(char::REPLACEMENT_CHARACTER));
        } else if HIGH.contains(&unit) {
            self.end_half();
            self.half = Some(unit);
        } else {
            self.push_char(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    fn end_half(&mut self) {
        if self.half.take().is_some() {
            self.keep(char::REPLACEMENT_CHARACTER.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() <= self.most {
            self.bytes.extend_from_slice(bytes);
        } else {
            // What comes later must not follow what was left out.
            self.most = self.bytes.len();
        }
    }

    /// Begins another text, of which so many bytes are kept, in the room of this one.
    pub(super) fn begin_anew(&mut self, most: usize) {
        self.bytes.clear();
        *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::new(most) };
    }

    /// What was decoded. A half of a character at its end is left out.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes out what was decoded since, or all that is left if the text has ended.
    pub(super) fn take(&mut self, ended: bool) -> Vec<u8> {
        if ended {
            self.end_half();
        }
        std::mem::take(&mut self.bytes)
    }

    /// The text. What is not UTF-8 is taken for Latin-1.
    pub(super) fn into_string(mut self) -> String {
        self.end_half();
        from_client(self.bytes)
    }
}

/// A text of a client: UTF-8, whose end may be cut, or else Latin-1.
pub(super) fn from_client(mut bytes: Vec<u8>) -> String {
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}
