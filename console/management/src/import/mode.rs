//! What an import does with its lines.

/// What an import does with its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Heartbeats as if they were pushed.
    Live,
    /// Histories of monitors that have none.
    History,
}

impl Mode {
    /// The mode that a parameter names.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "history" => Some(Self::History),
            _ => None,
        }
    }
}
