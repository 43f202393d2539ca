//! Pure. One text in the labels or annotations of an alert of Alertmanager or Grafana, read piece by piece.

use model::heartbeat::MAX_MESSAGE_CHARS;

use super::text::Text;

/// The longest name that is compared.
const MAX_NAME: usize = 16;

/// Reads one object of texts, whose opening brace was read, for the text of one name.
#[derive(Debug)]
pub(super) struct TextOf {
    wanted: &'static str,
    state: State,
    depth: u32,
    /// The last text on the first level.
    last: String,
    found: Option<String>,
}

#[derive(Debug)]
enum State {
    Between {
        /// Behind the wanted name and a colon.
        wanted: bool,
    },
    Text {
        text: Text,
        wanted: bool,
    },
}

impl TextOf {
    pub(super) const fn new(wanted: &'static str) -> Self {
        Self { wanted, state: State::Between { wanted: false }, depth: 1, last: String::new(), found: None }
    }

    /// Takes the next byte; whether it ends the object.
    pub(super) fn ends_at(&mut self, byte: u8) -> bool {
        match &mut self.state {
            State::Text { text, wanted } => {
                if text.ends_at(byte) {
                    let text = std::mem::replace(text, Text::new(0)).into_string();
                    if *wanted && self.found.is_none() {
                        self.found = Some(text);
                    } else {
                        self.last = text;
                    }
                    self.state = State::Between { wanted: false };
                }
            }
            State::Between { wanted } => match byte {
                b'"' => {
                    let wanted = *wanted;
                    let most = if wanted { MAX_MESSAGE_CHARS * 4 } else { MAX_NAME };
                    self.state = State::Text { text: Text::new(most), wanted };
                }
                b':' => *wanted = self.depth == 1 && self.last == self.wanted,
                b'{' | b'[' => {
                    *wanted = false;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth -= 1,
                _ => {}
            },
        }
        self.depth == 0
    }

    /// The text that was looked for, unless it is empty.
    pub(super) fn into_found(self) -> Option<String> {
        self.found.filter(|text| !text.is_empty())
    }
}
