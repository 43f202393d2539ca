//! What clients ask for, read from JSON strictly: every refused field is named, all of them at once. Pure.

pub(crate) mod channel;
pub(crate) mod fields;
pub(crate) mod key;
pub(crate) mod maintenance;
pub(crate) mod monitor;
pub(crate) mod rebuild;
pub(crate) mod replay;
mod schedule;

/// What a request says about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// Not given.
    Keep,
    /// Given as null: back to its default.
    Reset,
    /// Given.
    Set(T),
}

impl<T> Change<T> {
    pub(crate) fn set(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Reset => None,
        }
    }

    pub(crate) const fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// The value after the change of one that was `old`.
    pub(crate) fn onto(self, old: T, default: T) -> T {
        match self {
            Self::Keep => old,
            Self::Reset => default,
            Self::Set(value) => value,
        }
    }
}
