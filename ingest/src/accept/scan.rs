//! Pure. Reads a body piece by piece, and keeps the parameters in it, in bounded memory.
//!
//! The content type decides little, because clients send any: `curl -d` calls every body a form, also JSON.
//! What the body begins with decides the rest.

mod alerts;
mod array;
mod form;
mod front;
mod guard;
mod json;
mod lines;
mod multipart;
mod nested;
mod plain;
mod text;
mod utf16;
mod utf32;

use array::ArrayScanner;
use form::FormScanner;
use front::Boundary;
use guard::{Guard, Mention};
use json::{JsonObject, JsonScanner};
use lines::Lines;
use multipart::MultipartScanner;
use plain::{Plain, PlainScanner};
use text::Text;
use utf16::Utf16;
use utf32::{UNIT, Utf32};

use super::found::{Found, Given};

/// The longest JSON number or word that is taken for one, bytes.
const MAX_SCALAR: usize = 64;

/// JSON texts within each other that are read.
const MAX_TEXTS: u8 = 3;

/// What a body said.
#[derive(Debug, PartialEq)]
pub(crate) struct Scanned {
    pub(super) found: Found,
    /// Whether the body is output: it holds no parameters, or others beside ours.
    pub(super) is_output: bool,
    pub(super) trouble: Option<Trouble>,
}

/// Why what a body said is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is JSON by its type or its beginning, and cannot be read to its end.
    Json,
    /// It is multipart by its type or its beginning, and no `form-data`, or names no boundary, or was cut
    /// off, or has parts within a part.
    Multipart,
    /// It is a list of objects with a status or an exit code each.
    ListOfStatuses,
    /// It is lines of names and values, which are not read, and one says that the job failed.
    Lines,
    /// It did not arrive whole within the time for it.
    Late,
    /// The client went away, or what it sent is not HTTP.
    BrokenOff,
    /// It is compressed, and the compressed stream is damaged or ends too early.
    Damaged,
    /// It is compressed, and unpacks to more than may be read.
    TooLong,
}

/// Reads one body.
#[derive(Debug)]
pub(crate) struct Scanner {
    wide: Option<Wide>,
    content: Content,
}

/// Text whose characters are more than a byte each.
#[derive(Debug)]
enum Wide {
    Utf16(Utf16),
    Utf32(Utf32),
}

#[derive(Debug)]
enum Content {
    /// Not yet known: its first bytes.
    Begin(Declared, Vec<u8>),
    /// Not yet known: so far it is blanks, and in UTF-8, and bytes behind them that are not enough to
    /// tell.
    Blank(Declared, Vec<u8>),
    Json(Box<JsonScanner>),
    /// A list, or lines that begin with a bracket.
    Array(Box<ArrayScanner>, Lines),
    Guarded(Box<Guarded>),
    Quoted(Box<Quoted>),
    /// Another JSON value, which holds no parameters: its first bytes.
    Scalar(Vec<u8>),
    /// A form, if it is declared or begins like one, or whatever else does not begin like JSON.
    Plain {
        plain: Box<PlainScanner>,
        declared: bool,
    },
    Multipart(Box<MultipartScanner>),
    Output,
    Unreadable(Trouble),
}

/// What the content type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Json,
    Form,
    Other,
    /// It is what stands in a JSON text, which itself may stand in one, and so on: in how many.
    InText(u8),
}

/// A body that begins with a quote. It may be a JSON text with another body in it: a client that makes JSON
/// of what is JSON already sends such.
#[derive(Debug)]
struct Quoted {
    declared: Declared,
    text: Text,
    /// Whether its first quote was read.
    begun: bool,
    /// Whether its last one was.
    ended: bool,
    /// Whether behind its end stands more than blanks.
    goes_on: bool,
    inner: Content,
    /// What the body is if it is no JSON text, unless it says that it is JSON.
    plain: Option<PlainScanner>,
}

/// A body that begins with what may stand in front of JSON, and JSON behind it.
#[derive(Debug)]
struct Guarded {
    declared: Declared,
    json: Content,
    mention: Mention,
    /// What the body is if the JSON says nothing.
    plain: PlainScanner,
}

