//! Pure. A JSON list, read piece by piece, for one question: do its elements have a status of their own?

/// The longest name that is compared.
const MAX_NAME: usize = 8;

/// Reads one list.
#[derive(Debug, Default)]
pub(super) struct ArrayScanner {
    depth: u32,
    in_text: bool,
    escaped: bool,
    /// The last text in an element, with what is not kept of it.
    last: Vec<u8>,
    too_long: bool,
    has_statuses: bool,
    /// Whether its end has come.
    is_whole: bool,
}

impl ArrayScanner {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        for byte in piece {
            self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ if self.last.len() < MAX_NAME => self.last.push(byte),
                _ => self.too_long = true,
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.last.clear();
                self.too_long = false;
            }
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.is_whole |= self.depth == 0;
            }
            // The list, and an object in it.
            b':' if self.depth == 2 && !self.too_long => {
                self.has_statuses |= self.last.eq_ignore_ascii_case(b"status");
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
