//! Pure. The fields of a `multipart/form-data` body (RFC 7578), read piece by piece: what `curl -F` and a
//! browser's `FormData` send.

use super::super::found::{Found, Given, Name};
use super::super::words;
use super::text::from_client;

/// The most bytes of a part's head that are looked at.
const MAX_HEAD: usize = 4_096;

const MULTIPART: &str = "multipart/";

/// The longest delimiter: RFC 2046 allows 70 characters, and two dashes come before.
const MAX_DELIMITER: usize = 128;

/// Reads one body.
#[derive(Debug)]
pub(super) struct MultipartScanner {
    found: Found,
    delimiter: Delimiter,
    state: State,
    /// Whether a part is made of parts, which are not read.
    has_nested: bool,
}

#[derive(Debug)]
enum State {
    /// Before the first delimiter.
    Preamble,
    /// After a delimiter: two dashes end the body, anything up to the end of the line does not matter.
    Delimited(u8),
    Head(Vec<u8>),
    /// In the content of a field of ours, or of another part.
    Content(Option<Field>, Vec<u8>),
    End,
}

/// A part whose name is one of ours.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: Name,
    /// Whether it has the name of a file, too: libraries give one to a field that they were handed as bytes.
    is_file: bool,
    /// Whether a quotation mark stands in front of the name: one ends the value.
    is_quoted: bool,
}

impl MultipartScanner {
    /// `None` if the content type is not that of such a body, or names no boundary.
    pub(super) fn new(content_type: &[u8]) -> Option<Self> {
        Self::within(boundary(content_type)?)
    }

    /// `None` if this can be no boundary.
    pub(super) fn within(boundary: &[u8]) -> Option<Self> {
        let delimiter = Delimiter::new(boundary)?;
        Some(Self { found: Found::default(), delimiter, state: State::Preamble, has_nested: false })
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            match &mut self.state {
                State::End => return,
                State::Delimited(dashes) => match byte {
                    b'-' if *dashes == 1 => self.state = State::End,
                    b'-' => *dashes += 1,
                    b'\n' => self.state = State::Head(Vec::new()),
                    _ => {}
                },
                State::Head(head) => {
                    if head.len() < MAX_HEAD {
                        head.push(*byte);
                    }
                    let ended = head == b"\r\n" || head == b"\n";
                    if ended || head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
                        let head = Head::of(head);
                        self.has_nested |= head.is_multipart();
                        self.state = State::Content(head.field(), Vec::new());
                    }
                }
                State::Preamble | State::Content(..) => self.content(*byte),
            }
        }
    }

    fn content(&mut self, byte: u8) {
        let Self { found, delimiter, state, .. } = self;
        // And the line break before the delimiter, and a byte that shows that there were more.
        let most = if let State::Content(Some(field), _) = state { field.name.most() + 3 } else { 0 };
        let is_met = delimiter.step(byte, |byte| {
            if let State::Content(Some(_), content) = state
                && content.len() < most
            {
                content.push(byte);
            }
        });
        if is_met && let State::Content(Some(field), content) = std::mem::replace(state, State::Delimited(0))
        {
            field.note(content, found);
        }
    }

    /// What was found, and whether the body was read to its end.
    pub(super) fn finish(self) -> (Found, bool) {
        (self.found, matches!(self.state, State::End) && !self.has_nested)
    }
}

impl Field {
    fn note(self, mut content: Vec<u8>, found: &mut Found) {
        let Self { name, is_file, is_quoted } = self;
        if content.ends_with(b"\n") {
            content.pop();
            if content.ends_with(b"\r") {
                content.pop();
            }
        }
        let is_whole = content.len() <= name.most();
        content.truncate(name.most());
        let is_text = is_whole && std::str::from_utf8(&content).is_ok() && !content.contains(&0);
        let text = from_client(content);
        let text = if is_quoted { words::without_end_quote(&text).to_owned() } else { text };
        match name {
            Name::Status | Name::ExitCode if is_file && !is_whole => found.add(name, Given::Unfit),
            // A file that has such a name by chance is output.
            Name::Message if is_file && !is_text => {}
            Name::Value | Name::Ping if is_file && words::number(&text).is_none() => {}
            Name::Status
            | Name::ExitCode
            | Name::Code
            | Name::Message
            | Name::Value
            | Name::Ping
            | Name::Success
            | Name::State
            | Name::Snitch => found.add(name, Given::Text(text)),
        }
    }
}