/// The parameters of a query, which may hold anything else as well.
pub(super) fn query(query: &str) -> Found {
    let read = |query: &str, mut form: FormScanner| {
        form.feed(query.as_bytes());
        form.finish().found
    };
    let mut found = read(query, FormScanner::of_a_query());
    // A script that adds `?status=down` to a URL that has a query already. Some libraries escape the mark;
    // in a value other than that of `ping`, an escaped one is text.
    let ping = found.ping.as_ref().and_then(Given::text).filter(|_| !query.contains('?'));
    let ping = ping.unwrap_or_default().to_owned();
    for text in [query, &ping] {
        for (mark, _) in text.match_indices('?') {
            let (before, behind) = text.split_at(mark);
            let behind = behind.strip_prefix('?').unwrap_or_default();
            let behind = behind.split('?').next().unwrap_or_default();
            // Within a value the mark may be that of a link, whose parameters have names of any kind.
            let is_of_a_value = !before.is_empty() && !before.ends_with(['=', '?']);
            let form = if is_of_a_value { FormScanner::new() } else { FormScanner::of_a_query() };
            found.add_told_behind(&read(behind, form));
        }
    }
    found
}

impl Default for Scanned {
    /// What an empty body says.
    fn default() -> Self {
        Self { found: Found::default(), is_output: true, trouble: None }
    }
}

impl Scanned {
    /// What a body says in which this was found.
    fn of(found: Found, foreign: bool) -> Self {
        if found.any { Self { found, is_output: foreign, trouble: None } } else { Self::default() }
    }

    /// What a form says; of a body that does not declare itself one, if it begins like one.
    fn of_plain(plain: PlainScanner, declared: bool) -> Self {
        match plain.finish() {
            Plain::Form { found, begins_like_one } if declared || begins_like_one => Self::of(found, false),
            Plain::Form { .. } => Self::default(),
            Plain::Json(text) => {
                Content::of_json_within(&text).filter(Self::says_something).unwrap_or_default()
            }
            Plain::Lines(found) => Self { found, ..Self::default() }.cut_short(Trouble::Lines),
        }
    }

    /// Whether it is more than output.
    const fn says_something(&self) -> bool {
        self.found.any || self.trouble.is_some()
    }

    /// What is known of a body that did not arrive whole.
    pub(crate) fn cut_short(self, trouble: Trouble) -> Self {
        Self { found: self.found.only_a_failure(), is_output: true, trouble: Some(trouble) }
    }
}

impl Scanner {
    pub(crate) fn new(content_type: Option<&[u8]>) -> Self {
        let content_type = content_type.unwrap_or_default();
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let essence = String::from_utf8_lossy(essence).to_ascii_lowercase();
        let content = match essence.as_str() {
            // Of the other ones none is made of parameters.
            multipart if multipart.starts_with("multipart/") => match MultipartScanner::new(content_type) {
                Some(scanner) => Content::Multipart(Box::new(scanner)),
                None => Content::Unreadable(Trouble::Multipart),
            },
            "text/plain" => Content::Output,
            "application/x-www-form-urlencoded" => Content::Begin(Declared::Form, Vec::new()),
            // Also lines and sequences of objects: `x-ndjson`, `jsonl`, `json-seq`.
            json if json.contains("json") => Content::Begin(Declared::Json, Vec::new()),
            _ => Content::Begin(Declared::Other, Vec::new()),
        };
        Self { wide: None, content }
    }

    pub(crate) fn feed(&mut self, piece: &[u8]) {
        if let Content::Begin(_, begun) = &mut self.content {
            begun.extend_from_slice(piece);
            // So many bytes show what a character takes.
            if begun.len() >= UNIT {
                self.begin();
            }
            return;
        }
        match &mut self.wide {
            Some(Wide::Utf16(utf16)) => self.content.feed(&utf16.decode(piece)),
            Some(Wide::Utf32(utf32)) => self.content.feed(&utf32.decode(piece)),
            None => self.content.feed(piece),
        }
    }

    /// Reads the first bytes, which show in what the text is written.
    fn begin(&mut self) {
        let Content::Begin(declared, begun) = &mut self.content else { return };
        let begun = std::mem::take(begun);
        self.wide = Utf32::of(&begun).map(Wide::Utf32).or_else(|| Utf16::of(&begun).map(Wide::Utf16));
        self.content = Content::blank(*declared);
        self.feed(&begun);
    }

    pub(crate) fn finish(mut self) -> Scanned {
        self.begin();
        self.content.finish()
    }
}

