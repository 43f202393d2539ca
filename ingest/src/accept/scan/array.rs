//! Pure. A JSON list, read piece by piece, for one question: do its elements have a status of their own?

use super::nested::Nested;

/// Reads a list, and objects behind it.
#[derive(Debug)]
pub(super) struct ArrayScanner {
    begin: Begin,
    nested: Nested,
    has_statuses: bool,
    /// Whether its end has come.
    is_whole: bool,
}

/// Whether it is JSON: lines of a log may begin with a bracket, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    List,
    /// And an object in it.
    Object,
    /// Whose first name has no quotes.
    BareName,
    Json,
    Other,
}

impl ArrayScanner {
    /// For a body that says that it is JSON, or another one.
    pub(super) const fn new(is_json: bool) -> Self {
        let begin = if is_json { Begin::Json } else { Begin::List };
        Self { begin, nested: Nested::new(), has_statuses: false, is_whole: false }
    }

    /// Takes the next piece, behind the opening bracket.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        self.begin = match (self.begin, byte) {
            (Begin::List, b'{') => Begin::Object,
            (Begin::Object, b'"') => Begin::Json,
            (Begin::Object, b'\'' | b'_' | b'$' | b'a'..=b'z' | b'A'..=b'Z') => Begin::BareName,
            (begin @ (Begin::Json | Begin::BareName | Begin::Other), _) => begin,
            (begin @ (Begin::List | Begin::Object), _) if byte.is_ascii_whitespace() => begin,
            (Begin::List | Begin::Object, _) => Begin::Other,
        };
        // The list, and an object in it; or an object behind it.
        let depth = self.nested.depth();
        if byte == b':' && (depth == 2 || (depth == 1 && self.is_whole && self.is_json())) {
            let is_list_of_objects = matches!(self.begin, Begin::Json | Begin::BareName);
            self.has_statuses |= self.nested.is_behind_a_status()
                || (is_list_of_objects && self.nested.is_behind_a_bare_status());
        }
        self.nested.step(byte);
        self.is_whole |= self.nested.depth() == 0;
    }

    /// Whether it is JSON, by its type or its beginning.
    pub(super) const fn is_json(&self) -> bool {
        matches!(self.begin, Begin::Json)
    }

    /// Whether it came to its end, and is JSON all through.
    pub(super) const fn is_readable(&self) -> bool {
        self.is_whole && !self.nested.has_bare_names()
    }

    pub(super) const fn has_statuses(&self) -> bool {
        self.has_statuses || (self.is_json() && self.nested.swallows_a_status())
    }
}
