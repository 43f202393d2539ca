//! Pure. The parameters of a push that were found, wherever they stand.

use model::heartbeat::{HeartbeatKind, MAX_MESSAGE_CHARS};

use super::words;

/// The name of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Status,
    Message,
    Value,
    Ping,
}

impl Name {
    const ALL: [(&'static str, Self); 4] =
        [("status", Self::Status), ("msg", Self::Message), ("value", Self::Value), ("ping", Self::Ping)];

    /// The parameter of this name, in letters of any case.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, name)| name)
    }

    /// The most bytes of its value that are kept: no good value is longer, but for a message, which is cut.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Message => MAX_MESSAGE_CHARS * 4,
            Self::Value => 400,
            Self::Status | Self::Ping => 64,
        }
    }
}

/// A value as it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Text(String),
    /// A JSON value that is neither text nor a number.
    Unfit,
}

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Unfit => None,
        }
    }
}

/// The parameters that were given. An empty one counts as not given.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) status: Option<Given>,
    pub(super) message: Option<Given>,
    pub(super) value: Option<Given>,
    pub(super) ping: Option<Given>,
    /// Whether a parameter was there, be it empty.
    pub(super) any: bool,
}

impl Found {
    /// Notes a parameter. Of one given twice the first counts; but of two that disagree on the status, one
    /// that says down, or else one that is not understood.
    pub(super) fn add(&mut self, name: Name, given: Given) {
        self.any = true;
        if given == Given::Text(String::new()) {
            return;
        }
        let place = match name {
            Name::Status => {
                if self.status.as_ref().is_none_or(|status| weight(&given) > weight(status)) {
                    self.status = Some(given);
                }
                return;
            }
            Name::Message => &mut self.message,
            Name::Value => &mut self.value,
            Name::Ping => &mut self.ping,
        };
        place.get_or_insert(given);
    }
}

/// What counts of two statuses: down before what is not understood, and that before up.
fn weight(status: &Given) -> u8 {
    match status.text().and_then(words::status_of_any_tool) {
        Some(HeartbeatKind::Down) => 2,
        None => 1,
        Some(HeartbeatKind::Up) => 0,
    }
}