impl Content {
    const fn blank(declared: Declared) -> Self {
        Self::Blank(declared, Vec::new())
    }

    /// What a body is that begins with these bytes, or is no more than these, and those of them that are to
    /// be read.
    fn of(declared: Declared, begin: &[u8], is_all: bool) -> (Self, &[u8]) {
        let (begin, is_cut) = match front::visible(begin) {
            Ok(begin) => (begin, false),
            Err(begin) => (begin, true),
        };
        let bare = front::without_quote(begin);
        let is_quoted = bare.len() < begin.len();
        let boundary = Boundary::of(begin);
        let guard = if declared == Declared::Json { Guard::None } else { Guard::of(begin) };
        let is_cut = is_cut
            || (is_quoted && matches!(bare, b"" | b"/"))
            || matches!(boundary, Boundary::Unclear)
            || guard == Guard::Unclear;
        if is_cut && !is_all {
            return (Self::Blank(declared, begin.to_vec()), &[]);
        }
        if let Boundary::Named(boundary) = boundary
            && let Some(multipart) = MultipartScanner::within(boundary)
        {
            return (Self::Multipart(Box::new(multipart)), begin);
        }
        let begin = if is_quoted && matches!(bare, [b'{' | b'[' | b'"', ..]) { bare } else { begin };
        let content = match (begin, declared) {
            ([], _) => Self::blank(declared),
            ([b'{', ..], _) => Self::Json(Box::new(JsonScanner::new())),
            ([b'[', rest @ ..], _) => {
                let array = ArrayScanner::new(declared == Declared::Json);
                let mut lines = Lines::new();
                lines.feed(b"[");
                return (Self::Array(Box::new(array), lines), rest);
            }
            ([b'"', ..], Declared::InText(MAX_TEXTS)) => Self::Unreadable(Trouble::Json),
            ([b'"', ..], _) => Self::Quoted(Box::new(Quoted::new(declared))),
            (_, Declared::Json) => Self::Scalar(Vec::new()),
            (_, Declared::Form | Declared::Other | Declared::InText(_)) => {
                let mut plain = PlainScanner::new();
                if let Guard::Before(json) = guard {
                    plain.feed(begin.get(..begin.len() - json.len()).unwrap_or_default());
                    return (Self::Guarded(Box::new(Guarded::new(declared, plain))), json);
                }
                let plain = Self::Plain { plain: Box::new(plain), declared: declared == Declared::Form };
                // Or the query of a URL.
                let query = bare.strip_prefix(b"/").unwrap_or(bare).strip_prefix(b"?");
                return (plain, query.unwrap_or(begin));
            }
        };
        (content, begin)
    }

    /// What the JSON says that a text begins with behind its marks; `None`: that is no JSON. The text is not
    /// read as anything else, a form for instance: it came out of one, and would come out of it again without
    /// end.
    fn of_json_within(text: &str) -> Option<Scanned> {
        let json = text.get(text.find(['{', '['])?..)?;
        let (mut content, rest) = Self::of(Declared::InText(MAX_TEXTS), json.as_bytes(), true);
        content.feed(rest);
        matches!(content, Self::Json(_) | Self::Array(..)).then(|| content.finish())
    }

    fn feed(&mut self, piece: &[u8]) {
        match self {
            Self::Begin(declared, begun) | Self::Blank(declared, begun) => {
                let mut joined = std::mem::take(begun);
                let begin = if joined.is_empty() {
                    piece
                } else {
                    joined.extend_from_slice(piece);
                    &joined
                };
                let (content, rest) = Self::of(*declared, begin, false);
                *self = content;
                if !rest.is_empty() {
                    self.feed(rest);
                }
            }
            Self::Json(json) => json.feed(piece),
            Self::Array(array, lines) => {
                array.feed(piece);
                lines.feed(piece);
            }
            Self::Guarded(guarded) => guarded.feed(piece),
            Self::Quoted(quoted) => quoted.feed(piece),
            Self::Scalar(begin) => {
                let room = MAX_SCALAR.saturating_sub(begin.len());
                begin.extend(piece.iter().take(room));
            }
            Self::Plain { plain, .. } => plain.feed(piece),
            Self::Multipart(multipart) => multipart.feed(piece),
            Self::Output | Self::Unreadable(_) => {}
        }
    }

