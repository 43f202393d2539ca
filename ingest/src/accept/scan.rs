//! Pure. Reads a body piece by piece, and keeps the parameters in it, in bounded memory.
//!
//! The content type decides little, because clients send any: `curl -d` calls every body a form, also JSON.
//! What the body begins with decides the rest.

mod alerts;
mod array;
mod form;
mod front;
mod json;
mod multipart;
mod nested;
mod text;
mod utf16;

use array::ArrayScanner;
use form::FormScanner;
use front::Boundary;
use json::{JsonObject, JsonScanner};
use multipart::MultipartScanner;
use text::Text;
use utf16::Utf16;

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
    utf16: Option<Utf16>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Not yet known: its first bytes.
    Begin(Declared, Vec<u8>),
    /// Not yet known: so far it is blanks, and not in UTF-16, and bytes behind them that are not enough to
    /// tell.
    Blank(Declared, Vec<u8>),
    Json(Box<JsonScanner>),
    Array(Box<ArrayScanner>),
    Quoted(Box<Quoted>),
    /// Another JSON value, which holds no parameters: its first bytes.
    Scalar(Vec<u8>),
    Form {
        form: Box<FormScanner>,
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
    form: Option<FormScanner>,
}

/// The parameters of a query, which may hold anything else as well.
pub(super) fn query(query: &str) -> Found {
    let read = |query: &str| {
        let mut form = FormScanner::of_a_query();
        form.feed(query.as_bytes());
        form.finish().0
    };
    let mut found = read(query);
    // A script that adds `?status=down` to a URL that has a query already. Some libraries escape the mark;
    // in a value other than that of `ping`, an escaped one is text.
    let ping = found.ping.as_ref().and_then(Given::text).filter(|_| !query.contains('?'));
    let ping = ping.unwrap_or_default().to_owned();
    for again in query.split('?').skip(1).chain(ping.split('?').skip(1)) {
        found.add_told_behind(&read(again));
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
    fn of_form(form: FormScanner, declared: bool) -> Self {
        let (found, begins_like_one) = form.finish();
        if declared || begins_like_one { Self::of(found, false) } else { Self::default() }
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
        Self { utf16: None, content }
    }

    pub(crate) fn feed(&mut self, piece: &[u8]) {
        match &mut self.utf16 {
            Some(utf16) => {
                let piece = utf16.decode(piece);
                self.content.feed(&piece);
            }
            None => self.begin(piece),
        }
    }

    /// Feeds what is not known to be UTF-16: that shows in the first bytes.
    fn begin(&mut self, piece: &[u8]) {
        let Content::Begin(declared, begun) = &mut self.content else { return self.content.feed(piece) };
        begun.extend_from_slice(piece);
        if let Some(utf16) = Utf16::of(begun) {
            let bytes = std::mem::take(begun);
            self.content = Content::blank(*declared);
            self.utf16 = Some(utf16);
            return self.feed(&bytes);
        }
        // Two bytes show UTF-16.
        if begun.len() < 2 {
            return;
        }
        let bytes = std::mem::take(begun);
        self.content = Content::blank(*declared);
        self.content.feed(&bytes);
    }

    pub(crate) fn finish(mut self) -> Scanned {
        if let Content::Begin(declared, begun) = &mut self.content {
            self.content = Content::Blank(*declared, std::mem::take(begun));
        }
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
            Ok(begin) => (begin, matches!(begin, b"'" | b"/")),
            Err(begin) => (begin, true),
        };
        let boundary = Boundary::of(begin);
        let is_cut = is_cut || matches!(boundary, Boundary::Unclear);
        if is_cut && !is_all {
            return (Self::Blank(declared, begin.to_vec()), &[]);
        }
        let json = || Self::Json(Box::new(JsonScanner::new()));
        let form = |declared| Self::Form { form: Box::new(FormScanner::new()), declared };
        if let Boundary::Named(boundary) = boundary
            && let Some(multipart) = MultipartScanner::within(boundary)
        {
            return (Self::Multipart(Box::new(multipart)), begin);
        }
        let content = match (begin, declared) {
            ([], _) => Self::blank(declared),
            ([b'{', ..], _) => json(),
            // The shell of Windows passes apostrophes on.
            ([b'\'', object @ ..], _) if object.starts_with(b"{") => return (json(), object),
            ([b'[', rest @ ..], _) => {
                let array = ArrayScanner::new(declared == Declared::Json);
                return (Self::Array(Box::new(array)), rest);
            }
            ([b'"', ..], Declared::InText(MAX_TEXTS)) => Self::Unreadable(Trouble::Json),
            ([b'"', ..], _) => Self::Quoted(Box::new(Quoted::new(declared))),
            (_, Declared::Json) => Self::Scalar(Vec::new()),
            (_, Declared::Form | Declared::Other | Declared::InText(_)) => {
                // Or the query of a URL.
                let query = begin.strip_prefix(b"/").unwrap_or(begin).strip_prefix(b"?");
                return (form(declared == Declared::Form), query.unwrap_or(begin));
            }
        };
        (content, begin)
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
            Self::Array(array) => array.feed(piece),
            Self::Quoted(quoted) => quoted.feed(piece),
            Self::Scalar(begin) => {
                let room = MAX_SCALAR.saturating_sub(begin.len());
                begin.extend(piece.iter().take(room));
            }
            Self::Form { form, .. } => form.feed(piece),
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
            Self::Array(array) if array.has_statuses() => unreadable(Trouble::ListOfStatuses),
            Self::Array(array) if array.is_json() && !array.is_whole() => unreadable(Trouble::Json),
            Self::Array(..) => output(),
            Self::Quoted(quoted) => quoted.finish(),
            Self::Scalar(value) if serde_json::from_slice::<serde_json::Value>(&value).is_ok() => output(),
            Self::Scalar(_) => unreadable(Trouble::Json),
            Self::Form { form, declared } => Scanned::of_form(*form, declared),
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
            form: (declared != Declared::Json).then(FormScanner::new),
        }
    }

    /// Takes the next piece of the body; the first one begins with the quote.
    fn feed(&mut self, piece: &[u8]) {
        if let Some(form) = &mut self.form {
            form.feed(piece);
        }
        for byte in piece {
            if !self.begun {
                self.begun = true;
            } else if self.ended {
                self.goes_on |= !byte.is_ascii_whitespace() && *byte != 0;
            } else {
                self.ended = self.text.ends_at(*byte);
            }
        }
        self.inner.feed(&self.text.take(self.ended));
    }

    fn finish(self) -> Scanned {
        let Self { declared, ended, goes_on, inner, form, .. } = self;
        let is_json = matches!(inner, Content::Json(_));
        let inner = inner.finish();
        let is_text = ended && !goes_on;
        match form {
            Some(form) if !(is_json || is_text && inner.says_something()) => {
                Scanned::of_form(form, declared == Declared::Form)
            }
            Some(_) | None if is_text => inner,
            Some(_) | None => inner.cut_short(Trouble::Json),
        }
    }
}

#[cfg(test)]
mod tests;
