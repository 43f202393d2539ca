//! Pure. The top-level parameters of a JSON object, read piece by piece.
//!
//! Shell scripts and old clients write JSON that no strict parser takes: raw line breaks and quotes within a
//! text, a comma too many, NaN, bytes after the end. What they mean is clear, and a failure that they report
//! must not be lost for it. What is not clear makes the object unreadable.

use super::super::found::{Found, Given, Name};
use super::alerts::TextOf;
use super::form::FormScanner;
use super::nested::Nested;
use super::text::Text;

/// Bytes behind a quote that are kept while it is not clear whether the quote ends its text.
const MAX_BEHIND: usize = 64;

/// The longest name that is compared with ours.
const MAX_NAME: usize = 32;

/// What stands in front of each object in a sequence (RFC 7464).
pub(super) const RECORD_SEPARATOR: u8 = 0x1e;

/// Reads an object, and those behind it.
#[derive(Debug)]
pub(super) struct JsonScanner {
    state: State,
    found: Found,
    /// Whether the object has a name that is not ours.
    foreign: bool,
    alerts: Alerts,
    /// Whether the object ended by a text whose end may have been a quote within it.
    ended_by_a_text: bool,
    /// The bytes since the last quote that was taken to stand within the text that is being read.
    since_quote: Option<Vec<u8>>,
}

/// What the webhooks of Alertmanager and Grafana say of their alerts.
#[derive(Debug, Default)]
struct Alerts {
    /// Whether there is a list of them.
    listed: bool,
    summary: Option<String>,
    name: Option<String>,
}

/// The name of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Ours(Name),
    /// Of the webhooks of Alertmanager and Grafana.
    Alerts,
    Annotations,
    Labels,
    Other,
}

#[derive(Debug)]
enum State {
    /// Before the opening brace.
    Begin,
    BeforeName,
    Name(Text),
    AfterName(Key),
    BeforeValue(Key),
    String(Key, Text, Quote),
    /// A number, a word, or whatever stands without quotes.
    Bare(Key, Text),
    /// Within another object, or a list.
    Nested(Box<Nested>),
    /// Within the labels or annotations of alerts.
    TextOf(Key, TextOf, Box<Nested>),
    AfterValue,
    /// After the end of an object. Another one may follow, as in a file of lines or of records, or behind a
    /// comma.
    Done,
    /// Behind the end stands an ampersand: pairs of a form follow, or another object.
    Ampersand,
    /// In these pairs. `curl -d` joins what it is given by ampersands.
    Pairs(Box<FormScanner>),
    /// Behind the end stands what is no object. It means nothing.
    Rest,
    Unreadable,
}

/// Whether a quote was met that may end its text, and what stands behind it.
#[derive(Debug)]
enum Quote {
    None,
    Behind(Vec<u8>),
}

/// What an object said.
#[derive(Debug, PartialEq)]
pub(super) enum JsonObject {
    Whole {
        found: Found,
        /// Whether the object has a name that is not ours.
        foreign: bool,
    },
    /// It is the webhook of Alertmanager or Grafana.
    Alerts(Found),
    /// It cannot be read, or was cut off before its end; with what was found until then.
    Unreadable(Found),
}

impl Key {
    fn of(text: &str) -> Self {
        match text {
            "alerts" => Self::Alerts,
            "commonAnnotations" => Self::Annotations,
            "commonLabels" => Self::Labels,
            _ => Name::of(text).map_or(Self::Other, Self::Ours),
        }
    }

    const fn ours(self) -> Option<Name> {
        match self {
            Self::Ours(name) => Some(name),
            Self::Alerts | Self::Annotations | Self::Labels | Self::Other => None,
        }
    }

    /// An empty text for its value.
    fn text(self) -> Text {
        Text::new(self.ours().map_or(0, Name::most))
    }
}