    fn finish(self) -> Scanned {
        let output = Scanned::default;
        let unread = |found: Found, trouble| Scanned { found, ..Scanned::default() }.cut_short(trouble);
        let unreadable = |trouble| unread(Found::default(), trouble);
        match self {
            Self::Begin(declared, begun) | Self::Blank(declared, begun) if !begun.is_empty() => {
                let (mut content, rest) = Self::of(declared, &begun, true);
                if !rest.is_empty() {
                    content.feed(rest);
                }
                content.finish()
            }
            Self::Begin(..) | Self::Blank(..) | Self::Output => output(),
            Self::Json(json) => match json.finish() {
                JsonObject::Alerts(found) => Scanned::of(found, false),
                JsonObject::Whole { found, foreign } => Scanned::of(found, foreign),
                JsonObject::Unreadable(found) => unread(found, Trouble::Json),
            },
            Self::Array(array, _) if array.has_statuses() => unreadable(Trouble::ListOfStatuses),
            Self::Array(array, _) if array.is_json() && !array.is_readable() => unreadable(Trouble::Json),
            Self::Array(array, lines) if !array.is_json() && lines.say_failure() => {
                unreadable(Trouble::Lines)
            }
            Self::Array(..) => output(),
            Self::Guarded(guarded) => guarded.finish(),
            Self::Quoted(quoted) => quoted.finish(),
            Self::Scalar(value) if serde_json::from_slice::<serde_json::Value>(&value).is_ok() => output(),
            Self::Scalar(_) => unreadable(Trouble::Json),
            Self::Plain { plain, declared } => Scanned::of_plain(*plain, declared),
            Self::Multipart(multipart) => match multipart.finish() {
                (found, true) => Scanned::of(found, false),
                (found, false) => unread(found, Trouble::Multipart),
            },
            Self::Unreadable(trouble) => unreadable(trouble),
        }
    }
}

impl Quoted {
    fn new(declared: Declared) -> Self {
        let texts = if let Declared::InText(texts) = declared { texts } else { 0 };
        Self {
            declared,
            // It is never full: what was decoded is taken out at once.
            text: Text::new(usize::MAX),
            begun: false,
            ended: false,
            goes_on: false,
            inner: Content::blank(Declared::InText(texts + 1)),
            plain: (declared != Declared::Json).then(PlainScanner::new),
        }
    }

    /// Takes the next piece of the body; the first one begins with the quote.
    fn feed(&mut self, piece: &[u8]) {
        if let Some(plain) = &mut self.plain {
            plain.feed(piece);
        }
        for byte in piece {
            if !self.begun {
                self.begun = true;
            } else if self.ended {
                // The marks of a shell do not count.
                self.goes_on |= !byte.is_ascii_whitespace() && !matches!(byte, 0 | b'\'' | b'`');
            } else {
                self.ended = self.text.ends_at(*byte);
            }
        }
        self.inner.feed(&self.text.take(self.ended));
    }

    fn finish(self) -> Scanned {
        let Self { declared, ended, goes_on, inner, plain, .. } = self;
        let is_json = matches!(inner, Content::Json(_));
        let inner = inner.finish();
        let is_text = ended && !goes_on;
        match plain {
            Some(plain) if !(is_json || is_text && inner.says_something()) => {
                Scanned::of_plain(plain, declared == Declared::Form)
            }
            Some(_) | None if is_text => inner,
            Some(_) | None => inner.cut_short(Trouble::Json),
        }
    }
}

impl Guarded {
    /// `plain` has read what stands in front of the JSON.
    fn new(declared: Declared, plain: PlainScanner) -> Self {
        Self { declared, json: Content::blank(declared), mention: Mention::default(), plain }
    }

    /// Takes the next piece; the first one begins with the JSON.
    fn feed(&mut self, piece: &[u8]) {
        self.json.feed(piece);
        self.mention.feed(piece);
        self.plain.feed(piece);
    }

    fn finish(self) -> Scanned {
        let Self { declared, json, mention, plain } = self;
        let said = json.finish();
        // What cannot be read as JSON may be a line of a log.
        let trouble = said.trouble.filter(|trouble| *trouble != Trouble::Json || mention.is_made());
        match trouble {
            Some(trouble) => said.cut_short(trouble),
            None if said.found.tells() => said.cut_short(Trouble::Json),
            None => Scanned::of_plain(plain, declared == Declared::Form),
        }
    }
}

#[cfg(test)]
mod tests;