/// The lines of a part's head. Those that old programs folded are whole again (RFC 5322, section 2.2.3).
struct Head(Vec<String>);

impl Head {
    fn of(head: &[u8]) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in String::from_utf8_lossy(head).lines() {
            match lines.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
                Some(_) | None => lines.push(line.to_owned()),
            }
        }
        Self(lines)
    }

    fn value(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    }

    fn is_multipart(&self) -> bool {
        let kind = self.value("content-type").and_then(|kind| kind.get(..MULTIPART.len()));
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART))
    }

    /// The field of ours that it names; `None` for another one.
    fn field(&self) -> Option<Field> {
        let parameters = parameters(self.value("content-disposition")?);
        let parameter = |wanted: &str| {
            parameters.iter().find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value))
        };
        let is_file = parameter("filename").is_some() || parameter("filename*").is_some();
        let text = parameter("name");
        let name = text.and_then(|name| Name::of(name));
        let name = name.or_else(|| Name::of(&extended(parameter("name*")?)))?;
        // `'msg=x'` in the shell of Windows. Of a name within apostrophes none belongs to the value.
        let begins_quoted =
            |text: &String| text.starts_with(words::is_quote) && !text.ends_with(words::is_quote);
        Some(Field { name, is_file, is_quoted: text.is_some_and(begins_quoted) })
    }
}

/// The parameters of a header's value, whose texts in quotes may hold semicolons.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut parameters = vec![(String::new(), String::new())];
    let (mut in_value, mut in_quotes, mut is_escaped) = (false, false, false);
    for character in value.chars() {
        match character {
            '\\' if in_quotes && !is_escaped => {
                is_escaped = true;
                continue;
            }
            '"' if !is_escaped => in_quotes = !in_quotes,
            ';' if !in_quotes => {
                parameters.push((String::new(), String::new()));
                in_value = false;
            }
            '=' if !in_quotes && !in_value => in_value = true,
            _ => {
                if let Some((name, value)) = parameters.last_mut() {
                    if in_value { value.push(character) } else { name.push(character) }
                }
            }
        }
        is_escaped = false;
    }
    let trimmed = |(name, value): (String, String)| (name.trim().to_owned(), value.trim().to_owned());
    parameters.into_iter().map(trimmed).collect()
}

/// A text with its character set and language in front, and percent signs (RFC 8187).
fn extended(value: &str) -> String {
    let text = value.splitn(3, '\'').last().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.next().map_or_else(String::new, |(name, _)| name.into_owned())
}

fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    if !parameters.next()?.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    parameters.find_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, value) = parameter.split_at(equals);
        let value = value.get(1..)?.trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        name.trim_ascii().eq_ignore_ascii_case(b"boundary").then_some(value)
    })
}

/// Finds a delimiter in bytes that come one by one (Knuth, Morris, Pratt).
#[derive(Debug)]
struct Delimiter {
    wanted: Vec<u8>,
    /// For each length of a met beginning, the longest beginning that is also its end.
    fallback: Vec<usize>,
    met: usize,
}

impl Delimiter {
    fn new(boundary: &[u8]) -> Option<Self> {
        if boundary.is_empty() || boundary.len() + 2 > MAX_DELIMITER {
            return None;
        }
        let wanted = [b"--", boundary].concat();
        let mut fallback = vec![0, 0];
        let mut length = 0;
        for index in 1..wanted.len() {
            while length > 0 && wanted.get(index) != wanted.get(length) {
                length = fallback.get(length).copied().unwrap_or_default();
            }
            length += usize::from(wanted.get(index) == wanted.get(length));
            fallback.push(length);
        }
        Some(Self { wanted, fallback, met: 0 })
    }

    /// Takes a byte, and gives those that are not part of a delimiter; whether the delimiter is complete.
    fn step(&mut self, byte: u8, mut give: impl FnMut(u8)) -> bool {
        while self.met > 0 && self.wanted.get(self.met) != Some(&byte) {
            let shorter = self.fallback.get(self.met).copied().unwrap_or_default();
            self.wanted.iter().take(self.met - shorter).for_each(|byte| give(*byte));
            self.met = shorter;
        }
        if self.wanted.get(self.met) == Some(&byte) {
            self.met += 1;
        } else {
            give(byte);
        }
        let is_complete = self.met == self.wanted.len();
        if is_complete {
            self.met = 0;
        }
        is_complete
    }
}
