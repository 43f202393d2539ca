//! One accepted push.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ids::MonitorId;
use super::time::EventTime;
use super::trace::TraceContext;

/// Longest message, in characters; what is longer is cut.
pub const MAX_MESSAGE_CHARS: usize = 1_000;

/// Longest output, in bytes; of what is longer the end is kept.
pub const MAX_OUTPUT_BYTES: usize = 10_000;

/// A client's text as the message of a heartbeat: at most [`MAX_MESSAGE_CHARS`] characters, without those
/// that do something to the text around them.
///
/// Messages are shown on terminals, in chats, in mails and in files of lines. Newline and tab stay; other
/// ends of a line (CR LF, CR, NEL, U+2028, U+2029) become newlines. The other control characters, and those
/// that change the direction of the text behind them (U+202A to U+202E, U+2066 to U+2069), become U+FFFD.
/// Marks of a direction, which change nothing but their neighbours, stay.
pub fn clean_message(text: String) -> String {
    let mut text = harmless_text(text);
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE_CHARS) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

/// A client's text of any length, as [`clean_message`] makes it.
pub fn harmless_text(text: String) -> String {
    let needs = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(needs) {
        let lines = text.replace("\r\n", "\n");
        let clean = |character| match character {
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            _ if needs(character) => char::REPLACEMENT_CHARACTER,
            _ => character,
        };
        lines.chars().map(clean).collect()
    } else {
        text
    }
}

/// The status that a heartbeat reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatKind {
    /// All is well.
    Up,
    /// Something is wrong.
    Down,
}

impl HeartbeatKind {
    /// `up` or `down`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One accepted push.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The monitor.
    pub monitor: MonitorId,
    /// When its push was complete, by the ingest node's clock; distinct within a node and partition.
    pub received_at: EventTime,
    /// The reported status.
    pub kind: HeartbeatKind,
    /// At most 1,000 characters.
    pub message: Option<String>,
    /// A finite number.
    pub value: Option<f64>,
    /// The client's address.
    pub source: Option<IpAddr>,
    /// The last 10,000 bytes of the body, if it was not parameters.
    pub output: Option<Bytes>,
    /// The trace that its push belongs to.
    pub trace: Option<TraceContext>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_does_nothing_to_the_text_around_it() {
        for (given, expected) in [
            ("plain äöü 😀", "plain äöü 😀"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("a\r\nb\rc\u{85}d\u{2028}e\u{2029}f", "a\nb\nc\nd\ne\nf"),
            ("\0\u{1b}[31mred\u{7f}\u{9b}0m", "\u{fffd}\u{fffd}[31mred\u{fffd}\u{fffd}0m"),
            ("\u{202e}txt.exe\u{2066}", "\u{fffd}txt.exe\u{fffd}"),
            ("\u{200f}שלום\u{200e}", "\u{200f}שלום\u{200e}"),
        ] {
            assert_eq!(clean_message(given.to_owned()), expected, "{given:?}");
        }
        for (characters, kept) in [(999, 999), (1_000, 1_000), (1_001, 1_000), (5_000, 1_000)] {
            assert_eq!(clean_message("ü".repeat(characters)), "ü".repeat(kept));
            assert_eq!(clean_message("\u{1b}".repeat(characters)), "\u{fffd}".repeat(kept));
        }
    }
}