impl Alerts {
    /// While an alert fires that is made to fire always, all is well; when it is over, something is wrong.
    fn fill_in(self, mut found: Found) -> JsonObject {
        let is = |word: &str| {
            found
                .status
                .as_ref()
                .and_then(Given::text)
                .is_some_and(|status| status.eq_ignore_ascii_case(word))
        };
        let (status, message) = if is("firing") {
            ("up", self.summary.or(self.name))
        } else if is("resolved") {
            let resolved = |name: &str| format!("{name} resolved");
            ("down", self.summary.or_else(|| Some(resolved(self.name.as_deref().unwrap_or("the alert")))))
        } else {
            return JsonObject::Whole { found, foreign: true };
        };
        found.status = Some(Given::Text(status.to_owned()));
        found.message = found.message.or(message.map(Given::Text));
        JsonObject::Alerts(found)
    }
}

impl JsonScanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Begin,
            found: Found::default(),
            foreign: false,
            alerts: Alerts::default(),
            ended_by_a_text: false,
            since_quote: None,
        }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            // Most of a large object is nested: it is read in its place.
            if let State::Nested(nested) = &mut self.state {
                nested.step(*byte);
                if nested.swallows_a_status() {
                    self.state = State::Unreadable;
                } else if nested.depth() == 0 {
                    self.state = State::AfterValue;
                }
                continue;
            }
            let state = std::mem::replace(&mut self.state, State::Unreadable);
            self.state = self.step(state, *byte);
        }
    }

    pub(super) fn finish(self) -> JsonObject {
        let Self { state, mut found, foreign, alerts, ended_by_a_text, .. } = self;
        match state {
            State::Pairs(pairs) => match pairs.finish().found {
                pairs if pairs.any => {
                    found.join(pairs);
                    JsonObject::Whole { found, foreign }
                }
                _ if ended_by_a_text => JsonObject::Unreadable(found),
                _ => JsonObject::Whole { found, foreign },
            },
            State::Done | State::Ampersand | State::Rest if alerts.listed => alerts.fill_in(found),
            State::Done | State::Ampersand | State::Rest => JsonObject::Whole { found, foreign },
            State::String(Key::Ours(name), text, Quote::Behind(_)) => {
                found.add(name, Given::Text(text.into_string()));
                JsonObject::Unreadable(found)
            }
            State::Begin
            | State::BeforeName
            | State::Name(_)
            | State::AfterName(_)
            | State::BeforeValue(_)
            | State::String(..)
            | State::Bare(..)
            | State::Nested(_)
            | State::TextOf(..)
            | State::AfterValue
            | State::Unreadable => JsonObject::Unreadable(found),
        }
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
                    let key = Key::of(&text.into_string());
                    self.foreign |= key.ours().is_none();
                    State::AfterName(key)
                } else {
                    State::Name(text)
                }
            }
            State::AfterName(key) if byte == b':' => State::BeforeValue(key),
            State::AfterName(key) if is_blank => State::AfterName(key),
            State::BeforeValue(key) => match byte {
                b'"' => {
                    self.since_quote = None;
                    State::String(key, key.text(), Quote::None)
                }
                b'{' | b'[' => self.nested(key, byte),
                b',' | b'}' => State::Unreadable,
                _ if is_blank => State::BeforeValue(key),
                _ => {
                    let mut text = key.text();
                    text.push(byte);
                    State::Bare(key, text)
                }
            },
            State::String(key, text, quote) => self.in_string(key, text, quote, byte),
            State::Bare(key, mut text) => match byte {
                b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n' => {
                    self.note(key, bare(key.ours(), &text.into_string()));
                    self.step(State::AfterValue, byte)
                }
                b'"' | b'{' | b'[' | b':' => State::Unreadable,
                _ => {
                    text.push(byte);
                    State::Bare(key, text)
                }
            },
            State::TextOf(key, text, nested) => self.in_texts(key, text, nested, byte),
            State::AfterValue => match byte {
                b',' => State::BeforeName,
                b'}' => State::Done,
                _ if is_blank => State::AfterValue,
                _ => State::Unreadable,
            },
            State::Done => match byte {
                b'{' => {
                    self.ended_by_a_text = false;
                    State::BeforeName
                }
                b'&' => State::Ampersand,
                // The last ones are those of a shell.
                0 | b',' | b';' | RECORD_SEPARATOR | b'\'' | b'`' => State::Done,
                _ if is_blank => State::Done,
                // What goes on like a text shows that its end was a quote and a brace within it.
                _ if self.ended_by_a_text => State::Unreadable,
                _ => State::Rest,
            },
            State::Ampersand => match byte {
                b'{' => self.step(State::Done, byte),
                b'&' => State::Ampersand,
                _ if is_blank => State::Ampersand,
                _ => self.step(State::Pairs(Box::new(FormScanner::new())), byte),
            },
            State::Pairs(mut pairs) => {
                pairs.feed(&[byte]);
                State::Pairs(pairs)
            }
            State::Rest => State::Rest,
            State::Begin | State::AfterName(_) | State::Nested(_) | State::Unreadable => State::Unreadable,
        }
    }

    /// After the byte that opens an object or a list.
    fn nested(&mut self, key: Key, byte: u8) -> State {
        self.note(key, Given::Unfit);
        match key {
            Key::Annotations if byte == b'{' => State::TextOf(key, TextOf::new("summary"), Box::default()),
            Key::Labels if byte == b'{' => State::TextOf(key, TextOf::new("alertname"), Box::default()),
            Key::Alerts | Key::Annotations | Key::Labels | Key::Ours(_) | Key::Other => {
                self.alerts.listed |= key == Key::Alerts && byte == b'[';
                State::Nested(Box::default())
            }
        }
    }

    /// Within the labels or annotations of alerts.
    fn in_texts(&mut self, key: Key, mut text: TextOf, mut nested: Box<Nested>, byte: u8) -> State {
        nested.step(byte);
        if nested.swallows_a_status() {
            return State::Unreadable;
        }
        if !text.ends_at(byte) {
            return State::TextOf(key, text, nested);
        }
        let place = if key == Key::Labels { &mut self.alerts.name } else { &mut self.alerts.summary };
        *place = text.into_found();
        State::AfterValue
    }

    fn in_string(&mut self, key: Key, mut text: Text, quote: Quote, byte: u8) -> State {
        let Quote::Behind(mut behind) = quote else {
            if text.ends_at(byte) {
                return State::String(key, text, Quote::Behind(Vec::new()));
            }
            if let Some(since) = self.since_quote.as_mut().filter(|since| since.len() <= MAX_NAME) {
                since.push(byte);
            }
            return State::String(key, text, Quote::None);
        };
        let has_comma = behind.contains(&b',');
        match byte {
            b'"' if has_comma => {
                self.note(key, Given::Text(text.into_string()));
                State::Name(Text::new(MAX_NAME))
            }
            b'}' => {
                self.note(key, Given::Text(text.into_string()));
                self.ended_by_a_text = true;
                State::Done
            }
            b',' if !has_comma => {
                behind.push(byte);
                State::String(key, text, Quote::Behind(behind))
            }
            _ if byte.is_ascii_whitespace() => {
                if behind.len() < MAX_BEHIND {
                    behind.push(byte);
                }
                State::String(key, text, Quote::Behind(behind))
            }
            // A backslash that means nothing made the text swallow its own end, and one of our names.
            b':' if !has_comma && self.is_behind_our_name() => State::Unreadable,
            // The quote stands within the text.
            _ => {
                self.since_quote = Some(Vec::new());
                text.push(b'"');
                behind.iter().for_each(|byte| text.push(*byte));
                self.in_string(key, text, Quote::None, byte)
            }
        }
    }

    /// Whether one of our names stands between the last two quotes within a text.
    fn is_behind_our_name(&self) -> bool {
        let since = self.since_quote.as_deref().map(String::from_utf8_lossy);
        since.is_some_and(|since| Name::of(&since).is_some())
    }

    fn note(&mut self, key: Key, given: Given) {
        if let Some(name) = key.ours() {
            self.found.add(name, given);
        }
    }
}

/// A value without quotes. A number that is none counts as not given; a status or an exit code that is none
/// is not understood.
fn bare(name: Option<Name>, text: &str) -> Given {
    let is_no_number = ["nan", "infinity", "-infinity", "undefined", "none"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    let tells = matches!(name, Some(Name::Status | Name::ExitCode));
    let is_nothing = text == "null" || (is_no_number && !tells);
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if is_nothing {
        Given::Text(String::new())
    } else if is_number {
        Given::Text(text.to_owned())
    } else {
        Given::Unfit
    }
}
