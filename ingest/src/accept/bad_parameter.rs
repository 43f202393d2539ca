//! Pure. Why a push is refused.

use std::fmt;

/// A bad parameter. The push is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadParameter {
    /// `status` is neither of its two values.
    Status,
    /// `value` or `ping` is not a finite decimal number.
    Value,
    /// `msg` in a JSON body is neither text nor a number.
    Message,
}

impl fmt::Display for BadParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "status must be 'up' or 'down'",
            Self::Value => "value must be a finite decimal number",
            Self::Message => "msg must be text",
        })
    }
}
