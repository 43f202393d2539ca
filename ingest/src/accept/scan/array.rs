//! Pure. A JSON list, read piece by piece, for one question: do its elements have a status of their own?

use super::super::found::Name;
use super::text::Text;

/// The longest name that is compared with ours.
const MAX_NAME: usize = 32;

/// Reads a list, and objects behind it.
#[derive(Debug, Default)]
pub(super) struct ArrayScanner {
    /// Whether what stands behind the list belongs to it: otherwise it may be a log.
    is_json: bool,
    depth: u32,
    /// The text that is being read.
    text: Option<Text>,
    /// Whether the last text names a status.
    names_one: bool,
    has_statuses: bool,
    /// Whether its end has come.
    is_whole: bool,
}

impl ArrayScanner {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, ..Self::default() }
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if let Some(text) = &mut self.text {
            if text.ends_at(byte)
                && let Some(text) = self.text.take()
            {
                let name = Name::of(&text.into_string());
                self.names_one = matches!(name, Some(Name::Status | Name::ExitCode));
            }
            return;
        }
        match byte {
            b'"' => self.text = Some(Text::new(MAX_NAME)),
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.is_whole |= self.depth == 0;
            }
            // The list, and an object in it; or an object behind it.
            b':' if self.depth == 2 || (self.depth == 1 && self.is_whole && self.is_json) => {
                self.has_statuses |= self.names_one;
            }
            _ => {}
        }
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(super) const fn has_statuses(&self) -> bool {
        self.has_statuses
    }
}
