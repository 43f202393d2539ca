//! Pure. The pairs of a form (`application/x-www-form-urlencoded`), read piece by piece.

use super::super::found::{Found, Given, Name};
use super::super::words::{is_quote, unquoted, without_end_quote};
use super::text::from_client;

/// The longest name that is looked at. It is longer than ours, because a name without an equals sign may be a
/// form that was encoded once more.
const MAX_NAME: usize = 1_000;

/// Reads one form.
#[derive(Debug)]
pub(super) struct FormScanner {
    found: Found,
    state: State,
    first: FirstName,
    is_query: bool,
    /// Whether a form that was encoded once more holds a parameter of ours.
    encoded_twice: bool,
    json: Option<String>,
}

/// What a form said.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) found: Found,
    /// Whether the body begins like a form.
    pub(super) begins_like_one: bool,
    /// The first name that is a JSON object or list, up to a length: some libraries encode it so.
    pub(super) json: Option<String>,
}

#[derive(Debug)]
enum State {
    Name(Escaped),
    Value(Option<Field>, Escaped),
}

/// A parameter of ours whose value is read.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: Name,
    /// Whether a quotation mark stands in front of the name: one ends the value.
    is_quoted: bool,
}

/// Whether the body begins like a form: with a name of plain characters and an equals sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstName {
    NotBegun,
    Plain,
    /// The name has ended, without an equals sign.
    Alone,
    Ended,
    NoName,
}

impl FormScanner {
    pub(super) fn new() -> Self {
        Self {
            found: Found::default(),
            state: State::Name(Escaped::new(MAX_NAME)),
            first: FirstName::NotBegun,
            is_query: false,
            encoded_twice: false,
            json: None,
        }
    }

    /// Reads the query of a push URL.
    pub(super) fn of_a_query() -> Self {
        Self { is_query: true, ..Self::new() }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            self.first = self.first.step(*byte);
            match &mut self.state {
                State::Name(name) => match byte {
                    b'=' => {
                        let name = name.take();
                        let field = self.field(&name);
                        self.state = State::Value(field, Escaped::new(field.map_or(0, |it| it.name.most())));
                    }
                    b'&' => self.end_pair(),
                    _ => name.push(*byte),
                },
                State::Value(_, value) => match byte {
                    b'&' => self.end_pair(),
                    _ => value.push(*byte),
                },
            }
        }
    }

    fn named(&self) -> fn(&str) -> Option<Name> {
        if self.is_query { Name::in_a_query } else { Name::of }
    }

    /// The parameter of this name; notes a name that is JSON.
    fn field(&mut self, name: &str) -> Option<Field> {
        if self.json.is_none() && unquoted(name).starts_with(['{', '[']) {
            self.json = Some(name.to_owned());
        }
        let is_quoted = name.trim_start().starts_with(is_quote);
        self.named()(name).map(|name| Field { name, is_quoted })
    }

    fn end_pair(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Name(Escaped::new(MAX_NAME)));
        match state {
            State::Name(mut name) => {
                let is_whole = !name.is_full();
                let name = name.take();
                match self.field(&name) {
                    Some(field) => self.found.add(field.name, Given::Text(String::new())),
                    None if name.contains('=') => self.encoded_twice(&name, is_whole),
                    None => {}
                }
            }
            State::Value(Some(Field { name, is_quoted }), mut value) => {
                let value = value.take();
                let text = if is_quoted { without_end_quote(&value) } else { &value };
                self.found.add(name, Given::Text(text.to_owned()));
            }
            State::Value(None, _) => {}
        }
    }

    /// Reads a form that was encoded once more: `status%3Ddown`.
    fn encoded_twice(&mut self, form: &str, is_whole: bool) {
        let mut any = false;
        for (name, value) in url::form_urlencoded::parse(form.as_bytes()) {
            if let Some(name) = self.named()(&name) {
                any = true;
                let end = value.floor_char_boundary(name.most());
                self.found.add(name, Given::Text(value.get(..end).unwrap_or_default().to_owned()));
            }
        }
        if any && !is_whole {
            // A status may stand in what was not kept.
            self.found.add(Name::Status, Given::Unfit);
        }
        self.encoded_twice |= any;
    }

    pub(super) fn finish(mut self) -> Form {
        self.end_pair();
        let begins_like_one = match self.first {
            FirstName::Ended => true,
            FirstName::Plain | FirstName::Alone => self.encoded_twice,
            FirstName::NotBegun | FirstName::NoName => false,
        };
        Form { found: self.found, begins_like_one, json: self.json }
    }
}

impl FirstName {
    const fn step(self, byte: u8) -> Self {
        // Quotation marks of Unicode are among what is not ASCII.
        let is_quote = matches!(byte, b'\'' | b'"' | b'`' | 0x80..);
        let is_plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'[' | b']');
        match self {
            Self::NotBegun if byte == b'&' => self,
            Self::NotBegun | Self::Plain if is_quote => self,
            Self::NotBegun | Self::Plain if is_plain => Self::Plain,
            Self::Plain if byte == b'=' => Self::Ended,
            Self::Plain if byte == b'&' => Self::Alone,
            Self::NotBegun | Self::Plain | Self::NoName => Self::NoName,
            Self::Alone | Self::Ended => self,
        }
    }
}

/// A text with `%20` and `+`, decoded as it comes, and kept up to a length.
#[derive(Debug)]
struct Escaped {
    bytes: Vec<u8>,
    most: usize,
    /// A percent sign, and one digit behind it.
    pending: Vec<u8>,
}

impl Escaped {
    const fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, pending: Vec::new() }
    }

    fn push(&mut self, byte: u8) {
        if self.most == 0 {
            return;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (self.pending.as_slice(), byte) {
            ([], b'%') => self.pending.push(byte),
            ([], b'+') => self.keep(b' '),
            ([], _) => self.keep(byte),
            ([_], _) if digit(byte).is_some() => self.pending.push(byte),
            ([_, high], low) if let (Some(high), Some(low)) = (digit(*high), digit(low)) => {
                self.pending.clear();
                self.keep(high << 4 | low);
            }
            // No escape: it stands for itself.
            _ => {
                self.keep_pending();
                self.push(byte);
            }
        }
    }

    fn keep_pending(&mut self) {
        for byte in std::mem::take(&mut self.pending) {
            self.keep(byte);
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.bytes.len() < self.most {
            self.bytes.push(byte);
        } else {
            self.most = self.bytes.len();
        }
    }

    /// Whether something may have been left out.
    const fn is_full(&self) -> bool {
        self.bytes.len() >= self.most
    }

    fn take(&mut self) -> String {
        self.keep_pending();
        from_client(std::mem::take(&mut self.bytes))
    }
}
