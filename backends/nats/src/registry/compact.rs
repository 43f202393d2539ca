//! Small ids of records: there are a million of them.

use std::cmp::Ordering;
use std::fmt;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// An id: a UUID in its usual spelling in 16 bytes, or any other text. Ordered like the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum CompactId {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl CompactId {
    pub(crate) fn new(id: &str) -> Self {
        let mut buffer = [0; Hyphenated::LENGTH];
        match Uuid::try_parse(id) {
            // Other spellings are other ids.
            Ok(uuid) if uuid.hyphenated().encode_lower(&mut buffer) == id => Self::Uuid(uuid.into_bytes()),
            Ok(_) | Err(_) => Self::Text(id.into()),
        }
    }

    fn text<'a>(&'a self, buffer: &'a mut [u8; Hyphenated::LENGTH]) -> &'a str {
        match self {
            Self::Uuid(bytes) => Uuid::from_bytes(*bytes).hyphenated().encode_lower(buffer),
            Self::Text(text) => text,
        }
    }
}

impl Ord for CompactId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Hexadecimal text is ordered like the bytes.
            (Self::Uuid(left), Self::Uuid(right)) => left.cmp(right),
            (Self::Uuid(_) | Self::Text(_), Self::Uuid(_) | Self::Text(_)) => {
                let (mut left, mut right) = ([0; Hyphenated::LENGTH], [0; Hyphenated::LENGTH]);
                self.text(&mut left).cmp(other.text(&mut right))
            }
        }
    }
}

impl PartialOrd for CompactId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CompactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; Hyphenated::LENGTH]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_text_and_read_back() {
        let mut texts = [
            "0197c5a0-0000-7000-8000-000000000001",
            "0197C5A0-0000-7000-8000-000000000001",
            "ffffffff-0000-7000-8000-000000000001",
            "0197c5a0",
            "0197c5a0-0000-7000-8000-0000000000010",
            "0197c5a0000070008000000000000001",
            "a",
            "Z",
            "_",
            "-",
        ];
        let mut ids = texts.map(CompactId::new);
        texts.sort_unstable();
        ids.sort_unstable();
        assert_eq!(ids.map(|id| id.to_string()), texts);
        assert_eq!(size_of::<CompactId>(), 24);
    }
}
